import Foundation
import Logging
import Postgres
import Series
import Store
import Synchronization
import TestSupport
import WebClient

@testable import Notifications

/// A database with endpoints, and deliverers that write down what they log.
struct Office {
    let database: TestDatabase
    let log = LogBook()

    /// Lends an office with a fresh database.
    static func open(_ body: (Office) async throws -> Void) async throws {
        try await withTestDatabase { try await body(Office(database: $0)) }
    }

    /// A deliverer whose time limits only a test that means them meets, however busy the machine.
    func deliverer(
        _ options: DelivererOptions = DelivererOptions(), policy: WebPolicy = .withLoopback,
        totalTimeLimit: Duration = .seconds(120)
    ) -> Deliverer {
        var options = options
        options.lease = .seconds(600)
        let client = WebClient(
            WebConfiguration(
                policy: policy, connectTimeLimit: .seconds(60), totalTimeLimit: totalTimeLimit))
        return Deliverer(
            pool: database.pool, client: client, options: options, chance: { 0 },
            logger: log.logger)
    }

    @discardableResult
    func run(_ sql: SQL) async throws -> Rows { try await database.pool.run(sql) }

    /// Registers a receiver, as a user does.
    func add(
        _ url: String, events: [String] = ["anomaly.opened"], payload: String = "thin"
    ) async throws -> (id: Int64, secret: WebhookSecret) {
        let secret = try await run(
            "SELECT systole.add_webhook(\(url), \(events), payload => \(payload)) AS secret"
        ).only().text("secret")
        let id = try await run("SELECT max(endpoint_id) AS id FROM systole.webhooks").only()
        return (try id.int64("id"), try WebhookSecret(secret))
    }

    /// Appends an event, seen at once by the readers of the outbox.
    func emit(
        _ type: String = "anomaly.opened", _ data: String = #"{"series": "oil"}"#
    ) async throws {
        try await database.pool.transaction { db in
            try db.run("SELECT systole.emit(\(type), 'oil', \(data)::jsonb)")
            try Self.ripen(in: db)
        }
    }

    /// Makes deliveries for every event there is.
    func fanOut() async throws {
        try await database.pool.transaction { db in
            try Self.ripen(in: db)
            while try Fanout.step(in: db).events > 0 {}
        }
    }

    /// Dates all events back to before every running transaction: the outbox holds events back
    /// while any transaction of the server, a neighbouring test's too, could commit an earlier one.
    private static func ripen(in db: borrowing Session) throws {
        try db.run("UPDATE systole.outbox SET xid = '3' WHERE xid <> '3'")
    }

    /// Fans out and does one round of deliveries.
    @discardableResult
    func deliver(_ deliverer: Deliverer) async throws -> Int {
        try await fanOut()
        return try await deliverer.deliverDue()
    }

    /// Lets all waits and pauses be over.
    func passTime() async throws {
        try await run(
            "UPDATE systole.webhook_delivery SET next_try_at = now() WHERE state = 'waiting'")
        try await run("UPDATE systole.webhook_endpoint SET paused_until = NULL")
    }

    /// The delivery log as texts, such as `waiting 500 status`.
    func logRows() async throws -> [String] {
        let rows = try await run(
            "SELECT state, status, error_class FROM systole.webhook_log ORDER BY delivery_id, attempt"
        )
        return try rows.map { row in
            let parts = [
                try row.text("state"), try row.optionalInt("status").map(String.init),
                try row.optionalText("error_class"),
            ]
            return parts.compactMap { $0 }.joined(separator: " ")
        }
    }
}

/// Answers with one status after the other, the last one for ever.
final class Script: Sendable {
    private let statuses: Mutex<[Int]>

    init(_ statuses: Int...) { self.statuses = Mutex(statuses) }

    func next() -> Int {
        statuses.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }
}

extension WebReceiver {
    convenience init(_ script: Script) throws {
        try self.init { _ in .answer(status: script.next()) }
    }
}

/// Everything that was logged, at every level.
final class LogBook: Sendable {
    private let lines = Mutex([String]())
    private let (stream, writer) = AsyncStream.makeStream(of: String.self)

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    /// Waits until something is logged that holds `text`.
    func wait(for text: String) async {
        for await line in stream where line.contains(text) { return }
    }

    var logger: Logger {
        Logger(label: "test") { _ in Page(book: self) }
    }

    private struct Page: LogHandler {
        let book: LogBook
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = "\(event.level) \(event.message) \(event.metadata ?? [:])"
            book.lines.withLock { $0.append(line) }
            book.writer.yield(line)
        }
    }
}
