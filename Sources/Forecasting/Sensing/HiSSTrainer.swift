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
    /// Epochs without a better validation error after which the training ends.
    package var patience = 10
    /// Peak learning rate; the dynamics of diagonal state spaces keep below 1e-3.
    package var rate = 1e-3
    package var weightDecay = 0.01
    package var seed: UInt64 = 0
    package var threads = 1
    /// After so many seconds no further epoch begins; nil for no limit.
    package var secondsMaximum: Double?

    package init() {}
}

/// A trained model with all that its use needs.
package struct TrainedHiSS: Sendable {
    package let configuration: HiSSConfiguration
    package let parameters: Parameters<Float>
    package let scaling: SensorScaling
    /// From 1.
    package let bestEpoch: Int
    package let epochs: Int
    /// Mean squared error of the scaled validation targets, by epoch.
    package let validationErrors: [Double]
    package let seconds: Double
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
    ///   - validation: To choose the best epoch by.
    ///   - clock: Measures the seconds.
    ///   - progress: Called after every epoch with its number and both errors.
    /// - Returns: The best weights, with the record of the training.
    /// - Throws: `TrainingError` where there is nothing to learn from, or the loss is no number.
    package func train(
        _ train: [SensorSequence], validation: [SensorSequence],
        clock: any Clock<Duration> = ContinuousClock(),
        progress: (_ epoch: Int, _ loss: Double, _ validationError: Double) -> Void = { _, _, _ in }
    ) throws -> TrainedHiSS {
        let scaling = SensorScaling(train)
        let (known, judged) = (
            train.filter { $0.count > 0 }, validation.filter { $0.count > 0 }
        )
        guard !known.isEmpty, !judged.isEmpty else { throw TrainingError.noWindows }
        var run = HiSSTrainingRun(self, known, judged, scaling)
        let watch = Stopwatch(clock)
        while run.epoch < options.epochsMaximum, run.epochsSinceBest < options.patience {
            if let limit = options.secondsMaximum, watch.seconds > limit, run.epoch > 0 { break }
            let loss = try run.trainEpoch()
            progress(run.epoch, loss, run.validate())
        }
        return TrainedHiSS(
            configuration: configuration, parameters: run.best, scaling: scaling,
            bestEpoch: run.bestEpoch, epochs: run.epoch, validationErrors: run.errors,
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
            batch.inputs = model.scaling.scaled(inputs: sequence.inputs)
            pass.load(batch, sequences: 0..<1)
            pass.forward(model.parameters)
            return model.scaling.restored(targets: pass.outputs.values)
        }
    }
}

/// A training on its way.
struct HiSSTrainingRun {
    /// Scaled rows of one sequence.
    private struct Rows {
        let inputs: [Float]
        let targets: [Float]
        let count: Int
    }

    private let trainer: HiSSTrainer
    private let train: [Rows]
    private let judged: [Rows]
    private let pass: HiSSPass<Float>
    private let judge: HiSSPass<Float>
    private var batch: HiSSBatch<Float>
    private var judgedBatch: HiSSBatch<Float>
    private var parameters: Parameters<Float>
    private var gradient: Parameters<Float>
    private var optimiser: AdamW<Float>
    private var random: RandomStream
    /// Sequences in the shares of their lengths, one for every crop of an epoch.
    private let crops: [Int]
    private(set) var best: Parameters<Float>
    private(set) var (epoch, bestEpoch) = (0, 0)
    private(set) var errors: [Double] = []

    var epochsSinceBest: Int { epoch - bestEpoch }

