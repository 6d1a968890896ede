/// Chooses the probabilities from which findings are positive, on recordings not trained on.
package enum Thresholds {
    /// The threshold of the largest F-measure, half-way between two probabilities that occur.
    ///
    /// - Parameters:
    ///   - probabilities: One a recording.
    ///   - labels: As many.
    /// - Returns: 0…1; 0.5 where nobody has the finding.
    package static func best(_ probabilities: [Double], _ labels: [Bool]) -> Double {
        let order = probabilities.indices.sorted { probabilities[$0] > probabilities[$1] }
        let positives = labels.count { $0 }
        guard positives > 0 else { return 0.5 }
        var (hits, best, threshold) = (0, -1.0, 0.5)
        for (place, index) in order.enumerated() {
            if labels[index] { hits += 1 }
            let next = place + 1 < order.count ? probabilities[order[place + 1]] : 0
            guard next < probabilities[index] || place + 1 == order.count else { continue }
            let measure = 2 * Double(hits) / Double(place + 1 + positives)
            if measure > best { (best, threshold) = (measure, (probabilities[index] + next) / 2) }
        }
        return threshold
    }

    /// The thresholds that raise the Challenge metric, one class after the other.
    ///
    /// - Parameters:
    ///   - start: One a class.
    ///   - probabilities: `[recordings][classes]`
    ///   - labels: `[recordings][classes]`
    ///   - metric: Over the same classes.
    ///   - sweeps: How often every class is visited.
    /// - Returns: One a class, in hundredths where it was moved.
    /// - Source: Coordinate ascent; the objective is that of Reyna et al., CinC 2021.
    package static func ascended(
        from start: [Double], _ probabilities: [[Double]], _ labels: [[Bool]],
        _ metric: ChallengeMetric, sweeps: Int = 3
    ) -> [Double] {
        var thresholds = start
        var decisions = probabilities.map { zip($0, thresholds).map { $0 >= $1 } }
        // The metric is a rising linear function of the sum of credits, so that the sum decides.
        var credits = zip(decisions, labels).map { metric.credit($0, $1) }
        var total = credits.reduce(0, +)
        for _ in 0..<sweeps {
            let before = total
            for k in start.indices {
                // With class k said of each recording, and not.
                let (with, without) = (
                    Self.credits(decisions, labels, metric, k, true),
                    Self.credits(decisions, labels, metric, k, false)
                )
                var best = (sum: total, threshold: thresholds[k])
                for hundredth in 1..<100 {
                    let threshold = Double(hundredth) / 100
                    var sum = 0.0
                    for i in labels.indices {
                        sum += probabilities[i][k] >= threshold ? with[i] : without[i]
                    }
                    if sum > best.sum + 1e-9 { best = (sum, threshold) }
                }
                thresholds[k] = best.threshold
                for i in labels.indices {
                    decisions[i][k] = probabilities[i][k] >= best.threshold
                    credits[i] = decisions[i][k] ? with[i] : without[i]
                }
                total = credits.reduce(0, +)
            }
            if total <= before + 1e-9 { break }
        }
        return thresholds
    }

    private static func credits(
        _ decisions: [[Bool]], _ labels: [[Bool]], _ metric: ChallengeMetric, _ k: Int, _ says: Bool
    ) -> [Double] {
        zip(decisions, labels).map { decision, label in
            var decision = decision
            decision[k] = says
            return metric.credit(decision, label)
        }
    }
}
