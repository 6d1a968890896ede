package import Postgres
package import Series

/// A series whose observations are scored.
package struct Watch: Hashable, Sendable {
    package let series: SeriesID
    /// The alert budget: how many incidents a week ordinary data may open.
    package let alertsPerWeek: Double
    /// The least distance of observed and expected that counts, in the unit of the series.
    package let minimumEffect: Double
    /// Hits among the last `among` observations that open an incident.
    package let hits: Int
    /// Observations looked back on.
    package let among: Int
    /// The score at which a point is out of the ordinary; nil until chosen from the budget.
    package let threshold: Double?
    /// The newest observation that was scored.
    package let scoredUntil: Timestamp?
    /// The state of the incident machine after `scoredUntil`, as JSON; nil at first.
    package let machine: String?
    package let isPaused: Bool

    init(_ row: Row) throws {
        series = SeriesID(try row.int64("series_id"))
        alertsPerWeek = try row.double("alerts_per_week")
        minimumEffect = try row.double("minimum_effect")
        hits = try row.int("hits")
        among = try row.int("among")
        threshold = try row.optionalDouble("threshold")
        scoredUntil = try row.optionalTimestamp("scored_until")
        machine = try row.optionalText("machine")
        isPaused = try !row.isNull("paused_at")
    }
}

/// What became of one watched series in a run.
package struct WatchAdvance: Sendable {
    package let series: SeriesID
    /// The newest observation scored.
    package let scoredUntil: Timestamp
    /// The state of the incident machine after it, as JSON.
    package let machine: String
    /// The score at which a point is out of the ordinary.
    package let threshold: Double
    /// What scored.
    package let model: ModelID

    package init(
        series: SeriesID, scoredUntil: Timestamp, machine: String, threshold: Double,
        model: ModelID
    ) {
        self.series = series
        self.scoredUntil = scoredUntil
        self.machine = machine
        self.threshold = threshold
        self.model = model
    }
}

/// Which series are watched, and how far they are scored.
package enum WatchStore {
    private static let columns: SQL = """
        series_id, alerts_per_week, minimum_effect, hits, among, threshold, scored_until, machine,
        paused_at
        """

    /// The watch of a series; nil where it is not watched.
    package static func find(_ series: SeriesID, in db: borrowing Session) throws -> Watch? {
        try find([series], in: db)[series]
    }

    /// The watches of many series; one that is not watched has none.
    package static func find(
        _ series: [SeriesID], in db: borrowing Session
    ) throws -> [SeriesID: Watch] {
        let rows = try db.run(
            """
            SELECT \(columns) FROM systole.watch
            WHERE series_id = ANY (\(series.map(\.number))::bigint[])
            """)
        let watches = try rows.map { row in try Watch(row) }
        return Dictionary(uniqueKeysWithValues: watches.map { ($0.series, $0) })
    }

    /// How far series are scored, their watches locked until the transaction ends, so that one scorer
    /// at a time moves each.
    ///
    /// - Parameters:
    ///   - series: In any order; they are locked in that of their numbers.
    ///   - db: The transaction that stores the scores.
    /// - Returns: By series; nil where nothing was scored, none where the series is not watched.
    /// - Throws: What the database refuses.
    package static func lock(
        _ series: [SeriesID], in db: borrowing Session
    ) throws -> [SeriesID: Timestamp?] {
        let rows = try db.run(
            """
            SELECT series_id, scored_until FROM systole.watch
            WHERE series_id = ANY (\(series.map(\.number))::bigint[])
            ORDER BY series_id FOR NO KEY UPDATE
            """)
        return Dictionary(
            uniqueKeysWithValues: try rows.map { row in
                (SeriesID(try row.int64("series_id")), try row.optionalTimestamp("scored_until"))
            })
    }

    /// Every watch that is not paused, by series.
    package static func active(in db: borrowing Session) throws -> [Watch] {
        try db.run(
            "SELECT \(columns) FROM systole.watch WHERE paused_at IS NULL ORDER BY series_id"
        ).map { row in try Watch(row) }
    }

    /// Moves watches on, each at most once in a call, and notes that something has arrived.
    ///
    /// - Parameters:
    ///   - advances: The position of a watch never moves back.
    ///   - db: The transaction that stores the scores.
    /// - Throws: `StoreError.watchUnknown`, for the first of those that are not watched.
    package static func advance(_ advances: [WatchAdvance], in db: borrowing Session) throws {
        let rows = try db.run(
            """
            UPDATE systole.watch AS w
            SET scored_until = greatest(w.scored_until,
                    systole.instant_at('1970-01-01 00:00:00+00', u.until_us, 1)),
                machine = u.machine::jsonb, threshold = u.threshold, model_id = u.model_id,
                arrival_gap = greatest(coalesce(now() - w.arrived_at, '0'), 0.9 * w.arrival_gap),
                arrived_at = now(), arrivals = w.arrivals + 1, trouble = NULL
            FROM unnest(\(advances.map(\.series.number))::bigint[],
                \(advances.map(\.scoredUntil.microseconds))::bigint[],
                \(advances.map(\.machine))::text[],
                \(advances.map(\.threshold))::double precision[],
                \(advances.map(\.model.number))::bigint[])
                AS u (series_id, until_us, machine, threshold, model_id)
            WHERE w.series_id = u.series_id
            RETURNING w.series_id
            """)
        guard rows.count < advances.count else { return }
        let known = Set(try rows.allInt64s("series_id"))
        if let unknown = advances.first(where: { !known.contains($0.series.number) }) {
            throw StoreError.watchUnknown(unknown.series)
        }
    }

    /// Notes why series could not be scored, until they are.
    ///
    /// - Parameters:
    ///   - troubles: One sentence each, without sample values, and the model that could not; nil where
    ///     none was reached.
    ///   - db: A transaction.
    /// - Throws: What the database refuses.
    package static func note(
        _ troubles: [(series: SeriesID, model: ModelID?, reason: String)], in db: borrowing Session
    ) throws {
        guard !troubles.isEmpty else { return }
        try db.run(
            """
            UPDATE systole.watch AS w SET trouble = u.reason, model_id = coalesce(u.model_id, w.model_id)
            FROM unnest(\(troubles.map(\.series.number))::bigint[],
                \(troubles.map { $0.model?.number })::bigint[], \(troubles.map(\.reason))::text[])
                AS u (series_id, model_id, reason)
            WHERE w.series_id = u.series_id
            """)
    }
}
