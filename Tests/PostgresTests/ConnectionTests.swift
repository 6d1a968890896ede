import Postgres
import TestSupport
import Testing

@Suite struct ConnectionTests {
    @Test func `values come back as they went`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let bytes: [UInt8] = Array(0...255)
            let row = try await database.pool.run(
                """
                SELECT \(bytes)::bytea AS b, \(Int64.min)::bigint AS i,
                    \(0.1 + 0.2)::float8 AS d, \(true)::boolean AS yes,
                    \(nil as String?)::text AS nothing,
                    \([1.5, .infinity, -.infinity] as [Float])::real[] AS f,
                    \(["a,b", "", "NULL", "q\"\\", "{}"])::text[] AS ts,
                    \([Int16.min, 7])::smallint[] AS s,
                    \([] as [UInt8])::bytea AS none
                """
            ).only()
            #expect(try row.bytes("b") == bytes)
            #expect(try row.bytes("none").isEmpty)
            #expect(try row.int64("i") == .min)
            #expect(try row.double("d") == 0.1 + 0.2)
            #expect(try row.bool("yes"))
            #expect(try row.optionalText("nothing") == nil)
            #expect(try row.floats("f") == [1.5, .infinity, -.infinity])
            #expect(try row.texts("ts") == ["a,b", "", "NULL", "q\"\\", "{}"])
            #expect(try row.int16s("s") == [.min, 7])
        }
    }

    @Test(arguments: [
        "Robert'); DROP TABLE public.t;--", "$1", "\\", "'", "\u{1F9EA} e\u{301}", "", "NULL",
    ])
    func `an attempted injection stays a value`(text: String) async throws {
        try await withTestDatabase(migrations: .none) { database in
            try await database.pool.run("CREATE TABLE public.t (v text)")
            try await database.pool.run("INSERT INTO public.t VALUES (\(text))")
            let rows = try await database.pool.run("SELECT v FROM public.t WHERE v = \(text)")
            #expect(Array(try rows.only().text("v").utf8) == Array(text.utf8))
        }
    }

    @Test func `a text with a NUL is refused before it is cut short`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.run("SELECT \("a\0b")::text")
            }
            #expect(error?.sqlState == "22021")
        }
    }

    @Test func `errors tell no values`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            try await database.pool.run(
                "CREATE TABLE public.t (v text CONSTRAINT t_v_once UNIQUE, n int CHECK (n > 0))")
            try await database.pool.run("INSERT INTO public.t VALUES (\("patient4711"), \(1))")
            let unique = await #expect(throws: PostgresError.self) {
                try await database.pool.run("INSERT INTO public.t VALUES (\("patient4711"))")
            }
            #expect(unique?.isUniqueViolation == true && unique?.constraint == "t_v_once")
            let input = await #expect(throws: PostgresError.self) {
                try await database.pool.run("SELECT \("patient4711")::int")
            }
            #expect(input?.sqlState == "22P02")
            let check = await #expect(throws: PostgresError.self) {
                try await database.pool.run("INSERT INTO public.t VALUES (\("patient4711x"), -4)")
            }
            #expect(check?.sqlState == "23514")
            for error in [unique, input, check] {
                #expect(try !"\(#require(error)) \(String(reflecting: error))".contains("4711"))
            }
        }
    }

    @Test func `an error of our own functions keeps message and hint`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.run(
                    """
                    DO $$ BEGIN RAISE 'there is no series %', 'plant.x'
                        USING ERRCODE = 'SY001', HINT = 'See systole.series.', DETAIL = 'secret';
                    END $$
                    """)
            }
            #expect(
                error
                    == PostgresError(
                        sqlState: "SY001", message: "there is no series plant.x",
                        hint: "See systole.series."))
        }
    }

    @Test func `a session begins with its limits and in UTC`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            var configuration = database.configuration
            configuration.applicationName = "systole-work"
            configuration.lockWaitMaximum = .milliseconds(1500)
            configuration.statementMaximum = .seconds(5)
            let connection = try await Connection.open(configuration)
            let row = try await connection.run(
                """
                SELECT current_setting('application_name') AS name,
                    current_setting('lock_timeout') AS lock,
                    current_setting('statement_timeout') AS statement,
                    current_setting('idle_in_transaction_session_timeout') AS idle,
                    current_setting('timezone') AS zone
                """
            ).only()
            #expect(try row.text("name") == "systole-work")
            #expect(try row.text("lock") == "1500ms")
            #expect(try row.text("statement") == "5s")
            #expect(try row.text("idle") == "10s")
            #expect(try row.text("zone") == "UTC")
            await connection.close()
            let error = await #expect(throws: PostgresError.self) {
                try await connection.run("SELECT 1")
            }
            #expect(error?.sqlState == "08003")
        }
    }

    @Test func `a database that is not there is named`() async throws {
        var configuration = try TestServer.configuration()
        configuration.database = "systole_no_such_database"
        let error = await #expect(throws: PostgresError.self) {
            try await Connection.open(configuration)
        }
        #expect(error?.sqlState == "3D000" && error?.isTransient == false)
    }

    @Test func `connections that wait hold up nobody else`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            // More than the shared pool of Swift has threads on most machines.
            let count = 24
            let holder = try await Connection.open(database.configuration)
            try await holder.run("SELECT pg_advisory_lock(1)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<count {
                    let waiter = try await Connection.open(database.configuration)
                    group.addTask {
                        try await waiter.run("SELECT pg_advisory_lock_shared(1)")
                        await waiter.close()
                    }
                }
                var waiting = 0
                while waiting < count {
                    waiting = try await holder.run(
                        """
                        SELECT count(*) AS n FROM pg_locks
                        WHERE locktype = 'advisory' AND NOT granted
                            AND database = (SELECT oid FROM pg_database
                                            WHERE datname = current_database())
                        """
                    ).only().int("n")
                }
                try await holder.run("SELECT pg_advisory_unlock(1)")
                try await group.waitForAll()
            }
            await holder.close()
        }
    }
}
