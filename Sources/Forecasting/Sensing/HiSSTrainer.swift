internal import Foundation
package import Learning
package import Models
internal import Tensors

/// How a hierarchical model is trained on sensor sequences.
package struct HiSSTrainingOptions: Sendable, Equatable, Codable {
    /// Crops per step.
    package var batch = 16
    /// Predictions of a crop.
    package var crop = 150
    package var epochsMaximum = 60
    /// Sequences are gone through several times in an epoch where it would have fewer steps.
    package var stepsPerEpochMinimum = 1
    /// An epoch ends after so many steps, though there were more to go through.
    package var stepsPerEpochMaximum = Int.max
    /// Epochs without a better validation error after which the training ends.
    package var patience = 10
    /// Peak learning rate; the dynamics of diagonal state spaces keep below 1e-3.
    package var rate = 3e-3
    package var weightDecay = 0.01
    package var seed: UInt64 = 0
    package var threads = 1
    /// Samples over which inputs are scaled as they run, before all else; 0 for not at all.
    package var runningSamples = 0
    /// Multiplies each output by what serves validation best, from 0 to 1: an output that cannot be read
    /// from the inputs falls back to its mean.
    package var shrinksOutputs = true
    /// After so many seconds no further epoch begins; nil for no limit.
    package var secondsMaximum: Double?

    package init() {}
}

/// A trained model with all that its use needs.
package struct TrainedHiSS: Sendable {
    package let configuration: HiSSConfiguration
    package let parameters: Parameters<Float>
    package let scaling: SensorScaling
    /// Samples over which inputs are scaled as they run, before `scaling`; 0 for not at all.
    package let runningSamples: Int
    /// From 1.
    package let bestEpoch: Int
    package let epochs: Int
    /// Mean squared error of the scaled validation targets, by epoch.
    package let validationErrors: [Double]
    /// Of each output at the best epoch.
    package let validationByOutput: [Double]
    package let seconds: Double

    /// With nothing known of its errors by output, inputs are not scaled as they run.
    init(
        configuration: HiSSConfiguration, parameters: Parameters<Float>, scaling: SensorScaling,
        runningSamples: Int = 0, bestEpoch: Int, epochs: Int, validationErrors: [Double],
        validationByOutput: [Double] = [], seconds: Double
    ) {
        (self.configuration, self.parameters, self.scaling) = (configuration, parameters, scaling)
        (self.runningSamples, self.bestEpoch, self.epochs) = (runningSamples, bestEpoch, epochs)
        (self.validationErrors, self.seconds) = (validationErrors, seconds)
        self.validationByOutput = validationByOutput
    }
}

/// Trains a hierarchical model, or a flat one, on crops of sensor sequences that begin between two
/// predictions, and keeps the weights of the best epoch on validation.
///
/// The same sequences and options give the same bits with any number of threads, unless a limit of time
/// ends the training.
package struct HiSSTrainer: Sendable {
    package let configuration: HiSSConfiguration
    package let options: HiSSTrainingOptions

    /// Traps where an option is not above zero.
    package init(configuration: HiSSConfiguration, options: HiSSTrainingOptions) {
        precondition(
            min(
                options.batch, options.crop, options.epochsMaximum, options.patience,
                options.threads) > 0, "HiSSTrainer: \(options)")
        self.configuration = configuration
        self.options = options
    }

    /// Trains until the validation error has not improved for a while.
    ///
    /// - Parameters:
    ///   - train: To learn from.
    ///   - stretched: To learn from besides; moments do not know it.
    ///   - validation: To choose the best epoch by.
    ///   - clock: Measures the seconds.
    ///   - progress: Called after every epoch with its number and both errors.
    /// - Returns: The best weights, with the record of the training.
    /// - Throws: `TrainingError` where there is nothing to learn from, or the loss is no number.
    package func train(
        _ train: [SensorSequence], stretched: [SensorSequence] = [],
        validation: [SensorSequence], clock: any Clock<Duration> = ContinuousClock(),
        progress: (_ epoch: Int, _ loss: Double, _ validationError: Double) -> Void = { _, _, _ in }
    ) throws -> TrainedHiSS {
        func prepared(_ sequences: [SensorSequence]) -> [SensorSequence] {
            sequences.filter { $0.count > 0 }.map { $0.scaled(over: options.runningSamples) }
        }
        let own = prepared(train)
        let scaling = SensorScaling(own)
        let (known, judged) = (own + prepared(stretched), prepared(validation))
        guard !own.isEmpty, !judged.isEmpty else { throw TrainingError.noWindows }
        var run = HiSSTrainingRun(self, known, judged, scaling)
        let watch = Stopwatch(clock)
        while run.epoch < options.epochsMaximum, run.epochsSinceBest < options.patience {
            if let limit = options.secondsMaximum, watch.seconds > limit, run.epoch > 0 { break }
            let loss = try run.trainEpoch()
            progress(run.epoch, loss, run.validate())
        }
        return TrainedHiSS(
            configuration: configuration, parameters: run.best, scaling: scaling,
            runningSamples: options.runningSamples, bestEpoch: run.bestEpoch, epochs: run.epoch,
            validationErrors: run.errors, validationByOutput: run.bestByOutput,
            seconds: watch.seconds)
    }

    /// Predictions for whole sequences, in units of the targets, `[count, outputs]` each.
    package static func predict(
        _ model: TrainedHiSS, _ sequences: [SensorSequence], threads: Int
    ) -> [[Float]] {
        let network = HiSSNetwork(model.configuration)
        let team = Team(threads: threads)
        return sequences.map { sequence in
            guard sequence.count > 0 else { return [] }
            let pass = HiSSPass<Float>(
                network, batch: 1, length: sequence.count, training: false, team: team)
            var batch = HiSSBatch<Float>(model.configuration, count: 1, length: sequence.count)
            batch.inputs = model.scaling.scaled(
                inputs: sequence.scaled(over: model.runningSamples).inputs)
            pass.load(batch, sequences: 0..<1)
            pass.forward(model.parameters)
            return model.scaling.restored(targets: pass.outputs.values)
        }
    }
}
