package import Tensors

/// A state space whose transition matrix is a companion matrix, run open-loop with a skip:
/// `y_t = Σ_{j≤t} K_{t−j}·u_j + skip·u_t` with `K_j = c·A^j·b`.
///
/// Kernel g drives the channels `g·width/kernels` and following. Only a is L1-normalised, which
/// bounds every pole by 1.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime).
package struct CompanionSSM: Sendable {
    package let a: Slot  // [kernels, d]
    package let b: Slot  // [kernels, d]
    package let c: Slot  // [kernels, d]
    package let skip: Slot  // [width]

    package var kernels: Int { a.shape[0] }
    package var d: Int { a.shape[1] }
    package var width: Int { skip.shape[0] }

    /// Traps unless `kernels` divides `width`.
    package init(_ layout: inout ParameterLayout, width: Int, kernels: Int, d: Int) {
        precondition(width % kernels == 0, "CompanionSSM: \(kernels) kernels, \(width) channels")
        a = layout.add("a", kernels, d, decayed: false)
        b = layout.add("b", kernels, d, decayed: false)
        c = layout.add("c", kernels, d, decayed: false)
        skip = layout.add("skip", width, decayed: false)
    }

    /// Draws everything from N(0, 1).
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        for slot in [a, b, c, skip] { p.drawNormal(slot, &random) }
    }

    /// Its kernels as filters, without the skip.
    package var filter: CompanionFilter {
        CompanionFilter(
            a: .init(slot: a, isNormalised: true), b: .init(slot: b, isNormalised: false),
            readouts: [.init(slot: c, isNormalised: false)])
    }

    /// Which kernel drives a channel.
    package func kernel(ofChannel channel: Int) -> Int { channel * kernels / width }
}

/// The kernels of a state space and what their adjoint needs.
package struct KernelMemory: Sendable {
    let normalised: Panel  // [kernels, d]: a after normalisation
    let states: Panel  // [kernels·length, d]: A^j b, j ascending
    /// K, `[kernels, length]`.
    package let kernel: Panel
    /// ∂L/∂K, `[kernels, length]`.
    package let gradient: Panel
    let dstates: Panel  // [kernels·length, d]
    let dnormalised: Panel  // [kernels, d]
    let length: Int

    /// - Parameters:
    ///   - layout: Where memory is planned.
    ///   - kernels: How many.
    ///   - d: Length of a, b and c.
    ///   - length: Of a kernel.
    ///   - keepsStates: Whether the states of all kernels are kept; without them, kernels are made in
    ///     a thread's `KernelStates`, and their adjoint computes the states once more.
    package init(
        _ layout: inout WorkspaceLayout, kernels: Int, d: Int, length: Int,
        keepsStates: Bool = true
    ) {
        let kept = keepsStates ? kernels * length : 0
        normalised = layout.reserve(kernels, d)
        states = layout.reserve(kept, d)
        kernel = layout.reserve(kernels, length)
        gradient = layout.reserve(kernels, length)
        dstates = layout.reserve(kept, d)
        dnormalised = layout.reserve(kernels, d)
        self.length = length
    }

    func states(of g: Int) -> Panel { states.rows(g * length..<(g + 1) * length) }

    func dstates(of g: Int) -> Panel { dstates.rows(g * length..<(g + 1) * length) }
}

extension CompanionSSM {
    /// Makes kernel g by the recurrence `x ← A·x`, which is exact also for poles on the unit circle.
    package func makeKernel<S>(
        _ g: Int, _ memory: KernelMemory, _ p: Panel, _ work: Workspace<S>
    ) {
        work.normalise(a.panel(in: p).row(g), into: memory.normalised.row(g))
        Self.makeKernel(
            a: memory.normalised.row(g), b: b.panel(in: p).row(g), c: c.panel(in: p).row(g),
            memory, g, work)
    }

    static func makeKernel<S>(
        a: Panel, b: Panel, c: Panel, _ memory: KernelMemory, _ g: Int, _ work: Workspace<S>
    ) {
        let states = memory.states(of: g)
        work.krylov(a: a, b: b, into: states)
        work.multiply(c, states, into: memory.kernel.row(g), transposeB: true)
    }

