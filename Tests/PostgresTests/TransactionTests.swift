import Postgres
import TestSupport
import Testing

@Suite struct TransactionTests {
    struct Stop: Error {}

    private func withTable(_ body: (TestDatabase) async throws -> Void) async throws {
        try await withTestDatabase(migrations: .none) { database in
            try await database.pool.run(
                "CREATE TABLE public.t (n bigint CONSTRAINT t_n_positive CHECK (n > 0))")
            try await body(database)
        }
    }

    private func numbers(_ database: TestDatabase) async throws -> [Int64] {
        try await database.pool.run("SELECT n FROM public.t ORDER BY n").allInt64s("n")
    }

    @Test func `a transaction that returns is committed`() async throws {
        try await withTable { database in
            let answer = try await database.pool.transaction { db in
                try db.run("INSERT INTO public.t VALUES (\(1)), (\(2))").affected
            }
            #expect(answer == 2)
            #expect(try await numbers(database) == [1, 2])
        }
    }

    @Test func `a transaction that throws leaves nothing`() async throws {
        try await withTable { database in
            await #expect(throws: Stop.self) {
                try await database.pool.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (\(1))")
                    throw Stop()
                }
            }
            let left = try await numbers(database)
            #expect(left == [])
        }
    }

    @Test func `a swallowed failure makes COMMIT fail`() async throws {
        try await withTable { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (\(1))")
                    _ = try? db.run("INSERT INTO public.t VALUES (\(-1))")
                }
            }
            #expect(error?.sqlState == "25P02")
            let left = try await numbers(database)
            #expect(left == [])
        }
    }

    @Test func `a failure that COMMIT finds is thrown`() async throws {
        try await withTable { database in
            try await database.pool.run(
                """
                ALTER TABLE public.t ADD CONSTRAINT t_n_once UNIQUE (n) DEFERRABLE
                    INITIALLY DEFERRED
                """)
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (1), (1)")
                }
            }
            #expect(error?.constraint == "t_n_once")
            let left = try await numbers(database)
            #expect(left == [])
        }
    }

    @Test func `a savepoint undoes its own part only`() async throws {
        try await withTable { database in
            try await database.pool.transaction { db in
                try db.run("INSERT INTO public.t VALUES (1)")
                try db.savepoint { db in try db.run("INSERT INTO public.t VALUES (2)") }
                #expect(throws: PostgresError.self) {
                    try db.savepoint { db in
                        try db.run("INSERT INTO public.t VALUES (3)")
                        try db.run("INSERT INTO public.t VALUES (-3)")
                    }
                }
                try db.run("INSERT INTO public.t VALUES (4)")
            }
            #expect(try await numbers(database) == [1, 2, 4])
        }
    }

    @Test func `a read-only transaction refuses to write`() async throws {
        try await withTable { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction(TransactionOptions(isReadOnly: true)) { db in
                    try db.run("INSERT INTO public.t VALUES (1)")
                }
            }
            #expect(error?.sqlState == "25006")
        }
    }

    @Test func `serializable transactions that cross are transient failures`() async throws {
        try await withTable { database in
            try await database.pool.run("INSERT INTO public.t VALUES (1), (2)")
            let first = try await Connection.open(database.configuration)
            let second = try await Connection.open(database.configuration)
            for connection in [first, second] {
                try await connection.run("BEGIN ISOLATION LEVEL SERIALIZABLE")
                try await connection.run("SELECT sum(n) FROM public.t")
            }
            try await first.run("INSERT INTO public.t VALUES (10)")
            try await second.run("INSERT INTO public.t VALUES (20)")
            try await first.run("COMMIT")
            let error = await #expect(throws: PostgresError.self) {
                try await second.run("COMMIT")
            }
            #expect(error?.sqlState == "40001" && error?.isTransient == true)
            await first.close()
            await second.close()
        }
    }
}
