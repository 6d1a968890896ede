import Postgres
import Series

/// Samples as an array of PostgreSQL in its binary form: dimensions, NULL flag, element type, length,
/// lower bound, then length and value of each element, length −1 for NULL.
struct SampleArray {
    /// The column that takes it.
    enum Column: Int {
        case samples, wide, physical
    }

    let column: Column
    let bytes: [UInt8]

    /// - Parameters:
    ///   - words: As in `WaveformPiece`.
    ///   - form: What they are.
    init(_ words: [Int32], _ form: WaveformPiece.Form) {
        var (low, high, missing) = (Int32.max, Int32.min, 0)
        for word in words {
            if word == WaveformPiece.missing {
                missing += 1
            } else {
                low = min(low, word)
                high = max(high, word)
            }
        }
        let isNarrow = low > high || (low >= Int32(Int16.min) && high <= Int32(Int16.max))
        column = form == .reals ? .physical : isNarrow ? .samples : .wide
        let width = column == .samples ? 2 : 4
        let type: Int32 = [21, 23, 700][column.rawValue]
        var bytes = [UInt8](
            repeating: 0, count: 20 + words.count * (4 + width) - missing * width)
        var place = 0
        func put(_ word: Int32) {
            bytes[place] = UInt8(truncatingIfNeeded: word >> 24)
            bytes[place + 1] = UInt8(truncatingIfNeeded: word >> 16)
            bytes[place + 2] = UInt8(truncatingIfNeeded: word >> 8)
            bytes[place + 3] = UInt8(truncatingIfNeeded: word)
            place += 4
        }
        for word in [1, missing > 0 ? 1 : 0, type, Int32(words.count), 1] { put(word) }
        for word in words {
            if word == WaveformPiece.missing {
                put(-1)
            } else if width == 4 {
                put(4)
                put(word)
            } else {
                bytes[place + 3] = 2
                bytes[place + 4] = UInt8(truncatingIfNeeded: word >> 8)
                bytes[place + 5] = UInt8(truncatingIfNeeded: word)
                place += 6
            }
        }
        self.bytes = bytes
    }

    /// The columns `samples` and `physical` of a row that was read with `selected`, as words.
    static func words(_ row: Row) throws -> [Int32] {
        if let raw = try row.optionalInt32s("raw") { return raw }
        return try row.floats("reals").map { WaveformPiece.word($0) }
    }

    /// What reads the three columns of a table for `words`.
    static let selected: SQL = """
        array_replace(coalesce(samples::integer[], wide), NULL, \(WaveformPiece.missing)) AS raw,
        array_replace(physical, NULL, 'NaN') AS reals
        """
}
