import Series

/// How the rows of one table are to be read: what was told and what was found, together. A plan
/// made from the head of a file reads the rest of it, and what is appended later.
package struct CSVPlan: Sendable {
    /// What a column is for.
    enum Role: Sendable, Equatable {
        case time
        /// The time of day, where date and clock have a column each.
        case clock
        /// A number: of its own channel (wide) or of the row's series (long).
        case value
        /// The name of the series (long).
        case series
        case skip
    }

    let file: String
    let options: CSVOptions
    let delimiter: UInt8
    let decimal: DecimalScanner
    let time: TimeScanner
    /// `[columns]`, in the order of the file.
    let roles: [Role]
    /// `[columns]`, as in the header and without units, or `column1`, … where there is no header.
    let names: [String]
    /// Wide: one per `value` role, in order. Long: one, the value column.
    let channels: [Channel]
    let isLong: Bool
    /// Lower case.
    let markers: [[UInt8]]
    let sentinels: [Double]
    /// Columns that hold something else than numbers, and were left aside.
    let ignoredColumns: [String]
    /// Where the first row of values begins, in bytes from the start of the file.
    package let bodyOffset: Int
    /// The line of that row, from 1.
    package let bodyLine: Int

    /// How many columns hold values.
    package var channelCount: Int { channels.count }

    /// An error of this file.
    func error(_ reason: CSVError.Reason, line: Int?) -> CSVError {
        CSVError(file: file, line: line, reason: reason)
    }

    /// Whether `text` stands for a missing value.
    func isMissing(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        if range.isEmpty { return true }
        return markers.contains { marker in
            guard marker.count == range.count else { return false }
            for i in 0..<marker.count {
                let byte = bytes[range.lowerBound + i]
                let lower = byte &- 65 < 26 ? byte | 0x20 : byte
                if lower != marker[i] { return false }
            }
            return true
        }
    }
}

/// Line ends, quotes and blanks, as RFC 4180 and its relatives use them.
enum CSVByte {
    static let quote = UInt8(ascii: "\"")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let blank = UInt8(ascii: " ")

    @inline(__always)
    static func endsLine(_ byte: UInt8) -> Bool { byte == lineFeed || byte == carriageReturn }
}

/// Finds where fields and records begin and end; knows nothing of what they mean.
struct CSVFieldScanner: Sendable {
    let delimiter: UInt8

    /// Where one field lies, without its quotes and the blanks around it.
    struct Extent {
        var range: Range<Int>
        /// Whether the field holds doubled quotes.
        var hasEscapes = false
        var lineEnds = 0
    }

    /// The field at `position`, which then stands on its delimiter, its line end or the end of
    /// the bytes; nil for a quote that never closes.
    func field(_ bytes: Span<UInt8>, _ position: inout Int) -> Extent? {
        while position < bytes.count, bytes[position] == CSVByte.blank { position += 1 }
        guard position < bytes.count, bytes[position] == CSVByte.quote else {
            let start = position
            while position < bytes.count, bytes[position] != delimiter,
                !CSVByte.endsLine(bytes[position])
            {
                position += 1
            }
            return Extent(range: Self.trimmed(bytes, start..<position))
        }
        position += 1
        var extent = Extent(range: position..<position)
        while position < bytes.count {
            if bytes[position] == CSVByte.lineFeed { extent.lineEnds += 1 }
            if bytes[position] == CSVByte.quote {
                guard position + 1 < bytes.count, bytes[position + 1] == CSVByte.quote else {
                    extent.range = extent.range.lowerBound..<position
                    position += 1
                    while position < bytes.count, bytes[position] == CSVByte.blank { position += 1 }
                    extent.range = Self.trimmed(bytes, extent.range)
                    return extent
                }
                extent.hasEscapes = true
                position += 1
            }
            position += 1
        }
        return nil
    }

    /// Whether a field may end at `position`.
    @inline(__always)
    func isEnd(_ bytes: Span<UInt8>, _ position: Int) -> Bool {
        position == bytes.count || bytes[position] == delimiter
            || CSVByte.endsLine(bytes[position])
    }

    /// Steps over one line end: LF, CR LF or CR.
    @inline(__always)
    static func skipLineEnd(_ bytes: Span<UInt8>, _ position: inout Int) {
        guard position < bytes.count else { return }
        if bytes[position] == CSVByte.carriageReturn {
            position += 1
            if position < bytes.count, bytes[position] == CSVByte.lineFeed { position += 1 }
        } else if bytes[position] == CSVByte.lineFeed {
            position += 1
        }
    }

    /// Steps over the rest of a record and its line end, and returns the fields it had left and
    /// the lines it took.
    func skipRecord(_ bytes: Span<UInt8>, _ position: inout Int) -> (fields: Int, lines: Int) {
        var fields = 0
        var lines = 1
        while true {
            fields += 1
            let start = position
            if let extent = field(bytes, &position) {
                lines += extent.lineEnds
            } else {
                position = start
            }
            // What follows a closing quote, or an open one, is passed over up to the line end.
            while !isEnd(bytes, position) { position += 1 }
            guard position < bytes.count, bytes[position] == delimiter else { break }
            position += 1
        }
        Self.skipLineEnd(bytes, &position)
        return (fields, lines)
    }

    /// The text of a field: UTF-8, or Windows-1252 where it cannot be that.
    static func text(_ bytes: Span<UInt8>, _ extent: Extent) -> String {
        var copy: [UInt8] = []
        copy.reserveCapacity(extent.range.count)
        var i = extent.range.lowerBound
        while i < extent.range.upperBound {
            copy.append(bytes[i])
            let isDoubled =
                extent.hasEscapes && bytes[i] == CSVByte.quote && i + 1 < extent.range.upperBound
                && bytes[i + 1] == CSVByte.quote
            i += isDoubled ? 2 : 1
        }
        return String(utf8OrWindows1252: copy)
    }

    private static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high, isBlank(bytes[low]) { low += 1 }
        while high > low, isBlank(bytes[high - 1]) { high -= 1 }
        return low..<high
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == CSVByte.blank || byte == 9 }
}
