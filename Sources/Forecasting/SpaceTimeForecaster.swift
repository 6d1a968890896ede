import Learning
import Models
import Tensors

/// A trained SpaceTime network as one family among others.
struct SpaceTimeForecaster: Sendable {
    /// Windows computed at a time.
    private static let batch = 16

    let trained: TrainedSpaceTime
    /// Ready for the horizon that it was trained for.
    private let prepared: PreparedSpaceTime
    /// Ready for one step, as scoring needs it.
    private let preparedNext: PreparedSpaceTime

    init(_ trained: TrainedSpaceTime) {
        self.trained = trained
        prepared = trained.prepared(
            horizon: trained.network.configuration.horizon, batch: Self.batch)
        preparedNext = trained.prepared(horizon: 1, batch: Self.batch)
    }

    /// Trains on the windows of a plan.
    ///
    /// - Parameters:
    ///   - prepared: The scaled series and its windows.
    ///   - options: Seed, threads, and how to train.
    ///   - progress: Told every few steps; what it throws ends the training.
    /// - Returns: The best weights.
    /// - Throws: `ForecastError.diverged`, or what `progress` throws.
    static func fit(
        _ prepared: PreparedSeries, options: FitOptions, progress: (FitProgress) throws -> Void
    ) throws -> SpaceTimeForecaster {
        let task = prepared.task
        var training = options.training
        training.seed = options.seed
        training.threads = options.threads
        let trainer = SpaceTimeTrainer(
            configuration: options.network ?? .cpuDefault(lag: task.lag, horizon: task.horizon),
            options: training)
        do {
            let trained = try trainer.train(
                series: prepared.inputs.map { Float($0) },
                trainStarts: prepared.plan.train.starts,
                validationStarts: prepared.plan.validation.starts, clock: options.clock,
                checkpoints: options.checkpoints
            ) { now in try progress(FitProgress(now)) }
            return SpaceTimeForecaster(trained)
        } catch is TrainingError {
            throw ForecastError.diverged(.spacetime)
        }
    }

    /// What was chosen in training, by name.
    var settings: [String: String] {
        let (options, record) = (trained.options, trained.record)
        return [
            "batch": "\(options.batch)", "bestEpoch": "\(record.bestEpoch)",
            "epochs": "\(record.epochs.count)", "epochsMaximum": "\(options.epochsMaximum)",
            "patience": "\(options.patience)", "rate": "\(options.rate)",
            "transform": trained.network.configuration.transform.rawValue,
            "weightDecay": "\(options.weightDecay)",
        ]
    }

    /// Forecasts of many windows.
    ///
    /// - Parameters:
    ///   - series: Scaled, finite in every window.
    ///   - starts: Where the windows begin.
    ///   - steps: Any number.
    /// - Returns: `[starts.count, steps]`, row-major, scaled.
    func forecast(_ series: [Float], starts: some Collection<Int>, steps: Int) -> [Float] {
        let ready: PreparedSpaceTime
        switch steps {
        case prepared.horizon: ready = prepared
        case 1: ready = preparedNext
        default: ready = trained.prepared(horizon: steps, batch: min(Self.batch, starts.count))
        }
        let lag = trained.network.configuration.lag
        let windows = starts.flatMap { series[$0..<($0 + lag)] }
        return ready.forecast(windows: Tensor([starts.count, lag], windows)).values
    }
}
