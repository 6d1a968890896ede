/// Judges the scores of detectors on a labelled set.
package enum AnomalyEvaluation {
    /// The widest buffer of the volume, in rows.
    package static let buffer = 100
    /// Thresholds tried for the range figures.
    private static let thresholdCount = 60

    /// What a detector says of one series.
    package struct Scores: Sendable {
        /// `[rows]`, the higher the more anomalous.
        package let ranking: [Double]
        /// `[rows]`, above zero where it would wake somebody; the same as the ranking for a detector
        /// that leaves that to a threshold.
        package let alerts: [Double]
        /// Whether `alerts` are alerts already, to be counted.
        package let isDecided: Bool

        package init(ranking: [Double], alerts: [Double]? = nil) {
            self.ranking = ranking
            self.alerts = alerts ?? ranking
            isDecided = alerts != nil
        }
    }

    /// Adds the figures that every labelled set has.
    ///
    /// - Parameters:
    ///   - result: Of one detector.
    ///   - scores: Of every series.
    ///   - rows: The labels of every series.
    ///   - learned: Rows at the beginning of every series that count for nothing.
    package static func rank(
        _ result: inout AnomalyResult, _ scores: [Scores], _ rows: [LabelledRows], learned: [Int]
    ) {
        var (volumes, areas) = ([Double](), [Double]())
        var judged: [(ranking: [Double], rows: LabelledRows)] = []
        for (index, one) in rows.enumerated() {
            let rest = one.dropping(learned[index])
            let ranking = Array(scores[index].ranking[learned[index]...])
            judged.append((ranking, rest))
            if let volume = RangeAccuracy.volume(ranking, rest, buffer: buffer) {
                volumes.append(volume)
            }
            if let area = RangeAccuracy.averagePrecision(ranking, rest) { areas.append(area) }
        }
        result.series = rows.count
        guard !volumes.isEmpty else { return }
        result.volume = volumes.reduce(0, +) / Double(volumes.count)
        result.averagePrecision = areas.reduce(0, +) / Double(areas.count)
        let best = bestRanges(judged)
        result.rangePrecision = best.precision
        result.rangeRecall = best.recall
    }

    /// Adds the three scores of the Numenta Anomaly Benchmark.
    ///
    /// - Parameters:
    ///   - result: Of one detector.
    ///   - scores: Of every series.
    ///   - corpus: The labels of every series.
    package static func score(
        _ result: inout AnomalyResult, _ scores: [Scores], _ corpus: NABCorpus
    ) {
        let alerts = scores.map(\.alerts)
        result.standard = corpus.optimum(alerts, profile: .standard)?.score
        result.rewardLowFP = corpus.optimum(alerts, profile: .rewardLowFP)?.score
        result.rewardLowFN = corpus.optimum(alerts, profile: .rewardLowFN)?.score
    }

    /// Counts the alerts of a detector that decides by itself, outside of all windows.
    ///
    /// - Parameters:
    ///   - result: Of one detector.
    ///   - scores: Of every series.
    ///   - rows: The labels of every series.
    ///   - learned: Rows at the beginning of every series that count for nothing.
    ///   - stepSeconds: Of every series.
    package static func count(
        _ result: inout AnomalyResult, _ scores: [Scores], _ rows: [LabelledRows], learned: [Int],
        stepSeconds: [Double]
    ) {
        guard scores.allSatisfy(\.isDecided) else { return }
        var (alerts, weeks) = (0, 0.0)
        for (index, one) in rows.enumerated() {
            let labels = one.isAnomalous
            for row in learned[index]..<one.count where !labels[row] {
                weeks += stepSeconds[index] / 604_800
                if scores[index].alerts[row] > 0 { alerts += 1 }
            }
        }
        result.alertsPerWeek = weeks > 0 ? Double(alerts) / weeks : nil
    }

    /// Precision and recall of ranges at the threshold where both together are best.
    private static func bestRanges(
        _ judged: [(ranking: [Double], rows: LabelledRows)]
    ) -> RangeCount {
        let pooled = judged.flatMap(\.ranking).sorted()
        var best = RangeCount()
        for k in 1...thresholdCount {
            // From the upper half on, ever closer to the largest.
            let share = 1 - 0.5 * Double(k * k) / Double(thresholdCount * thresholdCount)
            let threshold = pooled[min(pooled.count - 1, Int(share * Double(pooled.count)))]
            var count = RangeCount()
            for one in judged { count.add(one.ranking, threshold: threshold, one.rows) }
            if count.f1 > best.f1 { best = count }
        }
        return best
    }
}

extension LabelledRows {
    /// The same without its first rows.
    func dropping(_ count: Int) -> LabelledRows {
        LabelledRows(
            name: name, count: self.count - count,
            windows: windows.filter { $0.upperBound >= count }.map {
                max(0, $0.lowerBound - count)...($0.upperBound - count)
            })
    }
}
