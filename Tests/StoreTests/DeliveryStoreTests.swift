import Postgres
import Store
import TestSupport
import Testing

/// The claims of several deliverers and what their leases guard, without any network.
@Suite struct DeliveryStoreTests {
    static let limits = DeliveryStore.ClaimLimits(
        total: 100, perEndpoint: 4, probingFrom: 20, attemptsMaximum: 10, lease: .seconds(60))
    static let refused = DeliveryStore.Attempt(
        status: 500, errorClass: "status", took: .milliseconds(12))

    /// Lends a database with an endpoint and some deliveries owed to it.
    static func withDeliveries(
        _ count: Int, _ body: (Pool) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            try await database.pool.run("SELECT systole.add_webhook('https://a.example/')")
            try await database.pool.transaction { db in
                for number in 0..<count {
                    let id = try db.run(
                        """
                        SELECT systole.emit('anomaly.opened', 'oil',
                            jsonb_build_object('series_id', \(number)::bigint, 'observed', 1.5)) AS id
                        """
                    ).only().int64("id")
                    try Self.fanOut(id, in: db)
                }
            }
            try await body(database.pool)
        }
    }

    static func fanOut(_ event: Int64, in db: borrowing Session) throws {
        for message in try DeliveryStore.messages(for: [event], in: db) {
            _ = try DeliveryStore.insert(
                message, thin: Array(message.thinData.utf8), full: Array(message.fullData.utf8),
                in: db)
        }
    }

    static func claim(_ pool: Pool) async throws -> [DeliveryStore.Claim] {
        try await pool.transaction { db in try DeliveryStore.claim(limits, in: db) }
    }

    @Test func `claims come in the order of the events and hold the thin body`() async throws {
        try await Self.withDeliveries(6) { pool in
            let claims = try await Self.claim(pool)
            #expect(
                claims.map { String(decoding: $0.body, as: UTF8.self) } == [
                    #"{"series_id": 0}"#, #"{"series_id": 1}"#, #"{"series_id": 2}"#,
                    #"{"series_id": 3}"#,
                ])
            #expect(claims.allSatisfy { $0.leaseNumber == 1 && $0.attempts == 0 })
            #expect(try await Self.claim(pool).isEmpty)
        }
    }

    @Test func `many deliverers at once share the places of an endpoint`() async throws {
        try await Self.withDeliveries(40) { pool in
            var seen: [Int64] = []
            for _ in 0..<10 {
                let claims = try await withThrowingTaskGroup(
                    of: [DeliveryStore.Claim].self
                ) { group in
                    for _ in 0..<4 { group.addTask { try await Self.claim(pool) } }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(claims.count == 4)
                seen += claims.map(\.deliveryID)
                for claim in claims {
                    _ = try await pool.transaction { db in
                        try DeliveryStore.finish(claim, Self.accepted, next: .accepted, in: db)
                    }
                }
            }
            #expect(Set(seen).count == 40)
        }
    }

    static let accepted = DeliveryStore.Attempt(status: 204, took: .milliseconds(3))

    @Test func `a claim that was replaced records nothing`() async throws {
        try await Self.withDeliveries(1) { pool in
            let old = try #require(try await Self.claim(pool).first)
            try await pool.run(
                "UPDATE systole.webhook_delivery SET lease_until = now() - interval '1 s'")
            _ = try await pool.transaction { db in
                try DeliveryStore.endLostAttempts(attemptsMaximum: 10, in: db)
            }
            let new = try #require(try await Self.claim(pool).first)
            #expect(new.leaseNumber == old.leaseNumber + 1 && new.attempts == 1)
            #expect(new.messageID == old.messageID && new.body == old.body)
            let (late, timely, twice) = try await pool.transaction { db in
                (
                    try DeliveryStore.finish(old, Self.accepted, next: .accepted, in: db),
                    try DeliveryStore.finish(
                        new, Self.refused, next: .retry(after: .seconds(5)), in: db),
                    try DeliveryStore.finish(new, Self.accepted, next: .accepted, in: db)
                )
            }
            #expect(!late && timely && !twice)
            let attempts = try await pool.run(
                "SELECT attempt, coalesce(status, 0) AS status FROM systole.webhook_attempt ORDER BY 1"
            )
            #expect(try attempts.map { try $0.int("status") } == [0, 500])
        }
    }

    @Test func `a lease that still runs is not taken away`() async throws {
        try await Self.withDeliveries(1) { pool in
            _ = try await Self.claim(pool)
            let lost = try await pool.transaction { db in
                try DeliveryStore.endLostAttempts(attemptsMaximum: 10, in: db)
            }
            #expect(lost == 0)
        }
    }

    @Test func `an event is fanned out once, even if it is read twice`() async throws {
        try await Self.withDeliveries(1) { pool in
            let id = try await pool.run("SELECT event_id AS id FROM systole.outbox").only()
                .int64("id")
            try await pool.transaction { db in try Self.fanOut(id, in: db) }
            let count = try await pool.run("SELECT count(*) AS count FROM systole.webhook_delivery")
            #expect(try count.only().int("count") == 1)
        }
    }

    @Test func `an event that nobody asked for becomes no message`() async throws {
        try await Self.withDeliveries(0) { pool in
            let messages = try await pool.transaction { db in
                let id = try db.run("SELECT systole.emit('data.gap', 'oil', '{}') AS id").only()
                return try DeliveryStore.messages(for: [try id.int64("id")], in: db).count
            }
            #expect(messages == 0)
        }
    }

    @Test func `failures are counted until a success`() async throws {
        try await Self.withDeliveries(0) { pool in
            let rows = try await pool.transaction { db in
                _ = try DeliveryStore.noteFailure(of: 1, in: db)
                let second = try DeliveryStore.noteFailure(of: 1, in: db)
                try DeliveryStore.pause(1, for: .seconds(60), in: db)
                try DeliveryStore.pause(1, for: .seconds(30), in: db)
                let paused = try db.run(
                    "SELECT paused_until = now() + interval '60 s' AS is FROM systole.webhook_endpoint"
                ).only().bool("is")
                try DeliveryStore.noteSuccess(of: 1, in: db)
                let third = try DeliveryStore.noteFailure(of: 1, in: db)
                return (second.consecutive, paused, third.consecutive)
            }
            #expect(rows.0 == 2 && rows.1 && rows.2 == 1)
        }
    }

    @Test func `disabling tells about it once`() async throws {
        try await Self.withDeliveries(0) { pool in
            try await pool.transaction { db in
                for _ in 0..<2 {
                    try DeliveryStore.disable(1, because: "answered 410 Gone", in: db)
                }
            }
            let events = try await pool.run("SELECT type, data::text AS data FROM systole.outbox")
            #expect(try events.only().text("type") == "endpoint.disabled")
        }
    }

    @Test func `no description or dump of a claim shows a secret or an address`() async throws {
        try await Self.withDeliveries(1) { pool in
            let claim = try #require(try await Self.claim(pool).first)
            var text = "\(claim) \(String(reflecting: claim))"
            dump(claim, to: &text)
            #expect(!text.contains("whsec") && !text.contains("a.example"))
            #expect(claim.url.revealed == "https://a.example/")
        }
    }
}
