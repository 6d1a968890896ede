import Tensors
import Testing

/// The kernels in use against plain arithmetic written here. The checks run these tests twice, the
/// second time with the plain loops.
@Suite struct KernelTests {
    private func panels<S: Scalar>(_ rows: [[S]]) -> (Workspace<S>, [Panel]) {
        var plan = WorkspaceLayout()
        let panels = rows.map { plan.reserve(1, $0.count) }
        let work = Workspace<S>(plan)
        for (panel, row) in zip(panels, rows) { work.load(panel, from: row) }
        return (work, panels)
    }

    private func normals<S: Scalar>(_ count: Int, seed: UInt64, scale: Double = 1) -> [S] {
        var random = RandomStream(seed: seed)
        return (0..<count).map { _ in S(random.normal() * scale) }
    }

    @Test func `GELU in single precision stays within 1e-6 of double precision`() {
        let x: [Double] = (-12_000...12_000).map { Double(Float($0) / 1000) }
        let (double, pd) = panels([x, x, x, x])
        let (single, ps) = panels((0..<4).map { _ in x.map { Float($0) } })
        double.fill(pd[1], with: 1)
        single.fill(ps[1], with: 1)
        double.geluBackward(pd[0], pd[1], value: pd[2], into: pd[3])
        single.geluBackward(ps[0], ps[1], value: ps[2], into: ps[3])
        for (value, slope) in [(pd[2], ps[2]), (pd[3], ps[3])] {
            let pairs = zip(double.values(value), single.values(slope))
            for (a, b) in pairs { #expect(abs(a - Double(b)) <= 1e-6 * max(1, abs(a))) }
        }
    }

    @Test func `no result of GELU is subnormal`() {
        let x: [Float] = (0..<4000).map { -Float($0) / 100 }
        let (work, p) = panels([x, x])
        work.gelu(p[0], into: p[1])
        guard ProcessorSetup.kernelVariant != "plain" else { return }  // The library's own tails.
        #expect(work.values(p[1]).allSatisfy { !$0.isSubnormal })
    }

    @Test(arguments: [0, 1, 7, 64, 1000, 5000])
    func `sums agree with sums in double precision`(count: Int) {
        let (x, y): ([Float], [Float]) = (normals(count, seed: 1), normals(count, seed: 2))
        let (work, p) = panels([x, y])
        let dot = zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let squares = zip(x, y).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        let allowed = 1e-5 * Double(max(1, count)).squareRoot()
        #expect(abs(work.dot(p[0], p[1]) - dot) < allowed)
        #expect(abs(work.sum(p[0]) - x.reduce(0.0) { $0 + Double($1) }) < allowed)
        #expect(abs(work.squaredDistance(p[0], p[1]) - squares) < 1e-6 * max(1, squares))
    }

    @Test func `AdamW of one number follows its formula`() {
        var (theta, first, second): ([Double], [Double], [Double]) = ([0.5], [0.1], [0.02])
        let step = AdamWStep(
            factor: 0.5, rate: 0.01, decay: 0.1, beta1: 0.9, beta2: 0.999, correction1: 0.19,
            correction2: 0.002, epsilon: 1e-8)
        adamW(&theta, [3], &first, &second, 0..<1, step)
        let (m, v) = (0.9 * 0.1 + 0.1 * 1.5, 0.999 * 0.02 + 0.001 * 2.25)
        let expected =
            0.5 * (1 - 0.01 * 0.1) - 0.01 * (m / 0.19) / ((v / 0.002).squareRoot() + 1e-8)
        #expect(abs(theta[0] - expected) < 1e-15)
        #expect(abs(first[0] - m) < 1e-16)
        #expect(abs(second[0] - v) < 1e-16)
    }

    @Test(arguments: [1, 2, 5, 16, 17, 47, 96, 97, 130, 336])
    func `two convolutions at once agree with the definition`(length: Int) {
        let rows = 3
        let x: [Double] = normals(rows * length, seed: 5)
        let kernels: [[Double]] = [normals(length, seed: 6), normals(length, seed: 7)]
        var plan = WorkspaceLayout()
        let px = plan.reserve(rows, length)
        let (k1, k2) = (plan.reserve(1, length), plan.reserve(1, length))
        let (y1, y2) = (plan.reserve(rows, length), plan.reserve(rows, length))
        let scratch = plan.reserve(1, Workspace<Double>.convolutionScratch(length: length))
        let work = Workspace<Double>(plan)
        work.load(px, from: x)
        work.load(k1, from: kernels[0])
        work.load(k2, from: kernels[1])
        work.fill(scratch, with: .nan)
        work.convolve(px, kernels: (k1, k2), into: (y1, y2), scratch: scratch)
        for (kernel, y) in zip(kernels, [y1, y2]) {
            let values = work.values(y)
            for row in 0..<rows {
                for t in 0..<length {
                    let sum = (0...t).reduce(0.0) { $0 + kernel[$1] * x[row * length + t - $1] }
                    #expect(abs(values[row * length + t] - sum) < 1e-12)
                }
            }
        }
    }

    @Test(arguments: [1, 3, 33, 100, 200])
    func `the adjoint of a convolution is its adjoint`(length: Int) {
        // ⟨k ∗ x, y⟩ = ⟨x, dx⟩ = ⟨k, dk⟩, for one kernel and for the sum over two.
        let rows = 2
        let x: [Double] = normals(rows * length, seed: 1)
        var plan = WorkspaceLayout()
        func signal() -> Panel { plan.reserve(rows, length) }
        let (px, dx, y1, y2, u1, u2) = (signal(), signal(), signal(), signal(), signal(), signal())
        let (k1, k2) = (plan.reserve(1, length), plan.reserve(1, length))
        let (dk1, dk2) = (plan.reserve(1, length), plan.reserve(1, length))
        let scratch = plan.reserve(1, Workspace<Double>.convolutionScratch(length: length))
        let work = Workspace<Double>(plan)
        work.load(px, from: x)
        work.load(k1, from: normals(length, seed: 2))
        work.load(k2, from: normals(length, seed: 3))
        work.load(u1, from: normals(rows * length, seed: 4))
        work.load(u2, from: normals(rows * length, seed: 5))
        work.convolve(px, kernels: (k1, k2), into: (y1, y2), scratch: scratch)
        work.convolveBackward(
            px, kernels: (k1, k2), dy: (u1, u2), into: dx, dkernels: (dk1, dk2), scratch: scratch)
        let (first, second) = (work.dot(y1, u1), work.dot(y2, u2))
        #expect(abs(work.dot(px, dx) - first - second) < 1e-10)
        #expect(abs(work.dot(k1, dk1) - first) < 1e-10)
        #expect(abs(work.dot(k2, dk2) - second) < 1e-10)
    }
}

@Suite struct RealTransformTests {
    @Test(arguments: [1, 2, 3, 8, 15, 100, 675])
    func `the spectrum agrees with its definition, and comes back`(length: Int) {
        check(length, Double.self, within: 1e-11)
        check(length, Float.self, within: 2e-3)
    }

