import Postgres
import TestSupport
import Testing

@testable import Notifications

/// The promises about webhooks as queries: kept after ordinary work, and each broken by what is
/// planted.
@Suite(.timeLimit(.minutes(2))) struct PromiseTests {
    private static let owed = "every event that was fanned out is owed once to everybody"
    private static let answered = "every webhook that was accepted has an attempt"
    private static let identified = "an event has one webhook-id for everybody"

    /// Two endpoints that accept, one that is down and one that is disabled; events of all types, a
    /// ping, and an event that is still to be fanned out.
    private func work(_ office: Office, _ receiver: WebReceiver) async throws {
        let types = try await office.run(
            "SELECT type FROM systole.webhook_event_type ORDER BY type"
        ).allTexts("type")
        for path in ["one", "two", "off"] {
            _ = try await office.add(receiver.root + "/" + path, events: types)
        }
        let refusing = try WebReceiver(status: 500)
        defer { refusing.stop() }
        let down = try await office.add(refusing.root, events: ["anomaly.opened"])
        try await office.run("SELECT systole.disable_webhook(3)")
        for type in types { try await office.emit(type) }
        try await office.run("SELECT systole.test_webhook(\(down.id))")
        // As made long ago: a test dates its events back.
        try await office.run("UPDATE systole.webhook_endpoint SET created_xid = '1'")
        let deliverer = office.deliverer()
        while try await office.deliver(deliverer) > 0 {}
        try await office.run("SELECT systole.emit('anomaly.opened', 'oil', '{}')")
        _ = try await office.add(receiver.root + "/late", events: ["anomaly.opened"])
    }

    private func broken(_ office: Office) async throws -> [String] {
        try await office.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0 ORDER BY promise"
        ).allTexts("promise")
    }

    @Test func `they hold after deliveries, refusals, disabling, removal and pruning`() async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            try await work(office, receiver)
            #expect(try await broken(office) == [])
            try await office.run("SELECT systole.replay_webhooks(1, '-infinity', accepted => true)")
            #expect(try await broken(office) == [])
            try await office.run("SELECT systole.remove_webhook(2)")
            #expect(try await broken(office) == [])
            try await office.deliverer().deliverDue()
            let pruned = try await office.run(
                "SELECT systole.prune_webhooks(interval '0') AS pruned"
            ).only().int("pruned")
            #expect(pruned > 10)
            #expect(try await broken(office) == [])
        }
    }

    @Test(arguments: [
        (
            """
            DELETE FROM systole.webhook_delivery
            WHERE endpoint_id = 2 AND event_type = 'anomaly.opened'
            """, owed
        ),
        ("DELETE FROM systole.webhook_delivery WHERE state = 'waiting' AND endpoint_id = 3", owed),
        ("DELETE FROM systole.webhook_delivery WHERE event_type = 'ping'", owed),
        // A reader that went on without telling anybody.
        (
            """
            UPDATE systole.outbox_cursor SET (xid, event_id) =
                (SELECT xid, event_id FROM systole.outbox ORDER BY xid DESC, event_id DESC LIMIT 1)
            """, owed
        ),
        (
            """
            UPDATE systole.webhook_endpoint SET events = '{model.promoted}' WHERE endpoint_id = 1
            """, owed
        ),
        (
            """
            UPDATE systole.webhook_delivery SET endpoint_id = 1 WHERE event_type = 'ping'
            """, owed
        ),
        (
            """
            DELETE FROM systole.webhook_attempt
            WHERE delivery_id = (SELECT min(delivery_id) FROM systole.webhook_delivery
                WHERE state = 'accepted')
            """, answered
        ),
        ("UPDATE systole.webhook_attempt SET status = 302 WHERE status = 204", answered),
        (
            """
            UPDATE systole.webhook_delivery SET message_id = 'msg_x'
            WHERE endpoint_id = 1 AND event_type = 'anomaly.opened'
            """, identified
        ),
        (
            """
            UPDATE systole.webhook_delivery SET message_id = 'msg_x'
            WHERE event_type LIKE 'anomaly.%'
            """, identified
        ),
    ])
    func `what breaks one is found`(damage: String, promise: String) async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            try await work(office, receiver)
            try await office.run("\(raw: damage)")
            let found = try await broken(office)
            #expect(found.count == 1 && found[0].hasPrefix(promise), "\(found)")
        }
    }
}
