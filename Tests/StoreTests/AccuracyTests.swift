import Foundation
import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct AccuracyTests {
    /// Two runs of 30 hours over a series whose values are set by hand; one observation missing.
    private static func prepare(_ database: TestDatabase) async throws {
        try await database.pool.transaction { db in
            let series = try Fixture.series(in: db)
            let model = try Fixture.model(of: series, in: db)
            let rows = (0..<131).filter { $0 != 103 }.map { hour in
                Observation(at: Fixture.at(hour), value: truth(hour))
            }
            try SeriesStore.append(rows, to: series, in: db)
            for value in [10.0, 11] {
                try ForecastLedger.write(
                    Fixture.forecast(after: 100, steps: 30, value: value), series: series,
                    model: model, in: db)
            }
        }
    }

    private static func truth(_ hour: Int) -> Double { 10 + Double(hour % 24) / 8 }

    @Test func `errors have the sign of the forecast, and a missing truth has no row`()
        async throws
    {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            let rows = try await database.pool.run(
                """
                SELECT step, error, inside_80, inside_95 FROM systole.forecast_vs_actual
                WHERE series = 'plant.oil_temp' AND value = 10 ORDER BY step
                """)
            let steps = try rows.allInt64s("step")
            #expect(steps == (1...30).filter { $0 != 3 }.map { Int64($0) })
            for row in rows {
                let truth = Self.truth(100 + (try row.int("step")))
                #expect(try row.double("error") == 10 - truth)
                #expect(try row.bool("inside_80") == (abs(10 - truth) <= 1))
                #expect(try row.bool("inside_95") == (abs(10 - truth) <= 2))
            }
        }
    }

    @Test func `accuracy agrees with the definitions, bucket by bucket`() async throws {
        try await withTestDatabase { database in
            try await Self.prepare(database)
            _ = try await database.pool.run("SELECT systole.score_accuracy()")
            let rows = try await database.pool.run(
                """
                SELECT * FROM systole.accuracy WHERE series = 'plant.oil_temp' ORDER BY from_step
                """)
            #expect(try rows.allInt64s("from_step") == [1, 2, 7, 25])
            #expect(try rows.allInt64s("to_step") == [1, 6, 24, 72])
            for row in rows {
                let points = Self.points(try row.int("from_step")...(try row.int("to_step")))
                let count = Double(points.count)
                let errors = points.map { $0.value - $0.truth }
                let mae = errors.map { abs($0) }.reduce(0, +) / count
                let rmse = (errors.map { $0 * $0 }.reduce(0, +) / count).squareRoot()
                let crps = points.map(Self.crps).reduce(0, +) / count
                let inside = Double(errors.count { abs($0) <= 1 }) / count
                // Same phase, whole days earlier: the values repeat daily, so naive has no error.
                #expect(try row.int("points") == points.count)
                #expect(abs(try row.double("mae") - mae) < 1e-9)
                #expect(abs(try row.double("rmse") - rmse) < 1e-9)
                #expect(abs(try row.double("mase") - mae / 2) < 1e-9)
                #expect(abs(try row.double("rmsse") - rmse / 4) < 1e-9)
                #expect(abs(try row.double("bias") - errors.reduce(0, +) / count) < 1e-9)
                #expect(abs(try row.double("crps") - crps) < 1e-9)
                #expect(abs(try row.double("coverage_80") - inside) < 1e-9)
                #expect(try row.optionalDouble("skill") == nil)
                #expect(try row.text("family") == "ridge")
            }
        }
    }

    @Test func `seasonal naive looks back whole seasons from what was known at issue`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                // A ramp: a naive value from one day back is 24 off, from two days back 48.
                try SeriesStore.append(Fixture.hourly(160), to: series, in: db)
                try ForecastLedger.write(
                    Fixture.forecast(after: 100, steps: 48, value: 100), series: series,
                    model: model, in: db)
            }
            _ = try await database.pool.run("SELECT systole.score_accuracy()")
            let rows = try await database.pool.run(
                "SELECT from_step, mae, skill, skill_points FROM systole.accuracy")
            for row in rows {
                let naive = try row.int("from_step") <= 24 ? 24.0 : 48
                let expected = 1 - (try row.double("mae")) / naive
                #expect(abs(try row.double("skill") - expected) < 1e-9)
            }
            #expect(try rows.allInt64s("skill_points").reduce(0, +) == 48)
        }
    }

    private static func points(_ steps: ClosedRange<Int>) -> [(value: Double, truth: Double)] {
        [10.0, 11].flatMap { value in
            steps.filter { $0 <= 30 && $0 != 3 }.map { (value, truth(100 + $0)) }
        }
    }

    /// The weighted quantile loss as `accuracy.crps` is documented, written down once more.
    private static func crps(_ point: (value: Double, truth: Double)) -> Double {
        let nodes = [
            (0.025, -2.0, 0.0625), (0.1, -1, 0.2375), (0.5, 0, 0.4), (0.9, 1, 0.2375),
            (0.975, 2, 0.0625),
        ]
        return nodes.map { level, offset, weight in
            let difference = point.truth - (point.value + offset)
            return 2 * weight * max(level * difference, (level - 1) * difference)
        }.reduce(0, +)
    }
}
