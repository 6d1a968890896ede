import Foundation
import Jobs
import Logging
import Postgres
import Synchronization

/// What the benchmarks of the queue share: a worker whose jobs do nothing, and its jobs.
enum JobsBench {
    static let kind = "noop"

    /// Does nothing, and says so.
    struct Noop: JobHandler {
        let kind = JobsBench.kind
        let hasEffects = false
        var onStart: @Sendable (Lease) -> Void = { _ in }

        func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
            onStart(lease)
            return { _ in }
        }
    }

    /// A worker as it is shipped, save for the number of its slots.
    ///
    /// - Parameters:
    ///   - database: Where it works.
    ///   - slots: How many jobs it runs at once; nil for its own choice.
    ///   - onStart: Called when a job begins.
    /// - Returns: The worker, not yet running.
    static func worker(
        _ database: Database, slots: Int? = nil,
        onStart: @escaping @Sendable (Lease) -> Void = { _ in }
    ) -> Worker {
        var options = WorkerOptions()
        if let slots { options.slots = slots }
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        return Worker(
            identity: WorkerIdentity(
                id: UUID(), host: "bench", process: ProcessInfo.processInfo.processIdentifier,
                version: "bench"),
            handlers: [Noop(onStart: onStart)], pool: database.pool, options: options,
            logger: logger)
    }

    /// Adds jobs in one statement.
    static func add(_ jobs: Int, to database: Database) async throws {
        let arguments = [String](repeating: "{}", count: jobs)
        try await database.pool.transaction { db in
            _ = try JobQueue().enqueueBatch(kind: kind, arguments: arguments, db)
        }
    }

    /// Empties the queue and its history and adds jobs.
    static func refill(_ jobs: Int, _ database: Database) async throws {
        try await database.pool.run("TRUNCATE systole.job, systole.job_history")
        try await add(jobs, to: database)
        try await database.pool.run("VACUUM ANALYZE systole.job")
    }

    /// Returns when no job lives any more.
    static func waitUntilEmpty(_ database: Database) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try await !isEmpty(database) {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkError("the jobs were not done within two minutes")
            }
            // Long against the query, short against the batch.
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private static func isEmpty(_ database: Database) async throws -> Bool {
        try await database.pool.run("SELECT NOT EXISTS (SELECT FROM systole.job) AS done")
            .only().bool("done")
    }
}

/// One client that claims and finishes, as a worker does, on a connection of its own.
struct QueueClient {
    private let connection: Connection
    private let worker = UUID()

    init(_ database: Database) async throws {
        connection = try await Connection.open(database.pool.configuration)
    }

    /// Says that it lives, without which nothing is handed to it.
    func beat() async throws {
        try await connection.run(
            """
            SELECT systole.register_worker(\(worker.uuidString)::uuid, 'bench', 1, 'bench',
                ARRAY[\(JobsBench.kind)], 1)
            """)
    }

    /// Claims and finishes until nothing is left: a statement finishes what the one before claimed, and
    /// claims the next, as a worker's do.
    ///
    /// - Parameters:
    ///   - batch: How many jobs are claimed, and finished, in one statement.
    ///   - maximum: How many jobs are enough.
    /// - Returns: How many jobs were done.
    /// - Throws: `BenchmarkError` if a lease was lost; what the database refused.
    func drain(batch: Int, atMost maximum: Int = .max) async throws -> Int {
        try await connection.withSession { [worker] db in
            let queue = JobQueue()
            var (done, runs) = (0, [Lease]())
            repeat {
                let (claimed, lost) = try queue.completeAndClaim(
                    runs, worker: worker, kinds: [JobsBench.kind],
                    count: min(batch, maximum - done - runs.count), db)
                guard lost.isEmpty else { throw BenchmarkError("a lease was lost") }
                done += runs.count
                runs = claimed
            } while !runs.isEmpty
            return done
        }
    }

    /// Where the server writes its log of changes.
    func walPosition() async throws -> Int64 {
        try await connection.run(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint AS bytes"
        ).only().int64("bytes")
    }

    func close() async { await connection.close() }
}

/// A sum that several tasks add to.
final class Tally: Sendable {
    private let sums = Mutex((amount: 0.0, count: 0))

    func add(_ amount: Double, of count: Int) {
        sums.withLock { ($0.amount, $0.count) = ($0.amount + amount, $0.count + count) }
    }

    /// The sum by the count; nil before anything was added.
    var mean: Double? { sums.withLock { $0.count == 0 ? nil : $0.amount / Double($0.count) } }
}
