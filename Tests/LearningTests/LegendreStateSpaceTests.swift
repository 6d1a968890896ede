import Learning
import Tensors
import Testing

/// HiPPO-LegS by its spectrum beside the dense recurrence.
@Suite struct LegendreStateSpaceTests {
    @Test(arguments: [(1, 1), (2, 5), (4, 8), (8, 33), (16, 64)])
    func `taps by Cauchy sums are those of the dense recurrence`(states: Int, length: Int) {
        let step = 0.07
        var random = RandomStream(seed: UInt64(states))
        let output = (0..<states).map { _ in random.normal() }
        let found = LegendreStateSpace(states: states).taps(
            output: output, step: step, length: length)
        let (matrix, input) = Self.discrete(states, step)
        var (state, worst, scale) = (input, 0.0, 0.0)
        for l in 0..<length {
            let expected = zip(output, state).map(*).reduce(0, +)
            worst = max(worst, abs(found[l] - expected))
            scale = max(scale, abs(expected))
            state = matrix.map { row in zip(row, state).map(*).reduce(0, +) }
        }
        #expect(found.count == length && worst < 1e-11 * max(scale, 1e-3), "\(worst)")
    }

    @Test func `the frequencies are those that diagonal state spaces begin with`() {
        let spectrum = S4D.spectrum(.legendre, states: 32).frequencies
        #expect(spectrum.count == 16 && spectrum.allSatisfy { $0 > 0 })
        #expect(zip(spectrum, spectrum.dropFirst()).allSatisfy { $0 < $1 })
    }

    /// Ā and B̄ of the bilinear rule, by elimination.
    private static func discrete(_ n: Int, _ step: Double) -> ([[Double]], [Double]) {
        func a(_ i: Int, _ j: Int) -> Double {
            i == j
                ? -Double(i + 1)
                : i > j ? -(Double(2 * i + 1) * Double(2 * j + 1)).squareRoot() : 0
        }
        // (1 − ½dt·A) is lower triangular: forward substitution.
        func solved(_ right: (Int) -> Double) -> [Double] {
            var x: [Double] = []
            for i in 0..<n {
                let known = (0..<i).map { -step / 2 * a(i, $0) * x[$0] }.reduce(0, +)
                x.append((right(i) - known) / (1 - step / 2 * a(i, i)))
            }
            return x
        }
        let columns = (0..<n).map { column in
            solved { ($0 == column ? 1 : 0) + step / 2 * a($0, column) }
        }
        let matrix = (0..<n).map { row in (0..<n).map { columns[$0][row] } }
        return (matrix, solved { step * Double(2 * $0 + 1).squareRoot() })
    }
}
