package import Learning
package import Tensors

/// A hierarchical state-space model: each level reads the outputs of the one below in pieces of its own
/// ratio, begins anew behind each piece, and gives its last output on; the last level runs over all that
/// is left and gives the predictions. A fast stream becomes a slower one, causally.
///
/// Sizes and places only; numbers lie in `Parameters`, and a pass has the memory:
///
///     let pass = HiSSPass<Float>(network, batch: 16, samples: 1500, training: true, team: team)
///     pass.load(batch)
///     let loss = pass.step(parameters, dropoutKey: random.next(), gradient: &gradient)
///     optimiser.update(&parameters, gradient)
///
/// - Source: Bhirangi et al., ICML 2024 (Hierarchical State Space Models), with S4D for S4.
package struct HiSSNetwork: Sendable {
    package let configuration: HiSSConfiguration
    package let layout: ParameterLayout
    /// From samples to the first level's width.
    let input: RowLinear
    let levels: [SequenceStack]
    /// From each level's width to the next one's.
    let joints: [RowLinear]
    /// From the last level's width to a prediction.
    let head: RowLinear

    /// Traps unless every size is above zero.
    package init(_ configuration: HiSSConfiguration) {
        configuration.check()
        self.configuration = configuration
        var layout = ParameterLayout()
        let sizes = configuration.levels
        func linear(_ name: String, _ inputs: Int, _ outputs: Int) -> RowLinear {
            layout.scoped(name) { RowLinear(&$0, inputs: inputs, outputs: outputs) }
        }
        let names = Self.names(sizes.count)
        input = linear("\(names[0])_in", configuration.channels, sizes[0].width)
        var (levels, joints): ([SequenceStack], [RowLinear]) = ([], [])
        for (index, level) in sizes.enumerated() {
            levels.append(
                layout.scoped(names[index]) {
                    SequenceStack(&$0, level, dropout: configuration.dropout)
                })
            if index + 1 < sizes.count {
                joints.append(linear("\(names[index])_out", level.width, sizes[index + 1].width))
            }
        }
        (self.levels, self.joints) = (levels, joints)
        head = linear("head", sizes[sizes.count - 1].width, configuration.outputs)
        self.layout = layout
    }

    /// Low, what lies between, and high.
    private static func names(_ count: Int) -> [String] {
        (0..<count).map {
            $0 == count - 1 ? "high" : $0 == 0 ? "low" : "middle.\($0 - 1)"
        }
    }

    /// Parameters to begin a training with.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var p = Parameters<S>(zeros: layout)
        input.begin(&p, &random)
        for (index, level) in levels.enumerated() {
            level.begin(&p, &random)
            if index < joints.count { joints[index].begin(&p, &random) }
        }
        head.begin(&p, &random)
        return p
    }

    /// Multiplies each output by a factor, in the weights of the head.
    ///
    /// - Parameters:
    ///   - parameters: Of this network.
    ///   - factors: One for each output.
    package func scaleOutputs<S>(of parameters: inout Parameters<S>, by factors: [S]) {
        precondition(
            factors.count == head.outputs, "HiSSNetwork: \(factors.count) of \(head.outputs)")
        head.scaleOutputs(of: &parameters, by: factors)
    }

    /// The peak learning rates of the dynamics of diagonal state spaces, for `AdamW`.
    package var rateLimits: [String: Double] {
        Dictionary(
            uniqueKeysWithValues: levels.flatMap(\.dynamics).map { ($0, S4D.rateMaximum) })
    }
}
