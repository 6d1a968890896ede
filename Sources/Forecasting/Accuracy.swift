/// Measures of forecast error, summed in `Double` and divided once.
///
/// - Source: Hyndman, Koehler 2006 (MASE); Makridakis et al. 2022 (RMSSE); Gneiting, Raftery 2007
///   (pinball loss and CRPS); names as in GluonTS.
package enum Accuracy {
    /// Mean squared error over everything; arrays of one length, not empty.
    package static func mse(_ predictions: [Double], _ targets: [Double]) -> Double {
        mean(predictions, targets) { ($0 - $1) * ($0 - $1) }
    }

    /// Mean absolute error over everything; arrays of one length, not empty.
    package static func mae(_ predictions: [Double], _ targets: [Double]) -> Double {
        mean(predictions, targets) { abs($0 - $1) }
    }

    /// `mean 200·|y − f| / (|y| + |f|)`, in per cent of 0...200; a term of two zeros is 0.
    package static func smape(_ predictions: [Double], _ targets: [Double]) -> Double {
        mean(predictions, targets) { f, y in
            let size = abs(f) + abs(y)
            return size > 0 ? 200 * abs(y - f) / size : 0
        }
    }

    /// Mean absolute error over that of the seasonal naive forecast on the training rows.
    ///
    /// - Returns: Nil where the scale is 0 or there is no training row one season after another.
    package static func mase(
        _ predictions: [Double], _ targets: [Double], train: [Double], season: Int
    ) -> Double? {
        let scale = seasonalScale(train, season: season) { abs($0) }
        return scale.map { mae(predictions, targets) / $0 }
    }

    /// Root of the mean squared error over that of the seasonal naive forecast on the training rows.
    ///
    /// - Returns: Nil where the scale is 0 or there is no training row one season after another.
    package static func rmsse(
        _ predictions: [Double], _ targets: [Double], train: [Double], season: Int
    ) -> Double? {
        let scale = seasonalScale(train, season: season) { $0 * $0 }
        return scale.map { (mse(predictions, targets) / $0).squareRoot() }
    }

    /// Mean of `max(q·e, (q − 1)·e)` with e = y − f, for the quantile forecasts of one level.
    package static func pinball(
        _ predictions: [Double], _ targets: [Double], level: Double
    ) -> Double {
        mean(predictions, targets) { f, y in max(level * (y - f), (level - 1) * (y - f)) }
    }

    /// CRPS approximated as twice the mean pinball loss over the levels.
    ///
    /// - Parameters:
    ///   - quantiles: `[levels.count][targets.count]`.
    ///   - targets: Not empty.
    ///   - levels: Probabilities, not empty.
    /// - Returns: In the unit of the targets; 0 or more.
    package static func crps(
        quantiles: [[Double]], _ targets: [Double], levels: [Double]
    ) -> Double {
        precondition(
            quantiles.count == levels.count && !levels.isEmpty,
            "Accuracy: \(quantiles.count) quantiles, \(levels.count) levels")
        let losses = zip(quantiles, levels).map { pinball($0, targets, level: $1) }
        return 2 * losses.reduce(0, +) / Double(losses.count)
    }

    /// The mean over levels of `2·Σ pinball / Σ|y|`; nil where every target is 0.
    package static func meanWeightedQuantileLoss(
        quantiles: [[Double]], _ targets: [Double], levels: [Double]
    ) -> Double? {
        let size = targets.reduce(0) { $0 + abs($1) }
        guard size > 0 else { return nil }
        return crps(quantiles: quantiles, targets, levels: levels) * Double(targets.count) / size
    }

    /// The share of targets with lower ≤ y ≤ upper.
    package static func coverage(
        lower: [Double], upper: [Double], _ targets: [Double]
    ) -> Double {
        precondition(
            lower.count == targets.count && upper.count == targets.count && !targets.isEmpty,
            "Accuracy: \(lower.count) lower, \(upper.count) upper, \(targets.count) targets")
        let inside = targets.indices.count { lower[$0] <= targets[$0] && targets[$0] <= upper[$0] }
        return Double(inside) / Double(targets.count)
    }

    private static func mean(
        _ predictions: [Double], _ targets: [Double], of loss: (Double, Double) -> Double
    ) -> Double {
        precondition(
            predictions.count == targets.count && !targets.isEmpty,
            "Accuracy: \(predictions.count) predictions, \(targets.count) targets")
        var sum = 0.0
        for index in targets.indices { sum += loss(predictions[index], targets[index]) }
        return sum / Double(targets.count)
    }

    /// The mean loss of the seasonal naive forecast one season ahead; missing pairs are passed over.
    private static func seasonalScale(
        _ train: [Double], season: Int, of loss: (Double) -> Double
    ) -> Double? {
        precondition(season >= 1, "Accuracy: season \(season)")
        var (sum, count) = (0.0, 0.0)
        for row in stride(from: season, to: train.count, by: 1) {
            let difference = train[row] - train[row - season]
            guard difference.isFinite else { continue }
            sum += loss(difference)
            count += 1
        }
        return count > 0 && sum > 0 ? sum / count : nil
    }
}
