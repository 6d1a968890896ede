package import Tensors

/// A Mamba block, on `[time, width]`: a shared map into signal and gate, one selective scan or two
/// that run against each other, the gate, and a map back.
///
/// With two directions each has its own convolution, maps and dynamics, as in Vision Mamba's second
/// form; since both meet the gate of their own point in time, their outputs are added before it.
///
/// - Source: Gu, Dao 2023; Zhu et al. 2024 (Vim).
package struct MambaBlock: Sendable {
    /// The sizes of a block.
    package struct Sizes: Sendable, Equatable {
        package var width: Int
        package var states: Int
        package var taps = 4
        /// Inner channels for each one of the width.
        package var expansion = 2
        /// Whether a second scan runs backwards.
        package var isBidirectional = true
        /// Whether the outputs of both directions are halved.
        package var isHalved = false

        package init(width: Int, states: Int) {
            self.width = width
            self.states = states
        }
    }

    package let sizes: Sizes
    let input: Slot  // [2·inner, width]
    package let directions: [SelectiveDirection]
    let output: Slot  // [width, inner]

    /// Channels of each scan.
    package var inner: Int { sizes.width * sizes.expansion }
    var factor: Double { sizes.isHalved ? 0.5 : 1 }

    package init(_ layout: inout ParameterLayout, _ sizes: Sizes) {
        self.sizes = sizes
        let inner = sizes.width * sizes.expansion
        input = layout.scoped("in_proj") { $0.add("weight", 2 * inner, sizes.width) }
        let names = sizes.isBidirectional ? ["forward_scan", "backward_scan"] : ["scan"]
        var directions: [SelectiveDirection] = []
        for name in names {
            directions.append(
                layout.scoped(name) {
                    SelectiveDirection(
                        &$0, inner: inner, states: sizes.states, taps: sizes.taps,
                        rank: (sizes.width + 15) / 16)
                })
        }
        self.directions = directions
        output = layout.scoped("out_proj") { $0.add("weight", sizes.width, inner) }
    }

    /// Draws all weights; the map back is divided by √depth, where so many blocks stand in a row.
    package func begin<S>(_ p: inout Parameters<S>, depth: Int, _ random: inout RandomStream) {
        p.drawUniform(input, fanIn: sizes.width, &random)
        for direction in directions { direction.begin(&p, &random) }
        p.drawUniform(output, fanIn: inner, &random)
        let factor = 1 / Double(depth).squareRoot()
        for i in output.range { p.values[i] *= S(factor) }
    }
}

/// What a block's forward pass leaves for its adjoint, of one recording.
package struct MambaSignals: Sendable {
    let split: Panel  // [time, 2·inner]: signal and gate
    let directions: [DirectionSignals]  // none without an adjoint
    let y: Panel  // [time, inner]
    let gated: Panel  // [time, inner]

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - block: Whose signals.
    ///   - time: Points in time.
    ///   - length: Those of a piece that begins at rest; all where nil.
    ///   - training: Whether there will be an adjoint.
    package init(
        _ layout: inout WorkspaceLayout, _ block: MambaBlock, time: Int, length: Int? = nil,
        training: Bool
    ) {
        split = layout.reserve(time, 2 * block.inner)
        var directions: [DirectionSignals] = []
        for direction in block.directions where training {
            directions.append(
                DirectionSignals(
                    &layout, direction, time: time, length: length, training: true))
        }
        self.directions = directions
        y = layout.reserve(time, block.inner)
        gated = training ? layout.reserve(time, block.inner) : y
    }
}

/// Scratch of one thread for a block.
package struct MambaScratch: Sendable {
    let direction: DirectionScratch
    let dsplit: Panel  // [time, 2·inner]
    let dy: Panel  // [time, inner]

    package init(
        _ layout: inout WorkspaceLayout, _ block: MambaBlock, time: Int, training: Bool
    ) {
        direction = DirectionScratch(
            &layout, block.directions[0], time: time, training: training)
        dsplit = layout.reserve(training ? time : 0, 2 * block.inner)
        dy = layout.reserve(training ? time : 0, block.inner)
    }
}

/// What follows from a block's weights alone, or the gradient of it.
package struct MambaWeights: Sendable {
    let directions: [DirectionWeights]
    let input: Panel  // [width, 2·inner]; none of a gradient
    let output: Panel  // [inner, width]; none of a gradient

    package init(
        _ layout: inout WorkspaceLayout, _ block: MambaBlock, isGradient: Bool = false
    ) {
        var directions: [DirectionWeights] = []
        for direction in block.directions {
            directions.append(DirectionWeights(&layout, direction, isGradient: isGradient))
        }
        self.directions = directions
        let width = block.sizes.width
        input = layout.reserve(isGradient ? 0 : width, 2 * block.inner)
        output = layout.reserve(isGradient ? 0 : block.inner, width)
    }

    /// Before gradients are added.
    package func clear<S>(_ work: Workspace<S>) {
        for direction in directions { direction.clear(work) }
    }
}

extension MambaBlock {
    /// Makes what follows from the weights alone.
    package func prepare<S>(_ weights: MambaWeights, _ p: Panel, _ work: Workspace<S>) {
        work.transpose(input.panel(in: p), into: weights.input)
        work.transpose(output.panel(in: p), into: weights.output)
        for (direction, own) in zip(directions, weights.directions) {
            direction.prepare(own, p, work)
        }
    }

    /// Rows that a direction has to see where one row's output alone is wanted: those before it, and
    /// those behind it of the second direction.
    private func rows(of direction: Int, _ time: Int, _ wanted: Int?) -> Range<Int> {
        guard let wanted else { return 0..<time }
        return direction == 0 ? 0..<wanted + 1 : wanted..<time
    }

