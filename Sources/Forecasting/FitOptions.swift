package import Models
package import Series

/// How a pipeline is fitted; what identifies the run comes from the caller.
package struct FitOptions: Sendable {
    /// The probabilities of the quantiles; ascending.
    package var levels = QuantileLevel.standard
    package var calibration = ConformalCalibrator.Method.absolute
    /// Chance in training; the closed forms need none.
    package var seed: UInt64 = 0
    /// Cores that training may use.
    package var threads = 1
    /// How a network is trained; its seed and threads are those given here.
    package var training = TrainingOptions()
    /// Nil for the default sizes.
    package var network: SpaceTimeConfiguration?
    package var codeVersion = ""
    package var dataDigest = ""
    /// Versions of the program's parts, by name; recorded with the model.
    package var software: [String: String] = [:]
    /// Measures how long the fit took.
    package var clock: any Clock<Duration> = ContinuousClock()
    /// Where a training keeps its states; nil where it cannot go on after its process.
    package var checkpoints: TrainingCheckpoints?

    package init() {}
}

/// How far a fit is.
package struct FitProgress: Hashable, Sendable {
    package let family: Family
    /// In 0...1.
    package let fraction: Double
    /// The best validation error so far, in scaled units; nil before there is one.
    package let validationLoss: Double?
    /// Seconds until the end if training does not stop early; nil where unknown.
    package var secondsLeft: Double?
    /// The epoch, from 1; nil where there are none.
    package var epoch: Int?
    package var epochsMaximum: Int?
    /// Mean loss of the steps of this epoch.
    package var trainLoss: Double?
}

extension FitProgress {
    init(_ now: TrainingProgress) {
        self.init(
            family: .spacetime, fraction: Double(now.step) / Double(max(1, now.stepsMaximum)),
            validationLoss: now.validationError, secondsLeft: now.secondsLeft, epoch: now.epoch,
            epochsMaximum: now.epochsMaximum, trainLoss: now.trainLoss)
    }
}
