/// Turns surprises into alerts: one for each change, and no more than the budget in the long run.
///
/// Surprising rows that follow one another are one alert. Each alert raises the threshold, and the
/// raise wears off: a series in which something odd happens all the time gets used to it. Where the
/// policy allows it, the threshold goes on sinking below its own level, so that a series with few
/// alerts gives those that the budget has left.
struct AlertGate: Hashable, Sendable, Codable {
    /// By how much the threshold lies above the policy's, in decades; below zero under it.
    private(set) var raised = 0.0
    /// Rows since the last surprising one; nil before the first.
    private var quiet: Int?

    init() {}

    /// Whether the row opens an alert.
    ///
    /// - Parameters:
    ///   - surprise: Of the next row, in decades.
    ///   - policy: The same for all rows.
    /// - Returns: True for the first row of an alert alone.
    mutating func opens(_ surprise: Double, _ policy: DetectorPolicy) -> Bool {
        pass(policy)
        guard surprise >= policy.threshold + raised else { return false }
        let isNew = quiet.map { $0 > policy.quietRows } ?? true
        quiet = 0
        if isNew { raised += policy.raise }
        return isNew
    }

    /// A row goes by that is missing or not judged.
    mutating func pass(_ policy: DetectorPolicy) {
        raised = max(-policy.relief, raised - policy.raise / Double(policy.rowsPerAlert))
        quiet = quiet.map { min($0 + 1, policy.quietRows + 1) }
    }
}
