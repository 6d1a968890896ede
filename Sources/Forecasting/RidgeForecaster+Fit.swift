import Tensors

extension RidgeForecaster {
    /// The penalties tried; one eigendecomposition serves them all.
    static let penalties: [Double] = [1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5]

    /// Fits on the training windows, and takes the centring and the penalty that err least on the
    /// validation windows.
    ///
    /// - Parameters:
    ///   - series: Scaled, finite in every window.
    ///   - task: Lag and horizon.
    ///   - train: Starts of the training windows; at least one.
    ///   - validation: Starts of the validation windows; at least one.
    ///   - centrings: What is tried.
    ///   - penalties: What is tried.
    /// - Returns: The forecaster.
    static func fit(
        _ series: [Double], task: ForecastTask, train: [Int], validation: [Int],
        centrings: [Centring] = Centring.allCases, penalties: [Double] = Self.penalties
    ) -> RidgeForecaster {
        precondition(!train.isEmpty && !validation.isEmpty, "Ridge: no windows")
        var best: (loss: Double, centring: Centring, penalty: Double, weights: Tensor<Double>)?
        for centring in centrings {
            let learnt = NormalEquations(series, task: task, starts: train, centring: centring)
            let judged = NormalEquations(series, task: task, starts: validation, centring: centring)
            let solver = learnt.solver()
            for penalty in penalties {
                let weights = solver.weights(penalty: penalty)
                let loss = judged.squaredError(of: weights)
                if loss < best?.loss ?? .infinity { best = (loss, centring, penalty, weights) }
            }
        }
        guard let best else { preconditionFailure("Ridge: the error is not a number") }
        return RidgeForecaster(
            centring: best.centring, penalty: best.penalty,
            weights: best.weights.converted(to: Float.self))
    }
}

/// The sums over windows from which a ridge regression is solved, and its error on them computed.
struct NormalEquations: Sendable {
    /// Windows gathered at a time, so that the design matrix never exists as a whole.
    private static let chunk = 1_024

    /// XᵀX, `[lag + 1, lag + 1]`.
    let gram: Tensor<Double>
    /// XᵀY, `[lag + 1, horizon]`.
    let cross: Tensor<Double>
    /// Σ Y².
    let targetSquares: Double

    /// - Parameters:
    ///   - series: Scaled, finite in every window.
    ///   - task: Lag and horizon.
    ///   - starts: Where the windows begin.
    ///   - centring: What is taken off a window.
    init(
        _ series: [Double], task: ForecastTask, starts: [Int], centring: RidgeForecaster.Centring
    ) {
        let (lag, horizon) = (task.lag, task.horizon)
        var gram = [Double](repeating: 0, count: (lag + 1) * (lag + 1))
        var cross = [Double](repeating: 0, count: (lag + 1) * horizon)
        var squares = 0.0
        for first in stride(from: 0, to: starts.count, by: Self.chunk) {
            let part = starts[first..<min(first + Self.chunk, starts.count)]
            var inputs: [Double] = []
            var targets: [Double] = []
            inputs.reserveCapacity(part.count * (lag + 1))
            targets.reserveCapacity(part.count * horizon)
            for start in part {
                let window = series[start..<(start + lag)]
                let centre: Double
                switch centring {
                case .none: centre = 0
                case .last: centre = series[start + lag - 1]
                case .mean: centre = window.reduce(0, +) / Double(lag)
                }
                for value in window { inputs.append(value - centre) }
                inputs.append(1)
                for value in series[(start + lag)..<(start + lag + horizon)] {
                    targets.append(value - centre)
                    squares += (value - centre) * (value - centre)
                }
            }
            let x = Tensor([part.count, lag + 1], inputs)
            let y = Tensor([part.count, horizon], targets)
            Self.add(matmul(x, x, transposeA: true).values, to: &gram)
            Self.add(matmul(x, y, transposeA: true).values, to: &cross)
        }
        self.gram = Tensor([lag + 1, lag + 1], gram)
        self.cross = Tensor([lag + 1, horizon], cross)
        targetSquares = squares
    }

    /// Σ (Y − XW)² by expansion, `ΣY² − 2⟨W, XᵀY⟩ + ⟨W, XᵀXW⟩`: no window is touched again.
    func squaredError(of weights: Tensor<Double>) -> Double {
        let product = matmul(gram, weights).values
        let (w, xy) = (weights.values, cross.values)
        var sum = targetSquares
        for i in w.indices { sum += w[i] * (product[i] - 2 * xy[i]) }
        return sum
    }

    private static func add(_ part: [Double], to sum: inout [Double]) {
        for i in sum.indices { sum[i] += part[i] }
    }

    /// Decomposes XᵀX once, so that any penalty costs one product.
    func solver() -> RidgeSolver {
        let (values, vectors) = symmetricEigen(gram)
        return RidgeSolver(
            values: values, vectors: vectors, rotated: matmul(vectors, cross, transposeA: true))
    }
}

/// `V(D + λ)⁻¹VᵀXᵀY` for any λ above zero, with XᵀX = VDVᵀ.
struct RidgeSolver: Sendable {
    /// D, `[lag + 1]`.
    let values: [Double]
    /// V, `[lag + 1, lag + 1]`.
    let vectors: Tensor<Double>
    /// VᵀXᵀY, `[lag + 1, horizon]`.
    let rotated: Tensor<Double>

    func weights(penalty: Double) -> Tensor<Double> {
        var scaled = rotated.values
        let columns = rotated.shape[1]
        for (row, value) in values.enumerated() {
            // XᵀX has no negative eigenvalue but for rounding.
            let factor = 1 / (max(value, 0) + penalty)
            for k in 0..<columns { scaled[row * columns + k] *= factor }
        }
        return matmul(vectors, Tensor(rotated.shape, scaled))
    }
}