    /// u `[time, width]` → out `[time, width]`.
    ///
    /// - Parameters:
    ///   - u: Without gaps.
    ///   - out: Other memory than u.
    ///   - adding: Whether out is added to.
    ///   - wanted: The only row of `out` that is needed; all where nil.
    ///   - masked: Rows that leave every state alone; what stands there in `out` means nothing.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ u: Panel, into out: Panel, adding: Bool = false, wanted: Int? = nil,
        masked: MaskedRows = .none, _ signals: MambaSignals, _ scratch: MambaScratch,
        _ weights: MambaWeights, _ p: Panel, _ work: Workspace<S>
    ) {
        let own = wanted.map { $0..<$0 + 1 } ?? 0..<u.rows
        let (x, z) = (signals.split.columns(0..<inner), signals.split.columns(inner..<2 * inner))
        if wanted == nil {
            work.product(u, weights.input, into: signals.split)
        } else {
            work.product(u, weights.input.columns(0..<inner), into: x)
            work.product(
                u.rows(own), weights.input.columns(inner..<2 * inner), into: z.rows(own))
        }
        masked.clear(x, work)
        for (index, direction) in directions.enumerated() {
            let rows = rows(of: index, u.rows, wanted)
            guard !signals.directions.isEmpty else {
                direction.forward(
                    x.rows(rows), into: signals.y.rows(rows), adding: index > 0,
                    reversed: index > 0, masked: masked.within(rows), scratch.direction,
                    weights.directions[index], p, work)
                continue
            }
            direction.forward(
                x.rows(rows), into: signals.y.rows(rows), adding: index > 0, reversed: index > 0,
                masked: masked.within(rows), signals.directions[index].rows(rows),
                scratch.direction, weights.directions[index], p, work)
        }
        work.gate(
            signals.y.rows(own), by: z.rows(own), times: S(factor), into: signals.gated.rows(own))
        work.product(signals.gated.rows(own), weights.output, into: out.rows(own), adding: adding)
    }

    /// Fills du with ∂L/∂u, and adds to the gradients of all weights.
    ///
    /// - Parameters:
    ///   - dout: `[time, width]`; other rows than the one that is wanted do not count.
    ///   - u: What `forward` was given.
    ///   - du: `[time, width]`; may be dout.
    ///   - wanted: As in `forward`.
    ///   - masked: As in `forward`.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dout: Panel, u: Panel, into du: Panel, wanted: Int? = nil, masked: MaskedRows = .none,
        _ signals: MambaSignals, _ scratch: MambaScratch, _ weights: MambaWeights,
        slopes: MambaWeights, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let own = wanted.map { $0..<$0 + 1 } ?? 0..<u.rows
        let (x, z) = (signals.split.columns(0..<inner), signals.split.columns(inner..<2 * inner))
        let (dx, dz) = (
            scratch.dsplit.columns(0..<inner), scratch.dsplit.columns(inner..<2 * inner)
        )
        if wanted != nil { work.fill(scratch.dy) }
        work.product(
            dout.rows(own), signals.gated.rows(own), into: output.panel(in: gradient),
            transposeA: true, adding: true)
        work.product(dout.rows(own), output.panel(in: p), into: scratch.dy.rows(own))
        work.gateBackward(
            signals.y.rows(own), by: z.rows(own), times: S(factor), dy: scratch.dy.rows(own),
            into: scratch.dy.rows(own), dz: dz.rows(own))
        work.fill(dx)
        for (index, direction) in directions.enumerated() {
            let rows = rows(of: index, u.rows, wanted)
            direction.backward(
                scratch.dy.rows(rows), x: x.rows(rows), into: dx.rows(rows), reversed: index > 0,
                masked: masked.within(rows), signals.directions[index].rows(rows),
                scratch.direction.rows(rows), weights.directions[index],
                slopes: slopes.directions[index], p, gradient: gradient, work)
        }
        masked.clear(dx, work)
        inputBackward(u, into: du, own, scratch, p, gradient, work)
    }

    /// The adjoint of the map into signal and gate, whose rows `own` alone have slopes of the gate.
    private func inputBackward<S>(
        _ u: Panel, into du: Panel, _ own: Range<Int>, _ scratch: MambaScratch, _ p: Panel,
        _ gradient: Panel, _ work: Workspace<S>
    ) {
        let (weight, dweight) = (input.panel(in: p), input.panel(in: gradient))
        if own.count == u.rows {
            work.product(scratch.dsplit, u, into: dweight, transposeA: true, adding: true)
            work.product(scratch.dsplit, weight, into: du)
            return
        }
        let dx = scratch.dsplit.columns(0..<inner)
        let dz = scratch.dsplit.columns(inner..<2 * inner).rows(own)
        work.product(dx, u, into: dweight.rows(0..<inner), transposeA: true, adding: true)
        work.product(
            dz, u.rows(own), into: dweight.rows(inner..<2 * inner), transposeA: true, adding: true)
        work.product(dx, weight.rows(0..<inner), into: du)
        work.product(dz, weight.rows(inner..<2 * inner), into: du.rows(own), adding: true)
    }

    /// Adds what `slopes` has gathered to the gradient.
    package func finish<S>(
        _ slopes: MambaWeights, _ weights: MambaWeights, gradient: Panel, _ work: Workspace<S>
    ) {
        for (index, direction) in directions.enumerated() {
            direction.finish(
                slopes.directions[index], weights.directions[index], gradient: gradient, work)
        }
    }
}
