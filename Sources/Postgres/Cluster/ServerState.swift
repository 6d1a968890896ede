import Foundation
import Glibc

/// What a server's `postmaster.pid` says.
///
/// - Source: PostgreSQL 15, `src/include/utils/pidfile.h`: process, data folder, start time, port,
///   socket folder, address, shared memory, status.
struct ServerState: Equatable {
    let process: Int32
    let port: UInt16
    /// Whether the server takes connections.
    let isReady: Bool

    /// Reads the file.
    ///
    /// - Parameter data: The server's data folder.
    /// - Returns: nil where there is no file or it is not complete yet.
    static func read(data: String) -> ServerState? {
        guard let contents = FileManager.default.contents(atPath: data + "/postmaster.pid") else {
            return nil
        }
        let lines = String(decoding: contents, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.filter { !$0.isWhitespace } }
        guard lines.count >= 5, let process = Int32(lines[0]), let port = UInt16(lines[3])
        else { return nil }
        return ServerState(
            process: process, port: port, isReady: lines.count > 7 && lines[7] == "ready")
    }

    /// Whether that process is still a server of that folder, and not a later one by its number.
    func isAlive(data: String) -> Bool {
        guard let command = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") else {
            return false
        }
        let arguments = command.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return arguments.first?.hasSuffix("postgres") == true && arguments.contains(data)
    }

    /// Whether some process, whichever, has this number.
    var isTaken: Bool { FileManager.default.fileExists(atPath: "/proc/\(process)") }
}
