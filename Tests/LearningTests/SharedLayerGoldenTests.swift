import Learning
import TestSupport
import Tensors
import Testing

/// Norms, pointwise functions and MLPs that several models share, against an independent reference.
@Suite struct SharedLayerGoldenTests {
    @Test(arguments: GoldenFile.cases("layer_norm"))
    func `layer norm agrees, for constant rows as well`(path: String) throws {
        try checkLayerNorm(path, Double.self)
        try checkLayerNorm(path, Float.self)
    }

    private func checkLayerNorm<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        var layout = ParameterLayout()
        let norm = LayerNorm(&layout, width: golden.integer("width"))
        try PositionwiseRun<S>(golden, layout, outputs: golden.integer("width"), scratch: 2)
            .check { run in
                norm.forward(run.x, into: run.y, statistics: run.scratch, run.p, run.work)
                norm.backward(
                    run.dy, x: run.x, statistics: run.scratch, into: run.dx, run.p,
                    gradient: run.gradient, run.work)
            }
    }

    @Test(arguments: GoldenFile.cases("rms_norm"))
    func `the norm by the root mean square agrees`(path: String) throws {
        try checkRMSNorm(path, Double.self)
        try checkRMSNorm(path, Float.self)
    }

    private func checkRMSNorm<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        var layout = ParameterLayout()
        let norm = RMSNorm(&layout, width: golden.integer("width"))
        try PositionwiseRun<S>(golden, layout, outputs: golden.integer("width"), scratch: 2)
            .check { run in
                norm.forward(run.x, into: run.y, statistics: run.scratch, run.p, run.work)
                norm.backward(
                    run.dy, x: run.x, statistics: run.scratch, into: run.dx, run.p,
                    gradient: run.gradient, run.work)
            }
    }

    @Test(arguments: GoldenFile.cases("glu"))
    func `the gated linear unit agrees`(path: String) throws {
        try checkGLU(path, Double.self)
        try checkGLU(path, Float.self)
    }

    private func checkGLU<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let width = golden.integer("width")
        try PositionwiseRun<S>(golden, ParameterLayout(), outputs: width, scratch: width)
            .check { run in
                GatedLinearUnit.forward(run.x, gate: run.scratch, into: run.y, run.work)
                GatedLinearUnit.backward(
                    run.dy, x: run.x, gate: run.scratch, into: run.dx, run.work)
            }
    }

    @Test(arguments: mlpCases("plain"))
    func `the plain MLP agrees`(path: String) throws {
        try checkPlainMLP(path, Double.self)
        try checkPlainMLP(path, Float.self)
    }

    private func checkPlainMLP<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (width, hidden) = (golden.integer("width"), golden.integer("hidden"))
        let positions = golden.integer("batch") * golden.integer("time")
        var layout = ParameterLayout()
        let mlp = PlainMLP(&layout, width: width, hidden: hidden)
        let run = try PositionwiseRun<S>(golden, layout, outputs: width, scratch: 1)
        let scratch = PlainMLP.Scratch(&run.memory.plan, hidden: hidden, positions: positions)
        try run.check { run in
            mlp.forward(run.x, into: run.y, (.none, .none), scratch, run.p, run.work)
            mlp.backward(
                run.dy, x: run.x, into: run.dx, (.none, .none), scratch, run.p,
                gradient: run.gradient, run.work)
        }
    }

    @Test(arguments: mlpCases("gated"))
    func `the gated MLP agrees`(path: String) throws {
        try checkGatedMLP(path, Double.self)
        try checkGatedMLP(path, Float.self)
        #expect(GatedMLP.hidden(width: 6) == 16)
        #expect(GatedMLP.hidden(width: 64) == 176)
    }

    private func checkGatedMLP<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (width, hidden) = (golden.integer("width"), golden.integer("hidden"))
        let positions = golden.integer("batch") * golden.integer("time")
        var layout = ParameterLayout()
        let mlp = GatedMLP(&layout, width: width, hidden: hidden)
        let run = try PositionwiseRun<S>(golden, layout, outputs: width, scratch: width)
        let scratch = GatedMLP.Scratch(&run.memory.plan, hidden: hidden, positions: positions)
        try run.check { run in
            mlp.forward(run.x, into: run.y, scratch, run.p, run.work)
            mlp.backward(
                run.dy, x: run.x, into: run.dx, spare: run.scratch, scratch, run.p,
                gradient: run.gradient, run.work)
        }
    }

    @Test(arguments: GoldenFile.cases("activation"))
    func `pointwise functions and their derivatives agree, far out as well`(path: String) throws {
        try checkFunction(path, Double.self)
        try checkFunction(path, Float.self)
    }

    private func checkFunction<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let function: PointwiseFunction =
            switch golden.configuration["kind"] as? String {
            case "sigmoid": .sigmoid
            case "silu": .silu
            case "softplus": .softplus
            default: .relu
            }
        let x: Tensor<S> = try golden.tensor("in/x")
        let memory = LayerMemory<S>()
        let panels = (0..<4).map { _ in memory.plan.reserve(1, x.count) }
        memory.work.load(panels[0], from: x.values)
        memory.work.load(panels[1], from: try golden.tensor("up/y").values)
        memory.work.apply(function, panels[0], into: panels[2])
        memory.work.applyBackward(function, panels[0], panels[1], into: panels[3])
        let y = Tensor([x.count], memory.work.values(panels[2]))
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let dx = Tensor([x.count], memory.work.values(panels[3]))
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
    }

    @Test(arguments: GoldenFile.cases("dropout"))
    func `a mask drops and rescales, element by element, over time or for a whole sample`(
        path: String
    ) throws {
        try checkMask(path, Double.self)
        try checkMask(path, Float.self)
    }

    private func checkMask<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let (x, keep): (Tensor<S>, Tensor<S>) = (
            try golden.tensor("in/x"), try golden.tensor("in/keep")
        )
        let share = S(1 - (golden.configuration["probability"] as? Double ?? 0))
        var mask = Tensor<S>(zeros: x.shape)
        for b in 0..<x.shape[0] {
            for t in 0..<x.shape[1] {
                for c in 0..<x.shape[2] {
                    let (row, column) = (min(t, keep.shape[1] - 1), min(c, keep.shape[2] - 1))
                    mask[b, t, c] = keep[b, row, column] / share
                }
            }
        }
        let memory = LayerMemory<S>()
        let panels = (0..<4).map { _ in memory.plan.reserve(x.shape[0], x.count / x.shape[0]) }
        memory.work.load(panels[0], from: x.values)
        memory.work.load(panels[1], from: mask.values)
        memory.work.load(panels[2], from: try golden.tensor("up/y").values)
        memory.work.multiplyElements(panels[0], panels[1], into: panels[3])
        let y = Tensor(x.shape, memory.work.values(panels[3]))
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        memory.work.multiplyElements(panels[2], panels[1], into: panels[3])
        let dx = Tensor(x.shape, memory.work.values(panels[3]))
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
    }

    @Test(arguments: GoldenFile.cases("instance_statistics"))
    func `statistics of windows agree`(path: String) throws {
        try checkStatistics(path, Double.self)
        try checkStatistics(path, Float.self)
    }

    private func checkStatistics<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<S> = try golden.tensor("in/x")
        let (batch, time, channels) = (x.shape[0], x.shape[1], x.shape[2])
        let memory = LayerMemory<S>()
        let rows = memory.plan.reserve(channels * batch, time)
        memory.work.load(
            rows, from: x.reshaped([batch * time, channels]).transposed().values)
        var (means, scales) = (
            Tensor<S>(zeros: [batch, 1, channels]), Tensor<S>(zeros: [batch, 1, channels])
        )
        var normalised = Tensor<S>(zeros: x.shape)
        for (index, found) in instanceStatistics(rows, memory.work).enumerated() {
            let (b, c) = (index % batch, index / batch)
            means[b, 0, c] = found.mean
            scales[b, 0, c] = found.scale
            for t in 0..<time { normalised[b, t, c] = (x[b, t, c] - found.mean) / found.scale }
        }
        #expect(try golden.excess(of: means, over: "out/mean") <= 1)
        #expect(try golden.excess(of: scales, over: "out/scale") <= 1)
        #expect(try golden.excess(of: normalised, over: "out/normalised") <= 1)
    }
}

