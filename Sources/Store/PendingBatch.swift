package import Postgres
package import Series

/// The range of time that is stored at once, by the database's clock; what lies outside is parked.
package struct ObservationLimits: Sendable {
    package let earliest: Timestamp
    package let latest: Timestamp

    /// - Parameter db: A session or transaction.
    /// - Throws: `PostgresError`.
    package init(in db: borrowing Session) throws {
        let row = try db.run("SELECT earliest, latest FROM systole.observation_limits()").only()
        earliest = try row.timestamp("earliest")
        latest = try row.timestamp("latest")
    }

    /// The observations that are stored at once, in the order given.
    package func accepted(_ observations: [Observation]) -> [Observation] {
        let isInside = { (row: Observation) in row.at >= earliest && row.at <= latest }
        return observations.allSatisfy(isInside) ? observations : observations.filter(isInside)
    }
}

/// The observations of one series on their way into the database: in order, each instant once.
struct PendingBatch {
    let id: SeriesID
    /// What is to be stored as new; ascending, every instant once.
    private(set) var rows: [Observation] = []
    /// What is to replace a stored value; ascending, every instant once.
    private(set) var revisions: [Observation] = []
    private(set) var parked: [(row: Observation, reason: String)] = []
    var counts = AppendCounts()
    /// Whether the database has observations between the first and the last row.
    var overlaps = false

    /// Microseconds since 1970 of the first row; there must be one.
    var first: Int64 { rows[0].at.microseconds }
    /// Microseconds since 1970 of the last row; there must be one.
    var last: Int64 { rows[rows.count - 1].at.microseconds }

    init(
        _ id: SeriesID, _ observations: [Observation], limits: ObservationLimits, rule: ConflictRule
    ) {
        precondition(
            observations.allSatisfy { $0.value.isFinite }, "SeriesStore.append: no finite value")
        self.id = id
        let sorted = Self.ascending(observations)
        let outside = sorted.first.map { $0.at < limits.earliest } ?? false
        if outside || (sorted.last.map { $0.at > limits.latest } ?? false) {
            rows.reserveCapacity(sorted.count)
            for row in sorted {
                if row.at < limits.earliest {
                    parked.append((row, "before-1900"))
                } else if row.at > limits.latest {
                    parked.append((row, "future"))
                } else {
                    rows.append(row)
                }
            }
        } else {
            rows = sorted
        }
        counts.parked = parked.count
        dropRepeats(rule)
    }

    /// In order of time, equal instants in the order given.
    private static func ascending(_ observations: [Observation]) -> [Observation] {
        let isAscending = zip(observations, observations.dropFirst()).allSatisfy { $0.at <= $1.at }
        if isAscending { return observations }
        // The standard library's sort keeps the order of equals, as its documentation says it may;
        // the index makes sure of it.
        return observations.enumerated()
            .sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
            .map(\.element)
    }

    /// Makes every instant unique: under `.keep` the first value counts, under `.revise` the last.
    private mutating func dropRepeats(_ rule: ConflictRule) {
        let isStrict = zip(rows, rows.dropFirst()).allSatisfy { $0.at < $1.at }
        if isStrict { return }
        var kept: [Observation] = []
        kept.reserveCapacity(rows.count)
        for row in rows {
            guard let last = kept.last, last.at == row.at else {
                kept.append(row)
                continue
            }
            if last.value == row.value {
                counts.duplicate += 1
            } else if rule == .keep {
                counts.conflicting += 1
            } else {
                counts.revised += 1
                kept[kept.count - 1] = row
            }
        }
        rows = kept
    }

    /// Takes every row for new.
    mutating func acceptAll() { counts.inserted += rows.count }

    /// Leaves the rows that are not stored yet, and those that replace a stored value.
    ///
    /// - Parameters:
    ///   - stored: The stored observations at the instants of `rows`, and maybe others; ascending.
    ///   - rule: What happens where a value differs.
    mutating func settle(against stored: [Observation], rule: ConflictRule) {
        var new: [Observation] = []
        var next = stored.startIndex
        for row in rows {
            while next < stored.endIndex, stored[next].at < row.at { next += 1 }
            guard next < stored.endIndex, stored[next].at == row.at else {
                new.append(row)
                continue
            }
            if stored[next].value == row.value {
                counts.duplicate += 1
            } else if rule == .keep {
                counts.conflicting += 1
            } else {
                counts.revised += 1
                revisions.append(row)
            }
        }
        rows = new
        counts.inserted += new.count
    }

    /// The runs of calendar years, in UTC, in which rows lie.
    static func years(of batches: [PendingBatch]) -> [ClosedRange<Int>] {
        var years: Set<Int> = []
        for batch in batches {
            var next = Int64.min
            for row in batch.rows where row.at.microseconds >= next {
                let day = row.at.microseconds.flooredQuotient(by: 86_400_000_000)
                let year = CivilDate.fromDays(day).year
                years.insert(Int(year))
                next = CivilDate.days(year: year + 1, month: 1, day: 1) * 86_400_000_000
            }
        }
        var runs: [ClosedRange<Int>] = []
        for year in years.sorted() {
            if let last = runs.last, last.upperBound == year - 1 {
                runs[runs.count - 1] = last.lowerBound...year
            } else {
                runs.append(year...year)
            }
        }
        return runs
    }
}
