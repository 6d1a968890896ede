import Postgres
import TestSupport
import Testing

@Suite struct PreparedTests {
    private func prepared(_ connection: Connection) async throws -> Int {
        try await connection.run("SELECT count(*) AS n FROM pg_prepared_statements").only().int("n")
    }

    private func double(_ number: Int, _ connection: Connection) async throws -> Int {
        try await connection.withSession { db in
            try db.runPrepared("SELECT 2 * \(number)::bigint AS twice").only().int("twice")
        }
    }

    @Test func `a statement is prepared once and run with other values`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            for number in 1...3 { #expect(try await double(number, connection) == 2 * number) }
            #expect(try await prepared(connection) == 1)
            await connection.close()
        }
    }

    /// As behind a pooler, where the next statement may reach another session.
    @Test func `where the server has forgotten it, it is run unprepared from then on`() async throws
    {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            #expect(try await double(1, connection) == 2)
            try await connection.run("DEALLOCATE ALL")
            for number in 2...4 { #expect(try await double(number, connection) == 2 * number) }
            #expect(try await prepared(connection) == 0)
            await connection.close()
        }
    }

    @Test func `a transaction that meets this fails once, and its repetition does not`()
        async throws
    {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            let work = { () async throws -> Int in
                try await connection.transaction { db in
                    try db.runPrepared("SELECT 2 * \(21)::bigint AS twice").only().int("twice")
                }
            }
            #expect(try await work() == 42)
            try await connection.run("DEALLOCATE ALL")
            let lost = await #expect(throws: PostgresError.self) { _ = try await work() }
            #expect(lost?.sqlState == "26000")
            for _ in 1...3 { #expect(try await work() == 42) }
            #expect(try await prepared(connection) == 0)
            await connection.close()
        }
    }

    @Test func `one that somebody else has prepared under its name does no harm`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.run("PREPARE systole_1 AS SELECT 'another' AS twice")
            #expect(try await double(7, connection) == 14)
            await connection.close()
        }
    }

    @Test func `a result with other columns is no failure`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            let columns = { () async throws -> [String] in
                try await connection.withSession { db in
                    try db.runPrepared("SELECT * FROM public.t").columnNames
                }
            }
            try await connection.run("CREATE TABLE public.t (a integer)")
            #expect(try await columns() == ["a"])
            try await connection.run("ALTER TABLE public.t ADD COLUMN b integer")
            #expect(try await columns() == ["a", "b"])
            await connection.close()
        }
    }

    @Test func `a failing statement tells its own reason, each time`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            for _ in 1...3 {
                let unknown = await #expect(throws: PostgresError.self) {
                    try await connection.withSession { db in
                        _ = try db.runPrepared("SELECT public.nothing_of_that_name()")
                    }
                }
                #expect(unknown?.sqlState == "42883")
                let division = await #expect(throws: PostgresError.self) {
                    try await connection.withSession { db in
                        _ = try db.runPrepared("SELECT 1 / \(0)::integer AS n")
                    }
                }
                #expect(division?.sqlState == "22012")
            }
            await connection.close()
        }
    }
}
