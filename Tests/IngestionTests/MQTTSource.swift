import Foundation
import Jobs
import Logging
import Messaging
import Postgres
import Series
import Store
import Synchronization
import TestSupport

@testable import Ingestion

/// A broker, a database, and a source named `plant` between them.
struct MQTTSource {
    let broker: TestBroker
    let pool: Pool
    let source: Source
    var connector = MQTTConnector()

    /// Our clock when a pull begins: what comes without a time must not lie ahead of the server's.
    static var now: Timestamp { Timestamp(unixSeconds: Date().timeIntervalSince1970) }

    init(
        _ broker: TestBroker, _ database: TestDatabase, topics: [TopicRoute],
        isRevisable: Bool = false, change: (inout MQTTSettings) -> Void = { _ in }
    ) async throws {
        self.broker = broker
        pool = database.pool
        var settings = MQTTSettings(url: broker.url, topics: topics)
        settings.batchMilliseconds = 10
        settings.sliceSeconds = 30
        change(&settings)
        let json = try settings.json()
        source = try await pool.transaction { db in
            try SourceStore.add(
                name: "plant", kind: MQTTConnector.kind, settings: json,
                isRevisable: isRevisable, in: db)
        }
        connector.patience = Array(repeating: .milliseconds(50), count: 5)
        // From now on the broker keeps what is published.
        _ = try await pull(messages: 0)
    }

    /// The pull has done what it should, and is stopped.
    struct Enough: Error {}
    /// The worker is gone.
    struct Killed: Error {}

    /// Who pulls.
    var worker: MQTTWorker { MQTTWorker(pool: pool, source: source, connector: connector) }

    /// As the worker's.
    @discardableResult
    func pull(messages: Int, now: Timestamp = Self.now) async throws -> IngestReport {
        try await worker.pull(messages: messages, now: now)
    }

    func publish(_ messages: [(topic: String, payload: [UInt8])], retain: Bool = false)
        async throws
    {
        var configuration = try MQTTConfiguration(url: broker.url, clientID: "")
        configuration.keepsSession = false
        let client = try MQTTClient(configuration)
        try await client.connect()
        try await client.publish(messages, retain: retain)
        guard try await client.settle() else { throw BrokerError() }
        await client.disconnect()
    }

    func publish(_ topic: String, _ texts: String..., retain: Bool = false) async throws {
        try await publish(texts.map { (topic, Array($0.utf8)) }, retain: retain)
    }

    /// `key value` of every observation, in order of keys and times.
    func observations() async throws -> [String] {
        try await pool.run(
            "SELECT series || ' ' || value AS line FROM systole.observations ORDER BY series, at"
        ).allTexts("line")
    }

    /// How much was rejected, by reason.
    func rejections() async throws -> [String: Int] {
        let rows = try await pool.run("SELECT reason, count FROM systole.source_rejections")
        return Dictionary(
            uniqueKeysWithValues: try rows.map { (try $0.text("reason"), try $0.int("count")) })
    }
}

/// What a worker has of a source.
struct MQTTWorker: Sendable {
    let pool: Pool
    let source: Source
    let connector: MQTTConnector

    /// Does the source's job until the source lets go.
    func listen() async throws {
        let handler = IngestSource(
            kind: IngestSource.streamKind, pool: pool, connectors: [MQTTConnector.kind: connector],
            now: { MQTTSource.now }, logger: Logger(label: "test"))
        let lease = Lease(
            jobID: 1, number: 1, kind: handler.kind, arguments: "{\"source_id\": \(source.id)}")
        _ = try await handler.run(lease, JobContext(deadline: .now + .seconds(90)))
    }

    /// Pulls until so many messages are stored, or nothing has come for a while.
    @discardableResult
    func pull(messages: Int, now: Timestamp = MQTTSource.now) async throws -> IngestReport {
        let last = Mutex((report: IngestReport(), idle: 0))
        do {
            return try await connector.pull(source, into: pool, now: now) { report in
                let isIdle = last.withLock { last in
                    last.idle = report.rows == last.report.rows ? last.idle + 1 : 0
                    last.report = report
                    return last.idle > 5
                }
                if report.rows >= messages || isIdle { throw MQTTSource.Enough() }
            }
        } catch is MQTTSource.Enough {
            return last.withLock { $0.report }
        }
    }
}

/// Lends a source with a broker and a database of its own.
func withMQTTSource<T>(
    topics: [TopicRoute], isRevisable: Bool = false,
    change: (inout MQTTSettings) -> Void = { _ in }, _ body: (MQTTSource) async throws -> T
) async throws -> T {
    try await withTestBroker { broker in
        try await withTestDatabase { database in
            try await body(
                try await MQTTSource(
                    broker, database, topics: topics, isRevisable: isRevisable, change: change))
        }
    }
}

extension MQTTSource {
    /// The same, with a source that has changed.
    init(_ other: MQTTSource, source: Source) {
        broker = other.broker
        pool = other.pool
        connector = other.connector
        self.source = source
    }

    /// Ends all connections of the pool at the server.
    func cutConnections() async throws {
        let admin = try await Connection.open(pool.configuration)
        try await admin.run(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
        await admin.close()
    }
}

/// Burns down after so many commits.
final class Fuse: Sendable {
    private let left: Mutex<Int>

    init(_ commits: Int) { left = Mutex(commits) }

    func burn() throws {
        let isDone = left.withLock { left in
            left -= 1
            return left < 0
        }
        if isDone { throw MQTTSource.Killed() }
    }
}
