/// How the times of a table are written.
package enum TimeFormat: String, Sendable, Codable, CaseIterable {
    /// Year, month, day; then perhaps a clock and an offset from UTC.
    case iso8601
    /// `31/12/2016 23:59`, `31.12.2016`.
    case dayFirst = "day-first"
    /// `12/31/2016 11:59 PM`.
    case monthFirst = "month-first"
    case unixSeconds = "unix-seconds"
    case unixMilliseconds = "unix-milliseconds"
    case unixMicroseconds = "unix-microseconds"
    case unixNanoseconds = "unix-nanoseconds"

    /// What an error shows as accepted.
    package var example: String {
        switch self {
        case .iso8601: "times such as 2016-12-31 23:59:00 or 2016-12-31T23:59:00+01:00"
        case .dayFirst: "times such as 31/12/2016 23:59 or 31.12.2016"
        case .monthFirst: "times such as 12/31/2016 23:59"
        case .unixSeconds: "seconds since 1970 such as 1483228740"
        case .unixMilliseconds: "milliseconds since 1970 such as 1483228740000"
        case .unixMicroseconds: "microseconds since 1970 such as 1483228740000000"
        case .unixNanoseconds: "nanoseconds since 1970 such as 1483228740000000000"
        }
    }

    static let allExamples =
        "2016-12-31 23:59:00, 31/12/2016 23:59, 31.12.2016, or Unix seconds or milliseconds"

    /// Microseconds of one of our units since 1970, as numerator and denominator.
    var unixUnit: (multiplier: Int64, divisor: Int64)? {
        switch self {
        case .unixSeconds: (1_000_000, 1)
        case .unixMilliseconds: (1000, 1)
        case .unixMicroseconds: (1, 1)
        case .unixNanoseconds: (1, 1000)
        case .iso8601, .dayFirst, .monthFirst: nil
        }
    }
}
