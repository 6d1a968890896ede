package import Postgres
package import Series

/// What all runs of one training job use.
package struct PinnedTraining: Hashable, Sendable {
    /// The last instant that is learned from.
    package let dataUntil: Timestamp
    package let seed: UInt64
}

/// A network in training as it stood at some step.
package struct KeptTraining: Sendable {
    /// 16 hexadecimal digits that name the training.
    package let fingerprint: String
    package let family: String
    package let step: Int
    package let stepsMaximum: Int
    package let epochsMaximum: Int
    /// Spent so far.
    package let seconds: Double
    /// What happened so far, a JSON object.
    package let record: String
    /// All that the further steps depend on.
    package let state: [UInt8]

    package init(
        fingerprint: String, family: String, step: Int, stepsMaximum: Int, epochsMaximum: Int,
        seconds: Double, record: String, state: [UInt8]
    ) {
        self.fingerprint = fingerprint
        self.family = family
        self.step = step
        self.stepsMaximum = stepsMaximum
        self.epochsMaximum = epochsMaximum
        self.seconds = seconds
        self.record = record
        self.state = state
    }
}

/// The states of trainings: where the next worker goes on if this one is gone.
///
/// All writing is fenced: a run that was replaced keeps nothing.
package enum TrainingStore {
    /// Pins what a training job uses, or returns what an earlier run of it pinned.
    ///
    /// - Parameters:
    ///   - run: The run.
    ///   - series: What it trains on.
    ///   - dataUntil: The newest observation it found.
    ///   - seed: Its seed.
    ///   - db: A session or transaction.
    /// - Returns: What to use.
    /// - Throws: `StoreError.leaseLost`.
    package static func begin(
        _ run: JobRun, series: SeriesID, dataUntil: Timestamp, seed: UInt64,
        in db: borrowing Session
    ) throws -> PinnedTraining {
        let rows = try fenced(run) { () throws(PostgresError) in
            try db.run(
                """
                SELECT data_until, seed::text AS seed FROM systole.begin_training(
                    \(run.jobID), \(run.leaseNumber), \(series), \(dataUntil), \(seed)::numeric)
                """)
        }
        let row = try rows.only()
        return PinnedTraining(
            dataUntil: try row.timestamp("data_until"),
            seed: UInt64(try row.text("seed")) ?? seed)  // The table's constraint keeps the range.
    }

    /// The states that earlier runs of a job kept, by fingerprint.
    package static func states(
        of run: JobRun, in db: borrowing Session
    ) throws -> [String: [UInt8]] {
        let rows = try db.run(
            """
            SELECT fingerprint, state FROM systole.training_state
            WHERE job_id = \(run.jobID) AND state IS NOT NULL
            """)
        var states: [String: [UInt8]] = [:]
        for row in rows { states[try row.text("fingerprint")] = try row.bytes("state") }
        return states
    }

    /// Keeps a state in place of the one before.
    ///
    /// - Parameters:
    ///   - kept: The state.
    ///   - run: The run, which has begun.
    ///   - db: A session or transaction.
    /// - Throws: `StoreError.leaseLost`; then nothing is kept.
    package static func keep(
        _ kept: KeptTraining, of run: JobRun, in db: borrowing Session
    ) throws {
        _ = try fenced(run) { () throws(PostgresError) in
            try db.run(
                """
                SELECT systole.keep_training_state(\(run.jobID), \(run.leaseNumber),
                    \(kept.fingerprint), \(kept.family), \(kept.step)::bigint,
                    \(kept.stepsMaximum)::bigint, \(kept.epochsMaximum)::integer, \(kept.seconds),
                    \(kept.record)::jsonb, \(kept.state))
                """)
        }
    }

    /// Turns the server's SY023 into `StoreError.leaseLost`.
    private static func fenced<T>(
        _ run: JobRun, _ body: () throws(PostgresError) -> T
    ) throws -> T {
        do {
            return try body()
        } catch  where error.sqlState == "SY023" {
            throw StoreError.leaseLost(job: run.jobID, lease: run.leaseNumber)
        }
    }
}
