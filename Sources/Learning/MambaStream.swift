package import Tensors

/// A causal Mamba block that takes one point in time after the other, and keeps what it needs of those
/// before: the last inputs of its convolution, and its states.
package final class MambaStream<S: Scalar> {
    private let block: MambaBlock
    private let work: Workspace<S>
    private let parameters: Panel
    private let (u, y, window, convolved): (Panel, Panel, Panel, Panel)
    private let signals: MambaSignals
    private let own: DirectionSignals
    private let scratch: MambaScratch
    private let weights: MambaWeights

    /// Traps where the block runs in both directions: it would have to see what is to come.
    package init(_ block: MambaBlock, _ parameters: Parameters<S>) {
        precondition(!block.sizes.isBidirectional, "MambaStream: a block that looks ahead")
        self.block = block
        var layout = WorkspaceLayout()
        let (width, taps) = (block.sizes.width, block.sizes.taps)
        self.parameters = layout.reserve(1, parameters.layout.count)
        u = layout.reserve(1, width)
        y = layout.reserve(1, width)
        window = layout.reserve(taps, block.inner)
        convolved = layout.reserve(taps, block.inner)
        signals = MambaSignals(&layout, block, time: 1, training: false)
        own = DirectionSignals(&layout, block.directions[0], time: 1, training: false)
        scratch = MambaScratch(&layout, block, time: 1, training: false)
        weights = MambaWeights(&layout, block)
        work = Workspace(layout)
        work.load(self.parameters, from: parameters.values)
        block.prepare(weights, self.parameters, work)
    }

    /// One point in time: u `[width]` → `[width]`.
    package func step(_ input: [S]) -> [S] {
        precondition(input.count == u.count, "MambaStream: \(input.count) of \(u.count) channels")
        work.load(u, from: input)
        let (inner, taps, direction) = (block.inner, block.sizes.taps, block.directions[0])
        work.multiply(u, block.input.panel(in: parameters), into: signals.split, transposeB: true)
        for row in 1..<max(1, taps) { work.copy(window.row(row), to: window.row(row - 1)) }
        work.copy(signals.split.columns(0..<inner), to: window.row(taps - 1))
        work.depthwise(
            window, weights: weights.directions[0].taps,
            bias: direction.convolution.bias.panel(in: parameters), into: convolved)
        work.copy(convolved.row(taps - 1), to: own.convolved)
        direction.select(own, weights.directions[0], parameters, work)
        work.scan(
            direction.inputs(own), a: weights.directions[0].a,
            d: direction.skip.panel(in: parameters), into: signals.y,
            state: scratch.direction.state, kept: nil, scratch: scratch.direction.scan)
        work.gate(
            signals.y, by: signals.split.columns(inner..<2 * inner), times: 1, into: signals.gated)
        work.multiply(signals.gated, block.output.panel(in: parameters), into: y, transposeB: true)
        return work.values(y)
    }

    /// The last inputs of the convolution, oldest first, `[taps − 1, inner]`.
    package var buffer: Tensor<S> {
        let rows = window.rows(1..<window.rows)
        return Tensor([rows.rows, rows.columns], work.values(rows))
    }

    /// The states, `[inner, states]`.
    package var state: Tensor<S> {
        let all = scratch.direction.state
        return Tensor([all.rows, block.inner], work.values(all.columns(0..<block.inner)))
            .transposed()
    }
}
