import Series

/// What scoring has to remember from one batch to the next.
package struct ScoringState: Hashable, Sendable, Codable {
    /// A row of the look-back window in whose place the model sees something else.
    struct StandIn: Hashable, Sendable, Codable {
        let at: Timestamp
        /// Scaled.
        let value: Float
    }

    /// A lasting change of the level.
    struct Shift: Hashable, Sendable, Codable {
        /// The first row of the new level.
        let at: Timestamp
        /// Scaled.
        let size: Double
    }

    /// In time order; none older than the look-back window.
    var standIns: [StandIn] = []
    /// The last row that the model believed; nil before the first batch.
    var origin: Timestamp?
    /// Residuals, in scaled units, of the suspect rows since then.
    var suspects: [Double] = []
    /// In time order, those before the look-back window as one; nil or empty where there was none.
    var shifts: [Shift]?
    /// What was expected of the rows to come, each `aheadStep` rows before; nil where nothing was, or
    /// before this was kept.
    var ahead: Expectations?

    /// Expectations of rows that follow one another.
    struct Expectations: Hashable, Sendable, Codable {
        /// Of the first row.
        let from: Timestamp
        /// Scaled; nil where nothing was expected.
        let values: [Double?]
    }

    package init() {}
}
