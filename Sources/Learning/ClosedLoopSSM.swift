package import Tensors

/// The decoder: a companion SSM per channel that also predicts its own next input.
///
/// Open loop over the window: `y = gain·(c·A^j·b) ∗ z` and `ẑ = (k·A^j·b) ∗ z`. Closed loop after it:
/// `y_h = gain·c·M^h·x` with `M = A + b·kᵀ` and x the state at the end of the window. All four
/// vectors are L1-normalised; the gain multiplies outputs only, never what is fed back.
///
/// - Source: models/spacetime.md §5, with its batched forecast operator `R`, `r_h = c·M^h`.
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
    let columns: Panel  // [4·heads, d]: a, b, c, k of each head, normalised
    let states: Panel  // [heads·length, d]: row length−1−j of a head is A^j b
    let rows: Panel  // [heads·horizon, d]: r_h = c·M^h
    let kernels: Panel  // [2·heads, length]: open-loop kernels of y and of ẑ
    let length: Int
    let horizon: Int

    package init(
        _ layout: inout WorkspaceLayout, heads: Int, d: Int, length: Int, horizon: Int
    ) {
        columns = layout.reserve(4 * heads, d)
        states = layout.reserve(heads * length, d)
        rows = layout.reserve(heads * horizon, d)
        kernels = layout.reserve(2 * heads, length)
        self.length = length
        self.horizon = horizon
    }

    /// `A^j·b` of one head, newest input last, `[length, d]`.
    package func states(of head: Int) -> Panel {
        states.rows(head * length..<(head + 1) * length)
    }

    /// `c·M^h` of one head, `[horizon, d]`.
    package func rows(of head: Int) -> Panel {
        rows.rows(head * horizon..<(head + 1) * horizon)
    }

    /// a, b, c and k of one head, normalised, each `[1, d]`.
    package func columns(of head: Int) -> (a: Panel, b: Panel, c: Panel, k: Panel) {
        let first = 4 * head
        return (
            columns.row(first), columns.row(first + 1), columns.row(first + 2),
            columns.row(first + 3)
        )
    }

    func kernels(of head: Int) -> (Panel, Panel) {
        (kernels.row(2 * head), kernels.row(2 * head + 1))
    }
}

/// Scratch of one thread for the decoder.
package struct ClosedLoopScratch: Sendable {
    let reversed: Panel  // [1, length]
    let dstates: Panel  // [length, d]
    let drows: Panel  // [horizon, d]
    let dstate: Panel  // [batch, d]
    let dcolumns: Panel  // [4, d]
    let dkernels: Panel  // [2, length]
    package let convolution: Panel

    package init(
        _ layout: inout WorkspaceLayout, d: Int, length: Int, horizon: Int, batch: Int,
        convolution: Int
    ) {
        reversed = layout.reserve(1, length)
        dstates = layout.reserve(length, d)
        drows = layout.reserve(horizon, d)
        dstate = layout.reserve(batch, d)
        dcolumns = layout.reserve(4, d)
        dkernels = layout.reserve(2, length)
        self.convolution = layout.reserve(1, convolution)
    }
}

extension ClosedLoopSSM {
    /// Makes everything that follows from the weights of one head.
    package func prepare<S>(
        head: Int, _ memory: ClosedLoopMemory, openLoop: Bool, _ scratch: ClosedLoopScratch,
        _ p: Panel, _ work: Workspace<S>
    ) {
        let (an, bn, cn, kn) = memory.columns(of: head)
        for (slot, column) in [(a, an), (b, bn), (c, cn), (k, kn)] {
            work.normalise(slot.panel(in: p).row(head), into: column)
        }
        let states = memory.states(of: head)
        work.krylov(a: an, b: bn, into: states, reversed: true)
        work.forecastRows(a: an, b: bn, c: cn, k: kn, into: memory.rows(of: head))
        guard openLoop else { return }
        let (first, second) = memory.kernels(of: head)
        for (row, kernel) in [(cn, first), (kn, second)] {
            work.multiply(row, states, into: scratch.reversed, transposeB: true)
            work.reverse(scratch.reversed, into: kernel)
        }
    }

