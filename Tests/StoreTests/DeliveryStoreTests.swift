import Postgres
import Store
import TestSupport
import Testing

/// The claims of several deliverers and what their leases guard, without any network.
@Suite struct DeliveryStoreTests {
    static let limits = DeliveryStore.ClaimLimits(
        total: 100, perEndpoint: 4, attemptsMaximum: 10, lease: .seconds(60))
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
        let messages = try DeliveryStore.messages(for: [event], in: db)
        try DeliveryStore.insert(
            messages.map { message in
                (message, DeliveryStore.Bodies(thin: message.thinData, full: message.fullData))
            }, in: db)
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
                try await pool.transaction { db in
                    let ours = try DeliveryStore.finish(
                        claims.map { .init($0, Self.accepted, next: .accepted) }, in: db)
                    #expect(ours == Set(claims.map(\.deliveryID)))
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
            let ends: [DeliveryStore.Ended] = [
                .init(old, Self.accepted, next: .accepted),
                .init(new, Self.refused, next: .retry(after: .seconds(5))),
                .init(new, Self.accepted, next: .accepted),
            ]
            let ours = try await pool.transaction { db in
                try ends.map { end in try DeliveryStore.finish([end], in: db).count }
            }
            #expect(ours == [0, 1, 0])
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

    @Test func `failures are counted, and the longer pause holds, until a success`() async throws {
        try await Self.withDeliveries(1) { pool in
            func outcome(_ hasSuccess: Bool, _ failures: Int) -> DeliveryStore.EndpointOutcome {
                var outcome = DeliveryStore.EndpointOutcome(endpointID: 1)
                outcome.hasSuccess = hasSuccess
                outcome.failures = failures
                return outcome
            }
            let (failure, success) = (outcome(false, 1), outcome(true, 0))
            let both = outcome(true, 2)
            let counts = try await pool.transaction { db in
                _ = try DeliveryStore.note([failure], in: db)
                let second = try DeliveryStore.note([failure], in: db)
                try DeliveryStore.pause(1, for: .seconds(60), in: db)
                try DeliveryStore.pause(1, for: .seconds(30), in: db)
                let isPaused = try db.run(
                    "SELECT paused_until = now() + interval '60 s' AS is FROM systole.webhook_endpoint"
                ).only().bool("is")
                #expect(isPaused)
                #expect(try DeliveryStore.note([success], in: db).isEmpty)
                let isHealed = try db.run(
                    """
                    SELECT paused_until IS NULL AND failing_since IS NULL AS is
                    FROM systole.webhook_endpoint
                    """
                ).only().bool("is")
                #expect(isHealed)
                // In one batch: a success, and two failures after it.
                let after = try DeliveryStore.note([both], in: db)
                return (second + after).map(\.consecutive)
            }
            #expect(counts == [2, 2])
        }
    }

    @Test func `what was not attempted is due again with its attempts unspent`() async throws {
        try await Self.withDeliveries(1) { pool in
            let claim = try #require(try await Self.claim(pool).first)
            let attempt = DeliveryStore.Attempt(errorClass: "no_socket", took: .zero)
            _ = try await pool.transaction { db in
                try DeliveryStore.finish(
                    [.init(claim, attempt, next: .unattempted(after: .seconds(5)))], in: db)
            }
            let row = try await pool.run(
                """
                SELECT attempts, state || coalesce(attempt::text, '') AS state
                FROM systole.webhook_log
                """
            ).only()
            #expect(try row.int("attempts") == 0)
            #expect(try row.text("state") == "waiting")
        }
    }

    @Test func `the events of an incident are numbered in their order, whoever is told`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.run(
                "SELECT systole.add_webhook('https://a.example/', '{anomaly.resolved}')")
            let types = ["anomaly.opened", "anomaly.updated", "anomaly.resolved"]
            let numbers = try await database.pool.transaction { db in
                var events: [Int64] = []
                for type in types {
                    for incident in [7, 8] as [Int64] {
                        let row = try db.run(
                            """
                            SELECT systole.emit(\(type), 'oil',
                                jsonb_build_object('incident_id', \(incident)::bigint)) AS id
                            """
                        ).only()
                        events.append(try row.int64("id"))
                    }
                }
                let first = try DeliveryStore.messages(for: Array(events.prefix(3)), in: db)
                let rest = try DeliveryStore.messages(for: Array(events.suffix(3)), in: db)
                return (first + rest).map(\.thinData)
            }
            #expect(
                numbers == [
                    #"{"incident_id": 7, "incident_seq": 3}"#,
                    #"{"incident_id": 8, "incident_seq": 3}"#,
                ])
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
