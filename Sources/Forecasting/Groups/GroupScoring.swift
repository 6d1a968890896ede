import Foundation
import Models
package import Series

/// What one row of a group was found to be.
package struct GroupScore: Hashable, Sendable {
    package let at: Timestamp
    /// The share of ordinary rows that are at least as surprising.
    package let p: Double
    /// −log10 p, in 0...300.
    package let score: Double
    /// `[channel]`, the squared error in units of what is usual for the member; NaN where it is
    /// missing or not judged.
    package let surprises: [Double]
}

/// The part of one member in the surprise of a row.
package struct GroupPart: Hashable, Sendable, Codable {
    /// Which channel.
    package let channel: Int
    /// In 0...1.
    package let share: Double
    /// In the unit of the series.
    package let observed: Double
    /// In the unit of the series.
    package let expected: Double
}

/// A row that stood out, and the members that made it so, the largest part first.
package struct GroupPeak: Hashable, Sendable, Codable {
    /// The most members that are named.
    package static let partsMaximum = 10

    package let at: Timestamp
    package let parts: [GroupPart]
}

/// A transition of the incident machine of a group.
package struct GroupChange: Hashable, Sendable {
    package let transition: IncidentTransition
    package let at: Timestamp
    /// The row at the peak of the incident; nil where its channels are no longer known.
    package let peak: GroupPeak?
    /// The score at which the incident began.
    package let threshold: Double

    /// Whether an incident begins.
    package var isOpening: Bool {
        if case .opened = transition { true } else { false }
    }
}

/// All that the scores and incidents of further rows depend on, beside the detector.
package struct GroupState: Hashable, Sendable, Codable {
    var machine: IncidentMachine
    /// Hits of the last rows that the machine looks back on.
    var recent: [GroupPeak] = []
    /// The row at the peak of the incident that is open.
    var peak: GroupPeak?
    /// What became usual since the detector was learned, `[channel]`; 1 for most.
    var factors: [Double]
    /// Rows since the incident began, and the surprises in them, `[channel]`.
    var openRows = 0
    var openSums: [Double] = []
    var openCounts: [Int] = []

    /// A state to begin with.
    package init(policy: IncidentPolicy, channels: Int) {
        machine = IncidentMachine(policy: policy)
        factors = [Double](repeating: 1, count: channels)
    }

    /// Whether an incident is open.
    package var isOpen: Bool { machine.incident != nil }
    /// The score at which incidents begin.
    package var threshold: Double { machine.policy.fireScore }
    /// For how many channels it was made.
    package var channels: Int { factors.count }

    /// The state to go on with after the group was learned anew; an open incident is brought to its
    /// end by the policy that opened it.
    package func renewed(_ policy: IncidentPolicy, channels: Int) -> GroupState {
        var next = GroupState(policy: policy, channels: channels)
        guard isOpen else { return next }
        // The channels may be others.
        next.machine = machine
        next.begin()
        return next
    }

    /// Goes on with another policy, unless an incident is open.
    package mutating func adopt(_ policy: IncidentPolicy) {
        guard !isOpen else { return }
        machine = IncidentMachine(policy: policy)
        recent = []
    }

    /// Begins to count what an incident is made of.
    mutating func begin() {
        openRows = 0
        openSums = [Double](repeating: 0, count: channels)
        openCounts = [Int](repeating: 0, count: channels)
    }
}

extension GroupDetector {
    /// The rows of a group that could be scored, and what they did.
    package struct Outcome: Sendable {
        package var scores: [GroupScore] = []
        package var changes: [GroupChange] = []
        /// The number of the last row that was looked at.
        package var through: Int64

        /// Nothing found up to a row.
        package init(through: Int64) { self.through = through }
    }

    /// Scores rows, and moves the incident machine through them.
    ///
    /// Rows in pieces give the bits of rows in one go. It stops behind the row after which the group
    /// is to be learned anew, as soon as no incident is open there.
    ///
    /// - Parameters:
    ///   - rows: End with the rows to score; before them the history. Rows before the history that
    ///     is there are missing.
    ///   - first: The number of the first row to score.
    ///   - state: As the row before left it.
    /// - Returns: A score for every row that has one, and the transitions in order.
    package func advance(_ rows: GroupRows, from first: Int64, _ state: inout GroupState) -> Outcome
    {
        let renewal = renewal(on: rows.grid)
        var outcome = Outcome(through: first - 1)
        // No further than to the renewal at first: behind it only an open incident goes on.
        while outcome.through < rows.last, outcome.through < renewal || state.isOpen {
            let begin = outcome.through + 1
            let end =
                begin <= renewal ? min(rows.last, renewal) : min(rows.last, begin + Int64(63))
            pass(rows, begin...end, renewal, &state, &outcome)
        }
        return outcome
    }

    /// The scores of rows, without a machine.
    package func scores(_ rows: GroupRows, from first: Int64) -> [GroupScore] {
        let ones = [Double](repeating: 1, count: usual.count)
        let made = errors(rows, first...rows.last)
        var splitter = ErrorSplitter(errors)
        return (first...rows.last).compactMap { number in
            let squares = splitter.split(made.map { $0[Int(number - first)] }).squares
            return score(squares, ones, at: rows.grid.instant(of: number)).score
        }
    }

