import Learning
import Tensors

/// One convolution with its norm: what it reads, and what is added to it.
struct ConvolutionUnit: Sendable {
    let convolution: StridedConvolution
    let norm: BatchNorm
    /// The node it reads: 0 is the recording, and unit u makes node u + 1.
    let source: Int
    /// The node that is added behind the norm.
    let residual: Int?
    /// Whether what is below 0 becomes 0.
    let isRectified: Bool
}

/// Convolutions and norms that read one another's results, each unit behind those that it reads.
///
/// A batch norm waits for the whole batch, so that every unit is one loop over recordings, and so is
/// its adjoint.
struct ConvolutionGraph: Sendable {
    private(set) var units: [ConvolutionUnit] = []
    /// Points in time and channels of every node.
    private(set) var lengths: [Int]
    private(set) var channels: [Int]
    /// Rows of zeros before and behind every node: the most that a unit pads it by.
    private(set) var margins = [0]

    /// The recording alone.
    init(length: Int, channels: Int) {
        lengths = [length]
        self.channels = [channels]
    }

    /// Adds a unit; returns the number of the node that it makes.
    mutating func add(
        _ convolution: StridedConvolution, _ norm: BatchNorm, source: Int, residual: Int? = nil,
        isRectified: Bool = true
    ) -> Int {
        let length = convolution.length(of: lengths[source])
        precondition(
            length > 0 && channels[source] == convolution.inputs
                && (residual.map { lengths[$0] == length && channels[$0] == convolution.outputs }
                    ?? true),
            "ConvolutionGraph: \(lengths[source])×\(channels[source]) into a unit for \(convolution.inputs)"
        )
        margins[source] = max(margins[source], convolution.padding)
        units.append(
            ConvolutionUnit(
                convolution: convolution, norm: norm, source: source, residual: residual,
                isRectified: isRectified))
        lengths.append(length)
        channels.append(convolution.outputs)
        margins.append(0)
        return units.count
    }

    /// Draws all weights.
    func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        for unit in units {
            unit.convolution.begin(&p, &random)
            unit.norm.begin(&p)
        }
    }

    /// Mean 0, variance 1.
    func beginStatistics<S>(_ statistics: inout Parameters<S>) {
        for unit in units { unit.norm.beginStatistics(&statistics) }
    }
}

/// What a graph makes of one recording.
struct GraphRecord: Sendable {
    let nodes: [Panel]  // with their margins, [length + 2·margin, channels]
    let raw: [Panel]  // of units, before the norm, [length, channels]
    let slopes: [Panel]  // as `nodes`, where there is a training

    init(_ layout: inout WorkspaceLayout, _ graph: ConvolutionGraph, training: Bool) {
        func reserveNodes() -> [Panel] {
            graph.lengths.indices.map {
                layout.reserve(graph.lengths[$0] + 2 * graph.margins[$0], graph.channels[$0])
            }
        }
        nodes = reserveNodes()
        raw = graph.units.indices.map {
            layout.reserve(graph.lengths[$0 + 1], graph.channels[$0 + 1])
        }
        slopes = training ? reserveNodes() : []
    }
}

/// The memory of a graph that all recordings share.
struct GraphMemory: Sendable {
    let weights: [StridedConvolution.Weights]  // of units
    let norms: [BatchNormMemory]  // of units
    let slopes: [[StridedConvolution.Slopes]]  // of every share of a batch, of units

    init(
        _ layout: inout WorkspaceLayout, _ graph: ConvolutionGraph, records: Int, shares: Int
    ) {
        weights = graph.units.map { StridedConvolution.Weights(&layout, $0.convolution) }
        norms = graph.units.map { BatchNormMemory(&layout, $0.norm, records: records) }
        slopes = (0..<shares).map { _ in
            graph.units.map { StridedConvolution.Slopes(&layout, $0.convolution) }
        }
    }
}

