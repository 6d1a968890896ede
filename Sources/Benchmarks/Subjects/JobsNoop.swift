import Foundation
import Jobs
import Logging
import Postgres

/// Jobs that do nothing, from the statement that adds them to the last completion: claim, lease,
/// handler, batched completion, history.
///
/// Limit: the server's commits. The opponent is the least that a queue in PostgreSQL can do: one
/// transaction a job, on one connection, without lease, retry or history.
enum JobsNoop {
    static let jobs = 1000
    static let slots = 64

    static let benchmark = Benchmark("jobs.noop") { setting in
        let database = try await setting.databases.make()
        let worker = try worker(database)
        let work = Task { try await worker.run() }
        try await database.pool.run(
            """
            CREATE TABLE public.plain_job (
                job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, args jsonb NOT NULL)
            """)
        let own = try await Connection.open(database.pool.configuration)
        return Contest(
            what: "\(jobs) jobs added in one statement and done by one worker with \(slots) slots",
            work: Work(jobs, "jobs"),
            ours: Contestant("Jobs.Worker") { try await enqueueAndWait(database) },
            opponents: [
                .present(
                    Contestant("plain loop: SELECT … FOR UPDATE SKIP LOCKED, DELETE, COMMIT") {
                        try await plainLoop(own)
                    })
            ],
            finish: {
                worker.drain()
                try await work.value
                await own.close()
                try await database.drop()
            })
    }

    private struct Noop: JobHandler {
        let kind = "noop"
        let hasEffects = false
        func run(_ lease: Lease, _ context: JobContext) async throws -> Effects { { _ in } }
    }

    private static func worker(_ database: Database) throws -> Worker {
        var options = WorkerOptions()
        options.slots = slots
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        return Worker(
            identity: WorkerIdentity(
                id: UUID(), host: "bench", process: ProcessInfo.processInfo.processIdentifier,
                version: "bench"),
            handlers: [Noop()], pool: database.pool, options: options, logger: logger)
    }

    private static func enqueueAndWait(_ database: Database) async throws {
        let arguments = [String](repeating: "{}", count: jobs)
        try await database.pool.transaction { db in
            _ = try JobQueue().enqueueBatch(kind: "noop", arguments: arguments, db)
        }
        let deadline = ContinuousClock.now + .seconds(120)
        while try await !isEmpty(database) {
            guard ContinuousClock.now < deadline else {
                throw BenchmarkError("jobs.noop: the jobs were not done within two minutes")
            }
            // Long against the query, short against the batch.
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private static func isEmpty(_ database: Database) async throws -> Bool {
        try await database.pool.run("SELECT NOT EXISTS (SELECT FROM systole.job) AS done")
            .only().bool("done")
    }

    private static func plainLoop(_ connection: Connection) async throws {
        try await connection.run(
            "INSERT INTO public.plain_job (args) SELECT '{}' FROM generate_series(1, \(jobs)::int)"
        )
        var isDone = false
        while !isDone {
            isDone = try await connection.transaction { db in
                let rows = try db.run(
                    """
                    SELECT job_id FROM public.plain_job ORDER BY job_id LIMIT 1
                    FOR UPDATE SKIP LOCKED
                    """)
                guard let row = rows.first else { return true }
                try db.run("DELETE FROM public.plain_job WHERE job_id = \(try row.int64("job_id"))")
                return false
            }
        }
    }
}
