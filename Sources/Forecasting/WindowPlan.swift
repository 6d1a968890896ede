/// The windows of every part: a start s means inputs s..<s+lag and targets s+lag..<s+lag+horizon.
///
/// A validation or test window may look back into the part before it, but its targets lie in its
/// own part. Training windows lie in the training rows altogether. A window with a missing target
/// is never used; one with missing inputs only if `inputs` allows it.
package struct WindowPlan: Sendable {
    /// What becomes of windows whose inputs have gaps.
    package enum Inputs: Hashable, Sendable {
        /// Only windows without a missing value.
        case complete
        /// Also windows whose gaps the budget allows to be filled.
        case filled(GapBudget)
    }

    /// The windows of one part.
    package struct Windows: Hashable, Sendable {
        /// Ascending.
        package let starts: [Int]
        /// Windows taken out because of missing values.
        package let excluded: Int
    }

    package let train: Windows
    package let validation: Windows
    package let test: Windows

    /// - Parameters:
    ///   - values: The series, in any unit; NaN where missing.
    ///   - task: Lag and horizon.
    ///   - split: Of as many rows as there are values, or the call traps.
    ///   - inputs: What becomes of windows whose inputs have gaps.
    package init(
        values: [Double], task: ForecastTask, split: Split, inputs: Inputs = .complete
    ) {
        precondition(
            values.count == split.rows, "WindowPlan: \(values.count) values, \(split.rows) rows")
        let gaps = GapIndex(values)
        func windows(_ part: Split.Part) -> Windows {
            let targets = split.targets(of: part)
            let first = max(0, targets.lowerBound - (part == .train ? 0 : task.lag))
            let last = targets.upperBound - task.lag - task.horizon
            guard first <= last else { return Windows(starts: [], excluded: 0) }
            let starts = (first...last).filter { start in
                let middle = start + task.lag
                guard gaps.missing(in: middle..<(middle + task.horizon)) == 0 else { return false }
                switch inputs {
                case .complete: return gaps.missing(in: start..<middle) == 0
                case .filled(let budget): return budget.allows(start..<middle, gaps)
                }
            }
            return Windows(starts: starts, excluded: last - first + 1 - starts.count)
        }
        train = windows(.train)
        validation = windows(.validation)
        test = windows(.test)
    }
}
