package import Models
package import Series

/// The members of a group on one grid, each scaled by its own training rows.
package struct JointSeries: Sendable {
    package let names: [String]
    package let rows: Int
    /// Of every member; one without a value that varies keeps its level, and a deviation of 1.
    package let standardisers: [Standardiser]
    /// Members that hold no value in the training rows, or the same one always.
    package let idle: [Int]
    /// Scaled, NaN where missing: `[member, row]`.
    let scaled: [Double]
    /// The same with gaps filled from the past, 0 where there is none.
    let filled: [Float]
    /// What networks gather windows from.
    package private(set) var windows: TSM2Series<Float>

    package var members: Int { names.count }

    /// - Parameters:
    ///   - names: Of the members.
    ///   - values: `[member][row]`, in units of the members, NaN where missing; of one length.
    ///   - train: The rows that scales are learned from.
    /// - Throws: `ForecastError.allMissing` or `.constantSeries` where no member has anything to learn.
    package init(
        names: [String], values: [[Double]], train: Range<Int>
    ) throws(ForecastError) {
        let rows = values.first?.count ?? 0
        precondition(
            names.count == values.count && values.allSatisfy { $0.count == rows },
            "JointSeries: \(names.count) names, \(values.map(\.count)) values")
        var (standardisers, idle, scaled): ([Standardiser], [Int], [Double]) = ([], [], [])
        var objection = ForecastError.allMissing(rows: rows)
        for (member, own) in values.enumerated() {
            let learnt = own[train]
            do {
                standardisers.append(try Standardiser(fitting: learnt))
            } catch {
                if case .constantSeries = error { objection = error }
                standardisers.append(
                    Standardiser(mean: learnt.first { $0.isFinite } ?? 0, deviation: 1))
                idle.append(member)
            }
            scaled += standardisers[member].scale(own).map { $0.isFinite ? $0 : .nan }
        }
        guard idle.count < names.count else { throw objection }
        self.init(names, rows, standardisers, idle, scaled)
    }

    /// Members scaled as those that a model was trained on; traps where their number is another.
    package init(names: [String], values: [[Double]], scaledBy standardisers: [Standardiser]) {
        precondition(values.count == standardisers.count, "JointSeries: \(values.count) members")
        let scaled = zip(standardisers, values).flatMap { own, values in
            own.scale(values).map { $0.isFinite ? $0 : .nan }
        }
        self.init(names, values.first?.count ?? 0, standardisers, [], scaled)
    }

    private init(
        _ names: [String], _ rows: Int, _ standardisers: [Standardiser], _ idle: [Int],
        _ scaled: [Double]
    ) {
        (self.names, self.rows, self.standardisers) = (names, rows, standardisers)
        (self.idle, self.scaled) = (idle, scaled)
        filled = names.indices.flatMap { member in
            CausalFill.fill(Array(scaled[member * rows..<(member + 1) * rows]), season: 1).map {
                $0.isFinite ? Float($0) : 0
            }
        }
        windows = TSM2Series(scaled.map { Float($0) }, variates: names.count)
    }

    /// What is known of every row beforehand; nil for nothing.
    package private(set) var calendar: GroupCalendar?

    /// Adds what is known of every row beforehand.
    ///
    /// - Parameters:
    ///   - calendar: Of the group's steps.
    ///   - start: When the first row is.
    ///   - beyond: Rows to come that are known too.
    package mutating func know(_ calendar: GroupCalendar, from start: Timestamp, beyond: Int = 0) {
        self.calendar = calendar
        windows.futures = calendar.features(from: start, rows: rows + beyond)
    }

    /// Adds what is known of every member once and for all: `[member, count]`.
    package mutating func know(statics: [Float]) { windows.statics = statics }

    /// Windows of a part of the rows: a start s means inputs `s..<s+lag` and targets behind them. Windows
    /// without any input or without any target are left out; before the training rows nothing is read,
    /// other parts look back into the part before.
    package func starts(of part: Split.Part, lag: Int, horizon: Int, _ split: Split) -> [Int] {
        let targets = split.targets(of: part)
        let first = max(0, targets.lowerBound - (part == .train ? 0 : lag))
        let last = targets.upperBound - lag - horizon
        guard first <= last else { return [] }
        guard windows.known != nil else { return Array(first...last) }
        let known = (0..<rows).map { row in
            names.indices.contains { scaled[$0 * rows + row].isFinite } ? 0.0 : .nan
        }
        let gaps = GapIndex(known)
        return (first...last).filter {
            gaps.missing(in: $0..<$0 + lag) < lag
                && gaps.missing(in: $0 + lag..<$0 + lag + horizon) < horizon
        }
    }

    /// The same windows of every member by itself, as starts in `filled`, without those that would have
    /// gaps.
    func pooled(
        _ starts: [Int], lag: Int, horizon: Int, of members: [Int]? = nil
    ) -> [Int] {
        let members = members ?? Array(names.indices)
        return members.filter { !idle.contains($0) }.flatMap { member -> [Int] in
            guard windows.known != nil else { return starts.map { $0 + member * rows } }
            let gaps = GapIndex(Array(scaled[member * rows..<(member + 1) * rows]))
            return starts.filter { gaps.missing(in: $0..<$0 + lag + horizon) == 0 }
                .map { $0 + member * rows }
        }
    }
}
