import Foundation
import Synchronization

package import Postgres

/// A database of one test, cloned from a template that has every migration applied.
///
/// The server is `SYSTOLE_TEST_SERVER`, a conninfo such as `host=127.0.0.1 port=54999
/// user=postgres`, which is also the default; `ops/db start` starts one. The template is made once
/// per state of the migration files, whatever number of processes ask for it at the same time.
package struct TestDatabase: Sendable {
    /// The database's name.
    package let name: String
    /// How to connect to it.
    package let configuration: ConnectionConfiguration
    /// A small pool of connections to it.
    package let pool: Pool

    /// What a fresh database has in it.
    package enum Migrations: Sendable {
        /// All migrations of this repository.
        case repository
        /// Those of another folder.
        case folder(String)
        /// Nothing.
        case none
    }

    /// Makes a fresh database.
    ///
    /// - Parameter migrations: What it has in it.
    /// - Returns: The database; `drop()` it in the end, or use `withTestDatabase`.
    /// - Throws: What the server or the migrations refuse.
    package static func make(migrations: Migrations = .repository) async throws -> TestDatabase {
        let server = try TestServer.configuration()
        let name =
            "systole_test_\(ProcessInfo.processInfo.processIdentifier)_\(TestServer.unique())"
        let admin = try await Connection.open(server)
        try await TestServer.sweep(admin)
        let template = try await TestTemplate(migrations)?.ensure(admin, server)
        try await TestServer.create(name, template: template ?? "template0", admin)
        await admin.close()
        var configuration = server
        configuration.database = name
        let limits = PoolLimits(connectionsMaximum: 6)
        return TestDatabase(
            name: name, configuration: configuration, pool: Pool(configuration, limits: limits))
    }

    /// How another process connects, as its `DATABASE_URL`.
    package var url: String {
        configuration.parameters.sorted { $0.key < $1.key }.map { keyword, value in
            let quoted = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
            return "\(keyword)='\(quoted)'"
        }.joined(separator: " ")
    }

    /// Closes the pool and drops the database, whoever is still connected to it.
    package func drop() async throws {
        await pool.close()
        let admin = try await Connection.open(TestServer.configuration())
        try await admin.run("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        await admin.close()
    }
}

/// Lends a fresh database with all migrations and drops it afterwards.
///
/// - Parameters:
///   - migrations: What it has in it.
///   - body: The test.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
package func withTestDatabase<T>(
    migrations: TestDatabase.Migrations = .repository, _ body: (TestDatabase) async throws -> T
) async throws -> T {
    // A test that asks for a second database has its place already: waiting for another one, it
    // would hold up the rest, and its own open transactions would time out.
    if TestGate.isInside { return try await lend(migrations, to: body) }
    await TestGate.shared.enter()
    do {
        let value = try await TestGate.$isInside.withValue(true) {
            try await lend(migrations, to: body)
        }
        await TestGate.shared.leave()
        return value
    } catch {
        await TestGate.shared.leave()
        throw error
    }
}

private func lend<T>(
    _ migrations: TestDatabase.Migrations, to body: (TestDatabase) async throws -> T
) async throws -> T {
    let database = try await TestDatabase.make(migrations: migrations)
    do {
        let value = try await body(database)
        try await database.drop()
        return value
    } catch {
        // The test's own failure is the one to report.
        try? await database.drop()
        throw error
    }
}

/// Lets so many tests at a time have a database that the server's connections suffice.
private actor TestGate {
    static let shared = TestGate(places: 12)
    /// Whether this task has a place.
    @TaskLocal static var isInside = false

    private var places: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(places: Int) { self.places = places }

    func enter() async {
        if places > 0 {
            places -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    /// Hands the place to the test that has waited longest.
    func leave() {
        if waiting.isEmpty {
            places += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}

/// The server that tests use.
package enum TestServer {
    /// The server's configuration, with the database `postgres`.
    package static func configuration() throws -> ConnectionConfiguration {
        let text =
            ProcessInfo.processInfo.environment["SYSTOLE_TEST_SERVER"]
            ?? "host=127.0.0.1 port=54999 user=postgres"
        var configuration = try ConnectionConfiguration(text)
        configuration.database = configuration.database ?? "postgres"
        configuration.applicationName = "systole-test"
        // Cloning waits for other clones and for the disk, on a machine full of parallel tests.
        configuration.lockWaitMaximum = .seconds(120)
        configuration.statementMaximum = .seconds(120)
        return configuration
    }

    static let migrationsFolder: String = {
        let here = URL(fileURLWithPath: #filePath)
        return here.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("migrations").path
    }()

    private static let counter = Mutex(0)

    /// A name part that no other database of any process has.
    static func unique() -> String {
        let number = counter.withLock { counter in
            counter += 1
            return counter
        }
        return "\(number)_\(String(UInt32.random(in: .min ... .max), radix: 36))"
    }

    private static let hasSwept = Mutex(false)

    /// Drops what killed test processes left behind; once per process.
    static func sweep(_ admin: Connection) async throws {
        let isFirst = hasSwept.withLock { swept in
            defer { swept = true }
            return !swept
        }
        guard isFirst else { return }
        let left = try await admin.run(
            """
            SELECT datname FROM pg_database AS d
            WHERE datname LIKE 'systole\\_test\\_%'
                AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datid = d.oid)
                AND (pg_stat_file('base/' || d.oid || '/PG_VERSION', true)).modification
                    < now() - interval '30 minutes'
            """
        ).allTexts("datname")
        for name in left {
            // Another process may sweep as well, and a database may come into use: its own affair.
            _ = try? await admin.run("DROP DATABASE IF EXISTS \(identifier: name)")
        }
    }

    static func create(_ name: String, template: String, _ admin: Connection) async throws {
        for attempt in 1... {
            do {
                try await admin.run(
                    "CREATE DATABASE \(identifier: name) TEMPLATE \(identifier: template)")
                return
            } catch let error as PostgresError where error.sqlState == "55006" && attempt < 50 {
                // Somebody is connected to the template for a moment: autovacuum, for one.
                try await ContinuousClock().sleep(for: .milliseconds(100))
            }
        }
    }
}

/// The template of one state of the migration files.
private struct TestTemplate {
    let name: String
    let migrator: Migrator

    /// Fails where there is nothing to migrate.
    init?(_ migrations: TestDatabase.Migrations) throws {
        switch migrations {
        case .none: return nil
        case .folder(let folder): migrator = try Migrator(folder: folder)
        case .repository: migrator = try Migrator(folder: TestServer.migrationsFolder)
        }
        name = "systole_template_" + MigrationFile.digest(of: migrator.files).prefix(16)
    }

    /// Makes the template if nobody has yet; `admin` holds an advisory lock meanwhile.
    func ensure(_ admin: Connection, _ server: ConnectionConfiguration) async throws -> String {
        if try await exists(admin) { return name }
        let key: Int64 = 0x7379_7374_7465_7374
        try await admin.run("SELECT pg_advisory_lock(\(key)::bigint)")
        // If what follows fails, the lock ends with the connection.
        if try await exists(admin) { return name }
        let draft = name + "_draft"
        try await admin.run("DROP DATABASE IF EXISTS \(identifier: draft) WITH (FORCE)")
        try await TestServer.create(draft, template: "template0", admin)
        var configuration = server
        configuration.database = draft
        let connection = try await Connection.open(configuration)
        do {
            try await migrator.apply(to: connection)
            await connection.close()
        } catch {
            await connection.close()
            throw error
        }
        // The name says that it is complete, so it comes last.
        try await admin.run(
            "ALTER DATABASE \(identifier: draft) RENAME TO \(identifier: name)")
        try await admin.run("SELECT pg_advisory_unlock(\(key)::bigint)")
        return name
    }

    private func exists(_ admin: Connection) async throws -> Bool {
        try await admin.run(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = \(name)) AS there"
        ).only().bool("there")
    }
}

extension ConnectionConfiguration {
    /// The same, for a session that holds a transaction open while a busy machine does other things.
    package var holding: ConnectionConfiguration {
        var configuration = self
        configuration.idleInTransactionMaximum = .zero
        return configuration
    }
}
