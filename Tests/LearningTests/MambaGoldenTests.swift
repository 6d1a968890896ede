import Learning
import TestSupport
import Tensors
import Testing

/// Mamba blocks against an independent reference, whole and point by point.
@Suite struct MambaGoldenTests {
    @Test(arguments: GoldenFile.cases("mamba") + GoldenFile.cases("bimamba"))
    func `a block and every gradient agree with the reference, padding and halves as well`(
        path: String
    ) throws {
        try check(path, Double.self)
        try check(path, Float.self)
    }

    private func check<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (batch, time) = (golden.integer("batch"), golden.integer("time"))
        var layout = ParameterLayout()
        let block = MambaBlock(&layout, Self.sizes(golden, isBidirectional: path.hasPrefix("bi")))
        let run = MambaRun<S>(block, layout, time: time)
        run.prepare(try Parameters<S>(layout, from: golden.checkpoint))
        let (u, dy): (Tensor<S>, Tensor<S>) = (try golden.tensor("in/u"), try golden.tensor("up/y"))
        let size = u.count / batch
        var (y, du): ([S], [S]) = ([], [])
        for record in 0..<batch {
            let range = record * size..<(record + 1) * size
            let masked = try Self.masked(golden, record, time)
            y += run.forward(Array(u.values[range]), masked)
            du += run.backward(Array(dy.values[range]), masked)
        }
        run.finish()
        #expect(try golden.excess(of: Tensor(u.shape, y), over: "out/y") <= 1)
        #expect(try golden.excess(of: Tensor(u.shape, du), over: "grad/in/u") <= 1)
        for slot in layout.slots {
            let found = Tensor(slot.shape, run.work.values(slot.panel(in: run.gradient)))
            let excess = try golden.excess(of: found, over: "grad/param/" + slot.name)
            #expect(excess <= 1, "\(slot.name)")
        }
    }

    private static func sizes(_ golden: GoldenFile, isBidirectional: Bool) -> MambaBlock.Sizes {
        var sizes = MambaBlock.Sizes(width: golden.integer("width"), states: golden.integer("n"))
        sizes.taps = golden.integer("taps")
        sizes.isBidirectional = isBidirectional
        sizes.isHalved = golden.configuration["halve"] as? Bool ?? false
        return sizes
    }

    private static func masked(
        _ golden: GoldenFile, _ record: Int, _ time: Int
    ) throws -> MaskedRows {
        guard golden.has("in/mask") else { return .none }
        let mask: Tensor<Double> = try golden.tensor("in/mask")
        let first = (0..<time).first { mask[record, $0] == 1 } ?? time
        return MaskedRows(0..<first)
    }

    @Test(arguments: GoldenFile.cases("mamba"))
    func `point by point a block gives the same, and keeps what the reference keeps`(
        path: String
    ) throws {
        try checkStream(path, Double.self)
        try checkStream(path, Float.self)
    }

    private func checkStream<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (batch, time) = (golden.integer("batch"), golden.integer("time"))
        var layout = ParameterLayout()
        let block = MambaBlock(&layout, Self.sizes(golden, isBidirectional: false))
        let parameters = try Parameters<S>(layout, from: golden.checkpoint)
        let u: Tensor<S> = try golden.tensor("in/u")
        let width = block.sizes.width
        var (y, buffers, states): ([S], [S], [S]) = ([], [], [])
        for record in 0..<batch {
            let stream = MambaStream(block, parameters)
            for t in 0..<time {
                let start = (record * time + t) * width
                y += stream.step(Array(u.values[start..<start + width]))
            }
            buffers += stream.buffer.values
            states += stream.state.values
        }
        for (name, values) in [
            ("alt/stream", y), ("alt/last_buffer", buffers), ("alt/last_state", states),
        ] {
            let shape = try golden.tensor(name, of: S.self).shape
            #expect(try golden.excess(of: Tensor(shape, values), over: name) <= 1, "\(name)")
        }
    }

    @Test func `the first step widths and their biases agree`() throws {
        let golden = try GoldenFile("dt_bias/grid")
        let uniform: Tensor<Double> = try golden.tensor("in/u")
        let found = uniform.values.map { SelectiveDirection.stepBias($0) }
        let shape = uniform.shape
        #expect(try golden.excess(of: Tensor(shape, found.map(\.tau)), over: "out/tau") <= 1)
        #expect(try golden.excess(of: Tensor(shape, found.map(\.bias)), over: "out/bias") <= 1)
    }

    @Test func `with both directions, the last point's output depends on the first and back`() {
        var layout = ParameterLayout()
        let block = MambaBlock(&layout, MambaBlock.Sizes(width: 3, states: 2))
        var random = RandomStream(seed: 6)
        var parameters = Parameters<Double>(zeros: layout)
        block.begin(&parameters, depth: 1, &random)
        let run = MambaRun<Double>(block, layout, time: 12)
        run.prepare(parameters)
        let u = (0..<36).map { _ in random.normal() }
        let before = run.forward(u, .none)
        var moved = u
        moved[0] += 1
        let first = run.forward(moved, .none)
        #expect(zip(before, first).suffix(3).allSatisfy { abs($0 - $1) > 1e-12 })
        moved = u
        moved[35] += 1
        let last = run.forward(moved, .none)
        #expect(zip(before, last).prefix(3).allSatisfy { abs($0 - $1) > 1e-12 })
        _ = run.backward(u, .none)
        run.finish()
        for slot in layout.slots {
            #expect(run.work.values(slot.panel(in: run.gradient)).contains { $0 != 0 })
        }
    }
}

/// One block, recording by recording.
private final class MambaRun<S: Scalar> {
    let block: MambaBlock
    let work: Workspace<S>
    let (parameters, gradient): (Panel, Panel)
    private let (u, y, dy): (Panel, Panel, Panel)
    private let (signals, scratch): (MambaSignals, MambaScratch)
    private let (weights, slopes): (MambaWeights, MambaWeights)

    init(_ block: MambaBlock, _ layout: ParameterLayout, time: Int) {
        self.block = block
        var plan = WorkspaceLayout()
        parameters = plan.reserve(1, layout.count)
        gradient = plan.reserve(1, layout.count)
        let width = block.sizes.width
        (u, y, dy) = (
            plan.reserve(time, width), plan.reserve(time, width), plan.reserve(time, width)
        )
        signals = MambaSignals(&plan, block, time: time, training: true)
        scratch = MambaScratch(&plan, block, time: time, training: true)
        (weights, slopes) = (
            MambaWeights(&plan, block), MambaWeights(&plan, block, isGradient: true)
        )
        work = Workspace(plan)
    }

    func prepare(_ values: Parameters<S>) {
        work.load(parameters, from: values.values)
        block.prepare(weights, parameters, work)
    }

    func forward(_ input: [S], _ masked: MaskedRows) -> [S] {
        work.load(u, from: input)
        block.forward(u, into: y, masked: masked, signals, scratch, weights, parameters, work)
        return work.values(y)
    }

    func backward(_ slope: [S], _ masked: MaskedRows) -> [S] {
        work.load(dy, from: slope)
        block.backward(
            dy, u: u, into: dy, masked: masked, signals, scratch, weights, slopes: slopes,
            parameters, gradient: gradient, work)
        return work.values(dy)
    }

    func finish() { block.finish(slopes, weights, gradient: gradient, work) }
}
