import Series

/// The first records of a table as texts, from which its dialect is found.
struct CSVSample {
    /// The most records looked at.
    static let recordsMaximum = 200
    /// The most bytes looked at.
    static let bytesMaximum = 1 << 20

    /// `[records][fields]`; the header is the first, where there is one.
    var records: [[String]] = []
    /// Where each record begins: its offset in bytes and its line.
    var starts: [(offset: Int, line: Int)] = []

    /// Reads records from `offset` on, passing over blank lines and lines that begin with `#`.
    init(
        _ bytes: Span<UInt8>, delimiter: UInt8, from offset: Int, file: String
    ) throws(CSVError) {
        let scanner = CSVFieldScanner(delimiter: delimiter)
        var position = offset
        var line = 1
        let end = min(bytes.count, offset + Self.bytesMaximum)
        while position < end, records.count < Self.recordsMaximum {
            let isComment = bytes[position] == UInt8(ascii: "#") && records.isEmpty
            if isComment || CSVByte.endsLine(bytes[position]) {
                while position < bytes.count, !CSVByte.endsLine(bytes[position]) { position += 1 }
                CSVFieldScanner.skipLineEnd(bytes, &position)
                line += 1
                continue
            }
            starts.append((position, line))
            var fields: [String] = []
            while true {
                guard let extent = scanner.field(bytes, &position) else {
                    throw CSVError(file: file, line: line, reason: .unterminatedQuote)
                }
                fields.append(CSVFieldScanner.text(bytes, extent))
                line += extent.lineEnds
                while !scanner.isEnd(bytes, position) { position += 1 }
                guard position < bytes.count, bytes[position] == delimiter else { break }
                position += 1
            }
            CSVFieldScanner.skipLineEnd(bytes, &position)
            records.append(fields)
            line += 1
        }
    }

    /// The commonest number of fields, and the share of records that have it.
    var shape: (fields: Int, share: Double) {
        var counts: [Int: Int] = [:]
        for record in records { counts[record.count, default: 0] += 1 }
        guard let best = counts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) })
        else { return (0, 0) }
        return (best.key, Double(best.value) / Double(records.count))
    }

    /// The values of one column in the records from `first` on; empty ones left out.
    func values(ofColumn column: Int, from first: Int) -> [String] {
        records.dropFirst(first).compactMap {
            column < $0.count && !$0[column].isEmpty ? $0[column] : nil
        }
    }
}

/// Reads whole texts as numbers or times, for finding out what a column holds.
enum CSVText {
    static func number(_ text: String, mark: UInt8) -> Double? {
        let bytes = Array(text.utf8)
        var position = 0
        let value = DecimalScanner(mark: mark).scan(bytes.span, &position)
        return position == bytes.count ? value : nil
    }

    static func time(_ text: String, _ format: TimeFormat) -> Int64? {
        let bytes = Array(text.utf8)
        var position = 0
        let value = TimeScanner(format: format, offsetSeconds: 0).scan(bytes.span, &position)
        return position == bytes.count ? value : nil
    }

    static func clock(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        var position = 0
        let value = TimeScanner.clock(bytes.span, &position)
        return position == bytes.count ? value : nil
    }

    /// The calendar formats that read `text`.
    static func calendarFormats(_ text: String) -> [TimeFormat] {
        [.iso8601, .dayFirst, .monthFirst].filter { time(text, $0) != nil }
    }

    /// The Unix format that puts `text` between 1973 and 2103; nil for anything else, and for a
    /// date written without separators, such as 201612312359.
    static func unixFormat(_ text: String) -> TimeFormat? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: ".") }),
            let value = number(text, mark: UInt8(ascii: ".")), !isCompactDate(text)
        else { return nil }
        let scales: [(TimeFormat, Double)] = [
            (.unixSeconds, 1), (.unixMilliseconds, 1e3), (.unixMicroseconds, 1e6),
            (.unixNanoseconds, 1e9),
        ]
        return scales.first { value >= 1e8 * $0.1 && value < 4.2e9 * $0.1 }?.0
    }

    private static func isCompactDate(_ text: String) -> Bool {
        let digits = Array(text.utf8)
        guard digits.count == 12 || digits.count == 14, let whole = Int64(text) else {
            return false
        }
        let date = digits.count == 12 ? whole / 10_000 : whole / 1_000_000
        return (1900...2100).contains(date / 10_000)
            && CivilDate.exists(year: date / 10_000, month: date / 100 % 100, day: date % 100)
    }
}
