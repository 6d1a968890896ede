import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Workflows

/// One job for many series: the same forecasts as one by one, and none lost to a bad neighbour.
@Suite struct ForecastBatchTests {
    /// `plant.wave` with a ridge of its own, shared with `plant.large`, ten times as large and a
    /// thousand higher, and with two that cannot be forecast: one too short, one without a step.
    private func prepare(_ pool: Pool) async throws {
        _ = try await Plant.storeWave(hours: 800, on: pool)
        try await Plant.perform(
            IssueForecast(pool: pool, environment: Plant.environment),
            enqueue: "SELECT systole.request_forecast('plant.wave', horizon => '24 hours')",
            on: pool)
        let wave = Plant.wave(hours: 800, until: Plant.end)
        try await pool.transaction { db in
            for (key, rows) in [("plant.large", wave[...]), ("plant.short", wave.suffix(9))] {
                let series = try SeriesStore.ensure(
                    key: key, unit: PhysicalUnit("Cel"), stepMicroseconds: 3_600_000_000, in: db)
                let observations = rows.map {
                    Observation(at: $0.at, value: 10 * $0.value + 1000)
                }
                _ = try SeriesStore.append(observations, to: series.id, in: db)
            }
            for key in ["plant.wave", "plant.large", "plant.short"] {
                try db.run("SELECT systole.label_series(\(key), '{\"site\": \"a\"}')")
            }
            try db.run(
                """
                SELECT systole.share_model((SELECT model_id FROM systole.models
                    WHERE series = 'plant.wave' AND stage = 'live'), '{"site": "a"}')
                """)
            _ = try SeriesStore.ensure(key: "plant.silent", in: db)
            try db.run("SELECT systole.label_series('plant.silent', '{\"site\": \"a\"}')")
        }
    }

    private let request: SQL = "SELECT systole.request_forecasts('{\"site\": \"a\"}', '24 hours')"

    /// Does all forecast jobs that are ready.
    private func work(_ pool: Pool) async throws {
        let handler = IssueForecast(pool: pool, environment: Plant.environment)
        while try await pool.run("SELECT FROM systole.job WHERE kind = 'forecast'").count > 0 {
            try await Plant.perform(handler, enqueue: "SELECT 1", on: pool)
        }
    }

    private func points(_ key: String, _ pool: Pool) async throws -> [[Double]] {
        let rows = try await pool.run("SELECT * FROM systole.forecast(\(key))")
        return try ["value", "lower_95", "upper_80"].map { try rows.allDoubles($0) }
    }

    private func expectPromisesKept(_ pool: Pool) async throws {
        let broken = try await pool.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0")
        #expect(try broken.allTexts("promise") == [])
    }

