import Logging
import Postgres
import Synchronization

/// Completes runs without effects many at a time: while one batch is on its way, the next gathers.
final class Completer: Sendable {
    private struct Waiting {
        let lease: Lease
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isClosed = false
    }

    /// How many runs one statement completes.
    static let batchMaximum = 500

    private let pool: Pool
    private let attemptsMaximum: Int
    private let logger: Logger
    private let bell = Bell()
    private let state = Mutex(State())

    init(pool: Pool, attemptsMaximum: Int, logger: Logger) {
        self.pool = pool
        self.attemptsMaximum = attemptsMaximum
        self.logger = logger
    }

    /// Completes a run with the next batch.
    ///
    /// - Returns: Whether it was completed; otherwise it had lost its lease, or nobody knows.
    func complete(_ lease: Lease) async -> Bool {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed {
                    state.waiting.append(Waiting(lease: lease, continuation: continuation))
                }
                return state.isClosed
            }
            if isClosed { continuation.resume(returning: false) } else { bell.ring() }
        }
    }

    /// Flushes batches until its task is cancelled.
    func run() async {
        while !Task.isCancelled {
            let batch = take()
            if batch.isEmpty {
                await bell.wait(atMost: .seconds(60))
            } else {
                let completed = await flush(batch.map(\.lease))
                for waiting in batch {
                    waiting.continuation.resume(returning: completed.contains(waiting.lease.jobID))
                }
            }
        }
        let rest = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiting in rest { waiting.continuation.resume(returning: false) }
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            let batch = Array(state.waiting.prefix(Self.batchMaximum))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }

    private func flush(_ leases: [Lease]) async -> Set<Int64> {
        do {
            return try await retrying(attemptsMaximum) { [pool] in
                try await pool.withConnection { connection in
                    try await connection.withSession { db in try JobQueue().complete(leases, db) }
                }
            }
        } catch {
            // The deadline, or the rescue of this worker's runs, hands them out again.
            logger.error(
                "completing \(leases.count) runs failed", metadata: ["error": "\(error)"])
            return []
        }
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
