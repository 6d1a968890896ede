internal import Foundation
internal import Tensors

/// The kernel of one companion state space by its generating function, `K(z) = N(z)/D(z)`, on a
/// circle inside the unit circle; and the adjoint. In `Double` throughout.
///
/// On the unit circle itself numerator and denominator vanish together where a pole is a root of
/// unity, as with an integrator or a seasonal series. On the radius `r = ε^(1/n)`, with n points, D
/// stays away from 0 because no pole lies outside the unit circle; what wraps round is ε of the
/// kernel, and dividing by `r^k` multiplies rounding by `ε^(−length/n)`. With `n ≥ 4·length` and
/// ε = 1e-13 both are below 1e-12.
///
/// - Source: Zhang, Saab, Poli, Dao, Goel, Ré, ICLR 2023 (SpaceTime) (generating function by
///   Woodbury's identity); the damped contour is ours, see ops/decisions/0013.
package final class GeneratingFunction: Sendable {
    /// Length of a, b and c.
    package let d: Int
    /// Of a kernel.
    package let length: Int
    private static let epsilon = 1e-13
    /// Powers of the radius, `r^k`, as many as either side needs.
    private let powers: [Double]
    private let circle: RealTransform<Double>
    private let products: RealTransform<Double>
    private let row: Panel
    private let spectrum: Panel
    private let work: Workspace<Double>

    /// Traps unless both sizes are above zero.
    package init(d: Int, length: Int) {
        precondition(d > 0 && length > 0, "GeneratingFunction: d \(d), length \(length)")
        self.d = d
        self.length = length
        circle = RealTransform(
            length: RealTransform<Double>.fastLength(atLeast: max(4 * length, d + 1)))
        products = RealTransform(length: RealTransform<Double>.fastLength(atLeast: 2 * d))
        let radius = log(Self.epsilon) / Double(circle.length)
        powers = (0..<max(length, d + 1)).map { exp(radius * Double($0)) }
        let longest = max(circle.length, products.length)
        var layout = WorkspaceLayout()
        row = layout.reserve(1, longest)
        spectrum = layout.reserve(1, longest + 2)
        work = Workspace(layout)
    }

    /// K of a, b and c, each `[d]`, a of L1 norm at most 1: `[length]`.
    package func kernel(a: [Double], b: [Double], c: [Double]) -> [Double] {
        let ratio = Self.divide(
            forward(damped(numerator(a, b, c)), circle),
            by: forward(damped(denominator(a)), circle))
        let values = backward(ratio, circle)
        return (0..<length).map { values[$0] / powers[$0] }
    }

    /// What ∂L/∂K `[length]` gives to a, b and c.
    package func adjoint(
        a: [Double], b: [Double], c: [Double], dkernel: [Double]
    ) -> (a: [Double], b: [Double], c: [Double]) {
        // K̃ = Ñ/D̃ in the spectrum: dÑ = dK̃·conj(1/D̃) and dD̃ = −dK̃·conj(K̃/D̃).
        let bottom = forward(damped(denominator(a)), circle)
        let ratio = Self.divide(forward(damped(numerator(a, b, c)), circle), by: bottom)
        let received = forward((0..<length).map { dkernel[$0] / powers[$0] }, circle)
        let share = Self.divide(received, by: Self.conjugate(bottom))
        let top = backward(share, circle)
        let low = backward(Self.multiply(share, Self.conjugate(ratio)), circle)
        var gradients = numeratorAdjoint(a, b, c, (0..<d).map { top[$0] * powers[$0] })
        for j in 1...d { gradients.a[d - j] += low[j] * powers[j] }
        return gradients
    }

    // MARK: The polynomials

    /// `D_j`, j ≤ d: 1 and `−a_{d−j}`.
    private func denominator(_ a: [Double]) -> [Double] { [1] + a.reversed().map { -$0 } }

    /// `N = r + z·(s∗p − r∗m)` truncated to d terms, with r and s the correlations of c with b and
    /// a, p and m the reversed b and a.
    private func numerator(_ a: [Double], _ b: [Double], _ c: [Double]) -> [Double] {
        let (r, s) = (product(c, b, correlating: true), product(c, a, correlating: true))
        let gained = product(s, b.reversed(), correlating: false)
        let lost = product(r, a.reversed(), correlating: false)
        return (0..<d).map { $0 == 0 ? r[0] : r[$0] + gained[$0 - 1] - lost[$0 - 1] }
    }

    private func numeratorAdjoint(
        _ a: [Double], _ b: [Double], _ c: [Double], _ dn: [Double]
    ) -> (a: [Double], b: [Double], c: [Double]) {
        let (r, s) = (product(c, b, correlating: true), product(c, a, correlating: true))
        let (p, m) = (Array(b.reversed()), Array(a.reversed()))
        let dq = Array(dn.dropFirst()) + [0]
        let ds = product(dq, p, correlating: true)
        let dr = zip(dn, product(dq, m, correlating: true)).map { $0 - $1 }
        let dp = product(dq, s, correlating: true)
        let dm = product(dq, r, correlating: true)
        let (ca, cb) = (product(c, ds, correlating: true), product(c, dr, correlating: true))
        let (da, db) = (product(ds, a, correlating: false), product(dr, b, correlating: false))
        return (
            (0..<d).map { ca[$0] - dm[d - 1 - $0] }, (0..<d).map { cb[$0] + dp[d - 1 - $0] },
            (0..<d).map { da[$0] + db[$0] }
        )
    }

    /// The first d terms of `Σ_i u_{i+k}·v_i`, or of the product of polynomials.
    private func product(_ u: [Double], _ v: [Double], correlating: Bool) -> [Double] {
        let (left, right) = (forward(u, products), forward(v, products))
        let spectrum = Self.multiply(left, correlating ? Self.conjugate(right) : right)
        return Array(backward(spectrum, products)[..<d])
    }

    // MARK: Spectra, real and imaginary parts in turn

    private func damped(_ x: [Double]) -> [Double] { zip(x, powers).map { $0 * $1 } }

    private func forward(_ x: [Double], _ transform: RealTransform<Double>) -> [Double] {
        let (row, spectrum) = panels(transform)
        work.fill(row)
        work.load(row.columns(0..<x.count), from: x)
        transform.forward(row, into: spectrum, work)
        return work.values(spectrum)
    }

    private func backward(_ x: [Double], _ transform: RealTransform<Double>) -> [Double] {
        let (row, spectrum) = panels(transform)
        work.load(spectrum, from: x)
        transform.backward(spectrum, into: row, work)
        let share = 1 / Double(transform.length)
        return work.values(row).map { $0 * share }
    }

    private func panels(_ transform: RealTransform<Double>) -> (row: Panel, spectrum: Panel) {
        (
            row.columns(0..<transform.length),
            spectrum.columns(0..<2 * transform.spectrumCount)
        )
    }

    private static func conjugate(_ x: [Double]) -> [Double] {
        x.indices.map { $0 % 2 == 0 ? x[$0] : -x[$0] }
    }

    private static func multiply(_ x: [Double], _ y: [Double]) -> [Double] {
        var result = x
        for i in stride(from: 0, to: x.count, by: 2) {
            result[i] = x[i] * y[i] - x[i + 1] * y[i + 1]
            result[i + 1] = x[i] * y[i + 1] + x[i + 1] * y[i]
        }
        return result
    }

    private static func divide(_ x: [Double], by y: [Double]) -> [Double] {
        var result = x
        for i in stride(from: 0, to: x.count, by: 2) {
            let square = y[i] * y[i] + y[i + 1] * y[i + 1]
            result[i] = (x[i] * y[i] + x[i + 1] * y[i + 1]) / square
            result[i + 1] = (x[i + 1] * y[i] - x[i] * y[i + 1]) / square
        }
        return result
    }
}
