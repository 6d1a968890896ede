import Foundation
import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct ForecastRequestTests {
    private static func prepare(_ database: TestDatabase) async throws {
        try await database.pool.transaction { db in
            for key in ["plant.oil_temp", "plant.oil_load", "ward3.pulse"] {
                _ = try Fixture.series(key, in: db)
            }
            _ = try SeriesStore.ensure(key: "no.step", in: db)
        }
    }

    struct Call: CustomTestStringConvertible, Sendable {
        let sql: SQL
        let code: String
        let message: String
        let hint: String
        var testDescription: String { sql.text }
    }

    @Test(arguments: [
        Call(
            sql: "SELECT * FROM systole.forecast('plant.oiltemp')", code: "SY001",
            message: "There is no series 'plant.oiltemp'.",
            hint: "Similar: plant.oil_temp, plant.oil_load. All: SELECT * FROM systole.series_list;"
        ),
        Call(
            sql: "SELECT * FROM systole.forecast_as_of('xyz', now())", code: "SY001",
            message: "There is no series 'xyz'.", hint: "SELECT * FROM systole.series_list;"),
        Call(
            sql: "SELECT * FROM systole.anomaly_score('')", code: "SY001",
            message: "There is no series ''.", hint: "SELECT * FROM systole.series_list;"),
        Call(
            sql: "SELECT systole.request_forecast(NULL, '1 hour')", code: "SY001",
            message: "There is no series NULL.", hint: "SELECT * FROM systole.series_list;"),
        Call(
            sql: "SELECT systole.request_forecast('plant.oil_temp', '0')", code: "SY002",
            message: "A horizon of 00:00:00 is outside the range of series 'plant.oil_temp'.",
            hint: "Accepted: above 0, up to 416 days 16:00:00 (10000 steps of 01:00:00)."),
        Call(
            sql: "SELECT systole.request_forecast('plant.oil_temp', '-1 hour')", code: "SY002",
            message: "-01:00:00", hint: "(10000 steps of 01:00:00)"),
        Call(
            sql: "SELECT systole.request_forecast('plant.oil_temp', '1 day -25 hours')",
            code: "SY002", message: "1 day -25:00:00", hint: "Accepted: above 0"),
        Call(
            sql: "SELECT systole.request_forecast('plant.oil_temp', '10001 hours')", code: "SY002",
            message: "10001:00:00", hint: "(10000 steps of 01:00:00)"),
        Call(
            sql: "SELECT systole.request_forecast('plant.oil_temp', '170000000 years')",
            code: "SY002", message: "170000000 years", hint: "10000 steps"),
        Call(
            sql: "SELECT systole.request_forecast('plant.oil_temp', NULL)", code: "SY002",
            message: "NULL", hint: "Accepted"),
        Call(
            sql: "SELECT systole.schedule_forecast('plant.oil_temp', '-1 day', every => '1 hour')",
            code: "SY002", message: "-1 days", hint: "Accepted"),
        Call(
            sql: "SELECT systole.schedule_forecast('plant.oil_temp', '1 day')", code: "SY003",
            message: "A schedule has either an interval", hint: ""),
        Call(
            sql: "CALL systole.forecast_now('plant.oil_temp', '0')", code: "SY002",
            message: "00:00:00", hint: "Accepted"),
        Call(
            sql: "SELECT systole.request_forecast('no.step', '1 hour')", code: "SY006",
            message: "The step of series 'no.step' is not known.", hint: "systole.set_step"),
        Call(
            sql: "SELECT systole.train('no.step')", code: "SY006", message: "not known",
            hint: "systole.set_step"),
        Call(
            sql: "SELECT systole.train('plant.oil_temp', family => 'arima')", code: "SY010",
            message: "There is no model family 'arima'.",
            hint: "seasonal-naive, ets, ridge, spacetime, ensemble, separated by commas."),
        Call(
            sql: "SELECT systole.train('plant.oil_temp', family => 'ridge, arima')",
            code: "SY010", message: "There is no model family 'arima'.", hint: "Accepted: auto"),
        Call(
            sql: "SELECT systole.train('plant.oil_temp', family => 'auto,ridge')",
            code: "SY010", message: "There is no model family 'auto'.", hint: "auto, or one"),
        Call(
            sql: "SELECT systole.train('plant.oil_temp', family => '')",
            code: "SY010", message: "There is no model family ''.", hint: "Accepted: auto"),
        Call(
            sql: "SELECT systole.train('plant.oil_temp', seed => -1)", code: "SY016",
            message: "A seed of -1 is below 0.", hint: "leave it out"),
        Call(
            sql: "SELECT systole.train('plant.oil_temp', threads => 0)", code: "SY016",
            message: "0 threads are outside 1 to 256.", hint: "Leave it out"),
        Call(
            sql: "SELECT systole.rollback_model('plant.oil_temp')", code: "SY017",
            message: "No model of series 'plant.oil_temp' was live before.",
            hint: "systole.models"),
        Call(
            sql: "SELECT systole.promote_model(99)", code: "SY005",
            message: "There is no model 99.", hint: "systole.models"),
        Call(
            sql: "SELECT systole.watch('plant.oil_temp', alerts_per_week => 0)", code: "SY011",
            message: "0 alerts a week", hint: "Accepted: above 0, up to 1000."),
        Call(
            sql: "SELECT systole.watch('plant.oil_temp', alerts_per_week => 'NaN')",
            code: "SY011", message: "NaN alerts a week", hint: "Accepted"),
        Call(
            sql: "SELECT systole.set_step('plant.oil_temp', '0')", code: "SY006",
            message: "A step of 00:00:00", hint: "above zero"),
        Call(
            sql: "SELECT systole.label_anomaly(1, 'perhaps')", code: "SY014",
            message: "There is no label 'perhaps'.", hint: "true, false, maintenance"),
        Call(
            sql: "SELECT systole.label_anomaly(1, 'true')", code: "SY014",
            message: "There is no anomaly 1.", hint: "systole.anomalies"),
    ])
    func `what cannot be done is refused by a code, a sentence and a hint`(
        _ call: Call
    ) async throws {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            let error = try #require(try await database.pool.refusal(of: call.sql))
            #expect(error.sqlState == call.code)
            #expect(error.message.contains(call.message))
            #expect(call.hint.isEmpty || error.hint?.contains(call.hint) == true)
            #expect(try await database.pool.number("SELECT count(*) AS n FROM systole.job") == 0)
        }
    }

    struct Horizon: CustomTestStringConvertible, Sendable {
        let interval: String
        let steps: Int
        var testDescription: String { interval }
    }

    @Test(arguments: [
        Horizon(interval: "1 hour", steps: 1), Horizon(interval: "1 microsecond", steps: 1),
        Horizon(interval: "90 minutes", steps: 2), Horizon(interval: "7 days", steps: 168),
        Horizon(interval: "30 days", steps: 720), Horizon(interval: "10000 hours", steps: 10_000),
        Horizon(interval: "1 day -1 hour", steps: 23),
    ])
    func `a horizon is rounded up to steps`(_ horizon: Horizon) async throws {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            let job = try await database.pool.number(
                "SELECT systole.request_forecast('plant.oil_temp', \(horizon.interval)) AS n")
            let rows = try await database.pool.run(
                """
                SELECT kind, state, args->>'steps' AS steps, args->>'series_id' AS series
                FROM systole.jobs WHERE job_id = \(job)
                """)
            let row = try rows.only()
            #expect(try row.text("kind") == "forecast" && row.text("state") == "ready")
            #expect(try row.text("steps") == String(horizon.steps))
            #expect(try row.text("series") == "1")
        }
    }

    @Test func `the live model's own limit counts`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                var model = NewModel(
                    series: series, family: "ridge",
                    data: TrainingData(
                        digest: digest(of: []), from: Fixture.start, until: Fixture.start),
                    weights: [])
                model.stepsMaximum = 48
                try ModelStore.promote(try ModelStore.insert(model, in: db), in: db)
            }
            let horizon: SQL = "SELECT systole.horizon_steps('plant.oil_temp', '49 hours')"
            let error = try await database.pool.refusal(of: horizon)
            #expect(error?.hint == "Accepted: above 0, up to 2 days (48 steps of 01:00:00).")
        }
    }

    @Test func `a schedule is made by interval or cron, with a name that tells what it does`()
        async throws
    {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            try await database.pool.run(
                """
                SELECT systole.schedule_forecast('plant.oil_temp', horizon => '30 days',
                        every => '1 hour'),
                    systole.schedule_forecast('plant.oil_temp', horizon => '1 day',
                        cron => '5 * * * *', time_zone => 'Europe/Oslo', name => 'hourly oil')
                """)
            let rows = try await database.pool.run(
                """
                SELECT name, args->>'steps' AS steps, time_zone, next_fire_at > now() AS ahead
                FROM systole.schedules ORDER BY schedule_id
                """)
            #expect(
                try rows.allTexts("name") == ["forecast plant.oil_temp 30 days", "hourly oil"])
            #expect(try rows.allTexts("steps") == ["720", "24"])
            #expect(try rows.allTexts("time_zone") == ["UTC", "Europe/Oslo"])
            #expect(try rows.allSatisfy { try $0.bool("ahead") })
        }
    }

    @Test func `training asks once for what is asked for twice`() async throws {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            let train: SQL = "SELECT systole.train('plant.oil_temp', family => 'spacetime') AS n"
            let first = try await database.pool.number(train)
            #expect(try await database.pool.number(train) == first)
            let args = try await database.pool.run("SELECT args FROM systole.job").only()
            let text = try args.text("args")
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            let expected: NSDictionary = ["series_id": 1, "family": "spacetime", "steps": 168]
            #expect(expected.isEqual(object))
        }
    }

    @Test func `a step is stated once, and fixed by the first model`() async throws {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            try await database.pool.run("SELECT systole.set_step('no.step', '15 minutes')")
            try await database.pool.run("SELECT systole.set_step('no.step', '30 minutes')")
            #expect(
                try await database.pool.number(
                    "SELECT systole.horizon_steps('no.step', '1 hour') AS n") == 2)
            try await database.pool.transaction { db in
                let series = try SeriesStore.find(key: "no.step", in: db)
                _ = try Fixture.model(of: series.id, in: db)
            }
            try await database.pool.run("SELECT systole.set_step('no.step', '30 minutes')")
            let error = try await database.pool.refusal(
                of: "SELECT systole.set_step('no.step', '15 minutes')")
            #expect(error?.sqlState == "SY015")
        }
    }
}
