internal import Learning
package import Models
internal import Tensors

/// How a TSM2 network is trained.
package struct TSM2TrainingOptions: Sendable, Equatable, Codable {
    /// Windows per step.
    package var batch = 64
    package var epochsMaximum = 15
    /// Epochs without a better validation error after which the training ends.
    package var patience = 4
    /// Peak learning rate.
    package var rate = 1e-3
    package var weightDecay = 0.01
    package var seed: UInt64 = 0
    package var threads = 1
    /// Members that a step learns from; of more, so many are drawn.
    package var variatesMaximum = 64
    /// Windows of one epoch where there are more.
    package var windowsPerEpochMaximum = 64_000
    /// Validation windows that an epoch is judged by; of more, every so many is taken.
    package var validationWindowsMaximum = 4_096
    /// After so many seconds no further epoch begins; nil for no limit.
    package var secondsMaximum: Double?

    package init() {}
}

/// What happened in the training of a TSM2 network.
package struct TSM2TrainingRecord: Sendable, Equatable, Codable {
    /// One pass over the training windows.
    package struct Epoch: Sendable, Equatable, Codable {
        /// Mean loss of the steps.
        package let trainLoss: Double
        /// Mean squared error over the known targets of the validation windows, in scaled units.
        package let validationError: Double
        /// Since the training began.
        package let seconds: Double
    }

    package var epochs: [Epoch] = []
    /// The epoch whose weights were kept, from 1.
    package var bestEpoch = 0
    /// Its validation error.
    package var bestError = Double.greatestFiniteMagnitude
    /// Of the whole training.
    package var seconds = 0.0
    /// How many numbers were trained.
    package var parameters = 0
}

/// Trains TSM2 on windows of a group of series.
///
/// The same series, options and configuration give the same bits with any number of threads, unless a
/// limit of time ends the training. Windows are never made: a pass gathers them from the series.
package struct TSM2Trainer: Sendable {
    package let configuration: TSM2Configuration
    package let options: TSM2TrainingOptions

    /// Traps where an option is not above zero.
    package init(configuration: TSM2Configuration, options: TSM2TrainingOptions) {
        precondition(
            min(
                options.batch, options.epochsMaximum, options.patience, options.threads,
                options.variatesMaximum, options.windowsPerEpochMaximum,
                options.validationWindowsMaximum) > 0, "TSM2Trainer: \(options)")
        self.configuration = configuration
        self.options = options
    }

    /// Trains until the validation error has not improved for a while, and keeps the best weights.
    ///
    /// - Parameters:
    ///   - series: The group.
    ///   - train: Starts of the windows to learn from.
    ///   - validation: Starts of those to choose the best epoch by.
    ///   - clock: Measures the seconds of the record.
    ///   - progress: Called after every epoch; what it throws ends the training.
    /// - Returns: The best weights, with the record of the training.
    /// - Throws: `TrainingError`; what `progress` throws.
    package func train(
        _ series: JointSeries, train: [Int], validation: [Int],
        clock: any Clock<Duration> = ContinuousClock(),
        progress: (TSM2TrainingRecord) throws -> Void = { _ in }
    ) throws -> TrainedTSM2 {
        guard !train.isEmpty, !validation.isEmpty else { throw TrainingError.noWindows }
        var run = TSM2TrainingRun(self, series, train, validation, Stopwatch(clock))
        while run.epoch < options.epochsMaximum, run.epoch - run.record.bestEpoch < options.patience
        {
            if let limit = options.secondsMaximum, run.epoch > 0, run.seconds > limit { break }
            try run.trainEpoch()
            try run.validate()
            try progress(run.record)
        }
        return try run.result(series)
    }
}

/// A training on its way.
private struct TSM2TrainingRun {
    private enum Purpose: UInt64 {
        case weights, order, dropout, variates, context
    }

    private let trainer: TSM2Trainer
    private let series: TSM2Series<Float>
    private let pass: TSM2Pass<Float>
    private let judge: TSM2Pass<Float>
    private var parameters: Parameters<Float>
    private var gradient: Parameters<Float>
    private var optimiser: AdamW<Float>
    /// First rows that are forecast, in the order of this epoch.
    private var order: [Int]
    private let judged: [Int]
    private let batch: Int
    private let stepsPerEpoch: Int
    private var (shuffling, dropping): (RandomStream, RandomStream)
    private var (choosing, lengthening): (RandomStream, RandomStream)
    private var best: Parameters<Float>?
    private var loss = 0.0
    private let stopwatch: Stopwatch
    private(set) var record = TSM2TrainingRecord()

    var epoch: Int { record.epochs.count }
    var seconds: Double { stopwatch.seconds }

