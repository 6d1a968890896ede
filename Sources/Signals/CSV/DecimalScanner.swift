/// Reads decimal numbers off text bytes; every result is the double nearest to what is written.
struct DecimalScanner: Sendable {
    /// `.` or `,`.
    let mark: UInt8

    /// The number that begins at `position`, which then stands behind it; nil, and `position`
    /// unchanged, where none does. A number too large for a double gives infinity.
    @inline(__always)
    func scan(_ bytes: Span<UInt8>, _ position: inout Int) -> Double? {
        let count = bytes.count
        var i = position
        var isNegative = false
        if i < count, bytes[i] == UInt8(ascii: "-") || bytes[i] == UInt8(ascii: "+") {
            isNegative = bytes[i] == UInt8(ascii: "-")
            i += 1
        }
        var mantissa: UInt64 = 0
        let integerStart = i
        Self.digits(bytes, &i, into: &mantissa)
        var digitCount = i - integerStart
        var exponent = 0
        if i < count, bytes[i] == mark {
            i += 1
            let fractionStart = i
            Self.digits(bytes, &i, into: &mantissa)
            exponent = fractionStart - i
            digitCount -= exponent
        }
        guard digitCount > 0 else { return nil }
        if i < count, bytes[i] | 0x20 == UInt8(ascii: "e") {
            guard let written = Self.exponent(bytes, &i) else { return nil }
            exponent += written
        }
        let start = position
        position = i
        // Nineteen digits always fit 64 bits; more may have overflowed `mantissa`.
        if digitCount <= 19, let value = Self.exact(mantissa, exponent) {
            return isNegative ? -value : value
        }
        return slow(bytes, start..<i)
    }

    @inline(__always)
    private static func digits(_ bytes: Span<UInt8>, _ i: inout Int, into mantissa: inout UInt64) {
        while i < bytes.count {
            let digit = bytes[i] &- 48
            guard digit < 10 else { return }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            i &+= 1
        }
    }

    private static func exponent(_ bytes: Span<UInt8>, _ i: inout Int) -> Int? {
        i += 1
        var isNegative = false
        if i < bytes.count, bytes[i] == UInt8(ascii: "-") || bytes[i] == UInt8(ascii: "+") {
            isNegative = bytes[i] == UInt8(ascii: "-")
            i += 1
        }
        var value = 0
        let start = i
        while i < bytes.count, bytes[i] &- 48 < 10 {
            value = min(100_000, value * 10 + Int(bytes[i] &- 48))
            i += 1
        }
        return i > start ? (isNegative ? -value : value) : nil
    }

    /// `mantissa · 10^exponent`, correctly rounded; nil where neither short way applies.
    ///
    /// Up to 2^53 and 10^22 both factors are doubles, so that one rounding happens (W. Clinger,
    /// "How to read floating point numbers accurately", 1990). Down to 10^-19 the quotient is
    /// taken in integers to 63 bits or more, with the remainder folded into its last bit, and
    /// rounded once by the conversion.
    @inline(__always)
    static func exact(_ mantissa: UInt64, _ exponent: Int) -> Double? {
        if exponent == 0 || mantissa == 0 { return Double(mantissa) }
        if mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
            return exponent < 0
                ? Double(mantissa) / powers[-exponent] : Double(mantissa) * powers[exponent]
        }
        guard exponent < 0, exponent >= -19 else { return nil }
        let divisor = integerPowers[-exponent]
        let divisorShift = divisor.leadingZeroBitCount
        let shift = mantissa.leadingZeroBitCount
        let normal = mantissa << UInt64(shift)
        let (quotient, remainder) = (divisor << UInt64(divisorShift)).dividingFullWidth(
            (normal >> 1, normal << 63))
        let sticky = quotient | (remainder == 0 ? 0 : 1)
        let scale = Double(bitPattern: UInt64(1023 + divisorShift - shift - 63) << 52)
        return Double(sticky) * scale
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    private static let integerPowers: [UInt64] = (0...19).map { power in
        (0..<power).reduce(1) { product, _ in product * 10 }
    }

    /// Longer or more extreme numbers, by the standard library's correctly rounded reader.
    private func slow(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
        var text: [UInt8] = []
        for i in range { text.append(bytes[i] == mark ? UInt8(ascii: ".") : bytes[i]) }
        return Double(String(decoding: text, as: UTF8.self))
    }
}
