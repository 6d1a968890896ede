internal import Learning
internal import Models

/// Judges hierarchical models and flat ones of about as many parameters on a set of sensor sequences:
/// trained on one part, the best epoch chosen on another, looked at once on the third.
package struct SensorBacktest: Sendable {
    /// A kind of model.
    package enum Method: String, Sendable, CaseIterable {
        /// S4D under Mamba.
        case hiss
        /// S4D on both levels.
        case hissS4D = "hiss-s4d"
        /// Mamba on both levels.
        case hissMamba = "hiss-mamba"
        case flatS4D = "flat-s4d"
        case flatMamba = "flat-mamba"
        case flatLSTM = "flat-lstm"
        /// Linear regression on means and deviations of the inputs.
        case ridge
        /// The mean of the training targets.
        case mean
    }

    /// What is chosen on validation for each method.
    package struct Choice: Sendable, Equatable {
        /// Peak learning rate.
        package var rate = 1e-3
        /// Samples that the low level of a hierarchical model reads at a time; 0 for all of a prediction.
        /// Its high level gives one prediction for what is left of the ratio.
        package var piece = 0
        /// Of each level.
        package var layers = 2
        /// Between what the first step widths of the last level's S4D are drawn.
        package var steps: ClosedRange<Double> = 1e-3...1e-1

        package init(
            rate: Double = 1e-3, piece: Int = 0, layers: Int = 2,
            steps: ClosedRange<Double> = 1e-3...1e-1
        ) {
            (self.rate, self.piece, self.layers, self.steps) = (rate, piece, layers, steps)
        }
    }

    /// What one training came to.
    package struct Result: Sendable, Codable {
        package let method: String
        package let seed: UInt64
        package let parameters: Int
        package let epochs: Int
        package let bestEpoch: Int
        /// Of scaled targets; nil for what is not chosen on validation.
        package let validationMSE: Double?
        package let test: SensorErrors
        package let seconds: Double
    }

    package var options: HiSSTrainingOptions = {
        var options = HiSSTrainingOptions()
        (options.batch, options.crop) = (8, 100)
        (options.stepsPerEpochMinimum, options.stepsPerEpochMaximum) = (50, 50)
        (options.epochsMaximum, options.patience) = (20, 20)
        return options
    }()
    package var methods = Method.allCases
    package var seeds: [UInt64] = [0, 1, 2]
    /// Channels of both levels of S4D under Mamba; all other models have about as many parameters.
    package var width = 32
    /// Those of methods that are not named are the first ones.
    package var choices: [Method: Choice] = [:]

    package init() {}

    /// Trains and judges every method with every seed.
    ///
    /// - Parameters:
    ///   - set: The data.
    ///   - clock: Measures the seconds.
    ///   - progress: Called with a line after every epoch.
    ///   - finished: Called with every result.
    /// - Returns: All results.
    /// - Throws: `TrainingError`.
    package func run(
        _ set: SensorSet, clock: any Clock<Duration> = ContinuousClock(),
        progress: (String) -> Void = { _ in }, finished: (Result) -> Void = { _ in }
    ) throws -> [Result] {
        guard set.train.contains(where: { $0.count > 0 }), !set.test.isEmpty else {
            throw TrainingError.noWindows
        }
        var results: [Result] = []
        for seed in seeds {
            for method in methods {
                let result: Result
                switch method {
                case .mean, .ridge:
                    guard seed == seeds[0] else { continue }
                    result = method == .mean ? Self.mean(set) : ridge(set, clock)
                default:
                    result = try judge(method, seed, set, clock, progress)
                }
                results.append(result)
                finished(result)
            }
        }
        return results
    }

    /// Trains a network.
    ///
    /// - Parameters:
    ///   - method: Of a network.
    ///   - seed: Of its weights and crops.
    ///   - set: Its training and validation are used.
    ///   - clock: Measures the seconds.
    ///   - progress: Called with a line after every epoch.
    /// - Returns: The model of the best epoch.
    /// - Throws: `TrainingError`.
    package func train(
        _ method: Method, seed: UInt64, _ set: SensorSet,
        clock: any Clock<Duration> = ContinuousClock(), progress: (String) -> Void = { _ in }
    ) throws -> TrainedHiSS {
        guard let first = set.train.first(where: { $0.count > 0 }),
            let configuration = configuration(of: method, first)
        else { throw TrainingError.noWindows }
        var options = options
        options.seed = seed
        options.rate = choices[method, default: Choice()].rate
        return try HiSSTrainer(configuration: configuration, options: options).train(
            set.train, stretched: set.stretched, validation: set.validation, clock: clock
        ) { epoch, loss, error in
            progress("\(set.name) \(method.rawValue) seed \(seed) epoch \(epoch): \(loss) \(error)")
        }
    }

    private func judge(
        _ method: Method, _ seed: UInt64, _ set: SensorSet, _ clock: any Clock<Duration>,
        _ progress: (String) -> Void
    ) throws -> Result {
        let model = try train(method, seed: seed, set, clock: clock, progress: progress)
        let predictions = HiSSTrainer.predict(model, set.test, threads: options.threads)
        return Result(
            method: method.rawValue, seed: seed, parameters: model.parameters.values.count,
            epochs: model.epochs, bestEpoch: model.bestEpoch,
            validationMSE: model.validationErrors.min(),
            test: SensorErrors(predictions, of: set.test, model.scaling), seconds: model.seconds)
    }

    private static func mean(_ set: SensorSet) -> Result {
        let scaling = SensorScaling(set.train)
        let predictions = set.test.map { sequence in
            (0..<sequence.count).flatMap { _ in scaling.targetOffsets }
        }
        return Result(
            method: Method.mean.rawValue, seed: 0, parameters: 0, epochs: 0, bestEpoch: 0,
            validationMSE: nil, test: SensorErrors(predictions, of: set.test, scaling),
            seconds: 0)
    }

    private func ridge(_ set: SensorSet, _ clock: any Clock<Duration>) -> Result {
        let watch = Stopwatch(clock)
        func scaled(_ sequences: [SensorSequence]) -> [SensorSequence] {
            sequences.map { $0.scaled(over: options.runningSamples) }
        }
        let ridge = SensorRidge(
            scaled(set.train), stretched: scaled(set.stretched),
            validation: scaled(set.validation))
        let predictions = scaled(set.test).map(ridge.predict)
        return Result(
            method: Method.ridge.rawValue, seed: 0, parameters: ridge.parameters, epochs: 0,
            bestEpoch: 0, validationMSE: ridge.validationError,
            test: SensorErrors(predictions, of: set.test, SensorScaling(set.train)),
            seconds: watch.seconds)
    }
}
