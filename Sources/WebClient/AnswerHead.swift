/// The status line and headers of an answer, gathered line by line.
struct AnswerHead {
    private(set) var headers: [String: String] = [:]
    private(set) var bytes = 0

    /// Takes one line as libcurl hands it over, line end included.
    ///
    /// A new status line starts afresh: an interim answer (1xx) is not the answer.
    mutating func take(_ line: [UInt8]) {
        bytes += line.count
        if line.starts(with: "HTTP/".utf8) {
            headers = [:]
            return
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        let value = line[(colon + 1)...].drop(while: Self.isBlank)
        let end = value.lastIndex { !Self.isBlank($0) } ?? value.startIndex - 1
        let text = String(decoding: value[..<(end + 1)], as: UTF8.self)
        // RFC 9110 §5.3 lets a list stand in several headers.
        if Self.lists.contains(name), let before = headers[name] {
            headers[name] = before + ", " + text
        } else {
            headers[name] = text
        }
    }

    private static let lists: Set<String> = ["link", "content-encoding", "transfer-encoding"]

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a
    }
}
