package import Postgres
internal import Series

extension DeliveryStore {
    /// How much may be claimed, and for how long.
    package struct ClaimLimits: Sendable {
        /// Deliveries in one claim.
        package var total: Int
        /// Deliveries of one endpoint that run at the same time, in all processes together; after
        /// a failure it is one until an attempt succeeds.
        package var perEndpoint: Int
        /// After so many attempts a delivery is given up.
        package var attemptsMaximum: Int
        /// How long a claim holds; it must outlast the sending and the recording.
        package var lease: Duration

        /// The sealing keys at hand: what lies sealed under others is left to others.
        package var keyIDs: [String]

        package init(
            total: Int, perEndpoint: Int, attemptsMaximum: Int, lease: Duration,
            keyIDs: [String] = []
        ) {
            self.total = total
            self.perEndpoint = perEndpoint
            self.attemptsMaximum = attemptsMaximum
            self.lease = lease
            self.keyIDs = keyIDs
        }
    }

    /// A delivery that is ours to send until its lease ends.
    package struct Claim: Sendable {
        package let deliveryID: Int64
        package let endpointID: Int64
        /// Rises with every claim: an older one records nothing.
        package let leaseNumber: Int
        /// Attempts that ended before this one.
        package let attempts: Int
        package let messageID: String
        package let url: StoredSecret
        /// The secrets to sign with: the current one, and the previous one during a rotation.
        package let secrets: [StoredSecret]
        /// The exact bytes to send.
        package let body: [UInt8]
        /// The database's clock at the claim, in whole Unix seconds.
        package let unixSeconds: Int64
    }

    /// The endpoints that have something due and room for it, the longest due first.
    ///
    /// Looks at every endpoint, so ask now and then; claims of a few cost nothing for the others.
    ///
    /// - Parameters:
    ///   - limits: What the claims will have.
    ///   - db: A connection.
    /// - Returns: Their numbers; nothing is locked.
    /// - Throws: What the database refuses.
    package static func dueEndpoints(
        _ limits: ClaimLimits, in db: borrowing Session
    ) throws(PostgresError) -> [Int64] {
        try db.runPrepared(
            """
            SELECT e.endpoint_id FROM systole.webhook_endpoint AS e
            CROSS JOIN LATERAL (
                SELECT d.next_try_at FROM systole.webhook_delivery AS d
                WHERE d.endpoint_id = e.endpoint_id AND d.state = 'waiting'
                ORDER BY d.next_try_at LIMIT 1
            ) AS next
            WHERE \(isOpen(limits)) AND next.next_try_at <= now() AND \(placesInAll(limits)) > \(running)
            ORDER BY next.next_try_at, e.endpoint_id
            """
        ).allInt64s("endpoint_id")
    }

    /// An endpoint to be asked for what is due.
    package struct Asked: Equatable, Sendable {
        package let endpointID: Int64
        /// Deliveries of it that may run at the same time, if that is less than the limits say.
        package let places: Int

        package init(endpointID: Int64, places: Int) {
            self.endpointID = endpointID
            self.places = places
        }
    }

    /// Takes due deliveries under a lease.
    ///
    /// Endpoints are locked first, so that `perEndpoint` holds for all processes together; locked
    /// rows are skipped, not waited for. Commit before sending.
    ///
    /// - Parameters:
    ///   - limits: How much, and for how long.
    ///   - endpoints: Where to look; nil for everywhere.
    ///   - db: A transaction in the isolation READ COMMITTED, whose second statement must see what
    ///     others committed before the locks were had.
    /// - Returns: The deliveries in the order in which they were made.
    /// - Throws: What the database refuses.
    package static func claim(
        _ limits: ClaimLimits, among endpoints: [Asked]? = nil, in db: borrowing Session
    ) throws(PostgresError) -> [Claim] {
        var chosen = endpoints ?? []
        if endpoints == nil {
            chosen = try dueEndpoints(limits, in: db).map {
                Asked(endpointID: $0, places: limits.perEndpoint)
            }
        }
        guard !chosen.isEmpty else { return [] }
        let locked = try lock(chosen.map(\.endpointID), limits, in: db)
        guard !locked.isEmpty else { return [] }
        let rows = try db.runPrepared(
            """
            WITH room AS (
                SELECT e.endpoint_id, least(a.places, \(placesInAll(limits))) - \(running) AS places
                FROM unnest(\(chosen.map(\.endpointID))::bigint[],
                    \(chosen.map(\.places))::integer[]) AS a (endpoint_id, places)
                JOIN systole.webhook_endpoint AS e USING (endpoint_id)
                WHERE e.endpoint_id = ANY (\(locked)::bigint[])
            ), due AS (
                SELECT next.delivery_id FROM room CROSS JOIN LATERAL (
                    SELECT d.delivery_id FROM systole.webhook_delivery AS d
                    WHERE d.endpoint_id = room.endpoint_id AND d.state = 'waiting'
                        AND d.next_try_at <= now()
                    ORDER BY d.next_try_at, d.delivery_id
                    LIMIT greatest(room.places, 0)
                    FOR UPDATE SKIP LOCKED
                ) AS next
                ORDER BY next.delivery_id LIMIT \(limits.total)::bigint
            )
            UPDATE systole.webhook_delivery AS d
            SET state = 'running', lease_no = d.lease_no + 1,
                lease_until = now()
                    + \(limits.lease.wholeMicroseconds)::bigint * interval '1 microsecond'
            FROM due, systole.webhook_endpoint AS e
            WHERE d.delivery_id = due.delivery_id AND e.endpoint_id = d.endpoint_id
            RETURNING d.delivery_id, d.endpoint_id, d.lease_no, d.attempts, d.message_id, d.body,
                e.url, e.secret,
                CASE WHEN e.secret_previous_until > now() THEN e.secret_previous END AS previous,
                extract(epoch FROM clock_timestamp())::bigint AS unix_seconds
            """)
        var claims: [Claim] = []
        for row in rows { claims.append(try claim(from: row)) }
        return claims.sorted { $0.deliveryID < $1.deliveryID }
    }

