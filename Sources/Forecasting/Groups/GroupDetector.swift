import Foundation
import Models
package import Series

/// Why a group cannot be judged yet.
package enum GroupError: Error, Hashable, Sendable, CustomStringConvertible {
    case tooFewRows(found: Int, needed: Int)
    /// No member varies, or none has enough values.
    case nothingVaries

    /// One sentence without sample values.
    package var description: String {
        switch self {
        case .tooFewRows(let found, let needed):
            "the group has \(found) rows to learn from; at least \(needed) are needed"
        case .nothingVaries: "no member of the group varies and has enough values to learn from"
        }
    }
}

/// How a group is learned.
package struct GroupOptions: Hashable, Sendable {
    /// Seed of training.
    package var seed: UInt64 = 0
    /// The version of the executable, recorded with each detector.
    package var codeVersion = ""
    /// Rows learned from at most, the newest.
    package static let rowsMaximum = 10_000
    /// Rows without which nothing is learned.
    package static let rowsMinimum = 200
    /// Rows before the first one judged that are enough for any detector.
    package static let historyMaximum: Int64 = 100

    package init() {}

    /// What the auto-encoder is told for a number of rows.
    ///
    /// - Parameter rows: Rows to learn from, calibration included.
    /// - Returns: A window of a tenth of them, from 10 to 100, and an update for 15 of them, from 200
    ///   to 600.
    func network(rows: Int) -> StackVAEOptions {
        StackVAEOptions(
            seed: seed, steps: min(600, max(200, rows / 15)), window: min(100, max(10, rows / 10)),
            blanks: 0.05)
    }
}

