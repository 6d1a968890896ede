/// The sizes of a SpaceTime forecaster, and how it looks at a window.
package struct SpaceTimeConfiguration: Sendable, Equatable, Codable {
    /// What is taken from a window before the network sees it, and given back to its forecasts.
    package enum Transform: String, Sendable, Codable, CaseIterable {
        /// The mean of the window is subtracted.
        case mean
        /// Its last value is subtracted.
        case last
        /// Its mean is subtracted, and it is divided by √(variance + 1e-5).
        case standardise
        case none
    }

    /// Weights of the three terms of the loss.
    package struct LossWeights: Sendable, Equatable, Codable {
        /// Of the closed-loop forecast.
        package var forecast = 1.0
        /// Of the one-step predictions over the window.
        package var oneStep = 1.0
        /// Of the predictions of the decoder's own next input.
        package var nextInput = 1.0

        package init() {}
    }

    /// How the channels of the first block come from the variates.
    package enum Embedding: String, Sendable, Codable, CaseIterable {
        /// Every group sees every variate as it is.
        case repeated
        /// A trained linear map makes the channels, whatever the number of variates.
        case linear
    }

    /// Steps that the network sees.
    package var lag: Int
    /// Steps that it is trained to forecast.
    package var horizon: Int
    /// Series that are seen and forecast together; 1 shares the model between series instead.
    package var variates = 1
    /// `repeated` where nil, as in networks that were stored before there was a choice.
    package var embedding: Embedding?
    /// Kernels of the first block; each drives eight channels, per variate where those are repeated.
    package var groups: Int
    /// Length of every state-space vector.
    package var d: Int
    /// Encoder blocks before the decoder.
    package var encoderBlocks = 1
    package var dropout: Double
    package var transform: Transform
    package var lossWeights = LossWeights()
    /// Epochs at the start in which all three terms of the loss are trained; afterwards the
    /// forecast alone is. The published code does so after its first epoch.
    package var auxiliaryEpochs = 1

    /// Signals that the first block's kernels work on: the variates, and behind a trained embedding the
    /// constant 1 for its bias.
    var sources: Int { variates + (embedding == .linear ? 1 : 0) }

    /// Channels of the encoder.
    package var width: Int { groups * 8 * (embedding == .linear ? 1 : variates) }

    package init(
        lag: Int, horizon: Int, groups: Int, d: Int, dropout: Double = 0.25,
        transform: Transform = .mean
    ) {
        self.lag = lag
        self.horizon = horizon
        self.groups = groups
        self.d = d
        self.dropout = dropout
        self.transform = transform
    }

    /// 64 channels and 32 states: minutes on two cores.
    ///
    /// Chosen by the validation errors on ETTh1 and ETTh2, see ops/decisions/0016.
    package static func cpuDefault(lag: Int, horizon: Int) -> Self {
        Self(lag: lag, horizon: horizon, groups: 8, d: 32)
    }

    /// The published sizes: 128 channels and 64 states; published training starts at a rate of 1e-3.
    package static func paper(lag: Int, horizon: Int) -> Self {
        Self(lag: lag, horizon: horizon, groups: 16, d: 64)
    }
}
