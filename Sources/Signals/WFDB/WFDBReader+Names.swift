extension WFDBReader {
    /// The files that a header names beside it: signal files, and the headers of its segments.
    ///
    /// - Parameters:
    ///   - bytes: The header; may be anything at all.
    ///   - file: What errors call it.
    /// - Returns: Names without a slash, each once.
    /// - Throws: `WFDBError`, also for a name that leads to another folder.
    package func names(inHeader bytes: [UInt8], file: String) throws(WFDBError) -> [String] {
        guard bytes.count <= headerBytesMaximum else {
            throw WFDBError(
                file: file, line: nil,
                reason: .tooLarge(bytes: bytes.count, accepted: headerBytesMaximum))
        }
        let header = try WFDBHeader(parsing: String(utf8OrWindows1252: bytes), file: file)
        let signals = header.signals.filter(\.hasFile).map(\.fileName)
        let segments = header.segments.map(\.name).filter { $0 != "~" }.map { $0 + ".hea" }
        var known: Set<String> = []
        var names: [String] = []
        for name in signals + segments where known.insert(name).inserted {
            guard !name.contains("/"), name != "..", !name.isEmpty else {
                throw WFDBError(file: file, line: nil, reason: .fileName(name))
            }
            names.append(name)
        }
        return names
    }
}
