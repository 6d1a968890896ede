import Glibc
package import Series

/// Changes a sampling rate by a ratio of whole numbers, with a Kaiser-windowed low-pass at the lower
/// of both half rates.
///
/// The filter has no phase, and beyond both ends the signal is taken as zero: SciPy's
/// `resample_poly` with its defaults.
///
/// - Source: Crochiere and Rabiner, "Multirate Digital Signal Processing", §4.
package struct PolyphaseResampler: Hashable, Sendable {
    /// The largest factor; the filter has twenty taps for each.
    package static let factorMaximum = 10_000

    /// New samples for `down` old ones.
    package let up: Int
    package let down: Int
    /// Taps of the low-pass at `up` times the old rate, symmetric.
    let taps: [Double]

    /// - Parameters:
    ///   - up: From 1; common factors are taken out.
    ///   - down: From 1.
    package init(up: Int, down: Int) {
        precondition(up > 0 && down > 0, "PolyphaseResampler: \(up)/\(down)")
        let common = Self.greatestCommonDivisor(up, down)
        self.up = up / common
        self.down = down / common
        let most = max(self.up, self.down)
        precondition(most <= Self.factorMaximum, "PolyphaseResampler: \(up)/\(down)")
        taps = Self.lowPass(half: 10 * most, cutoff: 1 / Double(most)).map {
            $0 * Double(up / common)
        }
    }

    /// From one rate to another; nil where the ratio takes factors above `factorMaximum`.
    package init?(from old: SamplingRate, to new: SamplingRate) {
        let (up, first) = new.numerator.multipliedReportingOverflow(by: old.denominator)
        let (down, second) = old.numerator.multipliedReportingOverflow(by: new.denominator)
        guard !first, !second else { return nil }
        let common = Self.greatestCommonDivisor(Int(up), Int(down))
        guard max(Int(up), Int(down)) / common <= Self.factorMaximum else { return nil }
        self.init(up: Int(up), down: Int(down))
    }

    /// How many samples become of `count`.
    package func count(from count: Int) -> Int { (count * up + down - 1) / down }

    /// - Parameter x: Finite samples.
    /// - Returns: `[count(from: x.count)]`; the first stands at the instant of the first of `x`.
    package func resample(_ x: [Double]) -> [Double] {
        if up == 1, down == 1 { return x }
        let half = taps.count / 2
        return (0..<count(from: x.count)).map { m in
            // x[i] stands at i·up among the fine samples, and the result at m·down.
            let place = m * down
            let first = max(0, (place - half + up - 1) / up)
            let last = min(x.count - 1, (place + half) / up)
            guard first <= last else { return 0 }
            var sum = 0.0
            var tap = place + half - first * up
            for i in first...last {
                sum += x[i] * taps[tap]
                tap -= up
            }
            return sum
        }
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }

    /// A windowed sinc of unit gain at frequency 0; `cutoff` in units of half the rate.
    private static func lowPass(half: Int, cutoff: Double) -> [Double] {
        let beta = 5.0
        let taps = (-half...half).map { n in
            let position = Double(n) / Double(half)
            let window = bessel0(beta * max(0, 1 - position * position).squareRoot())
            let angle = Double.pi * cutoff * Double(n)
            return (n == 0 ? cutoff : cutoff * sin(angle) / angle) * window
        }
        let gain = taps.reduce(0, +)
        return taps.map { $0 / gain }
    }

    /// The modified Bessel function of the first kind and order 0, by its series.
    private static func bessel0(_ x: Double) -> Double {
        var (term, sum, k) = (1.0, 1.0, 1.0)
        while term > sum * 1e-17 {
            term *= x / (2 * k) * x / (2 * k)
            sum += term
            k += 1
        }
        return sum
    }
}
