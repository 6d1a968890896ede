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
    ///   - figures: Of one detector.
    ///   - scores: Of every series.
    ///   - rows: The labels of every series.
    ///   - learned: Rows at the beginning of every series that count for nothing.
    package static func rank(
        _ figures: inout AnomalyFigures, _ scores: [Scores], _ rows: [LabelledRows], learned: [Int]
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
        guard !volumes.isEmpty else { return }
        figures.volume = volumes.reduce(0, +) / Double(volumes.count)
        figures.averagePrecision = areas.reduce(0, +) / Double(areas.count)
        let best = bestRanges(judged)
        figures.rangePrecision = best.precision
        figures.rangeRecall = best.recall
    }

    /// Adds the three scores of the Numenta Anomaly Benchmark.
    ///
    /// - Parameters:
    ///   - figures: Of one detector.
    ///   - scores: Of every series.
    ///   - corpus: The labels of every series.
    package static func score(
        _ figures: inout AnomalyFigures, _ scores: [Scores], _ corpus: NABCorpus
    ) {
        let alerts = scores.map(\.alerts)
        figures.standard = corpus.optimum(alerts, profile: .standard)?.score
        figures.rewardLowFP = corpus.optimum(alerts, profile: .rewardLowFP)?.score
        figures.rewardLowFN = corpus.optimum(alerts, profile: .rewardLowFN)?.score
    }

    /// Counts the alerts of a detector that decides by itself, outside of all windows.
    ///
    /// - Parameters:
    ///   - scores: Of every series.
    ///   - rows: The labels of every series.
    ///   - learned: Rows at the beginning of every series that count for nothing.
    ///   - stepSeconds: Of every series.
    /// - Returns: By step, the shortest first; nil for a detector that leaves alerts to a threshold.
    package static func quietAlerts(
        _ scores: [Scores], _ rows: [LabelledRows], learned: [Int], stepSeconds: [Double]
    ) -> [QuietAlerts]? {
        guard scores.allSatisfy(\.isDecided) else { return nil }
        return Set(stepSeconds).sorted().map { step in
            let places = rows.indices.filter { stepSeconds[$0] == step }
            var quiet = QuietAlerts(stepSeconds: step, series: places.count)
            for place in places {
                let labels = rows[place].isAnomalous
                for row in learned[place]..<rows[place].count where !labels[row] {
                    quiet.weeks += step / 604_800
                    if scores[place].alerts[row] > 0 { quiet.alerts += 1 }
                }
            }
            return quiet
        }
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
