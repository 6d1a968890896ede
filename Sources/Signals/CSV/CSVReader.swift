import Glibc

/// Reads sensor tables: comma-separated values and their relatives, wide or long.
///
/// What the options leave open is found from the first rows. Anything that cannot be read is an
/// error with its line, or, where `skipBadRows` says so, a row left out and counted.
package struct CSVReader: Sendable {
    package var options: CSVOptions

    package init(options: CSVOptions = CSVOptions()) {
        self.options = options
    }

    /// The table in the file at `path`.
    package func read(file path: String) throws(CSVError) -> CSVTable {
        try read(FileBytes.read(path, limit: options.bytesMaximum), name: path.lastPathPart)
    }

    /// The table in `bytes`, called `name` in errors.
    package func read(_ bytes: [UInt8], name: String) throws(CSVError) -> CSVTable {
        let plan = try plan(bytes, name: name)
        var rows = CSVRows(plan: plan)
        try rows.read(bytes.span, from: plan.bodyOffset, firstLine: plan.bodyLine)
        return try rows.table()
    }

    /// How to read a table, found from its `head`: a megabyte, or the whole where it is shorter.
    package func plan(_ head: [UInt8], name: String) throws(CSVError) -> CSVPlan {
        try CSVSniffer(head.span, file: name, options: options).plan(head.span)
    }

    /// The rows in one piece of a table, which begins and ends between two records.
    ///
    /// - Parameters:
    ///   - piece: Whole records, without the header.
    ///   - plan: The plan of the table.
    ///   - firstLine: The line of the first record in its file, from 1.
    /// - Returns: A table; duplicates and order were looked at within the piece only.
    /// - Throws: `CSVError` for rows that cannot be read.
    package static func rows(
        _ piece: [UInt8], plan: CSVPlan, firstLine: Int
    ) throws(CSVError) -> CSVTable {
        var rows = CSVRows(plan: plan)
        try rows.read(piece.span, from: 0, firstLine: firstLine)
        return try rows.table()
    }
}

/// Whole files as bytes.
enum FileBytes {
    /// - Throws: `unreadable` or `tooLarge`; a pipe or a device is not waited for.
    static func read(_ path: String, limit: Int) throws(CSVError) -> [UInt8] {
        func failure(_ reason: String) -> CSVError {
            CSVError(file: path.lastPathPart, line: nil, reason: .unreadable(reason))
        }
        let file = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw failure(plainReason(errno)) }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw failure(plainReason(errno)) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw failure("it is a folder, not a file")
        default: throw failure("it is not a file")
        }
        let size = Int(status.st_size)
        guard size <= limit else {
            throw CSVError(
                file: path.lastPathPart, line: nil, reason: .tooLarge(bytes: size, accepted: limit))
        }
        var problem: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let start = unsafe buffer.baseAddress.map { unsafe $0 + count }
                let read = unsafe Glibc.read(file, start, size - count)
                if read < 0, errno == EINTR { continue }
                if read < 0 { problem = errno }
                if read <= 0 { break }  // A file that shrinks meanwhile gives what it has.
                count += read
            }
        }
        guard problem == 0 else { throw failure(plainReason(problem)) }
        return bytes
    }

    /// The first `count` bytes of a file; fewer where it is shorter, none where it cannot be read.
    static func head(_ path: String, count: Int) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, found in
            found = unsafe max(0, Glibc.read(file, buffer.baseAddress, count))
        }
    }

    /// Why the file system refused, in a few words.
    private static func plainReason(_ code: Int32) -> String {
        switch code {
        case ENOENT, ENOTDIR: "there is no such file"
        case EACCES, EPERM: "permission denied"
        case ELOOP: "its symbolic links form a loop"
        case EISDIR: "it is a folder, not a file"
        case ENAMETOOLONG: "its name is too long"
        default: "error \(code) of the file system"
        }
    }
}

extension String {
    /// What stands behind the last slash.
    package var lastPathPart: String {
        split(separator: "/").last.map(String.init) ?? self
    }
}
