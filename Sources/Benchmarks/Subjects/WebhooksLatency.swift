import Foundation
import Logging
import Notifications
import Postgres
import Store
import Synchronization
import WebClient

/// How long an event waits at a steady load: from before the statement that adds it, its commit
/// included, until its receiver has verified the signature.
///
/// The part of an anomaly's way that webhooks answer for; scoring comes before it.
enum WebhooksLatency {
    static let perSecond = 200
    static let seconds = 4
    static let endpoints = 100
    /// Number of the next event, over all runs.
    private static let next = Atomic(0)

    static let benchmark = Benchmark("webhooks.latency") { setting in
        let database = try await setting.databases.make()
        let waits = WaitTally()
        let secrets = Mutex<[Int: WebhookSecret]>([:])
        let receiver = try LoopbackReceiver { bytes in
            waits.received(bytes, number: event) { text in
                endpoint(text).flatMap { number in secrets.withLock { $0[number] } }
            }
        }
        for number in 0..<endpoints {
            let text = try await database.pool.run(
                """
                SELECT systole.add_webhook(\("\(receiver.root)/\(number)"), '{anomaly.opened}') AS s
                """
            ).only().text("s")
            let secret = try WebhookSecret(text)
            secrets.withLock { $0[number] = secret }
        }
        // Each event goes to one of them.
        try await database.pool.run(
            """
            INSERT INTO systole.webhook_event_type
            SELECT 'bench.of' || translate(n::text, '0123456789', 'abcdefghij'), '' FROM generate_series(0, \(endpoints - 1)) n
            """)
        try await database.pool.run(
            """
            UPDATE systole.webhook_endpoint
            SET events = ARRAY['bench.of' || translate(substring(url FROM '[0-9]+$'), '0123456789', 'abcdefghij')]
            """)
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let deliverer = Deliverer(
            pool: database.pool, client: WebClient(WebConfiguration(policy: .withLoopback)),
            chance: { 0 }, logger: logger)
        let work = Task { try await deliverer.run() }
        let own = try await Connection.open(database.pool.configuration)
        return Contest(
            what: """
                \(perSecond) events/s added one by one for \(seconds) s, each in its own transaction \
                and for one of \(endpoints) endpoints on loopback, by one deliverer as shipped; the \
                waits are of all runs together
                """,
            work: Work(perSecond * seconds, "deliveries"),
            ours: Contestant("Notifications.Deliverer") { try await steadily(own, waits) },
            opponents: [], figures: { waits.figures() },
            finish: {
                work.cancel()
                try await work.value
                await own.close()
                receiver.stop()
                try await database.drop()
            })
    }

    private static func steadily(_ connection: Connection, _ waits: WaitTally) async throws {
        let start = ContinuousClock.now
        for index in 0..<(perSecond * seconds) {
            try await Task.sleep(until: start + .seconds(1) / perSecond * index)
            let number = next.add(1, ordering: .relaxed).oldValue
            waits.sent(number)
            let letters = String(number % endpoints).utf8.map {
                String(UnicodeScalar(UInt8(ascii: "a") + $0 - UInt8(ascii: "0")))
            }
            try await connection.withSession { db in
                _ = try Outbox.append(
                    type: "bench.of" + letters.joined(), subject: "bench",
                    data: "{\"series_id\":\(number)}", in: db)
            }
        }
        while waits.isOwed {
            guard ContinuousClock.now < start + .seconds(60) else {
                throw BenchmarkError("webhooks.latency: not all events arrived within a minute")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Which event a request tells of.
    private static func event(_ text: String) -> Int? {
        text.firstMatch(of: /"series_id": ?([0-9]+)/).flatMap { Int($0.1) }
    }

    /// The endpoint that a request is for.
    private static func endpoint(_ text: String) -> Int? {
        text.firstMatch(of: #/^POST /([0-9]+) /#).flatMap { Int($0.1) }
    }
}
