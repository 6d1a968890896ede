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

    /// The masked ones of some rows, counted from the first of those.
    func within(_ rows: Range<Int>) -> MaskedRows {
        func part(_ range: Range<Int>) -> Range<Int> {
            let inside = range.clamped(to: rows)
            return inside.lowerBound - rows.lowerBound..<inside.upperBound - rows.lowerBound
        }
        return MaskedRows(part(first), part(second))
    }

    /// Sets the masked rows of a signal to 0.
    package func clear<S>(_ panel: Panel, _ work: Workspace<S>) {
        for range in [first, second] where !range.isEmpty { work.fill(panel.rows(range)) }
    }
}

/// What one direction of a Mamba block owns: a causal convolution, and the selective scan whose step
/// width, inputs and outputs are maps of the signal itself. Signals lie as `[time, inner]`.
///
/// - Source: Gu, Dao 2023 (Mamba), algorithm 2; B is discretised by Euler's rule, as
///   in the authors' released code.
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

    /// Columns of what the signal is mapped to, with those that fill up the last sixteen.
    var projected: Int { (rank + 2 * states + 15) / 16 * 16 }

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
    let step: Panel  // [rank, inner]
    /// Of the weights, with columns of zeros up to a multiple of sixteen: `[inner, projected]`.
    let projection: Panel?
    /// For a gradient's way back.
    let spare: Panel?  // [1, inner·max(taps, rank)]

    package init(
        _ layout: inout WorkspaceLayout, _ direction: SelectiveDirection, isGradient: Bool
    ) {
        let inner = direction.inner
        taps = layout.reserve(direction.taps, inner)
        a = layout.reserve(inner, direction.states)
        step = layout.reserve(direction.rank, inner)
        projection = isGradient ? nil : layout.reserve(inner, direction.projected)
        spare =
            isGradient ? layout.reserve(1, inner * max(direction.taps, direction.rank)) : nil
    }

    /// Before gradients are added.
    func clear<S>(_ work: Workspace<S>) {
        for panel in [taps, a, step] { work.fill(panel) }
    }
}

/// What a direction's forward pass leaves for its adjoint, of one recording.
package struct DirectionSignals: Sendable {
    let convolved: Panel  // [time, inner], before SiLU
    let x: Panel  // [time, inner]
    let projected: Panel  // [time, rank + 2·states and what fills it up]
    let before: Panel  // [time, inner], step widths before softplus
    let delta: Panel  // [time, inner]
    let kept: Panel?  // states, see `Workspace.scan`

    /// - Parameters:
    ///   - layout: Gives the memory.
    ///   - direction: Whose signals.
    ///   - time: Points in time.
    ///   - length: Those of a piece that begins at rest; all where nil.
    ///   - training: Whether there will be an adjoint.
    package init(
        _ layout: inout WorkspaceLayout, _ direction: SelectiveDirection, time: Int,
        length: Int? = nil, training: Bool
    ) {
        let inner = direction.inner
        let piece = length ?? time
        x = layout.reserve(time, inner)
        delta = layout.reserve(time, inner)
        convolved = training ? layout.reserve(time, inner) : x
        before = training ? layout.reserve(time, inner) : delta
        projected = layout.reserve(time, direction.projected)
        kept =
            training
            ? layout.reserve(
                ScanExtent.keptCount(length: piece) * (piece > 0 ? time / piece : 0),
                direction.states * ScanExtent.width(channels: inner)) : nil
    }
}

extension DirectionSignals {
    /// What a scan over sequences keeps, which are no more and no longer than planned.
    func kept(of sequences: RowSequences) -> Panel? {
        let count = sequences.count * ScanExtent.keptCount(length: sequences.length)
        return kept.map { $0.rows(0..<count) }
    }

    /// The same for the first points in time, whatever the pieces.
    func prefix(_ rows: Int) -> DirectionSignals {
        DirectionSignals(
            convolved: convolved.rows(0..<rows), x: x.rows(0..<rows),
            projected: projected.rows(0..<rows), before: before.rows(0..<rows),
            delta: delta.rows(0..<rows), kept: kept)
    }

    /// The same for some points in time.
    func rows(_ range: Range<Int>) -> DirectionSignals {
        DirectionSignals(
            convolved: convolved.rows(range), x: x.rows(range), projected: projected.rows(range),
            before: before.rows(range), delta: delta.rows(range),
            kept: kept.map { $0.rows(0..<ScanExtent.keptCount(length: range.count)) })
    }

    private init(
        convolved: Panel, x: Panel, projected: Panel, before: Panel, delta: Panel, kept: Panel?
    ) {
        (self.convolved, self.x, self.projected) = (convolved, x, projected)
        (self.before, self.delta, self.kept) = (before, delta, kept)
    }
}

