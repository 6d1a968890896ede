/// The weights, none below zero and 1 in sum, whose combination of forecasts errs least.
enum SimplexWeights {
    /// How strongly weights are drawn to equal ones, as a share of the members' mean squared error:
    /// validation errors that nearly tie must not decide everything.
    static let shrinkage = 0.02
    /// Steps of the descent; it stops long before in practice.
    private static let stepsMaximum = 20_000

    /// Minimises `wᵀGw + shrinkage·trace(G)/n·‖w − 1/n‖²` over the simplex.
    ///
    /// - Parameter gram: G, `[n][n]`: mean products of the members' errors, so that wᵀGw is the mean
    ///   squared error of the combination.
    /// - Returns: `[n]`.
    /// - Source: Breiman 1996, "Stacked regressions" (weights not below zero); Duchi et al. 2008 for
    ///   the projection.
    static func fitted(_ gram: [[Double]]) -> [Double] {
        let n = gram.count
        guard n > 1 else { return [Double](repeating: 1, count: n) }
        let even = 1 / Double(n)
        let trace = gram.indices.reduce(0) { $0 + gram[$1][$1] }
        let pull = shrinkage * trace * even
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
