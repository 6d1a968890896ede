import Foundation
import Series
import Tensors
import Testing

@testable import Forecasting

@Suite struct GroupDetectorTests {
    private static let grid = GroupGrid(stepMicroseconds: 3_600_000_000)
    private static let first: Int64 = 400_000
    private static let budget = AlertBudget(alertsPerWeek: 2)

    private static func rows(_ values: [[Double]]) -> GroupRows {
        GroupRows(grid: grid, first: first, values: values)
    }

    private static func number(_ row: Int) -> Int64 { first + Int64(row) }

    private static func fit(_ values: [[Double]], rows count: Int) throws -> GroupDetector {
        var options = GroupOptions()
        options.seed = 3
        return try GroupDetector.fit(rows(values.map { Array($0.prefix(count)) }), options: options)
    }

    @Test func `a fault in one channel is one incident that names it`() throws {
        let values = SimulatedGroup(channels: 5, seed: 11).rows(
            1_000, with: [.init(fault: .offset, channel: 3, rows: 960..<972)])
        let detector = try Self.fit(values, rows: 900)
        var state = GroupState(policy: detector.policy(Self.budget, on: Self.grid), channels: 5)
        let outcome = detector.advance(Self.rows(values), from: Self.number(900), &state)
        #expect(outcome.through == Self.number(999) && !state.isOpen)
        // A week's budget may be spent elsewhere.
        let opened = outcome.changes.filter { change in
            change.isOpening && change.peak?.parts.first?.channel == 3
                && (960..<978).contains(Int(Self.grid.number(of: change.at) - Self.first))
        }
        #expect(opened.count == 1)
        let peak = try #require(opened.first?.peak)
        #expect((960..<972).map { Self.grid.instant(of: Self.number($0)) }.contains(peak.at))
        let part = try #require(peak.parts.first)
        #expect(part.channel == 3 && part.share > 0.4)
        // What was expected is what was there before the fault.
        let row = Int(Self.grid.number(of: peak.at) - Self.first)
        let clean = SimulatedGroup(channels: 5, seed: 11).rows(1_000)[3][row]
        #expect(abs(part.expected - clean) < 0.5 * abs(part.observed - clean))
    }

    @Test(arguments: [1, 7, 64])
    func `rows in pieces give the bits of rows in one go`(piece: Int) throws {
        let values = SimulatedGroup(channels: 4, seed: 5).rows(
            560,
            with: [
                .init(fault: .offset, channel: 1, rows: 440..<452),
                .init(fault: .noisy, channel: 2, rows: 520..<532),
            ])
        let detector = try Self.fit(values, rows: 420)
        let policy = detector.policy(Self.budget, on: Self.grid)
        var state = GroupState(policy: policy, channels: 4)
        let whole = detector.advance(Self.rows(values), from: Self.number(420), &state)
        #expect(!whole.changes.isEmpty && whole.scores.count > 100)
        var (pieces, scores, changes) = (
            GroupState(policy: policy, channels: 4), [GroupScore](), [GroupChange]()
        )
        var next = 420
        while next <= Int(whole.through - Self.first) {
            let end = min(next + piece, 560)
            // What the database would keep between two runs, and hand out.
            pieces = try JSONDecoder().decode(
                GroupState.self, from: try JSONEncoder().encode(pieces))
            let begin = next - Int(GroupOptions.historyMaximum)
            let part = GroupRows(
                grid: Self.grid, first: Self.number(begin),
                values: values.map { Array($0[begin..<end]) })
            let outcome = detector.advance(part, from: Self.number(next), &pieces)
            scores += outcome.scores
            changes += outcome.changes
            next = Int(outcome.through - Self.first) + 1
        }
        #expect(scores == whole.scores && changes == whole.changes && pieces == state)
        // It stops where the group is to be learned anew, as soon as nothing is open.
        #expect(detector.renewal(on: Self.grid) == Self.number(419 + 105))
        #expect(whole.through >= Self.number(524) && !state.isOpen)
    }

    @Test func `a stored detector gives the same bits`() throws {
        var values = SimulatedGroup(channels: 4, seed: 6).rows(400)
        values[2] = [Double](repeating: 0.1, count: 400)
        let detector = try Self.fit(values, rows: 300)
        let again = try GroupDetector(decoding: detector.encoded())
        #expect(again.report == detector.report && again.encoded() == detector.encoded())
        let all = Self.rows(values)
        let (a, b) = (
            detector.scores(all, from: Self.number(300)), again.scores(all, from: Self.number(300))
        )
        #expect(a.map(\.score) == b.map(\.score) && a.count == 100)
    }

