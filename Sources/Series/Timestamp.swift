/// An instant in UTC with PostgreSQL's resolution: whole microseconds since 1970-01-01.
///
/// Leap seconds do not exist here, as in PostgreSQL and POSIX. Arithmetic that leaves the range of
/// 64 bits (the year 294247) traps.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z; negative before.
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// - Parameter unixSeconds: Seconds since 1970; rounded to the nearest microsecond.
    package init(unixSeconds: Double) {
        precondition(unixSeconds.isFinite, "Timestamp: \(unixSeconds) seconds")
        microseconds = Int64((unixSeconds * 1e6).rounded())
    }

    /// Seconds since 1970, exact to a quarter of a microsecond in our century.
    package var unixSeconds: Double { Double(microseconds) / 1e6 }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// The instant `duration` later, rounded down to a microsecond.
    package static func + (instant: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(microseconds: instant.microseconds + duration.wholeMicroseconds)
    }

    /// The time from `b` to `a`.
    package static func - (a: Timestamp, b: Timestamp) -> Duration {
        .microseconds(a.microseconds - b.microseconds)
    }
}

extension Duration {
    /// The whole microseconds in this duration, rounded down.
    package var wholeMicroseconds: Int64 {
        let parts = components
        return parts.seconds * 1_000_000
            + parts.attoseconds.flooredQuotient(by: 1_000_000_000_000)
    }

    /// This duration in seconds, for display and ratios.
    package var inSeconds: Double { Double(wholeMicroseconds) / 1e6 }
}

// MARK: - Text

extension Timestamp: CustomStringConvertible {
    /// ISO 8601 in UTC, such as `2016-07-01T00:00:00Z`; microseconds only where there are any.
    package var description: String {
        let day = microseconds.flooredQuotient(by: 86_400_000_000)
        var rest = microseconds - day * 86_400_000_000
        let (year, month, dayOfMonth) = CivilDate.fromDays(day)
        let fraction = rest % 1_000_000
        rest /= 1_000_000
        var text = "\(year.padded(4))-\(month.padded(2))-\(dayOfMonth.padded(2))"
        text += "T\((rest / 3600).padded(2)):\((rest / 60 % 60).padded(2)):\((rest % 60).padded(2))"
        if fraction != 0 { text += ".\(fraction.padded(6))" }
        return text + "Z"
    }

    /// Reads ISO 8601 and its usual relatives.
    ///
    /// Accepted: `2016-07-01`, `2016-07-01 00:00`, `2016-07-01T00:00:00.25Z`, `…+02:00`, `…-0530`.
    /// Without an offset the time is taken as UTC. Impossible dates give nil.
    package init?(iso8601 text: some StringProtocol) {
        var scan = DigitScanner(text.utf8)
        guard let year = scan.digits(4), scan.skip("-"), let month = scan.digits(2), scan.skip("-"),
            let day = scan.digits(2), CivilDate.exists(year: year, month: month, day: day)
        else { return nil }
        var total = CivilDate.days(year: year, month: month, day: day) * 86_400_000_000
        if scan.skip("T") || scan.skip(" ") || scan.skip("t") {
            guard let clock = scan.clockMicroseconds() else { return nil }
            total += clock
            guard let offset = scan.offsetSeconds() else { return nil }
            total -= offset * 1_000_000
        }
        guard scan.isAtEnd else { return nil }
        microseconds = total
    }
}

/// The proleptic Gregorian calendar by day number, 1970-01-01 being day 0.
///
/// - Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013: eras of 400
///   years that start on 1 March, so that the leap day comes last.
package enum CivilDate {
    /// The day number of a date that exists.
    package static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = y.flooredQuotient(by: 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date of a day number.
    package static func fromDays(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = z.flooredQuotient(by: 146_097)
        let dayOfEra = z - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    /// Whether the calendar has this date, in a year of four digits.
    package static func exists(year: Int64, month: Int64, day: Int64) -> Bool {
        guard (0...9999).contains(year), (1...12).contains(month), day >= 1 else { return false }
        let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        // April, June, September and November; by arithmetic, since tables are read with this.
        let length = month == 2 ? (isLeap ? 29 : 28) : 30 + (month + month / 8) % 2
        return day <= length
    }
}

/// Reads fixed-width numbers off the front of a text.
private struct DigitScanner<Bytes: Collection<UInt8>> {
    private var rest: Bytes.SubSequence

    init(_ bytes: Bytes) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, UInt32(first) == character.value else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        let head = rest.prefix(count)
        guard head.count == count else { return nil }
        var value: Int64 = 0
        for byte in head {
            guard (48...57).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        rest = rest.dropFirst(count)
        return value
    }

    /// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.f…`; digits beyond the microsecond are dropped.
    mutating func clockMicroseconds() -> Int64? {
        guard let hour = digits(2), hour < 24, skip(":"), let minute = digits(2), minute < 60
        else { return nil }
        var total = (hour * 60 + minute) * 60
        guard skip(":") else { return total * 1_000_000 }
        guard let second = digits(2), second < 60 else { return nil }
        total = (total + second) * 1_000_000
        guard skip(".") else { return total }
        guard var digit = digits(1) else { return nil }
        var unit: Int64 = 100_000
        while true {
            total += digit * unit
            unit /= 10
            guard let next = digits(1) else { return total }
            digit = next
        }
    }

    /// Seconds east of UTC; 0 for `Z` or nothing; nil for a malformed offset.
    mutating func offsetSeconds() -> Int64? {
        if isAtEnd || skip("Z") || skip("z") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = digits(2), hours <= 18 else { return nil }
        if isAtEnd { return sign * hours * 3600 }
        _ = skip(":")
        guard let minutes = digits(2), minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes) * 60
    }
}

extension Int64 {
    /// The quotient rounded towards minus infinity, as calendars need it.
    package func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    fileprivate func padded(_ width: Int) -> String {
        let digits = String(magnitude)
        let zeros = String(repeating: "0", count: Swift.max(0, width - digits.count))
        return (self < 0 ? "-" : "") + zeros + digits
    }
}
