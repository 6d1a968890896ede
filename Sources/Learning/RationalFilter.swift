internal import Foundation
internal import Tensors

/// A companion state space read as an ARMA filter,
/// `y_t = Σ_{1≤j≤d} φ_j·y_{t−j} + Σ_{0≤j<d} θ_j·u_{t−j}`, in `Double`.
///
/// - Source: Box, Jenkins, Time Series Analysis, ch. 3 (ARMA); the companion form read backwards.
package struct RationalFilter: Sendable, Equatable, Codable {
    /// φ of lag 1 and following.
    package let autoregressive: [Double]
    /// θ of lag 0 and following.
    package let movingAverage: [Double]

    /// One pole of the filter, or a pair of conjugates: what it does when left alone.
    package struct Mode: Sendable, Equatable, Codable {
        /// Steps of one turn; nil where it only decays.
        package let period: Double?
        /// Steps until half is left; nil where it does not decay.
        package let halfLife: Double?
        /// Its part of the response to a unit impulse, at the start.
        package let amplitude: Double
        /// The sum of its magnitudes over a thousand steps, for comparing modes: what lasts weighs
        /// more.
        package let weight: Double
    }

    /// Steps that a mode is weighed by.
    private static let weighedSteps = 1000.0

    package init(autoregressive: [Double], movingAverage: [Double]) {
        precondition(
            !autoregressive.isEmpty && autoregressive.count == movingAverage.count,
            "RationalFilter: \(autoregressive.count) and \(movingAverage.count) terms")
        self.autoregressive = autoregressive
        self.movingAverage = movingAverage
    }

    /// Of a column a, an input b and an output c as the state space uses them, each `[d]`.
    package init(a: [Double], b: [Double], c: [Double]) {
        self.init(
            autoregressive: a.reversed(), movingAverage: Self.numerator(a: a, b: b, c: c))
    }

    /// The response to a unit impulse, `[length]`.
    package func response(_ length: Int) -> [Double] {
        var y: [Double] = []
        for t in 0..<length {
            var value = t < movingAverage.count ? movingAverage[t] : 0
            for (j, phi) in autoregressive.enumerated() where t > j {
                value += phi * y[t - 1 - j]
            }
            y.append(value)
        }
        return y
    }

    /// Its modes, the weightiest first; nil where the poles were not found.
    ///
    /// A mode is left out where its weight is below 1e-9 of the largest: poles at 0, and poles that a
    /// zero of the numerator cancels.
    package var modes: [Mode]? {
        guard let poles = eigenvalues(companion) else { return nil }
        let modes = poles.filter { $0.im >= 0 && $0.magnitude > 1e-9 }.map { mode($0) }
        let largest = modes.map(\.weight).max() ?? 0
        return modes.filter { $0.weight > 1e-9 * largest }.sorted { $0.weight > $1.weight }
    }

    /// The companion matrix whose characteristic polynomial is `ζ^d − Σ φ_j·ζ^{d−j}`.
    private var companion: Tensor<Double> {
        let d = autoregressive.count
        var matrix = Tensor<Double>(zeros: [d, d])
        for j in 0..<d {
            matrix[0, j] = autoregressive[j]
            if j + 1 < d { matrix[j + 1, j] = 1 }
        }
        return matrix
    }

    /// The response is `Σ ρ_i·λ_i^t` with `ρ = Σ_j θ_j·λ^{d−1−j} / p′(λ)`.
    private func mode(_ pole: ComplexNumber) -> Mode {
        let d = autoregressive.count
        var (top, slope) = (ComplexNumber(0), ComplexNumber(Double(d)))
        for j in 0..<d { top = top * pole + ComplexNumber(movingAverage[j]) }
        for j in 1..<max(1, d) {
            slope = slope * pole + ComplexNumber(-Double(d - j) * autoregressive[j - 1])
        }
        let magnitude = pole.magnitude
        let isReal = pole.im <= 1e-9 * magnitude
        let residue = top.magnitude / max(slope.magnitude, 1e-300)
        let amplitude = isReal ? residue : 2 * residue
        let angle = abs(atan2(pole.im, pole.re))
        return Mode(
            period: isReal && pole.re > 0 ? nil : 2 * .pi / angle,
            halfLife: magnitude < 1 - 1e-9 ? log(0.5) / log(magnitude) : nil,
            amplitude: amplitude,
            weight: amplitude * Self.sum(magnitude))
    }

    /// `Σ r^t` over the steps that count.
    private static func sum(_ r: Double) -> Double {
        abs(1 - r) < 1e-9 ? weighedSteps : (1 - pow(r, weighedSteps)) / (1 - r)
    }

    /// `θ_j = c·P_j` with `P_0 = b`, `P_j = A·P_{j−1} − a_{d−j}·b`.
    static func numerator(a: [Double], b: [Double], c: [Double]) -> [Double] {
        let d = a.count
        var p = b
        var theta = [zip(c, p).reduce(0) { $0 + $1.0 * $1.1 }]
        for j in 1..<max(1, d) {
            let last = p[d - 1]
            let previous = p
            for i in 0..<d {
                p[i] = (i > 0 ? previous[i - 1] : 0) + a[i] * last - a[d - j] * b[i]
            }
            theta.append(zip(c, p).reduce(0) { $0 + $1.0 * $1.1 })
        }
        return theta
    }
}

extension CompanionSSM {
    /// Kernel g as an ARMA filter, without the skip.
    package func filter<S>(_ g: Int, _ p: Parameters<S>) -> RationalFilter {
        RationalFilter(
            a: normalised(p.row(g, of: a)), b: p.row(g, of: b), c: p.row(g, of: c))
    }
}

extension ClosedLoopSSM {
    /// The closed loop of one head as a filter of what drives it, with its gain: the response to an
    /// impulse is the forecast after one.
    package func loop<S>(_ head: Int, _ p: Parameters<S>) -> RationalFilter {
        let (an, bn) = (normalised(p.row(head, of: a)), normalised(p.row(head, of: b)))
        let outputs = RationalFilter.numerator(a: an, b: bn, c: normalised(p.row(head, of: c)))
        let fed = RationalFilter.numerator(a: an, b: bn, c: normalised(p.row(head, of: k)))
        let gain = Double(p.values[gain.offset + head])
        return RationalFilter(
            autoregressive: zip(an.reversed(), fed).map { $0 + $1 },
            movingAverage: outputs.map { gain * $0 })
    }
}

extension Parameters {
    fileprivate func row(_ index: Int, of slot: Slot) -> [Double] {
        let width = slot.shape[1]
        let start = slot.offset + index * width
        return values[start..<start + width].map { Double($0) }
    }
}

/// A row divided by its L1 norm, or as it is where that is at most 1e-4.
private func normalised(_ row: [Double]) -> [Double] {
    let norm = row.reduce(0) { $0 + abs($1) }
    return norm > 1e-4 ? row.map { $0 / norm } : row
}
