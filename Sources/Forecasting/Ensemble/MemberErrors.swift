/// How the errors of several forecasters go together on the validation windows.
struct MemberErrors {
    /// Mean products of errors on the earlier part of the windows, the later part, and all.
    let earlier: [[Double]]
    let later: [[Double]]
    let all: [[Double]]

    /// - Parameters:
    ///   - members: Fitted on the series; at least one.
    ///   - prepared: The scaled series and its windows.
    init(_ members: [Forecaster], on prepared: PreparedSeries) {
        let starts = prepared.plan.validation.starts
        let series = prepared.inputs.map { Float($0) }
        let half = starts.count / 2
        var sums = [ProductSum](repeating: ProductSum(members.count), count: 2)
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
                sums[first + row < half ? 0 : 1].add(errors)
            }
        }
        earlier = sums[0].mean
        later = sums[1].mean
        all = sums[0].adding(sums[1]).mean
    }

    /// The least error of a single member, chosen on one part and judged on the other, and the same
    /// of the weighted combination; means over both directions.
    var crossJudged: (single: Double, combination: Double) {
        let directions = [(earlier, later), (later, earlier)]
        var (single, combination) = (0.0, 0.0)
        for (learnt, judged) in directions {
            let best = learnt.indices.min { learnt[$0][$0] < learnt[$1][$1] } ?? 0
            single += judged[best][best] / 2
            combination +=
                SimplexWeights.squaredError(judged, SimplexWeights.robust(learnt)) / 2
        }
        return (single, combination)
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
