import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Workflows

@Suite struct JobTests {
    @Test func `a first forecast fits the baselines, issues a run and asks for training`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 800, on: pool)
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
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

    @Test func `a forecast as of an instant sees nothing that was observed later`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 900, on: pool)
            let instant = Plant.end + .seconds(-100 * 3600)
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
                enqueue: """
                    SELECT systole.enqueue('forecast', jsonb_build_object('steps', 24,
                        'series_id', systole.series_id_of('plant.wave'),
                        'as_of', systole.iso8601(\(instant))))
                    """, on: pool)
            let run = try await pool.run(
                """
                SELECT data_until, min(at) AS first FROM systole.forecast_points
                GROUP BY data_until
                """
            ).only()
            #expect(Timestamp(microseconds: try run.epochMicroseconds("data_until")) == instant)
            #expect(
                Timestamp(microseconds: try run.epochMicroseconds("first"))
                    == instant + .seconds(3600))
        }
    }

    /// The width of the 80 % interval of the newest run at its second step, and what it says of itself.
    private func newest(_ pool: Pool) async throws -> (
        width: Double, method: String?, share: Double?
    ) {
        let row = try await pool.run(
            """
            SELECT p.upper_80 - p.lower_80 AS width, f.interval_method, f.achieved_80
            FROM systole.forecasts f JOIN systole.forecast_points p USING (forecast_id)
            WHERE p.step = 2 ORDER BY f.forecast_id DESC LIMIT 1
            """
        ).only()
        return (
            try row.double("width"), try row.optionalText("interval_method"),
            try row.optionalDouble("achieved_80")
        )
    }

    @Test func `intervals that missed are issued wider, and say how often they were right`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let series = try await Plant.storeWave(hours: 800, on: pool)
            let forecast = IssueForecast(pool: pool, environment: Plant.environment)
            let request: SQL =
                "SELECT systole.request_forecast('plant.wave', horizon => '12 hours')"
            try await Plant.perform(forecast, enqueue: request, on: pool)
            let first = try await newest(pool)
            #expect(first.method == "split" && first.share == nil)
            // Truth far from what was forecast, over and over.
            var end = Plant.end
            for _ in 0..<6 {
                let rows = (1...12).map { hour in
                    Observation(at: end + .seconds(3600 * hour), value: hour % 2 == 0 ? 60 : -20)
                }
                end = end + .seconds(12 * 3600)
                try await pool.transaction { db in
                    _ = try SeriesStore.append(rows, to: series, in: db)
                    try db.run("SELECT systole.score_accuracy()")
                }
                try await Plant.perform(forecast, enqueue: request, on: pool)
            }
            let last = try await newest(pool)
            #expect(last.method == "adaptive")
            #expect(try #require(last.share) < 0.5)
            #expect(last.width > first.width * 1.1, "\(first.width), then \(last.width)")
            let achieved = try await pool.run(
                """
                SELECT nominal, achieved, points FROM systole.coverage
                WHERE series = 'plant.wave' AND from_step = 2 AND nominal = 0.8
                """)
            #expect(try achieved.only().int("points") == 30)
        }
    }

    @Test func `a series that is too short fails for good, with the rows it needs`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 30, on: pool)
            await #expect(throws: PermanentJobError.self) {
                try await Plant.perform(
                    IssueForecast(pool: pool, environment: Plant.environment),
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
            let id = try await Plant.storeWave(hours: 1200, until: end, on: pool)
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
                enqueue: "SELECT systole.request_forecast('plant.wave', horizon => '24 hours')",
                on: pool)
            let score = DetectAnomalies(pool: pool)
            try await Plant.perform(score, enqueue: "SELECT systole.watch('plant.wave')", on: pool)
            let before = try await pool.run("SELECT count(*) AS n FROM systole.anomalies")
            #expect(try before.only().int64("n") == 0, "history raises no incident")

            let later = Plant.wave(hours: 1248, until: end + .seconds(48 * 3600)).suffix(48)
            let faulty = later.enumerated().map { index, row in
                (12..<18).contains(index)
                    ? Observation(at: row.at, value: row.value + 15) : row
            }
            try await pool.transaction { db in
                _ = try SeriesStore.append(faulty, to: id, in: db)
            }
            try await Plant.perform(
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

    @Test func `a series that is watched before it has a model gets one, and is scored`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 800, on: pool)
            let trouble: SQL = "SELECT trouble, threshold FROM systole.watches"
            let score = DetectAnomalies(pool: pool)
            try await Plant.perform(score, enqueue: "SELECT systole.watch('plant.wave')", on: pool)
            #expect(try await pool.run(trouble).only().text("trouble") == "there is no model yet")
            _ = try await pool.run("SELECT systole.watch('plant.wave')")
            let asked = try await pool.run("SELECT FROM systole.job WHERE kind = 'forecast'")
            #expect(asked.count == 1)
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment), enqueue: "SELECT 1",
                on: pool)
            try await Plant.perform(score, enqueue: "SELECT systole.score_promoted()", on: pool)
            let watch = try await pool.run(trouble).only()
            #expect(try watch.isNull("trouble") && watch.double("threshold") >= 2)
        }
    }
}
