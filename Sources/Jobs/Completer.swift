import Postgres
import Synchronization

/// Runs without effects that are done, until one statement completes many of them.
final class Completer: Sendable {
    /// A run whose handler is done, and who waits to hear that it is completed.
    struct Waiting {
        let lease: Lease
        fileprivate let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var since: ContinuousClock.Instant?
        var isClosed = false
    }

    /// How many runs one statement completes.
    static let batchMaximum = 500

    private let bell: Bell
    private let state = Mutex(State())

    /// - Parameter bell: Rung when a run waits.
    init(bell: Bell) {
        self.bell = bell
    }

    /// Waits until a run is completed with others.
    ///
    /// - Returns: Whether it was completed; otherwise it had lost its lease, or nobody knows.
    func complete(_ lease: Lease) async -> Bool {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed {
                    state.waiting.append(Waiting(lease: lease, continuation: continuation))
                    if state.since == nil { state.since = .now }
                }
                return state.isClosed
            }
            if isClosed { continuation.resume(returning: false) } else { bell.ring() }
        }
    }

    /// How many runs wait, and since when the first of them does.
    var waiting: (count: Int, since: ContinuousClock.Instant?) {
        state.withLock { ($0.waiting.count, $0.since) }
    }

    /// Takes the runs that one statement will complete.
    func take() -> [Waiting] {
        state.withLock { state in
            let batch = Array(state.waiting.prefix(Self.batchMaximum))
            state.waiting.removeFirst(batch.count)
            if state.waiting.isEmpty { state.since = nil }
            return batch
        }
    }

    /// Tells those who wait how it went.
    ///
    /// - Parameters:
    ///   - batch: What was taken.
    ///   - isCompleted: Whether the run of a job was completed.
    func settle(_ batch: [Waiting], _ isCompleted: (Int64) -> Bool) {
        for waiting in batch {
            waiting.continuation.resume(returning: isCompleted(waiting.lease.jobID))
        }
    }

    /// Completes nothing any more.
    func close() {
        let rest = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        settle(rest) { _ in false }
    }
}

/// Repeats what fails for a passing reason of the database, waiting 0.1 s, 0.4 s, 1.6 s …
func retrying<T: Sendable>(
    _ attemptsMaximum: Int, _ body: @Sendable () async throws -> T
) async throws -> T {
    var delay = Duration.milliseconds(100)
    for _ in 1..<max(2, attemptsMaximum) {
        do {
            return try await body()
        } catch let error as PostgresError where error.isTransient {
            try await Task.sleep(for: delay)
            delay *= 4
        }
    }
    return try await body()
}
