import Dispatch
import Synchronization

/// Long arithmetic, off the threads that Swift's tasks share.
///
/// Those threads are as few as the cores; two trainings would hold them all, and the heartbeat of
/// the worker could not be sent. So arithmetic gets a thread of its own.
enum Computation {
    /// Runs `body` on a thread of its own and waits for it.
    ///
    /// - Parameter body: Asks the `Cancellation` it gets from time to time, and throws what that
    ///   throws.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; `CancellationError` where the task was cancelled and `body`
    ///   noticed.
    static func run<T: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws -> T
    ) async throws -> T {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                DispatchQueue.global(qos: .utility).async {
                    continuation.resume(with: Result { try body(cancellation) })
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}

/// Whether somebody has asked a computation to stop.
final class Cancellation: Sendable {
    private let isCancelled = Mutex(false)

    func cancel() { isCancelled.withLock { $0 = true } }

    /// Throws `CancellationError` once `cancel` was called.
    func check() throws {
        if isCancelled.withLock({ $0 }) { throw CancellationError() }
    }
}
