import Learning
import Tensors

/// One recording on its way through a network's body.
struct RecordingPlace {
    /// Its number in the batch.
    let number: Int
    /// Points in time at its start that are padding.
    let padding: Int
    /// Of the step; nil without dropout.
    let dropoutKey: UInt64?
}

/// What a network has between its convolutions, which a batch passes together, and its head: each
/// recording goes through it alone.
protocol RecordingBody: Sendable {
    /// What follows from the weights alone, or the gradient of it.
    associatedtype Weights: Sendable
    /// The memory of one thread.
    associatedtype Scratch: Sendable

    /// How many numbers the head sees.
    var features: Int { get }

    func makeWeights(_ layout: inout WorkspaceLayout, isGradient: Bool) -> Weights
    func makeScratch(_ layout: inout WorkspaceLayout, training: Bool) -> Scratch
    func prepare<S>(_ weights: Weights, _ p: Panel, _ work: Workspace<S>)
    /// Before gradients are added.
    func clear<S>(_ slopes: Weights, _ work: Workspace<S>)

    /// tokens `[time, channel]` of the last node → features `[1, features]`.
    func forward<S>(
        _ tokens: Panel, into features: Panel, _ place: RecordingPlace, _ scratch: Scratch,
        _ weights: Weights, _ p: Panel, _ work: Workspace<S>)

    /// Fills dtokens, and adds to the gradients; after `forward` of the same recording.
    func backward<S>(
        _ dfeatures: Panel, into dtokens: Panel, _ place: RecordingPlace, _ scratch: Scratch,
        _ weights: Weights, slopes: Weights, _ p: Panel, gradient: Panel, _ work: Workspace<S>)

    /// Adds what `slopes` has gathered to the gradients of the parameters.
    func finish<S>(_ slopes: Weights, _ weights: Weights, gradient: Panel, _ work: Workspace<S>)
}

/// A network of convolutions, a body and a linear head; `GraphPass` runs any of them.
protocol GraphNetwork: RecordingNetwork {
    associatedtype Body: RecordingBody
    var graph: ConvolutionGraph { get }
    var body: Body { get }
    /// `[classes, features + extra]` and `[classes]`.
    var head: (weight: Slot, bias: Slot) { get }
}

/// Where everything of a pass lies in its workspace.
struct GraphPassMemory<Body: RecordingBody>: Sendable {
    /// Parts that a sum over recordings has, whatever the threads.
    static var sharesMaximum: Int { SpaceTimeMemory.sharesMaximum }

    let parameters: Panel  // [1, parameters]
    let statistics: Panel  // [1, statistics]
    let gradient: Panel  // [1, parameters]
    let shareGradients: Panel  // [shares, parameters]
    let inputs: Panel  // [batch·leads, samples]
    let extra: Panel  // [batch, extra]
    let targets: Panel  // [batch, classes]
    let weights: Panel  // [batch, classes]
    let logits: Panel  // [batch, classes]
    let dlogits: Panel  // [batch, classes]
    let losses: Panel  // [1, batch]
    let graph: GraphMemory
    /// Of every recording in a training, else of every thread.
    let records: [GraphRecord]
    let body: Body.Weights
    let bodySlopes: [Body.Weights]  // of every share
    let scratch: [Body.Scratch]  // of every thread
    let features: [Panel]  // of every thread, [1, features + extra]
    let dfeatures: [Panel]  // of every thread, [1, features + extra]

    init<N: GraphNetwork>(
        _ layout: inout WorkspaceLayout, _ network: N, batch: Int, training: Bool, threads: Int
    ) where N.Body == Body {
        let (sizes, count) = (network.sizes, network.layout.count)
        let shares = training ? Self.sharesMaximum : 0
        parameters = layout.reserve(1, count)
        statistics = layout.reserve(1, network.statisticsLayout.count)
        gradient = layout.reserve(training ? 1 : 0, count)
        shareGradients = layout.reserve(shares, count)
        inputs = layout.reserve(batch * sizes.leads, sizes.samples)
        extra = layout.reserve(batch, sizes.extra)
        targets = layout.reserve(batch, sizes.classes)
        weights = layout.reserve(batch, sizes.classes)
        logits = layout.reserve(batch, sizes.classes)
        dlogits = layout.reserve(batch, sizes.classes)
        losses = layout.reserve(1, batch)
        graph = GraphMemory(&layout, network.graph, records: batch, shares: shares)
        records = (0..<(training ? max(batch, threads) : threads)).map { _ in
            GraphRecord(&layout, network.graph, training: training)
        }
        body = network.body.makeWeights(&layout, isGradient: false)
        bodySlopes = (0..<shares).map { _ in network.body.makeWeights(&layout, isGradient: true) }
        scratch = (0..<threads).map { _ in network.body.makeScratch(&layout, training: training) }
        features = (0..<threads).map { _ in
            layout.reserve(1, network.body.features + sizes.extra)
        }
        dfeatures = (0..<threads).map { _ in
            layout.reserve(1, network.body.features + sizes.extra)
        }
    }

    /// The recordings of one share.
    static func share(_ share: Int, of count: Int) -> Range<Int> {
        SpaceTimeMemory.share(share, of: count)
    }
}
