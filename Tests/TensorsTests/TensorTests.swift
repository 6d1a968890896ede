import Tensors
import Testing

@Suite struct TensorTests {
    @Test func `elements are addressed row by row`() {
        var t = Tensor<Double>([2, 3], [1, 2, 3, 4, 5, 6])
        #expect(t[1, 0] == 4)
        t[0, 2] = 9
        #expect(t.values == [1, 2, 9, 4, 5, 6])
        #expect(t.transposed() == Tensor([3, 2], [1, 4, 2, 5, 9, 6]))
    }

    @Test func `a shape that does not fit its values traps`() async {
        await #expect(processExitsWith: .failure) { _ = Tensor<Float>([2, 2], [1, 2, 3]) }
    }

    @Test func `an index outside the shape traps`() async {
        await #expect(processExitsWith: .failure) { _ = Tensor<Float>(zeros: [2, 2])[0, 2] }
    }

    @Test func `an unexpected shape traps`() async {
        await #expect(processExitsWith: .failure) {
            Tensor<Float>(zeros: [2, 2]).expect([nil, 3])
        }
    }

    @Test func `the largest magnitude shows a NaN wherever it lies`() {
        #expect(Tensor<Float>([3], [1, -4, 2]).largestMagnitude == 4)
        #expect(Tensor<Float>([3], [.nan, -4, 2]).largestMagnitude.isNaN)
        #expect(Tensor<Float>([3], [1, -4, .nan]).largestMagnitude.isNaN)
    }
}

@Suite struct LinearAlgebraTests {
    struct Sizes: CustomTestStringConvertible, Sendable {
        let rows: Int
        let inner: Int
        let columns: Int
        var testDescription: String { "\(rows)×\(inner)×\(columns)" }
    }

    @Test(arguments: [
        Sizes(rows: 1, inner: 1, columns: 1), Sizes(rows: 3, inner: 5, columns: 2),
        Sizes(rows: 17, inner: 33, columns: 9), Sizes(rows: 0, inner: 4, columns: 2),
        Sizes(rows: 2, inner: 0, columns: 3),
    ])
    func `the product agrees with its definition in all four forms`(_ s: Sizes) {
        var random = RandomStream(seed: 7)
        let a = randomTensor([s.rows, s.inner], &random)
        let b = randomTensor([s.inner, s.columns], &random)
        var expected = Tensor<Double>(zeros: [s.rows, s.columns])
        for i in 0..<s.rows {
            for j in 0..<s.columns {
                for k in 0..<s.inner { expected[i, j] += a[i, k] * b[k, j] }
            }
        }
        for (transposeA, transposeB) in [
            (false, false), (true, false), (false, true), (true, true),
        ] {
            let product = matmul(
                transposeA ? a.transposed() : a, transposeB ? b.transposed() : b,
                transposeA: transposeA, transposeB: transposeB)
            #expect(largestDifference(product, expected) < 1e-13)
        }
    }

    @Test func `factors whose inner extents differ trap`() async {
        await #expect(processExitsWith: .failure) {
            _ = matmul(Tensor<Float>(zeros: [2, 3]), Tensor<Float>(zeros: [2, 3]))
        }
    }

    @Test(arguments: [1, 2, 5, 40])
    func `eigenvectors rebuild the matrix and are orthonormal`(n: Int) {
        var random = RandomStream(seed: 3)
        let m = randomTensor([n, n], &random)
        var a = m
        a.add(m.transposed())
        let (values, v) = symmetricEigen(a)
        #expect(values == values.sorted())
        var scaled = v
        for i in 0..<n { for j in 0..<n { scaled[i, j] *= values[j] } }
        #expect(largestDifference(matmul(scaled, v, transposeB: true), a) < 1e-12)
        var identity = Tensor<Double>(zeros: [n, n])
        for i in 0..<n { identity[i, i] = 1 }
        #expect(largestDifference(matmul(v, v, transposeA: true), identity) < 1e-13)
    }
}

@Suite struct RandomStreamTests {
    @Test func `the same seed gives the same numbers, another seed others`() {
        var (a, b, c) = (RandomStream(seed: 1), RandomStream(seed: 1), RandomStream(seed: 2))
        let (x, y, z) = (a.next(), b.next(), c.next())
        #expect(x == y)
        #expect(x != z)
    }

    @Test func `a split stream does not depend on what was drawn before`() {
        var a = RandomStream(seed: 5)
        let before = a.stream(3)
        _ = a.next()
        var (x, y, other) = (before, a.stream(3), a.stream(4))
        let first = x.next()
        #expect(first == y.next())
        #expect(first != other.next())
    }

    @Test func `uniform and normal numbers have the moments of their distributions`() {
        var random = RandomStream(seed: 11)
        let n = 200_000
        var (mean, square, normalMean, normalSquare) = (0.0, 0.0, 0.0, 0.0)
        for _ in 0..<n {
            let u = random.uniform()
            #expect(u >= 0 && u < 1)
            mean += u / Double(n)
            square += u * u / Double(n)
            let z = random.normal()
            normalMean += z / Double(n)
            normalSquare += z * z / Double(n)
        }
        #expect(abs(mean - 0.5) < 0.003)
        #expect(abs(square - 1.0 / 3) < 0.003)
        #expect(abs(normalMean) < 0.01)
        #expect(abs(normalSquare - 1) < 0.015)
    }

    @Test func `a shuffle keeps every element and moves them`() {
        var random = RandomStream(seed: 1)
        var values = Array(0..<100)
        random.shuffle(&values)
        #expect(values != Array(0..<100))
        #expect(values.sorted() == Array(0..<100))
    }

    @Test func `integers reach every value below their bound and no other`() {
        var random = RandomStream(seed: 1)
        var seen: Set<Int> = []
        for _ in 0..<500 { seen.insert(random.integer(below: 7)) }
        #expect(seen == Set(0..<7))
    }
}

private func randomTensor(_ shape: [Int], _ random: inout RandomStream) -> Tensor<Double> {
    Tensor(shape, (0..<shape.reduce(1, *)).map { _ in random.normal() })
}

private func largestDifference(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
    zip(a.values, b.values).map { abs($0 - $1) }.max() ?? 0
}
