/// How good scores are on a labelled set; nil where a figure makes no sense.
package struct AnomalyFigures: Hashable, Sendable, Codable {
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

    enum CodingKeys: String, CodingKey {
        case standard
        case rewardLowFP = "reward_low_FP"
        case rewardLowFN = "reward_low_FN"
        case volume = "vus_pr"
        case averagePrecision = "auc_pr"
        case rangePrecision = "range_precision"
        case rangeRecall = "range_recall"
        case alertsPerWeek = "alerts_per_week"
    }

    package init() {}

    private static let all: [any WritableKeyPath<AnomalyFigures, Double?> & Sendable] = [
        \.standard, \.rewardLowFP, \.rewardLowFN, \.volume, \.averagePrecision, \.rangePrecision,
        \.rangeRecall, \.alertsPerWeek,
    ]

    /// The mean of several, and how far they spread.
    ///
    /// - Parameter many: At least one.
    /// - Returns: Means, and standard deviations; nil for these where there is only one.
    package static func summary(
        of many: [AnomalyFigures]
    ) -> (mean: AnomalyFigures, spread: AnomalyFigures?) {
        precondition(!many.isEmpty, "AnomalyFigures: the mean of nothing")
        var (mean, spread) = (AnomalyFigures(), AnomalyFigures())
        for figure in all {
            let values = many.compactMap { $0[keyPath: figure] }
            guard values.count == many.count else { continue }
            let centre = values.reduce(0, +) / Double(values.count)
            mean[keyPath: figure] = centre
            guard values.count > 1 else { continue }
            let squares = values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) }
            spread[keyPath: figure] = (squares / Double(values.count - 1)).squareRoot()
        }
        return (mean, many.count > 1 ? spread : nil)
    }
}

/// The alerts of a detector outside of all windows, on the series of one step.
package struct QuietAlerts: Hashable, Sendable, Encodable {
    package let stepSeconds: Double
    package let series: Int
    package internal(set) var alerts = 0
    package internal(set) var weeks = 0.0
    package var perWeek: Double { weeks > 0 ? Double(alerts) / weeks : 0 }

    /// Over all steps; nil where no time has passed.
    package static func perWeek(_ all: [QuietAlerts]) -> Double? {
        let weeks = all.reduce(0) { $0 + $1.weeks }
        return weeks > 0 ? Double(all.reduce(0) { $0 + $1.alerts }) / weeks : nil
    }

    init(stepSeconds: Double, series: Int) {
        self.stepSeconds = stepSeconds
        self.series = series
    }

    enum CodingKeys: String, CodingKey {
        case stepSeconds = "step_seconds"
        case series, alerts, weeks
        case perWeek = "per_week"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(stepSeconds, forKey: .stepSeconds)
        try container.encode(series, forKey: .series)
        try container.encode(alerts, forKey: .alerts)
        try container.encode(weeks, forKey: .weeks)
        try container.encode(perWeek, forKey: .perWeek)
    }
}

/// How one detector did on a labelled set.
package struct AnomalyResult: Sendable, Encodable {
    package let detector: String
    /// Means over the seeds.
    package var figures: AnomalyFigures
    /// Standard deviations over the seeds; nil for what has no seed, or only one.
    package var spread: AnomalyFigures?
    /// How many seeds; nil for what has none.
    package var seeds: Int?
    /// Series judged.
    package var series: Int
    /// Of the computation, all seeds together, on the clock of the caller.
    package var seconds: Double?
    /// By step, of a detector that decides by itself.
    package var quietAlerts: [QuietAlerts]?

    package init(detector: String, figures: AnomalyFigures, series: Int) {
        self.detector = detector
        self.figures = figures
        self.series = series
    }

    private enum CodingKeys: String, CodingKey {
        case detector, spread, seeds, series, seconds
        case quietAlerts = "quiet_alerts"
    }

    /// The figures lie beside the name, not within it.
    package func encode(to encoder: any Encoder) throws {
        try figures.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(detector, forKey: .detector)
        try container.encodeIfPresent(spread, forKey: .spread)
        try container.encodeIfPresent(seeds, forKey: .seeds)
        try container.encode(series, forKey: .series)
        try container.encodeIfPresent(seconds, forKey: .seconds)
        try container.encodeIfPresent(quietAlerts, forKey: .quietAlerts)
    }
}
