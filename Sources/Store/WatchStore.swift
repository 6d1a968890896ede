package import Postgres
package import Series

/// A series whose observations are scored.
package struct Watch: Hashable, Sendable {
    package let series: SeriesID
    /// The alert budget: how many incidents a week ordinary data may open.
    package let alertsPerWeek: Double
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
        threshold = try row.optionalDouble("threshold")
        scoredUntil = try row.optionalTimestamp("scored_until")
        machine = try row.optionalText("machine")
        isPaused = try !row.isNull("paused_at")
    }
}

/// Which series are watched, and how far they are scored.
package enum WatchStore {
    private static let columns: SQL =
        "series_id, alerts_per_week, threshold, scored_until, machine, paused_at"

    /// The watch of a series; nil where it is not watched.
    package static func find(_ series: SeriesID, in db: borrowing Session) throws -> Watch? {
        try db.run("SELECT \(columns) FROM systole.watch WHERE series_id = \(series)")
            .first.map { row in try Watch(row) }
    }

    /// The watch of a series, locked until the transaction ends, so that one scorer at a time moves
    /// it; nil where it is not watched.
    package static func lock(_ series: SeriesID, in db: borrowing Session) throws -> Watch? {
        try db.run(
            "SELECT \(columns) FROM systole.watch WHERE series_id = \(series) FOR NO KEY UPDATE"
        ).first.map { row in try Watch(row) }
    }

    /// Every watch that is not paused, by series.
    package static func active(in db: borrowing Session) throws -> [Watch] {
        try db.run(
            "SELECT \(columns) FROM systole.watch WHERE paused_at IS NULL ORDER BY series_id"
        ).map { row in try Watch(row) }
    }

    /// Moves a watch on.
    ///
    /// - Parameters:
    ///   - series: Whose watch.
    ///   - scoredUntil: The newest observation scored; never moves back.
    ///   - machine: The state of the incident machine after it, as JSON.
    ///   - threshold: The score chosen from the budget; nil leaves what is there.
    ///   - db: The transaction that stores the scores.
    /// - Throws: `StoreError.watchUnknown`.
    package static func advance(
        _ series: SeriesID, scoredUntil: Timestamp, machine: String, threshold: Double? = nil,
        in db: borrowing Session
    ) throws {
        let rows = try db.run(
            """
            UPDATE systole.watch
            SET scored_until = greatest(scored_until, \(scoredUntil)), machine = \(machine)::jsonb,
                threshold = coalesce(\(threshold)::double precision, threshold)
            WHERE series_id = \(series)
            """)
        guard rows.affected == 1 else { throw StoreError.watchUnknown(series) }
    }
}
