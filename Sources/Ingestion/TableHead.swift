/// The beginning of a table, from which it is found how it is to be read.
enum TableHead {
    /// The whole lines of the first bytes of a table: a header that is cut would name other columns.
    ///
    /// - Parameters:
    ///   - bytes: How the table begins.
    ///   - isAll: Whether nothing follows.
    /// - Returns: All of them, or those up to the last line end.
    /// - Throws: `IngestError.lineTooLong` where the first line does not end among them.
    static func whole(_ bytes: [UInt8], isAll: Bool) throws(IngestError) -> [UInt8] {
        if isAll { return bytes }
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
            throw .lineTooLong(line: 1, accepted: bytes.count)
        }
        return Array(bytes[...end])
    }
}