/// The golden cases of one kind of MLP.
func mlpCases(_ kind: String) -> [String] {
    GoldenFile.cases("mlp").filter {
        // A file that cannot be read stays, and its test says why.
        guard let golden = try? GoldenFile($0) else { return true }
        return golden.configuration["kind"] as? String == kind
    }
}

/// One golden case of a layer that works position by position: one input, one output.
final class PositionwiseRun<S: Scalar> {
    let memory = LayerMemory<S>()
    let (x, dx, y, dy, scratch, p, gradient): (Panel, Panel, Panel, Panel, Panel, Panel, Panel)
    private let golden: GoldenFile
    private let layout: ParameterLayout
    private let (batch, time): (Int, Int)

    var work: Workspace<S> { memory.work }

    init(_ golden: GoldenFile, _ layout: ParameterLayout, outputs: Int, scratch rows: Int) throws {
        self.golden = golden
        self.layout = layout
        let shape = try golden.tensor("in/x", of: S.self).shape
        let (memory, batch, time) = (memory, shape[0], shape[1])
        (self.batch, self.time) = (batch, time)
        func signal(_ channels: Int) -> Panel {
            memory.reserve(channels: channels, batch: batch, time: time)
        }
        (x, dx, y, dy) = (signal(shape[2]), signal(shape[2]), signal(outputs), signal(outputs))
        scratch = signal(rows)
        p = memory.plan.reserve(1, layout.count)
        gradient = memory.plan.reserve(1, layout.count)
    }

    func check(_ run: (PositionwiseRun) -> Void) throws {
        memory.work.load(p, from: try Parameters<S>(layout, from: golden.checkpoint).values)
        memory.load(x, channelsLast: try golden.tensor("in/x"))
        memory.load(dy, channelsLast: try golden.tensor("up/y"))
        run(self)
        let result = memory.channelsLast(y, batch: batch, time: time)
        #expect(try golden.excess(of: result, over: "out/y") <= 1)
        let received = memory.channelsLast(dx, batch: batch, time: time)
        #expect(try golden.excess(of: received, over: "grad/in/x") <= 1)
        for slot in layout.slots {
            let g = memory.gradient(slot, in: gradient)
            #expect(try golden.excess(of: g, over: "grad/param/" + slot.name) <= 1, "\(slot.name)")
        }
    }
}
