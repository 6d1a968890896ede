internal import Foundation
package import Tensors

/// Points in time that a layer passes over as if they were not there: two runs of rows, since a class
/// token may stand among padding.
package struct MaskedRows: Sendable, Equatable {
    let first: Range<Int>
    let second: Range<Int>

    package static let none = MaskedRows(0..<0)

    package init(_ first: Range<Int>, _ second: Range<Int> = 0..<0) {
        (self.first, self.second) = (first, second)
    }

    /// Whether a row is passed over.
    package func contains(_ row: Int) -> Bool { first.contains(row) || second.contains(row) }

    /// How many rows are passed over.
    package var count: Int { first.count + second.count }

    /// Sets the masked rows of a signal to 0.
    package func clear<S>(_ panel: Panel, _ work: Workspace<S>) {
        for range in [first, second] where !range.isEmpty { work.fill(panel.rows(range)) }
    }
}

/// What one direction of a Mamba block owns: a causal convolution, and the selective scan whose step
/// width, inputs and outputs are maps of the signal itself. Signals lie as `[time, inner]`.
///
/// - Source: Gu, Dao 2023 (Mamba); models/layers.md §8.
package struct SelectiveDirection: Sendable {
    package let convolution: (weight: Slot, bias: Slot)  // [inner, taps], [inner]
    let projection: Slot  // [rank + 2·states, inner]
    let step: (weight: Slot, bias: Slot)  // [inner, rank], [inner]
    let logarithm: Slot  // of −A, [inner, states]
    let skip: Slot  // [inner]
    package let inner: Int
    package let states: Int
    package let taps: Int
    package let rank: Int

    package init(
        _ layout: inout ParameterLayout, inner: Int, states: Int, taps: Int, rank: Int
    ) {
        (self.inner, self.states, self.taps, self.rank) = (inner, states, taps, rank)
        convolution = layout.scoped("conv") {
            ($0.add("weight", inner, taps), $0.add("bias", inner, decayed: false))
        }
        projection = layout.scoped("x_proj") { $0.add("weight", rank + 2 * states, inner) }
        step = layout.scoped("dt_proj") {
            ($0.add("weight", inner, rank), $0.add("bias", inner, decayed: false))
        }
        logarithm = layout.add("A_log", inner, states, decayed: false)
        skip = layout.add("D", inner, decayed: false)
    }

    /// Draws maps and convolution; A starts at −1, −2, …, D at 1, and step widths between 1 ms and
    /// 100 ms of a second a sample.
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        p.drawUniform(convolution.weight, fanIn: taps, &random)
        p.drawUniform(convolution.bias, fanIn: taps, &random)
        p.drawUniform(projection, fanIn: inner, &random)
        p.drawUniform(step.weight, fanIn: rank, &random)
        for i in step.bias.range { p.values[i] = S(Self.stepBias(random.uniform()).bias) }
        for (place, i) in logarithm.range.enumerated() {
            p.values[i] = S(log(Double(place % states + 1)))
        }
        p.fill(skip, with: 1)
    }

    /// A first step width τ, log-uniform between 0.001 and 0.1, and the bias whose softplus it is.
    package static func stepBias(_ uniform: Double) -> (tau: Double, bias: Double) {
        let tau = max(exp(log(0.001) + uniform * log(100)), 1e-4)
        return (tau, tau + log(-expm1(-tau)))
    }
}

/// What follows from a direction's weights alone, or its gradient.
package struct DirectionWeights: Sendable {
    let taps: Panel  // [taps, inner]
    let a: Panel  // [inner, states]
    let spare: Panel  // [inner, max(taps, states)]

    package init(_ layout: inout WorkspaceLayout, _ direction: SelectiveDirection) {
        taps = layout.reserve(direction.taps, direction.inner)
        a = layout.reserve(direction.inner, direction.states)
        spare = layout.reserve(1, direction.inner * max(direction.taps, direction.states))
    }

    /// Before gradients are added.
    func clear<S>(_ work: Workspace<S>) {
        for panel in [taps, a] { work.fill(panel) }
    }
}

