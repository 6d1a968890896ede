import Series

/// What training gives, whatever the family.
struct TrainedForecaster: Sendable {
    let forecaster: Forecaster
    let settings: [String: String]
}

extension TrainedForecaster {
    /// Trains a model of one family on the training windows.
    ///
    /// - Parameters:
    ///   - family: Not an ensemble, or the call traps.
    ///   - prepared: The scaled series and its windows.
    ///   - split: Where the training rows end.
    ///   - options: Seed, threads, and how to train.
    ///   - progress: Told now and then; what it throws ends the training.
    /// - Returns: The forecaster, and what was chosen by name.
    /// - Throws: `ForecastError`, or what `progress` throws.
    static func train(
        _ family: Family, on prepared: PreparedSeries, split: Split, options: FitOptions,
        progress: (FitProgress) throws -> Void
    ) throws -> TrainedForecaster {
        switch family {
        case .ensemble: preconditionFailure("FittedPipeline: an ensemble is made of fitted members")
        case .seasonalNaive:
            let naive = SeasonalNaive(season: prepared.task.season)
            return TrainedForecaster(
                forecaster: .seasonalNaive(naive), settings: ["season": "\(naive.season)"])
        case .ets:
            let fitted = try ETSForecaster.fit(prepared, rows: split.train)
            var settings = fitted.forecaster.settings
            settings["aicc"] = "\(fitted.aicc)"
            return TrainedForecaster(forecaster: .ets(fitted.forecaster), settings: settings)
        case .ridge:
            // A map of the window as it is would be tied to the level that it was trained at, see
            // ops/decisions/0016.
            let ridge = RidgeForecaster.fit(
                prepared.inputs, task: prepared.task, train: prepared.plan.train.starts,
                validation: prepared.plan.validation.starts, centrings: [.last, .mean])
            return TrainedForecaster(
                forecaster: .ridge(ridge),
                settings: ["centring": ridge.centring.rawValue, "penalty": "\(ridge.penalty)"])
        case .spacetime:
            let spacetime = try SpaceTimeForecaster.fit(
                prepared, options: options, progress: progress)
            return TrainedForecaster(
                forecaster: .spacetime(spacetime), settings: spacetime.settings)
        }
    }
}

extension Clock<Duration> {
    /// Runs `body`, and measures how long that takes.
    func timed<T>(_ body: () throws -> T) throws -> (value: T, seconds: Double) {
        var outcome: Result<T, any Error>?
        let elapsed = measure { outcome = Result { try body() } }
        guard let value = try outcome?.get() else {
            preconditionFailure("Clock: it did not run the body")
        }
        return (value, Double(elapsed.wholeMicroseconds) / 1e6)
    }
}
