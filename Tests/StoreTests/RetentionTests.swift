import Postgres
import TestSupport
import Testing

@Suite struct RetentionTests {
    private func years(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT right(c.relname, 4) AS year FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'systole.observation'::regclass ORDER BY 1
            """
        ).allTexts("year")
    }

    @Test func `observations are kept for ever until somebody says for how long, then by years`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await pool.run("SELECT systole.ensure_partitions('2001-01-01', now())")
            let all = try await years(pool)
            _ = try await pool.run("SELECT systole.apply_retention()")
            #expect(try await years(pool) == all)
            _ = try await pool.run("SELECT systole.set_retention('observations', '3 years')")
            _ = try await pool.run("SELECT systole.apply_retention()")
            let kept = try await years(pool)
            let first = try await pool.run(
                "SELECT extract(year FROM (now() - interval '3 years') AT TIME ZONE 'UTC')::text AS y"
            ).only().text("y")
            #expect(kept.first == first)
            #expect(kept.last == all.last)
            _ = try await pool.run("SELECT systole.set_retention('observations', NULL)")
            let rows = try await pool.run("SELECT what FROM systole.retention ORDER BY what")
            #expect(try rows.allTexts("what") == ["job_history"])
        }
    }

    @Test(arguments: [
        "'forecasts', '1 year'", "NULL, '1 year'", "'observations', '1 hour'",
        "'job_history', '-1 day'",
    ])
    func `a retention that makes no sense is refused`(arguments: String) async throws {
        try await withTestDatabase { database in
            let error = try await database.pool.refusal(
                of: "SELECT systole.set_retention(\(raw: arguments))")
            #expect(error?.sqlState == "SY029")
            #expect(error?.hint != nil)
        }
    }

    @Test func `who holds a snapshot is named, to a worker too`() async throws {
        try await withTestDatabase { database in
            let holder = try await Connection.open(database.configuration)
            _ = try await holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            let process = try await holder.run("SELECT 'process ' || pg_backend_pid() AS holder")
                .only().text("holder")
            var configuration = database.configuration
            configuration["user"] = "systole_worker"
            let worker = try await Connection.open(configuration)
            let held = try await worker.run("SELECT holder FROM systole.held_snapshots")
            #expect(try held.allTexts("holder").contains(process))
            _ = try await holder.run("ROLLBACK")
            let after = try await worker.run("SELECT holder FROM systole.held_snapshots")
            #expect(try !after.allTexts("holder").contains(process))
            await worker.close()
            await holder.close()
        }
    }
}
