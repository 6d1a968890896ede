import Learning
import TestSupport
import Tensors
import Testing

/// What a mixer over several axes is made of, against an independent reference.
@Suite struct MixerGoldenTests {
    @Test(
        arguments: GoldenFile.cases("bimamba").filter { $0.hasSuffix("masked-false") },
        [false, true])
    func `a block on many sequences agrees with the reference, however their rows lie`(
        path: String, isInterleaved: Bool
    ) throws {
        try checkSequences(path, isInterleaved, Double.self)
        try checkSequences(path, isInterleaved, Float.self)
    }

    private func checkSequences<S: Scalar>(
        _ path: String, _ isInterleaved: Bool, _: S.Type
    ) throws {
        let golden = try GoldenFile(path)
        let (batch, time) = (golden.integer("batch"), golden.integer("time"))
        var sizes = MambaBlock.Sizes(width: golden.integer("width"), states: golden.integer("n"))
        sizes.isHalved = golden.configuration["halve"] as? Bool ?? false
        var layout = ParameterLayout()
        let block = MambaBlock(&layout, sizes)
        let sequences: RowSequences =
            isInterleaved ? .interleaved(batch, length: time) : .consecutive(batch, length: time)
        var plan = WorkspaceLayout()
        let (p, gradient) = (plan.reserve(1, layout.count), plan.reserve(1, layout.count))
        let panels = (0..<4).map { _ in plan.reserve(batch * time, sizes.width) }
        let (u, y, dy, du) = (panels[0], panels[1], panels[2], panels[3])
        let signals = MambaSignals(&plan, block, time: u.rows, length: time, training: true)
        let plain = MambaSignals(&plan, block, time: u.rows, training: false)
        let scratch = MambaScratch(&plan, block, time: u.rows, training: true)
        let plainScratch = MambaScratch(&plan, block, time: u.rows, training: false)
        let weights = MambaWeights(&plan, block)
        let slopes = MambaWeights(&plan, block, isGradient: true)
        let work = Workspace<S>(plan)
        func load(_ panel: Panel, _ tensor: Tensor<S>) {
            for sequence in 0..<batch {
                let rows = sequences.rows(of: sequence, in: panel)
                for t in 0..<time {
                    work.load(
                        rows.row(t), from: tensor.values,
                        at: (sequence * time + t) * sizes.width)
                }
            }
        }
        func stored(_ panel: Panel) -> Tensor<S> {
            let values = (0..<batch).flatMap { work.values(sequences.rows(of: $0, in: panel)) }
            return Tensor([batch, time, sizes.width], values)
        }
        work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        block.prepare(weights, p, work)
        load(u, try golden.tensor("in/u"))
        load(dy, try golden.tensor("up/y"))
        block.forward(
            u, of: sequences, into: y, adding: false, plain, plainScratch, weights, p, work)
        #expect(try golden.excess(of: stored(y), over: "out/y") <= 1)
        block.forward(u, of: sequences, into: y, adding: false, signals, scratch, weights, p, work)
        #expect(try golden.excess(of: stored(y), over: "out/y") <= 1)
        block.backward(
            dy, u: u, of: sequences, into: du, signals, scratch, weights, slopes: slopes, p,
            gradient: gradient, work)
        block.finish(slopes, weights, gradient: gradient, work)
        #expect(try golden.excess(of: stored(du), over: "grad/in/u") <= 1)
        for slot in layout.slots {
            let found = Tensor(slot.shape, work.values(slot.panel(in: gradient)))
            #expect(
                try golden.excess(of: found, over: "grad/param/" + slot.name) <= 1, "\(slot.name)")
        }
    }

    @Test(arguments: GoldenFile.cases("norm_2d"))
    func `a norm over rows and channels agrees with the reference`(path: String) throws {
        try checkNorm(path, Double.self)
        try checkNorm(path, Float.self)
    }

    private func checkNorm<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (batch, rows, width) = (
            golden.integer("batch"), golden.integer("patches"), golden.integer("width")
        )
        var layout = ParameterLayout()
        let norm = Norm2D(&layout, rows: rows, width: width)
        var plan = WorkspaceLayout()
        let (p, gradient) = (plan.reserve(1, layout.count), plan.reserve(1, layout.count))
        let panels = (0..<3).map { _ in plan.reserve(batch, rows * width) }
        let statistics = plan.reserve(batch, 2)
        let (weights, slopes) = (
            Norm2D.Weights(&plan, norm), Norm2D.Weights(&plan, norm)
        )
        let work = Workspace<S>(plan)
        work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        norm.prepare(weights, p, work)
        let x: Tensor<S> = try golden.tensor("in/x")
        work.load(panels[0], from: x.values)
        let dy: Tensor<S> = try golden.tensor("up/y")
        work.load(panels[2], from: dy.values)
        norm.forward(panels[0], into: panels[1], statistics: statistics, weights, work)
        #expect(try golden.excess(of: Tensor(x.shape, work.values(panels[1])), over: "out/y") <= 1)
        norm.backward(
            panels[2], x: panels[0], statistics: statistics, into: panels[1], weights,
            slopes: slopes, work)
        norm.finish(slopes, gradient: gradient, work)
        let dx = Tensor(x.shape, work.values(panels[1]))
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
        for slot in layout.slots {
            let found = Tensor(slot.shape, work.values(slot.panel(in: gradient)))
            #expect(try golden.excess(of: found, over: "grad/param/" + slot.name) <= 1)
        }
    }

    @Test(arguments: GoldenFile.cases("weighted_average"))
    func `a weighted sum of signals agrees with the reference`(path: String) throws {
        try checkAverage(path, Double.self)
        try checkAverage(path, Float.self)
    }

    private func checkAverage<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let count = golden.integer("count")
        var layout = ParameterLayout()
        let average = WeightedAverage(&layout, "weights", count: count)
        let dx: Tensor<S> = try golden.tensor("up/x")
        var plan = WorkspaceLayout()
        let (p, gradient) = (plan.reserve(1, layout.count), plan.reserve(1, layout.count))
        let signals = (0..<count).map { _ in plan.reserve(1, dx.count) }
        let slopes = (0..<count).map { _ in plan.reserve(1, dx.count) }
        let x = plan.reserve(1, dx.count)
        let work = Workspace<S>(plan)
        work.load(p, from: try golden.tensor("in/weights").values)
        for (index, signal) in signals.enumerated() {
            work.load(signal, from: try golden.tensor("in/y\(index)").values)
        }
        average.forward(signals, into: x, adding: false, p, work)
        #expect(try golden.excess(of: Tensor(dx.shape, work.values(x)), over: "out/x") <= 1)
        work.load(x, from: dx.values)
        average.backward(x, signals, slopes: slopes, p, gradient: gradient, work)
        let dweights = Tensor([count], work.values(gradient))
        #expect(try golden.excess(of: dweights, over: "grad/in/weights") <= 1)
        for (index, slope) in slopes.enumerated() {
            let found = Tensor(dx.shape, work.values(slope))
            #expect(try golden.excess(of: found, over: "grad/in/y\(index)") <= 1)
        }
    }
}
