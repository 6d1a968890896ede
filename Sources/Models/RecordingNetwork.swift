internal import Foundation
package import Learning
package import Tensors

/// What a network over recordings takes and gives.
package struct RecordingSizes: Sendable, Equatable, Codable {
    package var leads: Int
    /// Points in time of a recording; shorter ones have zeros before them, and say how many.
    package var samples: Int
    package var classes: Int
    /// Numbers beside the signal that the head sees, such as the leads' scales.
    package var extra: Int

    package init(leads: Int, samples: Int, classes: Int, extra: Int = 0) {
        self.leads = leads
        self.samples = samples
        self.classes = classes
        self.extra = extra
    }
}

/// A network that gives a logit for each of several independent findings of a recording: what a
/// trainer needs to know of it, whichever it is.
///
/// Sizes and places only; numbers lie in `Parameters`, and a pass has the memory:
///
///     let pass: any RecordingPass<Float> = network.makePass(batch: 32, training: true, team: team)
///     pass.prepare(parameters, statistics: statistics)
///     pass.load(batch, records: 0..<32)
///     let loss = pass.step(options, gradient: &gradient, statistics: &statistics)
///     optimiser.update(&parameters, gradient)
package protocol RecordingNetwork: Sendable {
    var sizes: RecordingSizes { get }
    /// Names and places of all trained parameters.
    var layout: ParameterLayout { get }
    /// Names and places of the batch norms' running statistics. They belong to a model as its
    /// parameters do, are stored beside them, and no optimiser touches them.
    var statisticsLayout: ParameterLayout { get }

    /// Parameters to begin a training with.
    func begin<S: Scalar>(_ random: inout RandomStream) -> Parameters<S>
    /// Running statistics to begin a training with: mean 0, variance 1.
    func beginStatistics<S: Scalar>() -> Parameters<S>
    /// Memory for a pass over recordings.
    ///
    /// - Parameters:
    ///   - batch: The most recordings of one pass.
    ///   - training: Whether memory for `step` and `inputGradient` is needed.
    ///   - team: The threads that share the work; their number changes no bit of any result.
    /// - Returns: A pass that has no weights yet.
    func makePass<S: Scalar>(batch: Int, training: Bool, team: Team) -> any RecordingPass<S>
}

/// The memory of one pass of a network over a batch of recordings, and the pass itself.
///
/// - Important: One call at a time; the threads of the team are inside.
package protocol RecordingPass<S>: AnyObject {
    associatedtype S: Scalar

    /// The most recordings of one pass.
    var batchMaximum: Int { get }

    /// Takes the weights and the running statistics, and makes what follows from them alone.
    func prepare(_ parameters: Parameters<S>, statistics: Parameters<S>)

    /// Copies some recordings of a batch; at most `batchMaximum`, or the call traps.
    func load(_ batch: RecordingBatch<S>, records: Range<Int>)

    /// Runs the network on what was loaded, as it is used: with the running statistics, without
    /// dropout.
    func forward()

    /// The logits of the last `forward` or `step`, `[batch, classes]`.
    var logits: Tensor<S> { get }

    /// Runs the network forward and back, with the statistics of the batch where `step` does not say
    /// otherwise.
    ///
    /// - Parameters:
    ///   - step: Which dropout, which loss.
    ///   - gradient: Overwritten with that of the loss; of the network's `layout`.
    ///   - statistics: Moved towards the batch's own unless they are frozen.
    /// - Returns: The loss of the batch.
    func step(
        _ step: RecordingStep, gradient: inout Parameters<S>, statistics: inout Parameters<S>
    ) -> Double

    /// The gradient of one class's logit with respect to the recordings that were loaded, for the
    /// network as it is used; `[batch, leads, samples]`.
    func inputGradient(of label: Int) -> Tensor<S>
}

extension RecordingPass {
    /// The probabilities of the last `forward` or `step`, `[batch, classes]`, not calibrated.
    package var probabilities: Tensor<S> {
        let logits = logits
        return Tensor(
            logits.shape,
            logits.values.map { x in
                let decay = S(exp(-abs(Double(x))))
                return (x < 0 ? decay : 1) / (1 + decay)
            })
    }
}

/// Recordings and what is known of them: flat arrays, so that a training fills the same ones again
/// for every step.
package struct RecordingBatch<S: Scalar>: Sendable {
    package let sizes: RecordingSizes
    /// How many recordings there is room for.
    package let count: Int
    /// `[batch, leads, samples]`
    package var signals: [S]
    /// Points in time at the start of each recording that are padding and hold zeros; below `samples`.
    package var padding: [Int]
    /// `[batch, extra]`
    package var extra: [S]
    /// 1 where a recording has a finding, 0 where not, or between for mixtures; `[batch, classes]`.
    package var targets: [S]
    /// How much each target counts in the loss: 0 where a label is not known; `[batch, classes]`.
    package var weights: [S]

    /// Zeros, weights of 1.
    package init(sizes: RecordingSizes, count: Int) {
        self.sizes = sizes
        self.count = count
        signals = [S](repeating: 0, count: count * sizes.leads * sizes.samples)
        padding = [Int](repeating: 0, count: count)
        extra = [S](repeating: 0, count: count * sizes.extra)
        targets = [S](repeating: 0, count: count * sizes.classes)
        weights = [S](repeating: 1, count: count * sizes.classes)
    }

    /// Where one recording's signals lie in `signals`, lead after lead.
    package func signalRange(_ record: Int) -> Range<Int> {
        let size = sizes.leads * sizes.samples
        return record * size..<(record + 1) * size
    }
}

/// How one training step is made.
package struct RecordingStep: Sendable {
    /// Factor of each class's positive targets in the loss, `[classes]`; 1 where nil.
    package var positiveWeights: [Double]?
    /// A key of this step's own; nil switches dropout off.
    package var dropoutKey: UInt64?
    /// Whether the batch norms use their running statistics and leave them alone.
    package var isFrozen = false
    /// How far the running statistics move towards the batch's.
    package var momentum = 0.1

    package init(positiveWeights: [Double]? = nil, dropoutKey: UInt64? = nil) {
        self.positiveWeights = positiveWeights
        self.dropoutKey = dropoutKey
    }
}