    @Test func `a batch gives each series the forecast it gets alone, and tells of the others`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await prepare(pool)
            let alone = try await points("plant.wave", pool)
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
                enqueue: "SELECT systole.request_forecast('plant.large', horizon => '24 hours')",
                on: pool)
            let largeAlone = try await points("plant.large", pool)
            _ = try await pool.run(request)
            try await work(pool)
            for (one, many) in [
                (alone, try await points("plant.wave", pool)),
                (largeAlone, try await points("plant.large", pool)),
            ] {
                for (a, b) in zip(one.joined(), many.joined()) {
                    #expect(abs(a - b) <= 1e-5 * abs(a), "\(a) alone, \(b) in the batch")
                }
            }
            let result = try await pool.run(
                "SELECT result FROM systole.jobs WHERE args ? 'series_ids'"
            ).allTexts("result")
            #expect(result.count == 1 || result.count == 2)
            #expect(result.contains { $0.contains("\"failed\": ") })
            let failed = try await pool.run(
                "SELECT subject FROM systole.outbox WHERE type = 'forecast.failed' ORDER BY 1")
            #expect(try failed.allTexts("subject") == ["plant.short", "plant.silent"])
            let told = try await pool.run(
                """
                SELECT subject FROM systole.outbox WHERE type = 'forecast.completed'
                ORDER BY event_id OFFSET 2
                """)
            #expect(Set(try told.allTexts("subject")) == ["plant.wave", "plant.large"])
            try await expectPromisesKept(pool)
        }
    }

    @Test func `a shared model forecasts a series in that series' own scale`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await prepare(pool)
            // A twin of plant.wave that shares the model: both are forecast in the scale of their windows.
            let wave = Plant.wave(hours: 800, until: Plant.end)
            try await pool.transaction { db in
                let twin = try SeriesStore.ensure(
                    key: "plant.twin", stepMicroseconds: 3_600_000_000, in: db)
                _ = try SeriesStore.append(wave, to: twin.id, in: db)
                try db.run("SELECT systole.label_series('plant.twin', '{\"site\": \"a\"}')")
                try db.run("SELECT systole.label_series('plant.silent', '{\"site\": null}')")
                try db.run(
                    """
                    SELECT systole.share_model((SELECT model_id FROM systole.models
                        WHERE series = 'plant.wave' AND stage = 'live'), '{"site": "a"}')
                    """)
            }
            _ = try await pool.run(request)
            try await work(pool)
            let (twin, large) = (
                try await points("plant.twin", pool), try await points("plant.large", pool)
            )
            #expect(twin[0].count == 24)
            for (a, b) in zip(twin.joined(), large.joined()) {
                #expect(abs(10 * a + 1000 - b) <= 1e-5 * abs(b), "\(a) and \(b)")
            }
            let wave24 = try await points("plant.wave", pool)
            for (a, b) in zip(twin[0], wave24[0]) { #expect(abs(a - b) < 1) }
        }
    }

    @Test func `a run that was replaced leaves nothing, and no forecast comes twice`() async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await prepare(pool)
            let handler = IssueForecast(pool: pool, environment: Plant.environment)
            let lease = try await Plant.claim("forecast", enqueue: request, on: pool)
            try await Plant.perform(handler, lease, on: pool)
            let count: SQL = "SELECT count(*) AS n FROM systole.forecast"
            let runs = try await pool.run(count).only().int("n")
            await #expect(throws: LeaseLost.self) {
                try await Plant.perform(handler, lease, on: pool)
            }
            #expect(try await pool.run(count).only().int("n") == runs)
            // Without the fence the ledger itself refuses.
            await #expect(throws: StoreError.self) {
                let effects = try await handler.run(
                    lease, JobContext(deadline: .now + .seconds(60)))
                try await pool.transaction { db in try effects(db) }
            }
            #expect(try await pool.run(count).only().int("n") == runs)
        }
    }

    @Test func `a backfill by labels sees nothing that was observed later`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await prepare(pool)
            let until = Plant.end + .seconds(-50 * 3600)
            _ = try await pool.run(
                """
                SELECT systole.schedule_forecasts('{"site": "a"}', '24 hours', every => '1 hour', name => 's')
                """)
            let jobs = try await pool.run(
                """
                SELECT systole.backfill_schedule('s', \(until)::timestamptz - interval '1 hour',
                    \(until)::timestamptz) AS n
                """)
            #expect(try jobs.only().int("n") >= 2)
            try await work(pool)
            let ends = try await pool.run(
                """
                SELECT DISTINCT data_until FROM systole.forecasts
                WHERE series = 'plant.large' ORDER BY data_until
                """
            ).allEpochMicroseconds("data_until")
            #expect(ends.map { Timestamp(microseconds: $0) } == [until + .seconds(-3600), until])
            try await expectPromisesKept(pool)
        }
    }

    @Test func `a batch that is given up tells of every series`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await prepare(pool)
            let handler = IssueForecast(pool: pool, environment: Plant.environment)
            let lease = try await Plant.claim("forecast", enqueue: request, on: pool)
            let failure = JobFailure(errorClass: "Test", message: "It failed.", isPermanent: true)
            let effects = try #require(handler.abandonment(of: lease, because: failure))
            try await pool.transaction { db in try effects(db) }
            let failed = try await pool.run(
                "SELECT count(*) AS n FROM systole.outbox WHERE type = 'forecast.failed'")
            #expect(try failed.only().int("n") >= 2)
        }
    }

    @Test(arguments: [
        #"{"series_ids": [1, 1], "horizon_us": 1}"#, #"{"series_ids": [1], "horizon_us": 0}"#,
        #"{"series_ids": [1]}"#, #"{"series_ids": "all", "horizon_us": 1}"#,
        #"{"series_ids": [1], "horizon_us": 1, "as_of": "yesterday"}"#,
    ])
    func `arguments that make no sense fail for good`(arguments: String) async throws {
        try await withTestDatabase { database in
            let handler = IssueForecast(pool: database.pool, environment: Plant.environment)
            let lease = Lease(jobID: 1, number: 1, kind: "forecast", arguments: arguments)
            await #expect(throws: PermanentJobError.self) {
                _ = try await handler.run(lease, JobContext(deadline: .now + .seconds(60)))
            }
            let failure = JobFailure(errorClass: "Test", message: "It failed.")
            #expect(handler.abandonment(of: lease, because: failure) == nil)
        }
    }
}
