package import Postgres
internal import Series

extension DeliveryStore {
    /// What one attempt brought.
    package struct Attempt: Sendable {
        package var status: Int?
        /// Why there was no usable answer, in one word, and in a sentence without anything secret.
        package var errorClass: String?
        package var reason: String?
        package var took: Duration
        package var remoteAddress: String?
        package var answerBytes: Int?
        /// Kept up to 4 kB; leave it out for answers that accept.
        package var answerHead: [UInt8]?

        package init(
            status: Int? = nil, errorClass: String? = nil, reason: String? = nil, took: Duration,
            remoteAddress: String? = nil, answerBytes: Int? = nil, answerHead: [UInt8]? = nil
        ) {
            precondition(status != nil || errorClass != nil, "an attempt without any outcome")
            self.status = status
            self.errorClass = errorClass
            self.reason = reason
            self.took = took
            self.remoteAddress = remoteAddress
            self.answerBytes = answerBytes
            self.answerHead = answerHead
        }

        static let headMaximum = 4096
    }

    /// Where a delivery goes after an attempt.
    package enum NextStep: Equatable, Sendable {
        case accepted
        case retry(after: Duration)
        case exhausted
    }

    /// An endpoint's row of failures, the newest included.
    package struct EndpointFailures: Equatable, Sendable {
        /// Without a success in between.
        package let consecutive: Int
        /// Since the first of them.
        package let lasting: Duration
    }

    /// Records an attempt and moves its delivery on, if the claim still holds; an accepted one ends
    /// its endpoint's row of failures.
    ///
    /// - Parameters:
    ///   - claim: The claim under which the attempt was made.
    ///   - attempt: What it brought.
    ///   - next: Where the delivery goes.
    ///   - db: The transaction that also records what this means for the endpoint.
    /// - Returns: False, with nothing written, if the claim was replaced or the delivery ended.
    /// - Throws: What the database refuses.
    package static func finish(
        _ claim: Claim, _ attempt: Attempt, next: NextStep, in db: borrowing Session
    ) throws(PostgresError) -> Bool {
        let (state, wait): (String, Duration) =
            switch next {
            case .accepted: ("accepted", .zero)
            case .retry(let wait): ("waiting", wait)
            case .exhausted: ("exhausted", .zero)
            }
        let head = attempt.answerHead.map { Array($0.prefix(Attempt.headMaximum)) }
        // One statement, since every delivery pays its way to the server and back. The endpoint is
        // written only where a row of failures ends: else every delivery would write it, and claims
        // would find it locked.
        let moved = try db.run(
            """
            WITH moved AS (
                UPDATE systole.webhook_delivery
                SET state = \(state), attempts = attempts + 1, lease_until = NULL,
                    next_try_at = now()
                        + \(wait.wholeMicroseconds)::bigint * interval '1 microsecond',
                    finished_at = CASE WHEN \(state) <> 'waiting' THEN now() END
                WHERE delivery_id = \(claim.deliveryID) AND lease_no = \(claim.leaseNumber)
                    AND state = 'running'
                RETURNING delivery_id, endpoint_id, lease_no, state
            ), healed AS (
                UPDATE systole.webhook_endpoint AS e
                SET failures_consecutive = 0, failing_since = NULL, paused_until = NULL
                FROM moved WHERE e.endpoint_id = moved.endpoint_id AND moved.state = 'accepted'
                    AND (e.failures_consecutive > 0 OR e.paused_until IS NOT NULL)
            )
            INSERT INTO systole.webhook_attempt (delivery_id, attempt, status, error_class, reason,
                milliseconds, remote_address, answer_bytes, answer_head)
            SELECT delivery_id, lease_no, \(attempt.status)::integer, \(attempt.errorClass),
                \(attempt.reason), \(attempt.took.wholeMicroseconds / 1000)::integer,
                \(attempt.remoteAddress), \(attempt.answerBytes)::integer, \(head)::bytea
            FROM moved
            """
        ).affected
        return moved == 1
    }

    /// Lengthens an endpoint's row of failures.
    ///
    /// - Parameters:
    ///   - endpointID: The endpoint, which failed.
    ///   - db: The transaction that records the attempt.
    /// - Returns: The row of failures with this one.
    /// - Throws: What the database refuses.
    package static func noteFailure(
        of endpointID: Int64, in db: borrowing Session
    ) throws(PostgresError) -> EndpointFailures {
        let row = try db.run(
            """
            UPDATE systole.webhook_endpoint
            SET failures_consecutive = failures_consecutive + 1,
                failing_since = coalesce(failing_since, now())
            WHERE endpoint_id = \(endpointID)
            RETURNING failures_consecutive,
                systole.epoch_us(now()) - systole.epoch_us(failing_since) AS lasting_us
            """
        ).only()
        return EndpointFailures(
            consecutive: try row.int("failures_consecutive"),
            lasting: .microseconds(try row.int64("lasting_us")))
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
}
