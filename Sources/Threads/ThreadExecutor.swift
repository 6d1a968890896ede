import Foundation

/// Runs one actor's work on a thread of its own, so that calls that block, such as libpq's, hold no other
/// work up.
///
/// Not a Dispatch queue: Dispatch on Linux adds threads for blocked queues slowly and up to a
/// limit, and with a few dozen connections that wait for locks everything else stood still.
package final class ThreadExecutor: SerialExecutor {
    private let inbox = Inbox()

    /// Starts the thread, which ends with the executor.
    ///
    /// - Parameter name: The thread's, as debuggers show it.
    package init(name: String) {
        // The thread holds the inbox and not the executor, whose end is what ends the thread.
        let thread = Thread { [inbox] in
            // On Linux a name takes effect on a thread that runs.
            Thread.current.name = name
            while let work = inbox.next() { work() }
        }
        thread.start()
    }

    deinit {
        inbox.close()
    }

    /// Lets the thread run a job after those before it.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        inbox.put {
            unsafe job.runSynchronously(on: self.asUnownedSerialExecutor())
        }
    }
}

/// The work that a thread has yet to do.
///
/// `@unchecked Sendable` because every access to `work` and `isClosed` holds the condition's lock.
private final class Inbox: @unchecked Sendable {
    private let condition = NSCondition()
    private var work: [() -> Void] = []
    private var isClosed = false

    func put(_ item: @escaping @Sendable () -> Void) {
        condition.withLock {
            work.append(item)
            condition.signal()
        }
    }

    func close() {
        condition.withLock {
            isClosed = true
            condition.signal()
        }
    }

    /// Waits for work.
    ///
    /// - Returns: nil once the inbox is closed and empty.
    func next() -> (() -> Void)? {
        condition.withLock {
            while work.isEmpty {
                if isClosed { return nil }
                condition.wait()
            }
            return work.removeFirst()
        }
    }
}
