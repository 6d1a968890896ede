import Foundation

/// Runs one actor's work on a thread of its own, so that waiting for a socket holds no other work up.
final class MessagingThread: SerialExecutor {
    private let inbox = Inbox()

    init(name: String) {
        // The thread holds the inbox and not the executor, whose end is what ends the thread.
        let thread = Thread { [inbox] in
            while let work = inbox.next() { work() }
        }
        thread.name = name
        thread.start()
    }

    deinit {
        inbox.close()
    }

    func enqueue(_ job: consuming ExecutorJob) {
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
