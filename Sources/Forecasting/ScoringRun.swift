import Series

/// One pass over the rows of one history.
struct ScoringRun {
    let pipeline: FittedPipeline
    let policy: ScoringPolicy
    let history: TimeSeries
    let gaps: GapIndex
    let budget: GapBudget
    /// `[rows]`, scaled, less the shifts of the level so far; NaN where missing.
    var observed: [Double]
    /// `[rows]`, scaled: what the model sees; finite.
    var inputs: [Float]
    /// Rows in whose place the model sees something else than was observed.
    var standIns: [Int: Float] = [:]
    /// The last row believed; −1 where there is none.
    var origin: Int
    var suspects: [Double]
    /// Lasting changes of the level, in time order. What follows one is seen less its size, so that
    /// the model goes on at the level that it was trained at.
    var shifts: [ScoringState.Shift]
    /// The forecast made at `origin`, scaled; empty until needed.
    var path: [Float] = []
    /// Rows ahead of the further expectation; 1 for none.
    let aheadStep: Int
    /// What was expected of rows, scaled, `aheadStep` rows before.
    var ahead: [Int: Double] = [:]
    var row: Int
    var scored: [ScoredObservation] = []

    init(
        pipeline: FittedPipeline, policy: ScoringPolicy, history: TimeSeries, first: Int,
        state: ScoringState
    ) {
        self.pipeline = pipeline
        self.policy = policy
        self.history = history
        gaps = GapIndex(history.values)
        budget = GapBudget(pipeline.task, pipeline.family)
        shifts = state.shifts ?? []
        aheadStep = min(policy.aheadStep, pipeline.residuals.count)
        observed = pipeline.standardiser.scale(history.values)
        for shift in shifts {
            let first = max(0, history.grid.nearestIndex(to: shift.at))
            for place in min(first, observed.count)..<observed.count {
                observed[place] -= shift.size
            }
        }
        inputs = CausalFill.fill(observed, season: pipeline.task.season).map { Self.input($0) }
        row = first
        origin = observed[..<first].lastIndex { $0.isFinite } ?? -1
        suspects = state.suspects
        let grid = history.grid
        for standIn in state.standIns {
            let place = grid.nearestIndex(to: standIn.at)
            guard inputs.indices.contains(place), place < first else { continue }
            inputs[place] = standIn.value
            standIns[place] = standIn.value
        }
        if let expectations = state.ahead {
            let from = grid.nearestIndex(to: expectations.from)
            for (index, value) in expectations.values.enumerated() { ahead[from + index] = value }
        }
        if let instant = state.origin {
            let place = grid.nearestIndex(to: instant)
            if place >= 0, place < first { origin = place } else { suspects = [] }
        }
    }

    /// Scores rows whose origin is the row before, all from one batch of forecasts, and stops after
    /// the first one that is missing, suspect or without a window.
    ///
    /// - Returns: Whether all rows up to `end` were scored.
    mutating func scoreNeighbours(through end: Int) -> Bool {
        let lag = pipeline.task.lag
        guard hasWindow(endingAt: origin) else {
            passOver()
            return true
        }
        let first = row
        let starts = (first - lag)..<(end - lag)
        let expected = pipeline.forecaster.next(inputs, starts: starts, lag: lag)
        let further =
            aheadStep > 1
            ? pipeline.forecaster.ahead(inputs, starts: starts, lag: lag, step: aheadStep) : []
        while row < end {
            guard hasWindow(endingAt: row - 1) else { return true }
            if aheadStep > 1 { ahead[row - 1 + aheadStep] = Double(further[row - first]) }
            guard judge(Double(expected[row - first]), step: 1) else { return false }
        }
        return true
    }

    /// Scores the next row from a forecast that was made more than one row ago.
    mutating func scoreAlone() {
        let step = row - origin
        guard hasWindow(endingAt: origin) else { return passOver() }
        guard step <= pipeline.residuals.count else { return believe(from: origin + 1, until: row) }
        if path.isEmpty {
            let lag = pipeline.task.lag
            path = pipeline.forecaster.forecast(
                inputs, starts: [origin + 1 - lag], lag: lag, steps: pipeline.residuals.count)
        }
        _ = judge(Double(path[step - 1]), step: step)
    }

    /// Scores the next row and decides whether the model believes it.
    ///
    /// - Returns: Whether it does.
    private mutating func judge(_ expected: Double, step: Int) -> Bool {
        let value = observed[row]
        guard value.isFinite else {
            append(expected: expected)
            standIn(Float(expected))
            return false
        }
        let residual = value - expected
        let (p, score) = pipeline.residuals[step - 1].probability(of: residual)
        guard score >= policy.suspectScore else {
            append(expected: expected, p: p, score: score, step: step)
            settle(at: row)
            row += 1
            return true
        }
        suspects.append(residual)
        let isEnough = suspects.count >= min(policy.suspectsMaximum, pipeline.residuals.count)
        let isShift = suspects.count >= policy.suspectsMaximum && Self.agree(suspects)
        append(expected: expected, p: p, score: score, step: step, isShift: isShift)
        let isInvention = restsOnStandIn
        standIn(Float(expected))
        if isShift { rebase() }
        if isEnough {
            believe(from: origin + 1, until: row)
        } else if isInvention {
            // Seen, but not believed: the suspects before it may be the beginning of a shift.
            inputs[row - 1] = Self.input(value)
            standIns[row - 1] = nil
        }
        return false
    }

