@testable import Forecasting
import Foundation
import Series
import Testing

@Suite struct AnomalyScorerTests {
    static let rows = 2_400
    static let clean = MadeSeries.wave(rows)

    static func scorer(_ family: Family, policy: ScoringPolicy = ScoringPolicy()) throws
        -> AnomalyScorer
    {
        AnomalyScorer(
            try FittedPipelineTests.fit(family, clean.slice(0..<2_000)), policy: policy)
    }

    static func incidents(_ scored: [ScoredObservation]) -> [IncidentTransition] {
        var machine = IncidentMachine(policy: IncidentPolicy(fireScore: 2.5))
        return machine.advance(through: scored)
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `clean rows are scored as their probabilities say`(_ family: Family) throws {
        let scored = try Self.scorer(family).score(history: Self.clean, range: 2_000..<2_400)
        #expect(scored.count == 400)
        #expect(scored.allSatisfy { $0.score != nil && $0.step == 1 || $0.step > 1 })
        let low = scored.count { ($0.p ?? 1) < 0.1 }
        #expect(low > 10 && low < 90)
    }

    @Test func `the expected value is the one-step forecast from the window before`() throws {
        let scorer = try Self.scorer(.ridge)
        let scored = try scorer.score(history: Self.clean, range: 2_100..<2_103)
        for (row, observation) in scored.enumerated() {
            let history = Self.clean.slice((2_028 + row)..<(2_100 + row))
            let forecast = try scorer.pipeline.forecast(history: history, steps: 1)
            let expected = try #require(observation.expected)
            #expect(abs(expected - forecast.values[0]) < 1e-4)
            #expect(observation.at == forecast.grid.start)
        }
    }

    @Test(arguments: FittedPipelineTests.closedForms, [1, 2, 7, 64, 400])
    func `small batches with kept state give the scores of one batch`(
        family: Family, size: Int
    ) throws {
        let scorer = try Self.scorer(family)
        let faulty = Self.clean.changing(2_050..<2_056) { $0 + 20 }
            .changing(2_100..<2_105) { _ in .nan }.changing(2_200..<2_400) { $0 - 25 }
        let whole = try scorer.score(history: faulty, range: 2_000..<2_400)
        var state = ScoringState()
        var parts: [ScoredObservation] = []
        for first in stride(from: 2_000, to: 2_400, by: size) {
            let end = min(first + size, 2_400)
            // A worker sees only the rows that had arrived.
            parts += try scorer.score(
                history: faulty.slice(0..<end), range: first..<end, state: &state)
            state = try JSONDecoder().decode(
                ScoringState.self, from: JSONEncoder().encode(state))
        }
        #expect(parts == whole)
        #expect(Self.incidents(parts) == Self.incidents(whole))
    }

    @Test func `a recent stretch of history gives the scores of all of it`() throws {
        let scorer = try Self.scorer(.ridge)
        let faulty = Self.clean.changing(2_050..<2_056) { $0 + 20 }
        var state = ScoringState()
        _ = try scorer.score(history: faulty, range: 2_000..<2_060, state: &state)
        var same = state
        let first = 2_060 - scorer.historyRows
        let near = try scorer.score(
            history: faulty.slice(first..<2_400),
            range: scorer.historyRows..<(scorer.historyRows + 340), state: &state)
        #expect(try scorer.score(history: faulty, range: 2_060..<2_400, state: &same) == near)
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `a fault of six hours is one incident that resolves soon after`(
        _ family: Family
    ) throws {
        let faulty = Self.clean.changing(2_050..<2_056) { $0 + 20 }
        let scored = try Self.scorer(family).score(history: faulty, range: 2_040..<2_080)
        let transitions = Self.incidents(scored)
        #expect(transitions.count == 2)
        guard case .opened(let opened)? = transitions.first,
            case .resolved(let resolved, .recovered)? = transitions.last
        else { return #expect(Bool(false), "opened and recovered, not \(transitions)") }
        #expect(opened.startedAt == faulty.grid.instant(at: 2_050))
        #expect(opened.openedAt == faulty.grid.instant(at: 2_051))
        #expect(resolved.lastHitAt == faulty.grid.instant(at: 2_055))
        #expect(resolved.hits == 6)
        #expect(abs(resolved.peak.observed - resolved.peak.expected) > 15)
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `a fault leaves no trace in later expectations`(_ family: Family) throws {
        let scorer = try Self.scorer(family)
        let faulty = Self.clean.changing(2_050..<2_056) { $0 + 20 }
        let clean = try scorer.score(history: Self.clean, range: 2_040..<2_120)
        let after = try scorer.score(history: faulty, range: 2_040..<2_120)
        for row in 17..<80 {
            let (a, b) = (try #require(clean[row].expected), try #require(after[row].expected))
            #expect(abs(a - b) < 3, "row \(row)")
        }
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `further ahead is expected what the forecast of so many rows before says`(
        _ family: Family
    ) throws {
        let scorer = try Self.scorer(family)
        let step = min(scorer.policy.aheadStep, scorer.pipeline.residuals.count)
        let scored = try scorer.score(history: Self.clean, range: 2_000..<2_100)
        #expect(scored[..<(step - 1)].allSatisfy { $0.ahead == nil })
        for row in [step - 1, step, 60, 99] {
            let history = Self.clean.slice(0..<(2_000 + row + 1 - step))
            let forecast = try scorer.pipeline.forecast(history: history, steps: step)
            let ahead = try #require(scored[row].ahead)
            #expect(ahead.step == step)
            #expect(abs(ahead.expected - forecast.values[step - 1]) < 1e-3)
        }
    }

    @Test func `a drift too slow for one step is seen from further ahead`() throws {
        let scorer = try Self.scorer(.ridge)
        let rows = 2_100..<2_200
        var values = Self.clean.values
        for row in rows { values[row] += 0.18 * Double(row - 2_100) }
        let drifting = TimeSeries(
            channel: Self.clean.channel, grid: Self.clean.grid, values: values)
        let scored = try scorer.score(history: drifting, range: 2_040..<2_160)
        let late = scored.suffix(30)
        let near = late.compactMap(\.score).reduce(0, +) / 30
        let far = late.compactMap(\.ahead?.score).reduce(0, +) / 30
        #expect(far > near + 0.5, "\(near) one step ahead, \(far) further")
        for one in late {
            let evidence = try #require(one.evidence)
            let score = try #require(one.score)
            #expect(evidence.score == max(0, max(score, one.ahead?.score ?? 0) - log10(2)))
        }
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `a gap is never an anomaly, nor is what follows it`(_ family: Family) throws {
        let gappy = Self.clean.changing(2_050..<2_056) { _ in .nan }
        let scored = try Self.scorer(family).score(history: gappy, range: 2_040..<2_080)
        #expect(scored[10..<16].allSatisfy { $0.score == nil && $0.p == nil && $0.observed == nil })
        #expect(scored[10..<16].allSatisfy { $0.expected != nil })
        #expect(scored[16].step == 7, "compared with the forecast made before the gap")
        #expect(scored[17].step == 1)
        #expect(Self.incidents(scored).isEmpty)
    }

    @Test func `rows without a window to look back on are not scored`() throws {
        let scorer = try Self.scorer(.ridge)
        let scored = try scorer.score(history: Self.clean, range: 0..<100)
        #expect(scored[..<72].allSatisfy { $0.expected == nil && $0.score == nil })
        #expect(scored[72...].allSatisfy { $0.score != nil })
    }

    @Test func `a gap longer than any forecast is passed over until the window is whole`() throws {
        let gappy = Self.clean.changing(2_050..<2_150) { _ in .nan }
        let scored = try Self.scorer(.ridge).score(history: gappy, range: 2_040..<2_300)
        #expect(scored[100].expected == nil)
        #expect(scored[255].score != nil)
        #expect(Self.incidents(scored).isEmpty)
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `a lasting shift becomes the normal and resolves as rebased`(_ family: Family) throws {
        let shifted = Self.clean.changing(2_050..<2_400) { $0 + 25 }
        let scored = try Self.scorer(family).score(history: shifted, range: 2_040..<2_400)
        #expect(scored.count { $0.isShift } == 1)
        let transitions = Self.incidents(scored)
        guard case .opened? = transitions.first else {
            return #expect(Bool(false), "opened, not \(transitions)")
        }
        let ended = transitions.compactMap { transition -> Timestamp? in
            if case .resolved(let incident, .rebased) = transition {
                incident.lastHitAt
            } else {
                nil
            }
        }
        #expect(ended == [shifted.grid.instant(at: 2_073)])
        let hits = scored[40...].count { ($0.score ?? 0) > 2.5 }
        #expect(hits < 5, "the new level is the normal")
    }

    @Test(arguments: FittedPipelineTests.closedForms)
    func `absurd readings are scored and do not spoil what follows`(_ family: Family) throws {
        let faulty = Self.clean.changing(2_050..<2_100) { $0 * 1e300 }
        let scored = try Self.scorer(family).score(history: faulty, range: 2_040..<2_400)
        #expect(scored[10..<30].allSatisfy { $0.score == ResidualDistribution.scoreMaximum })
        #expect(scored.allSatisfy { $0.expected?.isFinite == true && $0.score?.isFinite == true })
        #expect(scored[300...].count { ($0.score ?? 0) > 4 } < 5)
    }

    @Test func `another step is refused`() throws {
        let other = TimeSeries(
            channel: Self.clean.channel,
            grid: TimeGrid(start: MadeSeries.start, rate: SamplingRate(1), count: Self.rows),
            values: Self.clean.values)
        #expect(throws: ForecastError.stepMismatch(foundSeconds: 1, modelSeconds: 3_600)) {
            try Self.scorer(.ridge).score(history: other, range: 0..<10)
        }
    }
}
