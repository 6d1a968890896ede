package import Series

/// One observation against what the model expected of it.
package struct ScoredObservation: Hashable, Sendable {
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

    package init(
        at: Timestamp, observed: Double?, expected: Double?, p: Double?, score: Double?,
        step: Int = 1, isShift: Bool = false
    ) {
        self.at = at
        self.observed = observed
        self.expected = expected
        self.p = p
        self.score = score
        self.step = step
        self.isShift = isShift
    }
}
