import Learning
import Tensors

/// Causal convolutions of a batch, one kernel a channel, as a state-space layer makes them.
///
/// Limit: by definition a row is length²/2 products, which no form needs. Two transforms of 2048 numbers
/// are 112 kFLOP a row of 1024, 0.7 µs at the 156 GFLOP/s of a core whose fused products reach them;
/// transforms add more than they multiply, and every number moves eight times through the nearest cache.
enum FFTConvolution {
    static let benchmarks = [
        benchmark("fft-convolution", batch: 50, channels: 128, length: 336),
        benchmark("fft-convolution-long", batch: 32, channels: 128, length: 1024),
    ]

    private static func benchmark(
        _ name: String, batch: Int, channels: Int, length: Int
    ) -> Benchmark {
        Benchmark(name, threads: .many) { setting in
            let ours = Convolutions(batch, channels, length, form: nil, threads: setting.threads)
            let rowwise = Convolutions(
                batch, channels, length, form: .transform, threads: setting.threads)
            return Contest(
                what: "batch \(batch), \(channels) channels, length \(length), forward",
                work: Work(batch * channels * length, "samples"),
                ours: Contestant("CausalConvolution") { ours.run() },
                opponents: [
                    setting.peers.opponent(
                        "torch.fft, transforms of twice the length", script: "numerics.py",
                        workload: "fft-convolution",
                        arguments: [batch, channels, length].map(String.init),
                        threads: setting.threads),
                    .present(Contestant("FFTW, row by row") { rowwise.run() }),
                ])
        }
    }
}

/// Signals and kernels of one benchmark, and the way to convolve them.
private struct Convolutions: Sendable {
    private let batch: Int
    private let channels: Int
    private let convolution: CausalConvolution<Float>
    private let team: Team
    private let work: Workspace<Float>
    private let x: Panel  // [channels·batch, length]
    private let y: Panel  // [channels·batch, length]
    private let kernels: Panel  // [channels, length]
    private let scratch: [Panel]

    init(
        _ batch: Int, _ channels: Int, _ length: Int, form: CausalConvolution<Float>.Form?,
        threads: Int
    ) {
        (self.batch, self.channels) = (batch, channels)
        let convolution = CausalConvolution<Float>(length: length, form: form)
        self.convolution = convolution
        team = Team(threads: threads)
        var layout = WorkspaceLayout()
        x = layout.reserve(channels * batch, length)
        y = layout.reserve(channels * batch, length)
        kernels = layout.reserve(channels, length)
        scratch = (0..<threads).map { _ in layout.reserve(1, convolution.scratchCount) }
        work = Workspace(layout)
        var random = RandomStream(seed: 4)
        for panel in [x, kernels] {
            work.load(panel, from: (0..<panel.count).map { _ in Float(random.normal()) })
        }
    }

    func run() {
        team.run(channels) { channel, member in
            let rows = channel * batch..<(channel + 1) * batch
            convolution.forward(
                x.rows(rows), kernel: kernels.row(channel), into: y.rows(rows),
                scratch: scratch[member], work)
        }
    }
}
