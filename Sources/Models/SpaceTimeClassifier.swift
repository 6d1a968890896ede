package import Learning
package import Tensors

/// The sizes of a SpaceTime classifier.
package struct SpaceTimeClassifierConfiguration: Sendable, Equatable, Codable {
    /// Series that a sample has, such as the leads of an ECG.
    package var channels: Int
    package var classes: Int
    /// Channels between the layers, each with a kernel of its own.
    package var width: Int
    package var blocks: Int
    /// Length of every state-space vector.
    package var d: Int
    package var dropout: Double

    package init(
        channels: Int, classes: Int, width: Int, blocks: Int, d: Int, dropout: Double = 0.1
    ) {
        self.channels = channels
        self.classes = classes
        self.width = width
        self.blocks = blocks
        self.d = d
        self.dropout = dropout
    }

    /// 64 channels, four blocks: for training on a few cores.
    package static func cpuDefault(channels: Int, classes: Int) -> Self {
        Self(channels: channels, classes: classes, width: 64, blocks: 4, d: 64)
    }

    /// 256 channels, six blocks.
    package static func paper(channels: Int, classes: Int) -> Self {
        Self(channels: channels, classes: classes, width: 256, blocks: 6, d: 64)
    }
}

/// SpaceTime's encoder as a classifier: linear embedding, blocks `x + MLP(SSM(LayerNorm(x)))`, mean
/// over time, linear head.
///
/// Sizes and places only; the memory of a pass is in `SpaceTimeClassifierPass`.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime); its classifying code is not
///   public, so norm, pooling and head are ours.
package struct SpaceTimeClassifier: Sendable {
    struct Block: Sendable {
        let norm: LayerNorm
        let ssm: CompanionSSM
        let mlp: PreActivationMLP
    }

    package let configuration: SpaceTimeClassifierConfiguration
    /// Names and places of all parameters.
    package let layout: ParameterLayout
    let embedding: Linear
    let blocks: [Block]
    let head: Linear

    /// Traps unless every size is above zero.
    package init(_ configuration: SpaceTimeClassifierConfiguration) {
        precondition(
            min(configuration.channels, configuration.classes, configuration.width) > 0
                && min(configuration.blocks, configuration.d) > 0,
            "SpaceTimeClassifier: \(configuration)")
        let width = configuration.width
        var layout = ParameterLayout()
        embedding = layout.scoped("embedding") {
            Linear(&$0, inputs: configuration.channels, outputs: width)
        }
        blocks = (0..<configuration.blocks).map { index in
            layout.scoped("blocks.\(index)") { layout in
                Block(
                    norm: layout.scoped("norm") { LayerNorm(&$0, width: width) },
                    ssm: layout.scoped("ssm") {
                        CompanionSSM(&$0, width: width, kernels: width, d: configuration.d)
                    },
                    mlp: layout.scoped("mlp") { PreActivationMLP(&$0, width: width) })
            }
        }
        head = layout.scoped("head") { Linear(&$0, inputs: width, outputs: configuration.classes) }
        self.layout = layout
        self.configuration = configuration
    }

    /// Parameters to begin a training with.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var p = Parameters<S>(zeros: layout)
        embedding.begin(&p, &random)
        for block in blocks {
            block.norm.begin(&p)
            block.ssm.begin(&p, &random)
            block.mlp.linear.begin(&p, &random)
        }
        head.begin(&p, &random)
        return p
    }
}
