import Foundation
import Learning
import Tensors
import Testing

/// The companion kernel by three ways that share no code: the recurrence in use, the generating
/// function on the unit circle, and the filter with numerator and denominator.
@Suite struct CompanionOracleTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let d: Int
        let length: Int
        var testDescription: String { "d \(d), length \(length)" }
    }

    static let cases = [
        Case(d: 64, length: 336), Case(d: 25, length: 9), Case(d: 8, length: 720),
        Case(d: 4, length: 4), Case(d: 5, length: 7), Case(d: 2, length: 1),
    ]

    @Test(arguments: cases)
    func `recurrence, generating function and rational filter agree`(_ c: Case) {
        let columns = Columns(d: c.d, seed: UInt64(c.d))
        let kernel = recurrence(columns, c.length)
        for other in [generatingFunction(columns, c.length), rational(columns, c.length)] {
            for (x, y) in zip(kernel, other) { #expect(abs(x - y) < 1e-11) }
        }
    }

    @Test(arguments: cases)
    func `the decoder's filter has the same kernel`(_ c: Case) {
        // A unit impulse through w = u/D and the numerators' filter gives K.
        let columns = Columns(d: c.d, seed: UInt64(c.d))
        let d = c.d
        var plan = WorkspaceLayout()
        let (a, b, row) = (plan.reserve(1, d), plan.reserve(1, d), plan.reserve(1, d))
        let (numerators, reversed) = (plan.reserve(d, d), plan.reserve(1, d))
        let (feedback, taps) = (Taps(&plan, count: d), Taps(&plan, count: d))
        let lanes = (0..<4).map { _ in Lanes(&plan, windows: 1, length: c.length, before: d) }
        let result = plan.reserve(1, c.length)
        let work = Workspace<Double>(plan)
        work.load(a, from: columns.a)
        work.load(b, from: columns.b)
        work.load(row, from: columns.c)
        work.reverse(a, into: feedback.values)
        work.numerators(a: a, b: b, into: numerators)
        work.multiply(row, numerators, into: reversed, transposeB: true)
        work.reverse(reversed, into: taps.values)
        work[lanes[0].values, 0, 0] = 1
        work.autoregress(feedback, lanes[0], into: lanes[1], .forward)
        work.filterPair(taps, taps, lanes[1], into: lanes[2], lanes[3])
        work.fromLanes(lanes[2], into: result)
        for (x, y) in zip(work.values(result), recurrence(columns, c.length)) {
            #expect(abs(x - y) < 1e-11)
        }
    }

    /// Seasons of one step, an integrator, and of eight.
    @Test(arguments: [1, 8])
    func `on the unit circle itself the generating function fails where a pole is a root of unity`(
        season: Int
    ) {
        // Why the library evaluates it inside the circle: see ops/decisions/0013.
        var columns = Columns(d: 32, seed: 3)
        columns.a = (0..<32).map { $0 == 32 - season ? 1 : 0 }
        let exact = recurrence(columns, 64)
        let scale = exact.reduce(0) { max($0, abs($1)) }
        func error(_ kernel: [Double]) -> Double {
            zip(kernel, exact).reduce(0) { $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity }
        }
        #expect(error(generatingFunction(columns, 64)) > 0.1 * scale)
        let function = GeneratingFunction(d: 32, length: 64)
        let damped = function.kernel(a: columns.a, b: columns.b, c: columns.c)
        #expect(error(damped) < 1e-11 * scale)
    }

    /// Random a of L1 norm 0.99, so that no pole is a root of unity, random b and c.
    struct Columns {
        var a: [Double]
        let (b, c): ([Double], [Double])

        init(d: Int, seed: UInt64) {
            var random = RandomStream(seed: seed)
            func column() -> [Double] { (0..<d).map { _ in random.normal() } }
            let raw = column()
            let norm = raw.reduce(0) { $0 + abs($1) }
            a = raw.map { 0.99 * $0 / norm }
            b = column()
            c = column()
        }

        /// A x
        func step(_ x: [Double]) -> [Double] {
            let last = x[x.count - 1]
            return a.indices.map { ($0 > 0 ? x[$0 - 1] : 0) + a[$0] * last }
        }

        /// Aᵀ x
        func transposedStep(_ x: [Double]) -> [Double] {
            x.indices.map {
                $0 + 1 < x.count ? x[$0 + 1] : zip(a, x).reduce(0) { $0 + $1.0 * $1.1 }
            }
        }
    }

    private func recurrence(_ columns: Columns, _ length: Int) -> [Double] {
        let d = columns.a.count
        var plan = WorkspaceLayout()
        let (a, b, c) = (plan.reserve(1, d), plan.reserve(1, d), plan.reserve(1, d))
        let (states, kernel) = (plan.reserve(length, d), plan.reserve(1, length))
        let work = Workspace<Double>(plan)
        work.load(a, from: columns.a)
        work.load(b, from: columns.b)
        work.load(c, from: columns.c)
        work.krylov(a: a, b: b, into: states)
        work.multiply(c, states, into: kernel, transposeB: true)
        return work.values(kernel)
    }

    /// The generating function: `K̂_j = c̃ᵀ(I − ω_j·A)⁻¹·b` by Woodbury, and the inverse transform by
    /// its definition.
    private func generatingFunction(_ columns: Columns, _ length: Int) -> [Double] {
        let d = columns.a.count
        var power = columns.c
        for _ in 0..<length { power = columns.transposedStep(power) }
        let tilde = zip(columns.c, power).map { $0 - $1 }
        let last = (0..<d).map { $0 == d - 1 ? 1.0 : 0 }
        func quadratic(_ u: [Double], _ v: [Double], _ j: Int) -> Complex {
            (0..<d).reduce(Complex(0, 0)) { total, k in
                let q = (0..<d - k).reduce(0.0) { $0 + u[$1 + k] * v[$1] }
                return total + q * Complex.unit(-2 * .pi * Double(j * k) / Double(length))
            }
        }
        let spectrum = (0..<length).map { j in
            let zeta = Complex.unit(2 * .pi * Double(j) / Double(length))
            let (b, a) = (columns.b, columns.a)
            return quadratic(tilde, b, j)
                + quadratic(tilde, a, j) * quadratic(last, b, j) / (zeta - quadratic(last, a, j))
        }
        return (0..<length).map { k in
            spectrum.enumerated().reduce(0.0) { total, item in
                let angle = 2 * Double.pi * Double(item.offset * k) / Double(length)
                return total + (item.element * Complex.unit(angle)).re / Double(length)
            }
        }
    }

    /// The rational form: `K(z) = N(z)/D(z)` with N in closed form.
    private func rational(_ columns: Columns, _ length: Int) -> [Double] {
        let (a, b, c, d) = (columns.a, columns.b, columns.c, columns.a.count)
        func correlation(_ v: [Double]) -> [Double] {
            (0..<d).map { k in (0..<d - k).reduce(0.0) { $0 + c[$1 + k] * v[$1] } }
        }
        let (r, s) = (correlation(b), correlation(a))
        let (p, m) = (Array(b.reversed()), Array(a.reversed()))
        let numerator = (0..<d).map { j in
            (0..<j).reduce(r[j]) { (total: Double, i: Int) -> Double in
                let (gained, lost) = (s[i] * p[j - 1 - i], r[i] * m[j - 1 - i])
                return total + gained - lost
            }
        }
        var kernel: [Double] = []
        for k in 0..<length {
            let fed = (1...d).reduce(0.0) { $0 + (k >= $1 ? a[d - $1] * kernel[k - $1] : 0) }
            kernel.append((k < d ? numerator[k] : 0) + fed)
        }
        return kernel
    }
}

/// As much complex arithmetic as the oracle needs.
private struct Complex {
    let re: Double
    let im: Double

    init(_ re: Double, _ im: Double) { (self.re, self.im) = (re, im) }

    static func unit(_ angle: Double) -> Complex { Complex(cos(angle), sin(angle)) }

    static func + (x: Complex, y: Complex) -> Complex { Complex(x.re + y.re, x.im + y.im) }

    static func - (x: Complex, y: Complex) -> Complex { Complex(x.re - y.re, x.im - y.im) }

    static func * (x: Complex, y: Complex) -> Complex {
        Complex(x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re)
    }

    static func * (x: Double, y: Complex) -> Complex { Complex(x * y.re, x * y.im) }

    static func / (x: Complex, y: Complex) -> Complex {
        let square = y.re * y.re + y.im * y.im
        return Complex(
            (x.re * y.re + x.im * y.im) / square, (x.im * y.re - x.re * y.im) / square)
    }
}
