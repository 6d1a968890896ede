import Models
import Series

/// What training gives, whatever the family.
struct TrainedForecaster: Sendable {
    let forecaster: Forecaster
    let settings: [String: String]
}

/// One way to train a model of a family.
struct FitRecipe: Sendable {
    let family: Family
    let options: FitOptions
    /// Of ridge: the centrings of which the best on validation is taken.
    var centrings: [RidgeForecaster.Centring] = []

    /// All recipes of a family; a network given in the options is the only one of its family.
    static func all(_ family: Family, task: ForecastTask, options: FitOptions) -> [FitRecipe] {
        switch family {
        case .ridge:
            return [[.last, .mean], [.none]].map {
                FitRecipe(family: .ridge, options: options, centrings: $0)
            }
        case .spacetime where options.network == nil:
            return [SpaceTimeConfiguration.Transform.mean, .none].map { transform in
                var options = options
                var network = SpaceTimeConfiguration.cpuDefault(
                    lag: task.lag, horizon: task.horizon)
                network.transform = transform
                options.network = network
                return FitRecipe(family: .spacetime, options: options)
            }
        case .seasonalNaive, .ets, .spacetime, .ensemble:
            return [FitRecipe(family: family, options: options)]
        }
    }

    /// Trains on the training windows.
    ///
    /// - Parameters:
    ///   - prepared: The scaled series and its windows.
    ///   - split: Where the training rows end.
    ///   - progress: Told now and then; what it throws ends the training.
    /// - Returns: The forecaster, and what was chosen by name.
    /// - Throws: `ForecastError`, or what `progress` throws.
    func train(
        on prepared: PreparedSeries, split: Split, progress: (FitProgress) throws -> Void
    ) throws -> TrainedForecaster {
        switch family {
        case .ensemble: preconditionFailure("FitRecipe: an ensemble is made of fitted members")
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
            let ridge = RidgeForecaster.fit(
                prepared.inputs, task: prepared.task, train: prepared.plan.train.starts,
                validation: prepared.plan.validation.starts, centrings: centrings)
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

extension FitProgress {
    /// The same progress, where it is one part of several that follow each other.
    func part(_ place: Int, of count: Int) -> FitProgress {
        var whole = self
        whole.fraction = (Double(place) + fraction) / Double(count)
        if fraction < 1 {
            // The later parts take as long as this one.
            let later = Double(count - place - 1) / (1 - fraction)
            whole.secondsLeft = secondsLeft.map { $0 * (1 + later) }
        }
        return whole
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
