/// How the body of an answer is packed.
///
/// libcurl would unpack it on the way, but takes what is cut in the middle for whole: half a number
/// would be read as a number. So the bytes are kept as they come, and unpacked behind the last.
///
/// - Source: RFC 9110, section 8.4.
enum ContentCoding: Equatable {
    case gzip, zstd

    /// What we ask for; the value of a header.
    static let accepted = "gzip, zstd"

    /// Packed bytes that one step looks at: between two steps a cancellation is heeded.
    private static let pieceBytes = 256 << 10
    /// Unpacked bytes that one step makes at most.
    private static let roomBytes = 128 << 10

    /// Reads the headers of an answer; nil where its body is not packed.
    ///
    /// - Throws: `WebError.unpackable` for a coding that we did not ask for, and for several.
    init?(_ headers: [String: String]) throws(WebError) {
        switch Self.tokens(headers["content-encoding"]) {
        case []: return nil
        case ["gzip"], ["x-gzip"]: self = .gzip
        case ["zstd"]: self = .zstd
        default: throw .unpackable
        }
    }

    /// Whether an answer was packed for its way alone, which nobody asked for: versions of libcurl
    /// leave it so, or undo it and take what was cut for whole.
    static func isOfTransfer(_ headers: [String: String]) -> Bool {
        tokens(headers["transfer-encoding"]).contains { $0 != "chunked" }
    }

    /// The names of a list, in small letters, less those that stand for nothing.
    private static func tokens(_ list: String?) -> [String] {
        (list ?? "").split(separator: ",")
            .map { $0.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ") }
            .filter { !$0.isEmpty && $0 != "identity" }
    }

    /// Unpacks a body.
    ///
    /// - Parameters:
    ///   - packed: Not empty.
    ///   - bodyMaximum: What comes out may have so many bytes.
    ///   - status: The answer's, for the error that tells of too many.
    /// - Returns: What was packed, of all members or frames.
    /// - Throws: `WebError.damaged` unless it ends where a member or frame does; `unpackable`,
    ///   `answerTooLarge`; `cancelled` with the calling task.
    func unpack(
        _ packed: [UInt8], atMost bodyMaximum: Int, status: Int
    ) throws(WebError) -> [UInt8] {
        switch self {
        case .gzip:
            try Self.unpack(packed, by: GzipUnpacker(), atMost: bodyMaximum, status: status)
        case .zstd:
            try Self.unpack(packed, by: ZstdUnpacker(), atMost: bodyMaximum, status: status)
        }
    }

    private static func unpack<U: Unpacker & ~Copyable>(
        _ packed: [UInt8], by unpacker: consuming U, atMost bodyMaximum: Int, status: Int
    ) throws(WebError) -> [UInt8] {
        var body: [UInt8] = []
        var room = [UInt8](repeating: 0, count: roomBytes)
        var taken = 0
        while true {
            guard !Task.isCancelled else { throw .cancelled }
            let piece = taken..<min(taken + pieceBytes, packed.count)
            let step = try unpacker.step(packed.span.extracting(piece), into: &room)
            guard step.made <= bodyMaximum - body.count else {
                throw .answerTooLarge(limit: bodyMaximum, status: status)
            }
            body += room[..<step.made]
            taken += step.taken
            if step.isAtEnd {
                if U.isPadding(packed[taken...]) { return body }
            } else if step.taken == 0, step.made == 0 {
                throw .damaged  // It wants more than there is.
            }
        }
    }
}

extension WebResponse {
    /// The same answer with its body unpacked; an empty one is empty, however it is called.
    ///
    /// - Throws: What `ContentCoding` throws.
    func unpacked(atMost bodyMaximum: Int) throws(WebError) -> WebResponse {
        guard !ContentCoding.isOfTransfer(headers) else { throw .unpackable }
        guard !body.isEmpty, let coding = try ContentCoding(headers) else { return self }
        return WebResponse(
            status: status, headers: headers,
            body: try coding.unpack(body, atMost: bodyMaximum, status: status),
            remoteAddress: remoteAddress, timing: timing)
    }
}