    @Test(arguments: [0, 7, 8, 60, 1_000, 20_000])
    func `bytes that are no detector are refused`(_ kept: Int) throws {
        let bytes = try Self.fit(SimulatedGroup(channels: 3, seed: 6).rows(210), rows: 210)
            .encoded()
        #expect(throws: GroupDecodingError.self) {
            try GroupDetector(decoding: Array(bytes.prefix(kept)))
        }
        #expect(throws: GroupDecodingError.self) {
            try GroupDetector(decoding: Array("{\"format\": 2}".utf8))
        }
    }

    @Test func `dead, constant and missing channels are not judged, and spoil nothing`() throws {
        let count = 900
        var values = SimulatedGroup(channels: 7, seed: 21).rows(count)
        values[1] = [Double](repeating: 0.1, count: count)
        values[2] = [Double](repeating: .nan, count: count)
        for row in 620..<count { values[4][row] = .nan }
        let detector = try Self.fit(values, rows: 600)
        #expect(detector.report.judged == 5)
        var state = GroupState(policy: detector.policy(Self.budget, on: Self.grid), channels: 7)
        let outcome = detector.advance(Self.rows(values), from: Self.number(600), &state)
        #expect(outcome.scores.count == Int(outcome.through - Self.number(600)) + 1)
        for score in outcome.scores {
            #expect(score.score.isFinite && (0...1).contains(score.p))
            #expect(score.surprises[1].isNaN && score.surprises[2].isNaN)
            #expect(
                score.surprises[4].isNaN == (score.at >= Self.grid.instant(of: Self.number(620))))
        }
        #expect(outcome.changes.count { $0.isOpening } <= 2, "\(outcome.changes)")
    }

    @Test func `a row with too few members has no score, and a gap is no anomaly`() throws {
        var values = SimulatedGroup(channels: 4, seed: 8).rows(500)
        for channel in 0..<3 { for row in 450..<460 { values[channel][row] = .nan } }
        let detector = try Self.fit(values, rows: 420)
        var state = GroupState(policy: detector.policy(Self.budget, on: Self.grid), channels: 4)
        let outcome = detector.advance(Self.rows(values), from: Self.number(420), &state)
        let missing = Set((450..<460).map { Self.grid.instant(of: Self.number($0)) })
        #expect(outcome.scores.count == 70)
        #expect(outcome.changes.allSatisfy { !missing.contains($0.at) })
        #expect(outcome.scores.allSatisfy { !missing.contains($0.at) })
    }

    @Test func `what lasts becomes the new normal`() throws {
        let values = SimulatedGroup(channels: 5, seed: 31).rows(
            700, with: [.init(fault: .offset, channel: 0, rows: 510..<700)])
        let detector = try Self.fit(values, rows: 500)
        var state = GroupState(policy: detector.policy(Self.budget, on: Self.grid), channels: 5)
        let outcome = detector.advance(Self.rows(values), from: Self.number(500), &state)
        let ends = outcome.changes.compactMap { change -> IncidentTransition.Reason? in
            if case .resolved(_, let reason) = change.transition { reason } else { nil }
        }
        #expect(ends.first == .rebased, "\(ends)")
        #expect(state.factors[0] > 2 && state.factors[0] > state.factors[1])
        #expect(!state.isOpen)
    }

    @Test(arguments: [
        (
            [[Double](repeating: 1, count: 500), [Double](repeating: 2, count: 500)],
            GroupError.nothingVaries
        ),
        ([[Double](repeating: .nan, count: 500)], .tooFewRows(found: 0, needed: 200)),
        (SimulatedGroup(channels: 2, seed: 1).rows(199), .tooFewRows(found: 199, needed: 200)),
    ])
    func `what cannot be learned says why`(values: [[Double]], error: GroupError) {
        #expect(throws: error) { try Self.fit(values, rows: values[0].count) }
    }

    @Test func `what moves all members surprises nobody, and what moves one does`() {
        var random = RandomStream(seed: 4)
        let common = (0..<2_000).map { _ in random.normal() }
        let errors = (0..<4).map { _ in common.map { $0 + 0.1 * random.normal() } }
        var splitter = ErrorSplitter(ErrorCovariance(errors))
        let together = splitter.split([3, 3, 3, 3]).squares
        let alone = splitter.split([3, 3, 4, 3]).squares
        #expect(together.allSatisfy { $0 < 3 })
        #expect(alone[2] > 20 && [0, 1, 3].allSatisfy { alone[$0] < alone[2] / 2 })
        // Of what is missing nothing is said, and the others are split among themselves.
        let part = splitter.split([3, .nan, 4, 3])
        #expect(part.squares[1].isNaN && part.squares[2] > 20)
    }

    @Test(
        arguments: [
            ([9, 9, 9], 0.5, 9), ([9, 8, 9], 0.5, 8), ([9, 5, 9], 0.5, 9), ([9, 6, 9], 0.5, 6),
            ([9, 1, 1], 0.5, 1), ([50, 9, 8], 0.5, 8), ([9, 1, 9], 1.0, 1), ([9, nil, 9], 0.5, 9),
            ([9, nil, nil], 0.5, nil), ([9, 9, nil], 1.0, nil), ([nil, nil], 0.1, nil),
        ] as [([Int64?], Double, Int64?)])
    func `rows wait for all but those that are late`(newest: [Int64?], share: Double, row: Int64?) {
        #expect(GroupReadiness.row(newest: newest, share: share, lateness: 3) == row)
    }
}
