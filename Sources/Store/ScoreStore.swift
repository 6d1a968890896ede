package import Postgres
package import Series

/// The scores of consecutive observations of one series; missing ones have none.
package struct ScoredBatch: Sendable, Equatable {
    package let series: SeriesID
    package let model: ModelID
    /// Ascending; never empty.
    package let instants: [Timestamp]
    /// `[instants]`, in the unit of the series.
    package let observed: [Double]
    /// `[instants]`, in the unit of the series.
    package let expected: [Double]
    /// `[instants]`, each 0...1.
    package let pValues: [Double]
    /// `[instants]`, −log10 of the p-value.
    package let scores: [Double]

    package init(
        series: SeriesID, model: ModelID, instants: [Timestamp], observed: [Double],
        expected: [Double], pValues: [Double], scores: [Double]
    ) {
        let counts = [observed, expected, pValues, scores].map(\.count)
        precondition(
            !instants.isEmpty && counts.allSatisfy { $0 == instants.count },
            "ScoredBatch: \(instants.count) instants, \(counts)")
        precondition(
            zip(instants, instants.dropFirst()).allSatisfy { $0 < $1 },
            "ScoredBatch: instants out of order")
        self.series = series
        self.model = model
        self.instants = instants
        self.observed = observed
        self.expected = expected
        self.pValues = pValues
        self.scores = scores
    }
}

/// Anomaly scores, one row a batch.
package enum ScoreStore {
    /// The most scores of one batch.
    package static let batchMaximum = 100_000

    /// Adds a batch. A batch that ends where a stored one ends is left out.
    ///
    /// - Parameters:
    ///   - batch: At most `batchMaximum` scores.
    ///   - run: The job run that made it; nil outside a job.
    ///   - db: The transaction, in which the watch also moves on.
    /// - Returns: Whether the batch was new.
    /// - Throws: `PostgresError` 23514 for a p-value outside 0...1.
    @discardableResult
    package static func write(
        _ batch: ScoredBatch, run: JobRun? = nil, in db: borrowing Session
    ) throws -> Bool {
        let count = batch.instants.count
        precondition(count <= batchMaximum, "ScoreStore.write: \(count) scores")
        let instants = batch.instants.map(\.microseconds)
        return try db.run(
            """
            INSERT INTO systole.anomaly_score (series_id, first_us, last_us, model_id, at_us,
                observed, expected, p_value, score, job_id, lease_no)
            VALUES (\(batch.series), \(instants[0]), \(instants[count - 1]), \(batch.model),
                \(instants), \(batch.observed), \(batch.expected), \(batch.pValues),
                \(batch.scores), \(run?.jobID), \(run?.leaseNumber))
            ON CONFLICT ON CONSTRAINT anomaly_score_pkey DO NOTHING
            """
        ).affected == 1
    }

    /// The last instant that was scored; nil where none was.
    package static func position(
        _ series: SeriesID, in db: borrowing Session
    ) throws -> Timestamp? {
        try db.run(
            "SELECT max(last_us) AS last_us FROM systole.anomaly_score WHERE series_id = \(series)"
        ).only().optionalInt64("last_us").map { Timestamp(microseconds: $0) }
    }

    /// The batches that end at `since` or later, in order.
    package static func batches(
        _ series: SeriesID, since: Timestamp, in db: borrowing Session
    ) throws -> [ScoredBatch] {
        try db.run(
            """
            SELECT model_id, at_us, observed, expected, p_value, score
            FROM systole.anomaly_score
            WHERE series_id = \(series) AND last_us >= \(since.microseconds) ORDER BY last_us
            """, format: .binary
        ).map { row in
            ScoredBatch(
                series: series, model: ModelID(try row.int64("model_id")),
                instants: try row.int64s("at_us").map { Timestamp(microseconds: $0) },
                observed: try row.doubles("observed"), expected: try row.doubles("expected"),
                pValues: try row.doubles("p_value"), scores: try row.doubles("score"))
        }
    }
}
