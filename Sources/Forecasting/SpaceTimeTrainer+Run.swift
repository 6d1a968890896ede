internal import Learning
internal import Models
internal import Tensors

/// One training: its state between steps.
struct SpaceTimeTrainingRun {
    private let trainer: SpaceTimeTrainer
    private let series: [Float]
    private let network: SpaceTimeNetwork
    private let pass: SpaceTimePass<Float>
    private let batch: Int
    private let stepsPerEpoch: Int
    private var parameters: Parameters<Float>
    private var gradient: Parameters<Float>
    private var optimiser: AdamW<Float>
    private var order: [Int]
    private var shuffling: RandomStream
    private var dropping: RandomStream
    private var best: Parameters<Float>?
    private var record = TrainingRecord()
    private var epochLoss = 0.0
    private var epochSteps = 0
    /// Whole epochs so far.
    private(set) var epoch = 0
    /// Whole epochs since the best one.
    private(set) var epochsSinceBest = 0

    /// What randomness is drawn for, each from a stream of its own.
    private enum Purpose: UInt64 {
        case fixedKernels, weights, order, dropout
    }

    init(_ trainer: SpaceTimeTrainer, series: [Float], trainStarts: [Int]) {
        let options = trainer.options
        let random = RandomStream(seed: options.seed)
        var kernels = random.stream(Purpose.fixedKernels.rawValue)
        var weights = random.stream(Purpose.weights.rawValue)
        self.trainer = trainer
        self.series = series
        order = trainStarts
        batch = min(options.batch, trainStarts.count)
        stepsPerEpoch = min(trainStarts.count, max(batch, options.windowsPerEpochMaximum)) / batch
        network = SpaceTimeNetwork(trainer.configuration, &kernels)
        parameters = network.begin(&weights)
        gradient = Parameters(zeros: network.layout)
        optimiser = AdamW(
            network.layout,
            schedule: LearningRateSchedule(
                peak: options.rate, steps: stepsPerEpoch * options.epochsMaximum),
            weightDecay: options.weightDecay)
        shuffling = random.stream(Purpose.order.rawValue)
        dropping = random.stream(Purpose.dropout.rawValue)
        pass = SpaceTimePass(
            network, batch: batch, training: true, team: Team(threads: options.threads))
    }

    /// All steps of one epoch, over the windows in a new random order. What is left after the last
    /// whole batch has its turn in another epoch.
    mutating func trainEpoch(
        _ stopwatch: Stopwatch, _ progress: (TrainingProgress) throws -> Void
    ) throws {
        let auxiliary = epoch < trainer.configuration.auxiliaryEpochs
        (epochLoss, epochSteps) = (0, 0)
        shuffling.shuffle(&order)
        for step in 0..<stepsPerEpoch {
            pass.load(
                series: series, starts: order[step * batch..<(step + 1) * batch], futures: true)
            pass.prepare(parameters)
            pass.forward(auxiliary: auxiliary, dropoutKey: dropping.next())
            let loss = pass.loss(gradient: &gradient)
            guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
                throw TrainingError.diverged(epoch: epoch + 1, step: optimiser.step)
            }
            epochLoss += loss
            epochSteps += 1
            if step % SpaceTimeTrainer.stepsPerReport == 0 {
                try progress(self.progress(stopwatch))
            }
        }
        epoch += 1
    }

    /// Measures the error over all validation windows, and keeps the weights if they are the best and
    /// their closed loop does not grow.
    mutating func validate(_ starts: [Int], _ stopwatch: Stopwatch) {
        pass.prepare(parameters)
        var squares = 0.0
        for start in stride(from: 0, to: starts.count, by: batch) {
            pass.load(
                series: series, starts: starts[start..<min(starts.count, start + batch)],
                futures: true)
            pass.forward()
            squares += pass.squaredError()
        }
        let horizon = trainer.configuration.horizon
        let error = squares / Double(starts.count * horizon)
        let response = network.largestResponse(parameters, horizon: 4 * horizon)
        record.epochs.append(
            TrainingRecord.Epoch(
                trainLoss: epochLoss / Double(epochSteps), validationError: error,
                largestResponse: min(response, .greatestFiniteMagnitude),
                seconds: stopwatch.seconds))
        if error < record.bestError, response <= SpaceTimeTrainer.responseMaximum {
            record.bestEpoch = epoch
            record.bestError = error
            best = parameters
            epochsSinceBest = 0
        } else {
            epochsSinceBest += 1
        }
    }

    func progress(_ stopwatch: Stopwatch) -> TrainingProgress {
        let steps = stepsPerEpoch * trainer.options.epochsMaximum
        let done = optimiser.step
        return TrainingProgress(
            epoch: min(
                epoch + (epochSteps == stepsPerEpoch ? 0 : 1), trainer.options.epochsMaximum),
            epochsMaximum: trainer.options.epochsMaximum, step: done, stepsMaximum: steps,
            trainLoss: epochSteps == 0 ? 0 : epochLoss / Double(epochSteps),
            validationError: record.epochs.last?.validationError,
            secondsLeft: stopwatch.seconds / Double(max(1, done)) * Double(steps - done))
    }

    func result(_ stopwatch: Stopwatch) throws -> TrainedSpaceTime {
        guard let best else { throw TrainingError.unstable }
        var record = record
        record.seconds = stopwatch.seconds
        record.parameters = network.layout.count
        return TrainedSpaceTime(
            network: network, parameters: best, options: trainer.options, record: record)
    }
}
