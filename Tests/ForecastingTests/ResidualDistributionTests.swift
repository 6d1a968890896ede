@testable import Forecasting
import Tensors
import Testing

@Suite struct ResidualDistributionTests {
    static func normal(_ count: Int, seed: UInt64 = 2) -> [Double] {
        var random = RandomStream(seed: seed)
        return (0..<count).map { _ in random.normal() }
    }

    @Test func `probabilities of fresh residuals are uniform, also in the tails`() {
        let distribution = ResidualDistribution(Self.normal(3_000))
        let p = Self.normal(200_000, seed: 3).map { distribution.probability(of: $0).p }
        for level in [0.5, 0.1, 0.05, 0.01, 0.001] {
            let share = Double(p.count { $0 <= level }) / 200_000
            // The quantiles themselves come from 3 000 residuals.
            #expect(abs(share - level) < 4 * (level / 3_000).squareRoot() + 0.2 * level)
        }
    }

    @Test(arguments: [12, 30, 300, 3_000])
    func `scores rise with distance on either side, without a jump`(count: Int) {
        let distribution = ResidualDistribution(Self.normal(count))
        let middle = distribution.knots[ResidualDistribution.knotCount / 2]
        for sign in [-1.0, 1] {
            var last = 0.0
            for step in 0..<4_000 {
                let score = distribution.probability(of: middle + sign * Double(step) * 0.005).score
                #expect(score >= last - 1e-12)
                #expect(score - last < 0.1)
                last = score
            }
            #expect(last > 3)
        }
    }

    @Test func `p and score say the same`() {
        let distribution = ResidualDistribution(Self.normal(500))
        for x in [-4.0, -1, 0, 0.3, 2, 9] {
            let (p, score) = distribution.probability(of: x)
            #expect(p > 0 && p <= 1)
            #expect(abs(p - exp10(-score)) < 1e-12)
        }
    }

    @Test func `a heavy tail gets a smaller score than a light one at the same distance`() {
        let light = ResidualDistribution(Self.normal(3_000))
        let heavy = ResidualDistribution(Self.normal(3_000).map { $0 * abs($0) * abs($0) })
        #expect(heavy.upper.shape > 0.25)
        #expect(light.upper.shape < 0.2)
        #expect(heavy.probability(of: 8).score < light.probability(of: 8).score)
    }

    @Test func `residuals that were always zero still score, and never without bound`() {
        let exact = ResidualDistribution([Double](repeating: 0, count: 100))
        #expect(exact.probability(of: 0).score < 0.1)
        #expect(exact.probability(of: 1).score == ResidualDistribution.scoreMaximum)
        #expect(exact.probability(of: 1).p > 0)
    }

    @Test func `numbers give the distribution back, and wrong ones are refused`() {
        let distribution = ResidualDistribution(Self.normal(300))
        #expect(ResidualDistribution(numbers: distribution.numbers) == distribution)
        #expect(ResidualDistribution(numbers: []) == nil)
        for index in [0, 1, 3, 5] {
            var numbers = distribution.numbers
            numbers[index] = index == 5 ? 1e9 : 0
            #expect(ResidualDistribution(numbers: numbers) == nil)
            numbers[index] = .nan
            #expect(ResidualDistribution(numbers: numbers) == nil)
        }
    }

    private func exp10(_ x: Double) -> Double {
        // Independent of the C library's pow: repeated square roots of ten.
        var (result, factor, rest) = (1.0, 10.0, abs(x))
        while rest >= 1 { (result, rest) = (result * 10, rest - 1) }
        for _ in 0..<60 {
            factor = factor.squareRoot()
            rest *= 2
            if rest >= 1 { (result, rest) = (result * factor, rest - 1) }
        }
        return x < 0 ? 1 / result : result
    }
}
