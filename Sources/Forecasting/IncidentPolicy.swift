/// When scores become an incident, and when it is over.
package struct IncidentPolicy: Hashable, Sendable, Codable {
    /// A score from here on is a hit.
    package let fireScore: Double
    /// Below it a firing incident starts to recover; not above `fireScore`.
    package let clearScore: Double
    /// Hits among the last `window` scored observations that open an incident.
    package let hits: Int
    /// Scored observations looked back on.
    package let window: Int
    /// Clear observations in a row that resolve an incident. Hits closer together than this belong
    /// to one incident.
    package let keep: Int
    /// The least distance of observed and expected that counts, in the unit of the series.
    package let minimumEffect: Double
    /// Missing observations in a row after which a firing incident resolves, since nobody knows.
    package let silenceMaximum: Int
    /// Rows in which one alert is allowed in the long run: where they come faster the scores above are
    /// raised, where they come slower lowered. nil for scores that stay.
    package let rowsPerAlert: Int?

    /// - Parameters:
    ///   - fireScore: Above zero.
    ///   - clearScore: Half of `fireScore` unless given.
    ///   - hits: In `1...window`.
    ///   - window: In `1...1000`.
    ///   - keep: At least 1.
    ///   - minimumEffect: Zero or more, in the unit of the series.
    ///   - silenceMaximum: At least 1.
    ///   - rowsPerAlert: At least 1, or nil.
    package init(
        fireScore: Double, clearScore: Double? = nil, hits: Int = 2, window: Int = 3, keep: Int = 3,
        minimumEffect: Double = 0, silenceMaximum: Int = 24, rowsPerAlert: Int? = nil
    ) {
        let clear = clearScore ?? fireScore / 2
        precondition(fireScore > 0 && clear <= fireScore, "IncidentPolicy: \(fireScore), \(clear)")
        precondition(
            hits >= 1 && hits <= window && window <= 1_000, "IncidentPolicy: \(hits) of \(window)")
        precondition(
            keep >= 1 && minimumEffect >= 0 && silenceMaximum >= 1,
            "IncidentPolicy: keep \(keep), effect \(minimumEffect), silence \(silenceMaximum)")
        precondition(rowsPerAlert ?? 1 >= 1, "IncidentPolicy: no row for an alert")
        self.fireScore = fireScore
        self.clearScore = clear
        self.hits = hits
        self.window = window
        self.keep = keep
        self.minimumEffect = minimumEffect
        self.silenceMaximum = silenceMaximum
        self.rowsPerAlert = rowsPerAlert
    }
}
