package import Postgres
internal import Series

/// What attempts mean for the endpoint as a whole.
extension DeliveryStore {
    /// What a batch of recorded attempts says about one endpoint.
    package struct EndpointOutcome: Equatable, Sendable {
        package let endpointID: Int64
        /// Whether one of them was accepted.
        package var hasSuccess = false
        /// Failures since the last one that was accepted.
        package var failures = 0

        package init(endpointID: Int64) {
            self.endpointID = endpointID
        }
    }

    /// An endpoint's row of failures, the newest included.
    package struct EndpointFailures: Equatable, Sendable {
        package let endpointID: Int64
        /// Without a success in between.
        package let consecutive: Int
        /// Since the first of them.
        package let lasting: Duration
        /// How many notices this row has brought.
        package let notices: Int
    }

    /// Lengthens the endpoints' rows of failures, and ends those that a success ends.
    ///
    /// An endpoint is written only where that changes anything: else every delivery would write
    /// it, and claims would find it locked.
    ///
    /// - Parameters:
    ///   - outcomes: One an endpoint.
    ///   - db: The transaction that records the attempts.
    /// - Returns: The rows of failures of the endpoints that failed.
    /// - Throws: What the database refuses.
    package static func note(
        _ outcomes: [EndpointOutcome], in db: borrowing Session
    ) throws(PostgresError) -> [EndpointFailures] {
        guard !outcomes.isEmpty else { return [] }
        // Locked in the order of their numbers, so that two deliverers do not wait for each other.
        let rows = try db.runPrepared(
            """
            WITH noted AS (
                SELECT * FROM unnest(\(outcomes.map(\.endpointID))::bigint[],
                    \(outcomes.map(\.hasSuccess))::boolean[],
                    \(outcomes.map(\.failures))::integer[]
                ) AS t (endpoint_id, has_success, failures)
            ), locked AS (
                SELECT e.endpoint_id, n.has_success, n.failures
                FROM noted AS n JOIN systole.webhook_endpoint AS e USING (endpoint_id)
                WHERE n.failures > 0 OR e.failures_consecutive > 0 OR e.paused_until IS NOT NULL
                ORDER BY e.endpoint_id FOR NO KEY UPDATE OF e
            ), written AS (
                UPDATE systole.webhook_endpoint AS e
                SET failures_consecutive = l.failures
                        + CASE WHEN l.has_success THEN 0 ELSE e.failures_consecutive END,
                    failing_since = CASE
                        WHEN l.failures = 0 THEN NULL
                        WHEN l.has_success THEN now()
                        ELSE coalesce(e.failing_since, now())
                    END,
                    paused_until = CASE WHEN l.has_success THEN NULL ELSE e.paused_until END,
                    notices = CASE WHEN l.has_success THEN 0 ELSE e.notices END
                FROM locked AS l WHERE e.endpoint_id = l.endpoint_id
                RETURNING e.endpoint_id, e.failures_consecutive, e.failing_since, e.notices
            )
            SELECT endpoint_id, failures_consecutive, notices,
                systole.epoch_us(now()) - systole.epoch_us(failing_since) AS lasting_us
            FROM written WHERE failing_since IS NOT NULL ORDER BY endpoint_id
            """)
        var failures: [EndpointFailures] = []
        for row in rows {
            failures.append(
                EndpointFailures(
                    endpointID: try row.int64("endpoint_id"),
                    consecutive: try row.int("failures_consecutive"),
                    lasting: .microseconds(try row.int64("lasting_us")),
                    notices: try row.int("notices")))
        }
        return failures
    }

    /// Attempts nothing at an endpoint for a while; a longer pause that it has already stays.
    ///
    /// - Parameters:
    ///   - endpointID: The endpoint.
    ///   - duration: From now.
    ///   - db: The transaction that records the attempt.
    /// - Throws: What the database refuses.
    package static func pause(
        _ endpointID: Int64, for duration: Duration, in db: borrowing Session
    ) throws(PostgresError) {
        try db.run(
            """
            UPDATE systole.webhook_endpoint
            SET paused_until = greatest(paused_until,
                now() + \(duration.wholeMicroseconds)::bigint * interval '1 microsecond')
            WHERE endpoint_id = \(endpointID)
            """)
    }

    /// Disables an endpoint that is enabled, and tells the others by an event.
    ///
    /// - Parameters:
    ///   - endpointID: The endpoint.
    ///   - reason: For the people who look at it.
    ///   - db: The transaction that records the attempt.
    /// - Throws: What the database refuses.
    package static func disable(
        _ endpointID: Int64, because reason: String, in db: borrowing Session
    ) throws(PostgresError) {
        try db.run(
            """
            WITH disabled AS (
                UPDATE systole.webhook_endpoint SET state = 'disabled', disabled_reason = \(reason)
                WHERE endpoint_id = \(endpointID) AND state = 'enabled'
                RETURNING endpoint_id, disabled_reason
            )
            SELECT systole.emit('endpoint.disabled', endpoint_id::text,
                jsonb_build_object('endpoint_id', endpoint_id, 'reason', disabled_reason))
            FROM disabled
            """)
    }

