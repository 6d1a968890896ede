import CLibPQ
import Dispatch
import Glibc
import Synchronization

/// Cancels one operation of one connection from any thread.
///
/// `@unchecked Sendable` because libpq documents a `PGcancel` as a copy that any thread may use,
/// and because the mutex lets one thread at it at a time. A request is only sent while its own
/// operation is the active one, and `end` waits for a request under way: a later statement of the
/// same connection is therefore never hit by an earlier task's cancellation.
@safe final class Canceller: @unchecked Sendable {
    private struct State {
        var active: UInt64?
        var last: UInt64 = 0
        var isCancelled = false
    }

    private let state = Mutex(State())
    private let request: OpaquePointer
    /// An eventfd that becomes readable when a cancelled operation waits in `poll`.
    let wakeDescriptor: Int32

    private static let repeatInterval = DispatchTimeInterval.milliseconds(200)

    /// Fails where the system has no memory or no descriptor left.
    ///
    /// - Parameter connection: An open connection.
    init?(_ connection: OpaquePointer) {
        guard let request = unsafe PQgetCancel(connection) else { return nil }
        let descriptor = clibpq_wake_descriptor()
        guard descriptor >= 0 else {
            unsafe PQfreeCancel(request)
            return nil
        }
        unsafe self.request = unsafe request
        wakeDescriptor = descriptor
    }

    deinit {
        unsafe PQfreeCancel(request)
        close(wakeDescriptor)
    }

    /// Makes the operation that starts now the one that can be cancelled.
    func begin() -> UInt64 {
        state.withLock { state in
            state.last += 1
            state.active = state.last
            state.isCancelled = false
            var drained: UInt64 = 0
            _ = unsafe read(wakeDescriptor, &drained, 8)
            return state.last
        }
    }

    /// From here on `cancel(token)` does nothing.
    func end(_ token: UInt64) {
        state.withLock { state in
            if state.active == token { state.active = nil }
        }
    }

    /// - Throws: SQLSTATE 57014 if the operation has been cancelled.
    func check(_ token: UInt64) throws(PostgresError) {
        let isCancelled = state.withLock { $0.active == token && $0.isCancelled }
        guard !isCancelled else { throw PostgresError.cancelled }
    }

    /// Asks the server to stop `token`, again and again until it has ended, since a request that
    /// arrives between two statements is lost.
    func cancel(_ token: UInt64) {
        let isNew = state.withLock { state in
            guard state.active == token, !state.isCancelled else { return false }
            state.isCancelled = true
            return true
        }
        guard isNew else { return }
        var one: UInt64 = 1
        _ = unsafe write(wakeDescriptor, &one, 8)
        DispatchQueue.global().async { self.send(token) }
    }

    private func send(_ token: UInt64) {
        let isActive = state.withLock { state in
            guard state.active == token else { return false }
            // The text buffer is wanted by libpq; what it says changes nothing here.
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                _ = unsafe PQcancel(request, buffer.baseAddress, 256)
            }
            return true
        }
        guard isActive else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.repeatInterval) {
            self.send(token)
        }
    }
}

/// Joins a task to the operation that it will run, so that its cancellation finds it at any time.
final class Ticket: Sendable {
    private struct State {
        var isCancelled = false
        var operation: (canceller: Canceller, token: UInt64)?
    }

    private let state = Mutex(State())

    /// - Returns: false if the task was cancelled before the operation began.
    func attach(_ canceller: Canceller, _ token: UInt64) -> Bool {
        state.withLock { state in
            state.operation = (canceller, token)
            return !state.isCancelled
        }
    }

    func cancel() {
        let operation = state.withLock { state in
            state.isCancelled = true
            return state.operation
        }
        if let operation { operation.canceller.cancel(operation.token) }
    }
}
