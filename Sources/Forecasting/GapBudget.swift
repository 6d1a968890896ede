/// How much may be missing in a window before its inputs are filled no longer.
package struct GapBudget: Hashable, Sendable, Codable {
    /// Missing values in one window; in steps.
    package let missingMaximum: Int
    /// Missing values in a row; in steps.
    package let runMaximum: Int

    /// The budget of a task: a tenth of the window, and no gap longer than one season (where there
    /// is no season, than a twentieth of the window). The naive forecast, which a value of an
    /// earlier season serves as well, bears half a window.
    package init(_ task: ForecastTask, _ family: Family) {
        if family == .seasonalNaive {
            missingMaximum = task.lag / 2
            runMaximum = max(task.season, task.lag / 2)
            return
        }
        missingMaximum = task.lag / 10
        runMaximum = task.season > 1 ? task.season : max(1, task.lag / 20)
    }

    /// Whether the missing values in `range` may be filled.
    func allows(_ range: Range<Int>, _ gaps: GapIndex) -> Bool {
        let missing = gaps.missing(in: range)
        if missing == 0 { return true }
        return missing <= missingMaximum && missing < range.count
            && gaps.longestRun(in: range) <= runMaximum
    }

    /// The error that says by how much `range` is over the budget; nil if it is not.
    func objection(to range: Range<Int>, _ gaps: GapIndex) -> ForecastError? {
        if allows(range, gaps) { return nil }
        return .tooManyGaps(
            missing: gaps.missing(in: range), longest: gaps.longestRun(in: range),
            window: range.count, missingMaximum: missingMaximum, runMaximum: runMaximum)
    }
}

/// Answers how much of any range is missing; counts in constant time.
struct GapIndex: Sendable {
    /// `[rows + 1]`; missing values before each row.
    private let before: [Int]
    /// `[rows]`; how many missing values in a row end here, 0 where the value is there.
    private let run: [Int]

    init(_ values: [Double]) {
        var before = [0]
        var run: [Int] = []
        before.reserveCapacity(values.count + 1)
        run.reserveCapacity(values.count)
        for value in values {
            let missing = !value.isFinite
            before.append(before[before.count - 1] + (missing ? 1 : 0))
            run.append(missing ? (run.last ?? 0) + 1 : 0)
        }
        self.before = before
        self.run = run
    }

    func missing(in range: Range<Int>) -> Int {
        before[range.upperBound] - before[range.lowerBound]
    }

    /// The longest run of missing values within `range`; what lies before the range does not count.
    func longestRun(in range: Range<Int>) -> Int {
        if missing(in: range) == 0 { return 0 }
        return range.reduce(0) { longest, row in
            max(longest, min(run[row], row - range.lowerBound + 1))
        }
    }
}

/// Fills missing inputs from the past: the value one season earlier, or else the last one; what
/// precedes the first observation takes its value.
///
/// Used for model inputs only, never for targets, scores or anything that is stored.
enum CausalFill {
    static func fill(_ values: [Double], season: Int) -> [Double] {
        guard let first = values.first(where: { $0.isFinite }) else { return values }
        var filled = values
        for row in filled.indices where !filled[row].isFinite {
            if season > 1, row >= season {
                filled[row] = filled[row - season]
            } else {
                filled[row] = row > 0 ? filled[row - 1] : first
            }
        }
        return filled
    }
}