/// What a direction's forward pass leaves for its adjoint, of one recording.
package struct DirectionSignals: Sendable {
    let convolved: Panel  // [time, inner], before SiLU
    let x: Panel  // [time, inner]
    let projected: Panel  // [time, rank + 2·states]
    let before: Panel  // [time, inner], step widths before softplus
    let delta: Panel  // [time, inner]
    let kept: Panel?  // states, see `Workspace.scan`

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - direction: Whose signals.
    ///   - time: Points in time.
    ///   - training: Whether there will be an adjoint.
    package init(
        _ layout: inout WorkspaceLayout, _ direction: SelectiveDirection, time: Int, training: Bool
    ) {
        let inner = direction.inner
        x = layout.reserve(time, inner)
        delta = layout.reserve(time, inner)
        convolved = training ? layout.reserve(time, inner) : x
        before = training ? layout.reserve(time, inner) : delta
        projected = layout.reserve(time, direction.rank + 2 * direction.states)
        kept =
            training
            ? layout.reserve(
                ScanExtent.keptCount(length: time),
                direction.states * ScanExtent.width(channels: inner)) : nil
    }
}

/// Scratch of one thread for a direction.
package struct DirectionScratch: Sendable {
    let state: Panel  // [states, width]
    let scan: Panel
    let dx: Panel  // [time, inner]
    let ddelta: Panel  // [time, inner]
    let dprojected: Panel  // [time, rank + 2·states]

    package init(
        _ layout: inout WorkspaceLayout, _ direction: SelectiveDirection, time: Int, training: Bool
    ) {
        let (inner, states) = (direction.inner, direction.states)
        state = layout.reserve(states, ScanExtent.width(channels: inner))
        scan = layout.reserve(1, ScanExtent.scratch(channels: inner, states: states))
        let length = training ? time : 0
        dx = layout.reserve(length, inner)
        ddelta = layout.reserve(length, inner)
        dprojected = layout.reserve(length, direction.rank + 2 * states)
    }
}

extension SelectiveDirection {
    /// Makes what follows from the weights alone: A, and the taps side by side.
    package func prepare<S>(_ weights: DirectionWeights, _ p: Panel, _ work: Workspace<S>) {
        work.transpose(convolution.weight.panel(in: p), into: weights.taps)
        work.negativeExponential(logarithm.panel(in: p), into: weights.a)
    }

