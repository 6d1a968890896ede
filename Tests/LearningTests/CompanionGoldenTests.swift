import Learning
import TestSupport
import Tensors
import Testing

/// Companion state spaces against an independent reference.
@Suite struct CompanionGoldenTests {
    @Test(arguments: GoldenFile.cases("normalise_column"))
    func `normalised columns agree, rows near zero as well`(path: String) throws {
        try checkNormalise(path, Double.self)
        try checkNormalise(path, Float.self)
    }

    private func checkNormalise<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let v: Tensor<S> = try golden.tensor("in/v")
        let memory = LayerMemory<S>()
        let panels = (0..<4).map { _ in memory.plan.reserve(v.shape[0], v.shape[1]) }
        memory.work.load(panels[0], from: v.values)
        memory.work.load(panels[1], from: try golden.tensor("up/y").values)
        memory.work.normalise(panels[0], into: panels[2])
        memory.work.normaliseBackward(panels[0], panels[2], panels[1], into: panels[3])
        let y = Tensor(v.shape, memory.work.values(panels[2]))
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let dv = Tensor(v.shape, memory.work.values(panels[3]))
        #expect(try golden.excess(of: dv, over: "grad/in/v") <= 1)
    }

    static let kernels = ["", "_special", "_spectral"].flatMap {
        GoldenFile.cases("companion_kernel" + $0)
    }

    @Test(arguments: kernels)
    func `kernels agree, poles on the unit circle as well`(path: String) throws {
        try checkKernel(path, Double.self)
        try checkKernel(path, Float.self)
    }

    /// The network's own path where columns are normalised, and the recurrence alone where not.
    private func checkKernel<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let a: Tensor<S> = try golden.tensor("in/a")
        let (heads, d, time) = (a.shape[0], a.shape[1], golden.integer("time"))
        let columnScale = golden.configuration["column_scale"] as? Double
        let normalised = columnScale != nil || golden.configuration["normalised"] as? Bool == true
        let memory = LayerMemory<S>()
        func panel() -> Panel { memory.plan.reserve(heads, d) }
        let (pa, pb, pc, used) = (panel(), panel(), panel(), panel())
        let (da, db, dc, dused) = (panel(), panel(), panel(), panel())
        let (states, dstates) = (memory.plan.reserve(time, d), memory.plan.reserve(time, d))
        let (kernel, dkernel) = (memory.plan.reserve(heads, time), memory.plan.reserve(heads, time))
        let work = memory.work
        work.load(pa, from: a.values)
        work.load(pb, from: try golden.tensor("in/b").values)
        work.load(pc, from: try golden.tensor("in/c").values)
        work.load(dkernel, from: try golden.tensor("up/kernel").values)
        if normalised { work.normalise(pa, into: used) } else { work.copy(pa, to: used) }
        let scale = S(columnScale ?? 1)
        work.combine(scale, used, 0, used)
        for h in 0..<heads {
            work.krylov(a: used.row(h), b: pb.row(h), into: states)
            work.multiply(pc.row(h), states, into: kernel.row(h), transposeB: true)
            work.multiply(dkernel.row(h), states, into: dc.row(h), beta: 1)
            work.multiply(dkernel.row(h), pc.row(h), into: dstates, transposeA: true)
            work.krylovBackward(
                a: used.row(h), x: states, dx: dstates, da: dused.row(h), db: db.row(h))
        }
        work.combine(scale, dused, 0, dused)
        if normalised {
            work.combine(1 / scale, used, 0, used)
            work.normaliseBackward(pa, used, dused, into: da)
        } else {
            work.copy(dused, to: da)
        }
        let k = Tensor([heads, time], work.values(kernel))
        #expect(try golden.excess(of: k, over: "out/kernel") <= 1)
        if golden.has("alt/dense") { #expect(try golden.excess(of: k, over: "alt/dense") <= 1) }
        for (name, gradient) in [("a", da), ("b", db), ("c", dc)] {
            let g = Tensor(a.shape, work.values(gradient))
            #expect(try golden.excess(of: g, over: "grad/in/" + name) <= 1, "\(name)")
        }
    }

    @Test(arguments: GoldenFile.cases("companion_ssm"))
    func `the encoder's state space agrees`(path: String) throws {
        try checkStateSpace(path, Double.self)
        try checkStateSpace(path, Float.self)
    }

    private func checkStateSpace<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let sizes = Sizes(golden)
        var layout = ParameterLayout()
        let ssm = CompanionSSM(
            &layout, width: sizes.width, kernels: sizes.kernels, d: sizes.d)
        let run = try StateSpaceRun<S>(golden, layout, sizes)
        let work = run.memory.work
        for g in 0..<sizes.kernels { ssm.makeKernel(g, run.kernels, run.p, work) }
        for channel in 0..<sizes.width {
            let u = run.u.channel(channel, sizes.batch, sizes.time)
            ssm.forward(
                channel: channel, u, into: run.y.channel(channel, sizes.batch, sizes.time),
                run.kernels, run.p, scratch: run.scratch, work)
            ssm.backward(
                channel: channel, dy: run.dy.channel(channel, sizes.batch, sizes.time), u: u,
                into: run.du.channel(channel, sizes.batch, sizes.time), run.kernels, run.p,
                gradient: run.gradient, scratch: run.scratch, work)
        }
        for g in 0..<sizes.kernels {
            ssm.kernelBackward(g, run.kernels, run.p, gradient: run.gradient, work)
        }
        try run.expectAgreement(golden, layout, sizes)
        let y = run.memory.channelsLast(run.y, batch: sizes.batch, time: sizes.time)
        #expect(try golden.excess(of: y, over: "alt/recurrent") <= 1)
    }

    @Test(arguments: GoldenFile.cases("shift_ssm"))
    func `the shift state space agrees`(path: String) throws {
        try checkShift(path, Double.self)
        try checkShift(path, Float.self)
    }

    private func checkShift<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let sizes = Sizes(golden)
        var layout = ParameterLayout()
        let shift = ShiftSSM(&layout, width: sizes.width, kernels: sizes.kernels, d: sizes.d)
        let run = try StateSpaceRun<S>(golden, layout, sizes)
        let work = run.memory.work
        for g in 0..<sizes.kernels { shift.makeKernel(g, run.kernels, run.p, work) }
        let kernel = Tensor([sizes.kernels, sizes.time], work.values(run.kernels.kernel))
        #expect(try golden.excess(of: kernel, over: "alt/kernel") <= 1)
        for channel in 0..<sizes.width {
            let u = run.u.channel(channel, sizes.batch, sizes.time)
            let dy = run.dy.channel(channel, sizes.batch, sizes.time)
            let g = channel * sizes.kernels / sizes.width
            let skip = work[shift.skip.panel(in: run.p), 0, channel]
            let y = run.y.channel(channel, sizes.batch, sizes.time)
            work.convolve(
                u, kernels: (run.kernels.kernel.row(g), nil), into: (y, nil), scratch: run.scratch)
            work.add(u, to: y, times: skip)
            let du = run.du.channel(channel, sizes.batch, sizes.time)
            work.convolveBackward(
                u, kernels: (run.kernels.kernel.row(g), nil), dy: (dy, nil), into: du,
                dkernels: (run.kernels.gradient.row(g), nil), scratch: run.scratch)
            work.add(dy, to: du, times: skip)
            work[shift.skip.panel(in: run.gradient), 0, channel] = S(work.dot(dy, u))
        }
        for g in 0..<sizes.kernels {
            shift.kernelBackward(g, run.kernels, run.p, gradient: run.gradient, work)
        }
        try run.expectAgreement(golden, layout, sizes)
    }
}

