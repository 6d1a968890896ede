import Tensors

/// Causal convolutions of a batch, one kernel a channel, as a state-space layer makes them.
///
/// Limit: by definition they are batch · channels · length · (length + 1) = 725 MFLOP, 3.6 ms at
/// the 200 GFLOP/s of a core with AVX-512; transforms of twice the length need 3 · 5 · 672 ·
/// log₂ 672 / 2 FLOP a row, 300 MFLOP, at a much lower rate. Ours multiplies directly; the first
/// opponent transforms.
enum FFTConvolution {
    static let batch = 50
    static let channels = 128
    static let length = 336

    static let benchmark = Benchmark("fft-convolution", threads: .many) { setting in
        var layout = WorkspaceLayout()
        let x = layout.reserve(channels * batch, length)
        let y = layout.reserve(channels * batch, length)
        let kernels = layout.reserve(channels, length)
        let room = Workspace<Float>.convolutionScratch(length: length)
        let scratch = layout.reserve(setting.threads, room)
        let work = Workspace<Float>(layout)
        var random = RandomStream(seed: 4)
        let signals = (0..<x.count).map { _ in Float(random.normal()) }
        let filters = (0..<kernels.count).map { _ in Float(random.normal()) }
        work.load(x, from: signals)
        work.load(kernels, from: filters)
        let team = Team(threads: setting.threads)
        let sizes = [batch, channels, length].map(String.init)
        return Contest(
            what: "batch \(batch), \(channels) channels, length \(length), forward",
            work: Work(batch * channels * length, "samples"),
            ours: Contestant("Workspace.convolve") {
                team.run(channels) { channel, member in
                    let rows = channel * batch..<(channel + 1) * batch
                    work.convolve(
                        x.rows(rows), kernels: (kernels.row(channel), nil),
                        into: (y.rows(rows), nil), scratch: scratch.row(member))
                }
            },
            opponents: [
                setting.peers.opponent(
                    "torch.fft, transforms of twice the length", script: "numerics.py",
                    workload: "fft-convolution", arguments: sizes, threads: setting.threads),
                .present(
                    Contestant("plain loop in Swift, one thread") {
                        keep(plain(signals, filters))
                    }),
            ])
    }

    /// The definition, ordered so that the innermost loop runs along a row.
    private static func plain(_ x: [Float], _ kernels: [Float]) -> [Float] {
        var y = [Float](repeating: 0, count: x.count)
        for row in 0..<channels * batch {
            let (start, kernel) = (row * length, row / batch * length)
            for shift in 0..<length {
                let factor = kernels[kernel + shift]
                for time in shift..<length { y[start + time] += factor * x[start + time - shift] }
            }
        }
        return y
    }
}
