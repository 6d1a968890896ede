import Foundation
import Forecasting
import Series
import Tensors

/// A thousand series forecast by one fitted ridge pipeline, with intervals, one call each, as the
/// forecast jobs do it.
///
/// Limit: 2 · lag · horizon · series = 65 MFLOP, less than a millisecond of one core in one
/// product; the first opponent does that, the second one goes series by series.
enum ForecastBatch {
    static let series = 1000
    static let lag = 336
    static let horizon = 96

    static let benchmark = Benchmark("forecast.batch") { setting in
        let task = try ForecastTask(lag: lag, horizon: horizon, season: 24)
        let learnt = history(seed: 1, count: 4000)
        let pipeline = try FittedPipeline.fit(
            .ridge, series: learnt, task: task,
            split: Split.live(rows: learnt.values.count, task: task))
        let histories = (0..<series).map { history(seed: UInt64($0), count: lag) }
        let opponent = { (name: String, workload: String) in
            setting.peers.opponent(
                name, script: "numerics.py", workload: workload,
                arguments: [series, lag, horizon, pipeline.calibrator.levels.count].map(
                    String.init),
                threads: setting.threads)
        }
        return Contest(
            what:
                "\(series) series, lag \(lag), horizon \(horizon), four quantiles, by one ridge fit",
            work: Work(series, "forecasts"),
            ours: Contestant("FittedPipeline.forecast") {
                for history in histories {
                    keep(try pipeline.forecast(history: history, steps: horizon))
                }
            },
            opponents: [
                opponent("NumPy, all series in one product", "ridge-batch"),
                opponent("NumPy, one series after the other", "ridge-each"),
            ])
    }

    /// Hourly values with a daily season and noise.
    private static func history(seed: UInt64, count: Int) -> TimeSeries {
        var random = RandomStream(seed: seed)
        let phase = 24 * random.uniform()
        let grid = TimeGrid(
            start: Timestamp(microseconds: 1_577_836_800_000_000), rate: SamplingRate(1, per: 3600),
            count: count)
        return TimeSeries(
            channel: Channel(name: "bench"), grid: grid,
            values: (0..<count).map { hour in
                20 + 5 * sin(2 * .pi * (Double(hour) + phase) / 24) + random.normal()
            })
    }
}
