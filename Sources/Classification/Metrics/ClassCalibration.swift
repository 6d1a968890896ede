internal import Foundation

/// Turns the logit of a class into a probability: `σ(slope·logit + offset)`.
///
/// - Source: Platt, "Probabilistic outputs for support vector machines", 1999, with his targets that
///   keep few positives from making a slope without end.
package struct ClassCalibration: Hashable, Sendable, Codable {
    package let slope: Double
    package let offset: Double

    package init(slope: Double, offset: Double) {
        self.slope = slope
        self.offset = offset
    }

    /// Logits as they are.
    package static let none = ClassCalibration(slope: 1, offset: 0)

    /// The probability of a logit, 0…1.
    package func probability(_ logit: Double) -> Double {
        1 / (1 + exp(-self.logit(logit)))
    }

    /// The logit of the probability.
    func logit(_ logit: Double) -> Double { slope * logit + offset }

    /// The most likely slope and offset on recordings that were not trained on, by Newton's method.
    ///
    /// The slope is at least 0: a class that ranks worse than chance gets its share everywhere.
    ///
    /// - Parameters:
    ///   - logits: One a recording.
    ///   - labels: As many.
    package init(fitting logits: [Double], _ labels: [Bool]) {
        precondition(logits.count == labels.count, "ClassCalibration: \(logits.count) logits")
        let positives = Double(labels.count { $0 })
        let negatives = Double(labels.count) - positives
        let high = (positives + 1) / (positives + 2)
        let low = 1 / (negatives + 2)
        let targets = labels.map { $0 ? high : low }
        let prior = log((positives + 1) / (negatives + 1))
        var (a, b) = (0.0, prior)
        var value = Self.loss(a, b, logits, targets)
        for _ in 0..<100 {
            var (ga, gb, haa, hab, hbb) = (0.0, 0.0, 1e-10, 0.0, 1e-10)
            for (x, t) in zip(logits, targets) {
                let p = 1 / (1 + exp(-(a * x + b)))
                let w = p * (1 - p)
                ga += (p - t) * x
                gb += p - t
                haa += w * x * x
                hab += w * x
                hbb += w
            }
            let determinant = haa * hbb - hab * hab
            guard abs(ga) + abs(gb) > 1e-9, determinant > 0 else { break }
            let (da, db) = (
                (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
            )
            var step = 1.0
            while step > 1e-6 {
                let next = Self.loss(a - step * da, b - step * db, logits, targets)
                if next < value {
                    (a, b, value) = (a - step * da, b - step * db, next)
                    break
                }
                step /= 2
            }
            if step <= 1e-6 { break }
        }
        (slope, offset) = a > 0 ? (a, b) : (0, prior)
    }

    private static func loss(
        _ a: Double, _ b: Double, _ logits: [Double], _ targets: [Double]
    ) -> Double {
        var sum = 0.0
        for (logit, target) in zip(logits, targets) {
            let x = a * logit + b
            sum += max(x, 0) - target * x + log1p(exp(-abs(x)))
        }
        return sum
    }
}

/// Stated probabilities beside what was found: bins of equal width, and their mean distance.
package struct Reliability: Hashable, Sendable, Codable {
    /// The recordings whose probability lies in one bin.
    package struct Bin: Hashable, Sendable, Codable {
        package let count: Int
        /// The mean of the stated probabilities.
        package let stated: Double
        /// The share that has the finding.
        package let found: Double
    }

    /// Bins with a recording, by rising probability.
    package let bins: [Bin]

    /// - Parameters:
    ///   - probabilities: 0…1.
    ///   - labels: As many.
    ///   - count: How many bins of equal width 0…1 is cut into.
    package init(_ probabilities: [Double], _ labels: [Bool], bins count: Int = 10) {
        var (sums, hits) = ([Double](repeating: 0, count: count), [Int](repeating: 0, count: count))
        var counts = hits
        for (probability, label) in zip(probabilities, labels) {
            let bin = min(count - 1, max(0, Int(probability * Double(count))))
            counts[bin] += 1
            sums[bin] += probability
            hits[bin] += label ? 1 : 0
        }
        bins = (0..<count).filter { counts[$0] > 0 }.map { bin in
            let all = Double(counts[bin])
            return Bin(count: counts[bin], stated: sums[bin] / all, found: Double(hits[bin]) / all)
        }
    }

    /// The mean distance between stated and found, weighted by recordings (ECE); 0 of none.
    ///
    /// - Source: Naeini, Cooper, Hauskrecht 2015.
    package var calibrationError: Double {
        let all = Double(max(1, bins.reduce(0) { $0 + $1.count }))
        return bins.reduce(0) { $0 + Double($1.count) / all * abs($1.stated - $1.found) }
    }
}
