import Forecasting
import Series
import Testing

/// A model at work, measured on the windows that a new fit is judged on.
@Suite struct RescoreTests {
    private static func task(lag: Int = 72, horizon: Int = 24) throws -> ForecastTask {
        try ForecastTask(lag: lag, horizon: horizon, season: 24)
    }

    @Test(arguments: [Family.seasonalNaive, .ets, .ridge, .ensemble])
    func `on its own windows a model has its own error`(_ family: Family) throws {
        let series = MadeSeries.wave(900)
        let task = try Self.task()
        let split = Split.live(rows: 900, task: task)
        let pipeline: FittedPipeline
        if family == .ensemble {
            let fit = try AutoFit.fit([.ets, .ridge], series: series, task: task, split: split)
            pipeline = fit.pipelines.last ?? fit.pipelines[0]
        } else {
            pipeline = try FittedPipelineTests.fit(family, series)
        }
        let again = try #require(
            try pipeline.validationMSE(on: series, task: task, split: split))
        #expect(abs(again / pipeline.report.validationMSE - 1) < 1e-5)
    }

    @Test func `the error is told in the scale of the other fit, over the other's windows`() throws
    {
        // The model learns from small values; the other fit sees the same wave ten times as large
        // around another level, and so does its scale.
        let series = MadeSeries.wave(900)
        let task = try Self.task()
        let split = Split.live(rows: 900, task: task)
        let naive = try FittedPipelineTests.fit(.seasonalNaive, series)
        let larger = series.changing(0..<900) { 100 + 10 * $0 }
        let other = try FittedPipelineTests.fit(.seasonalNaive, larger)
        let again = try #require(try naive.validationMSE(on: larger, task: task, split: split))
        #expect(abs(again / other.report.validationMSE - 1) < 1e-5)
    }

    @Test func `a model with a longer memory is measured from the same origins`() throws {
        let series = MadeSeries.wave(900)
        let task = try Self.task()
        let split = Split.live(rows: 900, task: task)
        let short = try FittedPipelineTests.fit(.seasonalNaive, series, lag: 72)
        let long = try FittedPipelineTests.fit(.seasonalNaive, series, lag: 200)
        let errors = try [short, long].map {
            try #require(try $0.validationMSE(on: series, task: task, split: split))
        }
        #expect(abs(errors[0] / errors[1] - 1) < 1e-6)
    }

    @Test func `what cannot forecast the windows has no error`() throws {
        let series = MadeSeries.wave(900)
        let ridge = try FittedPipelineTests.fit(.ridge, series, horizon: 12)
        let task = try Self.task()
        let split = Split.live(rows: 900, task: task)
        #expect(try ridge.validationMSE(on: series, task: task, split: split) == nil)
        let daily = TimeSeries(
            channel: series.channel,
            grid: TimeGrid(
                start: series.grid.start, rate: SamplingRate(1, per: 86_400), count: 900),
            values: series.values)
        #expect(throws: ForecastError.self) {
            try ridge.validationMSE(on: daily, task: task, split: split)
        }
    }
}
