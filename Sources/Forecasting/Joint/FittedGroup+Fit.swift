extension FittedGroup {
    /// Fits models of a group, combines them by their validation errors, and calibrates every member's
    /// intervals on the validation windows.
    ///
    /// - Parameters:
    ///   - series: Scaled by the split's training rows.
    ///   - task: Lag and horizon.
    ///   - split: Of as many rows as the group has.
    ///   - options: What is fitted, and how.
    ///   - progress: Told now and then; what it throws ends the fit.
    /// - Returns: The combination, or the best of the models where that is better throughout.
    /// - Throws: `ForecastError`, `TrainingError`, or what `progress` throws.
    package static func fit(
        _ series: JointSeries, task: ForecastTask, split: Split,
        options: GroupFitOptions = GroupFitOptions(),
        progress: (String) throws -> Void = { _ in }
    ) throws -> FittedGroup {
        precondition(series.rows == split.rows, "FittedGroup: \(series.rows) rows")
        let fitter = try JointFitter(
            series, task, split, training: options.training, network: options.network,
            threads: options.threads, clock: options.clock)
        var (models, candidates): ([JointForecaster], [GroupFitReport.Candidate]) = ([], [])
        for family in options.families where family.isPossible(series, options.families) {
            let timed = try options.clock.timed {
                try fitter.fit(family, seed: options.seed, progress)
            }
            models.append(timed.value.forecaster)
            candidates.append(
                .init(family: family, validationMSE: timed.value.error, seconds: timed.seconds))
        }
        precondition(!models.isEmpty, "FittedGroup: no families")
        let combined = try JointForecaster.chosen(
            models, names: candidates.map(\.family.rawValue), fitter)
        let judged = JointCalibration(
            combined.forecaster, series, starts: fitter.validation, task, options)
        let errors = judged.errors
        guard errors.all.mse.isFinite else { throw ForecastError.diverged(.ensemble) }
        let report = GroupFitReport(
            task: task, split: split, names: series.names, standardisers: series.standardisers,
            idle: series.idle, candidates: candidates, reason: combined.reason,
            validationMSE: errors.all.mse, validationMAE: errors.all.mae,
            memberMSE: errors.members.map { $0.count > 0 ? $0.mse : nil },
            repeatLastMSE: JointForecaster.repeatLast.errors(
                series, starts: fitter.validation, task, threads: 1
            ).all.mse, trainWindows: fitter.train.count,
            validationWindows: fitter.validation.count,
            trainSeconds: candidates.reduce(0) { $0 + $1.seconds }, seed: options.seed,
            threads: options.threads, codeVersion: options.codeVersion, calendar: series.calendar)
        return FittedGroup(
            report: report, forecaster: combined.forecaster,
            calibrators: try judged.calibrators(options))
    }
}

extension JointFamily {
    /// Whether it can be fitted to a group, and is not the same as another that was asked for.
    fileprivate func isPossible(_ series: JointSeries, _ asked: [JointFamily]) -> Bool {
        switch self {
        case .ensemble: false
        case .calendar: series.calendar != nil
        case .tsm2: series.members > 1 || !asked.contains(.unmixed)
        default: true
        }
    }
}

/// Errors and residuals of every member over validation windows.
private struct JointCalibration {
    private(set) var errors: JointErrors
    /// `[member][step][window]`, of windows whose targets are all known.
    private var residuals: [[[Double]]]

    init(
        _ forecaster: JointForecaster, _ series: JointSeries, starts: [Int], _ task: ForecastTask,
        _ options: GroupFitOptions
    ) {
        errors = JointErrors(members: series.members)
        let steps = [[Double]](repeating: [], count: task.horizon)
        residuals = Array(repeating: steps, count: series.members)
        let every = (starts.count - 1) / FittedPipeline.residualWindowsMaximum + 1
        for first in stride(from: 0, to: starts.count, by: JointForecaster.chunk) {
            let part = Array(starts[first..<min(first + JointForecaster.chunk, starts.count)])
            let forecasts = forecaster.forecast(
                series, starts: part, task, threads: options.threads)
            errors.add(forecasts, series.windows, starts: part, lag: task.lag)
            for (window, start) in part.enumerated() where (first + window) % every == 0 {
                for member in 0..<series.members {
                    let place = (window * series.members + member) * task.horizon
                    let from = member * series.rows + start + task.lag
                    let targets = series.scaled[from..<from + task.horizon]
                    guard targets.allSatisfy({ $0.isFinite }) else { continue }
                    for (step, target) in targets.enumerated() {
                        residuals[member][step].append(target - Double(forecasts[place + step]))
                    }
                }
            }
        }
    }

    /// Of every member; one with too few windows of its own takes those of all.
    func calibrators(_ options: GroupFitOptions) throws(ForecastError) -> [ConformalCalibrator] {
        let all = residuals[0].indices.map { step in residuals.flatMap { $0[step] } }
        guard let count = all.first?.count, count > 0 else {
            throw .tooFewWindows(part: .validation, found: 0, needed: 1, excluded: 0)
        }
        return residuals.map { own in
            ConformalCalibrator(
                residuals: own[0].count >= Split.validationWindowsMinimum ? own : all,
                method: .absolute, levels: options.levels)
        }
    }
}
