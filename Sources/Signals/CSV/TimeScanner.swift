import Series

/// Reads times in one format off text bytes, in microseconds since 1970.
struct TimeScanner: Sendable {
    let format: TimeFormat
    /// Seconds east of UTC where the text does not say.
    let offsetSeconds: Int64

    /// The time that begins at `position`, which then stands behind it; nil, and `position`
    /// unspecified, where none does.
    @inline(__always)
    func scan(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        if let unit = format.unixUnit { return Self.unix(bytes, &position, unit) }
        guard let date = date(bytes, &position) else { return nil }
        let first = position < bytes.count ? bytes[position] : 0
        guard first == UInt8(ascii: " ") || first | 0x20 == UInt8(ascii: "t") else {
            return date - offsetSeconds * 1_000_000
        }
        position += 1
        guard let clock = Self.clock(bytes, &position),
            let offset = offset(bytes, &position)
        else { return nil }
        return date + clock - offset * 1_000_000
    }

    /// Midnight of the date that begins at `position`, in microseconds.
    @inline(__always)
    func date(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        let yearFirst = format == .iso8601
        let firstStart = position
        guard let first = Self.number(bytes, &position, digitsMaximum: yearFirst ? 4 : 2),
            !yearFirst || position - firstStart == 4,
            position < bytes.count, Self.isDateSeparator(bytes[position])
        else { return nil }
        let separator = bytes[position]
        position += 1
        guard let second = Self.number(bytes, &position, digitsMaximum: 2),
            position < bytes.count, bytes[position] == separator
        else { return nil }
        position += 1
        let thirdStart = position
        guard let third = Self.number(bytes, &position, digitsMaximum: yearFirst ? 2 : 4),
            yearFirst || position - thirdStart == 4
        else { return nil }
        let (year, month, day) =
            switch format {
            case .dayFirst: (third, second, first)
            case .monthFirst: (third, first, second)
            default: (first, second, third)
            }
        guard CivilDate.exists(year: year, month: month, day: day) else { return nil }
        return CivilDate.days(year: year, month: month, day: day) * 86_400_000_000
    }

    /// `H:MM`, `HH:MM:SS`, `HH:MM:SS.f…`, each also with dots as in `18.00.00`, and ` AM` or
    /// ` PM`, in microseconds since midnight.
    @inline(__always)
    static func clock(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        guard var hour = number(bytes, &position, digitsMaximum: 2), hour < 24,
            position < bytes.count
        else { return nil }
        let separator = bytes[position]
        guard separator == UInt8(ascii: ":") || separator == UInt8(ascii: ".") else { return nil }
        position += 1
        guard let minute = number(bytes, &position, digitsMaximum: 2), minute < 60
        else { return nil }
        var second: Int64 = 0
        var micros: Int64 = 0
        if position < bytes.count, bytes[position] == separator {
            position += 1
            guard let read = number(bytes, &position, digitsMaximum: 2), read < 60
            else { return nil }
            second = read
            if position < bytes.count, isFractionMark(bytes, position) {
                position += 1
                micros = fraction(bytes, &position)
            }
        }
        if let isAfternoon = halfDay(bytes, &position) {
            guard hour >= 1, hour <= 12 else { return nil }
            hour = hour % 12 + (isAfternoon ? 12 : 0)
        }
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    }

    /// Seconds east of UTC; the default where nothing follows; nil for a malformed offset.
    @inline(__always)
    private func offset(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        guard position < bytes.count else { return offsetSeconds }
        var i = position
        if bytes[i] == UInt8(ascii: " "), i + 1 < bytes.count { i += 1 }
        let sign: Int64
        switch bytes[i] {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"):
            position = i + 1
            return 0
        case UInt8(ascii: "U"), UInt8(ascii: "G"):
            guard Self.isNamedUTC(bytes, i) else { return nil }
            position = i + 3
            return 0
        case UInt8(ascii: "+"): sign = 1
        case UInt8(ascii: "-"): sign = -1
        default: return offsetSeconds
        }
        i += 1
        let start = i
        guard let hours = Self.number(bytes, &i, digitsMaximum: 2), i - start == 2, hours <= 18
        else { return nil }
        position = i
        if i < bytes.count, bytes[i] == UInt8(ascii: ":") { i += 1 }
        let minuteStart = i
        guard let minutes = Self.number(bytes, &i, digitsMaximum: 2) else {
            return minuteStart == position ? sign * hours * 3600 : nil
        }
        guard i - minuteStart == 2, minutes < 60 else { return nil }
        position = i
        return sign * (hours * 60 + minutes) * 60
    }

    /// A count of units since 1970, perhaps with a fraction, cut to the microsecond.
    private static func unix(
        _ bytes: Span<UInt8>, _ position: inout Int, _ unit: (multiplier: Int64, divisor: Int64)
    ) -> Int64? {
        var isNegative = false
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") {
            isNegative = true
            position += 1
        }
        guard let whole = number(bytes, &position, digitsMaximum: 19) else { return nil }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit.multiplier)
        // To the end of the year 9999: what lies beyond is no time, and would leave the range of sums.
        guard !overflow, scaled / unit.divisor < 253_402_300_800_000_000 else { return nil }
        var micros = scaled / unit.divisor
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            micros += fraction(bytes, &position) * unit.multiplier / (1_000_000 * unit.divisor)
        }
        return isNegative ? -micros : micros
    }

    /// One to `digitsMaximum` digits; nil where there is none, or a value above 64 bits.
    @inline(__always)
    private static func number(
        _ bytes: Span<UInt8>, _ position: inout Int, digitsMaximum: Int
    ) -> Int64? {
        var value: Int64 = 0
        let start = position
        while position < bytes.count, position &- start < digitsMaximum {
            let digit = bytes[position] &- 48
            guard digit < 10 else { break }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(digit))
            if overflow || carry { return nil }
            value = sum
            position &+= 1
        }
        return position > start ? value : nil
    }

    /// The digits behind a decimal mark, in millionths; what is finer is dropped.
    private static func fraction(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64 {
        var unit: Int64 = 100_000
        var value: Int64 = 0
        while position < bytes.count, bytes[position] &- 48 < 10 {
            value += Int64(bytes[position] &- 48) * unit
            unit /= 10
            position += 1
        }
        return value
    }

    private static func halfDay(_ bytes: Span<UInt8>, _ position: inout Int) -> Bool? {
        var i = position
        if i < bytes.count, bytes[i] == UInt8(ascii: " ") { i += 1 }
        guard i + 1 < bytes.count, bytes[i + 1] | 0x20 == UInt8(ascii: "m") else { return nil }
        let letter = bytes[i] | 0x20
        guard letter == UInt8(ascii: "a") || letter == UInt8(ascii: "p") else { return nil }
        position = i + 2
        return letter == UInt8(ascii: "p")
    }

    @inline(__always)
    private static func isDateSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".")
    }

    private static func isFractionMark(_ bytes: Span<UInt8>, _ position: Int) -> Bool {
        position + 1 < bytes.count && bytes[position] == UInt8(ascii: ".")
            && bytes[position + 1] &- 48 < 10
    }

    private static func isNamedUTC(_ bytes: Span<UInt8>, _ position: Int) -> Bool {
        guard position + 2 < bytes.count else { return false }
        let name = [bytes[position], bytes[position + 1], bytes[position + 2]]
        return name == Array("UTC".utf8) || name == Array("GMT".utf8)
    }
}
