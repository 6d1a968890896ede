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
        // Whoever made the series by hand may have spelled it in another way.
        unit = PhysicalUnit(spelled: try row.text("unit"))
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

    /// Finds many series, or makes them; fills in units that were not known.
    ///
    /// - Parameters:
    ///   - wanted: What users call them, with their units, `.unknown` where nobody said. One that comes
    ///     with several units gets the first of them where it has none.
    ///   - db: The transaction.
    /// - Returns: In the order of `wanted`, as they are stored now; `StoreError.unitDiffers` for one that
    ///   is stored with another unit.
    /// - Throws: `PostgresError` 23514 for a name that no series can have.
    package static func ensure(
        _ wanted: [(key: String, unit: PhysicalUnit)], in db: borrowing Session
    ) throws -> [Result<StoredSeries, StoreError>] {
        var found = try find(keys: wanted.map(\.key), in: db)
        // In one order, so that two who make the same series wait for each other in turn.
        let new = firstOfEach(wanted) { found[$0.key] == nil }.sorted { $0.key < $1.key }
        if !new.isEmpty {
            try db.run(
                """
                INSERT INTO systole.series (key, unit)
                SELECT key, unit
                FROM unnest(\(new.map(\.key))::text[], \(new.map(\.unit.symbol))::text[])
                    AS s (key, unit)
                ON CONFLICT ON CONSTRAINT series_key_once DO NOTHING
                """)
            found.merge(try find(keys: new.map(\.key), in: db)) { $1 }
        }
        let told = firstOfEach(wanted) {
            $0.unit != .unknown && found[$0.key]?.unit == .unknown
        }
        if !told.isEmpty {
            try db.run(
                """
                UPDATE systole.series AS s SET unit = u.unit
                FROM unnest(\(told.map(\.key))::text[], \(told.map(\.unit.symbol))::text[])
                    AS u (key, unit)
                WHERE s.key = u.key AND s.unit = ''
                """)
            found.merge(try find(keys: told.map(\.key), in: db)) { $1 }
        }
        return wanted.map { key, unit in
            guard let series = found[key] else { return .failure(.unknownSeries(key: key)) }
            guard unit == .unknown || series.unit == .unknown || series.unit == unit else {
                return .failure(.unitDiffers(key: key, stored: series.unit, found: unit))
            }
            return .success(series)
        }
    }

    /// The first of each key among those that are meant.
    private static func firstOfEach(
        _ wanted: [(key: String, unit: PhysicalUnit)],
        where isMeant: ((key: String, unit: PhysicalUnit)) -> Bool
    ) -> [(key: String, unit: PhysicalUnit)] {
        var seen: Set<String> = []
        return wanted.filter { isMeant($0) && seen.insert($0.key).inserted }
    }

    /// The series among `keys` that are there, by key.
    private static func find(
        keys: [String], in db: borrowing Session
    ) throws -> [String: StoredSeries] {
        let rows = try db.run(
            "SELECT \(columns) FROM systole.series WHERE key = ANY (\(keys)::text[])")
        var found: [String: StoredSeries] = [:]
        for row in rows {
            let series = try StoredSeries(row)
            found[series.key] = series
        }
        return found
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
