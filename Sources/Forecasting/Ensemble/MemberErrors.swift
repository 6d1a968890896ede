/// How the errors of several forecasters go together on the validation windows.
struct MemberErrors {
    /// Mean products of errors, `[members][members]`, on each of up to four stretches of the windows,
    /// the earliest first.
    let stretches: [[[Double]]]
    /// The same on all windows.
    let all: [[Double]]

    private static let stretchesMaximum = 4

    init(stretches: [[[Double]]], all: [[Double]]) {
        self.stretches = stretches
        self.all = all
    }

    /// - Parameters:
    ///   - members: Fitted on the series; at least one.
    ///   - prepared: The scaled series and its windows.
    init(_ members: [Forecaster], on prepared: PreparedSeries) {
        let starts = prepared.plan.validation.starts
        let series = prepared.inputs.map { Float($0) }
        let stretches = min(Self.stretchesMaximum, max(1, starts.count))
        var sums = [ProductSum](repeating: ProductSum(members.count), count: stretches)
        for first in stride(from: 0, to: starts.count, by: Validation.chunk) {
            let part = Array(starts[first..<min(first + Validation.chunk, starts.count)])
            let (lag, horizon) = (prepared.task.lag, prepared.task.horizon)
            let forecasts = members.map {
                $0.forecast(series, starts: part, lag: lag, steps: horizon)
            }
            for (row, start) in part.enumerated() {
                let targets = prepared.targets[(start + lag)..<(start + lag + horizon)]
                let errors = forecasts.map { forecast in
                    zip(forecast[(row * horizon)..<((row + 1) * horizon)], targets).map {
                        Double($0) - $1
                    }
                }
                sums[(first + row) * stretches / starts.count].add(errors)
            }
        }
        self.stretches = sums.map(\.mean)
        all = sums.dropFirst().reduce(sums[0]) { $0.adding($1) }.mean
    }

    /// Products of errors, summed over windows and steps.
    private struct ProductSum {
        var sums: [[Double]]
        var count = 0

        init(_ members: Int) {
            sums = Array(repeating: Array(repeating: 0, count: members), count: members)
        }

        /// Adds one window; `[members][horizon]`.
        mutating func add(_ errors: [[Double]]) {
            for i in errors.indices {
                for j in 0...i {
                    var sum = 0.0
                    for step in errors[i].indices { sum += errors[i][step] * errors[j][step] }
                    sums[i][j] += sum
                    if i != j { sums[j][i] += sum }
                }
            }
            count += errors[0].count
        }

        func adding(_ other: Self) -> Self {
            var result = self
            for i in sums.indices {
                for j in sums.indices { result.sums[i][j] += other.sums[i][j] }
            }
            result.count += other.count
            return result
        }

        var mean: [[Double]] { sums.map { $0.map { $0 / Double(max(1, count)) } } }
    }
}

extension MemberErrors {
    /// A combination beside the best single member.
    struct Comparison {
        /// Mean squared errors on all windows.
        let combination: Double
        let single: Double
        /// Of how many stretches, and on how many the combination errs less.
        let stretches: Int
        let stretchesWon: Int

        /// What the combination may err more over all, for the sake of steadiness.
        private static let excessMaximum = 0.05

        /// Whether the combination is to be had: it is, unless one member is better throughout.
        var isWorthIt: Bool {
            stretchesWon > 0 && combination <= (1 + Self.excessMaximum) * single
        }

        /// One sentence.
        var sentence: String {
            "The combination's MSE is \(combination.short) against \(single.short) of the best single"
                + " model, and smaller on \(stretchesWon) of \(stretches) stretches of the windows."
        }
    }

    /// Compares a combination with the single member that errs least on all windows.
    func comparison(_ weights: [Double]) -> Comparison {
        let best = all.indices.min { all[$0][$0] < all[$1][$1] } ?? 0
        // Rounding alone wins nothing.
        let won = stretches.filter {
            SimplexWeights.squaredError($0, weights) < (1 - 1e-4) * $0[best][best]
        }
        return Comparison(
            combination: SimplexWeights.squaredError(all, weights), single: all[best][best],
            stretches: stretches.count, stretchesWon: won.count)
    }
}
