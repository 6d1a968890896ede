import Foundation
import Postgres

/// The least that a queue in PostgreSQL can do, driven by pgbench: a table of rows that are taken
/// and deleted, without lease, retry or history.
struct PlainQueue {
    private let database: Database
    private let folder: String
    private let jobs: Int
    private let batch: Int

    /// Makes the table.
    ///
    /// - Parameters:
    ///   - database: Where the table is made.
    ///   - folder: Where the scripts are written.
    ///   - jobs: How many rows one run takes; a multiple of `batch`.
    ///   - batch: How many rows one transaction takes.
    /// - Throws: What the database refused.
    init(_ database: Database, folder: ScratchFolder, jobs: Int, batch: Int) async throws {
        (self.database, self.jobs, self.batch) = (database, jobs, batch)
        self.folder = folder.path
        try await database.pool.run(
            """
            CREATE TABLE IF NOT EXISTS public.plain_job (
                job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, args jsonb NOT NULL)
            """)
    }

    /// A loop that hands rows to the client before it deletes them, and one that does not.
    func opponents() throws -> [Opponent] {
        [
            try opponent(
                "pgbench: BEGIN, SELECT … FOR UPDATE SKIP LOCKED, DELETE, COMMIT", "claim",
                """
                BEGIN;
                SELECT string_agg(job_id::text, ',') AS ids FROM (
                    SELECT job_id FROM public.plain_job ORDER BY job_id LIMIT \(batch)
                    FOR UPDATE SKIP LOCKED) AS taken \\gset
                DELETE FROM public.plain_job WHERE job_id = ANY (ARRAY[:ids]::bigint[]);
                COMMIT;
                """),
            try opponent(
                "pgbench: one DELETE of what SKIP LOCKED finds, the plain limit", "delete",
                """
                DELETE FROM public.plain_job WHERE job_id = ANY (ARRAY(
                    SELECT job_id FROM public.plain_job ORDER BY job_id LIMIT \(batch)
                    FOR UPDATE SKIP LOCKED)) RETURNING job_id, args;
                """),
        ]
    }

    private func opponent(_ name: String, _ script: String, _ text: String) throws -> Opponent {
        guard (try? Program.output(["pgbench", "--version"])) != nil else {
            return .absent(name: name, reason: "pgbench cannot be started")
        }
        let path = "\(folder)/\(script)-\(batch).sql"
        try Data(text.utf8).write(to: URL(filePath: path))
        return .present(
            Contestant(measuring: name) { repetitions in
                var total = 0.0
                for _ in 0..<repetitions { total += try await run(path) }
                return total
            })
    }

    private func run(_ path: String) async throws -> Double {
        try await database.pool.run("TRUNCATE public.plain_job")
        try await database.pool.run(
            """
            INSERT INTO public.plain_job (args) SELECT '{}' FROM generate_series(1, \(jobs)::int)
            """)
        try await database.pool.run("VACUUM ANALYZE public.plain_job")
        let transactions = jobs / batch
        let rate = try database.pgbench(script: path, transactions: transactions)
        let left = try await database.pool.run("SELECT count(*) AS n FROM public.plain_job")
        guard try left.only().int("n") == 0 else {
            throw BenchmarkError("pgbench left jobs behind")
        }
        return Double(transactions) / rate
    }
}
