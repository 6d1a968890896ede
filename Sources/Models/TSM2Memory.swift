import Learning
import Tensors

/// Where everything of a pass lies in its workspace.
struct TSM2Memory: Sendable {
    /// Parts that a sum over windows has, whatever the threads.
    static var sharesMaximum: Int { 8 }

    let parameters: Panel  // [1, parameters]
    let weights: TSM2Weights
    let statics: Panel  // [variates, statics]
    let outputs: Panel  // [batch·variates, horizon]
    let losses: Panel  // [1, batch]
    let counts: Panel  // [1, horizon], scratch for the number of targets
    /// Of every share, and each as one row.
    let slopes: [(parts: TSM2Slopes, whole: Panel)]
    let threads: [TSM2Thread]

    init(
        _ layout: inout WorkspaceLayout, _ network: TSM2Network, batch: Int, variates: Int,
        training: Bool, threads: Int
    ) {
        let c = network.configuration
        parameters = layout.reserve(1, network.layout.count)
        weights = TSM2Weights(&layout, network)
        statics = layout.reserve(variates, c.statics)
        outputs = layout.reserve(batch * variates, c.horizon)
        losses = layout.reserve(1, batch)
        counts = layout.reserve(1, c.horizon)
        let shares = training ? min(batch, Self.sharesMaximum) : 0
        slopes = (0..<shares).map { _ in layout.region { TSM2Slopes(&$0, network) } }
        self.threads = (0..<threads).map { _ in
            TSM2Thread(&layout, network, variates: variates, training: training)
        }
    }
}

/// What follows from the weights alone.
struct TSM2Weights: Sendable {
    let embedding: RowLinear.Weights
    let staticEmbedding: RowLinear.Weights?
    let futureEmbedding: RowLinear.Weights?
    let timeMixers: [MambaWeights]
    let variateMixers: [MambaWeights]
    let norm: Norm2D.Weights
    let headDown: RowLinear.Weights?
    let head: RowLinear.Weights

    init(_ layout: inout WorkspaceLayout, _ network: TSM2Network, isGradient: Bool = false) {
        func linear(_ own: RowLinear) -> RowLinear.Weights {
            RowLinear.Weights(&layout, own, isGradient: isGradient)
        }
        func mixers(_ own: [MixerResidual]) -> [MambaWeights] {
            own.map { MambaWeights(&layout, $0.mixer, isGradient: isGradient) }
        }
        embedding = linear(network.embedding)
        staticEmbedding = network.staticEmbedding.map { linear($0) }
        futureEmbedding = network.futureEmbedding.map { linear($0) }
        timeMixers = mixers(network.timeMixers)
        variateMixers = mixers(network.variateMixers)
        norm = Norm2D.Weights(&layout, network.norm)
        headDown = network.headDown.map { linear($0) }
        head = linear(network.head)
    }
}

/// The gradient of a part of the windows.
struct TSM2Slopes: Sendable {
    let parameters: Panel  // [1, parameters]
    /// Of what follows from the weights.
    let weights: TSM2Weights

    init(_ layout: inout WorkspaceLayout, _ network: TSM2Network) {
        parameters = layout.reserve(1, network.layout.count)
        weights = TSM2Weights(&layout, network, isGradient: true)
    }
}

/// The memory of one thread: one window on its way forward and back.
struct TSM2Thread: Sendable {
    /// What every mixer gives, or the gradient of it; one panel may stand in several places.
    struct Features: Sendable {
        let time: [Panel]  // of layers 0…, [rows, width]; layer 0 is the embedding
        let variates: [Panel]
        /// All of them, each once.
        let all: [Panel]
    }

    let window: Panel  // [variates, lookback]
    let known: Panel  // [variates, lookback]
    let scales: Panel  // [variates, 2], mean and scale
    let futures: Panel  // [future tokens·future patch, futures]
    let futureTokens: Panel  // [future tokens, width]
    let features: Features
    let timeInputs: [Panel]  // of every layer, [rows, width]
    let variateInputs: [Panel]
    let timeSignals: [MixerSignals]
    let variateSignals: [MixerSignals]
    let scratch: MixerScratch
    let normed: Panel  // [variates, tokens·width]
    let statistics: Panel  // [variates, 2]
    let ranked: Panel  // [variates, rank]
    let slopes: Features
    let targets: Panel  // [variates, horizon]
    let targetsKnown: Panel  // [variates, horizon]
    let errors: Panel  // [variates, horizon]
    let dnormed: Panel  // [variates, tokens·width]
    let dranked: Panel  // [variates, rank]

    init(
        _ layout: inout WorkspaceLayout, _ network: TSM2Network, variates: Int, training: Bool
    ) {
        let c = network.configuration
        let tokens = c.tokens + c.contextMaximum
        let (rows, steps) = (variates * tokens, c.lookback + c.contextMaximum * c.stride)
        func signal(_ isNeeded: Bool = true) -> Panel {
            layout.reserve(isNeeded ? rows : 0, c.width)
        }
        window = layout.reserve(variates, steps)
        known = layout.reserve(variates, steps)
        scales = layout.reserve(variates, 2)
        futures = layout.reserve(c.futureTokens * c.futurePatch, c.futures)
        futureTokens = layout.reserve(c.futureTokens, c.width)
        let features = Self.features(c) { signal() }
        self.features = features
        timeInputs = (0..<c.layers).map { c.averages ? signal() : features.variates[$0] }
        variateInputs = network.variateMixers.indices.map {
            c.averages ? signal() : features.time[$0 + 1]
        }
        func signals(_ own: [MixerResidual], length: Int) -> [MixerSignals] {
            guard let first = own.first else { return [] }
            if training {
                return own.map {
                    MixerSignals(&layout, $0, rows: rows, length: length, training: true)
                }
            }
            let one = MixerSignals(&layout, first, rows: rows, length: length, training: false)
            return own.map { _ in one }
        }
        timeSignals = signals(network.timeMixers, length: tokens)
        variateSignals = signals(network.variateMixers, length: variates)
        scratch = MixerScratch(&layout, network.timeMixers[0], rows: rows, training: training)
        normed = layout.reserve(variates, c.tokens * c.width)
        statistics = layout.reserve(variates, 2)
        ranked = layout.reserve(variates, c.headRank)
        slopes = Self.features(c) { signal(training) }
        let known = training ? variates : 0
        targets = layout.reserve(known, c.horizon)
        targetsKnown = layout.reserve(known, c.horizon)
        errors = layout.reserve(known, c.horizon)
        dnormed = layout.reserve(known, c.tokens * c.width)
        dranked = layout.reserve(known, c.headRank)
    }

    /// Without a variate mixer what it would give is what it would read; without averages the gradient of
    /// a mixer's output becomes that of its input where it lies, which `slopes` profits from.
    static func features(
        _ c: TSM2Configuration, _ signal: () -> Panel
    ) -> Features {
        let first = signal()
        var (time, variates, all) = ([first], [first], [first])
        for _ in 0..<c.layers {
            time.append(signal())
            all.append(time[time.count - 1])
            variates.append(c.mixesVariates ? signal() : time[time.count - 1])
            if c.mixesVariates { all.append(variates[variates.count - 1]) }
        }
        return Features(time: time, variates: variates, all: all)
    }
}
