import Postgres
import TestSupport
import Testing

@testable import Notifications

/// Notices, replays and retention.
@Suite struct EndpointLifeTests {
    @Test func `an endpoint that keeps failing is told of three times before it is disabled`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver { request in
                .answer(status: request.requestLine.contains("/bad") ? 500 : 204)
            }
            defer { receiver.stop() }
            let bad = try await office.add(receiver.root + "/bad")
            let (_, secret) = try await office.add(
                receiver.root + "/watch", events: ["endpoint.failing", "endpoint.disabled"])
            for _ in 0..<8 { try await office.emit() }
            let deliverer = office.deliverer()
            // Hours of failing, as the clock would bring them.
            for hours in [1, 61, 62, 85, 109, 119, 121] {
                try await office.deliver(deliverer)
                try await office.run(
                    """
                    UPDATE systole.webhook_endpoint
                    SET failing_since = now() - \(hours) * interval '1 hour'
                    WHERE endpoint_id = \(bad.id)
                    """)
                try await office.passTime()
            }
            for _ in 0..<2 { try await office.deliver(deliverer) }
            var told: [String] = []
            for request in receiver.received where request.requestLine.contains("/watch") {
                let body = try DelivererTests.verified(request, by: secret)
                let data = body["data"] as? [String: Any]
                #expect(data?["endpoint_id"] as? Int64 == bad.id)
                let type = body["type"] as? String ?? ""
                #expect((data?["disabled_at"] != nil) == (type == "endpoint.failing"))
                told.append(type)
            }
            #expect(
                told == Array(repeating: "endpoint.failing", count: 3) + ["endpoint.disabled"])
        }
    }

    @Test func `a success takes the notices back`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(Script(500, 500, 204, 500))
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            for _ in 0..<3 { try await office.emit() }
            let deliverer = office.deliverer(DelivererOptions(concurrencyPerEndpoint: 1))
            var notices: [Int] = []
            for _ in 0..<3 {
                try await office.deliver(deliverer)
                let row = try await office.run("SELECT notices FROM systole.webhook_endpoint")
                notices.append(try row.only().int("notices"))
                try await office.run(
                    """
                    UPDATE systole.webhook_endpoint SET failing_since = now() - interval '4 days'
                    WHERE failing_since IS NOT NULL
                    """)
            }
            #expect(notices == [0, 2, 0])
        }
    }

    @Test func `a range is replayed, what was accepted only where it is asked for`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (id, _) = try await office.add(receiver.root)
            for _ in 0..<6 { try await office.emit() }
            let deliverer = office.deliverer()
            for _ in 0..<2 { try await office.deliver(deliverer) }
            // One an hour, at 10:30 and so on; the odd ones were given up.
            try await office.run(
                """
                UPDATE systole.webhook_delivery
                SET finished_at = '2026-11-20 09:30+00'::timestamptz
                        + delivery_id * interval '1 hour',
                    state = CASE WHEN delivery_id % 2 = 1 THEN 'exhausted' ELSE 'accepted' END
                """)
            let calls: [(SQL, Int)] = [
                ("\(id), '2026-11-20 11:00+00', '2026-11-20 13:00+00'", 1),
                ("\(id), '2026-11-20 11:00+00', '2026-11-20 15:00+00', accepted => true", 3),
                ("\(id), until => '2026-11-20 11:00+00'", 0), ("\(id), '-infinity'", 1),
                ("\(id)", 0),
            ]
            for (arguments, count) in calls {
                let row = try await office.run(
                    "SELECT systole.replay_webhooks(\(arguments)) AS count"
                ).only()
                #expect(try row.int("count") == count, "\(arguments)")
            }
            for _ in 0..<2 { try await office.deliver(deliverer) }
            #expect(receiver.received.count == 11)
            #expect(Set(receiver.received.map { $0.headers["webhook-id"] }).count == 6)
        }
    }

    @Test func `old events go once every reader has passed them`() async throws {
        try await Office.open { office in
            for _ in 0..<3 { try await office.emit() }
            try await office.fanOut()
            try await office.run(
                "UPDATE systole.outbox SET at = now() - interval '31 days' WHERE event_id < 3")
            try await office.run("INSERT INTO systole.outbox_cursor (consumer) VALUES ('late')")
            func pruned() async throws -> Int {
                try await office.run("SELECT systole.prune_outbox() AS count").only().int("count")
            }
            #expect(try await pruned() == 0)
            try await office.run("DELETE FROM systole.outbox_cursor WHERE consumer = 'late'")
            #expect(try await pruned() == 2)
            let left = try await office.run("SELECT event_id FROM systole.outbox")
            #expect(try left.allInt64s("event_id") == [3])
        }
    }
}
