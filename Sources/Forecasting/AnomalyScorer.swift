package import Series

/// Scores observations by how improbable their forecast errors are.
///
/// Every observation is compared with the forecast made one row before, and its residual with the
/// residuals of the validation windows at that step. Two things would spoil the next expectations
/// and do not: a missing observation, and a suspect one (score at least `suspectScore`). After
/// either, the model goes on from the last row that it believed: the next row is compared with the
/// second step of that forecast and with the residuals at the second step, and so on, and the
/// expected value stands in for the row from then on. So a spike of six hours is six hits and
/// leaves no trace in the seventh expectation, and the widening distribution keeps a stale forecast
/// from calling everything suspect.
///
/// When `suspectsMaximum` rows in a row were suspect, or the forecast ends, what was observed is
/// believed: if the residuals agree in sign and lie close together, the row is marked `isShift`, a
/// lasting change of level that is the normal from here on: the rows before it enter the window
/// lifted by its size.
///
/// A missing observation gets no score: a gap is never an anomaly.
package struct AnomalyScorer: Sendable {
    /// Rows forecast at a time while nothing is missing or suspect.
    private static let chunkMaximum = 512
    private static let chunkAfterSuspect = 4
    /// Spread of the residuals, over their mean, up to which suspect rows are one shift of level.
    static let shiftSpread = 0.5

    package let policy: ScoringPolicy
    let pipeline: FittedPipeline

    package init(_ pipeline: FittedPipeline, policy: ScoringPolicy = ScoringPolicy()) {
        self.pipeline = pipeline
        self.policy = policy
    }

    /// Rows before the first one scored that the history should hold for the same scores in batches
    /// of any size.
    package var historyRows: Int { pipeline.task.lag + pipeline.residuals.count + 1 }

    /// Scores rows of a history, on their own.
    ///
    /// - Parameters:
    ///   - history: On the step of the fitted series.
    ///   - range: The rows to score.
    /// - Returns: One for every row of `range`.
    /// - Throws: `ForecastError.stepMismatch`.
    package func score(
        history: TimeSeries, range: Range<Int>
    ) throws(ForecastError) -> [ScoredObservation] {
        var state = ScoringState()
        return try score(history: history, range: range, state: &state)
    }

    /// Scores rows of a history that follow those scored before.
    ///
    /// - Parameters:
    ///   - history: On the step of the fitted series; `historyRows` before the range are enough.
    ///   - range: The rows to score; the rows before it were scored, or are taken as they are.
    ///   - state: As the batch before left it.
    /// - Returns: One for every row of `range`.
    /// - Throws: `ForecastError.stepMismatch`.
    package func score(
        history: TimeSeries, range: Range<Int>, state: inout ScoringState
    ) throws(ForecastError) -> [ScoredObservation] {
        try pipeline.check(stepOf: history)
        precondition(
            range.lowerBound >= 0 && range.upperBound <= history.values.count,
            "AnomalyScorer: rows \(range) of \(history.values.count)")
        var run = ScoringRun(
            pipeline: pipeline, policy: policy, history: history, first: range.lowerBound,
            state: state)
        var chunk = Self.chunkMaximum
        while run.row < range.upperBound {
            if run.origin == run.row - 1 {
                let end = min(range.upperBound, run.row + chunk)
                let isClean = run.scoreNeighbours(through: end)
                chunk = isClean ? min(chunk * 2, Self.chunkMaximum) : Self.chunkAfterSuspect
            } else {
                run.scoreAlone()
            }
        }
        state = run.state(lag: pipeline.task.lag)
        return run.scored
    }
}
