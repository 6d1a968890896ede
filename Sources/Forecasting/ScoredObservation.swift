import Foundation
package import Series

/// One observation against what the model expected of it.
package struct ScoredObservation: Hashable, Sendable {
    /// The same observation against what was expected of it a number of rows before: what drifts too
    /// slowly to be seen from one row to the next is far from that.
    package struct Ahead: Hashable, Sendable {
        /// How many rows ahead the expectation was made.
        package let step: Int
        /// In the unit of the series.
        package let expected: Double
        /// The two-sided tail probability of the residual at that step, in 0...1.
        package let p: Double
        /// −log10 p, in 0...300.
        package let score: Double

        package init(step: Int, expected: Double, p: Double, score: Double) {
            self.step = step
            self.expected = expected
            self.p = p
            self.score = score
        }
    }

    package let at: Timestamp
    /// In the unit of the series; nil where missing, and then there is no score.
    package let observed: Double?
    /// In the unit of the series; nil where too little is known to expect anything.
    package let expected: Double?
    /// The two-sided tail probability of the residual, in 0...1.
    package let p: Double?
    /// −log10 p, in 0...300.
    package let score: Double?
    /// How many rows ahead the expectation was made: 1, or more after missing and suspect rows.
    package let step: Int
    /// Whether this row made a lasting shift of level the new normal.
    package let isShift: Bool
    /// nil where there is no such expectation: a row with a missing or suspect one before it.
    package let ahead: Ahead?

    package init(
        at: Timestamp, observed: Double?, expected: Double?, p: Double?, score: Double?,
        step: Int = 1, isShift: Bool = false, ahead: Ahead? = nil
    ) {
        self.at = at
        self.observed = observed
        self.expected = expected
        self.p = p
        self.score = score
        self.step = step
        self.isShift = isShift
        self.ahead = ahead
    }

    /// What speaks most against the observation, of the two expectations: a score, and what was
    /// expected. The score is of twice that probability, since there were two chances to be surprised
    /// (Bonferroni). nil where there is no score.
    package var evidence: (score: Double, expected: Double)? {
        guard let score, let expected else { return nil }
        guard let ahead else { return (score, expected) }
        let isAhead = ahead.score > score
        return (max(0, max(score, ahead.score) - log10(2)), isAhead ? ahead.expected : expected)
    }
}