    init(
        _ trainer: HiSSTrainer, _ train: [SensorSequence], _ validation: [SensorSequence],
        _ scaling: SensorScaling
    ) {
        self.trainer = trainer
        func rows(_ sequence: SensorSequence) -> Rows {
            Rows(
                inputs: scaling.scaled(inputs: sequence.inputs),
                targets: scaling.scaled(targets: sequence.targets), count: sequence.count)
        }
        (self.train, judged) = (train.map(rows), validation.map(rows))
        let (c, options) = (trainer.configuration, trainer.options)
        let network = HiSSNetwork(c)
        let team = Team(threads: options.threads)
        random = RandomStream(seed: options.seed)
        parameters = network.begin(&random)
        best = parameters
        gradient = Parameters(zeros: network.layout)
        let once = train.indices.flatMap { index in
            [Int](repeating: index, count: (train[index].count + options.crop - 1) / options.crop)
        }
        let rounds = (options.stepsPerEpochMinimum * options.batch + once.count - 1) / once.count
        crops = (0..<max(1, rounds)).flatMap { _ in once }
        let steps = (crops.count + options.batch - 1) / options.batch
        optimiser = AdamW(
            network.layout,
            schedule: LearningRateSchedule(
                peak: options.rate, steps: steps * options.epochsMaximum),
            weightDecay: options.weightDecay, rateLimits: network.rateLimits)
        pass = HiSSPass(
            network, batch: options.batch, length: options.crop, training: true, team: team)
        batch = HiSSBatch(c, count: options.batch, length: options.crop)
        let longest = judged.map(\.count).max() ?? 1
        judge = HiSSPass(network, batch: 1, length: longest, training: false, team: team)
        judgedBatch = HiSSBatch(c, count: 1, length: longest)
    }

    /// All steps of an epoch; returns their mean loss.
    mutating func trainEpoch() throws -> Double {
        var order = crops
        random.shuffle(&order)
        let size = trainer.options.batch
        var (total, steps) = (0.0, 0)
        for first in stride(from: 0, to: order.count, by: size) {
            let chosen = order[first..<min(first + size, order.count)]
            for (place, sequence) in chosen.enumerated() { fill(place, sequence) }
            pass.load(batch, sequences: 0..<chosen.count)
            let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
            guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
                throw TrainingError.diverged(epoch: epoch + 1, step: steps)
            }
            total += loss
            steps += 1
        }
        epoch += 1
        return total / Double(max(1, steps))
    }

    /// A crop of a sequence, which begins between two predictions, or all of a short one.
    private mutating func fill(_ place: Int, _ sequence: Int) {
        let rows = train[sequence]
        let c = trainer.configuration
        let length = min(trainer.options.crop, rows.count)
        let start = random.integer(below: rows.count - length + 1)
        let (width, outputs) = (c.ratio * c.inputs, c.outputs)
        let to = place * trainer.options.crop
        batch.lengths[place] = length
        batch.inputs.replaceSubrange(
            to * width..<(to + length) * width,
            with: rows.inputs[start * width..<(start + length) * width])
        for index in 0..<length * outputs {
            let target = rows.targets[start * outputs + index]
            batch.targets[to * outputs + index] = target.isFinite ? target : 0
            batch.weights[to * outputs + index] = target.isFinite ? 1 : 0
        }
        for index in length * outputs..<trainer.options.crop * outputs {
            batch.weights[to * outputs + index] = 0
        }
    }

    /// The mean squared error over all validation sequences; keeps the weights of the best.
    mutating func validate() -> Double {
        let c = trainer.configuration
        var (squares, count) = (0.0, 0)
        for rows in judged {
            judgedBatch.lengths[0] = rows.count
            judgedBatch.inputs.replaceSubrange(0..<rows.inputs.count, with: rows.inputs)
            judge.load(judgedBatch, sequences: 0..<1)
            judge.forward(parameters)
            let outputs = judge.outputs.values
            for index in 0..<rows.count * c.outputs where rows.targets[index].isFinite {
                let error = Double(outputs[index] - rows.targets[index])
                squares += error * error
                count += 1
            }
        }
        let error = squares / Double(max(1, count))
        if error < (errors.min() ?? .infinity) {
            best = parameters
            bestEpoch = epoch
        }
        errors.append(error)
        return error
    }
}
