import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct ForecastLedgerTests {
    @Test func `ranges of steps are the same here and in SQL`() async throws {
        try await withTestDatabase { database in
            let rows = try await database.pool.run(
                """
                SELECT DISTINCT lower(b)::integer AS first, upper(b)::integer - 1 AS last
                FROM generate_series(1, 10000) s, systole.horizon_bucket(s) AS b ORDER BY 1
                """)
            let found = try rows.map { (try $0.int("first"), try $0.int("last")) }
            #expect(found.map(\.0) == HorizonRange.all.map(\.first))
            #expect(found.map(\.1) == HorizonRange.all.map(\.last))
        }
    }

    @Test func `a forecast comes back in single precision`() async throws {
        try await withTestDatabase { database in
            let forecast = Forecast(
                grid: TimeGrid(
                    start: Fixture.at(11), rate: SamplingRate(stepMicroseconds: Fixture.hour),
                    count: 2), dataUntil: Fixture.at(10), values: [1.25, 2],
                levels: QuantileLevel.standard,
                quantiles: [[0, 1], [0.5, 1.5], [2, 2.5], [3, 3]])
            let run = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                try ForecastLedger.write(
                    forecast, series: series, model: model,
                    run: JobRun(jobID: 7, leaseNumber: 2), in: db)
                return try ForecastLedger.newest(series, in: db)
            }
            let stored = try #require(run)
            #expect(stored.forecast.grid == forecast.grid)
            #expect(stored.forecast.dataUntil == forecast.dataUntil)
            #expect(stored.forecast.values == forecast.values)
            #expect(stored.forecast.levels == forecast.levels)
            #expect(stored.forecast.quantiles == forecast.quantiles)
            #expect(stored.family == "ridge" && stored.modelVersion == 1)
            #expect(stored.run == JobRun(jobID: 7, leaseNumber: 2))
        }
    }

    @Test func `one run a job, whatever the lease; many without a job`() async throws {
        try await withTestDatabase { database in
            let (series, model) = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                try ForecastLedger.write(
                    Fixture.forecast(after: 10, steps: 3), series: series, model: model,
                    run: JobRun(jobID: 7, leaseNumber: 1), in: db)
                for _ in 0..<2 {
                    try ForecastLedger.write(
                        Fixture.forecast(after: 10, steps: 3), series: series, model: model,
                        in: db)
                }
                return (series, model)
            }
            await #expect(throws: StoreError.forecastExists(series: series, job: 7)) {
                try await database.pool.transaction { db in
                    _ = try ForecastLedger.write(
                        Fixture.forecast(after: 10, steps: 3), series: series, model: model,
                        run: JobRun(jobID: 7, leaseNumber: 2), in: db)
                }
            }
            await #expect(throws: StoreError.unknownModel(ModelID(99))) {
                try await database.pool.transaction { db in
                    _ = try ForecastLedger.write(
                        Fixture.forecast(after: 10, steps: 3), series: series,
                        model: ModelID(99), in: db)
                }
            }
            #expect(
                try await database.pool.number("SELECT count(*) AS n FROM systole.forecasts") == 3)
        }
    }

    struct Flawed: CustomTestStringConvertible, Sendable {
        let flaw: StoreError.ForecastFlaw
        let step: Int
        let forecast: Forecast
        var testDescription: String { flaw.rawValue }

        init(
            _ flaw: StoreError.ForecastFlaw, step: Int, rate: SamplingRate = SamplingRate(1),
            after: Int = 0, values: [Double] = [1, 2], quantiles: [[Double]] = [[0, 0], [3, 3]]
        ) {
            self.flaw = flaw
            self.step = step
            forecast = Forecast(
                grid: TimeGrid(start: Fixture.at(1), rate: rate, count: values.count),
                dataUntil: Fixture.at(after), values: values,
                levels: [0.1, 0.9].map { QuantileLevel($0) }, quantiles: quantiles)
        }
    }

    @Test(arguments: [
        Flawed(.quantilesCross, step: 2, quantiles: [[0, 3.5], [3, 3]]),
        Flawed(.notFinite, step: 2, values: [1, .nan]),
        Flawed(.notFinite, step: 1, values: [1e39, 2]),
        Flawed(.notFinite, step: 1, quantiles: [[-.infinity, 0], [3, 3]]),
        Flawed(.stepNotWhole, step: 1, rate: SamplingRate(360)),
        Flawed(.beginsBeforeItsData, step: 1, after: 1),
        Flawed(.length, step: 0, values: [], quantiles: [[], []]),
    ])
    func `a forecast that breaks a rule is refused`(_ c: Flawed) async throws {
        try await withTestDatabase { database in
            _ = await #expect(throws: StoreError.forecastUnusable(c.flaw, step: c.step)) {
                try await database.pool.transaction { db in
                    let series = try Fixture.series(in: db)
                    let model = try Fixture.model(of: series, in: db)
                    _ = try ForecastLedger.write(
                        c.forecast, series: series, model: model, in: db)
                }
            }
        }
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let constraint: String
        var value = "{1,2}"
        var levels = "{0.1,0.9}"
        var quantiles = "{0,0,3,3}"
        var testDescription: String { "\(constraint) \(value) \(levels) \(quantiles)" }
    }

    @Test(arguments: [
        Row(constraint: "forecast_quantiles_ascend", quantiles: "{0,3.5,3,3}"),
        Row(constraint: "forecast_quantiles_ascend", quantiles: "{0,0,3,NaN}"),
        Row(constraint: "forecast_quantiles_ascend", quantiles: "{-Infinity,0,3,3}"),
        Row(constraint: "forecast_levels_usable", levels: "{0.9,0.1}"),
        Row(constraint: "forecast_levels_usable", levels: "{0,0.9}"),
        Row(constraint: "forecast_levels_usable", levels: "{0.9,0.9}"),
        Row(constraint: "forecast_value_finite", value: "{1,NaN}"),
        Row(constraint: "forecast_arrays_fit", quantiles: "{0,0,3}"),
        Row(constraint: "forecast_arrays_fit", value: "{}", quantiles: "{}"),
        Row(constraint: "forecast_arrays_fit", value: "{1,NULL}"),
    ])
    func `the table refuses what the code would not write`(_ row: Row) async throws {
        try await withTestDatabase { database in
            let error = try await database.pool.refusal(
                of: """
                    INSERT INTO systole.forecast (series_id, model_id, family, model_version,
                        data_until, start_at, step_us, value, levels, quantiles)
                    VALUES (1, 1, 'ridge', 1, \(Fixture.at(0)), \(Fixture.at(1)), 3600000000,
                        \(row.value), \(row.levels), \(row.quantiles))
                    """)
            #expect(error?.constraint == row.constraint)
        }
    }

    @Test func `what was believed then is what is read back for then`() async throws {
        try await withTestDatabase { database in
            let series = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                // Issue times are the database's own; here they are set as if days had passed.
                for day in 1...3 {
                    let id = try ForecastLedger.write(
                        Fixture.forecast(after: 24 * day, steps: 2, value: Double(day)),
                        series: series, model: model, in: db)
                    try db.run(
                        """
                        UPDATE systole.forecast SET issued_at = \(Fixture.at(24 * day))
                        WHERE forecast_id = \(id)
                        """)
                }
                return series
            }
            for (hour, expected) in [(24, 1.0), (47, 1), (48, 2), (1000, 3)] {
                let believed = try await database.pool.transaction { db in
                    try ForecastLedger.newest(series, asOf: Fixture.at(hour), in: db)
                }
                #expect(believed?.forecast.values == [expected, expected])
                let rows = try await database.pool.run(
                    """
                    SELECT value, step, at, lower_80, upper_95
                    FROM systole.forecast_as_of('plant.oil_temp', \(Fixture.at(hour)))
                    """)
                #expect(try rows.allDoubles("value") == [expected, expected])
                #expect(try rows.allInt64s("step") == [1, 2])
                #expect(try rows.allDoubles("lower_80") == [expected - 1, expected - 1])
                #expect(try rows.allDoubles("upper_95") == [expected + 2, expected + 2])
            }
            let before = try await database.pool.run(
                "SELECT FROM systole.forecast_as_of('plant.oil_temp', \(Fixture.at(23)))")
            #expect(before.isEmpty)
            let newest = try await database.pool.run(
                "SELECT at, value FROM systole.forecast('plant.oil_temp')")
            #expect(try newest.allDoubles("value") == [3, 3])
            #expect(
                try newest.allEpochMicroseconds("at")
                    == [Fixture.at(73), Fixture.at(74)].map(\.microseconds))
        }
    }
}
