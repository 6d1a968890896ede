internal import Models
internal import Tensors

/// Ridge regressions of a group: one map for all members, of one look-back or the mean of several; and maps
/// that belong to one member and are drawn to the shared one.
struct JointRidge: Sendable {
    /// One fit.
    private struct Part {
        let lag: Int
        let centring: RidgeForecaster.Centring
        let penalty: Double
        /// `[lag + 1, horizon]`
        let weights: Tensor<Double>
        /// Summed over steps and windows, on validation.
        let squaredError: Double
    }

    private let task: ForecastTask
    private let parts: [Part]

    /// How strongly a member's own map is drawn to the shared one: these are tried.
    static let pulls: [Double] = [1e3, 1e4, 1e5]

    /// Look-backs of the mean: the whole one, and two thirds of it.
    static func lags(_ task: ForecastTask) -> [Int] {
        task.lag >= 3 ? [task.lag, task.lag * 2 / 3] : [task.lag]
    }

    /// Fits every look-back with both centrings, each with the penalty that errs least on validation.
    ///
    /// - Parameters:
    ///   - train: Moments of the training windows, with the task's lag.
    ///   - validation: Of the validation windows.
    ///   - task: Lag and horizon.
    ///   - isMean: Whether shorter look-backs are fitted too, and the mean of all fits is taken; else the one
    ///     fit that errs least.
    init(train: WindowMoments, validation: WindowMoments, task: ForecastTask, isMean: Bool) {
        self.task = task
        var parts: [Part] = []
        for lag in isMean ? Self.lags(task) : [task.lag] {
            for centring in [RidgeForecaster.Centring.last, .mean] {
                let solver = NormalEquations(train, lag: lag, centring: centring).solver()
                let judged = NormalEquations(validation, lag: lag, centring: centring)
                let tried = RidgeForecaster.penalties.map { penalty in
                    let weights = solver.weights(penalty: penalty)
                    return Part(
                        lag: lag, centring: centring, penalty: penalty, weights: weights,
                        squaredError: judged.squaredError(of: weights))
                }
                if let best = tried.min(by: { $0.squaredError < $1.squaredError }) {
                    parts.append(best)
                }
            }
        }
        if !isMean, let best = parts.min(by: { $0.squaredError < $1.squaredError }) {
            parts = [best]
        }
        self.parts = parts
    }

    /// The shared map.
    var forecaster: RidgeForecaster {
        RidgeForecaster(
            centring: .last, penalty: penalty,
            weights: mean(parts.map(\.weights)).converted(to: Float.self))
    }

    /// Maps of one member, one for each of `pulls`.
    ///
    /// - Parameter train: Moments of its own training windows.
    /// - Returns: `W = (XᵀX + λI)⁻¹(XᵀY + λW')` with the shared W', the mean of all parts.
    func own(_ train: WindowMoments) -> [RidgeForecaster] {
        let solvers = parts.map {
            NormalEquations(train, lag: $0.lag, centring: $0.centring).solver()
        }
        return Self.pulls.map { pull in
            let weights = zip(solvers, parts).map { $0.weights(penalty: pull, towards: $1.weights) }
            return RidgeForecaster(
                centring: .last, penalty: pull, weights: mean(weights).converted(to: Float.self))
        }
    }

    /// The geometric mean of the penalties.
    private var penalty: Double {
        // Of one, two or four parts.
        var (mean, count) = (parts.reduce(1.0) { $0 * $1.penalty }, parts.count)
        while count > 1 { (mean, count) = (mean.squareRoot(), count / 2) }
        return mean
    }

    /// One map of windows less their last value that forecasts what the mean of the parts does.
    ///
    /// A part says `(x − c)·W + c` with `c = x·a`, which is `x·(W + a(1 − 1ᵀW))`: every column of that sums
    /// to 1, so that the last value may be taken off as well.
    private func mean(_ weights: [Tensor<Double>]) -> Tensor<Double> {
        let (lag, horizon) = (task.lag, task.horizon)
        var sum = [Double](repeating: 0, count: (lag + 1) * horizon)
        for (part, own) in zip(parts, weights) {
            let first = lag - part.lag
            let averaged = part.centring == .last ? lag - 1..<lag : first..<lag
            for step in 0..<horizon {
                var rest = 1.0
                for k in 0..<part.lag {
                    let weight = own.values[k * horizon + step]
                    sum[(first + k) * horizon + step] += weight
                    rest -= weight
                }
                for k in averaged {
                    sum[k * horizon + step] += rest / Double(averaged.count)
                }
                sum[lag * horizon + step] += own.values[part.lag * horizon + step]
            }
        }
        return Tensor([lag + 1, horizon], sum.map { $0 / Double(weights.count) })
    }
}

extension RidgeSolver {
    /// `V(D + λ)⁻¹Vᵀ(XᵀY + λW)`: the map that is drawn to W instead of 0.
    fileprivate func weights(penalty: Double, towards weights: Tensor<Double>) -> Tensor<Double> {
        var target = matmul(vectors, weights, transposeA: true).values
        for i in target.indices { target[i] = target[i] * penalty + rotated.values[i] }
        return RidgeSolver(
            values: values, vectors: vectors, rotated: Tensor(rotated.shape, target)
        ).weights(penalty: penalty)
    }
}
