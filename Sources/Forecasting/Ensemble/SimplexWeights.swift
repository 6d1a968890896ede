/// The weights, none below zero and 1 in sum, whose combination of forecasts errs least.
enum SimplexWeights {
    /// How strongly weights are drawn to equal ones, as a share of the best member's mean squared
    /// error: validation errors that nearly tie must not decide everything, see ops/decisions/0016.
    static let shrinkage = 0.5
    /// Members that err more than the best one times this are left out first, so that they do not
    /// profit from the pull.
    static let errorMaximum = 1.25
    /// Steps of the descent; it stops long before in practice.
    private static let stepsMaximum = 20_000

    /// The weights of the members that are good enough to share, 0 for the others.
    ///
    /// - Parameter gram: G, `[n][n]`: mean products of the members' errors.
    /// - Returns: `[n]`.
    static func robust(_ gram: [[Double]]) -> [Double] {
        let least = gram.indices.map { gram[$0][$0] }.min() ?? 0
        let kept = gram.indices.filter { gram[$0][$0] <= errorMaximum * least }
        let weights = fitted(
            kept.map { row in kept.map { gram[row][$0] } }, pull: shrinkage * least)
        var all = [Double](repeating: 0, count: gram.count)
        for (place, weight) in zip(kept, weights) { all[place] = weight }
        return all
    }

    /// Minimises `wᵀGw + pull·‖w − 1/n‖²` over the simplex.
    ///
    /// - Parameters:
    ///   - gram: G, `[n][n]`: mean products of the members' errors, so that wᵀGw is the mean squared
    ///     error of the combination.
    ///   - pull: Towards equal weights; 0 or more.
    /// - Returns: `[n]`.
    /// - Source: Breiman 1996, "Stacked regressions" (weights not below zero); Duchi et al. 2008 for
    ///   the projection.
    static func fitted(_ gram: [[Double]], pull: Double) -> [Double] {
        let n = gram.count
        guard n > 1 else { return [Double](repeating: 1, count: n) }
        let even = 1 / Double(n)
        let trace = gram.indices.reduce(0) { $0 + gram[$1][$1] }
        guard trace > 0, trace.isFinite else { return [Double](repeating: even, count: n) }
        // The trace bounds the largest eigenvalue, so that no step overshoots.
        let rate = 1 / (trace + pull)
        var weights = [Double](repeating: even, count: n)
        var ahead = weights
        var momentum = 1.0
        for _ in 0..<stepsMaximum {
            let moved = gram.indices.map { row in
                let slope = zip(gram[row], ahead).reduce(0) { $0 + $1.0 * $1.1 }
                return ahead[row] - rate * (slope + pull * (ahead[row] - even))
            }
            let next = projected(moved)
            let change = zip(next, weights).reduce(0) { max($0, abs($1.0 - $1.1)) }
            let following = (1 + (1 + 4 * momentum * momentum).squareRoot()) / 2
            ahead = zip(next, weights).map { $0 + (momentum - 1) / following * ($0 - $1) }
            (weights, momentum) = (next, following)
            if change < 1e-12 { break }
        }
        return weights
    }

    /// `wᵀGw`: the mean squared error of a combination.
    static func squaredError(_ gram: [[Double]], _ weights: [Double]) -> Double {
        var sum = 0.0
        for (row, w) in zip(gram, weights) {
            sum += w * zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return sum
    }

    /// The nearest point of the simplex.
    static func projected(_ point: [Double]) -> [Double] {
        var sum = 0.0
        var shift = 0.0
        for (count, value) in point.sorted(by: >).enumerated() {
            sum += value
            let candidate = (sum - 1) / Double(count + 1)
            if value > candidate { shift = candidate }
        }
        return point.map { max(0, $0 - shift) }
    }
}
