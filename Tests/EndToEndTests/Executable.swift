import Foundation

/// The built executable, run as a user would run it.
enum Executable {
    /// What a run printed, and how it ended.
    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    /// The folder of the package.
    static let package = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// `SYSTOLE_EXECUTABLE`, or the release build in the package's own build folder.
    static var path: String {
        ProcessInfo.processInfo.environment["SYSTOLE_EXECUTABLE"]
            ?? package.appending(path: ".build/release/systole").path
    }

    /// Runs to the end.
    ///
    /// - Parameters:
    ///   - arguments: The command line without the name.
    ///   - folder: The working directory.
    ///   - environment: Added to a minimal environment; nothing of the test's own is inherited.
    ///   - path: Another executable than the built one.
    /// - Returns: What it printed, and its exit status.
    /// - Throws: What `Process` throws where the executable cannot be started.
    static func run(
        _ arguments: [String], in folder: URL, environment: [String: String] = [:],
        path: String = Executable.path
    ) throws -> Outcome {
        let process = try start(arguments, in: folder, environment: environment, path: path)
        return process.outcome()
    }

    /// Starts, and leaves it running.
    static func start(
        _ arguments: [String], in folder: URL, environment: [String: String] = [:],
        path: String = Executable.path
    ) throws -> Running {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        var variables = ["PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"]
        variables.merge(environment) { _, new in new }
        process.environment = variables
        let output = folder.appending(path: ".output-\(UUID().uuidString)")
        let errors = folder.appending(path: ".errors-\(UUID().uuidString)")
        for file in [output, errors] {
            _ = FileManager.default.createFile(atPath: file.path, contents: nil)
        }
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return Running(process: process, output: output, errors: errors)
    }

    /// A started process; output goes to files, so that no pipe can fill.
    struct Running {
        let process: Process
        let output: URL
        let errors: URL

        /// Waits for the end.
        func outcome() -> Outcome {
            process.waitUntilExit()
            return Outcome(
                status: process.terminationStatus, output: Self.text(output),
                errors: Self.text(errors))
        }

        private static func text(_ file: URL) -> String {
            (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        }
    }
}

/// A folder of its own, removed at the end.
///
/// - Parameter body: Gets the folder.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
func withTemporaryFolder<T>(_ body: (URL) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(
        path: "systole-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// Lends a folder that is removed afterwards, for as long as something asynchronous takes.
func withFolder<T>(_ body: (URL) async throws -> T) async throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(
        path: "systole-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // A folder that is left over harms nobody.
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}
