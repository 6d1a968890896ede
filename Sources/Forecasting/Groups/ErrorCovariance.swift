import Tensors

/// Which errors of the members of a group go together when all is well, and so what part of the
/// error of one the errors of the others do not explain.
///
/// What moves all members at once, such as a load that the auto-encoder smooths, is in the errors of
/// all of them and surprises nobody; what is in one alone stands out.
struct ErrorCovariance: Sendable {
    /// Rows with the largest errors, which may be faults, are left out.
    private static let trimmedShare = 0.01
    /// Errors that are known for fewer of the rows are not judged.
    private static let knownShare = 0.1
    /// No member is judged more finely than this, in variances of its training rows.
    private static let floor = 1e-3
    /// The least share by which covariances are drawn to 0.
    private static let shrinkage = 0.01

    /// The members that are judged, ascending.
    let judged: [Int]
    /// `[judged, judged]`, in deviations of the training rows.
    let covariance: Tensor<Double>

    init(judged: [Int], covariance: Tensor<Double>) {
        covariance.expect([judged.count, judged.count])
        self.judged = judged
        self.covariance = covariance
    }

    /// Learns from rows that are taken to be normal.
    ///
    /// - Parameter errors: `[channel][row]`, signed; NaN where missing or not to be judged.
    init(_ errors: [[Double]]) {
        let rows = errors.first?.count ?? 0
        let judged = errors.indices.filter { channel in
            Double(errors[channel].count { !$0.isNaN }) > Self.knownShare * Double(rows)
        }
        let chosen = Self.trimmed(judged.map { errors[$0] }, rows)
        let size = judged.count
        let kept = 1 - min(1, Self.shrinkage + Double(size) / Double(max(chosen.count, 1)))
        var covariance = Tensor<Double>(zeros: [size, size])
        for i in 0..<size {
            for j in 0...i {
                let (a, b) = (errors[judged[i]], errors[judged[j]])
                var (sum, count) = (0.0, 0.0)
                for row in chosen {
                    let product = a[row] * b[row]
                    guard !product.isNaN else { continue }
                    sum += product
                    count += 1
                }
                let value = count > 0 ? sum / count : 0
                covariance.values[i * size + j] = i == j ? value + Self.floor : value * kept
                covariance.values[j * size + i] = covariance.values[i * size + j]
            }
        }
        self.init(judged: judged, covariance: covariance)
    }

    /// The rows but those with the largest mean square.
    private static func trimmed(_ errors: [[Double]], _ rows: Int) -> [Int] {
        let usual = errors.map { channel in
            let there = channel.filter { !$0.isNaN }
            return max(floor, there.reduce(0) { $0 + $1 * $1 } / Double(max(there.count, 1)))
        }
        let squares = (0..<rows).map { row in
            errors.indices.reduce(0.0) { sum, channel in
                let error = errors[channel][row]
                return error.isNaN ? sum : sum + error * error / usual[channel]
            }
        }
        let worst = squares.indices.sorted { (squares[$0], $0) > (squares[$1], $1) }
        return worst.dropFirst(Int(trimmedShare * Double(rows))).sorted()
    }

    /// What the members that are there tell of each other: the inverse of their covariance.
    ///
    /// - Parameter present: Places among `judged`.
    /// - Returns: `[present, present]`
    func precision(_ present: [Int]) -> Tensor<Double> {
        let (size, count) = (judged.count, present.count)
        let part = present.flatMap { i in present.map { covariance.values[i * size + $0] } }
        let (values, vectors) = symmetricEigen(Tensor([count, count], part))
        var scaled = vectors
        for place in scaled.values.indices {
            // With values missing here and there, a covariance may miss being one by a little.
            scaled.values[place] /= max(values[place % count], Self.floor / 2)
        }
        return matmul(scaled, vectors, transposeB: true)
    }
}

/// Tells the errors of row after row apart, and remembers the inverses for members that are missing
/// together.
struct ErrorSplitter {
    private let errors: ErrorCovariance
    private var known: [[Int]: Tensor<Double>] = [:]

    init(_ errors: ErrorCovariance) { self.errors = errors }

    /// What the errors of the others leave unexplained of the error of every member.
    ///
    /// - Parameter row: `[channel]`, NaN where missing.
    /// - Returns: `[channel]`, signed, in deviations of the training rows, and the square of it over
    ///   its variance, 1 on average; NaN for a member that is missing or not judged.
    mutating func split(_ row: [Double]) -> (unexplained: [Double], squares: [Double]) {
        var unexplained = [Double](repeating: .nan, count: row.count)
        var squares = unexplained
        let present = errors.judged.indices.filter { !row[errors.judged[$0]].isNaN }
        guard !present.isEmpty else { return (unexplained, squares) }
        let precision = known[present] ?? errors.precision(present)
        if known.count < 1_000 { known[present] = precision }
        let count = present.count
        let seen = present.map { row[errors.judged[$0]] }
        for (i, place) in present.enumerated() {
            var sum = 0.0
            for j in 0..<count { sum += precision.values[i * count + j] * seen[j] }
            let own = precision.values[i * count + i]
            let channel = errors.judged[place]
            unexplained[channel] = sum / own
            squares[channel] = sum * sum / own
        }
        return (unexplained, squares)
    }
}