extension ConvolutionGraph {
    /// Makes what follows from the weights alone.
    func prepare<S>(_ memory: GraphMemory, _ p: Panel, _ work: Workspace<S>) {
        for (index, unit) in units.enumerated() {
            unit.convolution.prepare(memory.weights[index], p, work)
        }
    }

    /// A node without its margins.
    func inside(_ node: Int, of panels: [Panel]) -> Panel {
        let panel = panels[node]
        return panel.rows(margins[node]..<panel.rows - margins[node])
    }

    /// A node with as many rows of zeros around it as a unit pads it by.
    private func padded(_ node: Int, by padding: Int, of panels: [Panel]) -> Panel {
        let (panel, spare) = (panels[node], margins[node] - padding)
        return panel.rows(spare..<panel.rows - spare)
    }

    /// The convolution of one unit; takes its part of the batch's statistics where `measured`.
    func convolve<S>(
        _ index: Int, _ record: GraphRecord, number: Int, measured: Bool, _ memory: GraphMemory,
        _ p: Panel, _ work: Workspace<S>
    ) {
        let unit = units[index]
        unit.convolution.forward(
            padded(unit.source, by: unit.convolution.padding, of: record.nodes),
            into: record.raw[index], memory.weights[index], p, work)
        guard measured else { return }
        unit.norm.measure(record.raw[index], record: number, memory.norms[index], work)
    }

    /// What stands behind a unit's convolution.
    func normalise<S>(
        _ index: Int, _ record: GraphRecord, _ memory: GraphMemory, _ work: Workspace<S>
    ) {
        let unit = units[index]
        unit.norm.forward(
            record.raw[index], plus: unit.residual.map { inside($0, of: record.nodes) },
            rectified: unit.isRectified, into: inside(index + 1, of: record.nodes),
            memory.norms[index], work)
    }

    /// Goes back through what stands behind a unit's convolution as far as one recording can, and
    /// takes its part of the batch's sums.
    func measureSlopes<S>(
        _ index: Int, _ record: GraphRecord, number: Int, _ memory: GraphMemory,
        _ work: Workspace<S>
    ) {
        let unit = units[index]
        let slopes = inside(index + 1, of: record.slopes)
        if unit.isRectified {
            work.rectifyBackward(
                inside(index + 1, of: record.nodes), dy: slopes, into: slopes)
        }
        if let residual = unit.residual {
            work.add(slopes, to: inside(residual, of: record.slopes))
        }
        unit.norm.measureSlopes(
            slopes, x: record.raw[index], record: number, memory.norms[index], work)
    }

    /// The rest of a unit's adjoint, once the sums of the batch are joined.
    func convolveBackward<S>(
        _ index: Int, _ record: GraphRecord, share: Int, intoSource: Bool, _ memory: GraphMemory,
        gradient: Panel, _ work: Workspace<S>
    ) {
        let unit = units[index]
        let slopes = inside(index + 1, of: record.slopes)
        unit.norm.backward(slopes, x: record.raw[index], into: slopes, memory.norms[index], work)
        let padding = unit.convolution.padding
        unit.convolution.backward(
            slopes, padded: padded(unit.source, by: padding, of: record.nodes),
            into: intoSource ? padded(unit.source, by: padding, of: record.slopes) : nil,
            memory.weights[index], slopes: memory.slopes[share][index],
            gradient: gradient, work)
    }

    /// Before the gradients of a share are added.
    func clear<S>(share: Int, _ memory: GraphMemory, _ work: Workspace<S>) {
        for slopes in memory.slopes[share] { slopes.clear(work) }
    }

    /// Adds the gradients of a share's prepared weights to those of the parameters.
    func finish<S>(
        share: Int, _ memory: GraphMemory, gradient: Panel, _ work: Workspace<S>
    ) {
        for (index, unit) in units.enumerated() {
            unit.convolution.finish(memory.slopes[share][index], gradient: gradient, work)
        }
    }
}
