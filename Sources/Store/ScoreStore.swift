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
        try write([batch], run: run, in: db) == 1
    }

    /// Adds batches of many series, by one statement. Those that end where a stored one ends are left
    /// out.
    ///
    /// - Parameters:
    ///   - batches: Each at most `batchMaximum` scores.
    ///   - run: The job run that made them; nil outside a job.
    ///   - db: The transaction, in which the watches also move on.
    /// - Returns: How many were new.
    /// - Throws: `PostgresError` 23514 for a p-value outside 0...1.
    @discardableResult
    package static func write(
        _ batches: [ScoredBatch], run: JobRun? = nil, in db: borrowing Session
    ) throws -> Int {
        guard !batches.isEmpty else { return 0 }
        let counts = batches.map(\.instants.count)
        precondition(
            counts.allSatisfy { $0 <= batchMaximum }, "ScoreStore.write: \(counts) scores")
        var ends: [Int] = []
        for count in counts { ends.append((ends.last ?? 0) + count) }
        // One long array of each kind, and where in it each batch ends: an array of arrays cannot have
        // rows of different lengths.
        return try db.run(
            """
            INSERT INTO systole.anomaly_score (series_id, first_us, last_us, model_id, at_us,
                observed, expected, p_value, score, job_id, lease_no)
            SELECT u.series_id, a.at_us[u.past - u.n + 1], a.at_us[u.past], u.model_id,
                a.at_us[u.past - u.n + 1:u.past], a.observed[u.past - u.n + 1:u.past],
                a.expected[u.past - u.n + 1:u.past], a.p_value[u.past - u.n + 1:u.past],
                a.score[u.past - u.n + 1:u.past], \(run?.jobID)::bigint, \(run?.leaseNumber)::bigint
            FROM (SELECT \(batches.flatMap { $0.instants.map(\.microseconds) })::bigint[] AS at_us,
                \(batches.flatMap(\.observed))::double precision[] AS observed,
                \(batches.flatMap(\.expected))::double precision[] AS expected,
                \(batches.flatMap(\.pValues))::double precision[] AS p_value,
                \(batches.flatMap(\.scores))::double precision[] AS score OFFSET 0) AS a,
                unnest(\(batches.map(\.series.number))::bigint[],
                    \(batches.map(\.model.number))::bigint[], \(counts)::integer[],
                    \(ends)::integer[]) AS u (series_id, model_id, n, past)
            ON CONFLICT ON CONSTRAINT anomaly_score_pkey DO NOTHING
            """
        ).affected
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
