import Tensors

/// The product of two square matrices in single precision, as `Tensors.matmul` gives it.
///
/// Limit: two 512-bit fused multiply-adds a cycle are 64 FLOP; a core that keeps 3.3 GHz under
/// them has 211 GFLOP/s, and 106 with 256-bit ones.
enum SGEMM {
    /// OpenBLAS is called by ctypes, in a process that was told of AVX-512: ours has to find out.
    static let benchmarks = [benchmark("sgemm", size: 1024), benchmark("sgemm-512", size: 512)]

    private static func benchmark(_ name: String, size: Int) -> Benchmark {
        Benchmark(name) { setting in
            var random = RandomStream(seed: 1)
            let a = matrix(size, &random)
            let b = matrix(size, &random)
            let peer = { (name: String, workload: String) in
                setting.peers.opponent(
                    name, script: "numerics.py", workload: workload, arguments: [String(size)],
                    threads: setting.threads)
            }
            return Contest(
                what: "matmul of two [\(size), \(size)] matrices of Float",
                work: Work(2 * size * size * size, "FLOP"),
                ours: Contestant("Tensors.matmul") { keep(matmul(a, b)) },
                opponents: [
                    peer("torch matmul", "sgemm"), peer("OpenBLAS, SkylakeX", "sgemm-openblas"),
                    .present(
                        Contestant("plain loop in Swift") {
                            keep(plain(size, a.values, b.values))
                        }),
                ])
        }
    }

    private static func matrix(_ size: Int, _ random: inout RandomStream) -> Tensor<Float> {
        Tensor([size, size], (0..<size * size).map { _ in Float(random.normal()) })
    }

    /// The three loops, ordered so that the innermost one runs along rows.
    private static func plain(_ size: Int, _ a: [Float], _ b: [Float]) -> [Float] {
        var c = [Float](repeating: 0, count: size * size)
        for i in 0..<size {
            for k in 0..<size {
                let factor = a[i * size + k]
                for j in 0..<size { c[i * size + j] += factor * b[k * size + j] }
            }
        }
        return c
    }
}
