import Forecasting
import Foundation
import Tensors
import Testing

@Suite struct StackVAEDetectorTests {
    /// Three channels that go together, and one that never varies.
    private static func rows(_ count: Int, from first: Int, seed: UInt64) -> [[Double]] {
        var random = RandomStream(seed: seed)
        let phase = (0..<count).map { 2 * .pi * Double(first + $0) / 25 }
        return [
            phase.map { 5 + sin($0) + 0.05 * random.normal() },
            phase.map { 100 * cos($0) + 5 * random.normal() },
            phase.map { sin($0 + 1) + 0.05 * random.normal() },
            phase.map { _ in 1 },
        ]
    }

    @Test func `the channel that breaks the pattern has the largest part, at its rows`() throws {
        let training = Self.rows(800, from: 0, seed: 1)
        let options = StackVAEOptions(seed: 2, steps: 120, batch: 32, window: 30)
        let detector = try #require(StackVAEDetector.fit(training, options: options))
        #expect(detector.channels == [0, 1, 2])
        var later = Self.rows(300, from: 800, seed: 3)
        // In range, and out of step with the others.
        for row in 200..<215 { later[1][row] = 90 }
        let parts = detector.contributions(later, after: training)
        #expect(parts.map(\.count) == [300, 300, 300, 300])
        #expect(parts[3].allSatisfy { $0 == 0 })
        let scores = StackVAEDetector.scores(parts)
        let quiet = scores[0..<190].reduce(0, +) / 190
        #expect(scores[205..<215].reduce(0, +) / 10 > 5 * quiet)
        #expect((205..<215).allSatisfy { parts[1][$0] > parts[0][$0] + parts[2][$0] })
    }

    @Test func `the same seed gives the same scores and batches do not matter`() throws {
        let training = Self.rows(200, from: 0, seed: 1)
        let options = StackVAEOptions(seed: 4, steps: 3, batch: 8, window: 20)
        let (a, b) = (
            try #require(StackVAEDetector.fit(training, options: options)),
            try #require(StackVAEDetector.fit(training, options: options))
        )
        let later = Self.rows(300, from: 200, seed: 2)
        let whole = a.contributions(later, after: training)
        #expect(whole == b.contributions(later, after: training))
        let head = a.contributions(later.map { Array($0.prefix(100)) }, after: training)
        for (all, some) in zip(whole, head) {
            #expect(zip(all, some).allSatisfy { abs($0 - $1) <= 1e-4 * (1 + $1) })
        }
    }

    @Test func `too few rows or nothing that varies is no model`() {
        #expect(StackVAEDetector.fit(Self.rows(50, from: 0, seed: 1)) == nil)
        #expect(StackVAEDetector.fit([[Double](repeating: 1, count: 500)]) == nil)
    }
}
