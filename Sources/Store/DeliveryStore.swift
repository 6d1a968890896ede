package import Postgres
package import Series

/// Webhook deliveries: made for events, claimed under a lease, finished or given back.
package enum DeliveryStore {
    /// An event as webhooks tell it, with the data of both kinds of payload.
    package struct Message: Sendable {
        /// The event's number in the outbox.
        package let eventID: Int64
        /// The id that receivers see; the same for every endpoint, attempt and replay.
        package let messageID: String
        /// Such as `anomaly.opened`.
        package let type: String
        /// When the event happened.
        package let at: Timestamp
        /// All of the event's data, a JSON object.
        package let fullData: String
        /// The part of it that a thin payload carries, a JSON object.
        package let thinData: String
    }

    /// The messages of some events that at least one endpoint is to be told about.
    ///
    /// The events of an incident are numbered on the way (`incident_seq`): 1, 2, 3 in the order of
    /// their transactions, whoever is told about them, so that a receiver can put them in order
    /// and sees when one is still missing. Call it once an event, in the order of the outbox.
    ///
    /// - Parameters:
    ///   - eventIDs: Numbers of outbox events.
    ///   - db: The transaction that will insert the deliveries.
    /// - Returns: The messages in the order of `eventIDs`, each with a new message id.
    /// - Throws: What the database refuses.
    package static func messages(
        for eventIDs: [Int64], in db: borrowing Session
    ) throws(PostgresError) -> [Message] {
        let rows = try db.runPrepared(
            """
            WITH wanted AS MATERIALIZED (
                SELECT o.event_id, o.type, o.at, o.data, w.place,
                    CASE WHEN o.type LIKE 'anomaly.%'
                        AND jsonb_typeof(o.data -> 'incident_id') = 'number'
                        THEN (o.data ->> 'incident_id')::bigint END AS incident_id
                FROM unnest(\(eventIDs)::bigint[]) WITH ORDINALITY AS w (event_id, place)
                JOIN systole.outbox AS o USING (event_id)
            ), numbered AS (
                INSERT INTO systole.webhook_incident AS i (incident_id, events)
                SELECT incident_id, count(*) FROM wanted WHERE incident_id IS NOT NULL
                GROUP BY incident_id ORDER BY incident_id
                ON CONFLICT ON CONSTRAINT webhook_incident_pkey
                    DO UPDATE SET events = i.events + excluded.events
                RETURNING incident_id, events
            ), told AS (
                SELECT o.*, CASE WHEN o.incident_id IS NULL THEN o.data
                    ELSE jsonb_build_object('incident_seq', n.events + 1 - row_number() OVER (
                        PARTITION BY o.incident_id ORDER BY o.place DESC)) || o.data
                    END AS numbered_data
                FROM wanted AS o LEFT JOIN numbered AS n USING (incident_id)
            )
            SELECT o.event_id, 'msg_' || replace(gen_random_uuid()::text, '-', '') AS message_id,
                o.type, o.at, systole.webhook_full(o.numbered_data)::text AS full_data,
                systole.webhook_thin(o.numbered_data)::text AS thin_data
            FROM told AS o
            WHERE EXISTS (SELECT FROM systole.webhook_endpoint AS e WHERE \(subscription))
            ORDER BY o.place
            """)
        var messages: [Message] = []
        for row in rows {
            messages.append(
                Message(
                    eventID: try row.int64("event_id"), messageID: try row.text("message_id"),
                    type: try row.text("type"),
                    at: Timestamp(microseconds: try row.epochMicroseconds("at")),
                    fullData: try row.text("full_data"), thinData: try row.text("thin_data")))
        }
        return messages
    }

    /// The bodies of one message.
    package struct Bodies: Sendable {
        /// For endpoints with the thin payload.
        package let thin: String
        /// For endpoints with the full payload.
        package let full: String

        package init(thin: String, full: String) {
            self.thin = thin
            self.full = full
        }
    }

    /// Makes one delivery for every endpoint that subscribed to a message's type; a ping goes to
    /// the endpoint it names.
    ///
    /// - Parameters:
    ///   - messages: The messages, with the bodies to be sent, exactly.
    ///   - db: The transaction that also moves the reader of the outbox.
    /// - Returns: The endpoints for which deliveries were made; those that have theirs already get
    ///   none.
    /// - Throws: What the database refuses.
    @discardableResult
    package static func insert(
        _ messages: [(message: Message, bodies: Bodies)], in db: borrowing Session
    ) throws(PostgresError) -> [Int64] {
        guard !messages.isEmpty else { return [] }
        return try db.runPrepared(
            """
            WITH made AS (INSERT INTO systole.webhook_delivery
                (endpoint_id, event_id, event_type, message_id, body)
            SELECT e.endpoint_id, o.event_id, o.type, m.message_id,
                convert_to(CASE e.payload WHEN 'full' THEN m.full_body ELSE m.thin_body END, 'UTF8')
            FROM unnest(
                    \(messages.map(\.message.eventID))::bigint[],
                    \(messages.map(\.message.messageID))::text[],
                    \(messages.map(\.bodies.thin))::text[], \(messages.map(\.bodies.full))::text[]
                ) WITH ORDINALITY AS m (event_id, message_id, thin_body, full_body, place)
            JOIN systole.outbox AS o USING (event_id)
            JOIN systole.webhook_endpoint AS e ON \(subscription)
            ORDER BY m.place, e.endpoint_id
            ON CONFLICT ON CONSTRAINT webhook_delivery_once DO NOTHING
            RETURNING endpoint_id)
            SELECT DISTINCT endpoint_id FROM made ORDER BY endpoint_id
            """
        ).allInt64s("endpoint_id")
    }

    /// Whether the endpoint `e` is to be told about the event `o`. A disabled one is: its
    /// deliveries wait for it.
    private static let subscription: SQL = """
        e.state <> 'removed' AND CASE o.type
            WHEN 'ping' THEN e.endpoint_id::text = o.data ->> 'endpoint_id'
            ELSE o.type = ANY (e.events) END
        """

    /// How many endpoints there are that may be owed something.
    ///
    /// - Parameter db: A connection.
    /// - Returns: Those that were not removed.
    /// - Throws: What the database refuses.
    package static func endpointCount(in db: borrowing Session) throws(PostgresError) -> Int {
        try db.runPrepared(
            "SELECT count(*) AS count FROM systole.webhook_endpoint WHERE state <> 'removed'"
        ).only().int("count")
    }

    /// Deletes what ended, or waited for a disabled endpoint, more than 30 days ago, and events of
    /// that age that every reader has passed.
    ///
    /// - Parameter db: A transaction.
    /// - Throws: What the database refuses.
    package static func prune(in db: borrowing Session) throws(PostgresError) {
        try db.run("SELECT systole.prune_webhooks(), systole.prune_outbox()")
    }
}
