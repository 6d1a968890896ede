import Foundation
import Logging
import Notifications
import Postgres
import Store
import WebClient

/// How many webhooks a second one process delivers, and what dead endpoints take from that.
///
/// From committed events to recorded answers: fan-out, claim, signature, request on a kept
/// connection, attempt log. Everything is on this machine: PostgreSQL in processes of its own, the
/// receivers on threads of this process.
///
/// Limit: what the sender, the receivers and the server compute on the same cores.
enum WebhooksRate {
    static let healthy = 700
    static let dead = 300
    static let receivers = 10
    static let events = 10

    static let benchmarks = [
        Benchmark("webhooks.rate") { setting in
            let office = try await Office(setting)
            return Contest(
                what: """
                    \(events) events to \(healthy) endpoints on \(receivers) ports of loopback, \
                    until every answer is recorded; receivers on threads of the same process
                    """,
                work: Work(events * healthy, "deliveries"),
                ours: Contestant(measuring: "Notifications.Deliverer") { repetitions in
                    try await office.measure(repetitions, withDead: false)
                },
                opponents: [], finish: { try await office.close() })
        },
        Benchmark("webhooks.dead") { setting in
            let office = try await Office(setting)
            return Contest(
                what: """
                    the same with \(dead) dead endpoints more, half of them refusing and half never \
                    answering, all found dead in this run; until every answer of the others is \
                    recorded. The ratio is the part of the rate that they keep
                    """,
                work: Work(events * healthy, "deliveries"),
                ours: Contestant(measuring: "Notifications.Deliverer") { repetitions in
                    try await office.measure(repetitions, withDead: true)
                },
                opponents: [
                    .present(
                        Contestant(measuring: "without the dead ones") { repetitions in
                            try await office.measure(repetitions, withDead: false)
                        })
                ],
                finish: { try await office.close() })
        },
    ]

    /// A database with endpoints, and their receivers.
    private struct Office {
        let database: Database
        let open: [LoopbackReceiver]
        let silent: LoopbackReceiver

        init(_ setting: Setting) async throws {
            database = try await setting.databases.make()
            open = try (0..<WebhooksRate.receivers).map { _ in try LoopbackReceiver() }
            silent = try LoopbackReceiver(isSilent: true)
            // Nobody listens on the port of a receiver that has stopped.
            let refusing = try LoopbackReceiver()
            refusing.stop()
            var roots = (0..<WebhooksRate.healthy).map { open[$0 % open.count].root }
            roots += (0..<WebhooksRate.dead).map {
                $0.isMultiple(of: 2) ? silent.root : refusing.root
            }
            try await database.pool.run(
                """
                SELECT systole.add_webhook(root || '/' || number, '{forecast.completed}',
                    description => CASE WHEN number > \(WebhooksRate.healthy) THEN 'dead' END)
                FROM unnest(\(roots)::text[]) WITH ORDINALITY AS t (root, number)
                """)
        }

        func close() async throws {
            for receiver in open + [silent] { receiver.stop() }
            try await database.drop()
        }

        func measure(_ repetitions: Int, withDead: Bool) async throws -> Double {
            var total = Duration.zero
            for _ in 0..<repetitions {
                try await renew(withDead: withDead)
                total += try await deliver()
            }
            return total / .seconds(1)
        }

        /// Forgets the deliveries of the run before, and commits new events.
        private func renew(withDead: Bool) async throws {
            try await database.pool.run("TRUNCATE systole.webhook_delivery CASCADE")
            try await database.pool.run(
                """
                UPDATE systole.webhook_endpoint
                SET failures_consecutive = 0, failing_since = NULL, paused_until = NULL,
                    state = CASE WHEN \(withDead)::boolean OR description IS NULL
                        THEN 'enabled' ELSE 'removed' END
                """)
            try await database.pool.transaction { db in
                try Outbox.append(
                    type: "forecast.completed",
                    (0..<WebhooksRate.events).map { number in
                        ("bench", #"{"series":"bench","series_id":1,"steps":\#(number)}"#)
                    }, in: db)
            }
        }

        private func deliver() async throws -> Duration {
            let wanted = WebhooksRate.events * WebhooksRate.healthy
            var logger = Logger(label: "bench")
            logger.logLevel = .error
            let deliverer = Deliverer(
                pool: database.pool, client: WebClient(WebConfiguration(policy: .withLoopback)),
                chance: { 0 }, logger: logger)
            let answered = open.map(\.count).reduce(wanted, +)
            let start = ContinuousClock.now
            let work = Task { try await deliverer.run() }
            defer { work.cancel() }
            // Long against the query, short against the whole.
            while true {
                guard ContinuousClock.now < start + .seconds(90) else {
                    throw BenchmarkError(
                        "not delivered within 90 s; events wait for every older transaction of "
                            + "this database")
                }
                try await Task.sleep(for: .milliseconds(5))
                guard open.map(\.count).reduce(0, +) >= answered else { continue }
                if try await accepted() >= wanted { break }
            }
            let took = ContinuousClock.now - start
            work.cancel()
            try await work.value
            return took
        }

        private func accepted() async throws -> Int {
            try await database.pool.run(
                "SELECT count(*) AS count FROM systole.webhook_delivery WHERE state = 'accepted'"
            ).only().int("count")
        }
    }
}
