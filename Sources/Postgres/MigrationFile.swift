import Crypto
import Foundation

/// One file of the migrations folder.
package struct MigrationFile: Equatable, Sendable {
    /// The number in front, from 1 without gaps.
    package let number: Int
    /// The whole file name, such as `0001_series.sql`.
    package let name: String
    /// The SHA-256 of the file's bytes, in hexadecimal.
    package let digest: String
    let script: String

    init(number: Int, name: String, contents: Data) {
        self.number = number
        self.name = name
        digest = SHA256.hash(data: contents).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
        script = String(decoding: contents, as: UTF8.self)
    }

    /// Reads all `NNNN_name.sql` of a folder in order.
    ///
    /// - Parameter folder: The folder's path.
    /// - Returns: The files, numbered 1, 2, 3 ….
    /// - Throws: A `MigrationError` for an unreadable folder, another name, a gap or a duplicate.
    package static func all(in folder: String) throws(MigrationError) -> [MigrationFile] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            // Missing, not a folder, forbidden: the same advice for all.
            throw MigrationError.folderUnreadable(folder)
        }
        var files: [MigrationFile] = []
        for name in names.sorted() where name.hasSuffix(".sql") && !name.hasPrefix(".") {
            guard let number = number(of: name) else { throw MigrationError.badName(name) }
            guard let contents = FileManager.default.contents(atPath: folder + "/" + name) else {
                throw MigrationError.fileUnreadable(name)
            }
            files.append(MigrationFile(number: number, name: name, contents: contents))
        }
        guard !files.isEmpty else { throw MigrationError.folderEmpty(folder) }
        for (index, file) in files.enumerated() where file.number != index + 1 {
            if index > 0, files[index - 1].number == file.number {
                throw MigrationError.duplicateNumber(files[index - 1].name, file.name)
            }
            throw MigrationError.gap(missing: index + 1, found: file.name)
        }
        return files
    }

    /// The digest of a whole folder: equal exactly if every name and every byte is.
    package static func digest(of files: [MigrationFile]) -> String {
        let all = files.map { $0.name + ":" + $0.digest }.joined(separator: "\n")
        return MigrationFile(number: 0, name: "", contents: Data(all.utf8)).digest
    }

    private static func number(of name: String) -> Int? {
        let parts = name.dropLast(4).split(separator: "_", maxSplits: 1)
        guard parts.count == 2, parts[0].count == 4, !parts[1].isEmpty,
            parts[0].utf8.allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return Int(parts[0])
    }
}
