package import Models
internal import Learning
internal import Tensors

/// How a SpaceTime network is trained; the defaults were chosen for `.cpuDefault` by the validation
/// error on ETTh1 and ETTh2, see ops/decisions/0016.
package struct TrainingOptions: Sendable, Equatable, Codable {
    /// Windows per step.
    package var batch = 64
    package var epochsMaximum = 8
    /// Epochs without a better validation error after which the training ends.
    package var patience = 4
    /// Peak learning rate.
    package var rate = 4e-3
    /// Of matrices; biases and state-space vectors are never decayed.
    package var weightDecay = 0.01
    package var seed: UInt64 = 0
    package var threads = 1
    /// Windows of one epoch where there are more.
    package var windowsPerEpochMaximum = 200_000

    package init(
        batch: Int = 64, epochsMaximum: Int = 8, patience: Int = 4, rate: Double = 4e-3,
        weightDecay: Double = 0.01, seed: UInt64 = 0, threads: Int = 1
    ) {
        self.batch = batch
        self.epochsMaximum = epochsMaximum
        self.patience = patience
        self.rate = rate
        self.weightDecay = weightDecay
        self.seed = seed
        self.threads = threads
    }
}

/// Where a training stands.
package struct TrainingProgress: Sendable, Equatable {
    /// From 1.
    package let epoch: Int
    package let epochsMaximum: Int
    /// Steps made so far, over all epochs.
    package let step: Int
    /// Steps of all epochs, if none is saved by stopping early.
    package let stepsMaximum: Int
    /// Mean loss of this epoch's steps so far.
    package let trainLoss: Double
    /// Mean squared error over all validation windows after the last whole epoch; nil before.
    package let validationError: Double?
    /// Time until the last epoch would end, in seconds, judged by the steps so far.
    package let secondsLeft: Double
}

/// Why a training gave no model.
package enum TrainingError: Error, Equatable {
    /// There is nothing to train on, or nothing to choose the best weights by.
    case noWindows
    /// The loss was no number.
    case diverged(epoch: Int, step: Int)
    /// After every epoch the closed loop grew without limit.
    case unstable
}

/// Trains SpaceTime on windows of one scaled series.
///
/// The same series, options and configuration give the same bits, on one machine, with any number of
/// threads.
package struct SpaceTimeTrainer: Sendable {
    package let configuration: SpaceTimeConfiguration
    package let options: TrainingOptions

    /// Calls of `progress` are at least this many steps apart.
    static let stepsPerReport = 8
    /// The response of the closed loop to a unit state that a published model may reach within four
    /// times its horizon.
    static let responseMaximum = 1e3

    /// Traps where a size is not above zero, or d below 2: normalising one number leaves its sign.
    package init(configuration: SpaceTimeConfiguration, options: TrainingOptions) {
        precondition(configuration.d >= 2, "SpaceTimeTrainer: d \(configuration.d)")
        precondition(
            min(options.batch, options.epochsMaximum, options.patience, options.threads) > 0,
            "SpaceTimeTrainer: \(options)")
        self.configuration = configuration
        self.options = options
    }

    /// Trains until the validation error has not improved for a while, and keeps the best weights.
    ///
    /// A window start s means inputs `s..<s+lag` and targets `s+lag..<s+lag+horizon`. A training that
    /// goes on from a state gives the bits that it would have given without the interruption.
    ///
    /// - Parameters:
    ///   - series: Scaled values; windows that hold a NaN are not among the starts.
    ///   - trainStarts: Windows to learn from.
    ///   - validationStarts: Windows to choose the best epoch by, all of them.
    ///   - state: Where to go on; nil for where `checkpoints` say, or at the beginning.
    ///   - clock: Measures the seconds of the record, and when a state is due.
    ///   - checkpoints: Keep the states on the way.
    ///   - progress: Called every few steps and after every epoch; what it throws ends the training.
    /// - Returns: The best weights, with the record of the training.
    /// - Throws: `TrainingError`; `TrainingStateError` for a `state` that is not of this training; what
    ///   `progress` and `checkpoints` throw.
    package func train(
        series: [Float], trainStarts: [Int], validationStarts: [Int],
        from state: TrainingState? = nil, clock: any Clock<Duration> = ContinuousClock(),
        checkpoints: TrainingCheckpoints? = nil,
        progress: (TrainingProgress) throws -> Void
    ) throws -> TrainedSpaceTime {
        guard !trainStarts.isEmpty, !validationStarts.isEmpty else { throw TrainingError.noWindows }
        var run = SpaceTimeTrainingRun(
            self, series: series, trainStarts: trainStarts, validationStarts: validationStarts)
        if let state {
            try run.resume(state)
        } else if let kept = checkpoints?.state(of: run.fingerprint) {
            // One that is of no use is no reason to fail: the training begins again.
            try? run.resume(kept)
        }
        run.begin(clock, checkpoints)
        while run.epoch < options.epochsMaximum, run.epochsSinceBest < options.patience {
            try run.trainEpoch(progress)
            try run.validate()
            try progress(run.progress)
        }
        return try run.result()
    }

    /// The fingerprint of the training that `train` would do.
    ///
    /// - Parameters:
    ///   - series: Scaled values.
    ///   - trainStarts: Windows to learn from.
    ///   - validationStarts: Windows to choose the best epoch by.
    /// - Returns: What its states are known by.
    package func fingerprint(
        series: [Float], trainStarts: [Int], validationStarts: [Int]
    ) -> TrainingFingerprint {
        TrainingFingerprint(
            configuration, options, series: series, trainStarts: trainStarts,
            validationStarts: validationStarts)
    }
}

/// Seconds since it was made, and those before.
struct Stopwatch {
    private let elapsed: () -> Duration
    /// What had passed already when it was made.
    var secondsBefore = 0.0

    init(_ clock: any Clock<Duration>) { elapsed = Self.start(clock) }

    private static func start<C: Clock<Duration>>(_ clock: C) -> () -> Duration {
        let start = clock.now
        return { start.duration(to: clock.now) }
    }

    var seconds: Double {
        let parts = elapsed().components
        return secondsBefore + Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
}
