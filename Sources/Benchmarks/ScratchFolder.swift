import Foundation

/// A folder for generated files that is gone when the tool ends.
struct ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = URL.temporaryDirectory.appending(path: "systole-bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    private init(path: String) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// A folder in it.
    func subfolder(_ name: String) throws -> ScratchFolder {
        try ScratchFolder(path: path + "/" + name)
    }

    /// Writes a file.
    ///
    /// - Parameters:
    ///   - bytes: Its content.
    ///   - name: Its name in the folder.
    /// - Returns: Its path.
    /// - Throws: What the file system answers.
    func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(filePath: file))
        return file
    }

    func remove() throws { try FileManager.default.removeItem(atPath: path) }
}
