import Foundation
import Postgres
import Store
import TestSupport
import Testing
import WebClient

@testable import Notifications

/// The SQL that users write.
@Suite struct WebhookFunctionTests {
    static let refusedCalls: [(sql: SQL, state: String, message: String)] = [
        ("add_webhook(NULL)", "SY004", "the webhook address is empty"),
        ("add_webhook('')", "SY004", "the webhook address is empty"),
        ("add_webhook('example.org')", "SY004", "the webhook address has no scheme"),
        (
            "add_webhook('ftp://example.org/')", "SY004",
            "the webhook address starts with ftp://"
        ),
        ("add_webhook('https:///s3cret')", "SY004", "the webhook address names no usable host"),
        ("add_webhook('https://a b/')", "SY004", "has a space"),
        ("add_webhook('https://ä.example/')", "SY004", "one outside ASCII"),
        (#"add_webhook(E'https://a.example/\nX')"#, "SY004", "a control character"),
        ("add_webhook('https://u:s3cret@a.example/')", "SY004", "a user name or password"),
        (#"add_webhook('https://a.example\@b.example/')"#, "SY004", "a backslash"),
        ("add_webhook('https://a.example:99999/')", "SY004", "names port 99999"),
        ("add_webhook('https://a.example:x/')", "SY004", "names no usable host"),
        (
            "add_webhook('http://a.example/s3cret')", "SY004",
            "leaves this machine, to a.example"
        ),
        ("add_webhook('http://127.0.0.1.a.example/')", "SY004", "leaves this machine"),
        ("add_webhook('https://a.example/' || repeat('x', 2048))", "SY004", "2066 characters"),
        ("add_webhook('https://a.example/' || repeat('x', 9982))", "SY004", "10000 characters"),
        ("add_webhook('https://a.example:0/')", "SY004", "names port 0"),
        ("add_webhook('https://a.example/', signature => 'v2')", "SY031", "'v2'"),
        ("add_webhook('https://a.example/', signature => NULL)", "SY031", "no signature NULL"),
        (
            "add_webhook('https://a.example/', secret => 's3cret')", "SY031",
            "a webhook secret of v1 starts with whsec_"
        ),
        (
            "add_webhook('https://a.example/', secret => 'whsk_' || encode(sha256('s3cret'), 'base64'))",
            "SY031", "a webhook secret of v1 starts with whsec_"
        ),
        (
            "add_webhook('https://a.example/', signature => 'v1a', secret => 'whsec_' || encode(sha256('s3cret'), 'base64'))",
            "SY031", "a webhook secret of v1a starts with whsk_"
        ),
        (
            "add_webhook('https://a.example/', secret => 'whsec_s3cret!')", "SY031",
            "is standard base64"
        ),
        (
            "add_webhook('https://a.example/', secret => 'whsec_c2hvcnQ=')", "SY031",
            "24 to 64 bytes, not 5"
        ),
        (
            "add_webhook('https://a.example/', secret => 'whsec_' || encode(sha256('a'), 'base64'), public_key => 'whpk_' || encode(sha256('a'), 'base64'))",
            "SY031", "goes with v1a"
        ),
        ("rotate_webhook(1, secret => 'whpk_s3cret')", "SY031", "starts with whsec_"),
        ("rotate_webhook(1, signature => 'v3')", "SY031", "'v3'"),
        (
            "replay_webhooks(1, '2026-02-01', '2026-01-01')", "SY031", "nothing lies between"
        ),
        ("replay_webhooks(1, accepted => true)", "SY031", "only from a time on"),
        ("add_webhook('https://a.example/', '{}')", "SY031", "no event type is named"),
        ("add_webhook('https://a.example/', NULL)", "SY031", "no event type is named"),
        ("add_webhook('https://a.example/', '{a.b,anomaly.opened}')", "SY031", "'a.b'"),
        ("add_webhook('https://a.example/', payload => 'fat')", "SY031", "'fat'"),
        ("test_webhook(77)", "SY030", "there is no webhook endpoint 77"),
        ("rotate_webhook(NULL)", "SY030", "there is no webhook endpoint NULL"),
        ("rotate_webhook(1, '8 days')", "SY031", "overlap for 8 days"),
        ("rotate_webhook(1, '-1 s')", "SY031", "overlap for"),
        ("enable_webhook(77)", "SY030", "77"), ("disable_webhook(77)", "SY030", "77"),
        ("remove_webhook(77)", "SY030", "77"), ("replay_webhooks(77)", "SY030", "77"),
        ("replay_webhook(77)", "SY030", "there is no webhook delivery 77"),
    ]

    @Test func `a bad address, event or setting gets one sentence and its code`() async throws {
        try await Office.open { office in
            _ = try await office.add("https://a.example/")
            for call in Self.refusedCalls {
                let error = await #expect(throws: PostgresError.self, "\(call.sql)") {
                    try await office.run("SELECT systole.\(call.sql)")
                }
                #expect(error?.sqlState == call.state, "\(call.sql)")
                #expect(
                    error?.message.contains(call.message) == true,
                    "\(call.sql): \(error?.message ?? "")")
                #expect(error?.hint != nil && error?.message.contains("s3cret") == false)
            }
            let count = try await office.run("SELECT count(*) AS count FROM systole.webhooks")
                .only()
            #expect(try count.int("count") == 1)
        }
    }