    /// Takes ∂L/∂K of kernel g back to a, b and c.
    package func kernelBackward<S>(
        _ g: Int, _ memory: KernelMemory, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        let da = memory.dnormalised.row(g)
        work.fill(da)
        Self.kernelBackward(
            a: memory.normalised.row(g), c: c.panel(in: p).row(g), da: da,
            db: b.panel(in: gradient).row(g), dc: c.panel(in: gradient).row(g), memory, g, work)
        work.normaliseBackward(
            a.panel(in: p).row(g), memory.normalised.row(g), da, into: a.panel(in: gradient).row(g))
    }

    static func kernelBackward<S>(
        a: Panel, c: Panel, da: Panel, db: Panel, dc: Panel, _ memory: KernelMemory, _ g: Int,
        _ work: Workspace<S>
    ) {
        let (states, dstates) = (memory.states(of: g), memory.dstates(of: g))
        let dkernel = memory.gradient.row(g)
        work.multiply(dkernel, states, into: dc, beta: 1)
        work.multiply(dkernel, c, into: dstates, transposeA: true)
        work.krylovBackward(a: a, x: states, dx: dstates, da: da, db: db)
    }

    /// One channel: u `[batch, length]` → y `[batch, length]`.
    package func forward<S>(
        channel: Int, _ u: Panel, into y: Panel, _ memory: KernelMemory, _ p: Panel,
        scratch: Panel, _ work: Workspace<S>
    ) {
        let kernel = memory.kernel.row(kernel(ofChannel: channel))
        work.convolve(u, kernels: (kernel, nil), into: (y, nil), scratch: scratch)
        work.add(u, to: y, times: work[skip.panel(in: p), 0, channel])
    }

    /// The adjoint of `forward`: adds to du, to ∂L/∂K and to the gradient of the skip.
    package func backward<S>(
        channel: Int, dy: Panel, u: Panel, into du: Panel, _ memory: KernelMemory, _ p: Panel,
        gradient: Panel, scratch: Panel, _ work: Workspace<S>
    ) {
        let g = kernel(ofChannel: channel)
        work.convolveBackward(
            u, kernels: (memory.kernel.row(g), nil), dy: (dy, nil), into: du,
            dkernels: (memory.gradient.row(g), nil), scratch: scratch)
        work.add(dy, to: du, times: work[skip.panel(in: p), 0, channel])
        let total = (0..<u.rows).reduce(0.0) { $0 + work.dot(dy.row($1), u.row($1)) }
        work[skip.panel(in: gradient), 0, channel] += S(total)
    }
}

/// The special case a = 0: a learned filter of d taps per kernel, `K_j = Σ_i c_{i+j}·b_i`, with skip.
package struct ShiftSSM: Sendable {
    package let b: Slot  // [kernels, d]
    package let c: Slot  // [kernels, d]
    package let skip: Slot  // [width]

    /// Traps unless `kernels` divides `width`.
    package init(_ layout: inout ParameterLayout, width: Int, kernels: Int, d: Int) {
        precondition(width % kernels == 0, "ShiftSSM: \(kernels) kernels, \(width) channels")
        b = layout.add("b", kernels, d, decayed: false)
        c = layout.add("c", kernels, d, decayed: false)
        skip = layout.add("skip", width, decayed: false)
    }

    /// b = e₀, c and the skip from N(0, 1).
    package func begin<S>(_ p: inout Parameters<S>, _ random: inout RandomStream) {
        p.fill(b, with: 0)
        for g in 0..<b.shape[0] { p.values[b.offset + g * b.shape[1]] = 1 }
        p.drawNormal(c, &random)
        p.drawNormal(skip, &random)
    }

    /// Makes kernel g; `memory` is that of a companion SSM whose normalised a is all zeros.
    package func makeKernel<S>(_ g: Int, _ memory: KernelMemory, _ p: Panel, _ work: Workspace<S>) {
        let zero = memory.normalised.row(g)
        work.fill(zero)
        CompanionSSM.makeKernel(
            a: zero, b: b.panel(in: p).row(g), c: c.panel(in: p).row(g), memory, g, work)
    }

    /// Takes ∂L/∂K of kernel g back to b and c.
    package func kernelBackward<S>(
        _ g: Int, _ memory: KernelMemory, _ p: Panel, gradient: Panel, _ work: Workspace<S>
    ) {
        CompanionSSM.kernelBackward(
            a: memory.normalised.row(g), c: c.panel(in: p).row(g), da: memory.dnormalised.row(g),
            db: b.panel(in: gradient).row(g), dc: c.panel(in: gradient).row(g), memory, g, work)
    }
}
