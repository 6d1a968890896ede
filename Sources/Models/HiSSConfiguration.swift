package import Learning

/// The sizes of a hierarchical state-space model, or of a flat one: a model of one level.
package struct HiSSConfiguration: Sendable, Hashable, Codable {
    /// What a level is made of.
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case s4d
        case mamba
        case lstm
    }

    /// One level: layers of one kind that read what the level below gives.
    package struct Level: Sendable, Hashable, Codable {
        package var kind: Kind
        package var width: Int
        package var layers: Int
        /// Of a channel: real ones of S4D, those of a scan of Mamba; LSTM has none.
        package var states: Int
        /// How many of its steps the level gives one output for. But for the last level, it begins anew
        /// behind each.
        package var ratio: Int
        /// Between what S4D's first step widths are drawn.
        package var steps: ClosedRange<Double> = 1e-3...1e-1
        package var spectrum = S4D.Spectrum.linear

        package init(
            _ kind: Kind, width: Int, layers: Int, states: Int, ratio: Int,
            steps: ClosedRange<Double> = 1e-3...1e-1
        ) {
            self.kind = kind
            self.width = width
            self.layers = layers
            self.states = states
            self.ratio = ratio
            self.steps = steps
        }
    }

    /// Channels of a sample.
    package var inputs: Int
    /// Numbers of a prediction.
    package var outputs: Int
    /// Whether the difference to the sample before stands beside each.
    package var appendsDeltas = true
    /// Probability of each mask of S4D's blocks in a training.
    package var dropout = 0.1
    /// From the samples up; the last one never begins anew.
    package var levels: [Level]

    package init(inputs: Int, outputs: Int, levels: [Level]) {
        self.inputs = inputs
        self.outputs = outputs
        self.levels = levels
    }

    /// Samples for each prediction.
    package var ratio: Int { levels.reduce(1) { $0 * $1.ratio } }

    /// Channels that the first level reads.
    package var channels: Int { appendsDeltas ? 2 * inputs : inputs }

    /// Traps unless every size is above zero.
    func check() {
        precondition(
            min(inputs, outputs) > 0 && !levels.isEmpty && (0..<1).contains(dropout)
                && levels.allSatisfy {
                    min($0.width, $0.layers, $0.ratio) > 0
                        && ($0.kind == .lstm || $0.states > 0) && $0.steps.lowerBound > 0
                }, "HiSSConfiguration: \(self)")
    }

    /// Two small levels, for a processor: S4D under Mamba.
    package static func standard(inputs: Int, outputs: Int, ratio: Int = 10) -> Self {
        Self(
            inputs: inputs, outputs: outputs,
            levels: [
                Level(.s4d, width: 64, layers: 2, states: 16, ratio: ratio, steps: 0.02...0.5),
                Level(.mamba, width: 64, layers: 2, states: 16, ratio: 1),
            ])
    }

    /// One level over all samples, as a comparison.
    package static func flat(
        _ kind: Kind, inputs: Int, outputs: Int, ratio: Int = 10, width: Int, layers: Int
    ) -> Self {
        Self(
            inputs: inputs, outputs: outputs,
            levels: [
                Level(
                    kind, width: width, layers: layers, states: kind == .s4d ? 64 : 16,
                    ratio: ratio)
            ])
    }
}
