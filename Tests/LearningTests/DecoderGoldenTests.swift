import Learning
import TestSupport
import Tensors
import Testing

/// Preprocessing, long convolutions and the closed-loop decoder against an independent reference.
@Suite struct DecoderGoldenTests {
    @Test(arguments: GoldenFile.cases("preprocess"))
    func `preprocessing agrees`(path: String) throws {
        try checkPreprocess(path, Double.self)
        try checkPreprocess(path, Float.self)
    }

    private func checkPreprocess<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<S> = try golden.tensor("in/x")
        let (batch, time, variates) = (x.shape[0], x.shape[1], x.shape[2])
        let preprocess = Preprocess(windows: try golden.checkpoint.integers("buffer/windows"))
        let width = preprocess.groups * 8 * variates
        let memory = LayerMemory<S>()
        let (px, dx) = (
            memory.reserve(channels: variates, batch: batch, time: time),
            memory.reserve(channels: variates, batch: batch, time: time)
        )
        let (py, dy) = (
            memory.reserve(channels: width, batch: batch, time: time),
            memory.reserve(channels: width, batch: batch, time: time)
        )
        let part = memory.plan.reserve(1, time)
        let scratch = memory.plan.reserve(1, 2 * (time + 1))
        memory.load(px, channelsLast: x)
        memory.load(dy, channelsLast: try golden.tensor("up/y"))
        for variate in 0..<variates {
            for b in 0..<batch {
                let columns = b * time..<(b + 1) * time
                for g in 0..<preprocess.groups {
                    func channels(_ panel: Panel) -> Panel {
                        panel.rows(every: variates, from: variate).rows(8 * g..<8 * (g + 1))
                            .columns(columns)
                    }
                    preprocess.forward(
                        group: g, px.row(variate).columns(columns), into: channels(py),
                        scratch: scratch, memory.work)
                    preprocess.backward(
                        group: g, channels(dy), into: part, scratch: scratch, memory.work)
                    memory.work.add(part, to: dx.row(variate).columns(columns))
                }
            }
        }
        let y = memory.channelsLast(py, batch: batch, time: time)
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let dxs = memory.channelsLast(dx, batch: batch, time: time)
        #expect(try golden.excess(of: dxs, over: "grad/in/x") <= 1)
    }

    @Test(arguments: GoldenFile.cases("long_conv"))
    func `long convolutions agree`(path: String) throws {
        try checkConvolution(path, Double.self)
        try checkConvolution(path, Float.self)
    }

    private func checkConvolution<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let u: Tensor<S> = try golden.tensor("in/u")
        let (batch, time, channels) = (u.shape[0], u.shape[1], u.shape[2])
        let memory = LayerMemory<S>()
        func signal() -> Panel { memory.reserve(channels: channels, batch: batch, time: time) }
        let (pu, du, py, dy) = (signal(), signal(), signal(), signal())
        let kernel = memory.plan.reserve(channels, time)
        let dkernel = memory.plan.reserve(channels, time)
        let scratch = memory.plan.reserve(1, Workspace<S>.convolutionScratch(length: time))
        memory.load(pu, channelsLast: u)
        memory.load(dy, channelsLast: try golden.tensor("up/y"))
        memory.work.load(kernel, from: try golden.tensor("in/kernel").values)
        for c in 0..<channels {
            memory.work.convolve(
                pu.channel(c, batch, time), kernels: (kernel.row(c), nil),
                into: (py.channel(c, batch, time), nil), scratch: scratch)
            memory.work.convolveBackward(
                pu.channel(c, batch, time), kernels: (kernel.row(c), nil),
                dy: (dy.channel(c, batch, time), nil), into: du.channel(c, batch, time),
                dkernels: (dkernel.row(c), nil), scratch: scratch)
        }
        let y = memory.channelsLast(py, batch: batch, time: time)
        for name in ["out/y", "alt/direct", "alt/toeplitz"] {
            #expect(try golden.excess(of: y, over: name) <= 1, "\(name)")
        }
        let dus = memory.channelsLast(du, batch: batch, time: time)
        #expect(try golden.excess(of: dus, over: "grad/in/u") <= 1)
        let dk = Tensor([channels, time], memory.work.values(dkernel))
        #expect(try golden.excess(of: dk, over: "grad/in/kernel") <= 1)
    }

    @Test(arguments: GoldenFile.cases("closed_loop"))
    func `the closed loop agrees with rollout, rows and gradients`(path: String) throws {
        try checkClosedLoop(path, Double.self)
        try checkClosedLoop(path, Float.self)
    }

    private func checkClosedLoop<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let run = try ClosedLoopRun<S>(golden)
        run.forward()
        run.backward()
        let (batch, time, horizon) = (run.batch, run.time, run.horizon)
        let closed = run.memory.channelsLast(run.closed, batch: batch, time: horizon)
        for name in ["out/closed", "alt/rollout"] {
            #expect(try golden.excess(of: closed, over: name) <= 1, "\(name)")
        }
        let open = run.memory.channelsLast(run.open, batch: batch, time: time)
        #expect(try golden.excess(of: open, over: "out/open") <= 1)
        let next = run.memory.channelsLast(run.next, batch: batch, time: time)
        #expect(try golden.excess(of: next, over: "out/next_input") <= 1)
        let predicted = run.memory.channelsLast(run.predicted, batch: batch, time: horizon)
        #expect(try golden.excess(of: predicted, over: "out/predicted_inputs") <= 1)
        let dz = run.memory.channelsLast(run.dz, batch: batch, time: time)
        #expect(try golden.excess(of: dz, over: "grad/in/z") <= 1)
        for slot in run.layout.slots {
            let g = run.memory.gradient(slot, in: run.gradient)
            #expect(try golden.excess(of: g, over: "grad/param/" + slot.name) <= 1, "\(slot.name)")
        }
        #expect(try golden.excess(of: run.forecastRows, over: "alt/rows") <= 1)
        #expect(try golden.excess(of: run.lastStates, over: "alt/last_state") <= 1)
    }
}
