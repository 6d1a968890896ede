import Crypto
import Foundation

/// Reads a table piece by piece, each ending with a whole record, so that memory stays bounded.
struct TablePieces {
    /// One piece and where it lies.
    struct Piece {
        var bytes: [UInt8]
        /// How many of the bytes are whole lines; less than all in the last piece alone.
        let wholeCount: Int
        /// The line of its first record, from 1.
        let firstLine: Int
        /// Behind its last line end, in bytes from the start of the file.
        let resume: Int
        /// The line that begins at `resume`.
        let resumeLine: Int
        /// SHA-256 of the file up to `resume`.
        let prefix: String
    }

    /// The most bytes that are read at a time, unless told.
    static let pieceBytes = 8 << 20

    private let handle: FileHandle
    private let pieceBytes: Int
    /// The bytes, with its line end, up to which every record is accepted; no more than one piece and
    /// such a record are in memory.
    private var recordBytes: Int { pieceBytes * 2 }
    /// Bytes that are not read yet.
    private var left: Int
    /// What was read behind the last whole record.
    private var rest: [UInt8] = []
    private var position = 0
    private var line = 1
    private var hash = SHA256()

    /// Opens the first `size` bytes of the file at `path`, to read `pieceBytes` at a time.
    init(path: String, size: Int, pieceBytes: Int) throws {
        handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        left = size
        self.pieceBytes = pieceBytes
    }

    /// SHA-256 of all bytes so far handed out or skipped, and of the rest.
    var content: String {
        var whole = hash
        whole.update(data: rest)
        return whole.hexadecimal
    }

    func close() throws { try handle.close() }

    /// Passes over the first `count` bytes, which end on a line before `line`; returns their
    /// SHA-256.
    mutating func skip(_ count: Int, toLine line: Int) throws -> String {
        var open = count
        while open > 0 {
            let bytes = try read(min(open, pieceBytes))
            if bytes.isEmpty { break }
            hash.update(data: bytes)
            open -= bytes.count
        }
        position = count - open
        self.line = line
        return hash.hexadecimal
    }

    /// The next piece; nil at the end. The last one may end without a line end, and then its
    /// `resume` lies before that line.
    mutating func next() throws -> Piece? {
        while true {
            let isEnd = left == 0
            if rest.isEmpty && isEnd { return nil }
            let bytes = isEnd ? [] : try read(min(left, pieceBytes))
            // A file that has become shorter ends where it ends.
            if bytes.isEmpty { left = 0 }
            rest += bytes
            let cut = Self.end(ofWholeRecords: rest)
            if left == 0 { return take(cut: cut, count: rest.count) }
            if cut > 0 { return take(cut: cut, count: cut) }
            guard rest.count < recordBytes else {
                throw IngestError.lineTooLong(line: line, accepted: recordBytes)
            }
        }
    }

    /// Hands out `count` bytes, of which the first `cut` are whole lines.
    private mutating func take(cut: Int, count: Int) -> Piece {
        let bytes = Array(rest[..<count])
        let first = line
        hash.update(data: bytes[..<cut])
        let prefix = hash.hexadecimal
        hash.update(data: bytes[cut...])
        let lines = bytes[..<cut].count { $0 == UInt8(ascii: "\n") }
        let piece = Piece(
            bytes: bytes, wholeCount: cut, firstLine: first, resume: position + cut,
            resumeLine: first + lines,
            prefix: prefix)
        rest.removeFirst(count)
        position += count
        line += lines
        return piece
    }

    private mutating func read(_ count: Int) throws -> [UInt8] {
        let bytes = [UInt8](try handle.read(upToCount: count) ?? Data())
        left -= bytes.count
        return bytes
    }

    /// Behind the last line end that lies in no quoted field; where quotes do not pair up, behind
    /// the last line end of all. 0 where there is none.
    static func end(ofWholeRecords bytes: [UInt8]) -> Int {
        var isQuoted = false
        var outside = 0
        var last = 0
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            guard byte == UInt8(ascii: "\n") else { continue }
            last = index + 1
            if !isQuoted { outside = index + 1 }
        }
        return outside > 0 ? outside : last
    }
}
