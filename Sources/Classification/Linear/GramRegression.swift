internal import Foundation
internal import Tensors

/// Logistic regressions of many classes by products of recordings alone, whatever made the products.
///
/// The solution lies in the span of the recordings, where it is found in the basis of their principal
/// components; there the bound ¼·ZᵀZ + λ of the curvature is diagonal.
///
/// - Source: Böhning and Lindsay, "Monotonicity of quadratic-approximation algorithms", 1988, for the
///   bound; Nesterov 1983 for the momentum; Kimeldorf and Wahba 1971 for the span.
struct GramRegression {
    /// `[recordings, components]`
    private let scores: Tensor<Double>
    /// Takes coefficients of components to coefficients of recordings, `[recordings, components]`.
    private let duals: Tensor<Double>

    /// Iterations. The bound is at most a dozen times the curvature of a class that one in fifty has,
    /// so that the momentum method has long come to rest.
    private static let iterations = 80

    /// - Parameter gram: Products of recordings, `[recordings, recordings]`, positive semidefinite.
    init(_ gram: Tensor<Double>) {
        let count = gram.shape[0]
        gram.expect([count, count])
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

    /// What was fitted: a logit is the sum of products with recordings times their weights, and the
    /// offset.
    struct Fit {
        /// `[recordings, classes]`
        let weights: Tensor<Double>
        /// `[classes]`
        let offsets: [Double]
    }

    /// Fits every class.
    ///
    /// - Parameters:
    ///   - labels: `[recordings][classes]`; nil where it is not known, which is left out.
    ///   - penalty: λ of ½λ‖w‖², above 0; the offset is free.
    /// - Returns: Weights and offsets.
    func fit(_ labels: [[Bool?]], penalty: Double) -> Fit {
        let (count, width) = (scores.shape[0], scores.shape[1])
        let classes = labels[0].count
        precondition(labels.count == count && penalty > 0, "GramRegression: \(labels.count)")
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
        return Fit(weights: matmul(duals, weights), offsets: offsets)
    }
}
