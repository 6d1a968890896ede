package import Tensors

/// A Mamba block, on `[time, width]`: a shared map into signal and gate, one selective scan or two
/// that run against each other, the gate, and a map back.
///
/// With two directions each has its own convolution, maps and dynamics, as in Vision Mamba's second
/// form; since both meet the gate of their own point in time, their outputs are added before it.
///
/// - Source: Gu, Dao 2023; Zhu et al. 2024 (Vim); models/layers.md §8 and §9.
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
    private var factor: Double { sizes.isHalved ? 0.5 : 1 }

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
    let directions: [DirectionSignals]
    let y: Panel  // [time, inner]
    let gated: Panel  // [time, inner]

    package init(
        _ layout: inout WorkspaceLayout, _ block: MambaBlock, time: Int, training: Bool
    ) {
        split = layout.reserve(time, 2 * block.inner)
        var directions: [DirectionSignals] = []
        for direction in block.directions where training || directions.isEmpty {
            directions.append(
                DirectionSignals(&layout, direction, time: time, training: training))
        }
        // Without an adjoint the second direction takes the place of the first.
        while directions.count < block.directions.count { directions.append(directions[0]) }
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

    package init(_ layout: inout WorkspaceLayout, _ block: MambaBlock) {
        var directions: [DirectionWeights] = []
        for direction in block.directions {
            directions.append(DirectionWeights(&layout, direction))
        }
        self.directions = directions
    }

    /// Before gradients are added.
    package func clear<S>(_ work: Workspace<S>) {
        for direction in directions { direction.clear(work) }
    }
}

extension MambaBlock {
    /// Makes what follows from the weights alone.
    package func prepare<S>(_ weights: MambaWeights, _ p: Panel, _ work: Workspace<S>) {
        for (direction, own) in zip(directions, weights.directions) {
            direction.prepare(own, p, work)
        }
    }

    /// u `[time, width]` → out `[time, width]`.
    ///
    /// - Parameters:
    ///   - u: Without gaps.
    ///   - out: Other memory than u.
    ///   - masked: Rows that leave every state alone; what stands there in `out` means nothing.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ u: Panel, into out: Panel, masked: MaskedRows = .none, _ signals: MambaSignals,
        _ scratch: MambaScratch, _ weights: MambaWeights, _ p: Panel, _ work: Workspace<S>
    ) {
        work.multiply(u, input.panel(in: p), into: signals.split, transposeB: true)
        let x = signals.split.columns(0..<inner)
        masked.clear(x, work)
        for (index, direction) in directions.enumerated() {
            direction.forward(
                x, into: signals.y, adding: index > 0, reversed: index > 0, masked: masked,
                signals.directions[index], scratch.direction, weights.directions[index], p, work)
        }
        work.gate(
            signals.y, by: signals.split.columns(inner..<2 * inner), times: S(factor),
            into: signals.gated)
        work.multiply(signals.gated, output.panel(in: p), into: out, transposeB: true)
    }

    /// Fills du with ∂L/∂u, and adds to the gradients of all weights.
    ///
    /// - Parameters:
    ///   - dout: `[time, width]`
    ///   - u: What `forward` was given.
    ///   - du: `[time, width]`; may be dout.
    ///   - masked: As in `forward`.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dout: Panel, u: Panel, into du: Panel, masked: MaskedRows = .none,
        _ signals: MambaSignals, _ scratch: MambaScratch, _ weights: MambaWeights,
        slopes: MambaWeights, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let (dx, dz) = (
            scratch.dsplit.columns(0..<inner), scratch.dsplit.columns(inner..<2 * inner)
        )
        work.multiply(
            dout, signals.gated, into: output.panel(in: gradient), transposeA: true, beta: 1)
        work.multiply(dout, output.panel(in: p), into: scratch.dy)
        work.gateBackward(
            signals.y, by: signals.split.columns(inner..<2 * inner), times: S(factor),
            dy: scratch.dy, into: scratch.dy, dz: dz)
        work.fill(dx)
        for (index, direction) in directions.enumerated() {
            direction.backward(
                scratch.dy, x: signals.split.columns(0..<inner), into: dx, reversed: index > 0,
                masked: masked, signals.directions[index], scratch.direction,
                weights.directions[index], slopes: slopes.directions[index], p,
                gradient: gradient, work)
        }
        masked.clear(dx, work)
        work.multiply(
            scratch.dsplit, u, into: input.panel(in: gradient), transposeA: true, beta: 1)
        work.multiply(scratch.dsplit, input.panel(in: p), into: du)
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
