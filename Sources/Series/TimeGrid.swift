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

    /// The instant at `index`, rounded to the nearest microsecond; any index, also outside the grid.
    package func instant(at index: Int) -> Timestamp {
        let (product, overflow) = Int64(index).multipliedReportingOverflow(
            by: rate.denominator * 1_000_000)
        precondition(!overflow, "TimeGrid: index \(index) leaves the range of time")
        let half = rate.numerator / 2
        return Timestamp(
            microseconds: start.microseconds
                + (product + half).flooredQuotient(by: rate.numerator))
    }

    /// The index of the grid instant nearest to `instant`; may lie outside `0..<count`.
    package func nearestIndex(to instant: Timestamp) -> Int {
        let offset = instant.microseconds - start.microseconds
        let step = rate.denominator * 1_000_000
        let (product, overflow) = offset.multipliedReportingOverflow(by: rate.numerator)
        precondition(!overflow, "TimeGrid: \(instant) leaves the range of the grid")
        return Int((product + step / 2).flooredQuotient(by: step))
    }

    /// The instants from `index` on, at the same rate.
    package func suffix(from index: Int, count: Int) -> TimeGrid {
        TimeGrid(start: instant(at: index), rate: rate, count: count)
    }

    /// The instant after the last one.
    package var end: Timestamp { instant(at: count) }
}
