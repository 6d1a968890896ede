package import Tensors

/// Ridge regression from the centred window to the centred future, in closed form ("ridge-NLinear").
///
/// With x the window less its centre c and a constant 1, the forecast is `x·W + c`,
/// `W = (XᵀX + λI)⁻¹XᵀY`: one matrix for all steps of the horizon.
package struct RidgeForecaster: Sendable, Equatable {
    /// What is taken off a window before, and added to its forecast after.
    package enum Centring: String, Sendable, Codable, CaseIterable {
        case last, mean
        /// Nothing: the level itself tells where the series will return to.
        case none
    }

    package let centring: Centring
    /// λ, chosen on validation.
    package let penalty: Double
    /// `[lag + 1, horizon]`; the last row belongs to the constant.
    package let weights: Tensor<Float>
    /// `[lag + 1]`; the first column of `weights`, which scoring needs alone.
    private let nextWeights: [Float]

    package var lag: Int { weights.shape[0] - 1 }
    package var horizon: Int { weights.shape[1] }

    /// - Parameters:
    ///   - centring: What is taken off a window.
    ///   - penalty: λ.
    ///   - weights: `[lag + 1, horizon]`.
    init(centring: Centring, penalty: Double, weights: Tensor<Float>) {
        weights.expect([nil, nil])
        precondition(weights.shape[0] >= 2 && weights.shape[1] >= 1, "Ridge: \(weights.shape)")
        self.centring = centring
        self.penalty = penalty
        self.weights = weights
        let columns = weights.shape[1]
        let values = weights.values
        nextWeights = stride(from: 0, to: values.count, by: columns).map { values[$0] }
    }

    /// Forecasts of many windows.
    ///
    /// - Parameters:
    ///   - series: Scaled, without NaN in any window.
    ///   - starts: Where the windows begin.
    /// - Returns: `[starts.count, horizon]`, scaled.
    func forecast(_ series: [Float], starts: [Int]) -> Tensor<Float> {
        let width = lag + 1
        var inputs = [Float](repeating: 1, count: starts.count * width)
        var centres: [Float] = []
        centres.reserveCapacity(starts.count)
        for (row, start) in starts.enumerated() {
            let centre = self.centre(series, start)
            centres.append(centre)
            for k in 0..<lag { inputs[row * width + k] = series[start + k] - centre }
        }
        let steps = horizon
        var values = matmul(Tensor([starts.count, width], inputs), weights).values
        for (row, centre) in centres.enumerated() {
            for k in (row * steps)..<((row + 1) * steps) { values[k] += centre }
        }
        return Tensor([starts.count, steps], values)
    }

    /// The first step of the forecast of one window; the bits do not depend on any other window.
    func next(_ series: [Float], start: Int) -> Float {
        product(series, start: start, nextWeights)
    }

    /// The weights of one step, `[lag + 1]`; traps beyond the horizon.
    func column(_ step: Int) -> [Float] {
        precondition(step >= 1 && step <= horizon, "Ridge: step \(step) of \(horizon)")
        return (0...lag).map { weights.values[$0 * horizon + step - 1] }
    }

    /// The forecast of one window by the weights of one step; the bits do not depend on any other.
    func product(_ series: [Float], start: Int, _ weights: [Float]) -> Float {
        let centre = self.centre(series, start)
        let count = lag
        // Eight sums at a time: one alone would wait for every addition before it.
        var sums = SIMD8<Float>(repeating: 0)
        var k = 0
        while k + 8 <= count {
            var x = SIMD8<Float>()
            var w = SIMD8<Float>()
            for lane in 0..<8 {
                x[lane] = series[start + k + lane]
                w[lane] = weights[k + lane]
            }
            sums += (x - centre) * w
            k += 8
        }
        var sum = sums.sum() + weights[count]
        while k < count {
            sum += (series[start + k] - centre) * weights[k]
            k += 1
        }
        return sum + centre
    }

    private func centre(_ series: [Float], _ start: Int) -> Float {
        switch centring {
        case .none: return 0
        case .last: return series[start + lag - 1]
        case .mean:
            var sum: Float = 0
            for k in start..<(start + lag) { sum += series[k] }
            return sum / Float(lag)
        }
    }
}
