/// Reads arrays of NumPy: little-endian float64, two axes, C order; nothing else.
///
/// - Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays".
enum NPYReader {
    static let needed = "an .npy array of little-endian float64, two axes, C order"

    /// The columns of an array; nil where the bytes are not of that kind.
    static func columns(_ bytes: [UInt8]) -> [[Double]]? {
        guard bytes.count >= 12, bytes.starts(with: [0x93] + Array("NUMPY".utf8)) else {
            return nil
        }
        let isLong = bytes[6] >= 2
        let digits = isLong ? bytes[8..<12] : bytes[8..<10]
        let length = digits.reversed().reduce(0) { $0 * 256 + Int($1) }
        let start = (isLong ? 12 : 10) + length
        guard start <= bytes.count else { return nil }
        let header = String(decoding: bytes[(start - length)..<start], as: UTF8.self)
        guard header.contains("'<f8'"), header.contains("'fortran_order': False"),
            let shape = shape(in: header)
        else { return nil }
        let (rows, columns) = shape
        let size = rows.multipliedReportingOverflow(by: columns)
        guard !size.overflow, size.partialValue == (bytes.count - start) / 8,
            (bytes.count - start) % 8 == 0
        else { return nil }
        return (0..<columns).map { column in
            (0..<rows).map { row in
                let place = start + (row * columns + column) * 8
                let pattern = bytes[place..<place + 8].reversed().reduce(UInt64(0)) {
                    $0 << 8 | UInt64($1)
                }
                return Double(bitPattern: pattern)
            }
        }
    }

    /// The two numbers in the brackets behind `'shape'`.
    private static func shape(in header: String) -> (rows: Int, columns: Int)? {
        guard let name = header.firstRange(of: "'shape': (") else { return nil }
        let inside = header[name.upperBound...].prefix { $0 != ")" }
        let numbers = inside.split(separator: ",").map { Int($0.filter { $0 != " " }) }
        guard numbers.count == 2, let rows = numbers[0], let columns = numbers[1], rows > 0,
            columns > 0
        else { return nil }
        return (rows, columns)
    }
}
