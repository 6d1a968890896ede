package import Tensors

/// A causal block on pieces of a signal that know nothing of each other, of which the last rows alone may
/// be wanted.
extension MambaBlock {
    /// u `[rows, width]` → out = r + what the block makes of u, of the last one of every `every` rows:
    /// `[rows / every, width]`. Traps where the block runs in both directions.
    ///
    /// - Parameters:
    ///   - u: Without gaps.
    ///   - length: Rows of a piece; each begins at rest.
    ///   - every: Divides length.
    ///   - r: `[rows / every, width]`; may have gaps.
    ///   - out: Filled, other memory, without gaps.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ u: Panel, of length: Int, every: Int, to r: Panel, into out: Panel,
        _ signals: MambaSignals, _ scratch: MambaScratch, _ weights: MambaWeights, _ p: Panel,
        _ work: Workspace<S>
    ) {
        precondition(!sizes.isBidirectional, "MambaBlock: pieces in both directions")
        let rows = 0..<u.rows
        let split = signals.split.rows(rows)
        let (x, z) = (split.columns(0..<inner), split.columns(inner..<2 * inner))
        let (y, gated) = (signals.y.rows(rows), signals.gated.rows(rows))
        work.product(u, weights.input, into: split)
        if let own = signals.directions.first {
            directions[0].forward(
                x, into: y, adding: false, reversed: false, masked: .none,
                sequences: pieces(u, length), own.prefix(u.rows), scratch.direction,
                weights.directions[0], p, work)
        } else {
            for first in stride(from: 0, to: u.rows, by: length) {
                let piece = first..<first + length
                directions[0].forward(
                    x.rows(piece), into: y.rows(piece), adding: false, reversed: false,
                    masked: .none, scratch.direction, weights.directions[0], p, work)
            }
        }
        work.gate(y, by: z, times: 1, into: gated)
        work.copy(r, to: out)
        work.product(wanted(gated, every), weights.output, into: out, adding: true)
    }

    private func pieces(_ u: Panel, _ length: Int) -> RowSequences {
        precondition(length > 0 && u.rows % length == 0, "MambaBlock: \(u.rows) rows of \(length)")
        return .consecutive(u.rows / length, length: length)
    }

    private func wanted(_ rows: Panel, _ every: Int) -> Panel {
        every == 1 ? rows : rows.rows(every: every, from: every - 1)
    }

    /// Fills du with ∂L/∂u, and adds to the gradients of all weights; that for the residual is dout.
    ///
    /// - Parameters:
    ///   - dout: `[rows / every, width]`
    ///   - u: What `forward` was given.
    ///   - length: As there.
    ///   - every: As there.
    ///   - du: `[rows, width]`; other memory than dout.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dout: Panel, u: Panel, of length: Int, every: Int, into du: Panel,
        _ signals: MambaSignals, _ scratch: MambaScratch, _ weights: MambaWeights,
        slopes: MambaWeights, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let rows = 0..<u.rows
        let (split, dsplit) = (signals.split.rows(rows), scratch.dsplit.rows(rows))
        let (x, z) = (split.columns(0..<inner), split.columns(inner..<2 * inner))
        let (dx, dz) = (dsplit.columns(0..<inner), dsplit.columns(inner..<2 * inner))
        let dy = scratch.dy.rows(rows)
        if every > 1 { work.fill(dy) }
        work.product(
            dout, wanted(signals.gated.rows(rows), every), into: output.panel(in: gradient),
            transposeA: true, adding: true)
        work.product(dout, output.panel(in: p), into: wanted(dy, every))
        work.gateBackward(signals.y.rows(rows), by: z, times: 1, dy: dy, into: dy, dz: dz)
        work.fill(dx)
        directions[0].backward(
            dy, x: x, into: dx, reversed: false, masked: .none, sequences: pieces(u, length),
            signals.directions[0].prefix(u.rows), scratch.direction.rows(rows),
            weights.directions[0], slopes: slopes.directions[0], p, gradient: gradient, work)
        work.product(
            dsplit, u, into: input.panel(in: gradient), transposeA: true, adding: true)
        work.product(dsplit, input.panel(in: p), into: du)
    }
}

/// The panels of a causal block that takes one point in time after the other, besides its weights.
package struct MambaStep: Sendable {
    /// What is kept from one point in time to the next: the last inputs of the convolution, oldest first.
    package let window: Panel  // [taps, inner]
    /// And the states.
    package let state: Panel  // [states, width]
    private let convolved: Panel  // [taps, inner]
    private let signals: MambaSignals
    private let own: DirectionSignals
    private let scan: Panel

    /// The extents of what is kept: window and states.
    package static func kept(_ block: MambaBlock) -> [(rows: Int, columns: Int)] {
        let width = ScanExtent.width(channels: block.inner)
        return [(block.sizes.taps, block.inner), (block.directions[0].states, width)]
    }

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - block: Traps where it runs in both directions: it would have to see what is to come.
    ///   - window: Of the extents that `kept` says.
    ///   - state: Of the extents that `kept` says.
    package init(
        _ layout: inout WorkspaceLayout, _ block: MambaBlock, window: Panel, state: Panel
    ) {
        precondition(!block.sizes.isBidirectional, "MambaStep: a block that looks ahead")
        let (taps, direction) = (block.sizes.taps, block.directions[0])
        (self.window, self.state) = (window, state)
        convolved = layout.reserve(taps, block.inner)
        signals = MambaSignals(&layout, block, time: 1, training: false)
        own = DirectionSignals(&layout, direction, time: 1, training: false)
        scan = layout.reserve(
            1, ScanExtent.scratch(channels: block.inner, states: direction.states))
    }

    /// One point in time: y `[1, width]`, other memory than u, is filled or added to.
    package func step<S>(
        _ block: MambaBlock, _ u: Panel, into y: Panel, adding: Bool = false,
        _ weights: MambaWeights, _ p: Panel, _ work: Workspace<S>
    ) {
        let (inner, taps, direction) = (block.inner, block.sizes.taps, block.directions[0])
        work.product(u, weights.input, into: signals.split)
        for row in 1..<max(1, taps) { work.copy(window.row(row), to: window.row(row - 1)) }
        work.copy(signals.split.columns(0..<inner), to: window.row(taps - 1))
        work.depthwise(
            window, weights: weights.directions[0].taps,
            bias: direction.convolution.bias.panel(in: p), into: convolved)
        work.copy(convolved.row(taps - 1), to: own.convolved)
        direction.select(own, weights.directions[0], p, work)
        work.scan(
            direction.inputs(own), a: weights.directions[0].a, d: direction.skip.panel(in: p),
            into: signals.y, state: state, kept: nil, scratch: scan)
        work.gate(
            signals.y, by: signals.split.columns(inner..<2 * inner), times: 1, into: signals.gated)
        work.product(signals.gated, weights.output, into: y, adding: adding)
    }
}
