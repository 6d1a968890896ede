/// A comma-separated table of numbers under one line of names: plain, fast, without times; empty cells and
/// words such as `NaN` are missing.
package struct NumberTable: Sendable {
    /// As the first line has them, without blanks around.
    package let names: [String]
    /// `[column][row]`; NaN where missing.
    package let columns: [[Double]]

    package var rows: Int { columns.first?.count ?? 0 }

    private static let bytesMaximum = 1 << 29

    /// The table in a file of a folder.
    ///
    /// - Parameters:
    ///   - path: Within the folder, as it stands in errors.
    ///   - folder: Where it is.
    /// - Throws: `LabelledSetError` for a file that cannot be read, or a line with another number of cells.
    package init(_ path: String, in folder: String) throws(LabelledSetError) {
        try self.init(NABReader.bytes(path, in: folder), name: path)
    }

    /// The table in `bytes`, called `name` in errors.
    package init(_ bytes: [UInt8], name: String) throws(LabelledSetError) {
        let head = bytes.prefix { $0 != 10 }
        let names = String(decoding: head, as: UTF8.self)
            .split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.filter { $0 != " " && $0 != "\r" } }
        guard names.count > 1 || !names[0].isEmpty else {
            throw LabelledSetError(file: name, reason: .empty)
        }
        var columns = [[Double]](repeating: [], count: names.count)
        let scanner = DecimalScanner(mark: UInt8(ascii: "."))
        let span = bytes.span
        var (position, line) = (min(bytes.count, head.count + 1), 2)
        while position < span.count {
            for column in columns.indices {
                columns[column].append(scanner.scan(span, &position) ?? .nan)
                let isLast = column == columns.count - 1
                // Words, blanks and carriage returns up to the end of the cell.
                while position < span.count, span[position] != UInt8(ascii: ","),
                    span[position] != 10
                { position += 1 }
                guard position < span.count || isLast,
                    isLast == (position >= span.count || span[position] == 10)
                else {
                    throw LabelledSetError(
                        file: name, reason: .line(line, needed: "\(columns.count) cells"))
                }
                position += 1
            }
            line += 1
        }
        (self.names, self.columns) = (names, columns)
    }

    /// The column of that name.
    ///
    /// - Parameters:
    ///   - name: Without blanks.
    ///   - file: Stands in the error.
    /// - Returns: `[rows]`
    /// - Throws: `LabelledSetError` where there is none.
    package func column(_ name: String, file: String) throws(LabelledSetError) -> [Double] {
        guard let index = names.firstIndex(of: name) else {
            throw LabelledSetError(file: file, reason: .line(1, needed: "a column \(name)"))
        }
        return columns[index]
    }
}