    private func check<S: Scalar>(_ length: Int, _: S.Type, within tolerance: Double) {
        var random = RandomStream(seed: 8)
        let x = (0..<length).map { _ in S(random.normal()) }
        let transform = RealTransform<S>(length: length)
        var plan = WorkspaceLayout()
        let row = plan.reserve(1, length)
        let spectrum = plan.reserve(1, 2 * transform.spectrumCount)
        let work = Workspace<S>(plan)
        work.load(row, from: x)
        transform.forward(row, into: spectrum, work)
        let values = work.values(spectrum)
        // Parseval's equality, which needs no cosine: the spectrum's other half is the mirror image.
        let power = (0..<transform.spectrumCount).reduce(0.0) { total, k in
            let (re, im) = (Double(values[2 * k]), Double(values[2 * k + 1]))
            let isSingle = k == 0 || 2 * k == length
            return total + (isSingle ? 1 : 2) * (re * re + im * im)
        }
        let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(power / Double(length) - squares) < tolerance * Double(length))
        #expect(abs(Double(values[0]) - x.reduce(0.0) { $0 + Double($1) }) < tolerance)
        transform.backward(spectrum, into: row, work)
        for (a, b) in zip(work.values(row), x) {
            #expect(abs(Double(a) / Double(length) - Double(b)) < tolerance)
        }
    }

    @Test func `fast lengths are the next ones with small factors`() {
        let lengths = [1, 2, 11, 13, 671, 2039].map { RealTransform<Float>.fastLength(atLeast: $0) }
        #expect(lengths == [1, 2, 12, 14, 672, 2048])
    }
}