    /// Whether a season before, within the look-back, holds a stand-in at the place of the current
    /// row. What the model expects there may then be its own invention, and must not overrule what
    /// was observed: a wrong value would live on from season to season.
    private var restsOnStandIn: Bool {
        let (season, lag) = (pipeline.task.season, pipeline.task.lag)
        guard season > 1, !standIns.isEmpty else { return false }
        return stride(from: row - season, through: row - lag, by: -season).contains {
            standIns[$0] != nil
        }
    }

    /// Takes what was observed since the origin for true.
    private mutating func believe(from first: Int, until end: Int) {
        for place in first..<end where observed[place].isFinite {
            inputs[place] = Self.input(observed[place])
            standIns[place] = nil
        }
        settle(at: end - 1)
    }

    /// Sees everything after the origin less the size of a shift that began there.
    private mutating func rebase() {
        let size = suspects.reduce(0, +) / Double(suspects.count)
        shifts.append(.init(at: history.grid.instant(at: origin + 1), size: size))
        for place in (origin + 1)..<observed.count { observed[place] -= size }
        let filled = CausalFill.fill(observed, season: pipeline.task.season)
        for place in (origin + 1)..<observed.count { inputs[place] = Self.input(filled[place]) }
    }

    private mutating func settle(at place: Int) {
        origin = place
        path = []
        suspects = []
    }

    /// The model goes on with `value` in place of the current row.
    private mutating func standIn(_ value: Float) {
        inputs[row] = value
        standIns[row] = value
        row += 1
    }

    /// Leaves the current row without expectation, since there is no window to make one from.
    private mutating func passOver() {
        append(expected: nil)
        settle(at: row)
        row += 1
    }

    /// Whether a forecast can be made at `origin`: enough rows, and no more gaps than may be filled.
    private func hasWindow(endingAt origin: Int) -> Bool {
        let lag = pipeline.task.lag
        return origin + 1 >= lag && budget.allows((origin + 1 - lag)..<(origin + 1), gaps)
    }

    private mutating func append(
        expected: Double?, p: Double? = nil, score: Double? = nil, step: Int = 1,
        isShift: Bool = false
    ) {
        let value = history.values[row]
        let level = shifts.reduce(0) { $0 + $1.size }
        let further = ahead.removeValue(forKey: row)
        scored.append(
            ScoredObservation(
                at: history.grid.instant(at: row), observed: value.isFinite ? value : nil,
                expected: expected.map { pipeline.standardiser.unscale($0 + level) }, p: p,
                score: score, step: step, isShift: isShift,
                ahead: value.isFinite ? further.map { compared(with: $0, level: level) } : nil))
    }

    /// The current row against what was expected of it `aheadStep` rows before.
    private func compared(with expected: Double, level: Double) -> ScoredObservation.Ahead {
        let (p, score) = pipeline.residuals[aheadStep - 1].probability(of: observed[row] - expected)
        return ScoredObservation.Ahead(
            step: aheadStep, expected: pipeline.standardiser.unscale(expected + level), p: p,
            score: score)
    }

    /// A scaled value as the model sees it. A sensor that answers 1e300 must not become an infinity
    /// in `Float`, and everything expected after it no number.
    private static func input(_ value: Double) -> Float { Float(min(max(value, -1e6), 1e6)) }

    /// Whether residuals have one sign and lie close together.
    private static func agree(_ residuals: [Double]) -> Bool {
        let mean = residuals.reduce(0, +) / Double(residuals.count)
        let squares = residuals.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = (squares / Double(residuals.count)).squareRoot()
        return residuals.allSatisfy { $0 * mean > 0 }
            && deviation <= AnomalyScorer.shiftSpread * abs(mean)
    }

    /// What the next batch has to know.
    func state(lag: Int) -> ScoringState {
        var state = ScoringState()
        state.origin = origin >= 0 ? history.grid.instant(at: origin) : nil
        state.suspects = suspects
        state.standIns = standIns.filter { $0.key > origin - lag }.sorted { $0.key < $1.key }
            .map { .init(at: history.grid.instant(at: $0.key), value: $0.value) }
        let pending = ahead.filter { $0.key >= row }
        if let last = pending.keys.max() {
            state.ahead = .init(
                from: history.grid.instant(at: row), values: (row...last).map { pending[$0] })
        }
        let window = history.grid.instant(at: max(0, row - lag - pipeline.residuals.count))
        let old = shifts.filter { $0.at < window }
        if let last = old.last {
            state.shifts = [.init(at: last.at, size: old.reduce(0) { $0 + $1.size })]
        }
        state.shifts = (state.shifts ?? []) + shifts.filter { $0.at >= window }
        return state
    }
}
