import Foundation
import Postgres
import Synchronization

/// The PostgreSQL server of one run of this tool.
final class Databases: Sendable {
    private struct State {
        var server: String?
        var isOurs = false
        var inWords: String?
        var made: [Database] = []
    }

    /// Of its own: that of the tests does not wait for the disk, and may be in use.
    private static let folder = ".build/bench-db"

    private let state: Mutex<State>

    /// - Parameter server: A conninfo of a superuser; nil to start a private server when one is
    ///   needed.
    init(server: String?) { state = Mutex(State(server: server)) }

    /// Version and durability of the server; nil before it was needed.
    var serverInWords: String? { state.withLock { $0.inWords } }

    /// A fresh database with all migrations; `drop()` it in the end.
    func make() async throws -> Database {
        let server = try await server()
        let number = state.withLock { $0.made.count }
        let process = ProcessInfo.processInfo.processIdentifier
        let database = try Database(server: server, name: "systole_bench_\(process)_\(number)")
        state.withLock { $0.made.append(database) }
        try await database.create()
        let words = try await database.pool.run(
            """
            SELECT format('PostgreSQL %s, fsync %s', split_part(current_setting('server_version'),
                ' ', 1), current_setting('fsync')) AS words
            """
        ).only().text("words")
        state.withLock { $0.inWords = words }
        return database
    }

    private func server() async throws -> String {
        if let server = state.withLock({ $0.server }) { return server }
        Progress.say("starting a private PostgreSQL")
        let answer = try Program.outputOfStarter("ops/db start \(Self.folder)")
        let server = answer.trimmingCharacters(in: .whitespacesAndNewlines)
        state.withLock { ($0.server, $0.isOurs) = (server, true) }
        // As an installation has it: what was committed is on the disk.
        let connection = try await Connection.open(ConnectionConfiguration(server))
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            try await connection.withSession { db in
                _ = try db.run("ALTER SYSTEM SET \(identifier: setting) = on")
            }
        }
        try await connection.run("SELECT pg_reload_conf()")
        await connection.close()
        return server
    }

    /// Drops what a benchmark that failed left behind, and stops the server if it was started
    /// here.
    func close() async {
        let (made, isOurs) = state.withLock { ($0.made, $0.isOurs) }
        for database in made {
            do { try await database.drop() } catch {
                Progress.say("\(database.name) is left over: \(error)")
            }
        }
        guard isOurs else { return }
        do { _ = try Program.output(["ops/db", "stop", Self.folder]) } catch {
            Progress.say("the private PostgreSQL was not stopped: \(error)")
        }
    }
}

/// A database of one benchmark.
struct Database: Sendable {
    let pool: Pool
    fileprivate let name: String
    private let admin: ConnectionConfiguration

    fileprivate init(server: String, name: String) throws {
        var admin = try ConnectionConfiguration(server)
        admin.applicationName = "systole-bench"
        admin.database = admin.database ?? "postgres"
        var configuration = admin
        configuration.database = name
        self.name = name
        self.admin = admin
        pool = Pool(configuration)
    }

    fileprivate func create() async throws {
        let connection = try await Connection.open(admin)
        try await connection.run("CREATE DATABASE \(identifier: name) TEMPLATE template0")
        await connection.close()
        let own = try await Connection.open(pool.configuration)
        try await Migrator(folder: "migrations").apply(to: own)
        await own.close()
    }

    /// Drops the database; one that is gone is no error.
    func drop() async throws {
        await pool.close()
        let connection = try await Connection.open(admin)
        try await connection.run("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        await connection.close()
    }

    /// Runs one command in psql and returns how long psql says that it took.
    ///
    /// - Parameter command: SQL, or a backslash command such as `\copy`.
    /// - Returns: Seconds, without starting psql and connecting.
    /// - Throws: `BenchmarkError` where psql cannot be run or refuses the command.
    func psql(_ command: String) throws -> Double {
        let answer = try Program.output(
            ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", "\\timing on", "-c", command],
            environment: environment)
        let times = answer.matches(of: /Time: ([0-9.]+) ms/).compactMap { Double($0.1) }
        guard let milliseconds = times.last else {
            throw BenchmarkError("psql told no time")
        }
        return milliseconds / 1000
    }

    /// Runs a script in pgbench, one client on one connection, and returns its rate.
    ///
    /// - Parameters:
    ///   - script: The script's path.
    ///   - transactions: How often it is run.
    /// - Returns: Transactions per second, without connecting.
    /// - Throws: `BenchmarkError` where pgbench fails or tells no rate.
    func pgbench(script: String, transactions: Int) throws -> Double {
        let answer = try Program.output(
            ["pgbench", "-n", "-c", "1", "-t", String(transactions), "-f", script],
            environment: environment)
        guard let found = answer.firstMatch(of: /tps = ([0-9.]+)/), let rate = Double(found.1),
            answer.contains("processed: \(transactions)/\(transactions)")
        else { throw BenchmarkError("pgbench did not do all transactions") }
        return rate
    }

    /// How peers are told where to connect: without a password, and without spaces.
    var conninfoForPeers: String {
        let parts = ["host", "port", "user"].compactMap { name in
            admin[name].map { "\(name)=\($0)" }
        }
        return (parts + ["dbname=\(name)"]).joined(separator: ",")
    }

    /// Where libpq's tools connect; the password stays out of the command line.
    private var environment: [String: String] {
        let names = [
            "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
            "sslmode": "PGSSLMODE",
        ]
        var environment = ["PGDATABASE": name]
        for (keyword, variable) in names { environment[variable] = admin[keyword] }
        return environment
    }

    /// A contestant that loads a prepared file by psql.
    ///
    /// - Parameters:
    ///   - name: What the report calls it.
    ///   - target: Table and columns.
    ///   - file: The file's path.
    ///   - format: `csv` or `binary`.
    ///   - before: What is done before every run, outside the measurement.
    /// - Returns: The contestant, or why psql cannot be used.
    func loading(
        _ name: String, target: String, file: String, format: String,
        before: @escaping () async throws -> Void
    ) -> Opponent {
        do {
            let version = try Program.output(["psql", "--version"]).split(separator: " ")
            let number = version.dropFirst(2).first ?? ""
            return .present(
                Contestant(measuring: "\(name) (psql \(number))") { repetitions in
                    var total = 0.0
                    for _ in 0..<repetitions {
                        try await before()
                        total += try psql("\\copy \(target) from '\(file)' with (format \(format))")
                    }
                    return total
                })
        } catch {
            return .absent(name: name, reason: "psql cannot be started")
        }
    }
}
