import Foundation

/// PostgreSQL's own programs, and how to run them as the right user.
struct ServerPrograms: Sendable {
    /// Where `initdb`, `pg_ctl` and `postgres` are.
    let folder: String
    /// Such as "15".
    let major: String
    /// The user to run them as; nil for the one we are.
    let user: String?

    /// Finds the programs.
    ///
    /// - Parameters:
    ///   - wanted: The major version that an existing cluster needs; nil for the newest.
    ///   - user: The user to run them as; nil for the one we are.
    /// - Throws: `ClusterError.programsMissing` or `.versionMissing`.
    init(major wanted: String?, user: String?) throws(ClusterError) {
        let root = "/usr/lib/postgresql"
        // No such folder is no such package.
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let usable = versions.compactMap { Int($0) }.sorted(by: >)
            .filter { $0 >= Self.majorMinimum }
            .filter { FileManager.default.isExecutableFile(atPath: "\(root)/\($0)/bin/initdb") }
            .map { String($0) }
        guard let found = usable.first(where: { wanted == nil || $0 == wanted }) else {
            if let wanted { throw ClusterError.versionMissing(major: wanted) }
            throw ClusterError.programsMissing
        }
        folder = "\(root)/\(found)/bin"
        major = found
        self.user = user
    }

    static let majorMinimum = 15

    /// Runs one of PostgreSQL's programs to its end.
    ///
    /// - Parameters:
    ///   - program: Such as `initdb`.
    ///   - arguments: Its arguments.
    /// - Returns: Its exit status and what it said.
    /// - Throws: `ClusterError.command` if it could not be started.
    func run(_ program: String, _ arguments: [String]) throws(ClusterError) -> Subprocess.Answer {
        try launch(folder + "/" + program, arguments)
    }

    /// Writes a file as the server's user.
    func write(_ text: String, to path: String) throws(ClusterError) {
        let answer = try launch("/usr/bin/tee", [path], input: text)
        guard answer.status == 0 else { throw ClusterError.folderUnwritable(path) }
    }

    /// Removes a file as the server's user; no matter if it is not there.
    func remove(_ path: String) throws(ClusterError) {
        _ = try launch("/bin/rm", ["-rf", "--", path])
    }

    /// Renames a folder as the server's user.
    func move(_ source: String, to target: String) throws(ClusterError) {
        let answer = try launch("/bin/mv", ["-T", "--", source, target])
        guard answer.status == 0 else { throw ClusterError.folderUnwritable(target) }
    }

    private func launch(
        _ path: String, _ arguments: [String], input: String = ""
    ) throws(ClusterError) -> Subprocess.Answer {
        guard let user else { return try Subprocess.run(path, arguments, input: input) }
        // No shell, and no login: the arguments go through as they are.
        return try Subprocess.run(
            "/usr/sbin/runuser", ["-u", user, "--", path] + arguments, input: input)
    }
}
