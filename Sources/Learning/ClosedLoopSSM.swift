package import Tensors

/// The decoder: a companion SSM per channel that also predicts its own next input.
///
/// Open loop over the window: `y = gain·(c·A^j·b) ∗ z` and `ẑ = (k·A^j·b) ∗ z`. Closed loop after it:
/// `y_h = gain·c·M^h·x` with `M = A + b·kᵀ` and x the state at the end of the window. All four
/// vectors are L1-normalised; the gain multiplies outputs only, never what is fed back.
///
/// Everything over the window is computed from one filtered signal: with `D` the characteristic
/// polynomial, `(I − z·A)⁻¹ = P(z)/D(z)`, where P has d coefficients. `w = z/D` is a recurrence with d
/// taps; outputs and predicted inputs are filters of w with d taps, `c·P` and `k·P`, and the last
/// state is P applied to its last d values. That is a fifth of the work of convolving with kernels as
/// long as the window, and exact for poles on the unit circle too: with ‖a‖₁ ≤ 1 the response of 1/D
/// never exceeds 1.
///
/// - Source: models/spacetime.md §5, with its batched forecast operator `R`, `r_h = c·M^h`, and the
///   rational view of §3 C.
package struct ClosedLoopSSM: Sendable {
    package let a: Slot  // [heads, d]
    package let b: Slot  // [heads, d]
    package let c: Slot  // [heads, d]
    package let k: Slot  // [heads, d]
    package let gain: Slot  // [heads]

    package var heads: Int { a.shape[0] }
    package var d: Int { a.shape[1] }

    package init(_ layout: inout ParameterLayout, heads: Int, d: Int) {
        a = layout.add("a", heads, d, decayed: false)
        b = layout.add("b", heads, d, decayed: false)
        c = layout.add("c", heads, d, decayed: false)
        k = layout.add("k", heads, d, decayed: false)
        gain = layout.add("gain", heads, decayed: false)
    }

    /// a, b, c and k from N(0, 1), gain 1.
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        for slot in [a, b, c, k] { p.drawNormal(slot, &random) }
        p.fill(gain, with: 1)
    }
}

/// What follows from the weights of a `ClosedLoopSSM` alone, for all heads.
package struct ClosedLoopMemory: Sendable {
    /// One head.
    struct Head: Sendable {
        let columns: Panel  // [4, d]: a, b, c, k, normalised
        let numerators: Panel  // [d, d]: row d−1−j is P_j
        let rows: Panel  // [horizon, d]: r_h = c·M^h
        let feedback: Taps  // [1, d]: α_j = a_{d−j}, j from 1
        let output: Taps  // [1, d]: c·P_j
        let input: Taps  // [1, d]: k·P_j
    }

    let heads: [Head]

    package init(_ layout: inout WorkspaceLayout, heads: Int, d: Int, horizon: Int) {
        self.heads = (0..<heads).map { _ in
            Head(
                columns: layout.reserve(4, d), numerators: layout.reserve(d, d),
                rows: layout.reserve(horizon, d), feedback: Taps(&layout, count: d),
                output: Taps(&layout, count: d), input: Taps(&layout, count: d))
        }
    }

    /// `c·M^h` of one head, `[horizon, d]`.
    package func rows(of head: Int) -> Panel { heads[head].rows }

    /// a, b, c and k of one head, normalised, each `[1, d]`.
    package func columns(of head: Int) -> (a: Panel, b: Panel, c: Panel, k: Panel) {
        let columns = heads[head].columns
        return (columns.row(0), columns.row(1), columns.row(2), columns.row(3))
    }
}

/// Scratch of one thread for the decoder.
package struct ClosedLoopScratch: Sendable {
    let reversed: Panel  // [1, d]
    let dnumerators: Panel  // [d, d]
    let drows: Panel  // [horizon, d]
    let dstate: Panel  // [lanes, d]
    let dcolumns: Panel  // [4, d]
    let lags: Panel  // [3, d]
    let dw: Lanes

    package init(
        _ layout: inout WorkspaceLayout, d: Int, length: Int, horizon: Int, batch: Int
    ) {
        reversed = layout.reserve(1, d)
        dnumerators = layout.reserve(d, d)
        drows = layout.reserve(horizon, d)
        dstate = layout.reserve(Lanes.count(batch), d)
        dcolumns = layout.reserve(4, d)
        lags = layout.reserve(3, d)
        dw = Lanes(&layout, windows: batch, length: length, before: d, behind: d)
    }
}

extension ClosedLoopSSM {
    /// Makes everything that follows from the weights of one head.
    package func prepare<S>(
        head: Int, _ memory: ClosedLoopMemory, _ scratch: ClosedLoopScratch, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let made = memory.heads[head]
        let (an, bn, cn, kn) = memory.columns(of: head)
        for (slot, column) in [(a, an), (b, bn), (c, cn), (k, kn)] {
            work.normalise(slot.panel(in: p).row(head), into: column)
        }
        work.reverse(an, into: made.feedback.values)
        work.numerators(a: an, b: bn, into: made.numerators)
        for (row, taps) in [(cn, made.output), (kn, made.input)] {
            work.multiply(row, made.numerators, into: scratch.reversed, transposeB: true)
            work.reverse(scratch.reversed, into: taps.values)
        }
        work.forecastRows(a: an, b: bn, c: cn, k: kn, into: made.rows)
    }