    /// Locks endpoints that have something due, as many as deliveries may be had.
    private static func lock(
        _ endpoints: [Int64], _ limits: ClaimLimits, in db: borrowing Session
    ) throws(PostgresError) -> [Int64] {
        try db.runPrepared(
            """
            SELECT e.endpoint_id
            FROM unnest(\(endpoints)::bigint[]) WITH ORDINALITY AS asked (endpoint_id, place)
            JOIN systole.webhook_endpoint AS e USING (endpoint_id)
            WHERE \(isOpen(limits))
                AND EXISTS (
                    SELECT FROM systole.webhook_delivery AS d
                    WHERE d.endpoint_id = e.endpoint_id AND d.state = 'waiting'
                        AND d.next_try_at <= now())
            ORDER BY asked.place LIMIT \(limits.total)::bigint
            FOR NO KEY UPDATE OF e SKIP LOCKED
            """
        ).allInt64s("endpoint_id")
    }

    /// Whether the endpoint `e` may be called now, and by us.
    private static func isOpen(_ limits: ClaimLimits) -> SQL {
        """
        e.state = 'enabled' AND (e.paused_until IS NULL OR e.paused_until <= now())
            AND \(openable(by: limits.keyIDs))
        """
    }

    /// How many deliveries of the endpoint `e` may run: one after a failure.
    private static func placesInAll(_ limits: ClaimLimits) -> SQL {
        "CASE WHEN e.failures_consecutive > 0 THEN 1 ELSE \(limits.perEndpoint)::integer END"
    }

    /// How many deliveries of the endpoint `e` run, whoever sends them.
    private static let running: SQL = """
        (SELECT count(*) FROM systole.webhook_delivery AS r
            WHERE r.endpoint_id = e.endpoint_id AND r.state = 'running')
        """

    private static func claim(from row: Row) throws(PostgresError) -> Claim {
        let secrets = [try row.text("secret"), try row.optionalText("previous")]
        return Claim(
            deliveryID: try row.int64("delivery_id"), endpointID: try row.int64("endpoint_id"),
            leaseNumber: try row.int("lease_no"), attempts: try row.int("attempts"),
            messageID: try row.text("message_id"), url: StoredSecret(try row.text("url")),
            secrets: secrets.compactMap { $0.map(StoredSecret.init) },
            body: try row.bytes("body"), unixSeconds: try row.int64("unix_seconds"))
    }

    /// Ends the attempts whose lease ran out: whoever made them is dead or cut off.
    ///
    /// Each counts as an attempt, so that a delivery that kills its sender is given up in the end;
    /// the others are due at once.
    ///
    /// - Parameters:
    ///   - attemptsMaximum: From so many attempts on a delivery is given up.
    ///   - db: A transaction.
    /// - Returns: How many there were.
    /// - Throws: What the database refuses.
    @discardableResult
    package static func endLostAttempts(
        attemptsMaximum: Int, in db: borrowing Session
    ) throws(PostgresError) -> Int {
        try db.runPrepared(
            """
            WITH lost AS (
                SELECT d.delivery_id, d.attempts + 1 >= \(attemptsMaximum)::integer AS is_last
                FROM systole.webhook_delivery AS d
                WHERE d.state = 'running' AND d.lease_until < now()
                FOR UPDATE SKIP LOCKED
            ), ended AS (
                UPDATE systole.webhook_delivery AS d
                SET state = CASE WHEN is_last THEN 'exhausted' ELSE 'waiting' END,
                    attempts = d.attempts + 1, next_try_at = now(), lease_until = NULL,
                    finished_at = CASE WHEN is_last THEN now() END
                FROM lost WHERE d.delivery_id = lost.delivery_id
                RETURNING d.delivery_id, d.lease_no
            )
            INSERT INTO systole.webhook_attempt (delivery_id, attempt, error_class, reason)
            SELECT delivery_id, lease_no, 'lost', 'the sender died before it recorded an answer'
            FROM ended
            """
        ).affected
    }
}
