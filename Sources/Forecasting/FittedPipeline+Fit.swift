package import Series

extension FittedPipeline {
    /// Residual windows kept for calibration and scoring; of more, every so many is taken.
    static let residualWindowsMaximum = 4_096
    /// Steps of the horizon whose residuals are kept for scoring.
    static let scoredStepsMaximum = 96

    /// Fits a model of one family and calibrates it.
    ///
    /// The model learns from the training rows, takes its settings by the validation windows, and
    /// is calibrated on them; test rows are not touched. Windows with missing values are left out,
    /// or, where that leaves less than half of them, used with inputs filled within the gap budget;
    /// a missing target is never used. A constant series is refused, except by the naive family,
    /// whose report then says so.
    ///
    /// - Parameters:
    ///   - family: The kind of model.
    ///   - series: The history; NaN where missing.
    ///   - task: Lag, horizon, season.
    ///   - split: Of as many rows as the series has.
    ///   - options: Levels, seed, provenance.
    ///   - progress: Told now and then; what it throws ends the fit.
    /// - Returns: The pipeline, live or not: see `ModelSelection`.
    /// - Throws: `ForecastError`, or what `progress` throws.
    package static func fit(
        _ family: Family, series: TimeSeries, task: ForecastTask, split: Split,
        options: FitOptions = FitOptions(), progress: (FitProgress) throws -> Void = { _ in }
    ) throws -> FittedPipeline {
        if family == .ensemble {
            return try fitEnsemble(
                series: series, task: task, split: split, options: options, progress: progress)
        }
        let prepared = try PreparedSeries(family, series: series, task: task, split: split)
        try progress(FitProgress(family: family, fraction: 0, validationLoss: nil))
        let trained = try options.clock.timed {
            try TrainedForecaster.train(
                family, on: prepared, split: split, options: options, progress: progress)
        }
        let pipeline = try assembled(
            family, trained.value, on: prepared, series: series, split: split,
            seconds: trained.seconds, options: options)
        try progress(
            FitProgress(
                family: family, fraction: 1, validationLoss: pipeline.report.validationMSE))
        return pipeline
    }

    /// Judges a trained forecaster on the validation windows, and calibrates it there.
    ///
    /// - Throws: `ForecastError.diverged`.
    static func assembled(
        _ family: Family, _ trained: TrainedForecaster, on prepared: PreparedSeries,
        series: TimeSeries, split: Split, seconds: Double, options: FitOptions
    ) throws -> FittedPipeline {
        let judged = Validation(trained.forecaster, on: prepared)
        guard judged.errors.mse.isFinite else { throw ForecastError.diverged(family) }
        var report = FitReport(
            family: family, task: prepared.task, split: split,
            stepSeconds: series.grid.rate.stepSeconds,
            standardiser: prepared.standardiser, trainWindows: prepared.plan.train.starts.count,
            validationWindows: prepared.plan.validation.starts.count,
            excludedWindows: prepared.plan.train.excluded + prepared.plan.validation.excluded,
            filledRows: prepared.filledRows, validationMSE: judged.errors.mse,
            validationMAE: judged.errors.mae, seasonalNaiveMSE: judged.seasonalNaive.mse,
            repeatLastMSE: judged.repeatLast.mse, calibration: options.calibration,
            calibrationWindows: judged.residuals[0].count,
            coverage: CoverageRecord.heldOut(
                judged.residuals, method: options.calibration, nominals: options.nominals),
            parameterCount: trained.forecaster.parameterCount,
            trainSeconds: seconds, seed: options.seed,
            threads: options.threads, settings: trained.settings, codeVersion: options.codeVersion,
            dataDigest: options.dataDigest, notes: prepared.notes + judged.notes(options))
        report.testWindows = prepared.plan.test.starts.count
        let trainings = trained.forecaster.trainings
        report.trainings = trainings.isEmpty ? nil : trainings
        report.software = options.software.isEmpty ? nil : options.software
        return FittedPipeline(
            report: report,
            calibrator: ConformalCalibrator(
                residuals: judged.residuals, method: options.calibration, levels: options.levels),
            forecaster: trained.forecaster, rate: series.grid.rate,
            residuals: judged.residuals.prefix(scoredStepsMaximum).map {
                ResidualDistribution($0)
            }, standardiser: report.standardiser)
    }
}

extension FitOptions {
    /// The central probabilities that the levels enclose, ascending.
    var nominals: [Double] {
        let all = levels.map(\.probability)
        return all.filter { q in q > 0.5 && all.contains { abs(1 - q - $0) < 1e-9 } }
            .map { 2 * $0 - 1 }
    }
}

/// A series made ready for training: checked, scaled, its gaps filled where that is allowed.
struct PreparedSeries: Sendable {
    let task: ForecastTask
    let standardiser: Standardiser
    let plan: WindowPlan
    /// Scaled; NaN where missing.
    let targets: [Double]
    /// Scaled; finite wherever a planned window reaches.
    let inputs: [Double]
    let filledRows: Int
    let notes: [String]

    init(
        _ family: Family, series: TimeSeries, task: ForecastTask, split: Split
    ) throws(ForecastError) {
        let rows = series.values.count
        precondition(rows == split.rows, "FittedPipeline: \(rows) rows, a split of \(split.rows)")
        guard series.values.contains(where: { $0.isFinite }) else { throw .allMissing(rows: rows) }
        guard rows >= task.rowsMinimum else {
            throw .seriesTooShort(found: rows, needed: task.rowsMinimum)
        }
        var notes: [String] = []
        let learnt = series.values[split.targets(of: .train)]
        do {
            standardiser = try Standardiser(fitting: learnt)
        } catch .constantSeries(let rows) where family == .seasonalNaive {
            let level = learnt.first { $0.isFinite } ?? 0
            standardiser = Standardiser(mean: level, deviation: 1)
            notes.append("The \(rows) training rows all hold the same value.")
        }
        let scaled = standardiser.scale(series.values)
        var plan = WindowPlan(values: scaled, task: task, split: split)
        var filled = 0
        let (usable, excluded) = (
            plan.train.starts.count + plan.validation.starts.count,
            plan.train.excluded + plan.validation.excluded
        )
        if usable < excluded {
            plan = WindowPlan(
                values: scaled, task: task, split: split, inputs: .filled(GapBudget(task, family)))
            filled = series.missingCount
            notes.append(
                "Most windows have missing values, so model inputs were filled from the season "
                    + "before; targets never are.")
        }
        try Self.expect(plan.train, .train, Split.trainWindowsMinimum)
        try Self.expect(plan.validation, .validation, Split.validationWindowsMinimum)
        self.task = task
        self.plan = plan
        self.notes = notes
        filledRows = filled
        targets = scaled
        inputs = CausalFill.fill(scaled, season: task.season)
    }

    private static func expect(
        _ windows: WindowPlan.Windows, _ part: Split.Part, _ minimum: Int
    ) throws(ForecastError) {
        guard windows.starts.count >= minimum else {
            throw .tooFewWindows(
                part: part, found: windows.starts.count, needed: minimum,
                excluded: windows.excluded)
        }
    }
}