/// Judges the rows of a group by the errors of a stacked auto-encoder: of each member, what the
/// errors of the others do not explain, over what is usual.
///
/// Learned on the older four fifths of the rows, with which errors go together; on the newest fifth it
/// is found out which are usual, and how rare a surprise is. Missing values take no part anywhere.
package struct GroupDetector: Sendable {
    /// The share of the rows, the newest, that calibrate.
    private static let calibrationShare = 0.2
    /// The largest errors of a member, which may be faults, are left out of what is usual.
    private static let trimmedShare = 0.01
    /// The least that is usual, where 1 is what the covariance says.
    private static let usualMinimum = 0.1
    /// The share of the judged members that a row needs for a score.
    private static let presentShare = 0.5

    let network: StackVAEDetector
    let errors: ErrorCovariance
    /// `[channel]`, the usual square of what is unexplained; NaN for one that is not judged.
    let usual: [Double]
    let tail: SurpriseTail
    /// The surprises of the calibration rows; NaN for a row without.
    let calibration: [Double]
    package let report: GroupReport

    init(
        network: StackVAEDetector, errors: ErrorCovariance, usual: [Double], calibration: [Double],
        report: GroupReport
    ) {
        self.network = network
        self.errors = errors
        self.usual = usual
        self.calibration = calibration
        self.report = report
        var tail = SurpriseTail()
        for surprise in calibration where !surprise.isNaN { tail.add(surprise) }
        self.tail = tail
    }

    /// Learns a group.
    ///
    /// - Parameters:
    ///   - rows: The newest rows; what is not to be learned is missing.
    ///   - options: Seed and version.
    ///   - progress: Told how much is done, in 0...1; what it throws ends the training.
    /// - Returns: The detector.
    /// - Throws: `GroupError`, or what `progress` throws.
    package static func fit(
        _ rows: GroupRows, options: GroupOptions, progress: (Double) throws -> Void = { _ in }
    ) throws -> GroupDetector {
        let rows = learnable(rows)
        guard rows.count >= GroupOptions.rowsMinimum else {
            throw GroupError.tooFewRows(found: rows.count, needed: GroupOptions.rowsMinimum)
        }
        let settings = options.network(rows: rows.count)
        let learned = rows.count - Int(Double(rows.count) * calibrationShare)
        let network = try StackVAEDetector.fit(
            rows.values.map { Array($0.prefix(learned)) }, options: settings
        ) { step in
            try progress(Double(step) / Double(settings.steps + 1))
        }
        guard let network else { throw GroupError.nothingVaries }
        // What goes together is found where it was learned, so that the rest is judged on rows that
        // had no part in it.
        let begin = settings.window - 1
        let all = network.errors(rows.values, from: begin, number: rows.first)
        let errors = ErrorCovariance(all.map { Array($0.prefix(learned - begin)) })
        let made = all.map { Array($0.suffix(rows.count - learned)) }
        guard !errors.judged.isEmpty else { throw GroupError.nothingVaries }
        var splitter = ErrorSplitter(errors)
        let squares = (0..<rows.count - learned).map { row in
            splitter.split(made.map { $0[row] }).squares
        }
        let usual = rows.values.indices.map { channel in Self.usual(squares.map { $0[channel] }) }
        let calibration = squares.map { row in
            surprise(zip(row, usual).map { $0 / $1 }, judged: usual)
        }
        return GroupDetector(
            network: network, errors: errors, usual: usual, calibration: calibration,
            report: GroupReport(
                members: rows.values.count, judged: usual.count { !$0.isNaN },
                trainedRows: learned, calibrationRows: rows.count - learned, firstRow: rows.first,
                lastRow: rows.last, window: settings.window, steps: settings.steps,
                seed: settings.seed, codeVersion: options.codeVersion))
    }

    /// The newest rows, from the first one on by which half of the members had begun.
    private static func learnable(_ rows: GroupRows) -> GroupRows {
        let begun = rows.values.compactMap { $0.firstIndex { !$0.isNaN } }.sorted()
        guard !begun.isEmpty else { return GroupRows(grid: rows.grid, first: 0, values: []) }
        let first = max(begun[(begun.count - 1) / 2], rows.count - GroupOptions.rowsMaximum)
        return rows.slice(rows.first + Int64(first)...rows.last)
    }

    private static func usual(_ errors: [Double]) -> Double {
        let there = errors.filter { !$0.isNaN }.sorted()
        guard !there.isEmpty else { return .nan }
        let kept = there.prefix(max(1, there.count - Int(Double(there.count) * trimmedShare)))
        return max(usualMinimum, kept.reduce(0, +) / Double(kept.count))
    }

    /// The mean of the surprises that are there; NaN where they are too few.
    static func surprise(_ parts: [Double], judged: [Double]) -> Double {
        let there = parts.filter { !$0.isNaN }
        let wanted = presentShare * Double(judged.count { !$0.isNaN })
        guard !there.isEmpty, Double(there.count) >= wanted else { return .nan }
        return there.reduce(0, +) / Double(there.count)
    }

    /// The rows of history that judging a row needs, itself left out.
    package var historyRows: Int { network.configuration.window - 1 }

    /// The row after which the group is to be learned anew: after a quarter more rows than it was
    /// learned on, but a day at least.
    package func renewal(on grid: GroupGrid) -> Int64 {
        let day = 86_400_000_000 / grid.stepMicroseconds
        return report.lastRow + max(Int64(report.trainedRows + report.calibrationRows) / 4, day, 1)
    }

    /// −log10 of the share of rows that were at least as surprising; at most 300.
    func score(_ surprise: Double) -> Double { min(300, tail.score(surprise)) }

    /// Everything but the score at which an incident begins.
    package static let policy = IncidentPolicy(fireScore: 1)

    /// The policy whose threshold keeps to a budget on the calibration rows.
    package func policy(_ budget: AlertBudget, on grid: GroupGrid) -> IncidentPolicy {
        let first = report.lastRow - Int64(calibration.count) + 1
        let tried = calibration.enumerated().map { place, surprise in
            ScoredObservation(
                surprise, score: score(surprise), at: grid.instant(of: first + Int64(place)))
        }
        return budget.policy(on: tried, rate: grid.rate)
    }
}

/// What a detector was learned on.
package struct GroupReport: Hashable, Sendable, Codable {
    package let members: Int
    /// Members that varied, and were there often enough to be calibrated.
    package let judged: Int
    package let trainedRows: Int
    package let calibrationRows: Int
    /// Numbers on the grid of the group.
    package let firstRow: Int64
    package let lastRow: Int64
    package let window: Int
    package let steps: Int
    package let seed: UInt64
    package let codeVersion: String
}

extension ScoredObservation {
    /// A row of a group: its surprise stands for the observation, and 1 is as usual. One that is NaN
    /// is missing.
    init(_ surprise: Double, score: Double, at: Timestamp, isShift: Bool = false) {
        let isThere = !surprise.isNaN
        self.init(
            at: at, observed: isThere ? surprise : nil, expected: isThere ? 1 : nil,
            p: isThere ? pow(10, -score) : nil, score: isThere ? score : nil, isShift: isShift)
    }
}
