package import Postgres
package import Series

/// One stored series, without its observations.
package struct StoredSeries: Hashable, Sendable {
    package let id: SeriesID
    /// What users call it; unique.
    package let key: String
    package let unit: PhysicalUnit
    /// Microseconds between two observations; nil while unknown.
    package let stepMicroseconds: Int64?

    init(_ row: Row) throws(PostgresError) {
        id = SeriesID(try row.int64("series_id"))
        key = try row.text("key")
        unit = PhysicalUnit(try row.text("unit"))
        stepMicroseconds = try row.optionalInt64("step_us")
    }
}

/// Series and their observations.
package enum SeriesStore {
    private static let columns: SQL = "series_id, key, unit, step_us"

    /// Finds the series `key`, or makes it; fills in a unit or a step that was not known.
    ///
    /// - Parameters:
    ///   - key: What users call it: 1 to 400 characters without control characters.
    ///   - unit: Its unit, `.unknown` where nobody said.
    ///   - stepMicroseconds: Time between two observations, nil where unknown; above zero.
    ///   - db: The transaction.
    /// - Returns: The series as it is stored now.
    /// - Throws: `StoreError.unitDiffers` or `.stepDiffers` if it is stored with another one.
    package static func ensure(
        key: String, unit: PhysicalUnit = .unknown, stepMicroseconds: Int64? = nil,
        in db: borrowing Session
    ) throws -> StoredSeries {
        try db.run(
            """
            INSERT INTO systole.series (key, unit, step_us)
            VALUES (\(key), \(unit.symbol), \(stepMicroseconds))
            ON CONFLICT ON CONSTRAINT series_key_once DO NOTHING
            """)
        let found = try find(key: key, in: db)
        if unit != .unknown, found.unit != .unknown, found.unit != unit {
            throw StoreError.unitDiffers(key: key, stored: found.unit, found: unit)
        }
        if let step = stepMicroseconds, let stored = found.stepMicroseconds, stored != step {
            throw StoreError.stepDiffers(key: key, stored: stored, found: step)
        }
        let knowsUnit = unit == .unknown || found.unit == unit
        let knowsStep = stepMicroseconds == nil || found.stepMicroseconds == stepMicroseconds
        if knowsUnit && knowsStep { return found }
        let row = try db.run(
            """
            UPDATE systole.series
            SET unit = CASE unit WHEN '' THEN \(unit.symbol) ELSE unit END,
                step_us = coalesce(step_us, \(stepMicroseconds)::bigint)
            WHERE series_id = \(found.id) RETURNING \(columns)
            """)
        return try StoredSeries(row.only())
    }

    /// The series `key`; throws `StoreError.unknownSeries`.
    package static func find(key: String, in db: borrowing Session) throws -> StoredSeries {
        let rows = try db.run("SELECT \(columns) FROM systole.series WHERE key = \(key)")
        guard let row = rows.first else { throw StoreError.unknownSeries(key: key) }
        return try StoredSeries(row)
    }

    /// The series with the number `id`; throws `StoreError.unknownSeriesNumber`.
    package static func find(_ id: SeriesID, in db: borrowing Session) throws -> StoredSeries {
        let rows = try db.run("SELECT \(columns) FROM systole.series WHERE series_id = \(id)")
        guard let row = rows.first else { throw StoreError.unknownSeriesNumber(id) }
        return try StoredSeries(row)
    }

    /// Every series, by key.
    package static func list(in db: borrowing Session) throws -> [StoredSeries] {
        try db.run("SELECT \(columns) FROM systole.series ORDER BY key").map { row in
            try StoredSeries(row)
        }
    }

    /// The instant of the newest stored observation; nil where there is none.
    package static func newest(_ id: SeriesID, in db: borrowing Session) throws -> Timestamp? {
        try db.run("SELECT max(at) AS at FROM systole.observation WHERE series_id = \(id)")
            .only().optionalTimestamp("at")
    }

    /// The instants of the newest stored observations of many series; those without any have none.
    package static func newest(
        of ids: [SeriesID], in db: borrowing Session
    ) throws -> [SeriesID: Timestamp] {
        let rows = try db.run(
            """
            SELECT u.series_id, systole.epoch_us(n.at) AS at
            FROM unnest(\(ids.map(\.number))::bigint[]) AS u (series_id)
            CROSS JOIN LATERAL (
                SELECT o.at FROM systole.observation AS o WHERE o.series_id = u.series_id
                ORDER BY o.at DESC LIMIT 1) AS n
            """)
        var newest: [SeriesID: Timestamp] = [:]
        for row in rows {
            newest[SeriesID(try row.int64("series_id"))] = Timestamp(
                microseconds: try row.int64("at"))
        }
        return newest
    }
}
