package import Learning
package import Tensors

/// SpaceTime: encoder blocks of companion state spaces, a closed-loop decoder, a linear head.
///
/// This value holds sizes and places; the numbers lie in `Parameters`, and the memory of a pass over
/// a batch in `SpaceTimePass`.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime); sizes and order of
///   layers as in the authors' released code.
package struct SpaceTimeNetwork: Sendable {
    /// One encoder block: `m = MLP(SSM(z))`, output `m + z`.
    struct Block: Sendable {
        let ssm: CompanionSSM
        let mlp: PreActivationMLP
    }

    package let configuration: SpaceTimeConfiguration
    /// The fixed kernels before the first block.
    package let preprocess: Preprocess
    /// Names and places of all parameters.
    package let layout: ParameterLayout
    /// Before the first block, where the configuration has one.
    let embedding: Linear?
    let blocks: [Block]
    let decoder: ClosedLoopSSM
    let head: Linear

    /// Traps unless `preprocess` has the configuration's number of groups.
    package init(_ configuration: SpaceTimeConfiguration, preprocess: Preprocess) {
        precondition(
            preprocess.groups == configuration.groups,
            "SpaceTimeNetwork: \(preprocess.groups) groups for \(configuration.groups)")
        precondition(
            min(configuration.lag, configuration.horizon, configuration.d) > 0
                && configuration.encoderBlocks > 0 && configuration.variates > 0,
            "SpaceTimeNetwork: \(configuration)")
        let width = configuration.width
        var layout = ParameterLayout()
        embedding =
            configuration.embedding == .linear
            ? layout.scoped("embedding") {
                Linear(&$0, inputs: configuration.variates, outputs: width)
            } : nil
        blocks = (0..<configuration.encoderBlocks).map { index in
            layout.scoped("blocks.\(index)") { layout in
                let ssm = layout.scoped("ssm") {
                    CompanionSSM(
                        &$0, width: width, kernels: index == 0 ? configuration.groups : width,
                        d: configuration.d)
                }
                let mlp = layout.scoped("mlp") { PreActivationMLP(&$0, width: width) }
                return Block(ssm: ssm, mlp: mlp)
            }
        }
        decoder = layout.scoped("decoder") { ClosedLoopSSM(&$0, heads: width, d: configuration.d) }
        head = layout.scoped("head") {
            Linear(&$0, inputs: width, outputs: configuration.variates)
        }
        self.layout = layout
        self.configuration = configuration
        self.preprocess = preprocess
    }

    /// A network whose fixed kernels are drawn at random.
    package init(_ configuration: SpaceTimeConfiguration, _ random: inout RandomStream) {
        self.init(
            configuration, preprocess: Preprocess(groups: configuration.groups, &random))
    }

    /// Parameters to begin a training with.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var p = Parameters<S>(zeros: layout)
        embedding?.begin(&p, &random)
        for block in blocks {
            block.ssm.begin(&p, &random)
            block.mlp.linear.begin(&p, &random)
        }
        decoder.begin(&p, &random)
        head.begin(&p, &random)
        return p
    }

    /// Where the loss looks at one-step predictions: positions whose register is full, each
    /// predicting the value after it.
    var oneStepRange: Range<Int> {
        let first = configuration.d - 1
        return first < configuration.lag ? first..<configuration.lag : 0..<0
    }

    /// Where the loss looks at predictions of the decoder's next input.
    var nextInputRange: Range<Int> {
        let first = configuration.d - 1
        return first < configuration.lag - 1 ? first..<configuration.lag - 1 : 0..<0
    }
}