    /// Tells by an event that an endpoint will be disabled if it goes on failing; each notice of a
    /// row of failures is given once.
    ///
    /// - Parameters:
    ///   - number: Which notice, from 1.
    ///   - endpointID: The endpoint.
    ///   - limit: How long it may fail before it is disabled.
    ///   - db: The transaction that records the attempt.
    /// - Throws: What the database refuses.
    package static func giveNotice(
        _ number: Int, of endpointID: Int64, failingAtMost limit: Duration,
        in db: borrowing Session
    ) throws(PostgresError) {
        try db.run(
            """
            WITH told AS (
                UPDATE systole.webhook_endpoint SET notices = \(number)::smallint
                WHERE endpoint_id = \(endpointID) AND state = 'enabled'
                    AND notices < \(number)::smallint AND failing_since IS NOT NULL
                RETURNING endpoint_id, failing_since
            )
            SELECT systole.emit('endpoint.failing', endpoint_id::text, jsonb_build_object(
                'endpoint_id', endpoint_id, 'failing_since', systole.iso8601(failing_since),
                'disabled_at', systole.iso8601(failing_since
                    + \(limit.wholeMicroseconds)::bigint * interval '1 microsecond')))
            FROM told
            """)
    }

    // MARK: - Secrets

    /// The secrets of an endpoint as they lie in the database.
    package struct EndpointSecrets: Sendable {
        package let endpointID: Int64
        package var current: StoredSecret
        package var previous: StoredSecret?
        /// What receivers of `v1a` verify with; nil where it was not derived yet.
        package var publicKey: String?
        package let isAsymmetric: Bool
    }

    /// Locks and returns the endpoints whose secrets want to be tended: sealed, sealed anew,
    /// forgotten after a rotation, or given their public key.
    ///
    /// - Parameters:
    ///   - keyID: The key under which secrets are to lie; nil where there is none.
    ///   - keyIDs: The keys that can be opened.
    ///   - limit: The most endpoints.
    ///   - db: The transaction that will store them.
    /// - Returns: The endpoints, without those that another one tends just now.
    /// - Throws: What the database refuses.
    package static func secretsToTend(
        sealedUnder keyID: String?, openable keyIDs: [String], limit: Int, in db: borrowing Session
    ) throws(PostgresError) -> [EndpointSecrets] {
        let rows = try db.runPrepared(
            """
            SELECT e.endpoint_id, e.secret, e.public_key, e.signature = 'v1a' AS is_asymmetric,
                CASE WHEN e.secret_previous_until > now() THEN e.secret_previous END AS previous
            FROM systole.webhook_endpoint AS e
            WHERE e.state <> 'removed' AND \(openable(by: keyIDs)) AND (
                e.secret_previous_until <= now()
                OR (e.signature = 'v1a' AND e.public_key IS NULL)
                OR (\(keyID) <> '' AND (split_part(e.secret, ':', 2) <> \(keyID)
                    OR split_part(e.secret_previous, ':', 2) <> \(keyID))))
            ORDER BY e.endpoint_id LIMIT \(limit) FOR NO KEY UPDATE SKIP LOCKED
            """)
        var found: [EndpointSecrets] = []
        for row in rows {
            found.append(
                EndpointSecrets(
                    endpointID: try row.int64("endpoint_id"),
                    current: StoredSecret(try row.text("secret")),
                    previous: try row.optionalText("previous").map(StoredSecret.init),
                    publicKey: try row.optionalText("public_key"),
                    isAsymmetric: try row.bool("is_asymmetric")))
        }
        return found
    }

    /// Stores secrets as they shall lie from now on.
    ///
    /// - Parameters:
    ///   - secrets: Of an endpoint that `secretsToTend` locked.
    ///   - db: The same transaction.
    /// - Throws: What the database refuses.
    package static func store(
        _ secrets: EndpointSecrets, in db: borrowing Session
    ) throws(PostgresError) {
        try db.run(
            """
            UPDATE systole.webhook_endpoint
            SET secret = \(secrets.current.revealed), public_key = \(secrets.publicKey),
                secret_previous = \(secrets.previous?.revealed),
                secret_previous_until =
                    CASE WHEN \(secrets.previous != nil) THEN secret_previous_until END
            WHERE endpoint_id = \(secrets.endpointID)
            """)
    }

    /// Whether the secrets of the endpoint `e` can be opened with some keys.
    static func openable(by keyIDs: [String]) -> SQL {
        """
        (e.secret NOT LIKE 'sealed:%' OR split_part(e.secret, ':', 2) = ANY (\(keyIDs)::text[]))
        AND (e.secret_previous IS NULL OR e.secret_previous_until <= now()
            OR e.secret_previous NOT LIKE 'sealed:%'
            OR split_part(e.secret_previous, ':', 2) = ANY (\(keyIDs)::text[]))
        """
    }
}
