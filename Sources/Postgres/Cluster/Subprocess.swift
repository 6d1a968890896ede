import Foundation
import Glibc

/// Runs a program to its end; blocks.
///
/// Not Foundation's `Process`: on Linux that one waits until the last heir of an inherited
/// descriptor is gone, so that after `pg_ctl start` it waits for the server itself to stop.
enum Subprocess {
    /// How a program ended.
    struct Answer {
        /// 128 and more for a signal, as in a shell.
        let status: Int32
        /// What it wrote to both of its outputs.
        let output: String

        /// The line that tells what was wrong.
        var reason: String {
            let lines = output.split(whereSeparator: \.isNewline).map(String.init)
            let telling = lines.last { $0.contains("FATAL:") || $0.contains("error:") }
            return telling ?? lines.last ?? "it gave no reason"
        }
    }

    /// Neither the caller's environment (its PG* variables are not meant for the server, nor is its
    /// language) nor its folder, which may be closed to the user that the program runs as.
    private static let surroundings = [
        "/usr/bin/env", "-i", "--chdir=/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL=C.UTF-8", "TZ=UTC",
    ]

    /// How much a program can be given to read: what a pipe holds.
    static let inputBytesMaximum = 32_768

    /// Runs a program in a process group of its own, so that Ctrl-C at our terminal is not for it.
    ///
    /// - Parameters:
    ///   - path: The program.
    ///   - arguments: Its arguments; no shell sees them.
    ///   - input: What it reads.
    /// - Returns: How it ended.
    /// - Throws: `ClusterError.command` if it could not be started.
    static func run(
        _ path: String, _ arguments: [String], input: String = ""
    ) throws(ClusterError) -> Answer {
        let name = URL(fileURLWithPath: path).lastPathComponent
        let failure = ClusterError.command(name, said: "it could not be started")
        precondition(input.utf8.count <= inputBytesMaximum, "Subprocess: too much input")
        // A file, not a pipe, since a server that keeps running would hold a pipe open.
        let folder = FileManager.default.temporaryDirectory
        let output = folder.appendingPathComponent("systole-\(UUID().uuidString)").path
        let target = unsafe open(output, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard target >= 0 else { throw ClusterError.folderUnwritable(folder.path) }
        defer {
            close(target)
            unsafe unlink(output)
        }
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw failure }
        let bytes = Array(input.utf8)
        let isFed = unsafe bytes.withUnsafeBytes { unsafe write(ends[1], $0.baseAddress, $0.count) }
        close(ends[1])
        defer { close(ends[0]) }
        guard isFed == bytes.count else { throw failure }
        guard let process = spawn(surroundings + [path] + arguments, input: ends[0], output: target)
        else {
            throw failure
        }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw failure }
        }
        let said = FileManager.default.contents(atPath: output) ?? Data()
        return Answer(
            status: status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F,
            output: String(decoding: said, as: UTF8.self))
    }

    private static func spawn(_ arguments: [String], input: Int32, output: Int32) -> pid_t? {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        // A server must hold none of ours open, such as the pipe by whose end workers know ours.
        let ours = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in ours.compactMap({ Int32($0) }) where descriptor > 2 {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        // Ignored signals would stay ignored in the server.
        var all = sigset_t()
        var none = sigset_t()
        unsafe sigfillset(&all)
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var process: pid_t = 0
        // Copies that live until the call has returned.
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer {
            unsafe words.forEach { unsafe free($0) }
        }
        var variables: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
        let status = unsafe posix_spawn(
            &process, arguments[0], &actions, &attributes, &words, &variables)
        return status == 0 ? process : nil
    }
}
