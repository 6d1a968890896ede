import Postgres

/// Moves the cursor of a source that one pull at a time may move.
enum GuardedCursor {
    /// Sets the position, unless another pull has moved it since or the source was reset.
    ///
    /// - Parameters:
    ///   - source: The source's number.
    ///   - part: Which part of it.
    ///   - before: What the position was when this pull began; nil for none.
    ///   - position: What it is to be.
    ///   - db: The transaction that stores what lies between.
    /// - Throws: `IngestError.overtaken`.
    static func move(
        source: Int64, part: String, from before: String?, to position: String,
        in db: borrowing Session
    ) throws {
        let moved: Rows
        if let before {
            moved = try db.run(
                """
                UPDATE systole.source_cursor SET position = \(position)::jsonb, moved_at = now()
                WHERE source_id = \(source) AND part = \(part) AND position = \(before)::jsonb
                """)
        } else {
            moved = try db.run(
                """
                INSERT INTO systole.source_cursor (source_id, part, position)
                VALUES (\(source), \(part), \(position)::jsonb)
                ON CONFLICT ON CONSTRAINT source_cursor_pkey DO NOTHING
                """)
        }
        guard moved.affected == 1 else { throw IngestError.overtaken }
    }

    /// Whether a part of a source is at a position.
    static func isAt(
        _ position: String, source: Int64, part: String, in db: borrowing Session
    ) throws -> Bool {
        try !db.run(
            """
            SELECT 1 FROM systole.source_cursor
            WHERE source_id = \(source) AND part = \(part) AND position = \(position)::jsonb
            """
        ).isEmpty
    }
}
