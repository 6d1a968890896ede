package import Series

/// Errors over all test windows of a series, by the protocol of the long-horizon benchmarks.
///
/// Look-back free, borders fixed, scaled by the training rows, errors in scaled units, every test
/// window counted (none dropped to fill a batch), settings chosen on validation alone. The fit is
/// the one that a live model gets.
package struct Backtest: Sendable {
    package let lag: Int
    package let season: Int
    package let horizons: [Int]
    package let families: [Family]
    /// Families without chance in them are fitted once, and give the same figures for every seed.
    package let seeds: [UInt64]
    /// Whether what `auto` would ship is judged too: the best of `families` or their ensemble.
    package let judgesAuto: Bool
    package let split: Split
    package var options: FitOptions

    /// - Parameters:
    ///   - lag: Look-back, in steps.
    ///   - season: In steps, not above `lag`.
    ///   - horizons: In steps; each is fitted on its own.
    ///   - families: In the order in which they appear in the results; an ensemble is judged by
    ///     `judgesAuto`.
    ///   - seeds: At least one.
    ///   - judgesAuto: Whether the choice among them is judged too.
    ///   - split: Of as many rows as the series will have.
    ///   - options: As for a live fit; the seed is taken from `seeds`.
    package init(
        lag: Int, season: Int, horizons: [Int], families: [Family], seeds: [UInt64] = [0],
        judgesAuto: Bool = false, split: Split, options: FitOptions = FitOptions()
    ) {
        precondition(!seeds.isEmpty, "Backtest: no seeds")
        self.lag = lag
        self.season = season
        self.horizons = horizons
        self.families = families.filter { $0 != .ensemble }
        self.seeds = seeds
        self.judgesAuto = judgesAuto
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
        var report = BacktestReport(split: split)
        for horizon in horizons {
            let task = try ForecastTask(lag: lag, horizon: horizon, season: season)
            let judge = try TestWindows(series, task: task, split: split)
            report.excludedWindows += judge.windows.excluded
            var run = HorizonRun(
                backtest: self, series: series, task: task, judge: judge, report: report)
            try run.all(progress)
            report = run.report
        }
        return report
    }
}

/// All fits and judgements of one horizon.
private struct HorizonRun {
    let backtest: Backtest
    let series: TimeSeries
    let task: ForecastTask
    let judge: TestWindows
    var report: BacktestReport

    init(
        backtest: Backtest, series: TimeSeries, task: ForecastTask, judge: TestWindows,
        report: BacktestReport
    ) {
        self.backtest = backtest
        self.series = series
        self.task = task
        self.judge = judge
        self.report = report
    }

    mutating func all(_ progress: (FitProgress) throws -> Void) throws {
        let last = Forecaster.seasonalNaive(.repeatLast)
        add("repeat-last", last, seed: backtest.seeds[0], seconds: 0)
        for family in backtest.families {
            for seed in backtest.seeds {
                let fit = try fit(family, seed: seed, progress)
                add(
                    family.rawValue, fit.forecaster, seed: seed, seconds: fit.report.trainSeconds)
            }
        }
        guard backtest.judgesAuto else { return }
        for seed in backtest.seeds { try judgeAuto(seed: seed) }
    }

    /// Fits of this horizon by family and seed.
    private var fits: [FitKey: FittedPipeline] = [:]
    private struct FitKey: Hashable {
        let family: Family
        let seed: UInt64
    }

    private mutating func fit(
        _ family: Family, seed: UInt64, _ progress: (FitProgress) throws -> Void
    ) throws -> FittedPipeline {
        let key = FitKey(family: family, seed: family.isRandom ? seed : backtest.seeds[0])
        if let there = fits[key] { return there }
        var options = backtest.options
        options.seed = seed
        let fit = try FittedPipeline.fit(
            family, series: series, task: task, split: backtest.split, options: options,
            progress: progress)
        fits[key] = fit
        return fit
    }

    private mutating func judgeAuto(seed: UInt64) throws {
        var options = backtest.options
        options.seed = seed
        let members = try backtest.families.map { try fit($0, seed: seed) { _ in } }
        let timed = try options.clock.timed {
            try AutoFit.choosing(members, series: series, options: options)
        }
        let auto = timed.value
        guard let winner = auto.winner else { return }
        let declined = auto.refused.first { $0.family == .ensemble }?.reason
        report.choices.append(
            .init(
                horizon: task.horizon, seed: seed, family: winner.family.rawValue,
                reason: auto.selection.reason + (declined.map { " \($0)" } ?? "")))
        add(
            "auto", winner.forecaster, seed: seed,
            seconds: timed.seconds + members.reduce(0) { $0 + $1.report.trainSeconds })
    }

    /// Judges a forecaster on the test windows; the first seed's curve and example are kept.
    private mutating func add(
        _ name: String, _ forecaster: Forecaster, seed: UInt64, seconds: Double
    ) {
        let errors = judge.errors(of: forecaster)
        report.results.append(
            .init(
                family: name, horizon: task.horizon, seed: seed, errors: errors.sum,
                windows: judge.windows.starts.count, trainSeconds: seconds))
        guard seed == backtest.seeds[0] else { return }
        report.curves.append(
            .init(
                family: name, horizon: task.horizon, mseByStep: errors.byStep,
                example: judge.exampleForecast(by: forecaster)))
        if name == "repeat-last" { report.examples.append(judge.example) }
    }
}