    /// x `[time, inner]` → y `[time, inner]`, which is added to where `adding`.
    ///
    /// - Parameters:
    ///   - x: May have gaps; 0 in masked rows.
    ///   - y: The scan's output, not gated yet.
    ///   - adding: Whether y is added to.
    ///   - reversed: Whether time runs backwards.
    ///   - masked: Rows that leave the state alone.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread. Its state is that behind the last point, afterwards.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ x: Panel, into y: Panel, adding: Bool, reversed: Bool, masked: MaskedRows,
        _ signals: DirectionSignals, _ scratch: DirectionScratch, _ weights: DirectionWeights,
        _ p: Panel, _ work: Workspace<S>
    ) {
        work.depthwise(
            x, weights: weights.taps, bias: convolution.bias.panel(in: p), into: signals.convolved,
            reversed: reversed)
        work.fill(scratch.state)
        select(signals, p, work)
        masked.clear(signals.delta, work)
        work.scan(
            inputs(signals), a: weights.a, d: skip.panel(in: p), into: y, adding: adding,
            state: scratch.state, kept: signals.kept, scratch: scratch.scan, reversed: reversed)
    }

    /// From the convolved signal to all that the scan takes.
    func select<S>(_ signals: DirectionSignals, _ p: Panel, _ work: Workspace<S>) {
        work.apply(.silu, signals.convolved, into: signals.x)
        work.multiply(
            signals.x, projection.panel(in: p), into: signals.projected, transposeB: true)
        work.multiply(
            signals.projected.columns(0..<rank), step.weight.panel(in: p), into: signals.before,
            transposeB: true)
        work.biasSoftplus(signals.before, bias: step.bias.panel(in: p), into: signals.delta)
    }

    func inputs(_ signals: DirectionSignals) -> ScanSignals {
        ScanSignals(
            x: signals.x, delta: signals.delta, b: signals.projected.columns(rank..<rank + states),
            c: signals.projected.columns(rank + states..<rank + 2 * states))
    }

    /// Adds ∂L/∂x to `dx`, and to the gradients of everything that the direction owns.
    ///
    /// - Parameters:
    ///   - dy: `[time, inner]`
    ///   - x: What `forward` was given.
    ///   - dx: `[time, inner]`; may have gaps.
    ///   - reversed: As in `forward`.
    ///   - masked: As in `forward`; those rows of dx mean nothing.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel, reversed: Bool, masked: MaskedRows,
        _ signals: DirectionSignals, _ scratch: DirectionScratch, _ weights: DirectionWeights,
        slopes: DirectionWeights, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        guard let kept = signals.kept else {
            preconditionFailure("SelectiveDirection: made without training")
        }
        work.fill(scratch.state)
        let dprojected = scratch.dprojected
        work.scanBackward(
            inputs(signals), a: weights.a, d: skip.panel(in: p), kept: kept, dy: dy,
            into: ScanSignals(
                x: scratch.dx, delta: scratch.ddelta, b: dprojected.columns(rank..<rank + states),
                c: dprojected.columns(rank + states..<rank + 2 * states)),
            da: slopes.a, dd: skip.panel(in: gradient), dstate: scratch.state,
            scratch: scratch.scan, reversed: reversed)
        masked.clear(scratch.ddelta, work)
        selectBackward(signals, scratch, p, gradient, work)
        work.depthwiseBackward(
            x, weights: weights.taps, dy: scratch.dx, into: dx, dweights: slopes.taps,
            dbias: convolution.bias.panel(in: gradient), reversed: reversed)
    }

    /// The adjoint of `select`: the gradient of the convolved signal takes the place of dx.
    private func selectBackward<S>(
        _ signals: DirectionSignals, _ scratch: DirectionScratch, _ p: Panel, _ gradient: Panel,
        _ work: Workspace<S>
    ) {
        let (dbefore, dprojected) = (scratch.ddelta, scratch.dprojected)
        work.applyBackward(.softplus, signals.before, scratch.ddelta, into: dbefore)
        work.addColumnSums(dbefore, to: step.bias.panel(in: gradient))
        work.multiply(
            dbefore, signals.projected.columns(0..<rank), into: step.weight.panel(in: gradient),
            transposeA: true, beta: 1)
        work.multiply(dbefore, step.weight.panel(in: p), into: dprojected.columns(0..<rank))
        work.multiply(
            dprojected, signals.x, into: projection.panel(in: gradient), transposeA: true, beta: 1)
        work.multiply(dprojected, projection.panel(in: p), into: scratch.dx, beta: 1)
        work.applyBackward(.silu, signals.convolved, scratch.dx, into: scratch.dx)
    }

    /// Adds what `slopes` has gathered to the gradients of convolution and A.
    package func finish<S>(
        _ slopes: DirectionWeights, _ weights: DirectionWeights, gradient: Panel,
        _ work: Workspace<S>
    ) {
        let taps = slopes.spare.columns(0..<inner * taps).reshaped(inner, taps)
        work.transpose(slopes.taps, into: taps)
        work.add(taps, to: convolution.weight.panel(in: gradient))
        work.multiplyElements(
            slopes.a, weights.a, into: logarithm.panel(in: gradient), adding: true)
    }
}
