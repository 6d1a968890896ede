import Foundation

/// One Swift file of the package, as lines of text.
struct SourceFile: Sendable {
    /// Path from the root of the package.
    let path: String
    let lines: [String]

    /// The target that the file belongs to: `Tensors` for `Sources/Tensors/…`.
    var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

    /// Lines as `(number from 1, text without comment)`; a comment is what follows `//` outside a
    /// string literal that holds `://`.
    var code: [(number: Int, text: String)] {
        lines.enumerated().map { index, line in
            (index + 1, Self.withoutComment(line))
        }
    }

    private static func withoutComment(_ line: String) -> String {
        var isQuoted = false
        var previous: Character = " "
        for index in line.indices {
            let character = line[index]
            if character == "\"" && previous != "\\" { isQuoted.toggle() }
            if !isQuoted && character == "/" && line[index...].hasPrefix("//") {
                return String(line[..<index])
            }
            previous = character
        }
        return line
    }
}

/// The package as it lies on disk.
enum SourceTree {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files below `folder`, in order of path; throws if there is none, so that no test
    /// passes for want of files.
    static func swiftFiles(in folder: String) throws -> [SourceFile] {
        let base = root.appending(path: folder)
        guard let walk = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
        else { throw CocoaError(.fileReadNoSuchFile) }
        let paths = walk.compactMap { ($0 as? URL)?.path }.filter { $0.hasSuffix(".swift") }
        guard !paths.isEmpty else { throw CocoaError(.fileReadNoSuchFile) }
        return try paths.sorted().map { path in
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return SourceFile(
                path: String(path.dropFirst(root.path.count + 1)),
                lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(
                    String.init))
        }
    }
}
