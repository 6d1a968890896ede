import Postgres
import TestSupport
import Testing

@Suite struct CancellationTests {
    /// Waits until the server process of `connection` is inside a statement that mentions `words`.
    private func waitUntilRunning(
        _ words: String, _ process: Int32, _ database: TestDatabase
    ) async throws {
        while true {
            let rows = try await database.pool.run(
                """
                SELECT FROM pg_stat_activity
                WHERE pid = \(process) AND state = 'active' AND query LIKE \("%\(words)%")
                """)
            if !rows.isEmpty { return }
            await Task.yield()
        }
    }

    @Test func `cancelling a task cancels its statement`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            var configuration = database.configuration
            configuration.statementMaximum = .zero
            let connection = try await Connection.open(configuration)
            let process = try #require(await connection.backendProcess)
            try await connection.run("CREATE TABLE public.t (n bigint)")
            let task = Task {
                try await connection.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (1)")
                    try db.run("SELECT pg_sleep(3600)")
                }
            }
            try await waitUntilRunning("pg_sleep", process, database)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            // The connection, and the statements after, are unharmed.
            for _ in 0..<20 {
                let count = try await connection.run("SELECT count(*) AS n FROM public.t").only()
                #expect(try count.int("n") == 0)
            }
            await connection.close()
        }
    }

    @Test func `a cancelled task starts nothing`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let task = Task {
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                try await database.pool.run("CREATE TABLE public.t (n bigint)")
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let rows = try await database.pool.run(
                "SELECT to_regclass('public.t') IS NULL AS absent")
            #expect(try rows.only().bool("absent"))
        }
    }

    @Test func `a task cancelled between two statements rolls back`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            try await database.pool.run("CREATE TABLE public.t (n bigint)")
            let task = Task {
                try await database.pool.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (1)")
                    unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let count = try await database.pool.run("SELECT count(*) AS n FROM public.t").only()
            #expect(try count.int("n") == 0)
        }
    }

    @Test func `a statement's time limit is an error, not a cancellation`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    try db.runScript("SET LOCAL statement_timeout = 20")
                    try db.run("SELECT pg_sleep(3600)")
                }
            }
            #expect(error?.isCancellation == true)
        }
    }

    @Test func `a killed backend is a transient failure and the pool recovers`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let victim = try await Connection.open(database.configuration)
            let process = try #require(await victim.backendProcess)
            let task = Task { try await victim.run("SELECT pg_sleep(50)") }
            try await waitUntilRunning("pg_sleep", process, database)
            try await database.pool.run("SELECT pg_terminate_backend(\(process))")
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.isTransient == true && error?.isConnectionLoss == true)
            #expect(await !victim.isUsable)
        }
    }

    @Test func `idle connections that the server closed are replaced`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let pool = Pool(database.configuration, limits: PoolLimits(connectionsMaximum: 3))
            func process() async throws -> Int {
                try await pool.run("SELECT pg_backend_pid() AS pid").only().int("pid")
            }
            let before = try await process()
            // Returns once the process is gone.
            let killed = try await database.pool.run(
                "SELECT pg_terminate_backend(\(before), 10000) AS gone")
            #expect(try killed.only().bool("gone"))
            let after = try await process()
            #expect(after != before)
            await pool.close()
        }
    }

    @Test func `a transaction whose backend is killed leaves nothing`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            try await database.pool.run("CREATE TABLE public.t (n bigint)")
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (1)")
                    try db.run("SELECT pg_terminate_backend(pg_backend_pid())")
                }
            }
            #expect(error?.isTransient == true)
            let count = try await database.pool.run("SELECT count(*) AS n FROM public.t").only()
            #expect(try count.int("n") == 0)
        }
    }
}

@Suite struct NotificationTests {
    @Test func `a notification arrives with its payload`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.listen("systole \"jobs\"")
            async let heard = connection.waitForNotification(timeout: .seconds(60))
            try await database.pool.run("SELECT pg_notify(\("systole \"jobs\""), \("wake up"))")
            let notification = try await heard
            #expect(notification?.channel == "systole \"jobs\"")
            #expect(notification?.payload == "wake up")
            await connection.close()
        }
    }

    @Test func `notifications that came before the wait are not lost`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.listen("jobs")
            try await database.pool.run("SELECT pg_notify('jobs', '1'), pg_notify('jobs', '2')")
            try await connection.run("SELECT 1")
            let first = try await connection.waitForNotification(timeout: .seconds(60))
            let second = try await connection.waitForNotification(timeout: .seconds(60))
            #expect(first?.payload == "1" && second?.payload == "2")
            await connection.close()
        }
    }

    @Test func `silence ends at the time limit`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.listen("jobs")
            let heard = try await connection.waitForNotification(timeout: .milliseconds(20))
            #expect(heard == nil)
            await connection.close()
        }
    }

    @Test func `a cancelled task stops waiting at once`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.listen("jobs")
            let task = Task { try await connection.waitForNotification(timeout: .seconds(3600)) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(await connection.isUsable)
            await connection.close()
        }
    }

    @Test func `losing the connection ends the wait with a transient failure`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            let process = try #require(await connection.backendProcess)
            try await connection.listen("jobs")
            async let heard = connection.waitForNotification(timeout: .seconds(3600))
            try await database.pool.run("SELECT pg_terminate_backend(\(process))")
            var failure: PostgresError?
            do { _ = try await heard } catch let error as PostgresError { failure = error }
            #expect(failure?.isTransient == true)
        }
    }
}
