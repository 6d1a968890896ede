import Learning
import TestSupport
import Tensors
import Testing

/// Linear maps, GELU and the MLP against an independent reference.
@Suite struct LinearGoldenTests {
    @Test(arguments: GoldenFile.cases("linear"))
    func `a linear map agrees`(path: String) throws {
        try checkLinear(path, Double.self)
        try checkLinear(path, Float.self)
    }

    private func checkLinear<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<S> = try golden.tensor("in/x")
        let (batch, time, inputs) = (x.shape[0], x.shape[1], x.shape[2])
        let outputs = golden.integer("outputs")
        var layout = ParameterLayout()
        let linear = Linear(
            &layout, inputs: inputs, outputs: outputs, bias: golden.has("param/bias"))
        let memory = LayerMemory<S>()
        let p = memory.plan.reserve(1, layout.count)
        let gradient = memory.plan.reserve(1, layout.count)
        let (px, dx) = (
            memory.reserve(channels: inputs, batch: batch, time: time),
            memory.reserve(channels: inputs, batch: batch, time: time)
        )
        let (py, dy) = (
            memory.reserve(channels: outputs, batch: batch, time: time),
            memory.reserve(channels: outputs, batch: batch, time: time)
        )
        memory.work.load(p, from: try Parameters(layout, from: golden.checkpoint).values)
        memory.load(px, channelsLast: x)
        memory.load(dy, channelsLast: try golden.tensor("up/y"))
        linear.forward(px, into: py, p, memory.work)
        linear.backward(dy, x: px, into: dx, p, gradient: gradient, memory.work)
        let y = memory.channelsLast(py, batch: batch, time: time)
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let dxs = memory.channelsLast(dx, batch: batch, time: time)
        #expect(try golden.excess(of: dxs, over: "grad/in/x") <= 1)
        for slot in layout.slots {
            let g = memory.gradient(slot, in: gradient)
            #expect(try golden.excess(of: g, over: "grad/param/" + slot.name) <= 1)
        }
    }

    @Test(arguments: mlpCases("pre_activation"))
    func `the MLP with its residual agrees`(path: String) throws {
        try checkMLP(path, Double.self)
        try checkMLP(path, Float.self)
    }

    private func checkMLP<S: Scalar>(_ path: String, _: S.Type) throws {
        let golden = try GoldenFile(path)
        let x: Tensor<S> = try golden.tensor("in/x")
        let (batch, time, width) = (x.shape[0], x.shape[1], x.shape[2])
        var layout = ParameterLayout()
        let mlp = PreActivationMLP(&layout, width: width)
        let memory = LayerMemory<S>()
        let p = memory.plan.reserve(1, layout.count)
        let gradient = memory.plan.reserve(1, layout.count)
        let panels = (0..<5).map { _ in memory.reserve(channels: width, batch: batch, time: time) }
        let (s, activated, m, dm, ds) = (panels[0], panels[1], panels[2], panels[3], panels[4])
        memory.work.load(p, from: try Parameters(layout, from: golden.checkpoint).values)
        memory.load(s, channelsLast: x)
        memory.load(dm, channelsLast: try golden.tensor("up/y"))
        mlp.forward(s, activated: activated, into: m, .none, p, memory.work)
        mlp.backward(
            dm, s: s, activated: activated, into: ds, .none, p, gradient: gradient, memory.work)
        let y = memory.channelsLast(m, batch: batch, time: time)
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        let dx = memory.channelsLast(ds, batch: batch, time: time)
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
        for slot in layout.slots {
            let g = memory.gradient(slot, in: gradient)
            #expect(try golden.excess(of: g, over: "grad/param/" + slot.name) <= 1)
        }
    }

    @Test func `GELU and its derivative agree, far out as well`() throws {
        try checkGELU(Double.self)
        try checkGELU(Float.self)
    }

    private func checkGELU<S: Scalar>(_: S.Type) throws {
        let golden = try GoldenFile("gelu/gelu")
        let x: Tensor<S> = try golden.tensor("in/x")
        let memory = LayerMemory<S>()
        let panels = (0..<5).map { _ in memory.plan.reserve(1, x.count) }
        memory.work.load(panels[0], from: x.values)
        memory.work.load(panels[1], from: try golden.tensor("up/y").values)
        memory.work.gelu(panels[0], into: panels[2])
        memory.work.geluBackward(panels[0], panels[1], value: panels[3], into: panels[4])
        let y = Tensor([x.count], memory.work.values(panels[2]))
        #expect(try golden.excess(of: y, over: "out/y") <= 1)
        #expect(memory.work.values(panels[3]) == y.values)
        let dx = Tensor([x.count], memory.work.values(panels[4]))
        #expect(try golden.excess(of: dx, over: "grad/in/x") <= 1)
    }
}