struct Sizes {
    let batch: Int
    let time: Int
    let width: Int
    let kernels: Int
    let d: Int

    init(_ golden: GoldenFile) {
        batch = golden.integer("batch")
        time = golden.integer("time")
        width = golden.integer("width")
        kernels = golden.integer("kernels")
        d = golden.integer("d")
    }
}

/// The panels of one state-space case.
struct StateSpaceRun<S: Scalar> {
    let memory = LayerMemory<S>()
    let p: Panel
    let gradient: Panel
    let u: Panel
    let du: Panel
    let y: Panel
    let dy: Panel
    let kernels: KernelMemory
    let scratch: Panel

    init(_ golden: GoldenFile, _ layout: ParameterLayout, _ sizes: Sizes) throws {
        let memory = memory
        func signal() -> Panel {
            memory.reserve(channels: sizes.width, batch: sizes.batch, time: sizes.time)
        }
        p = memory.plan.reserve(1, layout.count)
        gradient = memory.plan.reserve(1, layout.count)
        (u, du, y, dy) = (signal(), signal(), signal(), signal())
        kernels = KernelMemory(
            &memory.plan, kernels: sizes.kernels, d: sizes.d, length: sizes.time)
        scratch = memory.plan.reserve(1, Workspace<S>.convolutionScratch(length: sizes.time))
        memory.work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        memory.load(u, channelsLast: try golden.tensor("in/u"))
        memory.load(dy, channelsLast: try golden.tensor("up/y"))
    }

    func expectAgreement(_ golden: GoldenFile, _ layout: ParameterLayout, _ sizes: Sizes) throws {
        let y = memory.channelsLast(y, batch: sizes.batch, time: sizes.time)
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let du = memory.channelsLast(du, batch: sizes.batch, time: sizes.time)
        #expect(try golden.excess(of: du, over: "grad/in/u") <= 1)
        for slot in layout.slots {
            let g = memory.gradient(slot, in: gradient)
            #expect(try golden.excess(of: g, over: "grad/param/" + slot.name) <= 1, "\(slot.name)")
        }
    }
}
