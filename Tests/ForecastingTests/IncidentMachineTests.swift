import Forecasting
import Foundation
import Series
import Tensors
import Testing

@Suite struct IncidentMachineTests {
    /// Observations with the given scores, an hour apart; nil for a missing one.
    static func observations(_ scores: [Double?], effect: Double = 5, shiftAt: Int? = nil)
        -> [ScoredObservation]
    {
        scores.enumerated().map { row, score in
            ScoredObservation(
                at: Timestamp(microseconds: Int64(row) * 3_600_000_000),
                observed: score.map { _ in effect }, expected: 0,
                p: score.map { _ in 0.5 }, score: score, isShift: row == shiftAt)
        }
    }

    static func names(_ transitions: [IncidentTransition]) -> [String] {
        transitions.map {
            switch $0 {
            case .opened: "opened"
            case .updated: "updated"
            case .resolved(_, let reason): reason.rawValue
            case .shifted: "shifted"
            }
        }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let scores: [Double?]
        let transitions: [String]
        let phase: IncidentMachine.Phase
    }

    static let quiet: [Double?] = [0, 0, 0, 0]

    @Test(arguments: [
        Case(testDescription: "nothing", scores: quiet, transitions: [], phase: .ok),
        Case(testDescription: "one hit", scores: [0, 4], transitions: [], phase: .pending),
        Case(
            testDescription: "one hit, long ago", scores: [4, 0, 0, 0], transitions: [], phase: .ok),
        Case(
            testDescription: "two of three", scores: [4, 0, 4], transitions: ["opened"],
            phase: .firing),
        Case(
            testDescription: "two of four", scores: [4, 0, 0, 4], transitions: [], phase: .pending),
        Case(
            testDescription: "two clear", scores: [4, 4, 0, 0], transitions: ["opened"],
            phase: .recovering),
        Case(
            testDescription: "three clear", scores: [4, 4, 0, 0, 0],
            transitions: ["opened", "recovered"], phase: .ok),
        Case(
            testDescription: "between the thresholds", scores: [4, 4, 2, 2, 2, 2, 2],
            transitions: ["opened"], phase: .firing),
        Case(
            testDescription: "neighbouring hits are one incident",
            scores: [4, 4, 0, 0, 4, 0, 0, 4, 0, 0, 0], transitions: ["opened", "recovered"],
            phase: .ok),
        Case(
            testDescription: "a rising peak is told by decades",
            scores: [4, 4, 4.5, 5.1, 5.5, 6.2], transitions: ["opened", "updated", "updated"],
            phase: .firing),
        Case(
            testDescription: "gaps neither hit nor clear",
            scores: [4, nil, nil, 4, 0, nil, 0, nil], transitions: ["opened"], phase: .recovering),
        Case(
            testDescription: "silence", scores: [4, 4] + [Double?](repeating: nil, count: 6),
            transitions: ["opened", "silence"], phase: .ok),
        Case(
            testDescription: "two incidents", scores: [4, 4, 0, 0, 0, 4, 4],
            transitions: ["opened", "recovered", "opened"], phase: .firing),
        Case(
            testDescription: "a hit before recovery does not count for the next incident",
            scores: [4, 4, 0, 0, 0, 4], transitions: ["opened", "recovered"], phase: .pending),
    ])
    func `scores make incidents`(_ c: Case) {
        var machine = IncidentMachine(
            policy: IncidentPolicy(fireScore: 3, clearScore: 1.5, silenceMaximum: 6))
        let transitions = machine.advance(through: Self.observations(c.scores))
        #expect(Self.names(transitions) == c.transitions)
        #expect(machine.phase == c.phase)
    }

    @Test func `an effect that does not matter is no hit`() {
        var machine = IncidentMachine(policy: IncidentPolicy(fireScore: 3, minimumEffect: 6))
        #expect(machine.advance(through: Self.observations([9, 9, 9], effect: 5)).isEmpty)
        #expect(!machine.advance(through: Self.observations([9, 9, 9], effect: -6)).isEmpty)
    }

    @Test func `a shift that became the normal resolves the incident`() {
        var machine = IncidentMachine(policy: IncidentPolicy(fireScore: 3))
        let transitions = machine.advance(
            through: Self.observations([4, 4, 4, 4, 0], shiftAt: 3))
        #expect(Self.names(transitions) == ["opened", "rebased"])
        #expect(machine.phase == .ok)
    }

