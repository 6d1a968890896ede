internal import Learning
package import Models

/// Judges hierarchical models and flat ones of about as many parameters on a set of sensor sequences:
/// trained on one part, the best epoch chosen on another, looked at once on the third.
package struct SensorBacktest: Sendable {
    /// A kind of model.
    package enum Method: String, Sendable, CaseIterable {
        /// S4D under Mamba.
        case hiss
        /// S4D on both levels.
        case hissS4D = "hiss-s4d"
        case flatS4D = "flat-s4d"
        case flatMamba = "flat-mamba"
        case flatLSTM = "flat-lstm"
        /// The mean of the training targets.
        case mean
    }

    /// What one training came to.
    package struct Result: Sendable, Codable {
        package let method: String
        package let seed: UInt64
        package let parameters: Int
        package let epochs: Int
        package let bestEpoch: Int
        /// Of scaled targets; nil for what is not trained.
        package let validationMSE: Double?
        package let test: SensorErrors
        package let seconds: Double
    }

    package var options: HiSSTrainingOptions = {
        var options = HiSSTrainingOptions()
        (options.batch, options.crop) = (8, 100)
        (options.stepsPerEpochMinimum, options.epochsMaximum) = (50, 20)
        return options
    }()
    package var methods = Method.allCases
    package var seeds: [UInt64] = [0, 1, 2]
    /// Channels of both levels of the hierarchical models; the flat ones follow.
    package var width = 32

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
        guard let first = set.train.first(where: { $0.count > 0 }), !set.test.isEmpty else {
            throw TrainingError.noWindows
        }
        var results: [Result] = []
        for seed in seeds {
            for method in methods {
                guard let configuration = configuration(of: method, first) else {
                    if seed == seeds[0] {
                        results.append(Self.mean(set))
                        finished(results[results.count - 1])
                    }
                    continue
                }
                var options = options
                options.seed = seed
                let trainer = HiSSTrainer(configuration: configuration, options: options)
                let model = try trainer.train(
                    set.train, validation: set.validation, clock: clock
                ) { epoch, loss, error in
                    progress(
                        "\(set.name) \(method.rawValue) seed \(seed) epoch \(epoch): "
                            + "\(loss) \(error)")
                }
                let predictions = HiSSTrainer.predict(model, set.test, threads: options.threads)
                results.append(
                    Result(
                        method: method.rawValue, seed: seed,
                        parameters: model.parameters.values.count, epochs: model.epochs,
                        bestEpoch: model.bestEpoch,
                        validationMSE: model.validationErrors.min(),
                        test: SensorErrors(predictions, of: set.test, model.scaling),
                        seconds: model.seconds))
                finished(results[results.count - 1])
            }
        }
        return results
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

    /// The sizes of a method for sequences like this one; nil for what is not trained.
    package func configuration(
        of method: Method, _ sequence: SensorSequence
    ) -> HiSSConfiguration? {
        let (inputs, outputs, ratio) = (sequence.channels, sequence.outputs, sequence.ratio)
        var hiss = HiSSConfiguration.standard(inputs: inputs, outputs: outputs, ratio: ratio)
        hiss.levels[0].width = width
        hiss.levels[1].width = width
        switch method {
        case .mean: return nil
        case .hiss: return hiss
        case .hissS4D:
            hiss.levels[1] = .init(.s4d, width: width, layers: 2, states: 64, ratio: 1)
            return hiss
        case .flatS4D: return flat(.s4d, like: hiss, layers: 4)
        case .flatMamba: return flat(.mamba, like: hiss, layers: 2)
        case .flatLSTM: return flat(.lstm, like: hiss, layers: 2)
        }
    }

    /// The flat model of some layers whose number of parameters comes nearest to that of another model;
    /// widths go by multiples of 8.
    private func flat(
        _ kind: HiSSConfiguration.Kind, like other: HiSSConfiguration, layers: Int
    ) -> HiSSConfiguration {
        let wanted = HiSSNetwork(other).layout.count
        let sizes = stride(from: 8, through: 512, by: 8).map { width in
            HiSSConfiguration.flat(
                kind, inputs: other.inputs, outputs: other.outputs, ratio: other.ratio,
                width: width, layers: layers)
        }
        let distances = sizes.map { abs(HiSSNetwork($0).layout.count - wanted) }
        let nearest = distances.indices.min { distances[$0] < distances[$1] } ?? 0
        return sizes[nearest]
    }
}
