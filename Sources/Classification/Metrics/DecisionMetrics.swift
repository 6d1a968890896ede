/// How good yes-or-no answers are.
///
/// - Source: Reyna et al., CinC 2021, as its program physionetchallenges/evaluation-2021 computes them.
package enum DecisionMetrics {
    /// The F-measure of one class, `2TP/(2TP + FP + FN)`; NaN where nobody has it or is said to.
    ///
    /// - Parameters:
    ///   - decisions: One a recording.
    ///   - labels: As many.
    /// - Returns: 0…1, or NaN.
    package static func fMeasure(_ decisions: [Bool], _ labels: [Bool]) -> Double {
        var (hits, errors) = (0, 0)
        for (decision, label) in zip(decisions, labels) {
            if decision, label { hits += 1 }
            if decision != label { errors += 1 }
        }
        let whole = 2 * hits + errors
        return whole == 0 ? .nan : Double(2 * hits) / Double(whole)
    }

    /// The share of recordings whose whole set of findings is right.
    ///
    /// - Parameters:
    ///   - decisions: `[recordings][classes]`
    ///   - labels: `[recordings][classes]`
    /// - Returns: 0…1; NaN of no recording.
    package static func exactMatch(_ decisions: [[Bool]], _ labels: [[Bool]]) -> Double {
        let matches = zip(decisions, labels).count { $0 == $1 }
        return decisions.isEmpty ? .nan : Double(matches) / Double(decisions.count)
    }
}

/// The score of the PhysioNet/CinC Challenge 2021: 1 for the truth, 0 for answering sinus rhythm
/// always, and partial credit for a diagnosis whose treatment is alike.
///
/// - Source: Reyna et al., CinC 2021; physionetchallenges/evaluation-2021, commit e2a75fc01f72.
package struct ChallengeMetric: Sendable {
    /// `[classes][classes]`
    package let weights: [[Double]]
    /// Number of the class of sinus rhythm.
    package let sinus: Int

    package init(weights: [[Double]], sinus: Int) {
        precondition(
            weights.allSatisfy { $0.count == weights.count } && weights.indices.contains(sinus),
            "ChallengeMetric: \(weights.count) rows, sinus \(sinus)")
        self.weights = weights
        self.sinus = sinus
    }

    /// - Parameters:
    ///   - decisions: `[recordings][classes]`
    ///   - labels: `[recordings][classes]`
    /// - Returns: At most 1, below 0 where sinus rhythm alone were the better answer; 0 where the
    ///   truth scores no higher than that.
    package func score(_ decisions: [[Bool]], _ labels: [[Bool]]) -> Double {
        let inactive = labels.map { row in row.indices.map { $0 == sinus } }
        let (found, truth) = (credit(decisions, labels), credit(labels, labels))
        let least = credit(inactive, labels)
        return truth == least ? 0 : (found - least) / (truth - least)
    }

    /// The sum of the weights of all pairs of a label and a decision, each over the size of the
    /// union of both.
    func credit(_ decisions: [[Bool]], _ labels: [[Bool]]) -> Double {
        zip(decisions, labels).reduce(0) { $0 + credit($1.0, $1.1) }
    }

    /// The credit of one recording.
    func credit(_ decisions: [Bool], _ labels: [Bool]) -> Double {
        var union = 0
        var sum = 0.0
        for j in labels.indices {
            if labels[j] || decisions[j] { union += 1 }
            guard labels[j] else { continue }
            for k in decisions.indices where decisions[k] { sum += weights[j][k] }
        }
        return sum / Double(max(1, union))
    }
}
