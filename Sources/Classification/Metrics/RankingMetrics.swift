/// How well scores tell the recordings with a finding from those without.
///
/// - Source: Reyna et al., CinC 2021, as its program physionetchallenges/evaluation-2021 computes them.
package struct RankingMetrics: Hashable, Sendable {
    /// The chance that a recording with the finding has the higher score; NaN where one side is
    /// empty. Ties count half.
    package let auroc: Double
    /// Average precision; NaN without a positive.
    package let auprc: Double

    /// - Parameters:
    ///   - scores: Finite, one a recording.
    ///   - labels: Whether the recording has the finding; as many.
    package init(scores: [Double], labels: [Bool]) {
        precondition(
            scores.count == labels.count, "RankingMetrics: \(scores.count), \(labels.count)")
        self.init(order: scores.indices.sorted { scores[$0] > scores[$1] }, scores, labels) { _ in 1
        }
    }

    /// The same of a resampled set.
    ///
    /// - Parameters:
    ///   - order: The recordings by falling score.
    ///   - scores: One a recording.
    ///   - labels: One a recording.
    ///   - count: How often a recording is in the set.
    init(order: [Int], _ scores: [Double], _ labels: [Bool], count: (Int) -> Int) {
        var (positives, negatives) = (0, 0)
        for i in order {
            if labels[i] { positives += count(i) } else { negatives += count(i) }
        }
        var (hits, alarms) = (0, 0)
        var (area, precision) = (0.0, 0.0)
        var place = 0
        while place < order.count {
            let score = scores[order[place]]
            let (hitsBefore, alarmsBefore) = (hits, alarms)
            while place < order.count, scores[order[place]] == score {
                let i = order[place]
                if labels[i] { hits += count(i) } else { alarms += count(i) }
                place += 1
            }
            area += Double(hits + hitsBefore) / 2 * Double(alarms - alarmsBefore)
            if hits > hitsBefore {
                precision += Double(hits - hitsBefore) * Double(hits) / Double(hits + alarms)
            }
        }
        let isDefined = positives > 0 && negatives > 0
        auroc = isDefined ? area / (Double(positives) * Double(negatives)) : .nan
        auprc = positives > 0 ? precision / Double(positives) : .nan
    }
}

extension [Double] {
    /// The mean of the numbers that are not NaN; NaN where there is none.
    package var meanOfDefined: Double {
        let defined = filter { !$0.isNaN }
        return defined.isEmpty ? .nan : defined.reduce(0, +) / Double(defined.count)
    }
}