/// Scratch of one thread for a direction.
package struct DirectionScratch: Sendable {
    let state: Panel  // [states, width]
    let scan: Panel  // without a training also of a whole direction
    let dx: Panel  // [time, inner]
    let ddelta: Panel  // [time, inner]
    let dprojected: Panel  // [time, rank + 2·states]

    package init(
        _ layout: inout WorkspaceLayout, _ direction: SelectiveDirection, time: Int, training: Bool
    ) {
        let (inner, states) = (direction.inner, direction.states)
        state = layout.reserve(states, ScanExtent.width(channels: inner))
        let whole = ScanExtent.directionScratch(
            channels: inner, states: states, columns: direction.projected)
        let scan = ScanExtent.scratch(channels: inner, states: states)
        self.scan = layout.reserve(1, training ? scan : max(scan, whole))
        let length = training ? time : 0
        dx = layout.reserve(length, inner)
        ddelta = layout.reserve(length, inner)
        dprojected = layout.reserve(length, direction.rank + 2 * states)
    }
}

extension DirectionScratch {
    /// The same for some points in time.
    func rows(_ range: Range<Int>) -> DirectionScratch {
        DirectionScratch(
            state: state, scan: scan, dx: dx.rows(range), ddelta: ddelta.rows(range),
            dprojected: dprojected.rows(range))
    }

    private init(state: Panel, scan: Panel, dx: Panel, ddelta: Panel, dprojected: Panel) {
        (self.state, self.scan) = (state, scan)
        (self.dx, self.ddelta, self.dprojected) = (dx, ddelta, dprojected)
    }
}

extension SelectiveDirection {
    /// Makes what follows from the weights alone: A, and the taps side by side.
    package func prepare<S>(_ weights: DirectionWeights, _ p: Panel, _ work: Workspace<S>) {
        work.transpose(convolution.weight.panel(in: p), into: weights.taps)
        work.transpose(step.weight.panel(in: p), into: weights.step)
        if let target = weights.projection {
            work.transpose(projection.panel(in: p), into: target)
        }
        work.negativeExponential(logarithm.panel(in: p), into: weights.a)
    }

    /// As the other `forward`, where there is no adjoint to come: nothing is left of what lies between.
    package func forward<S>(
        _ x: Panel, into y: Panel, adding: Bool, reversed: Bool, masked: MaskedRows,
        _ scratch: DirectionScratch, _ weights: DirectionWeights, _ p: Panel, _ work: Workspace<S>
    ) {
        guard let turned = weights.projection else {
            preconditionFailure("SelectiveDirection: a gradient for weights")
        }
        work.fill(scratch.state)
        work.direction(
            x,
            DirectionMaps(
                taps: weights.taps, bias: convolution.bias.panel(in: p),
                weight: projection.panel(in: p), projection: turned, step: weights.step,
                stepBias: step.bias.panel(in: p), a: weights.a, d: skip.panel(in: p)),
            into: y, adding: adding, masked: (masked.first, masked.second), state: scratch.state,
            scratch: scratch.scan, reversed: reversed)
    }

    /// x `[time, inner]` → y `[time, inner]`, which is added to where `adding`.
    ///
    /// - Parameters:
    ///   - x: May have gaps; 0 in masked rows.
    ///   - y: The scan's output, not gated yet.
    ///   - adding: Whether y is added to.
    ///   - reversed: Whether time runs backwards.
    ///   - masked: Rows that leave the state alone.
    ///   - sequences: Each of which begins at rest; all rows are one where nil.
    ///   - signals: Filled.
    ///   - scratch: Of the calling thread. Its state is that behind the last point, afterwards.
    ///   - weights: What `prepare` made.
    ///   - p: All parameters.
    ///   - work: The memory of all panels.
    package func forward<S>(
        _ x: Panel, into y: Panel, adding: Bool, reversed: Bool, masked: MaskedRows,
        sequences: RowSequences? = nil, _ signals: DirectionSignals,
        _ scratch: DirectionScratch, _ weights: DirectionWeights, _ p: Panel, _ work: Workspace<S>
    ) {
        let sequences = sequences ?? .consecutive(1, length: x.rows)
        for index in 0..<sequences.count {
            work.depthwise(
                sequences.rows(of: index, in: x), weights: weights.taps,
                bias: convolution.bias.panel(in: p),
                into: sequences.rows(of: index, in: signals.convolved), reversed: reversed)
        }
        select(signals, weights, p, work)
        masked.clear(signals.delta, work)
        work.scan(
            inputs(signals), a: weights.a, d: skip.panel(in: p), into: y, adding: adding,
            state: scratch.state, kept: signals.kept(of: sequences), scratch: scratch.scan,
            sequences: sequences, reversed: reversed)
    }

