import Learning
import TestSupport
import Tensors
import Testing

@Suite struct CausalConvolutionTests {
    @Test(arguments: [1, 2, 31, 127, 128, 129, 336, 1500, 3100], [1, 5, 37])
    func `all forms give the same, there and back`(length: Int, rows: Int) {
        let direct = run(length, rows, .direct)
        for form in [CausalConvolution<Double>.Form.transform, .blocks] {
            for (a, b) in zip(direct, run(length, rows, form)) {
                let scale = max(1, a.map(abs).max() ?? 0)
                let worst = zip(a, b).map { abs($0 - $1) }.max() ?? 0
                #expect(worst < 1e-12 * scale, "\(form)")
            }
        }
    }

    @Test(
        arguments: GoldenFile.cases("long_conv"),
        [CausalConvolution<Double>.Form.transform, .blocks])
    func `the transforms agree with the reference`(
        path: String, form: CausalConvolution<Double>.Form
    ) throws {
        let golden = try GoldenFile(path)
        let u: Tensor<Double> = try golden.tensor("in/u")
        let (batch, time, channels) = (u.shape[0], u.shape[1], u.shape[2])
        let convolution = CausalConvolution<Double>(length: time, form: form)
        let memory = LayerMemory<Double>()
        let x = memory.reserve(channels: channels, batch: batch, time: time)
        let y = memory.reserve(channels: channels, batch: batch, time: time)
        let kernel = memory.plan.reserve(channels, time)
        let scratch = memory.plan.reserve(1, convolution.scratchCount)
        memory.load(x, channelsLast: u)
        memory.work.load(kernel, from: try golden.tensor("in/kernel").values)
        for c in 0..<channels {
            convolution.forward(
                x.channel(c, batch, time), kernel: kernel.row(c), into: y.channel(c, batch, time),
                scratch: scratch, memory.work)
        }
        let result = memory.channelsLast(y, batch: batch, time: time)
        #expect(try golden.excess(of: result, over: "out/y") <= 1)
    }

    @Test func `few short rows are convolved directly, few long ones by transform, many in blocks`()
    {
        #expect(CausalConvolution<Float>(length: 336).form(rows: 1) == .direct)
        #expect(CausalConvolution<Float>(length: 16_000).form(rows: 1) == .transform)
        #expect(CausalConvolution<Float>(length: 336).form(rows: 50) == .blocks)
        #expect(CausalConvolution<Float>(length: 16).form(rows: 50) == .direct)
    }

    /// Output, ∂/∂x and ∂/∂kernel of one random case.
    private func run(
        _ length: Int, _ rows: Int, _ form: CausalConvolution<Double>.Form
    ) -> [[Double]] {
        var random = RandomStream(seed: 3)
        let convolution = CausalConvolution<Double>(length: length, form: form)
        var plan = WorkspaceLayout()
        let (x, y) = (plan.reserve(rows, length), plan.reserve(rows, length))
        let (dx, dy) = (plan.reserve(rows, length), plan.reserve(rows, length))
        let (kernel, dkernel) = (plan.reserve(1, length), plan.reserve(1, length))
        let scratch = plan.reserve(1, convolution.scratchCount)
        let work = Workspace<Double>(plan)
        for panel in [x, dy, kernel] {
            work.load(panel, from: (0..<panel.count).map { _ in random.normal() })
        }
        convolution.forward(x, kernel: kernel, into: y, scratch: scratch, work)
        convolution.backward(
            x, kernel: kernel, dy: dy, into: dx, dkernel: dkernel, scratch: scratch, work)
        return [work.values(y), work.values(dx), work.values(dkernel)]
    }
}
