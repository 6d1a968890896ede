import Foundation

/// The distribution of the residuals at one step of the horizon: as observed in the middle, a
/// generalised Pareto tail on either side.
///
/// Between the 5 % and 95 % quantiles the observed quantiles are interpolated. Beyond, where too few
/// residuals lie, the excess over the threshold follows a Pareto tail fitted by probability-weighted
/// moments, its shape kept within 0 (exponential) to 0.5: a shape below 0 would call the largest
/// residual ever seen a bound, and make everything beyond it impossible. Continuous at the
/// thresholds, and falling all the way.
///
/// - Source: Hosking, Wallis 1987, "Parameter and quantile estimation for the generalized Pareto
///   distribution".
struct ResidualDistribution: Hashable, Sendable {
    /// Quantiles kept of the middle.
    static let knotCount = 65
    /// Length of `numbers`.
    static let numberCount = knotCount + 5
    /// Share of the residuals in either tail; more where there are too few to fit one.
    static let tailShare = 0.05
    /// Residuals that a tail needs.
    static let tailCountMinimum = 10
    /// The largest score given; beyond it a probability is no number that anyone believes.
    static let scoreMaximum = 300.0
    /// The smallest width of a tail, in scaled units, so that a series that never erred can be
    /// scored.
    static let widthMinimum = 1e-6

    /// One tail: the excess e over its threshold has survival `(1 + shape·e/width)^(−1/shape)`.
    struct Tail: Hashable, Sendable {
        let width: Double
        let shape: Double

        /// The decimal logarithm of the survival, 0 or less.
        func logSurvival(_ excess: Double) -> Double {
            let x = excess / width
            // The limit of the power is the exponential, and below 1e-6 they agree in Double.
            if shape < 1e-6 { return -x / M_LN10 }
            return -log10(1 + shape * x) / shape
        }
    }

    /// Probability of either tail.
    let share: Double
    /// `[knotCount]`, ascending; quantiles at equal distances from `share` to `1 − share`.
    let knots: [Double]
    let lower: Tail
    let upper: Tail

    /// - Parameter residuals: In scaled units, in any order; at least two, or the call traps.
    init(_ residuals: [Double]) {
        precondition(residuals.count >= 2, "ResidualDistribution: \(residuals.count) residuals")
        let sorted = residuals.sorted()
        let needed = Double(Self.tailCountMinimum) / Double(sorted.count)
        let share = min(max(Self.tailShare, needed), 0.45)
        let knots = (0..<Self.knotCount).map { k in
            let place = share + (1 - 2 * share) * Double(k) / Double(Self.knotCount - 1)
            return Self.quantile(sorted, place)
        }
        let (low, high) = (knots[0], knots[Self.knotCount - 1])
        let floor = max(Self.widthMinimum, (high - low) * 0.01)
        self.share = share
        self.knots = knots
        lower = Self.tail(
            sorted.prefix { $0 < low }.reversed().map { low - $0 }, widthMinimum: floor)
        upper = Self.tail(sorted.drop { $0 <= high }.map { $0 - high }, widthMinimum: floor)
    }

    /// The state as it was stored; nil where it is no distribution.
    ///
    /// - Parameter numbers: As `numbers` gives them.
    init?(numbers: [Double]) {
        guard numbers.count == Self.numberCount, numbers.allSatisfy(\.isFinite) else {
            return nil
        }
        let knots = Array(numbers[5...])
        let ascends = zip(knots, knots.dropFirst()).allSatisfy { $0 <= $1 }
        let isShare = numbers[0] > 0 && numbers[0] < 0.5
        guard isShare, numbers[1] > 0, numbers[3] > 0, numbers[2] >= 0, numbers[4] >= 0, ascends
        else { return nil }
        share = numbers[0]
        lower = Tail(width: numbers[1], shape: numbers[2])
        upper = Tail(width: numbers[3], shape: numbers[4])
        self.knots = knots
    }

    /// `[numberCount]`: share, width and shape of the lower and of the upper tail, the knots.
    var numbers: [Double] {
        [share, lower.width, lower.shape, upper.width, upper.shape] + knots
    }

    /// The two-sided tail probability of a residual, and its score −log10 p.
    func probability(of residual: Double) -> (p: Double, score: Double) {
        let (low, high) = (knots[0], knots[knots.count - 1])
        guard residual.isFinite else { return (pow(10, -Self.scoreMaximum), Self.scoreMaximum) }
        let score: Double
        if residual > high {
            score = -log10(2 * share) - upper.logSurvival(residual - high)
        } else if residual < low {
            score = -log10(2 * share) - lower.logSurvival(low - residual)
        } else {
            let below = cumulative(residual)
            score = -log10(2 * min(below, 1 - below))
        }
        let kept = min(max(score, 0), Self.scoreMaximum)
        return (pow(10, -kept), kept)
    }

    /// The probability of a residual below `x`, for x between the thresholds; within a run of equal
    /// knots, the middle of their probabilities.
    private func cumulative(_ x: Double) -> Double {
        var first = 0
        while first < knots.count, knots[first] < x { first += 1 }
        var last = first
        while last < knots.count, knots[last] <= x { last += 1 }
        let place: Double
        if last > first {
            place = Double(first + last - 1) / 2
        } else {
            let (a, b) = (knots[first - 1], knots[first])
            place = Double(first - 1) + (x - a) / (b - a)
        }
        return share + (1 - 2 * share) * place / Double(knots.count - 1)
    }

    /// The quantile at probability q, interpolated between order statistics at (i − ½)/n.
    private static func quantile(_ sorted: [Double], _ q: Double) -> Double {
        let place = min(max(q * Double(sorted.count) - 0.5, 0), Double(sorted.count - 1))
        let index = min(Int(place), sorted.count - 2)
        let part = place - Double(index)
        return sorted[index] * (1 - part) + sorted[index + 1] * part
    }

    /// - Parameters:
    ///   - excesses: Ascending, above zero.
    ///   - widthMinimum: Below it no tail is trusted.
    /// - Returns: The tail beyond the threshold that the excesses were taken over.
    private static func tail(_ excesses: [Double], widthMinimum: Double) -> Tail {
        let count = Double(excesses.count)
        guard !excesses.isEmpty else { return Tail(width: widthMinimum, shape: 0) }
        let mean = excesses.reduce(0, +) / count
        var weighted = 0.0
        for (index, excess) in excesses.enumerated() {
            weighted += (1 - (Double(index) + 0.65) / count) * excess
        }
        weighted /= count
        let spread = mean - 2 * weighted
        let fitted = spread > 0 ? 2 - mean / spread : 0
        let shape = min(max(fitted, 0), 0.5)
        // The mean excess of a Pareto tail is width / (1 − shape): kept, whatever the shape became.
        return Tail(width: max(mean * (1 - shape), widthMinimum), shape: shape)
    }
}
