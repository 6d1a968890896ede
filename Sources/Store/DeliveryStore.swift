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
    /// - Parameters:
    ///   - eventIDs: Numbers of outbox events.
    ///   - db: The transaction that will insert the deliveries.
    /// - Returns: The messages in the order of `eventIDs`, each with a new message id.
    /// - Throws: What the database refuses.
    package static func messages(
        for eventIDs: [Int64], in db: borrowing Session
    ) throws(PostgresError) -> [Message] {
        let rows = try db.run(
            """
            SELECT o.event_id, 'msg_' || replace(gen_random_uuid()::text, '-', '') AS message_id,
                o.type, o.at, o.data::text AS full_data,
                systole.webhook_thin(o.data)::text AS thin_data
            FROM unnest(\(eventIDs)::bigint[]) WITH ORDINALITY AS wanted (event_id, place)
            JOIN systole.outbox AS o USING (event_id)
            WHERE EXISTS (SELECT FROM systole.webhook_endpoint AS e WHERE \(subscription))
            ORDER BY wanted.place
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
    /// - Returns: How many deliveries were made; none for endpoints that have theirs already.
    /// - Throws: What the database refuses.
    @discardableResult
    package static func insert(
        _ messages: [(message: Message, bodies: Bodies)], in db: borrowing Session
    ) throws(PostgresError) -> Int {
        guard !messages.isEmpty else { return 0 }
        return try db.run(
            """
            INSERT INTO systole.webhook_delivery
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
            """
        ).affected
    }

    /// Whether the endpoint `e` is to be told about the event `o`. A disabled one is: its
    /// deliveries wait for it.
    private static let subscription: SQL = """
        e.state <> 'removed' AND CASE o.type
            WHEN 'ping' THEN e.endpoint_id::text = o.data ->> 'endpoint_id'
            ELSE o.type = ANY (e.events) END
        """

    /// Deletes what ended, or waited for a disabled endpoint, more than 30 days ago.
    ///
    /// - Parameter db: A transaction.
    /// - Throws: What the database refuses.
    package static func prune(in db: borrowing Session) throws(PostgresError) {
        try db.run("SELECT systole.prune_webhooks()")
    }
}
