import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct MigratorTests {
    /// A folder of migrations that is deleted in the end.
    private func withFolder(
        _ files: [String: String], _ body: (String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("systole-migrations-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files { try write(text, folder.path + "/" + name) }
        try await body(folder.path)
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// An empty database with one connection, which is all that a migrator needs.
    private func withConnection(
        _ body: (Connection, TestDatabase) async throws -> Void
    ) async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await body(connection, database)
            await connection.close()
        }
    }

    /// The names of all tables of our schema; empty where there is no schema.
    private func tables(_ connection: Connection) async throws -> [String] {
        try await connection.run(
            """
            SELECT relname FROM pg_class
            WHERE relnamespace = to_regnamespace('systole') AND relkind = 'r' ORDER BY relname
            """
        ).allTexts("relname")
    }

    private let two = [
        "0001_a.sql": "CREATE TABLE systole.a (n bigint); CREATE TABLE systole.b (n bigint);",
        "0002_c.sql": "CREATE TABLE systole.c (n bigint);",
    ]

    @Test func `files are applied once and in order`() async throws {
        try await withFolder(two) { folder in
            try await withConnection { connection, _ in
                let migrator = try Migrator(folder: folder)
                let before = try await migrator.status(connection)
                #expect(before.applied.isEmpty && before.pending == ["0001_a.sql", "0002_c.sql"])
                let untouched = try await tables(connection)
                #expect(untouched.isEmpty)
                await #expect(throws: MigrationError.pending(count: 2, first: "0001_a.sql")) {
                    try await migrator.requireCurrent(connection)
                }
                let first = try await migrator.apply(to: connection)
                #expect(first == ["0001_a.sql", "0002_c.sql"])
                let second = try await migrator.apply(to: connection)
                #expect(second.isEmpty)
                try await migrator.requireCurrent(connection)
                let all = try await tables(connection)
                #expect(all == ["a", "b", "c", "schema_migration"])
            }
        }
    }

    @Test func `a later file is applied alone`() async throws {
        try await withFolder(two) { folder in
            try await withConnection { connection, _ in
                try await Migrator(folder: folder).apply(to: connection)
                try write("CREATE TABLE systole.d (n bigint);", folder + "/0003_d.sql")
                let applied = try await Migrator(folder: folder).apply(to: connection)
                #expect(applied == ["0003_d.sql"])
            }
        }
    }

    @Test func `a changed file is refused and nothing is written`() async throws {
        try await withFolder(two) { folder in
            try await withConnection { connection, _ in
                try await Migrator(folder: folder).apply(to: connection)
                try write("CREATE TABLE systole.a (n int);", folder + "/0001_a.sql")
                try write("CREATE TABLE systole.d (n bigint);", folder + "/0003_d.sql")
                await #expect(throws: MigrationError.changed("0001_a.sql")) {
                    try await Migrator(folder: folder).apply(to: connection)
                }
                let all = try await tables(connection)
                #expect(all == ["a", "b", "c", "schema_migration"])
            }
        }
    }

    @Test func `a database newer than the folder is refused`() async throws {
        try await withFolder(two) { folder in
            try await withConnection { connection, _ in
                try await Migrator(folder: folder).apply(to: connection)
                try FileManager.default.removeItem(atPath: folder + "/0002_c.sql")
                let older = try Migrator(folder: folder)
                await #expect(throws: MigrationError.databaseNewer(name: "0002_c.sql")) {
                    try await older.apply(to: connection)
                }
                await #expect(throws: MigrationError.databaseNewer(name: "0002_c.sql")) {
                    try await older.requireCurrent(connection)
                }
            }
        }
    }

    @Test func `a failing file leaves nothing and the ones before stay`() async throws {
        var files = two
        files["0003_d.sql"] = "CREATE TABLE systole.d (n bigint); SELECT 1 / 0;"
        try await withFolder(files) { folder in
            try await withConnection { connection, _ in
                let error = await #expect(throws: MigrationError.self) {
                    try await Migrator(folder: folder).apply(to: connection)
                }
                guard case .failed("0003_d.sql", let cause) = error else {
                    Issue.record("another error: \(String(describing: error))")
                    return
                }
                #expect(cause.sqlState == "22012")
                let all = try await tables(connection)
                #expect(all == ["a", "b", "c", "schema_migration"])
                let status = try await Migrator(folder: folder).status(connection)
                #expect(status.pending == ["0003_d.sql"])
            }
        }
    }

    @Test func `a file that ends its own transaction is refused`() async throws {
        let files = ["0001_a.sql": "CREATE TABLE systole.a (n bigint); ROLLBACK;"]
        try await withFolder(files) { folder in
            try await withConnection { connection, _ in
                await #expect(throws: MigrationError.endsTransaction("0001_a.sql")) {
                    try await Migrator(folder: folder).apply(to: connection)
                }
                let all = try await tables(connection)
                #expect(all == ["schema_migration"])
                #expect(await connection.isUsable)
            }
        }
    }

    struct Folder: Sendable {
        let names: [String]
        let error: MigrationError
    }

    @Test(arguments: [
        Folder(
            names: ["0001_a.sql", "0003_c.sql"], error: .gap(missing: 2, found: "0003_c.sql")),
        Folder(names: ["0002_b.sql"], error: .gap(missing: 1, found: "0002_b.sql")),
        Folder(
            names: ["0001_a.sql", "0001_b.sql"],
            error: .duplicateNumber("0001_a.sql", "0001_b.sql")),
        Folder(names: ["0001_a.sql", "2_b.sql"], error: .badName("2_b.sql")),
        Folder(names: ["0001.sql"], error: .badName("0001.sql")),
    ])
    func `a folder that is not in order is refused`(_ c: Folder) async throws {
        let files = Dictionary(uniqueKeysWithValues: c.names.map { ($0, "SELECT 1;") })
        try await withFolder(files) { folder in
            #expect(throws: c.error) { try Migrator(folder: folder) }
        }
    }

    @Test func `a missing and an empty folder are told apart`() async throws {
        #expect(throws: MigrationError.folderUnreadable("/no/such/folder")) {
            try Migrator(folder: "/no/such/folder")
        }
        try await withFolder([:]) { folder in
            #expect(throws: MigrationError.folderEmpty(folder)) { try Migrator(folder: folder) }
        }
    }

    @Test func `processes that migrate at the same time apply each file once`() async throws {
        try await withFolder(two) { folder in
            try await withConnection { _, database in
                let migrator = try Migrator(folder: folder)
                let names = try await withThrowingTaskGroup(of: [String].self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            let connection = try await Connection.open(database.configuration)
                            let names = try await migrator.apply(to: connection)
                            await connection.close()
                            return names
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(names == ["0001_a.sql", "0002_c.sql"])
            }
        }
    }

    @Test func `a lock that does not go away ends in a transient failure`() async throws {
        var files = two
        files["0003_d.sql"] = "ALTER TABLE systole.a ADD COLUMN m bigint;"
        try await withFolder(two) { folder in
            try await withConnection { connection, database in
                try await Migrator(folder: folder).apply(to: connection)
                try write(files["0003_d.sql"] ?? "", folder + "/0003_d.sql")
                var migrator = try Migrator(folder: folder)
                migrator.lockWaitMaximum = .milliseconds(10)
                migrator.attemptsMaximum = 2
                let holder = try await Connection.open(database.configuration.holding)
                try await holder.run("BEGIN")
                try await holder.run("LOCK TABLE systole.a IN ACCESS SHARE MODE")
                let blocked = migrator
                let error = await #expect(throws: MigrationError.self) {
                    try await blocked.apply(to: connection)
                }
                guard case .failed("0003_d.sql", let cause) = error else {
                    Issue.record("another error: \(String(describing: error))")
                    return
                }
                #expect(cause.sqlState == "55P03")
                await holder.close()
                let applied = try await migrator.apply(to: connection)
                #expect(applied == ["0003_d.sql"])
            }
        }
    }
}
