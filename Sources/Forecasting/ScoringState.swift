import Series

/// What scoring has to remember from one batch to the next.
package struct ScoringState: Hashable, Sendable, Codable {
    /// A row of the look-back window in whose place the model sees something else.
    struct StandIn: Hashable, Sendable, Codable {
        let at: Timestamp
        /// Scaled.
        let value: Float
    }

    /// In time order; none older than the look-back window.
    var standIns: [StandIn] = []
    /// The last row that the model believed; nil before the first batch.
    var origin: Timestamp?
    /// Residuals, in scaled units, of the suspect rows since then.
    var suspects: [Double] = []

    package init() {}
}