    @Test func `an unknown event type is answered with those there are`() async throws {
        try await Office.open { office in
            let error = await #expect(throws: PostgresError.self) {
                try await office.run("SELECT systole.add_webhook('https://a.example/', '{x}')")
            }
            let hint = try #require(error?.hint)
            #expect(
                hint.contains("anomaly.opened, anomaly.resolved") && hint.contains("model.promoted")
            )
        }
    }

    @Test(arguments: [
        "https://example.org/hook", "https://example.org:8443/a?b=c", "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/", "http://127.0.0.1:8080/", "http://localhost/",
        "http://[::1]:9/x", "HTTPS://EXAMPLE.ORG",
    ])
    func `a usable address is taken, with a secret of 32 bytes that no view shows`(url: String)
        async throws
    {
        try await Office.open { office in
            let secret = try await office.run("SELECT systole.add_webhook(\(url)) AS s").only()
                .text("s")
            #expect(secret.hasPrefix("whsec_"))
            #expect(Data(base64Encoded: String(secret.dropFirst(6)))?.count == 32)
            let views = try await office.run(
                "SELECT w::text || coalesce((SELECT string_agg(l::text, '') FROM systole.webhook_log AS l), '') AS t FROM systole.webhooks AS w"
            )
            #expect(try !views.only().text("t").contains("whsec"))
        }
    }

    @Test func `no two secrets are alike`() async throws {
        try await Office.open { office in
            let row = try await office.run(
                """
                SELECT count(DISTINCT systole.webhook_secret_new()) AS count
                FROM generate_series(1, 1000)
                """
            ).only()
            #expect(try row.int("count") == 1000)
        }
    }

    @Test func `a ping goes to the endpoint it was asked for, and nowhere else`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            _ = try await office.add(receiver.root + "/one")
            let two = try await office.add(receiver.root + "/two")
            try await office.run("SELECT systole.test_webhook(\(two.id))")
            #expect(try await office.deliver(office.deliverer()) == 1)
            let request = try #require(receiver.received.first)
            #expect(request.requestLine == "POST /two HTTP/1.1")
            #expect(
                try DelivererTests.verified(request, by: two.secret)["type"] as? String == "ping")
        }
    }

    @Test func `during a rotation both secrets verify, afterwards the new one alone`() async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (id, old) = try await office.add(receiver.root)
            let text = try await office.run("SELECT systole.rotate_webhook(\(id)) AS s").only()
                .text("s")
            let new = try WebhookSecret(text)
            let deliverer = office.deliverer()
            try await office.emit()
            try await office.deliver(deliverer)
            let during = try #require(receiver.received.last)
            _ = try DelivererTests.verified(during, by: old)
            _ = try DelivererTests.verified(during, by: new)
            try await office.run(
                "UPDATE systole.webhook_endpoint SET secret_previous_until = now()")
            try await office.emit()
            try await office.deliver(deliverer)
            let after = try #require(receiver.received.last)
            _ = try DelivererTests.verified(after, by: new)
            #expect(throws: Signature.Fault.noSignatureMatches) {
                try DelivererTests.verified(after, by: old)
            }
        }
    }

    @Test func `a rotation without overlap forgets the old secret at once`() async throws {
        try await Office.open { office in
            let (id, _) = try await office.add("https://a.example/")
            try await office.run("SELECT systole.rotate_webhook(\(id), '0')")
            let row = try await office.run(
                "SELECT secret_previous IS NULL AS gone FROM systole.webhook_endpoint"
            ).only()
            #expect(try row.bool("gone"))
        }
    }

    @Test func `a delivery can be replayed by number, and one that runs is left alone`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            let deliverer = office.deliverer()
            try await office.deliver(deliverer)
            let id = try await office.run("SELECT delivery_id FROM systole.webhook_log").only()
                .int64("delivery_id")
            try await office.run("SELECT systole.replay_webhook(\(id))")
            _ = try await deliverer.claim(atMost: 1)
            try await office.run("SELECT systole.replay_webhook(\(id))")
            #expect(try await deliverer.claim(atMost: 1).isEmpty)
            let state = try await office.run("SELECT DISTINCT state FROM systole.webhook_log")
            #expect(try state.only().text("state") == "running")
        }
    }

    @Test func `a removed endpoint is sent nothing and its secrets are gone`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (id, _) = try await office.add(receiver.root)
            try await office.run("SELECT systole.rotate_webhook(\(id))")
            try await office.emit()
            try await office.fanOut()
            try await office.run("SELECT systole.remove_webhook(\(id))")
            try await office.emit()
            #expect(try await office.deliver(office.deliverer()) == 0)
            #expect(receiver.received.isEmpty)
            #expect(try await office.logRows() == ["exhausted"])
            let row = try await office.run(
                """
                SELECT secret || coalesce(secret_previous, '') AS secrets,
                    (SELECT count(*) FROM systole.webhooks) AS listed
                FROM systole.webhook_endpoint
                """
            ).only()
            #expect(try row.text("secrets") == "" && row.int("listed") == 0)
        }
    }

    @Test func `old deliveries go, owed ones stay`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (id, _) = try await office.add(receiver.root)
            for _ in 0..<2 { try await office.emit() }
            try await office.deliver(office.deliverer())
            try await office.run(
                """
                UPDATE systole.webhook_delivery SET finished_at = now() - interval '31 days'
                WHERE delivery_id = (SELECT min(delivery_id) FROM systole.webhook_delivery)
                """)
            try await office.run("SELECT systole.disable_webhook(\(id))")
            for _ in 0..<2 { try await office.emit() }
            try await office.fanOut()
            try await office.run(
                """
                UPDATE systole.webhook_delivery SET created_at = now() - interval '31 days'
                WHERE delivery_id = (SELECT max(delivery_id) FROM systole.webhook_delivery)
                """)
            let pruned = try await office.run("SELECT systole.prune_webhooks() AS count").only()
            #expect(try pruned.int("count") == 2)
            #expect(try await office.logRows() == ["accepted 204", "waiting"])
        }
    }

    @Test func `nothing of webhooks is open to everybody, and all of it is explained`() async throws
    {
        try await Office.open { office in
            // pg_monitor stands for any role without a grant of ours.
            let open = try await office.run(
                """
                SELECT c.relname::text AS name FROM pg_class AS c
                WHERE c.relnamespace = 'systole'::regnamespace AND c.relname LIKE 'webhook%'
                    AND c.relkind IN ('r', 'v')
                    AND has_table_privilege('pg_monitor', c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                UNION ALL
                SELECT p.proname FROM pg_proc AS p
                WHERE p.pronamespace = 'systole'::regnamespace AND p.proname LIKE '%webhook%'
                    AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
                """)
            #expect(try open.allTexts("name") == [])
            let silent = try await office.run(
                """
                SELECT c.relname::text AS name FROM pg_class AS c
                WHERE c.relnamespace = 'systole'::regnamespace AND c.relname LIKE 'webhook%'
                    AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL
                UNION ALL
                SELECT p.proname FROM pg_proc AS p
                WHERE p.pronamespace = 'systole'::regnamespace AND p.proname LIKE '%webhook%'
                    AND obj_description(p.oid, 'pg_proc') IS NULL
                """)
            #expect(try silent.allTexts("name") == [])
        }
    }
}
