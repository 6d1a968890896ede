package import Learning
package import Tensors

/// Many series at once, mixed in turn along time and across variates by selective scans: a window of each
/// is normalised, cut into patches, mixed, and mapped to its future by a head that all share.
///
/// Nothing belongs to a variate but its place: a network runs on any number of them, in the order in which
/// they come. Sizes and places only; numbers lie in `Parameters`, and a pass has the memory:
///
///     let pass = TSM2Pass<Float>(network, batch: 64, variates: 7, training: true, team: team)
///     pass.load(series, starts: starts, variates: [0, 1, 2, 3, 4, 5, 6])
///     let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
///
/// - Source: Behrouz, Santacatterina, Zabih 2024 (MambaMixer), section 4.2. Norms, residuals and the first
///   weights of the sums are ours, see ops/decisions/0046.
package struct TSM2Network: Sendable {
    /// The sums that the two mixers of a layer read.
    struct Averages: Sendable {
        let alpha: WeightedAverage  // of what time mixers gave
        let beta: WeightedAverage  // of what variate mixers gave
        let theta: WeightedAverage
        let gamma: WeightedAverage
    }

    package let configuration: TSM2Configuration
    package let layout: ParameterLayout
    let embedding: RowLinear
    let positions: Slot?  // [tokens, width]
    let staticEmbedding: RowLinear?
    let futureEmbedding: RowLinear?
    let timeMixers: [MixerResidual]
    /// None where variates are not mixed.
    let variateMixers: [MixerResidual]
    /// None without averages.
    let averages: [Averages]
    let norm: Norm2D
    let headDown: RowLinear?
    let head: RowLinear

    /// Traps unless the configuration is valid.
    package init(_ configuration: TSM2Configuration) {
        precondition(configuration.isValid, "TSM2Network: \(configuration)")
        let c = configuration
        self.configuration = c
        var layout = ParameterLayout()
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
            layout.scoped(name) { RowLinear(&$0, inputs: inputs, outputs: outputs) }
        }
        embedding = linear("embedding", c.patch, c.width)
        positions =
            c.isStreamable ? nil : layout.add("positions", c.tokens, c.width, decayed: false)
        staticEmbedding = c.statics > 0 ? linear("static_embedding", c.statics, c.width) : nil
        futureEmbedding =
            c.futures > 0
            ? linear("future_embedding", c.futures * c.futurePatch, c.width) : nil
        timeMixers = MixerResidual.stack(
            &layout, "time_mixers", count: c.layers, c, isBidirectional: c.isTimeBidirectional)
        variateMixers = MixerResidual.stack(
            &layout, "variate_mixers", count: c.mixesVariates ? c.layers : 0, c,
            isBidirectional: true)
        averages = (1...c.layers).prefix(c.averages ? c.layers : 0).map { layer in
            layout.scoped("weights.\(layer - 1)") {
                Averages(
                    alpha: WeightedAverage(&$0, "alpha", count: layer),
                    beta: WeightedAverage(&$0, "beta", count: layer),
                    theta: WeightedAverage(&$0, "theta", count: layer + 1),
                    gamma: WeightedAverage(&$0, "gamma", count: layer))
            }
        }
        norm = layout.scoped("norm") { Norm2D(&$0, rows: c.tokens, width: c.width) }
        let flat = c.tokens * c.width
        headDown = c.headRank > 0 ? linear("head_down", flat, c.headRank) : nil
        head = linear("head", c.headRank > 0 ? c.headRank : flat, c.horizon)
        self.layout = layout
    }

    /// Parameters to begin a training with: those of a plain residual stack.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var p = Parameters<S>(zeros: layout)
        embedding.begin(&p, &random)
        if let positions { p.drawNormal(positions, deviation: 0.02, &random) }
        staticEmbedding?.begin(&p, &random)
        futureEmbedding?.begin(&p, &random)
        for mixer in timeMixers + variateMixers { mixer.begin(&p, &random) }
        for (index, own) in averages.enumerated() {
            own.alpha.begin(&p, at: nil)
            own.beta.begin(&p, at: index)
            own.theta.begin(&p, at: index + 1)
            own.gamma.begin(&p, at: nil)
        }
        norm.begin(&p)
        headDown?.begin(&p, &random)
        head.begin(&p, &random)
        return p
    }
}

/// A mixer with a norm before it and a way past it: `y = x + dropout(mixer(norm(x)))`.
struct MixerResidual: Sendable {
    let norm: LayerNorm
    let mixer: MambaBlock
    let dropout: Double

    static func stack(
        _ layout: inout ParameterLayout, _ name: String, count: Int, _ c: TSM2Configuration,
        isBidirectional: Bool
    ) -> [MixerResidual] {
        var sizes = MambaBlock.Sizes(width: c.width, states: c.states)
        sizes.expansion = c.expansion
        sizes.isBidirectional = isBidirectional
        var mixers: [MixerResidual] = []
        for index in 0..<count {
            mixers.append(
                layout.scoped("\(name).\(index)") { layout in
                    MixerResidual(
                        norm: layout.scoped("norm") { LayerNorm(&$0, width: c.width) },
                        mixer: layout.scoped("mixer") { MambaBlock(&$0, sizes) },
                        dropout: c.dropout)
                })
        }
        return mixers
    }

    func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        norm.begin(&p)
        mixer.begin(&p, depth: 1, &random)
    }
}
