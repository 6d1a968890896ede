import Foundation
import Logging
import Postgres
import TestSupport

@testable import Jobs

/// A database of one test and what most tests of the queue ask of it.
struct QueueFixture: Sendable {
    let database: TestDatabase
    let queue = JobQueue()

    var pool: Pool { database.pool }

    /// Lends a fixture on a fresh database.
    static func with<T>(_ body: (QueueFixture) async throws -> T) async throws -> T {
        try await withTestDatabase { try await body(QueueFixture(database: $0)) }
    }

    /// Runs `body` in a session whose statements commit one by one.
    func session<T: Sendable>(
        _ body: @Sendable (borrowing Session) throws -> T
    ) async throws -> T {
        try await pool.withConnection { try await $0.withSession(body) }
    }

    @discardableResult
    func run(_ sql: SQL) async throws -> Rows { try await pool.run(sql) }

    /// The single value of a query, as text; nil for NULL.
    func value(_ sql: SQL) async throws -> String? {
        let rows = try await pool.run(sql)
        let name = rows.columnNames[0]
        return try rows.only().optionalText(name)
    }

    @discardableResult
    func enqueue(_ request: JobRequest) async throws -> Int64 {
        try await pool.transaction { db in try queue.enqueue(request, db) }
    }

    @discardableResult
    func enqueue(_ kind: String) async throws -> Int64 {
        try await enqueue(JobRequest(kind: kind))
    }

    /// Adds many jobs without arguments.
    func enqueue(_ kind: String = "work", count: Int) async throws {
        let arguments = Array(repeating: "{}", count: count)
        let added = try await pool.transaction { db in
            try queue.enqueueBatch(kind: kind, arguments: arguments, db)
        }
        precondition(added == count, "\(added) of \(count) jobs were added")
    }

    /// Registers a worker without running one.
    @discardableResult
    func register(_ id: UUID = UUID()) async throws -> UUID {
        try await run(
            """
            SELECT systole.register_worker(\(id.uuidString)::uuid, 'test', 1, 'test', '{work}', 4)
            """)
        return id
    }

    func claim(_ worker: UUID, _ kinds: [String] = ["work"], count: Int = 1) async throws -> [Lease]
    {
        try await session { db in
            try queue.claim(worker: worker, kinds: kinds, count: count, db)
        }
    }

    func fail(_ lease: Lease, permanently: Bool = false) async throws -> JobQueue.AfterFailure {
        let failure = JobFailure(
            errorClass: "Test", message: "It failed.", isPermanent: permanently)
        return try await pool.transaction { db in
            try queue.fail(lease, failure, RetryPolicy(), db)
        }
    }

    /// The state that users see.
    func state(_ jobID: Int64) async throws -> String? {
        try await value("SELECT state FROM systole.jobs WHERE job_id = \(jobID)::bigint")
    }

    /// Makes a waiting job due now.
    func makeDue(_ jobID: Int64) async throws {
        try await run("UPDATE systole.job SET run_at = now() WHERE job_id = \(jobID)::bigint")
    }

    /// Lets a worker look as if it had not beaten for a minute.
    func silence(_ worker: UUID) async throws {
        try await run(
            """
            UPDATE systole.worker SET beat_at = now() - interval '1 minute'
            WHERE worker_id = \(worker.uuidString)::uuid
            """)
    }

    func rescue() async throws -> Int {
        try await run("SELECT systole.rescue_lost_jobs() AS n").only().int("n")
    }

    func worker(_ handlers: any JobHandler..., slots: Int = 2) -> Worker {
        var options = WorkerOptions()
        options.slots = slots
        options.drainMaximum = .seconds(30)
        return Worker(
            identity: WorkerIdentity(id: UUID(), host: "test", process: 1, version: "test"),
            handlers: handlers, pool: pool, options: options, logger: .silent)
    }

    /// Runs a worker while `body` lasts, then drains it.
    func whileRunning<T: Sendable>(
        _ worker: Worker, _ body: () async throws -> T
    ) async throws -> T {
        async let running: Void = worker.run()
        do {
            let value = try await body()
            worker.drain()
            try await running
            return value
        } catch {
            worker.drain()
            try await running
            throw error
        }
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// A handler made of a closure.
struct ClosureHandler: JobHandler {
    let kind: String
    var retry = RetryPolicy()
    var hasEffects = true
    let body: @Sendable (Lease, JobContext) async throws -> Effects

    init(
        _ kind: String = "work", hasEffects: Bool = true,
        _ body: @escaping @Sendable (Lease, JobContext) async throws -> Effects
    ) {
        self.kind = kind
        self.hasEffects = hasEffects
        self.body = body
    }

    func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        try await body(lease, context)
    }
}

/// Values from inside a handler, awaited by its test.
struct Mailbox<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func send(_ value: Value) { continuation.yield(value) }

    /// How many values nobody has taken; the mailbox takes no more.
    func count() async -> Int {
        continuation.finish()
        return await stream.reduce(0) { count, _ in count + 1 }
    }

    /// The next value; nil only if the test was cancelled.
    func next() async -> Value? {
        for await value in stream { return value }
        return nil
    }
}

/// Waits, cancellable, for ever.
func waitForever() async throws {
    try await Task.sleep(for: .seconds(3600))
}
