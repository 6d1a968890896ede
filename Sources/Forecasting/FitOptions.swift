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
    /// Measures how long the fit took.
    package var clock: any Clock<Duration> = ContinuousClock()

    package init() {}
}

/// How far a fit is.
package struct FitProgress: Hashable, Sendable {
    package let family: Family
    /// In 0...1.
    package var fraction: Double
    /// The best validation error so far, in scaled units; nil before there is one.
    package let validationLoss: Double?
    /// Seconds until the end if training does not stop early; nil where unknown.
    package var secondsLeft: Double?
}
