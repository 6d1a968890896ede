internal import Models
internal import Tensors

/// The kinds of model of a group, by the names that users see on the command line.
package enum JointFamily: String, Sendable, Codable, CaseIterable {
    /// Closed-form linear map from the window to the horizon, one for all members.
    case ridge
    /// The mean of such maps of two look-backs and two ways to take off the level.
    case ridgeMean = "ridge-mean"
    /// Mixed across members and time.
    case tsm2
    /// The same network, told the time of day and of the week.
    case calendar = "tsm2-calendar"
    /// The same network, mixed along time alone.
    case unmixed = "tsm2-unmixed"
    /// The companion-matrix state-space network, one for all members.
    case spacetime
    /// A convex combination of the others, with weights fitted on validation, and for single members what
    /// is better for them throughout.
    case ensemble

    /// Whether two fits with different seeds differ.
    var isRandom: Bool { self != .ridge && self != .ridgeMean }
}

/// A fitted model of a group: scaled windows in, scaled forecasts of every member out.
enum JointForecaster: Sendable {
    case repeatLast
    case ridge(RidgeForecaster)
    case spacetime(SpaceTimeForecaster)
    case tsm2(TrainedTSM2)
    /// Weights above zero, 1 in sum.
    indirect case ensemble([JointForecaster], weights: [Double])
    /// Parts that forecast some members each; `choice` says which part each member has.
    indirect case winners([JointForecaster], choice: [Int])

    /// Windows computed at a time.
    static let chunk = 256

    /// Forecasts of many windows.
    ///
    /// - Parameters:
    ///   - series: The group.
    ///   - starts: Where the windows begin.
    ///   - task: Lag and horizon, as fitted.
    ///   - threads: That may share the work; no bit depends on them.
    ///   - members: Whose forecasts are asked for, ascending; all unless given.
    /// - Returns: `[starts.count, members.count, horizon]`, scaled.
    func forecast(
        _ series: JointSeries, starts: [Int], _ task: ForecastTask, threads: Int,
        of members: [Int]? = nil
    ) -> [Float] {
        let asked = members ?? Array(0..<series.members)
        /// The windows of every member, in the order of the result.
        var pooled: [Int] {
            starts.flatMap { start in asked.map { start + $0 * series.rows } }
        }
        switch self {
        case .repeatLast:
            return pooled.flatMap {
                [Float](repeating: series.filled[$0 + task.lag - 1], count: task.horizon)
            }
        case .ridge(let ridge): return ridge.forecast(series.filled, starts: pooled).values
        case .spacetime(let spacetime):
            return spacetime.forecast(series.filled, starts: pooled, steps: task.horizon)
        case .tsm2(let trained):
            let all = trained.prepared(threads: threads).forecast(series.windows, starts: starts)
                .values
            guard members != nil else { return all }
            return starts.indices.flatMap { window in
                asked.flatMap { member in
                    let place = (window * series.members + member) * task.horizon
                    return all[place..<place + task.horizon]
                }
            }
        case .ensemble(let parts, let weights):
            var sum = [Float](repeating: 0, count: starts.count * asked.count * task.horizon)
            for (part, weight) in zip(parts, weights) {
                let own = part.forecast(
                    series, starts: starts, task, threads: threads, of: members)
                for index in sum.indices { sum[index] += Float(weight) * own[index] }
            }
            return sum
        case .winners(let parts, let choice):
            var result = [Float](repeating: 0, count: starts.count * asked.count * task.horizon)
            for (index, part) in parts.enumerated() {
                let places = asked.indices.filter { choice[asked[$0]] == index }
                guard !places.isEmpty else { continue }
                let own = part.forecast(
                    series, starts: starts, task, threads: threads, of: places.map { asked[$0] })
                for window in starts.indices {
                    for (row, place) in places.enumerated() {
                        let source = (window * places.count + row) * task.horizon
                        let target = (window * asked.count + place) * task.horizon
                        for step in 0..<task.horizon {
                            result[target + step] = own[source + step]
                        }
                    }
                }
            }
            return result
        }
    }

    /// What it is made of, with the greatest weight that each has in the forecast of any member.
    var parts: [(JointForecaster, weight: Double)] {
        switch self {
        case .ensemble(let parts, let weights):
            Array(zip(parts, weights)).map { ($0, weight: $1) }
        case .winners(let parts, _): parts.flatMap(\.parts)
        default: [(self, weight: 1)]
        }
    }

    /// The errors over some windows.
    func errors(
        _ series: JointSeries, starts: [Int], _ task: ForecastTask, threads: Int,
        of members: [Int]? = nil
    ) -> JointErrors {
        var errors = JointErrors(members: members?.count ?? series.members)
        for first in stride(from: 0, to: starts.count, by: Self.chunk) {
            let part = Array(starts[first..<min(first + Self.chunk, starts.count)])
            errors.add(
                forecast(series, starts: part, task, threads: threads, of: members),
                series.windows, starts: part, lag: task.lag, of: members)
        }
        return errors
    }
}

