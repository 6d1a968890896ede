import Series

/// The answer header `Retry-After`.
enum RetryAfter {
    /// Reads seconds, or an HTTP date in its preferred form; nil for anything else.
    ///
    /// - Parameters:
    ///   - text: The value of the header.
    ///   - now: The time of the attempt, in Unix seconds.
    /// - Returns: The wait asked for, at least zero.
    /// - Source: RFC 9110 §10.2.3 and §5.6.7 (IMF-fixdate).
    static func wait(_ text: String, now: Int64) -> Duration? {
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // A number beyond 64 bits is a wish for ever; the caller clamps it.
            return .seconds(min(Int64(text) ?? .max, Int64(Int32.max)))
        }
        guard let date = unixSeconds(of: text) else { return nil }
        return .seconds(max(0, min(date - now, Int64(Int32.max))))
    }

    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func unixSeconds(of text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int64(words[1]),
            let month = months.firstIndex(of: String(words[2])), let year = Int64(words[3])
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]),
            (0...60).contains(clock[2]), (1970...9999).contains(year),
            CivilDate.exists(year: year, month: Int64(month) + 1, day: day)
        else { return nil }
        let days = CivilDate.days(year: year, month: Int64(month) + 1, day: day)
        return days * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
