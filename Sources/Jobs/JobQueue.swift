package import Foundation
package import Postgres

/// A job to be done.
package struct JobRequest: Equatable, Sendable {
    /// What happens when a job with the same kind and unique key still lives.
    package enum Conflict: String, Sendable {
        /// The living job stands for this one.
        case skip
        /// The living job gets these arguments; one that is running runs once more with them.
        case replace
    }

    /// Which handler does it.
    package var kind: String
    /// A JSON object as text.
    package var arguments: String
    /// At most one job with this kind and key lives at a time.
    package var uniqueKey: String?
    /// What happens when it does.
    package var conflict = Conflict.skip
    /// How long to wait before it may run.
    package var delay = Duration.zero
    /// Lower runs first.
    package var priority = 100
    /// How many runs may fail.
    package var attemptsMaximum = 8
    /// How long one run may take.
    package var timeLimit = Duration.seconds(3600)

    package init(kind: String, arguments: String = "{}", uniqueKey: String? = nil) {
        self.kind = kind
        self.arguments = arguments
        self.uniqueKey = uniqueKey
    }
}

/// The job tables, as functions of a session: the only Swift that knows them.
package struct JobQueue: Sendable {
    package init() {}

    /// Adds a job; it exists when the transaction commits.
    ///
    /// - Parameters:
    ///   - request: The job.
    ///   - db: The transaction that also stores what the job is about.
    /// - Returns: Its id, or that of the job that stands for it.
    /// - Throws: SQLSTATE SY024 for a request that makes no sense.
    @discardableResult
    package func enqueue(
        _ request: JobRequest, _ db: borrowing Session
    ) throws(PostgresError) -> Int64 {
        try db.run(
            """
            SELECT systole.enqueue(\(request.kind), \(request.arguments)::jsonb,
                \(request.uniqueKey.sqlParameter), now() + \(request.delay.sqlInterval)::interval,
                \(request.priority)::smallint, \(request.attemptsMaximum)::integer,
                \(request.timeLimit.sqlInterval)::interval, \(request.conflict.rawValue)) AS job_id
            """
        ).only().int64("job_id")
    }

    /// Adds one ready job for each set of arguments, in one statement.
    ///
    /// - Parameters:
    ///   - kind: Which handler does them.
    ///   - arguments: JSON objects as text.
    ///   - db: The transaction.
    /// - Returns: How many were added.
    /// - Throws: SQLSTATE SY024 for arguments that make no sense.
    @discardableResult
    package func enqueueBatch(
        kind: String, arguments: [String], _ db: borrowing Session
    ) throws(PostgresError) -> Int {
        try db.run("SELECT systole.enqueue_batch(\(kind), \(arguments)::jsonb[]) AS added")
            .only().int("added")
    }

    /// Hands ready jobs to a registered worker.
    ///
    /// - Parameters:
    ///   - worker: Who asks.
    ///   - kinds: What it can do.
    ///   - count: How many it takes at most.
    ///   - db: A session outside a transaction, so that the claim is committed at once.
    /// - Returns: The runs, none if nothing is ready or the worker has not beaten lately.
    /// - Throws: What the database refused.
    package func claim(
        worker: UUID, kinds: [String], count: Int, _ db: borrowing Session
    ) throws(PostgresError) -> [Lease] {
        try completeAndClaim([], worker: worker, kinds: kinds, count: count, db).claimed
    }

    /// Completes runs that have no effects and hands the worker its next ones, in one statement.
    ///
    /// - Parameters:
    ///   - done: The runs to complete.
    ///   - worker: Who asks.
    ///   - kinds: What it can do.
    ///   - count: How many new runs it takes at most; none are claimed where it is 0.
    ///   - db: A session outside a transaction, so that both are committed at once.
    /// - Returns: The new runs, and the jobs among `done` that were not completed, since their runs
    ///   had lost their lease.
    /// - Throws: What the database refused; nothing is completed and claimed then.
    package func completeAndClaim(
        _ done: [Lease], worker: UUID, kinds: [String], count: Int, _ db: borrowing Session
    ) throws(PostgresError) -> (claimed: [Lease], lost: Set<Int64>) {
        let rows = try db.runPrepared(
            """
            SELECT job_id, lease_no, kind, args, attempt, attempts_maximum,
                (extract(epoch FROM time_limit) * 1000)::bigint AS limit_ms
            FROM systole.complete_and_claim(\(worker.uuidString)::uuid, \(kinds)::text[],
                \(count)::integer, \(done.map(\.jobID))::bigint[], \(done.map(\.number))::bigint[])
            """)
        var claimed: [Lease] = []
        var lost: Set<Int64> = []
        claimed.reserveCapacity(rows.count)
        for row in rows {
            let jobID = try row.int64("job_id")
            guard let kind = try row.optionalText("kind") else {
                lost.insert(jobID)
                continue
            }
            claimed.append(
                Lease(
                    jobID: jobID, number: try row.int64("lease_no"), kind: kind,
                    arguments: try row.text("args"), attempt: try row.int("attempt"),
                    attemptsMaximum: try row.int("attempts_maximum"),
                    timeLimit: .milliseconds(try row.int64("limit_ms"))))
        }
        return (claimed, lost)
    }

    /// Completes a run, in the transaction that stores its effects.
    ///
    /// - Parameters:
    ///   - lease: The run.
    ///   - result: What is kept with the job, a JSON object.
    ///   - db: That transaction; whoever catches `LeaseLost` must not commit it.
    /// - Throws: `LeaseLost` if the run was replaced, or `PostgresError`.
    package func complete(
        _ lease: Lease, result: String? = nil, _ db: borrowing Session
    ) throws {
        _ = try fenced(lease) { () throws(PostgresError) in
            try db.run(
                """
                SELECT systole.complete_job(\(lease.jobID)::bigint, \(lease.number)::bigint,
                    \(result)::jsonb)
                """)
        }
    }

    /// Completes runs that have no effects.
    ///
    /// - Parameters:
    ///   - leases: The runs.
    ///   - db: A session or transaction.
    /// - Returns: The jobs that were completed; the others had lost their lease.
    /// - Throws: What the database refused.
    package func complete(
        _ leases: [Lease], _ db: borrowing Session
    ) throws(PostgresError) -> Set<Int64> {
        let rows = try db.runPrepared(
            """
            SELECT systole.complete_jobs(\(leases.map(\.jobID))::bigint[],
                \(leases.map(\.number))::bigint[]) AS completed
            """)
        return Set(try rows.only().int64s("completed"))
    }

    /// What became of a job whose run failed.
    package enum AfterFailure: String, Sendable {
        /// It waits for its next attempt.
        case scheduled
        /// It was given up.
        case dead
        /// It had been cancelled.
        case cancelled
    }

    /// Ends a run that failed.
    ///
    /// - Parameters:
    ///   - lease: The run.
    ///   - failure: Why.
    ///   - policy: How long the job waits for its next attempt.
    ///   - db: A transaction.
    /// - Returns: What became of the job.
    /// - Throws: `LeaseLost` if the run was replaced, or `PostgresError`.
    package func fail(
        _ lease: Lease, _ failure: JobFailure, _ policy: RetryPolicy, _ db: borrowing Session
    ) throws -> AfterFailure {
        let state = try fenced(lease) { () throws(PostgresError) in
            try db.run(
                """
                SELECT systole.fail_job(\(lease.jobID)::bigint, \(lease.number)::bigint,
                    \(failure.errorClass), \(failure.message), \(failure.isPermanent)::boolean,
                    \(policy.base.sqlInterval)::interval, \(policy.maximum.sqlInterval)::interval)
                    AS state
                """
            ).only().text("state")
        }
        return AfterFailure(rawValue: state) ?? .scheduled
    }

    /// Gives runs back without spending an attempt.
    ///
    /// - Parameters:
    ///   - leases: The runs; those that were replaced are left alone.
    ///   - db: A session or transaction.
    /// - Returns: How many were given back.
    /// - Throws: What the database refused.
    @discardableResult
    package func release(
        _ leases: [Lease], _ db: borrowing Session
    ) throws(PostgresError) -> Int {
        try db.run(
            """
            SELECT systole.release_jobs(\(leases.map(\.jobID))::bigint[],
                \(leases.map(\.number))::bigint[]) AS released
            """
        ).only().int("released")
    }

    /// Cancels a job: at once if it waits, else as soon as its worker notices.
    ///
    /// - Parameters:
    ///   - jobID: The job.
    ///   - db: A session or transaction.
    /// - Returns: `cancelled` or `cancelling`.
    /// - Throws: SQLSTATE SY020 for an unknown job, SY021 for a finished one.
    @discardableResult
    package func cancel(
        jobID: Int64, _ db: borrowing Session
    ) throws(PostgresError) -> String {
        try db.run("SELECT systole.cancel_job(\(jobID)::bigint) AS state").only().text("state")
    }

    /// Retries a job that waits, is dead or was cancelled.
    ///
    /// - Parameters:
    ///   - jobID: The job.
    ///   - db: A session or transaction.
    /// - Returns: The job that now stands for it.
    /// - Throws: SQLSTATE SY020 for an unknown job, SY021 for one that runs or is done.
    @discardableResult
    package func retry(jobID: Int64, _ db: borrowing Session) throws(PostgresError) -> Int64 {
        try db.run("SELECT systole.retry_job(\(jobID)::bigint) AS job_id").only().int64("job_id")
    }

    /// Turns the server's SY023 into `LeaseLost`.
    private func fenced<T>(_ lease: Lease, _ body: () throws(PostgresError) -> T) throws -> T {
        do {
            return try body()
        } catch  where error.sqlState == "SY023" {
            throw LeaseLost(jobID: lease.jobID, number: lease.number)
        }
    }
}

extension Duration {
    /// As PostgreSQL reads it: whole microseconds.
    var sqlInterval: String {
        let parts = components
        let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
        return "\(microseconds) microseconds"
    }
}
