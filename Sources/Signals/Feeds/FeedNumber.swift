import Series

/// Numbers and times as feeds write them.
enum FeedNumber {
    static let accepted = "a number such as 12.5 or 1e-3, or NaN, +Inf, -Inf"

    private static let decimal = DecimalScanner(mark: UInt8(ascii: "."))

    /// The number that `bytes` spell out whole; NaN and infinities by their names.
    static func read(_ bytes: [UInt8]) -> Double? {
        var position = 0
        if let value = decimal.scan(bytes.span, &position) {
            return position == bytes.count ? value : nil
        }
        let isNegative = bytes.first == UInt8(ascii: "-")
        let isSigned = isNegative || bytes.first == UInt8(ascii: "+")
        guard bytes.count <= 9 else { return nil }
        let word = bytes.dropFirst(isSigned ? 1 : 0).map { $0 | 0x20 }
        switch String(decoding: word, as: UTF8.self) {
        case "nan": return .nan
        case "inf", "infinity": return isNegative ? -.infinity : .infinity
        default: return nil
        }
    }

    /// The instant at so many of a unit after 1970; nil beyond the years that we store.
    static func instant(_ count: Double, unitMicroseconds: Double) -> Timestamp? {
        let microseconds = count * unitMicroseconds
        guard microseconds.isFinite, abs(microseconds) < limit else { return nil }
        return Timestamp(microseconds: Int64(microseconds.rounded()))
    }

    /// The instant at so many of a unit after 1970, rounded down to the microsecond.
    static func instant(_ count: Int64, per unit: (multiplier: Int64, divisor: Int64)) -> Timestamp?
    {
        let (scaled, isBeyond) = count.multipliedReportingOverflow(by: unit.multiplier)
        guard !isBeyond else { return nil }
        let (quotient, rest) = scaled.quotientAndRemainder(dividingBy: unit.divisor)
        let microseconds = rest < 0 ? quotient - 1 : quotient
        guard abs(Double(microseconds)) < limit else { return nil }
        return Timestamp(microseconds: microseconds)
    }

    /// The instant that a number of an unnamed unit means, by its size: up to 10^11 seconds, then
    /// milliseconds, microseconds, nanoseconds, each of which then lies between 1973 and 5138.
    static func instant(guessing count: Double) -> Timestamp? {
        let size = abs(count)
        let unit = size < 1e11 ? 1e6 : size < 1e14 ? 1e3 : size < 1e17 ? 1 : 1e-3
        return instant(count, unitMicroseconds: unit)
    }

    /// To the end of the year 9999, and as far back.
    private static let limit = 253_402_300_800_000_000.0
}
