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
    private let validationStarts: [Int]
    /// Of this training and of the states it can go on from.
    let fingerprint: TrainingFingerprint
    /// Its windows in the order of this epoch.
    private var order: [Int]
    private var shuffling: RandomStream
    private var dropping: RandomStream
    private var best: Parameters<Float>?
    private var record = TrainingRecord()
    private var epochLoss = 0.0
    private var stopwatch = Stopwatch(ContinuousClock())
    private var checkpoints: TrainingCheckpoints?
    private var secondsAtSave = 0.0
    /// Whole epochs so far.
    var epoch: Int { record.epochs.count }
    /// Whole epochs since the best one.
    var epochsSinceBest: Int { epoch - record.bestEpoch }
    /// Steps of the epoch that has begun.
    private var epochSteps: Int { optimiser.step - epoch * stepsPerEpoch }

    /// What randomness is drawn for, each from a stream of its own.
    private enum Purpose: UInt64 {
        case fixedKernels, weights, order, dropout
    }

    init(
        _ trainer: SpaceTimeTrainer, series: [Float], trainStarts: [Int], validationStarts: [Int]
    ) {
        let options = trainer.options
        let random = RandomStream(seed: options.seed)
        var kernels = random.stream(Purpose.fixedKernels.rawValue)
        var weights = random.stream(Purpose.weights.rawValue)
        self.trainer = trainer
        self.series = series
        self.validationStarts = validationStarts
        fingerprint = trainer.fingerprint(
            series: series, trainStarts: trainStarts, validationStarts: validationStarts)
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

    /// Starts the clock.
    mutating func begin(_ clock: any Clock<Duration>, _ checkpoints: TrainingCheckpoints?) {
        stopwatch = Stopwatch(clock)
        stopwatch.secondsBefore = record.seconds
        secondsAtSave = record.seconds
        self.checkpoints = checkpoints
    }

    /// All further steps of one epoch, over the windows in a new random order. What is left after the
    /// last whole batch has its turn in another epoch.
    mutating func trainEpoch(_ progress: (TrainingProgress) throws -> Void) throws {
        let auxiliary = epoch < trainer.configuration.auxiliaryEpochs
        pass.isTargetDetached = SpaceTimeNetwork.isTargetDetached(
            afterEpochs: epoch, deviation: record.epochs.last?.encodedDeviation ?? .infinity)
        if epochSteps == 0 {
            epochLoss = 0
            shuffling.shuffle(&order)
        }
        while epochSteps < stepsPerEpoch {
            let step = epochSteps
            pass.load(
                series: series, starts: order[step * batch..<(step + 1) * batch], futures: true)
            pass.prepare(parameters)
            pass.forward(auxiliary: auxiliary, dropoutKey: dropping.next())
            let loss = pass.loss(gradient: &gradient)
            guard loss.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
                throw TrainingError.diverged(epoch: epoch + 1, step: optimiser.step)
            }
            epochLoss += loss
            if step % SpaceTimeTrainer.stepsPerReport == 0 { try progress(self.progress) }
            try saveIfDue(after: 1)
        }
    }

    /// Measures the error over all validation windows, and keeps the weights if they are the best and
    /// their closed loop does not grow. Heads that begin to grow are damped before the next epoch.
    mutating func validate() throws {
        let starts = validationStarts
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
        guard error.isFinite else {
            throw TrainingError.diverged(epoch: epoch + 1, step: optimiser.step)
        }
        let response = network.largestResponse(parameters, horizon: 4 * horizon)
        record.epochs.append(
            TrainingRecord.Epoch(
                trainLoss: epochLoss / Double(stepsPerEpoch), validationError: error,
                largestResponse: min(response, .greatestFiniteMagnitude),
                encodedDeviation: pass.encodedDeviation, seconds: stopwatch.seconds))
        if error < record.bestError, response <= SpaceTimeTrainer.responseMaximum {
            record.bestEpoch = epoch
            record.bestError = error
            best = parameters
        }
        _ = network.dampGrowingHeads(&parameters, horizon: 4 * horizon)
        // Less is lost with a state at an epoch's end: it holds the validation as well.
        try saveIfDue(after: 0.25)
    }

    var progress: TrainingProgress {
        let steps = stepsPerEpoch * trainer.options.epochsMaximum
        let done = optimiser.step
        let loss =
            epochSteps == 0
            ? record.epochs.last?.trainLoss ?? 0 : epochLoss / Double(epochSteps)
        return TrainingProgress(
            epoch: min(epoch + (epochSteps == 0 ? 0 : 1), trainer.options.epochsMaximum),
            epochsMaximum: trainer.options.epochsMaximum, step: done, stepsMaximum: steps,
            trainLoss: loss, validationError: record.epochs.last?.validationError,
            secondsLeft: stopwatch.seconds / Double(max(1, done)) * Double(steps - done))
    }

    mutating func result() throws -> TrainedSpaceTime {
        record.seconds = stopwatch.seconds
        record.parameters = network.layout.count
        guard let best else { throw TrainingError.unstable }
        if let checkpoints { try checkpoints.save(state) }
        return TrainedSpaceTime(
            network: network, parameters: best, options: trainer.options, record: record)
    }

    // MARK: States

    private var state: TrainingState {
        TrainingState(
            fingerprint: fingerprint, parameters: parameters.values, best: best?.values,
            memory: optimiser.memory, epochLoss: epochSteps == 0 ? 0 : epochLoss, record: record,
            stepsMaximum: stepsPerEpoch * trainer.options.epochsMaximum,
            epochsMaximum: trainer.options.epochsMaximum)
    }

    private mutating func saveIfDue(after share: Double) throws {
        guard let checkpoints else { return }
        let seconds = stopwatch.seconds
        guard seconds - secondsAtSave >= share * (checkpoints.interval / .seconds(1)) else {
            return
        }
        secondsAtSave = seconds
        record.seconds = seconds
        try checkpoints.save(state)
    }

    /// Takes the place that an earlier run had come to. The order of the windows and the keys of dropout
    /// follow from the seed and the number of steps, so they are drawn again.
    mutating func resume(_ state: TrainingState) throws(TrainingStateError) {
        guard state.fingerprint == fingerprint else { throw .otherTraining }
        let (count, steps) = (network.layout.count, state.step)
        let (epochs, record) = (state.record.epochs.count, state.record)
        let begun = steps - epochs * stepsPerEpoch
        guard state.parameters.count == count, state.memory.first.count == count,
            state.best.map({ $0.count == count }) ?? true,
            (0...stepsPerEpoch).contains(begun), epochs <= trainer.options.epochsMaximum,
            (0...epochs).contains(record.bestEpoch), (record.bestEpoch == 0) == (state.best == nil)
        else { throw .malformed }
        parameters.values = state.parameters
        if let values = state.best {
            var weights = parameters
            weights.values = values
            best = weights
        }
        optimiser.resume(state.memory)
        epochLoss = state.epochLoss
        self.record = record
        for _ in 0..<(epochs + (begun > 0 ? 1 : 0)) { shuffling.shuffle(&order) }
        for _ in 0..<steps { _ = dropping.next() }
    }
}
