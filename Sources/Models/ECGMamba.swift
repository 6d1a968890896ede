package import Learning
package import Tensors

/// A convolutional stem, bidirectional Mamba blocks over its tokens, and a linear head on a class token
/// or on the mean: independent logits for the findings of a recording.
///
/// Sizes and places only. A block's residual branch is `dropout(Mamba(RMSNorm(r)))`, and a recording may
/// pass it by in training.
///
/// - Source: Gu, Dao 2023 (Mamba); Zhu et al., ICML 2024 (Vim); arXiv 2510.13046 (ECG Mamba behind a
///   convolutional stem). The outputs of the two directions are added, not halved.
package struct ECGMamba: RecordingNetwork, GraphNetwork {
    package let configuration: ECGMambaConfiguration
    package let layout: ParameterLayout
    package let statisticsLayout: ParameterLayout
    let graph: ConvolutionGraph
    let body: MambaBody
    let head: (weight: Slot, bias: Slot)  // [classes, width + extra], [classes]

    package var sizes: RecordingSizes { configuration.sizes }

    /// Traps unless every size is above zero and the stem leaves tokens.
    package init(_ configuration: ECGMambaConfiguration) {
        let (sizes, width) = (configuration.sizes, configuration.width)
        precondition(
            min(sizes.leads, sizes.samples, sizes.classes) > 0 && sizes.extra >= 0
                && min(configuration.depth, configuration.states, configuration.tokens) > 0,
            "ECGMamba: \(configuration)")
        self.configuration = configuration
        var (layout, statistics) = (ParameterLayout(), ParameterLayout())
        graph = Self.stem(configuration, &layout, &statistics)
        body = MambaBody(&layout, configuration)
        head = layout.scoped("head") {
            (
                $0.add("weight", sizes.classes, width + sizes.extra),
                $0.add("bias", sizes.classes, decayed: false)
            )
        }
        self.layout = layout
        statisticsLayout = statistics
    }

    private static func stem(
        _ configuration: ECGMambaConfiguration, _ layout: inout ParameterLayout,
        _ statistics: inout ParameterLayout
    ) -> ConvolutionGraph {
        let sizes = configuration.sizes
        var graph = ConvolutionGraph(length: sizes.samples, channels: sizes.leads)
        for (index, layer) in configuration.stem.enumerated() {
            let inputs = graph.channels[index]
            let convolution = layout.scoped("stem.convolutions.\(index)") {
                StridedConvolution(
                    &$0, inputs: inputs, outputs: layer.channels, taps: layer.taps,
                    stride: layer.stride, padding: layer.padding, bias: false)
            }
            let norm = BatchNorm(
                &layout, statistics: &statistics, channels: layer.channels,
                scope: "stem.norms.\(index)")
            _ = graph.add(convolution, norm, source: index)
        }
        return graph
    }

    /// Parameters to begin a training with.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var p = Parameters<S>(zeros: layout)
        graph.begin(&p, &random)
        body.begin(&p, &random)
        p.drawNormal(head.weight, deviation: 0.02, &random)
        return p
    }

    /// Mean 0, variance 1.
    package func beginStatistics<S>() -> Parameters<S> {
        var statistics = Parameters<S>(zeros: statisticsLayout)
        graph.beginStatistics(&statistics)
        return statistics
    }

    /// Memory for a pass; see `RecordingNetwork`.
    package func makePass<S: Scalar>(batch: Int, training: Bool, team: Team) -> any RecordingPass<S>
    {
        GraphPass(self, batch: batch, training: training, team: team)
    }
}

extension BatchNorm {
    /// A norm under the same name in both layouts.
    init(
        _ layout: inout ParameterLayout, statistics: inout ParameterLayout, channels: Int,
        scope: String
    ) {
        self = layout.scoped(scope) { layout in
            statistics.scoped(scope) {
                BatchNorm(&layout, statistics: &$0, channels: channels)
            }
        }
    }
}

extension Parameters {
    /// Draws a parameter from the normal distribution of this deviation around 0. (The reference cuts
    /// it off at ±2, a hundred deviations of 0.02.)
    mutating func drawNormal(_ slot: Slot, deviation: Double, _ random: inout RandomStream) {
        for i in slot.range { values[i] = S(deviation * random.normal()) }
    }
}