    /// `[channel][row]`, the errors of the auto-encoder.
    private func errors(_ rows: GroupRows, _ numbers: ClosedRange<Int64>) -> [[Double]] {
        let missing = max(0, historyRows - Int(numbers.lowerBound - rows.first))
        let pad = [Double](repeating: .nan, count: missing)
        let end = Int(numbers.upperBound - rows.first) + 1
        let known = rows.values.map { pad + $0.prefix(end) }
        return network.errors(
            known, from: missing + Int(numbers.lowerBound - rows.first),
            number: rows.first - Int64(missing))
    }

    /// NaN, and no score, where too few members are there.
    private func score(
        _ squares: [Double], _ factors: [Double], at: Timestamp
    ) -> (surprise: Double, score: GroupScore?) {
        let parts = usual.indices.map { squares[$0] / (usual[$0] * factors[$0]) }
        let surprise = Self.surprise(parts, judged: usual)
        guard !surprise.isNaN else { return (surprise, nil) }
        let score = score(surprise)
        return (
            surprise, GroupScore(at: at, p: pow(10, -score), score: score, surprises: parts)
        )
    }

    private func pass(
        _ rows: GroupRows, _ numbers: ClosedRange<Int64>, _ renewal: Int64,
        _ state: inout GroupState, _ outcome: inout Outcome
    ) {
        let made = errors(rows, numbers)
        var splitter = ErrorSplitter(errors)
        for number in numbers {
            if number > renewal, !state.isOpen { return }
            outcome.through = number
            let at = rows.grid.instant(of: number)
            let split = splitter.split(made.map { $0[Int(number - numbers.lowerBound)] })
            let (surprise, scored) = score(split.squares, state.factors, at: at)
            var peak: GroupPeak?
            if let scored {
                outcome.scores.append(scored)
                if scored.score >= state.threshold {
                    let row = rows.values.map { $0[Int(number - rows.first)] }
                    peak = GroupPeak(
                        at: at, parts: parts(scored.surprises, row, split.unexplained))
                }
            }
            let change = state.take(
                surprise, scored, peak, at: at, rebaseRows: network.configuration.window)
            if let change { outcome.changes.append(change) }
        }
    }

    /// The largest parts of a row; what is expected of a member follows from its past and the others.
    private func parts(
        _ surprises: [Double], _ row: [Double], _ unexplained: [Double]
    ) -> [GroupPart] {
        let sum = surprises.reduce(0) { $0 + ($1.isNaN ? 0 : $1) }
        let best = surprises.indices.filter { !surprises[$0].isNaN }
            .sorted { (-surprises[$0], $0) < (-surprises[$1], $1) }
        return best.prefix(GroupPeak.partsMaximum).map { channel in
            GroupPart(
                channel: channel, share: sum > 0 ? surprises[channel] / sum : 0,
                observed: row[channel],
                expected: row[channel] - unexplained[channel] * network.scale(of: channel))
        }
    }
}

extension GroupState {
    /// Takes one row; an incident that has lasted for `rebaseRows` rows is the new normal.
    mutating func take(
        _ surprise: Double, _ scored: GroupScore?, _ hit: GroupPeak?, at: Timestamp, rebaseRows: Int
    ) -> GroupChange? {
        if isOpen, let scored {
            openRows += 1
            for (channel, part) in scored.surprises.enumerated() where !part.isNaN {
                openSums[channel] += part
                openCounts[channel] += 1
            }
        }
        let wasOpen = isOpen
        let isShift =
            wasOpen && scored != nil && machine.phase == .firing && openRows >= rebaseRows
        let threshold = machine.fireScore
        let transition = machine.advance(
            ScoredObservation(surprise, score: scored?.score ?? 0, at: at, isShift: isShift))
        if let hit {
            recent = (recent + [hit]).suffix(machine.policy.window)
            if machine.incident?.peak.at == at { peak = hit }
        }
        if !wasOpen, let incident = machine.incident {
            peak = recent.last { $0.at == incident.peak.at }
            begin()
        }
        defer { if !isOpen { (peak, openRows) = (nil, 0) } }
        if isShift { rebase() }
        return transition.map { transition in
            GroupChange(
                transition: transition, at: at, peak: transition.isAt(hit) ?? peak,
                threshold: threshold)
        }
    }

    /// What the members did while the incident was open is as usual from now on.
    private mutating func rebase() {
        for channel in factors.indices where openCounts[channel] > 0 {
            factors[channel] *= max(1, openSums[channel] / Double(openCounts[channel]))
        }
    }
}

extension IncidentTransition {
    /// The incident it is about.
    package var incident: Incident {
        switch self {
        case .opened(let incident), .updated(let incident), .resolved(let incident, _),
            .shifted(let incident):
            incident
        }
    }

    /// `hit`, where the incident that ended peaked at it.
    fileprivate func isAt(_ hit: GroupPeak?) -> GroupPeak? {
        hit.flatMap { $0.at == incident.peak.at ? $0 : nil }
    }
}
