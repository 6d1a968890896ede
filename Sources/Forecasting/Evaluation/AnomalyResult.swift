/// How one detector did on a labelled set; nil where a figure makes no sense for it.
package struct AnomalyResult: Sendable, Codable {
    package let detector: String
    /// The benchmark's three profiles, each at its best threshold; NAB alone.
    package var standard: Double?
    package var rewardLowFP: Double?
    package var rewardLowFN: Double?
    /// Mean over the series with labels; its buffer is `AnomalyEvaluation.buffer` rows.
    package var volume: Double?
    /// Mean over the series with labels, each row by itself.
    package var averagePrecision: Double?
    /// At the one threshold for all series with the best range F1: an optimistic figure, for every
    /// detector alike.
    package var rangePrecision: Double?
    package var rangeRecall: Double?
    /// On rows outside of all windows, after what was learned from.
    package var alertsPerWeek: Double?
    /// Series judged.
    package var series: Int?
    /// Of the computation, on the clock of the caller.
    package var seconds: Double?

    enum CodingKeys: String, CodingKey {
        case detector, standard, series, seconds
        case rewardLowFP = "reward_low_FP"
        case rewardLowFN = "reward_low_FN"
        case volume = "vus_pr"
        case averagePrecision = "auc_pr"
        case rangePrecision = "range_precision"
        case rangeRecall = "range_recall"
        case alertsPerWeek = "alerts_per_week"
    }

    package init(detector: String) { self.detector = detector }
}
