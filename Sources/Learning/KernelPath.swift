package import Tensors

/// By which way the kernel of a companion state space is computed. All agree; what they cost
/// differs.
package enum KernelPath: Sendable, CaseIterable {
    /// `x ← A·x`: 2·d·length multiply-adds, and d·length numbers that are kept for the adjoint.
    case recurrence
    /// The generating function on a damped contour, in `Double`: cost and memory grow like
    /// `(d + length)·log`.
    case generatingFunction
    /// The impulse response of the filter `N(z)/D(z)`: d·length multiply-adds and no states.
    case rational

    /// The fastest path for one kernel at a time; measured, see ops/decisions/0013.
    package static func fastest(d: Int, length: Int) -> KernelPath {
        d >= 512 && d * length >= 1 << 20 ? .generatingFunction : .recurrence
    }
}

/// Scratch of one thread for kernels that are made one at a time, whichever way.
package struct KernelStates: Sendable {
    package let path: KernelPath
    let states: Panel  // [length, d]: A^j·b, by the recurrence
    let dstates: Panel  // [length, d]
    let numerators: Panel  // [d, d]: row d−1−j is P_j
    let dnumerators: Panel  // [d, d]
    let feedback: Taps  // α_j = a_{d−j}
    let row: Panel  // [1, length or d, the longer]
    let reversed: Panel  // [1, d]
    let lags: Panel  // [3, d]
    let response: Lanes
    let slopes: Lanes
    let generating: GeneratingFunction?

    /// - Parameters:
    ///   - layout: Where memory is planned.
    ///   - d: Length of a, b and c.
    ///   - length: Of a kernel.
    ///   - training: Whether memory for the adjoint is needed.
    ///   - path: Which way.
    package init(
        _ layout: inout WorkspaceLayout, d: Int, length: Int, training: Bool,
        path: KernelPath = .recurrence
    ) {
        self.path = path
        let steps = path == .recurrence ? length : 0
        let taps = path == .rational ? d : 0
        states = layout.reserve(steps, d)
        dstates = layout.reserve(training ? steps : 0, d)
        numerators = layout.reserve(taps, d)
        dnumerators = layout.reserve(training ? taps : 0, d)
        feedback = Taps(&layout, count: taps)
        row = layout.reserve(1, max(length, d))
        reversed = layout.reserve(1, d)
        lags = layout.reserve(3, d)
        let points = path == .rational ? length : 0
        response = Lanes(&layout, windows: 1, length: points, before: taps, behind: taps)
        slopes = Lanes(&layout, windows: 1, length: points, before: taps, behind: taps)
        generating =
            path == .generatingFunction ? GeneratingFunction(d: d, length: length) : nil
    }
}

extension CompanionSSM {
    /// Makes kernel g in the scratch of the calling thread, by its path.
    package func makeKernel<S>(
        _ g: Int, _ memory: KernelMemory, _ scratch: KernelStates, _ p: Panel,
        _ work: Workspace<S>
    ) {
        let an = memory.normalised.row(g)
        work.normalise(a.panel(in: p).row(g), into: an)
        let (bg, cg) = (b.panel(in: p).row(g), c.panel(in: p).row(g))
        let kernel = memory.kernel.row(g)
        switch scratch.path {
        case .recurrence:
            work.krylov(a: an, b: bg, into: scratch.states)
            work.multiply(cg, scratch.states, into: kernel, transposeB: true)
        case .generatingFunction:
            let made = scratch.generating?.kernel(
                a: work.doubles(an), b: work.doubles(bg), c: work.doubles(cg))
            work.load(kernel, from: (made ?? []).map { S($0) })
        case .rational: makeResponse(an, bg, cg, into: kernel, scratch, work)
        }
    }