    /// From the convolved signal to all that the scan takes.
    func select<S>(
        _ signals: DirectionSignals, _ weights: DirectionWeights, _ p: Panel, _ work: Workspace<S>
    ) {
        guard let projection = weights.projection else {
            preconditionFailure("SelectiveDirection: a gradient for weights")
        }
        work.apply(.silu, signals.convolved, into: signals.x)
        work.product(signals.x, projection, into: signals.projected)
        work.product(signals.projected.columns(0..<rank), weights.step, into: signals.before)
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
    ///   - sequences: As in `forward`.
    ///   - signals: What `forward` filled.
    ///   - scratch: Of the calling thread.
    ///   - weights: What `prepare` made.
    ///   - slopes: Gradients of those, which are added to; see `finish`.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        _ dy: Panel, x: Panel, into dx: Panel, reversed: Bool, masked: MaskedRows,
        sequences: RowSequences? = nil, _ signals: DirectionSignals,
        _ scratch: DirectionScratch, _ weights: DirectionWeights, slopes: DirectionWeights,
        _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let sequences = sequences ?? .consecutive(1, length: x.rows)
        scanBackward(
            dy, reversed, sequences, signals, scratch, weights, slopes, p, gradient, work)
        masked.clear(scratch.ddelta, work)
        selectBackward(signals, scratch, slopes, p, gradient, work)
        for index in 0..<sequences.count {
            work.depthwiseBackward(
                sequences.rows(of: index, in: x), weights: weights.taps,
                dy: sequences.rows(of: index, in: scratch.dx),
                into: sequences.rows(of: index, in: dx), dweights: slopes.taps,
                dbias: convolution.bias.panel(in: gradient), reversed: reversed)
        }
    }

    /// The adjoint of the scan.
    private func scanBackward<S>(
        _ dy: Panel, _ reversed: Bool, _ sequences: RowSequences, _ signals: DirectionSignals,
        _ scratch: DirectionScratch, _ weights: DirectionWeights, _ slopes: DirectionWeights,
        _ p: Panel, _ gradient: Panel, _ work: Workspace<S>
    ) {
        guard let kept = signals.kept(of: sequences) else {
            preconditionFailure("SelectiveDirection: made without training")
        }
        let dprojected = scratch.dprojected
        work.scanBackward(
            inputs(signals), a: weights.a, d: skip.panel(in: p), kept: kept, dy: dy,
            into: ScanSignals(
                x: scratch.dx, delta: scratch.ddelta, b: dprojected.columns(rank..<rank + states),
                c: dprojected.columns(rank + states..<rank + 2 * states)),
            da: slopes.a, dd: skip.panel(in: gradient), dstate: scratch.state,
            scratch: scratch.scan, sequences: sequences, reversed: reversed)
    }

    /// The adjoint of `select`: the gradient of the convolved signal takes the place of dx.
    private func selectBackward<S>(
        _ signals: DirectionSignals, _ scratch: DirectionScratch, _ slopes: DirectionWeights,
        _ p: Panel, _ gradient: Panel, _ work: Workspace<S>
    ) {
        let (dbefore, dprojected) = (scratch.ddelta, scratch.dprojected)
        work.applyBackward(.softplus, signals.before, scratch.ddelta, into: dbefore)
        work.addColumnSums(dbefore, to: step.bias.panel(in: gradient))
        work.product(
            signals.projected.columns(0..<rank), dbefore, into: slopes.step, transposeA: true,
            adding: true)
        work.product(dbefore, step.weight.panel(in: p), into: dprojected.columns(0..<rank))
        work.product(
            dprojected, signals.x, into: projection.panel(in: gradient), transposeA: true,
            adding: true)
        work.product(dprojected, projection.panel(in: p), into: scratch.dx, adding: true)
        work.applyBackward(.silu, signals.convolved, scratch.dx, into: scratch.dx)
    }

    /// Adds what `slopes` has gathered to the gradients of convolution, step widths and A.
    package func finish<S>(
        _ slopes: DirectionWeights, _ weights: DirectionWeights, gradient: Panel,
        _ work: Workspace<S>
    ) {
        guard let spare = slopes.spare else {
            preconditionFailure("SelectiveDirection: weights for a gradient")
        }
        for (own, slot) in [(slopes.taps, convolution.weight), (slopes.step, step.weight)] {
            let turned = spare.columns(0..<own.count).reshaped(own.columns, own.rows)
            work.transpose(own, into: turned)
            work.add(turned, to: slot.panel(in: gradient))
        }
        work.multiplyElements(
            slopes.a, weights.a, into: logarithm.panel(in: gradient), adding: true)
    }
}
