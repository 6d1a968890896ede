internal import Foundation
internal import Tensors

/// HiPPO-LegS as a normal matrix less one of rank one, in the basis of the normal one's eigenvectors:
/// `A = Λ − p·p*`. For parity with S4; S4D keeps the imaginary parts of Λ alone.
///
/// The bilinear rule discretises it, `Ā = (1 − ½dt·A)⁻¹(1 + ½dt·A)`, whose inverse costs no more than a
/// vector (Woodbury).
///
/// - Source: Gu, Goel, Ré, ICLR 2022 (S4), theorem 1 and appendix C.3; all in `Double`.
package struct LegendreStateSpace: Sendable {
    let eigenvalues: [ComplexNumber]  // Λ, [states]
    let lowRank: [ComplexNumber]  // p, [states]
    let input: [ComplexNumber]  // B, [states]
    private let vectors: [[ComplexNumber]]  // V, `[state][eigenvector]`

    package var states: Int { eigenvalues.count }

    package init(states: Int) {
        precondition(states > 0, "LegendreStateSpace: \(states) states")
        let (frequencies, vectors) = Self.eigenvectors(states)
        eigenvalues = frequencies.map { ComplexNumber(-0.5, $0) }
        self.vectors = vectors
        func turned(_ x: (Int) -> Double) -> [ComplexNumber] {
            (0..<states).map { column in
                (0..<states).reduce(ComplexNumber(0)) { sum, row in
                    sum + vectors[row][column].conjugate * ComplexNumber(x(row))
                }
            }
        }
        lowRank = turned { (Double($0) + 0.5).squareRoot() }
        input = turned { Double(2 * $0 + 1).squareRoot() }
    }

    /// Frequencies and unit eigenvectors of the skew part S: those of the Hermitian −iS, which as a real
    /// matrix of twice the size has each of them twice.
    private static func eigenvectors(_ n: Int) -> ([Double], [[ComplexNumber]]) {
        var real = Tensor<Double>(zeros: [2 * n, 2 * n])
        for i in 0..<n {
            for j in 0..<n where i != j {
                let size = (Double(2 * i + 1) * Double(2 * j + 1)).squareRoot() / 2
                real[i, n + j] = i > j ? -size : size
                real[n + i, j] = i > j ? size : -size
            }
        }
        let (values, found) = symmetricEigen(real)
        let frequencies = (0..<n).map { values[2 * $0] }
        let vectors = (0..<n).map { row in
            (0..<n).map { ComplexNumber(found[row, 2 * $0], found[n + row, 2 * $0]) }
        }
        return (frequencies, vectors)
    }

    /// The first taps of `K_l = C·Āˡ·B̄`, through their spectrum: four Cauchy sums at every root of unity.
    ///
    /// - Parameters:
    ///   - output: C, real, `[states]`.
    ///   - step: dt.
    ///   - length: Taps.
    /// - Returns: `[length]`
    package func taps(output: [Double], step: Double, length: Int) -> [Double] {
        precondition(output.count == states && length > 0, "LegendreStateSpace: \(output.count)")
        let c = turned(output)
        var powered = c
        for _ in 0..<length { powered = advanced(powered, step) }
        let cut = zip(c, powered).map { $0 - $1 }  // C·(1 − Āᴸ)
        let spectrum = (0..<length).map { node(cut, step, $0, length) }
        return (0..<length).map { l in
            let sum = (0..<length).reduce(ComplexNumber(0)) { sum, j in
                sum + spectrum[j] * .unit(2 * .pi * Double(j * l % length) / Double(length))
            }
            return sum.re / Double(length)
        }
    }

    /// The generating function `C̃·(1 − ω·Ā)⁻¹·B̄` at ω = exp(−2πij / length).
    private func node(
        _ cut: [ComplexNumber], _ step: Double, _ j: Int, _ length: Int
    ) -> ComplexNumber {
        if 2 * j == length {  // There g has no limit, but what is wanted has: ½dt·C̃·B.
            let sum = zip(cut, input).reduce(ComplexNumber(0)) { $0 + $1.0 * $1.1 }
            return sum * ComplexNumber(step / 2)
        }
        let omega = ComplexNumber.unit(-2 * .pi * Double(j) / Double(length))
        let rest = ComplexNumber(1) + omega
        let g = ComplexNumber(2 / step) * (ComplexNumber(1) - omega) / rest
        func cauchy(_ x: [ComplexNumber], _ y: [ComplexNumber]) -> ComplexNumber {
            (0..<states).reduce(ComplexNumber(0)) { sum, n in
                sum + x[n] * y[n] / (g - eigenvalues[n])
            }
        }
        let left = lowRank.map(\.conjugate)
        let correction =
            cauchy(cut, lowRank) * cauchy(left, input)
            / (ComplexNumber(1) + cauchy(left, lowRank))
        return ComplexNumber(2) / rest * (cauchy(cut, input) - correction)
    }

    /// C in the basis of the eigenvectors.
    private func turned(_ output: [Double]) -> [ComplexNumber] {
        (0..<states).map { column in
            (0..<states).reduce(ComplexNumber(0)) { sum, row in
                sum + ComplexNumber(output[row]) * vectors[row][column]
            }
        }
    }

    /// A row times Ā: by `(1 − ½dt·A)⁻¹` first, since both factors commute.
    private func advanced(_ row: [ComplexNumber], _ step: Double) -> [ComplexNumber] {
        let half = ComplexNumber(step / 2)
        let left = lowRank.map(\.conjugate)
        let inverse = eigenvalues.map { ComplexNumber(1) / (ComplexNumber(1) - half * $0) }
        func dot(_ x: [ComplexNumber], _ y: [ComplexNumber]) -> ComplexNumber {
            zip(x, y).reduce(ComplexNumber(0)) { $0 + $1.0 * $1.1 }
        }
        let scaled = zip(row, inverse).map { $0 * $1 }
        let share =
            half * dot(scaled, lowRank)
            / (ComplexNumber(1) + half * dot(left, zip(inverse, lowRank).map { $0 * $1 }))
        let solved = (0..<states).map { scaled[$0] - share * left[$0] * inverse[$0] }
        let along = half * dot(solved, lowRank)
        return (0..<states).map {
            solved[$0] + half * solved[$0] * eigenvalues[$0] - along * left[$0]
        }
    }
}

extension ComplexNumber {
    fileprivate var conjugate: Self { Self(re, -im) }

    fileprivate static func unit(_ angle: Double) -> Self { Self(cos(angle), sin(angle)) }

    fileprivate static func - (x: Self, y: Self) -> Self { Self(x.re - y.re, x.im - y.im) }

    fileprivate static func / (x: Self, y: Self) -> Self {
        let square = y.re * y.re + y.im * y.im
        let product = x * y.conjugate
        return Self(product.re / square, product.im / square)
    }
}