    @Test func `an incident tells its start, its peak and its hits`() throws {
        var machine = IncidentMachine(policy: IncidentPolicy(fireScore: 3))
        let transitions = machine.advance(through: Self.observations([0, 4, 0, 7, 5, 0, 0, 0]))
        guard case .resolved(let incident, _)? = transitions.last else {
            return #expect(Bool(false), "resolved, not \(transitions)")
        }
        #expect(incident.startedAt == Timestamp(microseconds: 3_600_000_000))
        #expect(incident.openedAt == Timestamp(microseconds: 3 * 3_600_000_000))
        #expect(incident.lastHitAt == Timestamp(microseconds: 4 * 3_600_000_000))
        #expect(incident.hits == 3)
        #expect(incident.peak.score == 7)
        #expect(incident.peak.at == incident.openedAt)
        #expect(incident.peak.observed == 5 && incident.peak.expected == 0)
    }

    @Test(arguments: [1, 2, 3, 10, 250])
    func `many small batches with stored state are one batch`(size: Int) throws {
        var random = RandomStream(seed: 8)
        let scores: [Double?] = (0..<500).map { _ in
            let u = random.uniform()
            return u < 0.1 ? nil : (u < 0.5 ? 6 * random.uniform() : 0)
        }
        let observations = Self.observations(scores)
        var whole = IncidentMachine(policy: IncidentPolicy(fireScore: 3, silenceMaximum: 3))
        let expected = whole.advance(through: observations)
        #expect(expected.count > 10)
        var machine = IncidentMachine(policy: whole.policy)
        var found: [IncidentTransition] = []
        for first in stride(from: 0, to: 500, by: size) {
            found += machine.advance(through: observations[first..<min(first + size, 500)])
            machine = try JSONDecoder().decode(
                IncidentMachine.self, from: JSONEncoder().encode(machine))
        }
        #expect(found == expected)
        #expect(machine == whole)
    }

    @Test func `a shift of the level is told once: as the end of what is open, or by itself`() {
        let policy = IncidentPolicy(fireScore: 5)
        var open = IncidentMachine(policy: policy)
        let steep = open.advance(through: Self.observations([6, 6, 6, 6, 0, 0], shiftAt: 3))
        #expect(Self.names(steep) == ["opened", "rebased"])
        var closed = IncidentMachine(policy: policy)
        let gentle = closed.advance(through: Self.observations([4.5, 4.5, 4.5, 0], shiftAt: 2))
        #expect(Self.names(gentle) == ["shifted"])
        #expect(closed.phase == .ok && closed.incident == nil)
        var slight = IncidentMachine(policy: IncidentPolicy(fireScore: 5, minimumEffect: 9))
        #expect(
            slight.advance(through: Self.observations([4.5, 4.5, 4.5, 0], shiftAt: 2)).isEmpty,
            "a shift by less than the minimum effect does not count")
    }

    /// The starting score is far too low, about right, and far too high for one alert in 500 rows.
    @Test(arguments: [2.1, 2.7, 4.0], [UInt64(1), 2, 3])
    func `a budget is aimed at, whatever score it begins with`(_ fire: Double, seed: UInt64) {
        var random = RandomStream(seed: seed)
        let policy = IncidentPolicy(
            fireScore: fire, clearScore: fire / 2, hits: 1, window: 1, rowsPerAlert: 500)
        var machine = IncidentMachine(policy: policy)
        let rows = 50_000
        let opened = machine.advance(
            through: Self.observations((0..<rows).map { _ in -log10(1 - random.uniform()) })
        ).count { $0.opensIncident }
        #expect(opened > rows / 1_000 && opened < rows / 250, "\(opened), from \(fire)")
    }

    @Test func `a burst raises the score of a budget, and rest lowers it to its floor`() {
        let policy = IncidentPolicy(fireScore: 3, rowsPerAlert: 100)
        var machine = IncidentMachine(policy: policy)
        let burst: [Double?] = (0..<10).flatMap { _ -> [Double?] in [90, 90, 0, 0, 0] }
        _ = machine.advance(through: Self.observations(burst))
        #expect(machine.fireScore > 20)
        _ = machine.advance(through: Self.observations([Double?](repeating: 0, count: 5_000)))
        #expect(machine.fireScore == 2)
        var fixed = IncidentMachine(policy: IncidentPolicy(fireScore: 3))
        _ = fixed.advance(through: Self.observations(burst))
        #expect(fixed.fireScore == 3)
    }

    @Test func `opened and resolved alternate, whatever the scores`() {
        var random = RandomStream(seed: 12)
        var machine = IncidentMachine(policy: IncidentPolicy(fireScore: 3, hits: 1, window: 1))
        let scores: [Double?] = (0..<5_000).map { _ in
            random.uniform() < 0.05 ? nil : -2 * (1 - random.uniform()) + 6 * random.uniform()
        }
        var isOpen = false
        for transition in machine.advance(through: Self.observations(scores)) {
            switch transition {
            case .opened:
                #expect(!isOpen)
                isOpen = true
            case .updated: #expect(isOpen)
            case .resolved:
                #expect(isOpen)
                isOpen = false
            case .shifted: #expect(!isOpen)
            }
        }
    }
}
