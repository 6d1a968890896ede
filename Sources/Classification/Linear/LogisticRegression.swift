internal import Foundation
internal import Tensors

/// Logistic regressions of many classes on the same features, where there are more features than
/// recordings.
///
/// Features are standardised and scaled so that the squares of a block add up to its share, so that a
/// block counts by its share and not by how many features it has. The solution lies in the span of the recordings, where it is found in
/// the basis of their principal components; there the bound ¼·ZᵀZ + λ of the curvature is diagonal.
///
/// - Source: Böhning and Lindsay, "Monotonicity of quadratic-approximation algorithms", 1988, for the
///   bound; Nesterov 1983 for the momentum.
struct LogisticRegression {
    /// `[features]`
    private let means: [Float]
    /// Makes a deviation the root of the share of one feature, `[features]`; 0 of a constant.
    private let factors: [Float]
    /// Standardised, `[recordings, features]`.
    private let rows: Tensor<Float>
    /// `[recordings, components]`
    private let scores: Tensor<Double>
    /// Takes coefficients of components to coefficients of recordings, `[recordings, components]`.
    private let duals: Tensor<Double>

    /// Iterations. The bound is at most a dozen times the curvature of a class that one in fifty has,
    /// so that the momentum method has long come to rest.
    private static let iterations = 80

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
        let gram = matmul(rows, rows, transposeB: true).converted(to: Double.self)
        let (values, vectors) = symmetricEigen(gram)
        let kept = values.indices.filter { values[$0] > 1e-7 * (values.last ?? 0) }
        var (scores, duals) = (
            Tensor<Double>(zeros: [count, kept.count]), Tensor<Double>(zeros: [count, kept.count])
        )
        for (place, component) in kept.enumerated() {
            let size = values[component].squareRoot()
            for row in 0..<count {
                scores[row, place] = vectors[row, component] * size
                duals[row, place] = vectors[row, component] / size
            }
        }
        self.scores = scores
        self.duals = duals
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
        let (count, width) = (rows.shape[0], scores.shape[1])
        let classes = labels[0].count
        precondition(labels.count == count && penalty > 0, "LogisticRegression: \(labels.count)")
        var curvature = [Double](repeating: penalty, count: width)
        for row in 0..<count {
            for i in 0..<width { curvature[i] += scores[row, i] * scores[row, i] / 4 }
        }
        let known = (0..<classes).map { k in max(1, labels.count { $0[k] != nil }) }
        var weights = Tensor<Double>(zeros: [width, classes])
        var ahead = weights
        var offsets = [Double](repeating: 0, count: classes)
        var offsetsAhead = offsets
        var momentum = 1.0
        for _ in 0..<Self.iterations {
            var errors = matmul(scores, ahead)
            var totals = [Double](repeating: 0, count: classes)
            for row in 0..<count {
                for k in 0..<classes {
                    let place = row * classes + k
                    guard let label = labels[row][k] else {
                        errors.values[place] = 0
                        continue
                    }
                    let p = 1 / (1 + exp(-(errors.values[place] + offsetsAhead[k])))
                    errors.values[place] = p - (label ? 1 : 0)
                    totals[k] += errors.values[place]
                }
            }
            let slopes = matmul(scores, errors, transposeA: true)
            let next = (1 + (1 + 4 * momentum * momentum).squareRoot()) / 2
            let push = (momentum - 1) / next
            momentum = next
            for i in 0..<width {
                for k in 0..<classes {
                    let place = i * classes + k
                    let slope = slopes.values[place] + penalty * ahead.values[place]
                    let moved = ahead.values[place] - slope / curvature[i]
                    ahead.values[place] = moved + push * (moved - weights.values[place])
                    weights.values[place] = moved
                }
            }
            for k in 0..<classes {
                let moved = offsetsAhead[k] - totals[k] / (Double(known[k]) / 4)
                offsetsAhead[k] = moved + push * (moved - offsets[k])
                offsets[k] = moved
            }
        }
        return unscaled(weights, offsets)
    }

    /// From components to features as they are.
    private func unscaled(_ weights: Tensor<Double>, _ offsets: [Double]) -> Fit {
        let shares = matmul(duals, weights).converted(to: Float.self)
        var result = matmul(shares, rows, transposeA: true)
        var shifted = offsets
        let width = means.count
        for k in offsets.indices {
            for i in 0..<width {
                let place = k * width + i
                result.values[place] *= factors[i]
                shifted[k] -= Double(result.values[place]) * Double(means[i])
            }
        }
        return Fit(weights: result, offsets: shifted.map { Float($0) })
    }
}
