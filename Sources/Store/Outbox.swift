package import Postgres
package import Series

/// Something that happened, as told to the other parts of the service and to webhooks.
package struct OutboxEvent: Hashable, Sendable {
    package let id: Int64
    /// Such as `anomaly.opened`.
    package let type: String
    /// What it is about: the key of a series, for most.
    package let subject: String
    /// A JSON object.
    package let data: String
    package let at: Timestamp
}

/// The append-only events through which the parts of the service meet.
package enum Outbox {
    /// Appends an event to the transaction that makes it true.
    ///
    /// - Parameters:
    ///   - type: Such as `series.extended`: lower-case words with dots between.
    ///   - subject: What it is about.
    ///   - data: A JSON object without samples.
    ///   - dedupeKey: Given to an event that must not be told twice.
    ///   - db: The transaction.
    /// - Returns: Its number; nil where an event with this `dedupeKey` is there already.
    /// - Throws: `PostgresError` 23514 for a malformed type.
    @discardableResult
    package static func append(
        type: String, subject: String, data: String, dedupeKey: String? = nil,
        in db: borrowing Session
    ) throws -> Int64? {
        try db.run(
            """
            SELECT systole.emit(\(type), \(subject), \(data)::jsonb, \(dedupeKey)) AS event_id
            """
        ).only().optionalInt64("event_id")
    }

    /// Appends many events of one type.
    ///
    /// - Parameters:
    ///   - type: Such as `forecast.failed`.
    ///   - events: What each is about, and a JSON object without samples.
    ///   - db: The transaction.
    /// - Throws: `PostgresError` 23514 for a malformed type.
    package static func append(
        type: String, _ events: [(subject: String, data: String)], in db: borrowing Session
    ) throws {
        guard !events.isEmpty else { return }
        try db.run(
            """
            SELECT systole.emit_all(\(type), \(events.map(\.subject))::text[],
                \(events.map(\.data))::jsonb[])
            """)
    }

    /// Takes the next events for a consumer and moves its cursor past them.
    ///
    /// Events come in the order of their transactions, and only once no transaction that could
    /// still commit an earlier one runs: nothing is skipped. A transaction that rolls back after
    /// this gets the same events again. A writer that stays open in this database holds all later
    /// events up, so transactions are kept short.
    ///
    /// - Parameters:
    ///   - consumer: Whose cursor; one reader at a time holds it.
    ///   - limit: The most events.
    ///   - db: The transaction that also stores what follows from the events.
    /// - Returns: The events, in order; none where there is nothing new.
    /// - Throws: `PostgresError`.
    package static func read(
        consumer: String, limit: Int, in db: borrowing Session
    ) throws -> [OutboxEvent] {
        precondition(db.isInTransaction(), "Outbox.read outside a transaction")
        precondition(limit > 0, "Outbox.read: at most \(limit) events")
        // Asked first, so that an idle consumer writes nothing at all.
        guard try hasNews(consumer, in: db) else { return [] }
        let cursor = try lockCursor(consumer, in: db)
        let rows = try db.runPrepared(
            """
            SELECT event_id, xid, type, subject, data, at FROM systole.outbox
            WHERE (xid, event_id) > (\(cursor.xid)::text::xid8, \(cursor.event)::bigint)
                AND xid < systole.outbox_horizon()
            ORDER BY xid, event_id LIMIT \(limit)
            """)
        guard let last = rows.last else { return [] }
        try db.runPrepared(
            """
            UPDATE systole.outbox_cursor
            SET xid = \(try last.text("xid"))::text::xid8, event_id = \(try last.int64("event_id")),
                moved_at = now()
            WHERE consumer = \(consumer)
            """)
        return try rows.map { row in
            OutboxEvent(
                id: try row.int64("event_id"), type: try row.text("type"),
                subject: try row.text("subject"), data: try row.text("data"),
                at: try row.timestamp("at"))
        }
    }

    /// Whether there is an event that a consumer may read and has not; writes nothing.
    ///
    /// - Parameters:
    ///   - consumer: Whose cursor.
    ///   - db: A connection.
    /// - Returns: Whether `read` would find something.
    /// - Throws: `PostgresError`.
    package static func hasNews(
        _ consumer: String, in db: borrowing Session
    ) throws -> Bool {
        try db.runPrepared(
            """
            SELECT EXISTS (
                SELECT FROM systole.outbox AS o
                WHERE (o.xid, o.event_id) > (
                    coalesce((SELECT c.xid FROM systole.outbox_cursor AS c
                        WHERE c.consumer = \(consumer)), '0'),
                    coalesce((SELECT c.event_id FROM systole.outbox_cursor AS c
                        WHERE c.consumer = \(consumer)), 0))
                AND o.xid < systole.outbox_horizon()) AS news
            """
        ).only().bool("news")
    }

    private static func lockCursor(
        _ consumer: String, in db: borrowing Session
    ) throws -> (xid: String, event: Int64) {
        let find: SQL = """
            SELECT xid, event_id FROM systole.outbox_cursor WHERE consumer = \(consumer) FOR UPDATE
            """
        var rows = try db.run(find)
        if rows.isEmpty {
            try db.run(
                """
                INSERT INTO systole.outbox_cursor (consumer) VALUES (\(consumer))
                ON CONFLICT ON CONSTRAINT outbox_cursor_pkey DO NOTHING
                """)
            rows = try db.run(find)
        }
        let row = try rows.only()
        return (try row.text("xid"), try row.int64("event_id"))
    }
}