extension JointForecaster {
    /// How much less than the best single model a combination has to err on validation: models of a group
    /// share what they get wrong, so that less is no gain, see ops/decisions/0047.
    private static let gainMinimum = 0.01

    /// What is taken of fitted models: a combination, by weights that err least on the validation windows
    /// and are drawn to equal ones as those of an ensemble of one series are, or the best single model where
    /// that gains too little; and for single members what is better for them throughout.
    ///
    /// - Parameters:
    ///   - models: At least one.
    ///   - names: Of the models, for the reason.
    ///   - fitter: Of the group.
    /// - Returns: The forecaster, and what it is and why, in a few sentences.
    /// - Throws: `ForecastError` where nothing is left to fit a member's own ridge on.
    static func chosen(
        _ models: [JointForecaster], names: [String], _ fitter: JointFitter
    ) throws -> (forecaster: JointForecaster, reason: String) {
        let shared =
            models.count == 1
            ? (forecaster: models[0], reason: "\(names[0]) alone was fitted.")
            : combined(models, names: names, fitter)
        guard models.count > 1 else { return shared }
        var winners = JointWinners(shared.forecaster, fitter)
        winners.consider(models, names: names)
        if names.contains(JointFamily.ridgeMean.rawValue) { try winners.considerOwn() }
        let own = winners.result
        return (own.forecaster, "\(shared.reason) \(own.reason)")
    }

    private static func combined(
        _ members: [JointForecaster], names: [String], _ fitter: JointFitter
    ) -> (forecaster: JointForecaster, reason: String) {
        let errors = MemberErrors(
            joint: members, fitter.series, starts: fitter.validation, fitter.task,
            threads: fitter.threads)
        let weights = SimplexWeights.robust(errors.all)
        let kept = weights.indices.filter { weights[$0] >= FittedPipeline.weightMinimum }
        let comparison = errors.comparison(weights)
        let best = errors.all.indices.min { errors.all[$0][$0] < errors.all[$1][$1] } ?? 0
        guard kept.count > 1, comparison.combination <= (1 - gainMinimum) * comparison.single else {
            return (members[best], "\(names[best]) alone. " + comparison.sentence)
        }
        let sum = kept.reduce(0) { $0 + weights[$1] }
        let shares = kept.map { weights[$0] / sum }
        let recipe = zip(kept, shares).map { "\(($1 * 100).rounded() / 100) \(names[$0])" }
        return (
            .ensemble(kept.map { members[$0] }, weights: shares),
            recipe.joined(separator: " + ") + ". " + comparison.sentence
        )
    }
}

extension MemberErrors {
    /// Of models of a group; targets that are missing do not count.
    fileprivate init(
        joint members: [JointForecaster], _ series: JointSeries, starts: [Int],
        _ task: ForecastTask, threads: Int
    ) {
        let stretches = min(4, max(1, starts.count))
        let n = members.count
        let zeros = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
        var sums = [[[Double]]](repeating: zeros, count: stretches)
        var counts = [Int](repeating: 0, count: stretches)
        for first in stride(from: 0, to: starts.count, by: JointForecaster.chunk) {
            let part = Array(starts[first..<min(first + JointForecaster.chunk, starts.count)])
            let forecasts = members.map {
                $0.forecast(series, starts: part, task, threads: threads)
            }
            for (window, start) in part.enumerated() {
                let stretch = (first + window) * stretches / starts.count
                for place in 0..<series.members * task.horizon {
                    let (member, step) = (place / task.horizon, place % task.horizon)
                    let target = series.scaled[member * series.rows + start + task.lag + step]
                    guard target.isFinite else { continue }
                    let index = window * series.members * task.horizon + place
                    counts[stretch] += 1
                    for i in 0..<n {
                        let error = Double(forecasts[i][index]) - target
                        for j in 0...i {
                            sums[stretch][i][j] += error * (Double(forecasts[j][index]) - target)
                        }
                    }
                }
            }
        }
        func mean(_ sum: [[Double]], _ count: Int) -> [[Double]] {
            (0..<n).map { i in
                (0..<n).map { j in sum[max(i, j)][min(i, j)] / Double(max(1, count)) }
            }
        }
        let all = sums.reduce(zeros) { total, own in
            zip(total, own).map { zip($0, $1).map { $0 + $1 } }
        }
        self.init(
            stretches: zip(sums, counts).map { mean($0, $1) },
            all: mean(all, counts.reduce(0, +)))
    }
}
