import ArgumentParser
import Foundation
import Postgres
import Store

/// Where a command finds its database, and how it opens it.
struct DatabaseOptions: ParsableArguments {
    @Option(help: "The configuration file; systole.yaml where there is one.")
    var config: String?

    @Option(help: "The folder of the private database; .systole unless given.")
    var folder: String?

    @Option(help: "The folder of migrations; found beside the executable unless given.")
    var migrations: String?

    /// The configuration with this command's flags on top.
    func resolved() throws -> Configuration {
        var flags: [String: String] = [:]
        flags["folder"] = folder
        flags["migrations"] = migrations
        return try Configuration(
            environment: ProcessInfo.processInfo.environment, file: config, flags: flags)
    }

    /// Opens a pool on a database whose schema is the one this executable was built for.
    ///
    /// - Parameter body: Gets the pool, which is closed afterwards.
    /// - Returns: What `body` returns.
    /// - Throws: One sentence where there is no database, or its schema is another.
    func withPool<T>(_ body: (Pool) async throws -> T) async throws -> T {
        let configuration = try resolved()
        let server = try Database.server(configuration)
        try await Database.requireSchema(of: configuration, on: server)
        let pool = Pool(server, limits: PoolLimits(connectionsMaximum: 4))
        do {
            let value = try await body(pool)
            await pool.close()
            return value
        } catch {
            await pool.close()
            throw error
        }
    }
}

/// Finding the database and the migrations that belong to this executable.
enum Database {
    /// The database by configuration: `database_url`, libpq's own variables, or the private one.
    ///
    /// - Throws: `NoDatabase` where none of them is there.
    static func server(_ configuration: Configuration) throws -> ConnectionConfiguration {
        if let external = try external(configuration) { return external }
        guard let running = try PrivateCluster.running(in: configuration.folder) else {
            throw NoDatabase(folder: configuration.folder)
        }
        return running
    }

    /// The database that somebody else runs; nil where none is configured.
    static func external(_ configuration: Configuration) throws -> ConnectionConfiguration? {
        if let url = configuration.databaseURL { return try ConnectionConfiguration(url) }
        let environment = ProcessInfo.processInfo.environment
        let names = ["PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"]
        guard names.contains(where: { environment[$0] != nil }) else { return nil }
        return ConnectionConfiguration(parameters: [:])
    }

    /// The migrations: by flag or setting, beside the executable, in the working directory, or in
    /// the package that the executable was built in.
    static func migrator(_ configuration: Configuration) throws -> Migrator {
        if let folder = configuration.migrations { return try Migrator(folder: folder) }
        let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        var candidates = [executable.deletingLastPathComponent().appending(path: "migrations")]
        candidates.append(URL(filePath: "migrations"))
        var parent = executable.deletingLastPathComponent()
        for _ in 0..<4 {
            parent.deleteLastPathComponent()
            candidates.append(parent.appending(path: "migrations"))
        }
        for candidate in candidates {
            let first = candidate.appending(path: "0001_series.sql").path
            if FileManager.default.fileExists(atPath: first) {
                return try Migrator(folder: candidate.path)
            }
        }
        throw NoMigrations()
    }

    /// Refuses to work on a schema that this executable was not built for.
    ///
    /// Where the files of the migrations are not at hand, the number of the newest one decides: only
    /// `migrate` and `up` cannot do without the files.
    static func requireSchema(
        of configuration: Configuration, on server: ConnectionConfiguration
    ) async throws {
        let migrator: Migrator?
        do {
            migrator = try Self.migrator(configuration)
        } catch is NoMigrations {
            migrator = nil
        }
        let connection = try await Connection.open(server)
        do {
            if let migrator {
                try await migrator.requireCurrent(connection)
            } else {
                try await requireVersion(connection)
            }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// Looks at the number of the newest migration alone.
    ///
    /// - Throws: `StoreError.schemaDiffers` unless it is the one that we need.
    static func requireVersion(_ connection: Connection) async throws {
        try await connection.withSession { db in
            let isThere = try db.run(
                "SELECT to_regclass('systole.schema_migration') IS NOT NULL AS there"
            ).only().bool("there")
            guard isThere else {
                throw StoreError.schemaDiffers(found: 0, needed: Schema.versionNeeded)
            }
            try Schema.require(in: db)
        }
    }

    /// No database is configured, and no private one runs.
    struct NoDatabase: Error, CustomStringConvertible {
        let folder: String
        var description: String {
            "no database: none runs in \(folder); start one with `systole up`, or set DATABASE_URL"
        }
    }

    /// The folder of migrations was not found.
    struct NoMigrations: Error, CustomStringConvertible {
        var description: String {
            "the folder of migrations is neither beside the executable nor here; "
                + "say where with --migrations"
        }
    }
}
