/// An exact sampling rate in hertz, as a reduced fraction: an hourly series has 1/3600.
package struct SamplingRate: Hashable, Sendable {
    /// Samples per `denominator` seconds; above zero.
    package let numerator: Int64
    /// Seconds; above zero, without a factor common with `numerator`.
    package let denominator: Int64

    /// - Parameters:
    ///   - numerator: Samples; above zero, or the call traps.
    ///   - denominator: Seconds in which they come; above zero, or the call traps.
    package init(_ numerator: Int64, per denominator: Int64 = 1) {
        precondition(numerator > 0 && denominator > 0, "SamplingRate: \(numerator)/\(denominator)")
        let divisor = Self.greatestCommonDivisor(numerator, denominator)
        self.numerator = numerator / divisor
        self.denominator = denominator / divisor
    }

    /// The rate whose samples are `stepMicroseconds` apart; traps unless above zero.
    package init(stepMicroseconds: Int64) {
        self.init(1_000_000, per: stepMicroseconds)
    }

    /// Samples per second, rounded to a `Double`.
    package var hertz: Double { Double(numerator) / Double(denominator) }

    /// Time between two samples in seconds, rounded to a `Double`.
    package var stepSeconds: Double { Double(denominator) / Double(numerator) }

    private static func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}

/// Equally spaced instants: a start, an exact rate and a count.
package struct TimeGrid: Hashable, Sendable {
    package let start: Timestamp
    package let rate: SamplingRate
    /// Number of instants, zero or more.
    package let count: Int

    package init(start: Timestamp, rate: SamplingRate, count: Int) {
        precondition(count >= 0, "TimeGrid: \(count) instants")
        self.start = start
        self.rate = rate
        self.count = count
    }

    /// The instant at `index`, rounded to the nearest microsecond; any index, also outside the grid,
    /// whose instant is a time.
    package func instant(at index: Int) -> Timestamp {
        let offset = Self.rounded(
            Int64(index), times: stepNumerator, over: Int128(rate.numerator))
        return Timestamp(microseconds: start.microseconds + offset)
    }

    /// The index of the grid instant nearest to `instant`; may lie outside `0..<count`.
    package func nearestIndex(to instant: Timestamp) -> Int {
        let offset = instant.microseconds - start.microseconds
        return Int(Self.rounded(offset, times: Int128(rate.numerator), over: stepNumerator))
    }

    /// Microseconds in which `rate.numerator` samples come; may be more than 64 bits hold.
    private var stepNumerator: Int128 { Int128(rate.denominator) * 1_000_000 }

    /// `value · factor / divisor` to the nearest whole number, halves up.
    private static func rounded(_ value: Int64, times factor: Int128, over divisor: Int128) -> Int64
    {
        if let factor = Int64(exactly: factor), let divisor = Int64(exactly: divisor) {
            let (product, isBeyond) = value.multipliedReportingOverflow(by: factor)
            let (sum, isBeyondToo) = product.addingReportingOverflow(divisor / 2)
            // Nearly always; a division of 128 bits takes ten times as long.
            if !isBeyond && !isBeyondToo { return sum.flooredQuotient(by: divisor) }
        }
        let (quotient, remainder) = (Int128(value) * factor + divisor / 2)
            .quotientAndRemainder(dividingBy: divisor)
        return Int64(remainder < 0 ? quotient - 1 : quotient)
    }

    /// The instants from `index` on, at the same rate.
    package func suffix(from index: Int, count: Int) -> TimeGrid {
        TimeGrid(start: instant(at: index), rate: rate, count: count)
    }

    /// The instant after the last one.
    package var end: Timestamp { instant(at: count) }
}
