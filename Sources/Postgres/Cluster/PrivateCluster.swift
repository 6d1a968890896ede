import Foundation
import Synchronization

/// A PostgreSQL of our own in a folder, for those who have configured none.
///
/// Made by `initdb` with data checksums at the first start, run by `pg_ctl` as the user `postgres`
/// when we are root. The socket asks the operating system who comes; 127.0.0.1 asks for the
/// password in `pgpass`. It survives restarts, and a crash of ours: the server that was left
/// running is taken over. One process at a time runs a folder.
package final class PrivateCluster: Sendable {
    private let place: ClusterPlace
    private let newPassword: @Sendable () -> String
    private let state = Mutex(State())

    private struct State {
        var messages: [String] = []
        var lock: FileLock?
    }

    /// - Parameters:
    ///   - folder: Where it lives; made at the first start.
    ///   - newPassword: Makes the password of a new database.
    /// - Throws: `ClusterError` for a folder that cannot serve.
    package init(
        folder: String,
        newPassword: @escaping @Sendable () -> String = PrivateCluster.randomPassword
    ) throws(ClusterError) {
        place = try ClusterPlace(folder: folder)
        self.newPassword = newPassword
    }

    /// Where it lives, as an absolute path.
    package var folder: String { place.folder }

    /// What the user should know about the last start.
    package var messages: [String] { state.withLock { $0.messages } }

    /// What to type to look into the database.
    package var psqlCommand: String {
        guard let server = ServerState.read(data: place.data) else { return "psql" }
        let configuration = Self.configuration(place, port: server.port)
        return "psql \"\(configuration)\""
    }

    /// Starts the server, if need be after making the database; waits until it answers.
    ///
    /// - Returns: How to connect, as the role `systole` to the database `systole`.
    /// - Throws: `ClusterError`, or `PostgresError` if the new server refuses us.
    package func start() async throws -> ConnectionConfiguration {
        let port = try await OwnThread.run { try self.startServer() }
        let configuration = Self.configuration(place, port: port)
        do {
            try await Self.makeDatabase(configuration)
        } catch {
            await stop()
            throw error
        }
        return configuration
    }

    /// Whether the server lives, ready or not.
    package var isRunning: Bool {
        ServerState.read(data: place.data)?.isAlive(data: place.data) ?? false
    }

    /// Starts the server again after its end, where everybody knows it; traps unless `start` has made
    /// the folder ours.
    ///
    /// - Throws: `ClusterError`, where the port was taken or the data moved as well: nothing is made anew.
    package func startAgain() async throws {
        state.withLock { state in
            precondition(state.lock != nil, "PrivateCluster: started again before it was started")
            state.messages = []
        }
        guard FileManager.default.fileExists(atPath: place.data) else {
            throw ClusterError.dataGone(folder: place.data)
        }
        _ = try await OwnThread.run { try self.startOwnServer(isKnown: true) }
    }

    /// Stops the server and lets others have the folder; does nothing if it is not ours.
    package func stop() async {
        // Nothing waits for a result: at worst the server stays and the next start takes it over.
        try? await OwnThread.run {
            guard self.state.withLock({ $0.lock != nil }) else { return }
            let programs = try self.programs()
            _ = try programs.run(
                "pg_ctl", ["stop", "-D", self.place.data, "-m", "fast", "-w", "-t", "120"])
        }
        releaseLock()
    }

    /// Lets others have the folder and leaves the server as it is, as our own death would.
    func releaseLock() {
        state.withLock { $0.lock = nil }
    }

    /// The server of a folder that some process runs now.
    ///
    /// - Parameter folder: As for `init`.
    /// - Returns: How to connect, or nil where none runs.
    /// - Throws: `ClusterError` for a folder that cannot serve.
    package static func running(in folder: String) throws(ClusterError) -> ConnectionConfiguration?
    {
        let place = try ClusterPlace(folder: folder)
        guard let server = ServerState.read(data: place.data), server.isReady,
            server.isAlive(data: place.data)
        else { return nil }
        return configuration(place, port: server.port)
    }

    /// What `start` would complain about on this machine.
    ///
    /// - Returns: A sentence, or nil where PostgreSQL's programs are installed.
    package static func missingPrograms() -> String? {
        do throws(ClusterError) {
            _ = try ServerPrograms(major: nil, user: nil)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Thirty-two characters from the system's own generator.
    @Sendable package static func randomPassword() -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        var generator = SystemRandomNumberGenerator()
        return String(
            (0..<32).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] })
    }

    // MARK: - Steps

    private func startServer() throws(ClusterError) -> UInt16 {
        try place.make()
        let lock = try FileLock(path: place.lock, of: place.folder)
        state.withLock { state in
            state.lock = lock
            state.messages = []
        }
        do {
            return try startOwnServer()
        } catch {
            state.withLock { $0.lock = nil }
            throw error
        }
    }

    /// Takes over the server that runs, or starts it; `isKnown` where others look for it at its last port.
    private func startOwnServer(isKnown: Bool = false) throws(ClusterError) -> UInt16 {
        if place.isMoved {
            tell(
                "the user postgres cannot enter \(place.folder), "
                    + "so that the database is in \(place.root)")
        }
        if let server = ServerState.read(data: place.data) {
            if server.isAlive(data: place.data) {
                tell("a database that was left running was taken over")
                return server.port
            }
            tell("the database was not stopped in order last time and recovers by itself")
            // Where we are the first process of a container, the dead server is ours to bury; its
            // number counts as taken before.
            waitpid(server.process, nil, WNOHANG)
        }
        let programs = try programs()
        if !FileManager.default.fileExists(atPath: place.data) { try initialise(programs) }
        if let server = ServerState.read(data: place.data), server.isTaken {
            // Whoever has this number now is no server of ours, but PostgreSQL might believe it.
            // That no child of the old server lives is seen from its shared memory as well.
            try programs.remove(place.data + "/postmaster.pid")
            try programs.remove(place.sockets + "/.s.PGSQL.\(server.port).lock")
        }
        return try launch(programs, isKnown: isKnown)
    }

    private func programs() throws(ClusterError) -> ServerPrograms {
        let version = FileManager.default.contents(atPath: place.data + "/PG_VERSION")
            .map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } }
        return try ServerPrograms(major: version, user: place.user)
    }

    /// Makes the data in a folder beside and moves it into place, so that it is there or not.
    private func initialise(_ programs: ServerPrograms) throws(ClusterError) {
        let draft = place.data + ".new"
        let secret = place.root + "/postgres/secret"
        let password = newPassword()
        try programs.remove(draft)
        try Self.write(
            "127.0.0.1:*:*:systole:\(password)\n", to: place.passwords)
        try programs.write("", to: secret)
        guard unsafe chmod(secret, 0o600) == 0 else { throw ClusterError.folderUnwritable(secret) }
        try programs.write(password + "\n", to: secret)
        let answer = try programs.run(
            "initdb",
            [
                "-D", draft, "-U", "systole", "--pwfile", secret, "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums",
            ])
        try programs.remove(secret)
        guard answer.status == 0 else {
            throw ClusterError.command("initdb", said: answer.reason)
        }
        try programs.move(draft, to: place.data)
        tell("a new database was made in \(place.root)/postgres (PostgreSQL \(programs.major))")
    }

    private func launch(_ programs: ServerPrograms, isKnown: Bool) throws(ClusterError) -> UInt16 {
        var preferred = Self.number(in: place.root + "/port")
        let deadline = ContinuousClock.now + Self.orphansMaximum
        var attemptsLeft = 3
        while true {
            if isKnown {
                guard let preferred else { throw ClusterError.dataGone(folder: place.root) }
                guard FreePort.isFree(preferred) else { throw ClusterError.portTaken(preferred) }
            }
            let port = try FreePort.find(preferred: preferred)
            try configure(programs, port: port)
            let answer = try programs.run(
                "pg_ctl", ["start", "-D", place.data, "-l", place.log, "-w", "-t", "600", "-s"])
            if answer.status == 0 {
                try Self.write("\(port)\n", to: place.root + "/port")
                return port
            }
            let reason = reason(answer)
            if reason.contains("shared memory block"), ContinuousClock.now < deadline {
                // Children of a server that was killed; they end by themselves when they notice.
                Thread.sleep(forTimeInterval: 0.2)
                continue
            }
            // Somebody may have taken the port between our look and the server's.
            attemptsLeft -= 1
            guard attemptsLeft > 0, !isKnown, !FreePort.isFree(port) else {
                throw ClusterError.command("pg_ctl", said: reason)
            }
            preferred = nil
        }
    }

    /// How long the children of a killed server may take to end.
    private static let orphansMaximum = Duration.seconds(30)

    private func configure(_ programs: ServerPrograms, port: UInt16) throws(ClusterError) {
        let settings = ServerSettings(
            port: port, sockets: place.hasSocket ? place.sockets : nil,
            memoryBytes: ProcessInfo.processInfo.physicalMemory)
        var users: Set<String> = [NSUserName(), "postgres"]
        if place.user != nil { users.insert("root") }
        try programs.write(settings.configuration, to: place.data + "/postgresql.conf")
        try programs.write(ServerSettings.access, to: place.data + "/pg_hba.conf")
        try programs.write(
            ServerSettings.identities(users), to: place.data + "/pg_ident.conf")
        // The log of one start is enough to see why it failed, and cannot fill the disk.
        if let size = try? FileManager.default.attributesOfItem(atPath: place.log)[.size] as? Int,
            size > Self.logBytesMaximum
        {
            try programs.move(place.log, to: place.log + ".1")
        }
    }

    private static let logBytesMaximum = 16 << 20

    /// The server's own last complaint, which pg_ctl only points to.
    private func reason(_ answer: Subprocess.Answer) -> String {
        let log = FileManager.default.contents(atPath: place.log) ?? Data()
        let tail = Subprocess.Answer(
            status: 1, output: String(decoding: log.suffix(4096), as: UTF8.self))
        return log.isEmpty ? answer.reason : tail.reason
    }

    private func tell(_ message: String) {
        state.withLock { $0.messages.append(message) }
    }

    // MARK: - Connecting

    private static func configuration(
        _ place: ClusterPlace, port: UInt16
    ) -> ConnectionConfiguration {
        var parameters = ["port": "\(port)", "user": "systole", "dbname": "systole"]
        if place.hasSocket {
            parameters["host"] = place.sockets
        } else {
            parameters["host"] = "127.0.0.1"
            parameters["passfile"] = place.passwords
        }
        return ConnectionConfiguration(parameters: parameters)
    }

    private static func makeDatabase(_ configuration: ConnectionConfiguration) async throws {
        var server = configuration
        server.database = "postgres"
        let connection = try await Connection.open(server)
        do {
            let rows = try await connection.run(
                "SELECT FROM pg_database WHERE datname = 'systole'")
            if rows.isEmpty { try await connection.run("CREATE DATABASE systole") }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    // MARK: - Small files

    private static func number(in path: String) -> UInt16? {
        FileManager.default.contents(atPath: path).flatMap { contents in
            UInt16(String(decoding: contents, as: UTF8.self).filter { !$0.isWhitespace })
        }
    }

    /// Writes a file of ours that nobody else can read.
    private static func write(_ text: String, to path: String) throws(ClusterError) {
        let isWritten = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard isWritten else { throw ClusterError.folderUnwritable(path) }
    }
}
