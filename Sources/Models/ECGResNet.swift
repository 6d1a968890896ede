package import Learning
package import Tensors

/// The sizes of a residual network over recordings.
package struct ECGResNetConfiguration: Sendable, Equatable, Codable {
    package var sizes: RecordingSizes
    /// Taps of the first convolution, which takes every second point in time.
    package var stemTaps = 7
    /// Taps of all others, odd.
    package var taps = 5
    /// Channels of the residual blocks; a block halves the points in time where its channels differ
    /// from those before.
    package var widths: [Int]

    package init(sizes: RecordingSizes, widths: [Int]) {
        self.sizes = sizes
        self.widths = widths
    }

    /// 0.13 million parameters, as many as the tiny ECG Mamba has.
    package static func tiny(classes: Int, leads: Int = 12, extra: Int = 0) -> Self {
        Self(
            sizes: RecordingSizes(leads: leads, samples: 1000, classes: classes, extra: extra),
            widths: [32, 48, 64, 72])
    }
}

/// A plain residual network in one dimension: a strided convolution, blocks of two convolutions with
/// batch norms and a way around them, the mean over time, a linear head.
///
/// - Source: He et al. 2016, in one dimension; Wang, Yan, Oates 2017.
package struct ECGResNet: RecordingNetwork, GraphNetwork {
    package let configuration: ECGResNetConfiguration
    package let layout: ParameterLayout
    package let statisticsLayout: ParameterLayout
    let graph: ConvolutionGraph
    let body: MeanBody
    let head: (weight: Slot, bias: Slot)  // [classes, features + extra], [classes]

    package var sizes: RecordingSizes { configuration.sizes }

    /// Traps unless every size is above zero.
    package init(_ configuration: ECGResNetConfiguration) {
        let sizes = configuration.sizes
        precondition(
            min(sizes.leads, sizes.samples, sizes.classes, configuration.widths.min() ?? 0) > 0
                && configuration.taps % 2 == 1 && configuration.stemTaps % 2 == 1,
            "ECGResNet: \(configuration)")
        self.configuration = configuration
        var builder = ResNetBuilder(sizes)
        var node = builder.add(
            "stem", from: 0, channels: configuration.widths[0], taps: configuration.stemTaps,
            stride: 2)
        for (index, width) in configuration.widths.enumerated() {
            node = builder.addBlock(
                "blocks.\(index)", from: node, channels: width, taps: configuration.taps)
        }
        graph = builder.graph
        let features = graph.channels[node]
        body = MeanBody(features: features)
        head = builder.layout.scoped("head") {
            (
                $0.add("weight", sizes.classes, features + sizes.extra),
                $0.add("bias", sizes.classes, decayed: false)
            )
        }
        layout = builder.layout
        statisticsLayout = builder.statistics
    }

    /// Parameters to begin a training with.
    package func begin<S>(_ random: inout RandomStream) -> Parameters<S> {
        var p = Parameters<S>(zeros: layout)
        graph.begin(&p, &random)
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

/// Plans the units of a residual network.
private struct ResNetBuilder {
    var layout = ParameterLayout()
    var statistics = ParameterLayout()
    var graph: ConvolutionGraph

    init(_ sizes: RecordingSizes) {
        graph = ConvolutionGraph(length: sizes.samples, channels: sizes.leads)
    }

    /// One convolution with its norm; returns its node.
    mutating func add(
        _ name: String, from source: Int, channels: Int, taps: Int, stride: Int,
        residual: Int? = nil, isRectified: Bool = true
    ) -> Int {
        let inputs = graph.channels[source]
        let convolution = layout.scoped(name + ".convolution") {
            StridedConvolution(
                &$0, inputs: inputs, outputs: channels, taps: taps, stride: stride,
                padding: taps / 2, bias: false)
        }
        let norm = BatchNorm(
            &layout, statistics: &statistics, channels: channels, scope: name + ".norm")
        return graph.add(
            convolution, norm, source: source, residual: residual, isRectified: isRectified)
    }

    /// Two convolutions and the way around them.
    mutating func addBlock(_ name: String, from source: Int, channels: Int, taps: Int) -> Int {
        let isWider = graph.channels[source] != channels
        let stride = isWider ? 2 : 1
        var around = source
        if isWider {
            around = add(
                name + ".around", from: source, channels: channels, taps: 1, stride: stride,
                isRectified: false)
        }
        let first = add(
            name + ".first", from: source, channels: channels, taps: taps, stride: stride)
        return add(
            name + ".second", from: first, channels: channels, taps: taps, stride: 1,
            residual: around)
    }
}

/// The mean over time; padding counts, as it does in the norms.
struct MeanBody: RecordingBody {
    /// There is nothing to prepare, and nothing to remember.
    struct Nothing: Sendable {}

    let features: Int

    func makeWeights(_ layout: inout WorkspaceLayout, isGradient: Bool) -> Nothing {
        Nothing()
    }
    func makeScratch(_ layout: inout WorkspaceLayout, training: Bool) -> Nothing { Nothing() }
    func prepare<S>(_ weights: Nothing, _ p: Panel, _ work: Workspace<S>) {}
    func clear<S>(_ slopes: Nothing, _ work: Workspace<S>) {}
    func finish<S>(
        _ slopes: Nothing, _ weights: Nothing, gradient: Panel, _ work: Workspace<S>
    ) {}

    func forward<S>(
        _ tokens: Panel, into features: Panel, _ place: RecordingPlace, _ scratch: Nothing,
        _ weights: Nothing, _ p: Panel, _ work: Workspace<S>
    ) {
        work.fill(features)
        work.addColumnSums(tokens, to: features)
        work.combine(0, features, 1 / S(tokens.rows), features)
    }

    func backward<S>(
        _ dfeatures: Panel, into dtokens: Panel, _ place: RecordingPlace, _ scratch: Nothing,
        _ weights: Nothing, slopes: Nothing, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let share = 1 / S(dtokens.rows)
        for row in 0..<dtokens.rows { work.combine(share, dfeatures, 0, dtokens.row(row)) }
    }
}
