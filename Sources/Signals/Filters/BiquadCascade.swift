import Glibc

/// A filter as second-order sections, each run in the transposed direct form II.
///
/// - Source: Oppenheim and Schafer, "Discrete-Time Signal Processing", §6.3; edges of the zero-phase
///   form as SciPy's `sosfiltfilt` has them.
package struct BiquadCascade: Hashable, Sendable {
    /// `H(z) = (b0 + b1 z⁻¹ + b2 z⁻²) / (1 + a1 z⁻¹ + a2 z⁻²)`
    package struct Section: Hashable, Sendable {
        package var b0, b1, b2, a1, a2: Double

        package init(b0: Double, b1: Double, b2: Double, a1: Double, a2: Double) {
            (self.b0, self.b1, self.b2, self.a1, self.a2) = (b0, b1, b2, a1, a2)
        }
    }

    /// What a section remembers of the samples so far.
    package struct Memory: Hashable, Sendable {
        package var z1 = 0.0
        package var z2 = 0.0

        package init() {}
    }

    package let sections: [Section]

    package init(_ sections: [Section]) {
        self.sections = sections
    }

    /// The state before the first sample of a signal that was zero.
    package var rest: [Memory] { sections.map { _ in Memory() } }

    /// The state after an endless signal of `level`; a filter that starts with it has no transient.
    package func settled(at level: Double) -> [Memory] {
        var input = level
        return sections.map { s in
            // For constant input u the output is u·gain, and z1 = y − b0 u, z2 = b2 u − a2 y.
            let gain = (s.b0 + s.b1 + s.b2) / (1 + s.a1 + s.a2)
            let output = input * gain
            var memory = Memory()
            memory.z1 = output - s.b0 * input
            memory.z2 = s.b2 * input - s.a2 * output
            input = output
            return memory
        }
    }

    /// Filters samples one after the other, as a stream does.
    ///
    /// - Parameters:
    ///   - x: Finite samples; a missing one would stay in the state for good.
    ///   - state: Of all sections, from `rest` or `settled(at:)`; moved on.
    /// - Returns: As many samples.
    package func filter(_ x: [Double], _ state: inout [Memory]) -> [Double] {
        precondition(state.count == sections.count, "BiquadCascade: \(state.count) states")
        var y = x
        for (index, s) in sections.enumerated() {
            var (z1, z2) = (state[index].z1, state[index].z2)
            for i in y.indices {
                let input = y[i]
                let output = s.b0 * input + z1
                z1 = s.b1 * input - s.a1 * output + z2
                z2 = s.b2 * input - s.a2 * output
                y[i] = output
            }
            (state[index].z1, state[index].z2) = (z1, z2)
        }
        return y
    }

    /// Samples by which both ends are continued before they are filtered to and fro.
    package var edge: Int { 3 * (2 * sections.count + 1) }

    /// Filters to and fro, which leaves every frequency where it was in time and squares the gain.
    ///
    /// Both ends are continued by their point reflection. A signal of at most `edge` samples is
    /// continued by as many as it has.
    ///
    /// - Parameter x: Finite samples.
    /// - Returns: As many samples.
    package func zeroPhase(_ x: [Double]) -> [Double] {
        guard let first = x.first, let last = x.last else { return [] }
        let edge = min(edge, x.count - 1)
        var long = (1..<edge + 1).reversed().map { 2 * first - x[$0] }
        long += x
        long += (1..<edge + 1).map { 2 * last - x[x.count - 1 - $0] }
        for _ in 0..<2 {
            var state = settled(at: long[0])
            long = filter(long, &state)
            long.reverse()
        }
        return Array(long[edge..<edge + x.count])
    }
}

extension BiquadCascade {
    /// Suppresses one frequency, such as that of the mains.
    ///
    /// - Parameters:
    ///   - frequency: In hertz, between 0 and half the rate.
    ///   - quality: The frequency over the width at −3 dB, above 0.
    ///   - rate: Samples per second.
    /// - Returns: One section.
    package static func notch(frequency: Double, quality: Double, rate: Double) -> BiquadCascade {
        precondition(
            0 < frequency && frequency < rate / 2 && quality > 0,
            "notch: \(frequency) Hz of quality \(quality) at \(rate) Hz")
        let omega = 2 * Double.pi * frequency / rate
        let gain = 1 / (1 + tan(omega / quality / 2))
        let middle = -2 * gain * cos(omega)
        return BiquadCascade([
            Section(b0: gain, b1: middle, b2: gain, a1: middle, a2: 2 * gain - 1)
        ])
    }

