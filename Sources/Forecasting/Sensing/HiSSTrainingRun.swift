import Learning
import Models
import Tensors

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
    private let network: HiSSNetwork
    private var batch: HiSSBatch<Float>
    private var judgedBatch: HiSSBatch<Float>
    private var parameters: Parameters<Float>
    private var gradient: Parameters<Float>
    private var optimiser: AdamW<Float>
    private var random: RandomStream
    /// Sequences in the shares of their lengths, one for every crop of an epoch.
    private let crops: [Int]
    private let stepsPerEpoch: Int
    private(set) var best: Parameters<Float>
    private(set) var (epoch, bestEpoch) = (0, 0)
    private(set) var errors: [Double] = []
    private(set) var bestByOutput: [Double] = []

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
        network = HiSSNetwork(c)
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
        let steps = min(
            (crops.count + options.batch - 1) / options.batch, options.stepsPerEpochMaximum)
        stepsPerEpoch = steps
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
        for first in stride(from: 0, to: order.count, by: size).prefix(stepsPerEpoch) {
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

    /// The mean squared error over all validation sequences, of outputs that have been shrunk; keeps the
    /// weights of the best.
    mutating func validate() -> Double {
        let c = trainer.configuration
        var fits = [OutputShrinkage](repeating: OutputShrinkage(), count: c.outputs)
        for rows in judged {
            judgedBatch.lengths[0] = rows.count
            judgedBatch.inputs.replaceSubrange(0..<rows.inputs.count, with: rows.inputs)
            judge.load(judgedBatch, sequences: 0..<1)
            judge.forward(parameters)
            let outputs = judge.outputs.values
            for index in 0..<rows.count * c.outputs where rows.targets[index].isFinite {
                fits[index % c.outputs].add(outputs[index], of: rows.targets[index])
            }
        }
        let shrinks = trainer.options.shrinksOutputs
        let factors = fits.map { shrinks ? $0.factor : 1 }
        let squares = zip(fits, factors).map { $0.squares(times: $1) }
        let count = fits.map(\.count).reduce(0, +)
        let error = squares.reduce(0, +) / Double(max(1, count))
        if error < (errors.min() ?? .infinity) {
            best = parameters
            network.scaleOutputs(of: &best, by: factors.map { Float($0) })
            bestEpoch = epoch
            bestByOutput = zip(squares, fits).map { $0 / Double(max(1, $1.count)) }
        }
        errors.append(error)
        return error
    }
}

/// How far one output serves: the factor between 0 and 1 that brings it closest to its targets.
private struct OutputShrinkage {
    private(set) var count = 0
    private var (targets, products, outputs) = (0.0, 0.0, 0.0)

    mutating func add(_ output: Float, of target: Float) {
        let (y, t) = (Double(output), Double(target))
        count += 1
        targets += t * t
        products += y * t
        outputs += y * y
    }

    var factor: Double { outputs > 0 ? max(0, min(1, products / outputs)) : 1 }

    /// The sum of squared errors.
    func squares(times factor: Double) -> Double {
        max(0, targets - 2 * factor * products + factor * factor * outputs)
    }
}
