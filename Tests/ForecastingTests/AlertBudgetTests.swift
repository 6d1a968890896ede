import Forecasting
import Foundation
import Series
import Tensors
import Testing

@Suite struct AlertBudgetTests {
    @Test func `one of one is the share of rows that may alert`() {
        let score = AlertBudget(alertsPerWeek: 1).fireScore(
            rate: SamplingRate(1, per: 3_600), hits: 1, window: 1)
        #expect(abs(score - log10(168)) < 1e-6)
    }

    @Test func `fast series need higher scores and slow ones are bounded`() {
        let budget = AlertBudget(alertsPerWeek: 2)
        let scores = [1, 60, 900, 3_600, 86_400].map {
            budget.fireScore(rate: SamplingRate(1, per: $0), hits: 1, window: 1)
        }
        #expect(scores == scores.sorted(by: >))
        #expect(abs(scores[4] - 2) < 1e-9, "one in a hundred, where the budget would allow more")
    }

    @Test(arguments: [(1, 1), (2, 2), (2, 3)])
    func `independent scores keep to the budget`(hits: Int, window: Int) {
        let rate = SamplingRate(1, per: 1)
        let weeks = 1.0
        let budget = AlertBudget(alertsPerWeek: 50)
        let fire = budget.fireScore(rate: rate, hits: hits, window: window)
        var random = RandomStream(seed: 21)
        let observations = Self.independent(Int(weeks * 604_800), &random)
        var machine = IncidentMachine(
            policy: IncidentPolicy(fireScore: fire, clearScore: fire, hits: hits, window: window))
        let opened = machine.advance(through: observations).count {
            if case .opened = $0 { true } else { false }
        }
        let expected = 50 * weeks
        #expect(Double(opened) < expected + 4 * expected.squareRoot())
        #expect(Double(opened) > 0.8 * expected - 4 * expected.squareRoot())
    }

    @Test func `tuning on a stretch keeps to the budget there`() {
        var random = RandomStream(seed: 22)
        // Scores in runs, as those of real residuals: one draw holds for five rows.
        let drawn = Self.independent(2_000, &random)
        let runs = (0..<10_000).map { row in
            ScoredObservation(
                at: Timestamp(microseconds: Int64(row) * 3_600_000_000), observed: 1, expected: 0,
                p: drawn[row / 5].p, score: drawn[row / 5].score)
        }
        let rate = SamplingRate(1, per: 3_600)
        let policy = IncidentPolicy(fireScore: 3)
        let budget = AlertBudget(alertsPerWeek: 0.1)
        let fire = budget.fireScore(tuning: policy, on: runs, rate: rate)
        #expect(fire > budget.fireScore(rate: rate, hits: 2, window: 3))
        func opened(_ score: Double) -> Int {
            var machine = IncidentMachine(policy: policy.firing(at: score))
            return machine.advance(through: runs).count {
                if case .opened = $0 { true } else { false }
            }
        }
        let allowed = Int(0.1 * 10_000 / 168)
        #expect(opened(fire) <= allowed)
        #expect(opened(fire - 0.1) > allowed, "no stricter than needed")
    }

    static func independent(_ count: Int, _ random: inout RandomStream) -> [ScoredObservation] {
        (0..<count).map { row in
            let p = 1 - random.uniform()
            return ScoredObservation(
                at: Timestamp(microseconds: Int64(row) * 1_000_000), observed: 1, expected: 0, p: p,
                score: -log10(p))
        }
    }
}