    /// A Butterworth band-pass by the bilinear transform, of twice `order` poles.
    ///
    /// - Parameters:
    ///   - order: Of the low-pass prototype, from 1.
    ///   - low: Lower edge at −3 dB, in hertz.
    ///   - high: Upper edge, below half the rate.
    ///   - rate: Samples per second.
    /// - Returns: `order` sections.
    package static func butterworthBandpass(
        order: Int, low: Double, high: Double, rate: Double
    ) -> BiquadCascade {
        precondition(
            order > 0 && 0 < low && low < high && high < rate / 2,
            "butterworthBandpass: order \(order), \(low) to \(high) Hz at \(rate) Hz")
        // Frequencies in units in which the bilinear transform is z = (1 + s) / (1 − s).
        let (lower, upper) = (tan(.pi * low / rate), tan(.pi * high / rate))
        let (width, middle) = (upper - lower, (lower * upper).squareRoot())
        let one = Complex(1, 0)
        var poles: [Complex] = []
        var gain = one
        for k in 0..<order {
            let angle = Double.pi * Double(2 * k + 1 + order) / Double(2 * order)
            let half = Complex(cos(angle), sin(angle)) * Complex(width / 2, 0)
            let root = (half * half - Complex(middle * middle, 0)).squareRoot
            for pole in [half + root, half - root] {
                poles.append((one + pole) / (one - pole))
                gain = gain / (one - pole)
            }
            gain = gain * Complex(width, 0)
        }
        return BiquadCascade(Self.sections(poles, gain: gain.real))
    }

    /// Sections of zeros at 1 and −1 and two poles each, those nearest to the unit circle last, the
    /// gain in the first.
    private static func sections(_ poles: [Complex], gain: Double) -> [Section] {
        let tiny = 1e-12
        let real = poles.filter { abs($0.imaginary) < tiny }.map(\.real).sorted()
        var pairs = poles.filter { $0.imaginary >= tiny }.map { pole in
            (sum: 2 * pole.real, product: pole.real * pole.real + pole.imaginary * pole.imaginary)
        }
        for i in stride(from: 0, to: real.count, by: 2) {
            pairs.append((real[i] + real[i + 1], real[i] * real[i + 1]))
        }
        pairs.sort { abs($0.product) < abs($1.product) }
        return pairs.enumerated().map { index, pair in
            let scale = index == 0 ? gain : 1
            return Section(b0: scale, b1: 0, b2: -scale, a1: -pair.sum, a2: pair.product)
        }
    }
}

/// As much of the complex numbers as the design of a filter takes.
private struct Complex {
    var real: Double
    var imaginary: Double

    init(_ real: Double, _ imaginary: Double) {
        self.real = real
        self.imaginary = imaginary
    }

    static func + (a: Complex, b: Complex) -> Complex {
        Complex(a.real + b.real, a.imaginary + b.imaginary)
    }

    static func - (a: Complex, b: Complex) -> Complex {
        Complex(a.real - b.real, a.imaginary - b.imaginary)
    }

    static func * (a: Complex, b: Complex) -> Complex {
        Complex(
            a.real * b.real - a.imaginary * b.imaginary,
            a.real * b.imaginary + a.imaginary * b.real)
    }

    static func / (a: Complex, b: Complex) -> Complex {
        let norm = b.real * b.real + b.imaginary * b.imaginary
        let product = a * Complex(b.real, -b.imaginary)
        return Complex(product.real / norm, product.imaginary / norm)
    }

    /// The root whose real part is not negative.
    var squareRoot: Complex {
        let size = hypot(real, imaginary)
        let r = ((size + real) / 2).squareRoot()
        let i = ((size - real) / 2).squareRoot()
        return Complex(r, imaginary < 0 ? -i : i)
    }
}