    /// The closed-loop forecast of one head, without its gain.
    ///
    /// - Parameters:
    ///   - head: Which head.
    ///   - z: Its inputs over the window, `[batch, length]`.
    ///   - state: Filled with the state after the window, `[batch, d]`.
    ///   - y: Filled with the forecast, `[batch, horizon]`.
    ///   - memory: What `prepare` made.
    ///   - work: The memory of all panels.
    package func closedLoop<S>(
        head: Int, _ z: Panel, state: Panel, into y: Panel, _ memory: ClosedLoopMemory,
        _ work: Workspace<S>
    ) {
        work.multiply(z, memory.states(of: head), into: state)
        work.multiply(state, memory.rows(of: head), into: y, transposeB: true)
    }

    /// One-step predictions over the window, without gain: of the output and of the next input.
    ///
    /// - Parameters:
    ///   - head: Which head.
    ///   - z: Its inputs over the window, `[batch, length]`.
    ///   - y: Filled with outputs, `[batch, length]`.
    ///   - next: Filled with predicted inputs, `[batch, length]`: step t predicts `z_{t+1}`.
    ///   - memory: What `prepare` made.
    ///   - scratch: Of the calling thread.
    ///   - work: The memory of all panels.
    package func openLoop<S>(
        head: Int, _ z: Panel, into y: Panel, next: Panel, _ memory: ClosedLoopMemory,
        _ scratch: ClosedLoopScratch, _ work: Workspace<S>
    ) {
        let (first, second) = memory.kernels(of: head)
        work.convolve(
            z, kernels: (first, second), into: (y, next), scratch: scratch.convolution)
    }

    /// The adjoint of `closedLoop`, `openLoop` and `prepare` together, for one head.
    ///
    /// Adds to dz, and to the gradients of a, b, c and k.
    ///
    /// - Parameters:
    ///   - head: Which head.
    ///   - z: Its inputs over the window, `[batch, length]`.
    ///   - state: What `closedLoop` made, `[batch, d]`.
    ///   - dclosed: ∂L/∂y of the closed loop before the gain, `[batch, horizon]`.
    ///   - dopen: ∂L/∂y and ∂L/∂ẑ of the open loop before the gain, each `[batch, length]`.
    ///   - dz: `[batch, length]`.
    ///   - memory: What `prepare` made.
    ///   - scratch: Of the calling thread.
    ///   - p: All parameters.
    ///   - gradient: All their gradients.
    ///   - work: The memory of all panels.
    package func backward<S>(
        head: Int, z: Panel, state: Panel, dclosed: Panel, dopen: (y: Panel, next: Panel)?,
        into dz: Panel, _ memory: ClosedLoopMemory, _ scratch: ClosedLoopScratch, _ p: Panel,
        gradient: Panel, _ work: Workspace<S>
    ) {
        let (an, bn, cn, kn) = memory.columns(of: head)
        let d = scratch.dcolumns
        let (da, db, dc, dk) = (d.row(0), d.row(1), d.row(2), d.row(3))
        let (states, rows) = (memory.states(of: head), memory.rows(of: head))
        let dstate = scratch.dstate.rows(0..<z.rows)
        work.fill(d)

        work.multiply(dclosed, rows, into: dstate)
        work.multiply(dclosed, state, into: scratch.drows, transposeA: true)
        work.forecastRowsBackward(
            a: an, b: bn, k: kn, r: rows, dr: scratch.drows, into: (da, db, dc, dk))
        work.multiply(dstate, states, into: dz, transposeB: true, beta: 1)
        work.multiply(z, dstate, into: scratch.dstates, transposeA: true)

        if let dopen {
            let kernels = memory.kernels(of: head)
            let (first, second) = (scratch.dkernels.row(0), scratch.dkernels.row(1))
            work.fill(scratch.dkernels)
            work.convolveBackward(
                z, kernels: (kernels.0, kernels.1), dy: (dopen.y, dopen.next), into: dz,
                dkernels: (first, second), scratch: scratch.convolution)
            for (dkernel, row, drow) in [(first, cn, dc), (second, kn, dk)] {
                work.reverse(dkernel, into: scratch.reversed)
                work.multiply(scratch.reversed, states, into: drow, beta: 1)
                work.multiply(
                    scratch.reversed, row, into: scratch.dstates, transposeA: true, beta: 1)
            }
        }
        work.krylovBackward(a: an, x: states, dx: scratch.dstates, da: da, db: db, reversed: true)
        for (slot, column, dcolumn) in [(a, an, da), (b, bn, db), (c, cn, dc), (k, kn, dk)] {
            work.normaliseBackward(
                slot.panel(in: p).row(head), column, dcolumn,
                into: slot.panel(in: gradient).row(head))
        }
    }
}
