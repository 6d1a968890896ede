package import Series

/// Errors over all test windows of a series, by the protocol of the long-horizon benchmarks.
///
/// Look-back free, borders fixed, scaled by the training rows, errors in scaled units, every test
/// window counted (none dropped to fill a batch), settings chosen on validation alone. The fit is
/// the one that a live model gets.
package struct Backtest: Sendable {
    /// Test windows forecast at a time.
    private static let chunk = 256

    package let lag: Int
    package let season: Int
    package let horizons: [Int]
    package let families: [Family]
    /// Families without chance in them are fitted once, and give the same figures for every seed.
    package let seeds: [UInt64]
    package let split: Split
    package var options: FitOptions

    /// - Parameters:
    ///   - lag: Look-back, in steps.
    ///   - season: In steps, not above `lag`.
    ///   - horizons: In steps; each is fitted on its own.
    ///   - families: In the order in which they appear in the results.
    ///   - seeds: At least one.
    ///   - split: Of as many rows as the series will have.
    ///   - options: As for a live fit; the seed is taken from `seeds`.
    package init(
        lag: Int, season: Int, horizons: [Int], families: [Family], seeds: [UInt64] = [0],
        split: Split, options: FitOptions = FitOptions()
    ) {
        precondition(!seeds.isEmpty, "Backtest: no seeds")
        self.lag = lag
        self.season = season
        self.horizons = horizons
        self.families = families
        self.seeds = seeds
        self.split = split
        self.options = options
    }

    /// Fits and judges every family for every horizon and seed.
    ///
    /// - Parameters:
    ///   - series: NaN where missing; windows that reach over missing values are left out.
    ///   - progress: Told now and then; what it throws ends the run.
    /// - Returns: A result for every family, horizon and seed, and one for repeating the last value
    ///   for every horizon.
    /// - Throws: `ForecastError`, or what `progress` throws.
    package func run(
        _ series: TimeSeries, progress: (FitProgress) throws -> Void = { _ in }
    ) throws -> BacktestReport {
        var results: [BacktestReport.Row] = []
        var excluded = 0
        for horizon in horizons {
            let task = try ForecastTask(lag: lag, horizon: horizon, season: season)
            let judge = try TestWindows(series, task: task, split: split)
            excluded += judge.windows.excluded
            let last = judge.errors(of: .seasonalNaive(.repeatLast))
            results.append(
                .init(
                    family: "repeat-last", horizon: horizon, seed: seeds[0], errors: last,
                    windows: judge.windows.starts.count, trainSeconds: 0))
            for family in families {
                results += try rows(family, series, task: task, judge: judge, progress: progress)
            }
        }
        return BacktestReport(
            results: results, split: split, excludedWindows: excluded,
            rowsUnused: split.unused)
    }

    private func rows(
        _ family: Family, _ series: TimeSeries, task: ForecastTask, judge: TestWindows,
        progress: (FitProgress) throws -> Void
    ) throws -> [BacktestReport.Row] {
        var rows: [BacktestReport.Row] = []
        for seed in seeds {
            if let same = rows.last, !family.isRandom {
                rows.append(same.with(seed: seed))
                continue
            }
            var options = options
            options.seed = seed
            let pipeline = try FittedPipeline.fit(
                family, series: series, task: task, split: split, options: options,
                progress: progress)
            rows.append(
                .init(
                    family: family.rawValue, horizon: task.horizon, seed: seed,
                    errors: judge.errors(of: pipeline.forecaster),
                    windows: judge.windows.starts.count,
                    trainSeconds: pipeline.report.trainSeconds))
        }
        return rows
    }

    /// The test windows of one task, and what errs on them how much.
    private struct TestWindows {
        let task: ForecastTask
        let windows: WindowPlan.Windows
        /// Scaled by the training rows.
        let scaled: [Double]

        init(_ series: TimeSeries, task: ForecastTask, split: Split) throws(ForecastError) {
            guard series.values.count == split.rows else {
                throw .bordersOutsideSeries(rows: series.values.count, asked: split.rows)
            }
            self.task = task
            scaled = try Standardiser(fitting: series.values[split.targets(of: .train)])
                .scale(series.values)
            windows = WindowPlan(values: scaled, task: task, split: split).test
            guard !windows.starts.isEmpty else {
                throw .tooFewWindows(part: .test, found: 0, needed: 1, excluded: windows.excluded)
            }
        }

        func errors(of forecaster: Forecaster) -> ErrorSum {
            let (lag, horizon) = (task.lag, task.horizon)
            let series = scaled.map { Float($0) }
            var sum = ErrorSum()
            for first in stride(from: 0, to: windows.starts.count, by: Backtest.chunk) {
                let end = min(first + Backtest.chunk, windows.starts.count)
                let part = Array(windows.starts[first..<end])
                let forecasts = forecaster.forecast(series, starts: part, lag: lag, steps: horizon)
                for (row, start) in part.enumerated() {
                    sum.add(
                        forecasts[(row * horizon)..<((row + 1) * horizon)],
                        targets: scaled[(start + lag)..<(start + lag + horizon)])
                }
            }
            return sum
        }
    }
}

/// What a backtest found; encodes as `{"results":[{"family","horizon","seed","mse","mae","windows",
/// "train_seconds"}…]}`.
package struct BacktestReport: Sendable, Encodable {
    /// One family, horizon and seed.
    package struct Row: Hashable, Sendable, Encodable {
        package let family: String
        package let horizon: Int
        package let seed: UInt64
        /// In scaled units, over all windows and steps.
        package let mse: Double
        /// In scaled units, over all windows and steps.
        package let mae: Double
        /// Test windows.
        package let windows: Int
        package let trainSeconds: Double

        private enum CodingKeys: String, CodingKey {
            case family, horizon, seed, mse, mae, windows
            case trainSeconds = "train_seconds"
        }

        init(
            family: String, horizon: Int, seed: UInt64, errors: ErrorSum, windows: Int,
            trainSeconds: Double
        ) {
            self.init(
                family: family, horizon: horizon, seed: seed, mse: errors.mse, mae: errors.mae,
                windows: windows, trainSeconds: trainSeconds)
        }

        private init(
            family: String, horizon: Int, seed: UInt64, mse: Double, mae: Double, windows: Int,
            trainSeconds: Double
        ) {
            self.family = family
            self.horizon = horizon
            self.seed = seed
            self.mse = mse
            self.mae = mae
            self.windows = windows
            self.trainSeconds = trainSeconds
        }

        func with(seed: UInt64) -> Row {
            Row(
                family: family, horizon: horizon, seed: seed, mse: mse, mae: mae, windows: windows,
                trainSeconds: trainSeconds)
        }
    }

    package let results: [Row]
    package let split: Split
    /// Test windows left out because of missing values, over all horizons.
    package let excludedWindows: Int
    /// Rows at the end of the series that no part used.
    package let rowsUnused: Int

    private enum CodingKeys: String, CodingKey { case results }
}
