/// How the forecasts of several methods are joined into one, chosen by absolute errors.
struct CollectionBlend: Sendable {
    /// `[methods]`, none below zero, 1 in sum.
    let weights: [Double]
    /// One sentence.
    let reason: String

    /// The forecasts of every method and the truth, all divided by the scale of their series.
    struct Table {
        /// `[methods][origins·horizon]`.
        let forecasts: [[Double]]
        /// `[origins·horizon]`.
        let truth: [Double]
        let horizon: Int
        let names: [String]

        /// The mean absolute error of a weighting over the given origins.
        func error(_ weights: [Double], _ origins: [Int]) -> Double {
            var sum = 0.0
            for origin in origins {
                for place in (origin * horizon)..<((origin + 1) * horizon) {
                    var value = 0.0
                    for (method, weight) in weights.enumerated() where weight > 0 {
                        value += weight * forecasts[method][place]
                    }
                    sum += abs(value - truth[place])
                }
            }
            return sum / Double(max(1, origins.count * horizon))
        }
    }

    /// Candidates of the choice, in the order in which a tie is settled.
    private enum Kind: CaseIterable {
        case single, even, fitted
    }

    /// A single method has to err less than a combination by this share: what ties on one stretch of
    /// rows seldom ties on the next, and a combination halves that risk.
    private static let advantageMinimum = 0.02

    /// Takes the best single method, equal weights of the good ones, or fitted weights: whichever errs
    /// least on origins that did not choose it, in both directions between two halves.
    init(choosingOn table: Table) {
        let count = table.truth.count / table.horizon
        let halves = [0, 1].map { half in (0..<count).filter { $0 % 2 == half } }
        let errors = Kind.allCases.map { kind in
            let error =
                table.error(Self.weights(kind, table, halves[0]), halves[1])
                + table.error(Self.weights(kind, table, halves[1]), halves[0])
            return error / 2
        }
        var kind = errors[1] <= errors[2] ? Kind.even : .fitted
        if errors[0] < (1 - Self.advantageMinimum) * min(errors[1], errors[2]) { kind = .single }
        let weights = Self.weights(kind, table, Array(0..<count))
        self.weights = weights
        let parts = weights.indices.filter { weights[$0] > 0 }.sorted { weights[$0] > weights[$1] }
            .map { "\((weights[$0] * 100).rounded() / 100) \(table.names[$0])" }
        reason =
            "\(parts.joined(separator: " + ")): on held-back origins that did not choose, the best "
            + "single method has a MASE of \(errors[0].short), equal weights \(errors[1].short), "
            + "fitted weights \(errors[2].short)."
    }

    private static func weights(_ kind: Kind, _ table: Table, _ origins: [Int]) -> [Double] {
        let singles = table.forecasts.indices.map { method in
            table.error(unit(method, table.forecasts.count), origins)
        }
        let best = singles.indices.min { singles[$0] < singles[$1] } ?? 0
        switch kind {
        case .single: return unit(best, singles.count)
        case .even:
            let good = singles.indices.filter { singles[$0] <= 1.15 * singles[best] }
            return singles.indices.map { good.contains($0) ? 1 / Double(good.count) : 0 }
        case .fitted:
            return descended(table, origins, from: weights(.even, table, origins))
        }
    }

    private static func unit(_ place: Int, _ count: Int) -> [Double] {
        (0..<count).map { $0 == place ? 1 : 0 }
    }

    /// Moves weight between methods, in ever smaller portions, as long as that lessens the error:
    /// a descent by coordinates that stays on the simplex.
    private static func descended(
        _ table: Table, _ origins: [Int], from start: [Double]
    ) -> [Double] {
        var weights = start
        var error = table.error(weights, origins)
        for portion in [0.2, 0.1, 0.05] {
            var isMoving = true
            while isMoving {
                isMoving = false
                for giver in weights.indices where weights[giver] > 1e-9 {
                    for taker in weights.indices where taker != giver {
                        var other = weights
                        let moved = min(portion, other[giver])
                        other[giver] -= moved
                        other[taker] += moved
                        let found = table.error(other, origins)
                        guard found < error - 1e-6 else { continue }
                        (weights, error, isMoving) = (other, found, true)
                    }
                }
            }
        }
        return weights.map { $0 < 1e-9 ? 0 : $0 }
    }
}
