import Crypto
import Foundation
import Series

/// How far a file is stored; the cursor of its part of the source.
struct FilePosition: Sendable, Equatable, Codable {
    /// The file's size when it was read, in bytes.
    var size: Int
    /// When it had been written, in microseconds since 1970.
    var modified: Int64
    /// Where reading goes on if the file has grown: behind the last whole line, in bytes.
    var resume = 0
    /// The line that begins there, from 1.
    var line = 1
    /// SHA-256 of what lies before `resume`, in hexadecimal.
    var prefix = ""
    /// SHA-256 of the whole file; nil while it is not stored whole.
    var content: String?
    /// Why the file was rejected as it was then.
    var rejected: String?

    init(_ state: FileState) {
        size = state.size
        modified = state.modified.microseconds
    }

    /// Whether nothing is to be done while the file is in `state`.
    func settles(_ state: FileState) -> Bool {
        size == state.size && modified == state.modified.microseconds
            && (content != nil || rejected != nil)
    }

    /// The position in a stored cursor; nil for one that this version cannot read, so that the
    /// file is read again, which changes nothing that is there.
    static func decode(_ json: String) -> FilePosition? {
        try? JSONDecoder().decode(FilePosition.self, from: Data(json.utf8))
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension SHA256 {
    /// The digest of what was put in so far, in hexadecimal.
    var hexadecimal: String {
        finalize().map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}

/// SHA-256 of bytes.
enum Digest {
    static func hexadecimal(of bytes: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(data: bytes)
        return hash.hexadecimal
    }
}
