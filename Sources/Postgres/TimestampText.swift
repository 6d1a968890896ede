/// Reads the ISO form in which PostgreSQL prints times: `2016-07-01 00:00:00.25+00`.
enum TimestampText {
    /// Microseconds since 1970; nil for `infinity`, times beyond 64 bits and malformed text.
    static func epochMicroseconds(_ bytes: Span<UInt8>) -> Int64? {
        var index = 0
        guard let year = digits(bytes, &index, atMost: 6), skip(bytes, &index, "-"),
            let month = digits(bytes, &index, atMost: 2), skip(bytes, &index, "-"),
            let day = digits(bytes, &index, atMost: 2), skip(bytes, &index, " "),
            let hour = digits(bytes, &index, atMost: 2), skip(bytes, &index, ":"),
            let minute = digits(bytes, &index, atMost: 2), skip(bytes, &index, ":"),
            let second = digits(bytes, &index, atMost: 2)
        else { return nil }
        var fraction: Int64 = 0
        if skip(bytes, &index, ".") {
            let start = index
            guard let value = digits(bytes, &index, atMost: 6) else { return nil }
            fraction = value
            for _ in (index - start)..<6 { fraction *= 10 }
        }
        guard let offset = offsetSeconds(bytes, &index) else { return nil }
        let isBeforeChrist =
            skip(bytes, &index, " ") && skip(bytes, &index, "B") && skip(bytes, &index, "C")
        guard index == bytes.count else { return nil }
        // There is no year 0: 1 BC comes right before 1 AD.
        let days = dayNumber(year: isBeforeChrist ? 1 - year : year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
        // PostgreSQL's last thirty years do not fit into 64 bits counted from 1970.
        let (whole, isTooLate) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return isTooLate || whole > .max - fraction ? nil : whole + fraction
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar.
    ///
    /// - Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013.
    private static func dayNumber(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func offsetSeconds(_ bytes: Span<UInt8>, _ index: inout Int) -> Int64? {
        let sign: Int64
        if index == bytes.count { return 0 }
        if skip(bytes, &index, "+") {
            sign = 1
        } else if skip(bytes, &index, "-") {
            sign = -1
        } else {
            return nil
        }
        var total: Int64 = 0
        for unit: Int64 in [3600, 60, 1] {
            guard let value = digits(bytes, &index, atMost: 2) else { return nil }
            total += value * unit
            guard skip(bytes, &index, ":") else { break }
        }
        return sign * total
    }

    private static func skip(
        _ bytes: Span<UInt8>, _ index: inout Int, _ character: Unicode.Scalar
    ) -> Bool {
        guard index < bytes.count, UInt32(bytes[index]) == character.value else { return false }
        index += 1
        return true
    }

    private static func digits(
        _ bytes: Span<UInt8>, _ index: inout Int, atMost count: Int
    ) -> Int64? {
        let start = index
        var value: Int64 = 0
        while index < bytes.count, index - start < count, (48...57).contains(bytes[index]) {
            value = value * 10 + Int64(bytes[index] - 48)
            index += 1
        }
        return index > start ? value : nil
    }
}
