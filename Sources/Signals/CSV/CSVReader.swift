import Foundation

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
    static func read(_ path: String, limit: Int) throws(CSVError) -> [UInt8] {
        let name = path.lastPathPart
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            if attributes[.type] as? FileAttributeType == .typeDirectory {
                throw CSVError(
                    file: name, line: nil, reason: .unreadable("it is a folder, not a file"))
            }
            let size = (attributes[.size] as? NSNumber)?.intValue ?? 0
            guard size <= limit else {
                throw CSVError(
                    file: name, line: nil, reason: .tooLarge(bytes: size, accepted: limit))
            }
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch let error as CSVError {
            throw error
        } catch {
            throw CSVError(file: name, line: nil, reason: .unreadable(error.plainReason))
        }
    }
}

extension Error {
    /// Why the file system refused, in a few words.
    var plainReason: String {
        let error = self as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        return switch CocoaError.Code(rawValue: error.code) {
        case .fileReadNoSuchFile, .fileNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "permission denied"
        default: "error \(cause.code) of the file system"
        }
    }
}

extension String {
    /// What stands behind the last slash.
    package var lastPathPart: String {
        split(separator: "/").last.map(String.init) ?? self
    }
}
