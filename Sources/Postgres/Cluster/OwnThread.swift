import Foundation

/// Work that blocks, away from Swift's shared pool.
enum OwnThread {
    /// Runs `work` on a new thread and waits for it without blocking.
    ///
    /// - Parameter work: May block as long as it likes.
    /// - Returns: What `work` returns.
    /// - Throws: What `work` throws.
    static func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try work() })
            }
        }
    }
}