    /// The filtered signal of one head, `w = z/D`; z has as many lanes and points in time.
    package func filter<S>(
        head: Int, _ z: Lanes, into w: Lanes, _ memory: ClosedLoopMemory, _ work: Workspace<S>
    ) {
        work.autoregress(memory.heads[head].feedback, z, into: w, .forward)
    }

    /// The closed-loop forecast of one head, without its gain.
    ///
    /// - Parameters:
    ///   - head: Which head.
    ///   - w: What `filter` made.
    ///   - state: Filled with the state after the window, `[lanes, d]`.
    ///   - y: Filled with the forecast of the first windows, `[batch, horizon]`.
    ///   - memory: What `prepare` made.
    ///   - work: The memory of all panels.
    package func closedLoop<S>(
        head: Int, _ w: Lanes, state: Panel, into y: Panel, _ memory: ClosedLoopMemory,
        _ work: Workspace<S>
    ) {
        let made = memory.heads[head]
        work.multiply(w.last(d), made.numerators, into: state, transposeA: true)
        work.multiply(state.rows(0..<y.rows), made.rows, into: y, transposeB: true)
    }

    /// One-step predictions over the window, without gain.
    ///
    /// - Parameters:
    ///   - head: Which head.
    ///   - w: What `filter` made.
    ///   - y: Filled with outputs.
    ///   - next: Filled with predicted inputs: step t predicts `z_{t+1}`.
    ///   - memory: What `prepare` made.
    ///   - work: The memory of all panels.
    package func openLoop<S>(
        head: Int, _ w: Lanes, into y: Lanes, next: Lanes, _ memory: ClosedLoopMemory,
        _ work: Workspace<S>
    ) {
        let made = memory.heads[head]
        work.filterPair(made.output, made.input, w, into: y, next)
    }

    /// The adjoint of `prepare`, `filter`, `closedLoop` and `openLoop` together, for one head.
    ///
    /// Adds to the gradients of a, b, c and k.
    ///
    /// - Parameters:
    ///   - head: Which head.
    ///   - w: What `filter` made.
    ///   - state: What `closedLoop` made, `[lanes, d]`.
    ///   - dclosed: ∂L/∂y of the closed loop before the gain, `[batch, horizon]`.
    ///   - dopen: ∂L/∂y and ∂L/∂ẑ of the open loop before the gain.
    ///   - memory: What `prepare` made.
    ///   - scratch: Of the calling thread.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    /// - Returns: ∂L/∂z, in the scratch.
    package func backward<S>(
        head: Int, w: Lanes, state: Panel, dclosed: Panel, dopen: (y: Lanes, next: Lanes)?,
        _ memory: ClosedLoopMemory, _ scratch: ClosedLoopScratch, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) -> Lanes {
        let made = memory.heads[head]
        let (an, bn, cn, kn) = memory.columns(of: head)
        let columns = scratch.dcolumns
        let (da, db, dc, dk) = (columns.row(0), columns.row(1), columns.row(2), columns.row(3))
        work.fill(columns)
        forecastBackward(made, state, dclosed, scratch, (an, bn, kn), (da, db, dc, dk), work)
        work.multiply(w.last(d), scratch.dstate, into: scratch.dnumerators)

        let dw = scratch.dw
        work.fill(dw.values)
        work.multiply(
            made.numerators, scratch.dstate, into: dw.last(d), transposeB: true, beta: 1)
        if let dopen {
            work.filterPairBackward(made.output, dopen.y, made.input, dopen.next, to: dw)
        }
        work.autoregress(made.feedback, dw, into: dw, .backward)

        work.fill(scratch.lags)
        work.lagProducts(
            w, first: 1, dw, dopen.map { ($0.y, $0.next) }, to: scratch.lags)
        work.reverse(scratch.lags.row(0), into: scratch.reversed)
        work.add(scratch.reversed, to: da)
        for (index, row, drow) in [(1, cn, dc), (2, kn, dk)] where dopen != nil {
            work.reverse(scratch.lags.row(index), into: scratch.reversed)
            work.multiply(scratch.reversed, made.numerators, into: drow, beta: 1)
            work.multiply(
                scratch.reversed, row, into: scratch.dnumerators, transposeA: true, beta: 1)
        }
        work.numeratorsBackward(
            a: an, b: bn, p: made.numerators, dp: scratch.dnumerators, da: da, db: db)
        for (slot, column, dcolumn) in [(a, an, da), (b, bn, db), (c, cn, dc), (k, kn, dk)] {
            work.normaliseBackward(
                slot.panel(in: p).row(head), column, dcolumn,
                into: slot.panel(in: gradient).row(head))
        }
        return dw
    }

    /// The adjoint of the forecast: fills the scratch `dstate`, and adds to da, db, dc and dk.
    private func forecastBackward<S>(
        _ made: ClosedLoopMemory.Head, _ state: Panel, _ dclosed: Panel,
        _ scratch: ClosedLoopScratch, _ columns: (a: Panel, b: Panel, k: Panel),
        _ gradients: (a: Panel, b: Panel, c: Panel, k: Panel), _ work: Workspace<S>
    ) {
        let batch = dclosed.rows
        work.multiply(dclosed, made.rows, into: scratch.dstate.rows(0..<batch))
        work.fill(scratch.dstate.rows(batch..<scratch.dstate.rows))
        work.multiply(
            dclosed, state.rows(0..<batch), into: scratch.drows, transposeA: true)
        work.forecastRowsBackward(
            a: columns.a, b: columns.b, k: columns.k, r: made.rows, dr: scratch.drows,
            into: gradients)
    }
}
