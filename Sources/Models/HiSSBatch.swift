import Learning
package import Tensors

/// Sequences of samples and what is to be predicted from them: flat arrays, so that a training fills the
/// same ones again for every step.
package struct HiSSBatch<S: Scalar>: Sendable {
    /// How many sequences there is room for.
    package let count: Int
    /// Predictions of the longest one.
    package let length: Int
    /// `[batch, length·ratio, inputs]`
    package var inputs: [S]
    /// Predictions that each sequence has; the rest of its row does not count.
    package var lengths: [Int]
    /// `[batch, length, outputs]`
    package var targets: [S]
    /// How much each target counts in the loss: 0 where none is known; `[batch, length, outputs]`.
    package var weights: [S]

    /// Zeros, whole lengths, weights of 1.
    package init(_ configuration: HiSSConfiguration, count: Int, length: Int) {
        self.count = count
        self.length = length
        let targets = count * length * configuration.outputs
        inputs = [S](
            repeating: 0, count: count * length * configuration.ratio * configuration.inputs)
        lengths = [Int](repeating: length, count: count)
        self.targets = [S](repeating: 0, count: targets)
        weights = [S](repeating: 1, count: targets)
    }
}

/// Where everything of a pass lies in its workspace.
struct HiSSPassMemory: Sendable {
    /// Parts that a sum over sequences has, whatever the threads.
    static var sharesMaximum: Int { 8 }

    /// Of one thread.
    struct Thread: Sendable {
        let inputs: Panel  // [rows, channels], where differences stand beside the samples
        let levels: [SequenceMemory]
    }

    /// The gradient of a part of the sequences.
    struct Slopes: Sendable {
        let parameters: Panel  // [1, parameters]
        /// Of what follows from the weights.
        let input: RowLinear.Weights
        let levels: [SequenceSlopes]
        let joints: [RowLinear.Weights]
        let head: RowLinear.Weights
    }

    let parameters: Panel  // [1, parameters]
    let inputs: Panel  // [batch·rows, inputs]
    let targets: Panel  // [batch·length, outputs]
    let weights: Panel  // [batch·length, outputs]
    let outputs: Panel  // [batch·length, outputs]
    let errors: Panel  // [batch·length, outputs]
    let doutputs: Panel  // [batch·length, outputs]
    let losses: Panel  // [1, batch]
    let input: RowLinear.Weights
    let levels: [SequenceWeights]
    let joints: [RowLinear.Weights]
    let head: RowLinear.Weights
    /// Of every share, and each as one row.
    let slopes: [(parts: Slopes, whole: Panel)]
    let threads: [Thread]

    init(
        _ layout: inout WorkspaceLayout, _ network: HiSSNetwork, batch: Int, length: Int,
        training: Bool, threads: Int
    ) {
        let (c, count) = (network.configuration, network.layout.count)
        let rows = length * c.ratio
        let shares = training ? min(batch, Self.sharesMaximum) : 0
        parameters = layout.reserve(1, count)
        inputs = layout.reserve(batch * rows, c.inputs)
        let known = training ? batch * length : 0
        targets = layout.reserve(known, c.outputs)
        weights = layout.reserve(known, c.outputs)
        outputs = layout.reserve(batch * length, c.outputs)
        errors = layout.reserve(known, c.outputs)
        doutputs = layout.reserve(known, c.outputs)
        losses = layout.reserve(1, batch)
        let pieces = Self.pieces(c, rows: rows)
        input = RowLinear.Weights(&layout, network.input)
        let levels = zip(network.levels, pieces).map {
            SequenceWeights(&layout, $0, length: $1.length)
        }
        self.levels = levels
        joints = network.joints.map { RowLinear.Weights(&layout, $0) }
        head = RowLinear.Weights(&layout, network.head)
        slopes = (0..<shares).map { _ in
            layout.region { Self.slopes(&$0, network, levels) }
        }
        self.threads = (0..<threads).map { _ in
            Thread(
                inputs: layout.reserve(c.appendsDeltas ? rows : 0, c.channels),
                levels: zip(network.levels, pieces).map {
                    SequenceMemory(
                        &layout, $0, rows: $1.rows, length: $1.length, training: training)
                })
        }
    }

    private static func slopes(
        _ layout: inout WorkspaceLayout, _ network: HiSSNetwork, _ levels: [SequenceWeights]
    ) -> Slopes {
        Slopes(
            parameters: layout.reserve(1, network.layout.count),
            input: RowLinear.Weights(&layout, network.input, isGradient: true),
            levels: zip(network.levels, levels).map { SequenceSlopes(&layout, $0, like: $1) },
            joints: network.joints.map { RowLinear.Weights(&layout, $0, isGradient: true) },
            head: RowLinear.Weights(&layout, network.head, isGradient: true))
    }

    /// Rows that go into each level, and those of its pieces.
    static func pieces(
        _ configuration: HiSSConfiguration, rows: Int
    ) -> [(rows: Int, length: Int)] {
        var rows = rows
        return configuration.levels.enumerated().map { index, level in
            defer { rows /= level.ratio }
            return (rows, index == configuration.levels.count - 1 ? rows : level.ratio)
        }
    }
}
