import Foundation
import Logging
import Notifications
import Postgres
import Store
import WebClient

/// Webhooks from committed events to recorded answers: fan-out, claim, signature, request on a
/// kept connection, attempt log.
///
/// Limit: the round trips of the receiver and the commits of the server. The opponent is the least
/// that sends: one connection, one signed request after the other, no database.
enum WebhookDeliver {
    static let events = 64
    static let endpoints = 8

    static let benchmark = Benchmark("webhook.deliver") { setting in
        let database = try await setting.databases.make()
        let receiver = try LoopbackReceiver()
        let root = "http://127.0.0.1:\(receiver.port)"
        for number in 0..<endpoints {
            try await database.pool.run(
                """
                SELECT systole.add_webhook(\("\(root)/\(number)"), '{forecast.completed}')
                """)
        }
        return Contest(
            what: "\(events) events to \(endpoints) endpoints on loopback, 4 requests at once each",
            work: Work(events * endpoints, "deliveries"),
            ours: Contestant(measuring: "Notifications.Deliverer") { repetitions in
                var total = Duration.zero
                for _ in 0..<repetitions {
                    try await renew(database)
                    total += try await deliver(database)
                }
                return total / .seconds(1)
            },
            opponents: [
                setting.peers.opponent(
                    "http.client, one signed request after the other, no database",
                    script: "web.py", workload: "sequential",
                    arguments: [String(receiver.port), String(events * endpoints)],
                    threads: setting.threads)
            ],
            finish: {
                receiver.stop()
                try await database.drop()
            })
    }

    /// Forgets the deliveries of the run before, and commits new events.
    private static func renew(_ database: Database) async throws {
        try await database.pool.run("TRUNCATE systole.webhook_delivery CASCADE")
        try await database.pool.transaction { db in
            for number in 0..<events {
                try Outbox.append(
                    type: "forecast.completed", subject: "bench",
                    data: #"{"series":"bench","series_id":1,"steps":\#(number)}"#, in: db)
            }
        }
    }

    /// How long it takes until every delivery is recorded as accepted.
    private static func deliver(_ database: Database) async throws -> Duration {
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        let deliverer = Deliverer(
            pool: database.pool, client: WebClient(WebConfiguration(policy: .withLoopback)),
            options: DelivererOptions(pollInterval: .milliseconds(5)),
            chance: { 0 }, logger: logger)
        let start = ContinuousClock.now
        let work = Task { try await deliverer.run() }
        defer { work.cancel() }
        while try await accepted(database) < events * endpoints {
            guard ContinuousClock.now < start + .seconds(120) else {
                throw BenchmarkError(
                    "not delivered within two minutes; events wait for every older transaction "
                        + "of the server, also of other databases")
            }
            // Long against the query, short against the whole.
            try await Task.sleep(for: .milliseconds(5))
        }
        let took = ContinuousClock.now - start
        work.cancel()
        try await work.value
        return took
    }

    private static func accepted(_ database: Database) async throws -> Int {
        try await database.pool.run(
            "SELECT count(*) AS count FROM systole.webhook_delivery WHERE state = 'accepted'"
        ).only().int("count")
    }
}
