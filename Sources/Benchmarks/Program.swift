import Foundation

/// Another program, run to its end.
enum Program {
    /// Runs a program and returns what it printed.
    ///
    /// - Parameters:
    ///   - words: The program, by name or path, and its arguments.
    ///   - environment: Added to this process's own.
    /// - Returns: Its standard output.
    /// - Throws: `BenchmarkError` where it cannot be started or ends with anything but 0.
    static func output(_ words: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        let answers = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = answers
        try process.run()
        // Before waiting: a full pipe would stop the program for ever.
        let found = try answers.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("\(words[0]) ended with status \(process.terminationStatus)")
        }
        return String(decoding: found, as: UTF8.self)
    }

    /// Runs a command that leaves a server behind, and returns what it printed.
    ///
    /// Not by Foundation's `Process`: that waits for everybody who inherited its socket, and the
    /// server is one of them.
    ///
    /// - Parameter command: For the shell.
    /// - Returns: Its standard output.
    /// - Throws: `BenchmarkError` where it ends with anything but 0.
    static func outputOfStarter(_ command: String) throws -> String {
        guard let pipe = unsafe popen("exec \(command) </dev/null", "r") else {
            throw BenchmarkError("no process can be started")
        }
        let handle = unsafe FileHandle(fileDescriptor: fileno(pipe), closeOnDealloc: false)
        let found = try handle.readToEnd() ?? Data()
        guard unsafe pclose(pipe) == 0 else { throw BenchmarkError("\(command) failed") }
        return String(decoding: found, as: UTF8.self)
    }
}
