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

    static let benchmark = Benchmark("webhooks.latency") { setting in
        let database = try await setting.databases.make()
        let watch = Watch()
        let receiver = try LoopbackReceiver { watch.received($0) }
        for number in 0..<endpoints {
            let text = try await database.pool.run(
                """
                SELECT systole.add_webhook(\("\(receiver.root)/\(number)"), '{anomaly.opened}') AS s
                """
            ).only().text("s")
            try watch.know(WebhookSecret(text), of: number)
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
            ours: Contestant("Notifications.Deliverer") { try await steadily(own, watch) },
            opponents: [], figures: { watch.figures() },
            finish: {
                work.cancel()
                try await work.value
                await own.close()
                receiver.stop()
                try await database.drop()
            })
    }

    private static func steadily(_ connection: Connection, _ watch: Watch) async throws {
        let start = ContinuousClock.now
        for index in 0..<(perSecond * seconds) {
            try await Task.sleep(until: start + .seconds(1) / perSecond * index)
            let number = watch.added()
            let letters = String(number % endpoints).utf8.map {
                String(UnicodeScalar(UInt8(ascii: "a") + $0 - UInt8(ascii: "0")))
            }
            try await connection.withSession { db in
                _ = try Outbox.append(
                    type: "bench.of" + letters.joined(), subject: "bench",
                    data: "{\"series_id\":\(number)}", in: db)
            }
        }
        while watch.isOwed {
            guard ContinuousClock.now < start + .seconds(60) else {
                throw BenchmarkError("webhooks.latency: not all events arrived within a minute")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// When each event was added, and how long it took to be verified.
    private final class Watch: Sendable {
        private struct State {
            var added: [ContinuousClock.Instant] = []
            var waits: [Double] = []
            var secrets: [Int: WebhookSecret] = [:]
            var refused = 0
        }

        private let state = Mutex(State())

        var isOwed: Bool { state.withLock { $0.waits.count + $0.refused < $0.added.count } }

        func know(_ secret: WebhookSecret, of endpoint: Int) {
            state.withLock { $0.secrets[endpoint] = secret }
        }

        /// Returns the number of an event that is being added now.
        func added() -> Int {
            state.withLock { state in
                state.added.append(.now)
                return state.added.count - 1
            }
        }

        func received(_ bytes: ArraySlice<UInt8>) {
            let text = String(decoding: bytes, as: UTF8.self)
            let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
            guard parts.count == 2, let number = text.firstMatch(of: /"series_id": ?([0-9]+)/),
                let event = Int(number.1), let path = text.firstMatch(of: #/^POST /([0-9]+) /#),
                let endpoint = Int(path.1), let secret = state.withLock({ $0.secrets[endpoint] })
            else { return }
            var headers: [String: String] = [:]
            for line in parts[0].split(separator: "\r\n") {
                let field = line.split(separator: ":", maxSplits: 1)
                guard field.count == 2 else { continue }
                headers[field[0].lowercased()] = field[1].trimmingCharacters(in: .whitespaces)
            }
            let isVerified: Bool
            do {
                try Signature.verify(
                    headers: headers, body: Array(parts[1].utf8), secret: secret,
                    now: Int64(Date().timeIntervalSince1970))
                isVerified = true
            } catch {
                isVerified = false
            }
            let now = ContinuousClock.now
            state.withLock { state in
                if isVerified {
                    state.waits.append((now - state.added[event]) / .milliseconds(1))
                } else {
                    state.refused += 1
                }
            }
        }

        func figures() -> [String: Double] {
            let (unsorted, refused) = state.withLock { ($0.waits, $0.refused) }
            let waits = unsorted.sorted()
            guard let longest = waits.last else { return [:] }
            func quantile(_ p: Double) -> Double { waits[Int(p * Double(waits.count - 1))] }
            return [
                "wait_p50_ms": quantile(0.5), "wait_p95_ms": quantile(0.95),
                "wait_p99_ms": quantile(0.99), "wait_longest_ms": longest,
                "events": Double(waits.count), "refused": Double(refused),
            ]
        }
    }
}
