import Postgres
import TestSupport
import Testing

@Suite struct PoolTests {
    @Test func `many tasks share few connections`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let pool = Pool(database.configuration, limits: PoolLimits(connectionsMaximum: 3))
            let processes = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<60 {
                    group.addTask {
                        try await pool.transaction { db in
                            try db.run("SELECT pg_backend_pid() AS pid").only().int("pid")
                        }
                    }
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect((1...3).contains(processes.count))
            await pool.close()
        }
    }

    @Test func `a waiter is refused after its time and beyond the number`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let limits = PoolLimits(
                connectionsMaximum: 1, waitersMaximum: 1, waitMaximum: .milliseconds(50))
            let pool = Pool(database.configuration, limits: limits)
            try await pool.withConnection { _ in
                var refusals: [PoolError] = []
                await withTaskGroup(of: PoolError?.self) { group in
                    for _ in 0..<2 {
                        group.addTask {
                            do {
                                try await pool.run("SELECT 1")
                                return nil
                            } catch {
                                return error as? PoolError
                            }
                        }
                    }
                    for await refusal in group { refusals += [refusal].compactMap { $0 } }
                }
                #expect(refusals == [.tooManyWaiters(1), .waitedTooLong(.milliseconds(50))])
            }
            try await pool.run("SELECT 1")
            await pool.close()
        }
    }

    @Test func `a cancelled waiter leaves the queue`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let pool = Pool(database.configuration, limits: PoolLimits(connectionsMaximum: 1))
            try await pool.withConnection { _ in
                let task = Task { try await pool.run("SELECT 1") }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            try await pool.run("SELECT 1")
            await pool.close()
        }
    }

    @Test func `a closed pool refuses`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let pool = Pool(database.configuration)
            try await pool.run("SELECT 1")
            await pool.close()
            await #expect(throws: PoolError.closed) { try await pool.run("SELECT 1") }
        }
    }

    @Test func `a server that is not there is a transient failure, each time`() async throws {
        // Port 1 needs privileges that no PostgreSQL has.
        let pool = Pool(
            try ConnectionConfiguration("host=127.0.0.1 port=1 user=nobody"),
            limits: PoolLimits(connectionsMaximum: 1))
        for _ in 0..<3 {
            let error = await #expect(throws: PostgresError.self) { try await pool.run("SELECT 1") }
            #expect(error?.sqlState == "08001" && error?.isTransient == true)
        }
    }

    @Test func `a failing body gives its connection back`() async throws {
        struct Stop: Error {}
        try await withTestDatabase(migrations: .none) { database in
            let pool = Pool(database.configuration, limits: PoolLimits(connectionsMaximum: 1))
            for _ in 0..<5 {
                await #expect(throws: Stop.self) {
                    try await pool.withConnection { _ in throw Stop() }
                }
            }
            try await pool.run("SELECT 1")
            await pool.close()
        }
    }
}
