import Learning
import Tensors

/// The layers of one level: residual blocks with a norm before each, or layers of long short-term memory
/// one behind the other.
struct SequenceStack: Sendable {
    enum Layer: Sendable {
        case s4d(norm: LayerNorm, S4DBlock)
        case mamba(norm: LayerNorm, MambaBlock)
        case lstm(LSTM)
    }

    let level: HiSSConfiguration.Level
    let dropout: Double
    let layers: [Layer]
    /// Behind the last block of Mamba.
    let norm: LayerNorm?

    var width: Int { level.width }

    init(
        _ layout: inout ParameterLayout, _ level: HiSSConfiguration.Level, dropout: Double
    ) {
        self.level = level
        self.dropout = level.kind == .s4d ? dropout : 0
        layers = (0..<level.layers).map { index in
            layout.scoped("layers.\(index)") { Self.layer(&$0, level) }
        }
        norm =
            level.kind == .mamba
            ? layout.scoped("norm") { LayerNorm(&$0, width: level.width) } : nil
    }

    private static func layer(
        _ layout: inout ParameterLayout, _ level: HiSSConfiguration.Level
    ) -> Layer {
        let width = level.width
        func norm() -> LayerNorm { layout.scoped("norm") { LayerNorm(&$0, width: width) } }
        switch level.kind {
        case .s4d:
            return .s4d(
                norm: norm(),
                layout.scoped("block") { S4DBlock(&$0, width: width, states: level.states) })
        case .mamba:
            var sizes = MambaBlock.Sizes(width: width, states: level.states)
            sizes.isBidirectional = false
            return .mamba(norm: norm(), layout.scoped("mamba") { MambaBlock(&$0, sizes) })
        case .lstm:
            return .lstm(LSTM(&layout, inputs: width, width: width))
        }
    }

    /// Draws all weights.
    func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        for layer in layers {
            switch layer {
            case .s4d(let norm, let block):
                norm.begin(&p)
                block.begin(&p, level.spectrum, steps: level.steps, &random)
            case .mamba(let norm, let block):
                norm.begin(&p)
                block.begin(&p, depth: 1, &random)
            case .lstm(let layer):
                layer.begin(&p, &random)
            }
        }
        norm?.begin(&p)
    }

    /// Names of the parameters whose learning rate stays small.
    var dynamics: [String] {
        layers.flatMap { layer -> [String] in
            guard case .s4d(_, let block) = layer else { return [] }
            return block.s4d.dynamics.map(\.name)
        }
    }
}

/// What follows from the weights of a level's layers alone.
struct SequenceWeights: Sendable {
    enum Layer: Sendable {
        case s4d(S4DBlockWeights)
        case mamba(MambaWeights)
        case lstm(LSTMWeights)
    }

    let layers: [Layer]

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - stack: Whose weights.
    ///   - length: Rows of the longest piece; nil where points in time come one by one.
    init(_ layout: inout WorkspaceLayout, _ stack: SequenceStack, length: Int?) {
        layers = stack.layers.map { layer in
            switch layer {
            case .s4d(_, let block): .s4d(S4DBlockWeights(&layout, block, length: length))
            case .mamba(_, let block): .mamba(MambaWeights(&layout, block))
            case .lstm(let layer): .lstm(LSTMWeights(&layout, layer))
            }
        }
    }
}

/// The gradient of those.
struct SequenceSlopes: Sendable {
    enum Layer: Sendable {
        case s4d(S4DSlopes)
        case mamba(MambaWeights)
        case none
    }

    let layers: [Layer]

    init(_ layout: inout WorkspaceLayout, _ stack: SequenceStack, like weights: SequenceWeights) {
        layers = zip(stack.layers, weights.layers).map { layer, weights in
            switch (layer, weights) {
            case (.s4d(_, let block), .s4d(let own)):
                .s4d(S4DSlopes(&layout, block.s4d, like: own.s4d))
            case (.mamba(_, let block), _):
                .mamba(MambaWeights(&layout, block, isGradient: true))
            default: .none
            }
        }
    }
}

/// What a level's forward pass leaves for its adjoint, and scratch; of one thread.
struct SequenceMemory: Sendable {
    enum Layer: Sendable {
        case s4d(S4DBlockSignals, S4DBlockScratch)
        case mamba(MambaSignals, MambaScratch)
        case lstm(LSTMSignals, LSTMScratch)
    }

    /// Rows that come out for the most rows that go in.
    let wanted: Int
    let residuals: [Panel]  // what goes into every layer, [rows, width]
    let normed: [Panel]  // [rows, width]
    let statistics: [Panel]  // [rows, 2]
    let layers: [Layer]
    let out: Panel  // of the last layer, [wanted, width]
    let last: Panel  // behind the last norm, [wanted, width]
    let lastStatistics: Panel  // [wanted, 2]
    let dout: Panel  // [wanted, width]
    let slopes: Panel  // [rows, width]
    let inner: Panel  // [rows, width]

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - stack: Whose memory.
    ///   - rows: The most that go in.
    ///   - length: Those of a piece.
    ///   - training: Whether there will be an adjoint.
    init(
        _ layout: inout WorkspaceLayout, _ stack: SequenceStack, rows: Int, length: Int,
        training: Bool
    ) {
        let (width, ratio) = (stack.width, stack.level.ratio)
        let wanted = rows / ratio
        self.wanted = wanted
        func panels(_ count: Int, _ rows: Int, _ columns: Int) -> [Panel] {
            (0..<count).map { _ in layout.reserve(rows, columns) }
        }
        let count = stack.layers.count
        residuals = panels(count, rows, width)
        normed = panels(count, stack.level.kind == .lstm ? 0 : rows, width)
        statistics = panels(count, rows, 2)
        out = layout.reserve(wanted, width)
        last = stack.norm == nil ? out : layout.reserve(wanted, width)
        lastStatistics = layout.reserve(wanted, 2)
        dout = layout.reserve(training ? wanted : 0, width)
        slopes = layout.reserve(training ? rows : 0, width)
        inner = layout.reserve(training ? rows : 0, width)
        layers = stack.layers.enumerated().map { index, layer in
            let every = index == count - 1 ? ratio : 1
            switch layer {
            case .s4d(_, let block):
                return .s4d(
                    S4DBlockSignals(&layout, block, rows: rows, length: length, every: every),
                    S4DBlockScratch(&layout, block, rows: rows, training: training))
            case .mamba(_, let block):
                return .mamba(
                    MambaSignals(
                        &layout, block, time: rows, length: length, training: training),
                    MambaScratch(&layout, block, time: rows, training: training))
            case .lstm(let layer):
                return .lstm(
                    LSTMSignals(&layout, layer, rows: rows),
                    LSTMScratch(
                        &layout, layer, rows: training ? rows : 0,
                        pieces: training ? rows / length : 0))
            }
        }
    }
}
