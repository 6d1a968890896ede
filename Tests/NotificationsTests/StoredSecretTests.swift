import Foundation
import Postgres
import TestSupport
import Testing

@testable import Notifications

/// Secrets as they lie in the database.
@Suite struct StoredSecretTests {
    static func keys(_ seeds: UInt8...) throws -> SealingKeys {
        try SealingKeys(
            seeds.map { Data(repeating: $0, count: 32).base64EncodedString() }
                .joined(separator: "\n"))
    }

    static func options(_ keys: SealingKeys) -> DelivererOptions {
        DelivererOptions(sealingKeys: keys)
    }

    /// All that the endpoint table holds, as text.
    static func table(_ office: Office) async throws -> String {
        try await office.run(
            "SELECT string_agg(e::text, ' ') AS t FROM systole.webhook_endpoint AS e"
        ).only().text("t")
    }

    @Test func `with a key secrets come to lie sealed, and sign all the same`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (id, old) = try await office.add(receiver.root)
            let text = try await office.run("SELECT systole.rotate_webhook(\(id)) AS s").only()
                .text("s")
            let new = try WebhookSecret(text)
            #expect(try await Self.table(office).contains("whsec_"))
            let sealing = try office.deliverer(Self.options(Self.keys(1)))
            try await office.emit()
            try await office.deliver(sealing)
            #expect(try await !Self.table(office).contains("whsec_"))
            let row = try await office.run(
                "SELECT is_sealed, secret_previous_until > now() AS overlaps FROM systole.webhooks"
            ).only()
            #expect(try row.bool("is_sealed") && row.bool("overlaps"))
            let request = try #require(receiver.received.last)
            for secret in [old, new] { _ = try DelivererTests.verified(request, by: secret) }
            // Sealed anew under a newer key.
            let newest = try Self.keys(2, 1)
            try await office.emit()
            try await office.deliver(office.deliverer(Self.options(newest)))
            let table = try await Self.table(office)
            #expect(table.contains(newest.ids[0]) && !table.contains(newest.ids[1]))
            let again = try #require(receiver.received.last)
            for secret in [old, new] { _ = try DelivererTests.verified(again, by: secret) }
        }
    }

    @Test func `who lacks the key tries nothing, and spends nothing`() async throws {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            _ = try await office.add(receiver.root)
            try await office.emit()
            try await office.deliver(office.deliverer(try Self.options(Self.keys(1))))
            try await office.emit()
            for keys in [SealingKeys.none, try Self.keys(2)] {
                #expect(try await office.deliver(office.deliverer(Self.options(keys))) == 0)
            }
            #expect(try await office.logRows() == ["accepted 204", "waiting"])
            #expect(
                try await office.deliver(office.deliverer(try Self.options(Self.keys(2, 1)))) == 1)
        }
    }

    @Test func `a secret whose overlap is over is wiped`() async throws {
        try await Office.open { office in
            let (id, _) = try await office.add("https://a.example/")
            try await office.run("SELECT systole.rotate_webhook(\(id))")
            let deliverer = office.deliverer()
            for isOver in [false, true] {
                if isOver {
                    try await office.run(
                        "UPDATE systole.webhook_endpoint SET secret_previous_until = now()")
                }
                try await office.deliver(deliverer)
                let row = try await office.run(
                    """
                    SELECT secret_previous IS NULL AND secret_previous_until IS NULL AS wiped
                    FROM systole.webhook_endpoint
                    """
                ).only()
                #expect(try row.bool("wiped") == isOver)
            }
        }
    }

    @Test func `a key pair made in SQL gets its public key, by which receivers verify`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let made = try await office.run(
                """
                SELECT systole.add_webhook(\(receiver.root), '{anomaly.opened}',
                    signature => 'v1a') AS s
                """
            ).only()
            #expect(try made.optionalText("s") == nil)
            let deliverer = try office.deliverer(Self.options(Self.keys(1)))
            try await office.emit()
            try await office.deliver(deliverer)
            let row = try await office.run(
                "SELECT signature, public_key FROM systole.webhooks"
            ).only()
            #expect(try row.text("signature") == "v1a")
            let key = try WebhookPublicKey(row.text("public_key"))
            let request = try #require(receiver.received.last)
            let sent = try #require(Int64(request.headers["webhook-timestamp"] ?? ""))
            try Signature.verify(
                headers: request.headers, body: request.body, publicKey: key, now: sent)
            #expect(try await !Self.table(office).contains("whsk_"))
        }
    }

    @Test func `a change from shared to asymmetric signatures overlaps like any rotation`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            let (id, old) = try await office.add(receiver.root)
            let new = WebhookSecret(.v1a, from: Array(repeating: 5, count: 32))
            let keys = try Self.keys(1)
            let answer = try await office.run(
                """
                SELECT systole.rotate_webhook(\(id), signature => 'v1a',
                    secret => \(keys.seal(new.revealed)), public_key => \(new.publicKey?.text)) AS s
                """
            ).only()
            #expect(try answer.optionalText("s") == new.publicKey?.text)
            try await office.emit()
            try await office.deliver(office.deliverer(Self.options(keys)))
            let request = try #require(receiver.received.last)
            for secret in [old, new] { _ = try DelivererTests.verified(request, by: secret) }
            #expect(
                request.headers["webhook-signature"]?.contains(/^v1a,[^ ]{88} v1,[^ ]{44}$/) == true
            )
        }
    }
}
