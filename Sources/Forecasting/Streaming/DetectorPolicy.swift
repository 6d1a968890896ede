package import Series

/// How the streaming detector judges.
package struct DetectorPolicy: Hashable, Sendable, Codable {
    /// Lags looked back for something alike; also what memory and time of a row grow with.
    package let historyRows: Int
    /// Rows of a day, where the step of the series has one; else 0.
    package let season: Int
    /// Surprise from which on a row is an alert while the budget is untouched, in decades.
    package let threshold: Double
    /// Rows after the last surprising one in which a further one belongs to the same alert.
    package let quietRows: Int
    /// By how much each alert raises the threshold, in decades.
    package let raise: Double
    /// Rows in which one raise wears off: where alerts come faster, the threshold rises until they
    /// come at this rate.
    package let rowsPerAlert: Int
    /// By how much the threshold may sink where alerts come more seldom than that, in decades; 0
    /// leaves it where it is.
    package let relief: Double

    /// The setting chosen on the Numenta Anomaly Benchmark (decision 0037), unless given.
    ///
    /// - Parameters:
    ///   - stepSeconds: Between two rows; a day is its season.
    ///   - historyRows: Above 144.
    ///   - threshold: Above zero.
    ///   - quietRows: Above zero.
    ///   - raise: 0 or more.
    ///   - rowsPerAlert: Above zero.
    ///   - relief: 0 or more, below the threshold.
    package init(
        stepSeconds: Double, historyRows: Int = 20_000, threshold: Double = 0.8,
        quietRows: Int = 50, raise: Double = 0.15, rowsPerAlert: Int = 2_000, relief: Double = 0
    ) {
        precondition(
            stepSeconds > 0 && threshold > 0 && quietRows > 0 && raise >= 0 && rowsPerAlert > 0,
            "DetectorPolicy: \(stepSeconds), \(threshold), \(quietRows), \(raise), \(rowsPerAlert)")
        precondition(relief >= 0 && relief < threshold, "DetectorPolicy: relief \(relief)")
        self.historyRows = historyRows
        let rows = (86_400 / stepSeconds).rounded()
        season = rows >= 2 && rows < Double(historyRows) ? Int(rows) : 0
        self.threshold = threshold
        self.quietRows = quietRows
        self.raise = raise
        self.rowsPerAlert = rowsPerAlert
        self.relief = relief
    }

    /// How far the threshold sinks under a budget, in decades.
    private static let budgetRelief = 0.5
    /// The largest part of the time for one alert in which later surprises belong to it: where rows
    /// are hours, 50 of them leave no room for a second alert in the week.
    private static let budgetQuietShare = 0.1

    /// The same setting with the alert budget of a watch: aimed at, rather than only kept below
    /// (decision 0042).
    ///
    /// - Parameters:
    ///   - budget: Alerts that are allowed in the long run.
    ///   - rate: Of the series.
    ///   - historyRows: Above 144.
    package init(budget: AlertBudget, rate: SamplingRate, historyRows: Int = 20_000) {
        let rows = AlertBudget.secondsPerWeek / rate.stepSeconds / budget.alertsPerWeek
        let rowsPerAlert = Int(min(max(1, rows.rounded()), 1e9))
        let quietRows = Int(Self.budgetQuietShare * Double(rowsPerAlert))
        self.init(
            stepSeconds: rate.stepSeconds, historyRows: historyRows,
            quietRows: min(max(1, quietRows), 50), rowsPerAlert: rowsPerAlert,
            relief: Self.budgetRelief)
    }
}
