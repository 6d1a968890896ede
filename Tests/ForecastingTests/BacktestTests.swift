import Forecasting
import Foundation
import Series
import Testing

@Suite struct BacktestTests {
    static func run(_ series: TimeSeries, seeds: [UInt64] = [0], horizons: [Int] = [24]) throws
        -> BacktestReport
    {
        try Backtest(
            lag: 72, season: 24, horizons: horizons, families: [.seasonalNaive, .ridge],
            seeds: seeds, split: .informer(rows: series.values.count)
        ).run(series)
    }

    @Test func `every family, horizon and seed gives a row over all test windows`() throws {
        let report = try Self.run(MadeSeries.wave(2_000), seeds: [1, 2], horizons: [12, 24])
        #expect(
            report.results.map(\.family) == [
                "repeat-last", "seasonal-naive", "seasonal-naive", "ridge", "ridge",
                "repeat-last", "seasonal-naive", "seasonal-naive", "ridge", "ridge",
            ])
        #expect(
            report.results.map(\.windows) == Array(repeating: 389, count: 5)
                + Array(repeating: 377, count: 5))
        #expect(report.results[3].mse == report.results[4].mse)
        #expect(report.results[3...4].map(\.seed) == [1, 2])
        #expect(report.results.allSatisfy { $0.mse > 0 && $0.mae > 0 })
    }

    @Test func `the figures of the naive forecast are those by definition`() throws {
        let series = MadeSeries.wave(1_000)
        let row = try Self.run(series).results[1]
        let scaled = try Standardiser(fitting: series.values[..<700]).scale(series.values)
        var (f, y): ([Double], [Double]) = ([], [])
        for start in 728...904 {
            for step in 0..<24 {
                y.append(scaled[start + 72 + step])
                f.append(scaled[start + 48 + step])
            }
        }
        #expect(row.windows == 177)
        #expect(abs(row.mse - Accuracy.mse(f, y)) < 1e-6)
        #expect(abs(row.mae - Accuracy.mae(f, y)) < 1e-6)
    }

    @Test func `test windows with missing values are left out and counted`() throws {
        let series = MadeSeries.wave(2_000).changing(1_900..<1_901) { _ in .nan }
        let report = try Self.run(series)
        #expect(report.results.map(\.windows) == [281, 281, 281])
        #expect(report.excludedWindows == 96)
    }

    @Test func `the JSON has the promised keys and no other`() throws {
        let report = try Self.run(MadeSeries.wave(1_000))
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(report))
        let object = try #require(json as? [String: Any])
        #expect(object.keys.sorted() == ["auto", "results", "rows", "summary"])
        let rows = try #require(object["results"] as? [[String: Any]])
        #expect(rows.count == 3)
        for row in rows {
            #expect(
                row.keys.sorted() == [
                    "family", "horizon", "mae", "mse", "seed", "train_seconds", "windows",
                ])
        }
    }

    @Test func `the summary has mean and deviation over the seeds`() throws {
        let report = try Self.run(MadeSeries.wave(1_000), seeds: [1, 2], horizons: [12, 24])
        #expect(
            report.summary.map(\.family) == [
                "repeat-last", "seasonal-naive", "ridge", "repeat-last", "seasonal-naive", "ridge",
            ])
        #expect(report.summary[2].seeds == 2 && report.summary[2].mseDeviation == 0)
        #expect(report.summary[2].mse == report.results[3].mse)
        #expect(report.summary.map(\.horizon) == [12, 12, 12, 24, 24, 24])
    }

    @Test func `the error by step averages to the error, and an example is kept`() throws {
        let report = try Self.run(MadeSeries.wave(1_000))
        let ridge = try #require(report.curves.last)
        let mean = ridge.mseByStep.reduce(0, +) / 24
        #expect(abs(mean - report.results[2].mse) < 1e-9)
        let example = try #require(report.examples.first)
        #expect(example.truth.count == 24 && ridge.example.count == 24)
        #expect(example.row == 800 + 88)
    }

    @Test func `auto judges what validation chose, and says why`() throws {
        let series = MadeSeries.wave(1_000)
        let report = try Backtest(
            lag: 72, season: 24, horizons: [24], families: [.seasonalNaive, .ets, .ridge],
            judgesAuto: true, split: .informer(rows: 1_000)
        ).run(series)
        #expect(report.results.map(\.family).last == "auto")
        let choice = try #require(report.choices.first)
        #expect(["ridge", "ensemble"].contains(choice.family))
        #expect(choice.reason.contains("least validation error"))
        let auto = try #require(report.results.last)
        if choice.family == "ridge" { #expect(auto.mse == report.results[3].mse) }
        #expect(auto.mse < report.results[1].mse)
    }

    @Test func `a series without test windows is refused`() {
        #expect(throws: ForecastError.self) { try Self.run(MadeSeries.wave(100)) }
    }

    @Test func `rows that no part uses are said`() throws {
        let series = MadeSeries.wave(1_000)
        let split = try Split(rows: 1_000, train: 600, validation: 150, test: 150)
        let report = try Backtest(
            lag: 72, season: 24, horizons: [24], families: [], split: split
        ).run(series)
        #expect(report.rowsUnused == 100)
    }
}
