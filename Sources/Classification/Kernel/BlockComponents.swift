internal import Tensors

/// The principal components of a block of features that were standardised.
///
/// Distances between recordings are those of the block: all features together have variance 1.
struct BlockComponents: Sendable, Equatable {
    /// `[features]`
    let means: [Float]
    /// `[components, features]`, for features less their means.
    let directions: Tensor<Float>

    var count: Int { directions.shape[0] }

    init(means: [Float], directions: Tensor<Float>) {
        directions.expect([nil, means.count])
        self.means = means
        self.directions = directions
    }

    /// - Parameters:
    ///   - rows: `[recordings][features]`, at least one row.
    ///   - count: The most components; fewer where the recordings or the features are fewer.
    init(fitting rows: [[Float]], count: Int) {
        let width = rows[0].count
        let number = Double(rows.count)
        var means = [Double](repeating: 0, count: width)
        var squares = means
        for row in rows {
            for (i, value) in row.enumerated() {
                means[i] += Double(value) / number
                squares[i] += Double(value) * Double(value) / number
            }
        }
        let factors = (0..<width).map { i in
            let variance = squares[i] - means[i] * means[i]
            return variance > 1e-10 ? (1 / variance / Double(width)).squareRoot() : 0
        }
        let values = rows.flatMap { row in
            row.indices.map { (Double(row[$0]) - means[$0]) * factors[$0] }
        }
        let standardised = Tensor<Double>([rows.count, width], values)
        let (_, vectors) = symmetricEigen(
            matmul(standardised, standardised, transposeA: true))
        let kept = min(count, width, rows.count)
        var directions = Tensor<Float>(zeros: [kept, width])
        for component in 0..<kept {
            for i in 0..<width {
                directions[component, i] = Float(vectors[i, width - 1 - component] * factors[i])
            }
        }
        self.init(means: means.map { Float($0) }, directions: directions)
    }

    /// The components of one recording, `[count]`.
    func apply(_ features: ArraySlice<Float>) -> [Float] {
        let width = means.count
        precondition(features.count == width, "BlockComponents: \(features.count)")
        let centred = Tensor<Float>([width, 1], zip(features, means).map { $0 - $1 })
        return matmul(directions, centred).values
    }
}