    init(
        _ trainer: TSM2Trainer, _ series: JointSeries, _ train: [Int], _ validation: [Int],
        _ stopwatch: Stopwatch
    ) {
        let (c, options) = (trainer.configuration, trainer.options)
        let random = RandomStream(seed: options.seed)
        func stream(_ purpose: Purpose) -> RandomStream { random.stream(purpose.rawValue) }
        self.trainer = trainer
        self.series = series.windows
        self.stopwatch = stopwatch
        let network = TSM2Network(c)
        var weights = stream(.weights)
        parameters = network.begin(&weights)
        gradient = Parameters(zeros: network.layout)
        batch = min(options.batch, train.count)
        stepsPerEpoch = min(train.count, max(batch, options.windowsPerEpochMaximum)) / batch
        optimiser = AdamW(
            network.layout,
            schedule: LearningRateSchedule(
                peak: options.rate, steps: stepsPerEpoch * options.epochsMaximum),
            weightDecay: options.weightDecay)
        (shuffling, dropping) = (stream(.order), stream(.dropout))
        (choosing, lengthening) = (stream(.variates), stream(.context))
        order = train.map { $0 + c.lookback }
        let team = Team(threads: options.threads)
        pass = TSM2Pass(
            network, batch: batch, variates: min(options.variatesMaximum, series.members),
            training: true, team: team)
        let stride =
            (validation.count + options.validationWindowsMaximum - 1)
            / options.validationWindowsMaximum
        judged = Swift.stride(from: 0, to: validation.count, by: stride).map { validation[$0] }
        judge = TSM2Pass(
            network, batch: min(32, judged.count), variates: series.members, training: false,
            team: team)
    }

    /// All steps of an epoch, over the windows in a new random order. What is left after the last whole
    /// batch has its turn in another epoch.
    mutating func trainEpoch() throws {
        shuffling.shuffle(&order)
        loss = 0
        for step in 0..<stepsPerEpoch {
            let anchors = order[step * batch..<(step + 1) * batch]
            let context = context(anchors)
            let ahead = trainer.configuration.lookback + context * trainer.configuration.stride
            pass.load(
                series, starts: anchors.map { $0 - ahead }, variates: variates(), context: context)
            let own = pass.step(parameters, dropoutKey: dropping.next(), gradient: &gradient)
            guard own.isFinite, optimiser.update(&parameters, gradient).norm.isFinite else {
                throw TrainingError.diverged(epoch: epoch + 1, step: optimiser.step)
            }
            loss += own
        }
    }

    /// All members, or some of very many, in their order.
    private mutating func variates() -> [Int] {
        var all = Array(0..<series.variates)
        guard series.variates > pass.variatesMaximum else { return all }
        choosing.shuffle(&all)
        return all.prefix(pass.variatesMaximum).sorted()
    }

    /// Patches that the windows of a step have before their own, so that states come to know what it is
    /// to have seen more.
    private mutating func context(_ anchors: ArraySlice<Int>) -> Int {
        let c = trainer.configuration
        guard c.contextMaximum > 0, let first = anchors.min() else { return 0 }
        let room = min(c.contextMaximum, (first - c.lookback) / c.stride)
        return lengthening.integer(below: max(0, room) + 1)
    }

    /// Measures the error over the validation windows, and keeps the weights if they are the best.
    mutating func validate() throws {
        var errors = JointErrors(members: series.variates)
        let c = trainer.configuration
        judge.prepare(parameters)
        for first in stride(from: 0, to: judged.count, by: judge.batchMaximum) {
            let starts = Array(judged[first..<min(first + judge.batchMaximum, judged.count)])
            judge.load(series, starts: starts, variates: Array(0..<series.variates))
            judge.forward()
            errors.add(judge.outputs.values, series, starts: starts, lag: c.lookback)
        }
        let error = errors.all.mse
        guard error.isFinite else {
            throw TrainingError.diverged(epoch: epoch + 1, step: optimiser.step)
        }
        record.epochs.append(
            .init(
                trainLoss: loss / Double(stepsPerEpoch), validationError: error,
                seconds: stopwatch.seconds))
        if error < record.bestError {
            (record.bestEpoch, record.bestError, best) = (epoch, error, parameters)
        }
    }

    mutating func result(_ series: JointSeries) throws -> TrainedTSM2 {
        record.seconds = stopwatch.seconds
        record.parameters = parameters.layout.count
        guard let best else { throw TrainingError.noWindows }
        return TrainedTSM2(
            configuration: trainer.configuration, parameters: best, names: series.names,
            standardisers: series.standardisers, options: trainer.options, record: record)
    }
}
