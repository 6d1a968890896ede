import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Workflows

@Suite struct JobTests {
    private static let environment = FittingEnvironment(threads: 1, seed: 1, codeVersion: "test")

    /// Stores an hourly daily wave with a little noise that ends at `end`.
    private func storeWave(
        hours: Int, until end: Timestamp = Timestamp(unixSeconds: 1_767_225_600), on pool: Pool
    ) async throws -> SeriesID {
        try await pool.transaction { db in
            let series = try SeriesStore.ensure(
                key: "plant.wave", unit: PhysicalUnit("Cel"), stepMicroseconds: 3_600_000_000,
                in: db)
            _ = try SeriesStore.append(
                Self.wave(hours: hours, until: end), to: series.id, in: db)
            return series.id
        }
    }

    private static func wave(hours: Int, until end: Timestamp) -> [Observation] {
        (0..<hours).map { hour in
            let at = end + .seconds(3600 * (hour - hours + 1))
            let phase = Double(hour) / 24 * 2 * Double.pi
            let noise = sin(Double(hour) * 12.9898) * 0.3
            return Observation(at: at, value: 20 + 5 * sin(phase) + noise)
        }
    }

    /// Runs a handler as a worker does: computes, then writes effects and completion together.
    private func perform(
        _ handler: some JobHandler, enqueue: SQL, on pool: Pool
    ) async throws {
        _ = try await pool.run(enqueue)
        let worker = UUID()
        _ = try await pool.run(
            """
            SELECT systole.register_worker(\(worker.uuidString)::uuid, 'test', 1::bigint, 'test',
                \([handler.kind])::text[], 1)
            """)
        let leases = try await pool.withConnection { connection in
            try await connection.withSession { [kind = handler.kind] db in
                try JobQueue().claim(worker: worker, kinds: [kind], count: 1, db)
            }
        }
        let lease = try #require(leases.first)
        let context = JobContext(deadline: .now + .seconds(60))
        let effects = try await handler.run(lease, context)
        try await pool.transaction { db in
            try effects(db)
            try JobQueue().complete(lease, db)
        }
    }

    @Test func `a first forecast fits the baselines, issues a run and asks for training`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await storeWave(hours: 800, on: pool)
            try await perform(
                IssueForecast(pool: pool, environment: Self.environment),
                enqueue: "SELECT systole.request_forecast('plant.wave', horizon => '24 hours')",
                on: pool)
            let steps = try await pool.run(
                """
                SELECT at, value, lower_80, upper_80, lower_95, upper_95
                FROM systole.forecast('plant.wave')
                """)
            #expect(steps.count == 24)
            for row in steps {
                let ends = try ["lower_95", "lower_80", "upper_80", "upper_95"].map {
                    try row.double($0)
                }
                #expect(ends == ends.sorted())
                #expect(abs(try row.double("value") - 20) < 8)
            }
            let live = try await pool.run(
                "SELECT family FROM systole.models WHERE series = 'plant.wave' AND stage = 'live'")
            #expect(try live.only().text("family") == "ridge")
            let training = try await pool.run("SELECT args FROM systole.jobs WHERE kind = 'train'")
            #expect(training.count == 1)
            let events = try await pool.run("SELECT type FROM systole.outbox ORDER BY event_id")
            #expect(try events.allTexts("type") == ["model.promoted", "forecast.completed"])
        }
    }

    @Test func `a series that is too short fails for good, with the rows it needs`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await storeWave(hours: 30, on: pool)
            await #expect(throws: PermanentJobError.self) {
                try await perform(
                    IssueForecast(pool: pool, environment: Self.environment),
                    enqueue: "SELECT systole.request_forecast('plant.wave', horizon => '24 hours')",
                    on: pool)
            }
            let runs = try await pool.run("SELECT count(*) AS n FROM systole.forecast")
            #expect(try runs.only().int64("n") == 0)
        }
    }

    @Test func `an injected fault opens one incident, and its end resolves it`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let end = Timestamp(unixSeconds: 1_767_225_600)
            let id = try await storeWave(hours: 1200, until: end, on: pool)
            try await perform(
                IssueForecast(pool: pool, environment: Self.environment),
                enqueue: "SELECT systole.request_forecast('plant.wave', horizon => '24 hours')",
                on: pool)
            let score = DetectAnomalies(pool: pool)
            try await perform(score, enqueue: "SELECT systole.watch('plant.wave')", on: pool)
            let before = try await pool.run("SELECT count(*) AS n FROM systole.anomalies")
            #expect(try before.only().int64("n") == 0, "history raises no incident")

            let later = Self.wave(hours: 1248, until: end + .seconds(48 * 3600)).suffix(48)
            let faulty = later.enumerated().map { index, row in
                (12..<18).contains(index)
                    ? Observation(at: row.at, value: row.value + 15) : row
            }
            try await pool.transaction { db in
                _ = try SeriesStore.append(faulty, to: id, in: db)
            }
            try await perform(
                score,
                enqueue: """
                    SELECT systole.enqueue('score', jsonb_build_object('series_id', \(id.number)::bigint))
                    """, on: pool)
            let incidents = try await pool.run("SELECT state, opened_at FROM systole.anomalies")
            #expect(try incidents.only().text("state") == "resolved")
            let opened = try incidents.only().epochMicroseconds("opened_at")
            #expect(
                Timestamp(microseconds: opened) == later.first.map { $0.at + .seconds(12 * 3600) })
            let events = try await pool.run(
                "SELECT type FROM systole.outbox WHERE type LIKE 'anomaly.%' ORDER BY event_id")
            #expect(try events.allTexts("type") == ["anomaly.opened", "anomaly.resolved"])
        }
    }

    @Test func `events of watched series become scoring jobs, one at a time`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let id = try await storeWave(hours: 10, on: pool)
            _ = try await pool.run("SELECT systole.watch('plant.wave')")
            try await pool.transaction { db in
                for _ in 0..<3 {
                    try Outbox.append(
                        type: "series.extended", subject: "plant.wave",
                        data: "{\"series_id\": \(id.number)}", in: db)
                }
            }
            _ = try await pool.transaction { db in try EventRouter.route(in: db) }
            let jobs = try await pool.run(
                "SELECT count(*) AS n FROM systole.job WHERE kind = 'score'")
            #expect(try jobs.only().int64("n") == 1)
            _ = try await pool.transaction { db in try EventRouter.route(in: db) }
            let cursor = try await pool.run(
                "SELECT event_id FROM systole.outbox_cursor WHERE consumer = 'workflows'")
            #expect(try cursor.only().int64("event_id") > 0)
        }
    }
}
