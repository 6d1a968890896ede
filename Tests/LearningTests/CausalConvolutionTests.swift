import Learning
import TestSupport
import Tensors
import Testing

@Suite struct CausalConvolutionTests {
    @Test(arguments: [1, 2, 31, 336, 1500])
    func `both forms give the same, there and back`(length: Int) {
        let direct = run(length, .direct)
        let transform = run(length, .transform)
        for (a, b) in zip(direct, transform) {
            let scale = max(1, a.map(abs).max() ?? 0)
            for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-12 * scale) }
        }
    }

    @Test(arguments: GoldenFile.cases("long_conv"))
    func `the transform agrees with the reference`(path: String) throws {
        let golden = try GoldenFile(path)
        let u: Tensor<Double> = try golden.tensor("in/u")
        let (batch, time, channels) = (u.shape[0], u.shape[1], u.shape[2])
        let convolution = CausalConvolution<Double>(length: time, form: .transform)
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

    @Test func `short rows are convolved directly and long ones by transform`() {
        #expect(CausalConvolution<Float>(length: 336).form == .direct)
        #expect(CausalConvolution<Float>(length: 16_000).form == .transform)
    }

    /// Output, ∂/∂x and ∂/∂kernel of one random case.
    private func run(_ length: Int, _ form: CausalConvolution<Double>.Form) -> [[Double]] {
        var random = RandomStream(seed: 3)
        let rows = 2
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
