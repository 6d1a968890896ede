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
        let found = Self.axes(Tensor([rows.count, width], values), count: count)
        var directions = found
        for component in 0..<found.shape[0] {
            for i in 0..<width { directions[component, i] *= factors[i] }
        }
        self.init(means: means.map { Float($0) }, directions: directions.converted(to: Float.self))
    }

    /// The axes along which rows vary most, `[components, columns]`, from products of columns or of
    /// rows, whichever are fewer.
    private static func axes(_ rows: Tensor<Double>, count: Int) -> Tensor<Double> {
        let (number, width) = (rows.shape[0], rows.shape[1])
        let isTall = number >= width
        let (values, vectors) = symmetricEigen(
            matmul(rows, rows, transposeA: isTall, transposeB: !isTall))
        let kept = (0..<min(count, number, width)).map { values.count - 1 - $0 }
            .filter { values[$0] > 1e-9 * (values.last ?? 0) }
        var chosen = Tensor<Double>(zeros: [kept.count, values.count])
        for (place, component) in kept.enumerated() {
            let size = isTall ? 1 : values[component].squareRoot()
            for i in values.indices { chosen[place, i] = vectors[i, component] / size }
        }
        return isTall ? chosen : matmul(chosen, rows)
    }

    /// The components of one recording, `[count]`.
    func apply(_ features: ArraySlice<Float>) -> [Float] {
        let width = means.count
        precondition(features.count == width, "BlockComponents: \(features.count)")
        let centred = Tensor<Float>([width, 1], zip(features, means).map { $0 - $1 })
        return matmul(directions, centred).values
    }
}
