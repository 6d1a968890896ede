import Learning
import TestSupport
import Tensors
import Testing

/// Diagonal state spaces against an independent reference, as filters and as recurrences.
@Suite struct S4DGoldenTests {
    @Test(arguments: GoldenFile.cases("s4d_spectrum"))
    func `eigenvalues begin where the reference's do`(path: String) throws {
        let golden = try GoldenFile(path)
        let kinds: [String: S4D.Spectrum] = [
            "lin": .linear, "inv": .inverse, "legs": .legendre, "real": .real,
        ]
        let name = try #require(golden.configuration["kind"] as? String)
        let kind = try #require(kinds[name])
        let found = S4D.spectrum(kind, states: golden.integer("n"))
        let count = found.frequencies.count
        let decays = Tensor([count], found.logDecays)
        let frequencies = Tensor([count], found.frequencies)
        #expect(try golden.excess(of: decays, over: "out/log_A_re") <= 1)
        #expect(try golden.excess(of: frequencies, over: "out/A_im") <= 1)
    }

    @Test(arguments: GoldenFile.cases("s4d_kernel"))
    func `taps and every gradient agree with the reference`(path: String) throws {
        try checkKernel(path, Double.self)
        try checkKernel(path, Float.self)
    }

    private func checkKernel<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let time = golden.integer("time")
        let step: Tensor<S> = try golden.tensor("param/log_dt")
        let decay: Tensor<S> = try golden.tensor("param/log_A_re")
        let (width, pairs) = (step.count, decay.shape[1])
        let names = ["log_dt", "log_A_re", "A_im", "C"]
        var plan = WorkspaceLayout()
        func panels() -> [Panel] {
            [
                plan.reserve(1, width), plan.reserve(width, pairs), plan.reserve(width, pairs),
                plan.reserve(width, 2 * pairs), plan.reserve(1, width),
            ]
        }
        let (values, slopes, taps) = (panels(), panels(), plan.reserve(time, width))
        let work = Workspace<S>(plan)
        for (name, panel) in zip(names, values) {
            work.load(panel, from: try golden.tensor("param/" + name, of: S.self).values)
        }
        let (p, gradient) = (Self.diagonal(values), Self.diagonal(slopes))
        work.diagonalTaps(p, times: 1, into: taps)
        let found = Tensor([time, width], work.values(taps)).transposed()
        #expect(try golden.excess(of: found, over: "out/kernel") <= 1)
        let up: Tensor<S> = try golden.tensor("up/kernel")
        work.load(taps, from: up.transposed().values)
        work.diagonalTapsBackward(p, times: 1, dtaps: taps, to: gradient)
        for (name, panel) in zip(names, slopes) {
            let shape = try golden.tensor("param/" + name, of: S.self).shape
            let excess = try golden.excess(
                of: Tensor(shape, work.values(panel)), over: "grad/param/" + name)
            #expect(excess <= 1, "\(name)")
        }
    }

    private static func diagonal(_ panels: [Panel]) -> DiagonalPanels {
        DiagonalPanels(
            logStep: panels[0], logDecay: panels[1], frequency: panels[2], output: panels[3],
            skip: panels[4])
    }

    @Test(arguments: GoldenFile.cases("s4d"), [true, false])
    func `a layer and every gradient agree with the reference, by taps and by recurrence`(
        path: String, isShort: Bool
    ) throws {
        try checkLayer(path, isShort: isShort, Double.self)
        try checkLayer(path, isShort: isShort, Float.self)
    }

    private func checkLayer<S: Scalar>(_ path: String, isShort: Bool, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let u: Tensor<S> = try golden.tensor("in/u")
        let (batch, time, width) = (u.shape[0], u.shape[1], u.shape[2])
        var layout = ParameterLayout()
        let s4d = S4D(&layout, width: width, states: golden.integer("n"))
        let run = S4DRun<S>(
            s4d, layout, pieces: batch, length: time, isShort: isShort)
        run.prepare(try Parameters<S>(layout, from: golden.checkpoint))
        let y = Tensor(u.shape, run.forward(u.values))
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let up: Tensor<S> = try golden.tensor("up/y")
        let du = Tensor(u.shape, run.backward(up.values))
        #expect(try golden.excess(of: du, over: "grad/in/u") <= 1)
        for slot in layout.slots {
            let found = Tensor(slot.shape, run.work.values(slot.panel(in: run.gradient)))
            let excess = try golden.excess(of: found, over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
        guard isShort else { return }
        let last = Tensor([batch, 1, width], run.forwardLast())
        #expect(try golden.excess(of: last, over: "alt/last_output") <= 1)
    }

    @Test(arguments: GoldenFile.cases("s4d_block"), [false, true])
    func `a block and every gradient agree with the reference`(path: String, lastOnly: Bool) throws
    {
        try checkBlock(path, lastOnly: lastOnly, Double.self)
        try checkBlock(path, lastOnly: lastOnly, Float.self)
    }

    private func checkBlock<S: Scalar>(_ path: String, lastOnly: Bool, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<S> = try golden.tensor("in/x")
        let run = S4DBlockRun<S>(
            shape: x.shape, states: golden.integer("n"),
            isResidual: golden.configuration["residual"] as? Bool ?? false,
            every: lastOnly ? x.shape[1] : 1)
        run.prepare(try Parameters<S>(run.layout, from: golden.checkpoint))
        let out = run.forward(x.values)
        guard !lastOnly else {
            let last = Tensor([x.shape[0], 1, x.shape[2]], out)
            #expect(try golden.excess(of: last, over: "alt/last_only") <= 1)
            return
        }
        #expect(try golden.excess(of: Tensor(x.shape, out), over: "out/y") <= 1)
        let up: Tensor<S> = try golden.tensor("up/y")
        let dx = Tensor(x.shape, run.backward(up.values))
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
        for slot in run.layout.slots {
            let found = Tensor(slot.shape, run.work.values(slot.panel(in: run.gradient)))
            let excess = try golden.excess(of: found, over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }

    @Test(arguments: GoldenFile.cases("deltas"))
    func `differences stand behind the samples`(path: String) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<Double> = try golden.tensor("in/x")
        let (batch, time, channels) = (x.shape[0], x.shape[1], x.shape[2])
        var plan = WorkspaceLayout()
        let (rows, y) = (plan.reserve(time, channels), plan.reserve(time, 2 * channels))
        let work = Workspace<Double>(plan)
        var found: [Double] = []
        for record in 0..<batch {
            work.load(rows, from: x.values, at: record * time * channels)
            work.appendDeltas(rows, before: rows.row(0), into: y)
            found += work.values(y)
        }
        let shape = [batch, time, 2 * channels]
        #expect(try golden.excess(of: Tensor(shape, found), over: "out/y") <= 1)
    }
}
