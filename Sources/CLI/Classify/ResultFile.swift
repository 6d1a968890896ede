import Foundation
import Store

/// A file of results that appears whole: rows go to a file beside it, which takes its name at the end.
///
/// What an interrupted run leaves is called `NAME.part-1a2b3c4d`, after the model and the options; the
/// same command goes on from it, and its rows are then those of a run that nobody interrupted.
struct ResultFile {
    /// One recording's rows in what an earlier run left.
    struct Done: Equatable {
        let recording: String
        /// SHA-256 of its files; empty where they could not be read.
        let content: String
        /// Where its rows begin, in bytes.
        let offset: UInt64
    }

    let path: String
    let partPath: String
    /// What an earlier run left, in the order of the walk.
    let done: [Done]
    private let handle: FileHandle
    /// Where the next row goes.
    private var end: UInt64

    /// Opens the file that an earlier run of the same command left, or a new one.
    ///
    /// - Parameters:
    ///   - path: The file of results.
    ///   - command: All that the rows depend on, besides the recordings.
    ///   - format: How a row is written.
    /// - Throws: `CocoaError`, or `ResultFileError` where another process writes the same results.
    init(path: String, command: String, format: FindingFormat) throws {
        self.path = path
        let fingerprint = digest(of: Array(command.utf8)).prefix(4)
        partPath = path + ".part-" + fingerprint.map { String(format: "%02x", $0) }.joined()
        if !FileManager.default.fileExists(atPath: partPath) {
            guard FileManager.default.createFile(atPath: partPath, contents: nil) else {
                throw ResultFileError.cannotBeMade(path)
            }
        }
        handle = try FileHandle(forUpdating: URL(filePath: partPath))
        guard flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw ResultFileError.busy(path)
        }
        let found = try Self.rows(in: handle, format)
        done = found.done
        end = found.end
        if end == 0 {
            try handle.truncate(atOffset: 0)
            let header = Data(format.header.utf8)
            try handle.write(contentsOf: header)
            end = UInt64(header.count)
        } else {
            try handle.truncate(atOffset: end)
        }
    }

    /// The recordings whose rows are whole, and where those end. The last recording counts only if a
    /// row of another follows, since nothing else says that all of its rows were written.
    private static func rows(
        in handle: FileHandle, _ format: FindingFormat
    ) throws -> (done: [Done], end: UInt64) {
        let data = try handle.readToEnd() ?? Data()
        let header = Array(format.header.utf8)
        guard data.count >= header.count, data.prefix(header.count).elementsEqual(header) else {
            return ([], 0)
        }
        var done: [Done] = []
        var start = header.count
        var end = start
        while let newline = data[start...].firstIndex(of: 10) {
            guard let (recording, content) = format.identity(ofRow: data[start..<newline]) else {
                break
            }
            if done.last?.recording != recording {
                done.append(
                    Done(recording: recording, content: content, offset: UInt64(start)))
            }
            start = newline + 1
            end = start
        }
        if !format.isWholeInOneRow, let last = done.popLast() { end = Int(last.offset) }
        return (done, UInt64(end))
    }

    /// Takes back everything from a recording on that was `done`.
    mutating func rewind(to place: Int) throws {
        guard place < done.count else { return }
        try handle.truncate(atOffset: done[place].offset)
        end = done[place].offset
    }

    /// Adds rows; they are whole in the file, or not in it.
    mutating func append(_ rows: String) throws {
        let data = Data(rows.utf8)
        try handle.seek(toOffset: end)
        try handle.write(contentsOf: data)
        end += UInt64(data.count)
    }

    /// Gives the file its name; what had it before is replaced.
    func finish() throws {
        try handle.synchronize()
        guard unsafe rename(partPath, path) == 0 else { throw ResultFileError.cannotBeMade(path) }
        try handle.close()
    }
}

/// Why there can be no file of results.
enum ResultFileError: Error, Equatable, CustomStringConvertible {
    case cannotBeMade(String)
    case busy(String)

    var description: String {
        switch self {
        case .cannotBeMade(let path): "\(path) cannot be written"
        case .busy(let path): "another process writes \(path) with the same model and options"
        }
    }
}
