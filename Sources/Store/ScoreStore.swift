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
    /// What was expected further ahead; nil where nothing was of any.
    package let ahead: Ahead?

    /// Expectations made a number of steps before each observation.
    package struct Ahead: Sendable, Equatable {
        package let step: Int
        /// `[instants]`, in the unit of the series; nil where nothing was expected.
        package let expected: [Double?]
        /// `[instants]`, −log10 of the p-value; nil likewise.
        package let scores: [Double?]

        package init(step: Int, expected: [Double?], scores: [Double?]) {
            self.step = step
            self.expected = expected
            self.scores = scores
        }
    }

    package init(
        series: SeriesID, model: ModelID, instants: [Timestamp], observed: [Double],
        expected: [Double], pValues: [Double], scores: [Double], ahead: Ahead? = nil
    ) {
        let counts = [
            observed.count, expected.count, pValues.count, scores.count,
            ahead?.expected.count ?? scores.count, ahead?.scores.count ?? scores.count,
        ]
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
        self.ahead = ahead
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
                observed, expected, p_value, score, ahead_step, ahead_expected, ahead_score, job_id,
                lease_no)
            SELECT u.series_id, a.at_us[u.past - u.n + 1], a.at_us[u.past], u.model_id,
                a.at_us[u.past - u.n + 1:u.past], a.observed[u.past - u.n + 1:u.past],
                a.expected[u.past - u.n + 1:u.past], a.p_value[u.past - u.n + 1:u.past],
                a.score[u.past - u.n + 1:u.past], u.ahead_step,
                CASE WHEN u.ahead_step > 0 THEN a.ahead_expected[u.past - u.n + 1:u.past] END,
                CASE WHEN u.ahead_step > 0 THEN a.ahead_score[u.past - u.n + 1:u.past] END,
                \(run?.jobID)::bigint, \(run?.leaseNumber)::bigint
            FROM (SELECT \(batches.flatMap { $0.instants.map(\.microseconds) })::bigint[] AS at_us,
                \(batches.flatMap(\.observed))::double precision[] AS observed,
                \(batches.flatMap(\.expected))::double precision[] AS expected,
                \(batches.flatMap(\.pValues))::double precision[] AS p_value,
                \(batches.flatMap(\.scores))::double precision[] AS score,
                \(batches.flatMap { $0.aheadNumbers(\.expected) })::double precision[] AS ahead_expected,
                \(batches.flatMap { $0.aheadNumbers(\.scores) })::double precision[] AS ahead_score
                OFFSET 0) AS a,
                unnest(\(batches.map(\.series.number))::bigint[],
                    \(batches.map(\.model.number))::bigint[], \(counts)::integer[],
                    \(ends)::integer[], \(batches.map { $0.ahead?.step })::integer[])
                    AS u (series_id, model_id, n, past, ahead_step)
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
            SELECT model_id, at_us, observed, expected, p_value, score, ahead_step,
                coalesce(ahead_expected, '{}') AS ahead_expected,
                coalesce(ahead_score, '{}') AS ahead_score
            FROM systole.anomaly_score
            WHERE series_id = \(series) AND last_us >= \(since.microseconds) ORDER BY last_us
            """, format: .binary
        ).map { row in
            ScoredBatch(
                series: series, model: ModelID(try row.int64("model_id")),
                instants: try row.int64s("at_us").map { Timestamp(microseconds: $0) },
                observed: try row.doubles("observed"), expected: try row.doubles("expected"),
                pValues: try row.doubles("p_value"), scores: try row.doubles("score"),
                ahead: try ScoredBatch.Ahead(row))
        }
    }
}

extension ScoredBatch {
    /// `[instants]`, NaN where there is none.
    fileprivate func aheadNumbers(_ numbers: (Ahead) -> [Double?]) -> [Double] {
        ahead.map { numbers($0).map { $0 ?? .nan } }
            ?? [Double](repeating: .nan, count: instants.count)
    }
}

extension ScoredBatch.Ahead {
    fileprivate init?(_ row: Row) throws {
        guard let step = try row.optionalInt64("ahead_step") else { return nil }
        self.init(
            step: Int(step),
            expected: try row.doubles("ahead_expected").map { $0.isNaN ? nil : $0 },
            scores: try row.doubles("ahead_score").map { $0.isNaN ? nil : $0 })
    }
}
