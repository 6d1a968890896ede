package import Models

/// Errors over all test windows of a group, by the multivariate protocol of the long-horizon benchmarks.
///
/// Look-back fixed beforehand, borders fixed, every member scaled by its training rows, errors in scaled
/// units over every test window, member and step, settings chosen on validation alone. Test windows are
/// looked at once, after everything of a horizon is chosen.
package struct JointBacktest: Sendable {
    package var lag = 336
    package var horizons: [Int]
    package var families: [JointFamily] = [.ridge, .ridgeMean, .tsm2, .unmixed, .ensemble]
    /// Families without chance in them are fitted once, and give the same figures for every seed.
    package var seeds: [UInt64] = [0]
    package var split: Split
    package var threads = 1
    /// How TSM2 is trained; seed and threads are those given here.
    package var training = TSM2TrainingOptions.standard
    /// Sizes of TSM2; lag and horizon are those given here.
    package var network = TSM2Configuration(horizon: 1)
    package var clock: any Clock<Duration> = ContinuousClock()

    /// - Parameters:
    ///   - horizons: In steps; each is fitted on its own.
    ///   - split: Of as many rows as the group will have.
    package init(horizons: [Int], split: Split) {
        (self.horizons, self.split) = (horizons, split)
    }

    /// Fits and judges every family for every horizon and seed.
    ///
    /// - Parameters:
    ///   - series: The group, scaled by the split's training rows.
    ///   - progress: Told now and then; what it throws ends the run.
    /// - Returns: A result for every family, horizon and seed, one for the combination of all seeds where
    ///   there are several, and one for repeating the last value for every horizon.
    /// - Throws: `ForecastError`, `TrainingError`, or what `progress` throws.
    package func run(
        _ series: JointSeries, progress: (String) throws -> Void = { _ in }
    ) throws -> JointBacktestReport {
        precondition(series.rows == split.rows, "JointBacktest: \(series.rows) rows")
        var report = JointBacktestReport(split: split, lag: lag, members: series.names)
        for horizon in horizons {
            let task = try ForecastTask(lag: lag, horizon: horizon, season: 1)
            var run = try JointHorizonRun(self, series, task)
            try run.fitAll(progress)
            report.results += run.judged()
            report.choices += run.choices
        }
        return report
    }
}

extension TSM2TrainingOptions {
    /// Short epochs of 2,048 windows with a rate that comes to rest: within a few hundred steps the
    /// validation error on ETTh1 and ETTh2 is at its best, see ops/decisions/0047.
    package static let standard: TSM2TrainingOptions = {
        var options = TSM2TrainingOptions()
        options.windowsPerEpochMaximum = 2_048
        options.validationWindowsMaximum = 1_024
        (options.epochsMaximum, options.patience) = (8, 4)
        return options
    }()
}

/// All fits of one horizon, and their judgement at the end.
private struct JointHorizonRun {
    private struct Fit {
        let name: String
        let isRandom: Bool
        let seed: UInt64
        let forecaster: JointForecaster
        let validationMSE: Double?
        let seconds: Double
    }

    private let backtest: JointBacktest
    private let series: JointSeries
    private let task: ForecastTask
    private let fitter: JointFitter
    private let test: [Int]
    private var fits: [Fit]
    private(set) var choices: [JointBacktestReport.Choice] = []

    init(_ backtest: JointBacktest, _ series: JointSeries, _ task: ForecastTask) throws {
        (self.backtest, self.series, self.task) = (backtest, series, task)
        fitter = try JointFitter(
            series, task, backtest.split, training: backtest.training, network: backtest.network,
            threads: backtest.threads, clock: backtest.clock)
        test = try series.someStarts(of: .test, task, backtest.split)
        fits = [
            Fit(
                name: "repeat-last", isRandom: false, seed: backtest.seeds[0],
                forecaster: .repeatLast,
                validationMSE: nil, seconds: 0)
        ]
    }

    mutating func fitAll(_ progress: (String) throws -> Void) throws {
        for family in backtest.families where family != .ensemble {
            for seed in family.isRandom ? backtest.seeds : [backtest.seeds[0]] {
                let timed = try backtest.clock.timed {
                    try fitter.fit(family, seed: seed, progress)
                }
                fits.append(
                    Fit(
                        name: family.rawValue, isRandom: family.isRandom, seed: seed,
                        forecaster: timed.value.forecaster, validationMSE: timed.value.error,
                        seconds: timed.seconds))
            }
        }
        guard backtest.families.contains(.ensemble) else { return }
        let singles = fits.dropFirst()
        for seed in backtest.seeds {
            try combine("ensemble", seed, singles.filter { $0.seed == seed || !$0.isRandom })
        }
        if backtest.seeds.count > 1, singles.contains(where: \.isRandom) {
            try combine("ensemble-of-seeds", backtest.seeds[0], Array(singles))
        }
    }

    private mutating func combine(_ name: String, _ seed: UInt64, _ members: [Fit]) throws {
        guard members.count > 1 else { return }
        let timed = try backtest.clock.timed {
            try JointForecaster.chosen(
                members.map(\.forecaster),
                names: members.map { $0.isRandom ? "\($0.name) seed \($0.seed)" : $0.name }, fitter)
        }
        let chosen = timed.value
        choices.append(
            .init(horizon: task.horizon, seed: seed, family: name, reason: chosen.reason))
        let errors = chosen.forecaster.errors(
            series, starts: fitter.validation, task, threads: backtest.threads)
        fits.append(
            Fit(
                name: name, isRandom: true, seed: seed, forecaster: chosen.forecaster,
                validationMSE: errors.all.mse,
                seconds: members.reduce(timed.seconds) { $0 + $1.seconds }))
    }

    /// The one look at the test windows.
    func judged() -> [JointBacktestReport.Row] {
        fits.map { fit in
            let errors = fit.forecaster.errors(
                series, starts: test, task, threads: backtest.threads)
            return JointBacktestReport.Row(
                family: fit.name, horizon: task.horizon, seed: fit.seed,
                validationMSE: fit.validationMSE, errors: errors, windows: test.count,
                trainSeconds: fit.seconds)
        }
    }
}
