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
        /// As before the claim: nothing was attempted, and no attempt is spent.
        case unattempted(after: Duration)
    }

    /// An attempt that has ended.
    package struct Ended: Sendable {
        /// The claim under which it was made.
        package let claim: Claim
        package let attempt: Attempt
        package let next: NextStep

        package init(_ claim: Claim, _ attempt: Attempt, next: NextStep) {
            self.claim = claim
            self.attempt = attempt
            self.next = next
        }
    }

    /// Records attempts and moves their deliveries on, where the claims still hold.
    ///
    /// One statement for all of them, since each would pay its own way to the server and back, and
    /// its own commit. Nothing of what the attempts mean for endpoints is written here.
    ///
    /// - Parameters:
    ///   - ended: The attempts, of different deliveries.
    ///   - db: The transaction that also records what this means for the endpoints.
    /// - Returns: The deliveries that were still ours; of the others nothing is written.
    /// - Throws: What the database refuses.
    @discardableResult
    package static func finish(
        _ ended: [Ended], in db: borrowing Session
    ) throws(PostgresError) -> Set<Int64> {
        guard !ended.isEmpty else { return [] }
        let rows = ended.map(EndedRow.init)
        // Arrays have no NULLs here: -1 and '' stand for them.
        let moved = try db.runPrepared(
            """
            WITH ended AS (
                SELECT * FROM unnest(
                    \(ended.map(\.claim.deliveryID))::bigint[],
                    \(ended.map(\.claim.leaseNumber))::integer[],
                    \(rows.map(\.state))::text[], \(rows.map(\.waitMicroseconds))::bigint[],
                    \(rows.map(\.isAttempt))::boolean[],
                    \(rows.map(\.status))::integer[], \(rows.map(\.errorClass))::text[],
                    \(rows.map(\.reason))::text[], \(rows.map(\.milliseconds))::integer[],
                    \(rows.map(\.remoteAddress))::text[], \(rows.map(\.answerBytes))::integer[],
                    \(rows.map(\.answerHead))::text[]
                ) AS t (delivery_id, lease_no, state, wait_us, is_attempt, status, error_class,
                    reason, milliseconds, remote_address, answer_bytes, answer_head)
            ), moved AS (
                UPDATE systole.webhook_delivery AS d
                SET state = e.state, attempts = d.attempts + e.is_attempt::integer,
                    lease_until = NULL,
                    next_try_at = now() + e.wait_us * interval '1 microsecond',
                    finished_at = CASE WHEN e.state <> 'waiting' THEN now() END
                FROM ended AS e
                WHERE d.delivery_id = e.delivery_id AND d.lease_no = e.lease_no
                    AND d.state = 'running'
                RETURNING d.delivery_id
            ), logged AS (
                INSERT INTO systole.webhook_attempt (delivery_id, attempt, status, error_class,
                    reason, milliseconds, remote_address, answer_bytes, answer_head)
                SELECT e.delivery_id, e.lease_no, nullif(e.status, -1), nullif(e.error_class, ''),
                    nullif(e.reason, ''), e.milliseconds, nullif(e.remote_address, ''),
                    nullif(e.answer_bytes, -1),
                    CASE WHEN e.answer_head <> '' THEN decode(e.answer_head, 'hex') END
                FROM ended AS e JOIN moved USING (delivery_id) WHERE e.is_attempt
            )
            SELECT delivery_id FROM moved
            """
        ).allInt64s("delivery_id")
        return Set(moved)
    }
}

/// An attempt as the columns of its row; -1 and an empty text are NULL.
private struct EndedRow {
    let state: String
    let waitMicroseconds: Int64
    let isAttempt: Bool
    let status: Int
    let errorClass: String
    let reason: String
    let milliseconds: Int
    let remoteAddress: String
    let answerBytes: Int
    /// In hexadecimal.
    let answerHead: String

    init(_ ended: DeliveryStore.Ended) {
        switch ended.next {
        case .accepted: (state, waitMicroseconds, isAttempt) = ("accepted", 0, true)
        case .retry(let wait):
            (state, waitMicroseconds, isAttempt) = ("waiting", wait.wholeMicroseconds, true)
        case .exhausted: (state, waitMicroseconds, isAttempt) = ("exhausted", 0, true)
        case .unattempted(let wait):
            (state, waitMicroseconds, isAttempt) = ("waiting", wait.wholeMicroseconds, false)
        }
        let attempt = ended.attempt
        status = attempt.status ?? -1
        errorClass = attempt.errorClass ?? ""
        reason = attempt.reason ?? ""
        milliseconds = Int(attempt.took.wholeMicroseconds / 1000)
        remoteAddress = attempt.remoteAddress ?? ""
        answerBytes = attempt.answerBytes ?? -1
        let head = attempt.answerHead.map { $0.prefix(DeliveryStore.Attempt.headMaximum) }
        answerHead = head.map { Self.hexadecimal($0) } ?? ""
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
