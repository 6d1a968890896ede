package import Postgres

/// A place that the workers keep pulling data from.
package struct Source: Hashable, Sendable {
    package let id: Int64
    /// Unique.
    package let name: String
    /// Which connector reads it, such as `folder`.
    package let kind: String
    /// What the connector needs to know, a JSON object.
    package let settings: String
    /// Whether its new values replace stored ones.
    package let isRevisable: Bool
    package let isPaused: Bool

    init(_ row: Row) throws {
        id = try row.int64("source_id")
        name = try row.text("name")
        kind = try row.text("kind")
        settings = try row.text("settings")
        isRevisable = try row.bool("revisable")
        isPaused = try !row.isNull("paused_at")
    }

    /// What happens to a stored value that differs from one of this source.
    package var conflictRule: ConflictRule { isRevisable ? .revise : .keep }
}

/// The registered sources.
package enum SourceStore {
    private static let columns: SQL = "source_id, name, kind, settings, revisable, paused_at"

    /// Registers a source.
    ///
    /// - Parameters:
    ///   - name: What users call it: 1 to 400 characters without control characters.
    ///   - kind: Which connector reads it.
    ///   - settings: What the connector needs to know, a JSON object.
    ///   - isRevisable: Whether its new values replace stored ones.
    ///   - db: The transaction.
    /// - Returns: The source.
    /// - Throws: `StoreError.sourceExists`.
    package static func add(
        name: String, kind: String, settings: String, isRevisable: Bool = false,
        in db: borrowing Session
    ) throws -> Source {
        let rows = try db.run(
            """
            INSERT INTO systole.source (name, kind, settings, revisable)
            VALUES (\(name), \(kind), \(settings)::jsonb, \(isRevisable))
            ON CONFLICT ON CONSTRAINT source_name_once DO NOTHING RETURNING \(columns)
            """)
        guard let row = rows.first else { throw StoreError.sourceExists(name: name) }
        return try Source(row)
    }

    /// Registers a source that the workers pull from at every fire of its schedule.
    ///
    /// - Parameters:
    ///   - name: What users call it: 1 to 400 characters without control characters.
    ///   - kind: Which connector reads it.
    ///   - settings: What the connector needs to know, a JSON object.
    ///   - every: The time between two pulls.
    ///   - isRevisable: Whether its new values replace stored ones.
    ///   - db: The transaction.
    /// - Returns: The source.
    /// - Throws: `PostgresError` SY038 for a name that is taken, or what makes no sense.
    package static func register(
        name: String, kind: String, settings: String, every: Duration, isRevisable: Bool = false,
        in db: borrowing Session
    ) throws -> Source {
        let row = try db.run(
            """
            SELECT systole.add_source(\(name), \(kind), \(settings)::jsonb,
                make_interval(secs => \(Double(every.components.seconds))), \(isRevisable)) AS id
            """
        ).only()
        return try find(row.int64("id"), in: db)
    }

    /// The source for a pull by hand: the one of that name, or a new one without a schedule.
    ///
    /// - Parameters:
    ///   - name: What users call it.
    ///   - kind: Which connector reads it.
    ///   - settings: What the connector needs to know; those of a source that is there stay.
    ///   - isRevisable: Whether new values replace stored ones, for a new source.
    ///   - db: The transaction.
    /// - Returns: The source.
    /// - Throws: `PostgresError`.
    package static func findOrAdd(
        name: String, kind: String, settings: String, isRevisable: Bool = false,
        in db: borrowing Session
    ) throws -> Source {
        do {
            return try find(name: name, in: db)
        } catch StoreError.unknownSource {
            return try add(
                name: name, kind: kind, settings: settings, isRevisable: isRevisable, in: db)
        }
    }

    /// Every source, by name.
    package static func list(in db: borrowing Session) throws -> [Source] {
        try db.run("SELECT \(columns) FROM systole.source ORDER BY name").map { row in
            try Source(row)
        }
    }

    /// The source `name`; throws `StoreError.unknownSource`.
    package static func find(name: String, in db: borrowing Session) throws -> Source {
        try one("SELECT \(columns) FROM systole.source WHERE name = \(name)", name, in: db)
    }

    /// The source with the number `id`; throws `StoreError.unknownSource`.
    package static func find(_ id: Int64, in db: borrowing Session) throws -> Source {
        try one("SELECT \(columns) FROM systole.source WHERE source_id = \(id)", "\(id)", in: db)
    }

    /// Forgets a source, its cursors, figures and schedule; what it brought stays.
    ///
    /// - Parameters:
    ///   - name: The source.
    ///   - db: The transaction.
    /// - Throws: `StoreError.unknownSource`.
    package static func remove(name: String, in db: borrowing Session) throws {
        _ = try find(name: name, in: db)
        try db.run("SELECT systole.drop_source(\(name))")
    }

    /// Stops or resumes pulling from a source. Throws `StoreError.unknownSource`.
    package static func setPaused(
        _ isPaused: Bool, name: String, in db: borrowing Session
    ) throws {
        let rows = try db.run(
            """
            UPDATE systole.source
            SET paused_at = CASE WHEN \(isPaused)::boolean THEN coalesce(paused_at, now()) END
            WHERE name = \(name)
            """)
        guard rows.affected == 1 else { throw StoreError.unknownSource(name: name) }
    }

    private static func one(
        _ sql: SQL, _ name: String, in db: borrowing Session
    ) throws -> Source {
        guard let row = try db.run(sql).first else { throw StoreError.unknownSource(name: name) }
        return try Source(row)
    }
}

/// How far each part of a source is stored; moved in the transaction that stores it.
package enum CursorStore {
    /// The position in one part of a source, as JSON; nil where none was stored.
    package static func position(
        source: Int64, part: String, in db: borrowing Session
    ) throws -> String? {
        try db.run(
            """
            SELECT position FROM systole.source_cursor
            WHERE source_id = \(source) AND part = \(part)
            """
        ).first?.text("position")
    }

    /// The positions in all parts of a source, as JSON, by part.
    package static func positions(
        source: Int64, in db: borrowing Session
    ) throws -> [String: String] {
        var positions: [String: String] = [:]
        let rows = try db.run(
            "SELECT part, position FROM systole.source_cursor WHERE source_id = \(source)")
        for row in rows { positions[try row.text("part")] = try row.text("position") }
        return positions
    }

    /// Sets the position in one part of a source.
    ///
    /// - Parameters:
    ///   - source: The source's number.
    ///   - part: A file, a topic partition: what has a position of its own.
    ///   - position: JSON that the connector understands.
    ///   - db: The transaction that stores what lies before it.
    /// - Throws: `PostgresError` 23503 where the source is gone.
    package static func move(
        source: Int64, part: String, to position: String, in db: borrowing Session
    ) throws {
        try db.run(
            """
            INSERT INTO systole.source_cursor (source_id, part, position)
            VALUES (\(source), \(part), \(position)::jsonb)
            ON CONFLICT ON CONSTRAINT source_cursor_pkey
                DO UPDATE SET position = excluded.position, moved_at = now()
            """)
    }
}
