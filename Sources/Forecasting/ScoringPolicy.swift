/// How scoring treats observations that the model does not believe.
package struct ScoringPolicy: Hashable, Sendable, Codable {
    /// From this score on an observation is suspect: it is scored, but the model goes on with what
    /// it expected instead.
    ///
    /// Best well above the score at which incidents fire: where ordinary surprises were not believed
    /// either, the model would fall behind any series that wanders (measured on ETTh1: with 1.4,
    /// four rows in five).
    package let suspectScore: Double
    /// Suspect observations in a row after which the model believes them after all.
    package let suspectsMaximum: Int
    /// Rows ahead of the further expectation that every observation is compared with; 1 for none.
    package let aheadStep: Int

    /// - Parameters:
    ///   - suspectScore: Above zero.
    ///   - suspectsMaximum: At least 2; kept below the horizon of the model.
    ///   - aheadStep: At least 1; kept within the horizon of the model.
    package init(suspectScore: Double = 4, suspectsMaximum: Int = 24, aheadStep: Int = 24) {
        precondition(
            suspectScore > 0 && suspectsMaximum >= 2 && aheadStep >= 1,
            "ScoringPolicy: \(suspectScore), \(suspectsMaximum), \(aheadStep)")
        self.suspectScore = suspectScore
        self.suspectsMaximum = suspectsMaximum
        self.aheadStep = aheadStep
    }
}
