import Foundation
import Glibc
import Logging
import Postgres
import Series
import Store
import Synchronization
import TestSupport
import Testing
import WebClient

@testable import Notifications

/// Processes that die at any moment, by SIGKILL.
@Suite struct KillTests {
    /// What a process does until it is killed: opens and resolves incidents, and delivers.
    static func workUntilKilled(_ database: String, after microseconds: UInt32) async throws {
        let configuration = try ConnectionConfiguration(database)
        let pool = Pool(configuration, limits: PoolLimits(connectionsMaximum: 4))
        let client = WebClient(
            WebConfiguration(policy: .withLoopback, totalTimeLimit: .seconds(5)))
        let deliverer = Deliverer(
            pool: pool, client: client,
            options: DelivererOptions(lease: .seconds(10), fanOutInterval: .milliseconds(2)),
            chance: { 0 }, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await deliverer.run() }
            group.addTask {
                // The first moment is that of the first transition, however busy the machine.
                for round in 0... {
                    for series in 1...4 as ClosedRange<Int64> {
                        try await pool.transaction { db in
                            try Self.transition(of: SeriesID(series), in: db)
                        }
                    }
                    if round == 0 {
                        Thread {
                            usleep(microseconds)
                            kill(getpid(), SIGKILL)
                        }.start()
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Opens an incident of a series, or resolves the one that is open.
    static func transition(of series: SeriesID, in db: borrowing Session) throws {
        let at = Timestamp(microseconds: 1_764_000_000_000_000)
        guard try !IncidentStore.resolve(series, at: at, in: db) else { return }
        let peak = IncidentPeak(at: at, score: 5, observed: 1, expected: 0, pValue: 1e-5)
        try IncidentStore.open(
            NewIncident(
                series: series, openedAt: at, peak: peak, threshold: 4,
                model: ModelID(1)), in: db)
    }

    @Test func `after any number of kills each transition has one event and reaches everybody`()
        async throws
    {
        try await Office.open { office in
            let receiver = try WebReceiver(status: 204)
            defer { receiver.stop() }
            var secrets: [String: WebhookSecret] = [:]
            for name in ["one", "two", "three"] {
                secrets[name] = try await office.add(
                    receiver.root + "/" + name, events: ["anomaly.opened", "anomaly.resolved"]
                ).secret
            }
            try await office.run(
                "INSERT INTO systole.series (key) SELECT 'series ' || n FROM generate_series(1, 4) n"
            )
            var chance = Chance(state: 20_261_121)
            for _ in 0..<6 {
                let delay = UInt32.random(in: 40_000...350_000, using: &chance)
                let database = office.database.url
                await #expect(processExitsWith: .signal(SIGKILL)) {
                    [database = database as String, delay = delay as UInt32] in
                    try await Self.workUntilKilled(database, after: delay)
                }
            }
            // The leases of the dead run out.
            let living = office.deliverer()
            for _ in 0..<2000 {
                try await office.run(
                    """
                    UPDATE systole.webhook_delivery SET lease_until = now() - interval '1 s'
                    WHERE state = 'running'
                    """)
                try await office.passTime()
                try await living.deliverDue()
                let row = try await office.run(
                    """
                    SELECT (SELECT count(*) FROM systole.webhook_delivery WHERE state = 'accepted')
                        = 3 * (SELECT count(*) FROM systole.outbox) AS is_done
                    """)
                if try row.only().bool("is_done") { break }
            }
            try await Self.expectPromises(office, receiver, secrets)
        }
    }

    static func expectPromises(
        _ office: Office, _ receiver: WebReceiver, _ secrets: [String: WebhookSecret]
    ) async throws {
        let transitions = try await office.run(
            """
            SELECT sum(1 + (state = 'resolved')::integer)::bigint AS count FROM systole.incident
            """
        ).only().int("count")
        let events = try await office.run(
            "SELECT count(*) AS count FROM systole.outbox WHERE type LIKE 'anomaly.%'"
        ).only().int("count")
        #expect(transitions > 20 && events == transitions)
        // By endpoint and incident number: which ids came for it, and how often.
        var ids: [String: Set<String>] = [:]
        for request in receiver.received {
            let path = String(request.requestLine.split(separator: "/")[1].split(separator: " ")[0])
            let secret = try #require(secrets[path])
            let body = try DelivererTests.verified(request, by: secret)
            let data = try #require(body["data"] as? [String: Any])
            let incident = try #require(data["incident_id"] as? Int)
            let number = try #require(data["incident_seq"] as? Int)
            #expect(number == (body["type"] as? String == "anomaly.opened" ? 1 : 2))
            let key = "\(path) \(incident) \(number)"
            ids[key, default: []].insert(request.headers["webhook-id"] ?? "")
        }
        #expect(ids.count == events * secrets.count)
        #expect(ids.values.allSatisfy { $0.count == 1 })
        let broken = try await office.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0")
        #expect(try broken.allTexts("promise") == [])
        let left = try await office.run(
            "SELECT count(*) AS count FROM systole.webhook_delivery WHERE state <> 'accepted'")
        #expect(try left.only().int("count") == 0)
    }
}

/// A small fixed generator, so that every run is killed at the same moments.
private struct Chance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