    /// Takes ∂L/∂K of kernel g back to a, b and c; what `makeKernel` left in the scratch may be
    /// gone.
    package func kernelBackward<S>(
        _ g: Int, _ memory: KernelMemory, _ scratch: KernelStates, _ p: Panel, gradient: Panel,
        _ work: Workspace<S>
    ) {
        let (an, da) = (memory.normalised.row(g), memory.dnormalised.row(g))
        let (bg, cg) = (b.panel(in: p).row(g), c.panel(in: p).row(g))
        let (db, dc) = (b.panel(in: gradient).row(g), c.panel(in: gradient).row(g))
        let dkernel = memory.gradient.row(g)
        work.fill(da)
        switch scratch.path {
        case .recurrence:
            work.krylov(a: an, b: bg, into: scratch.states)
            work.multiply(dkernel, scratch.states, into: dc, beta: 1)
            work.multiply(dkernel, cg, into: scratch.dstates, transposeA: true)
            work.krylovBackward(
                a: an, x: scratch.states, dx: scratch.dstates, da: da, db: db)
        case .generatingFunction:
            guard let generating = scratch.generating else { break }
            let received = generating.adjoint(
                a: work.doubles(an), b: work.doubles(bg), c: work.doubles(cg),
                dkernel: work.doubles(dkernel))
            for (target, values) in [(da, received.a), (db, received.b), (dc, received.c)] {
                work.load(scratch.reversed, from: values.map { S($0) })
                work.add(scratch.reversed, to: target)
            }
        case .rational:
            responseBackward(
                (an, bg, cg), (da, db, dc), kernel: memory.kernel.row(g), dkernel: dkernel,
                scratch, work)
        }
        work.normaliseBackward(
            a.panel(in: p).row(g), an, da, into: a.panel(in: gradient).row(g))
    }

    /// `K_k = N_k + Σ_{j≤d} α_j·K_{k−j}`.
    private func makeResponse<S>(
        _ a: Panel, _ b: Panel, _ c: Panel, into kernel: Panel, _ scratch: KernelStates,
        _ work: Workspace<S>
    ) {
        work.reverse(a, into: scratch.feedback.values)
        work.numerators(a: a, b: b, into: scratch.numerators)
        work.multiply(c, scratch.numerators, into: scratch.reversed, transposeB: true)
        work.fill(scratch.row)
        work.reverse(scratch.reversed, into: scratch.row.columns(0..<d))
        work.toLanes(scratch.row.columns(0..<kernel.columns), into: scratch.slopes)
        work.autoregress(scratch.feedback, scratch.slopes, into: scratch.response, .forward)
        work.fromLanes(scratch.response, into: kernel)
    }

    /// The adjoint of `makeResponse`: adds to da, db and dc.
    private func responseBackward<S>(
        _ columns: (a: Panel, b: Panel, c: Panel), _ gradients: (a: Panel, b: Panel, c: Panel),
        kernel: Panel, dkernel: Panel, _ scratch: KernelStates, _ work: Workspace<S>
    ) {
        let length = kernel.columns
        work.reverse(columns.a, into: scratch.feedback.values)
        work.numerators(a: columns.a, b: columns.b, into: scratch.numerators)
        work.toLanes(kernel, into: scratch.response)
        work.toLanes(dkernel, into: scratch.slopes)
        work.autoregress(scratch.feedback, scratch.slopes, into: scratch.slopes, .backward)
        work.fill(scratch.lags)
        work.lagProducts(scratch.response, first: 1, scratch.slopes, nil, to: scratch.lags)
        work.reverse(scratch.lags.row(0), into: scratch.reversed)
        work.add(scratch.reversed, to: gradients.a)
        work.fill(scratch.row)
        work.fromLanes(scratch.slopes, into: scratch.row.columns(0..<length))
        work.reverse(scratch.row.columns(0..<d), into: scratch.reversed)
        work.multiply(scratch.reversed, scratch.numerators, into: gradients.c, beta: 1)
        work.multiply(
            scratch.reversed, columns.c, into: scratch.dnumerators, transposeA: true)
        work.numeratorsBackward(
            a: columns.a, b: columns.b, p: scratch.numerators, dp: scratch.dnumerators,
            da: gradients.a, db: gradients.b)
    }
}

extension Workspace {
    /// The numbers of a panel in double precision.
    fileprivate func doubles(_ panel: Panel) -> [Double] { values(panel).map { Double($0) } }
}
