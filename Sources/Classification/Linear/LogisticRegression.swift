internal import Tensors

/// Logistic regressions of many classes on the same features, where there are more features than
/// recordings.
///
/// Features are standardised and scaled so that the squares of a block add up to its share, so that a
/// block counts by its share and not by how many features it has.
struct LogisticRegression {
    /// `[features]`
    private let means: [Float]
    /// Makes a deviation the root of the share of one feature, `[features]`; 0 of a constant.
    private let factors: [Float]
    /// Standardised, `[recordings, features]`.
    private let rows: Tensor<Float>
    private let regression: GramRegression

    /// - Parameters:
    ///   - features: `[recordings, features]`, finite.
    ///   - blocks: Which features stand together, in order.
    init(_ features: Tensor<Float>, blocks: [FeatureBlock]) {
        features.expect([nil, blocks.reduce(0) { $0 + $1.count }])
        let (count, width) = (features.shape[0], features.shape[1])
        var (sums, squares) = (
            [Double](repeating: 0, count: width), [Double](repeating: 0, count: width)
        )
        for row in 0..<count {
            for i in 0..<width {
                let value = Double(features.values[row * width + i])
                sums[i] += value
                squares[i] += value * value
            }
        }
        means = sums.map { Float($0 / Double(count)) }
        let shares = blocks.flatMap { repeatElement($0.share / Double($0.count), count: $0.count) }
        factors = (0..<width).map { i in
            let mean = sums[i] / Double(count)
            let variance = squares[i] / Double(count) - mean * mean
            return variance > 1e-10 ? Float((shares[i] / variance).squareRoot()) : 0
        }
        rows = Self.standardised(features, means, factors)
        regression = GramRegression(
            matmul(rows, rows, transposeB: true).converted(to: Double.self))
    }

    private static func standardised(
        _ features: Tensor<Float>, _ means: [Float], _ factors: [Float]
    ) -> Tensor<Float> {
        var rows = features
        let width = means.count
        for row in 0..<features.shape[0] {
            for i in 0..<width {
                let place = row * width + i
                rows.values[place] = (rows.values[place] - means[i]) * factors[i]
            }
        }
        return rows
    }

    /// What was fitted, for features as they are: `weights` is `[classes, features]`.
    struct Fit {
        let weights: Tensor<Float>
        /// `[classes]`
        let offsets: [Float]
    }

    /// Fits every class.
    ///
    /// - Parameters:
    ///   - labels: `[recordings][classes]`; nil where it is not known, which is left out.
    ///   - penalty: λ of ½λ‖w‖², above 0; the offset is free.
    /// - Returns: Weights and offsets.
    func fit(_ labels: [[Bool?]], penalty: Double) -> Fit {
        let fit = regression.fit(labels, penalty: penalty)
        var result = matmul(fit.weights.converted(to: Float.self), rows, transposeA: true)
        var shifted = fit.offsets
        let width = means.count
        for k in shifted.indices {
            for i in 0..<width {
                let place = k * width + i
                result.values[place] *= factors[i]
                shifted[k] -= Double(result.values[place]) * Double(means[i])
            }
        }
        return Fit(weights: result, offsets: shifted.map { Float($0) })
    }
}
