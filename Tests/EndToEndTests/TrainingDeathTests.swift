import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct TrainingDeathTests {
    /// Trains the same network on the same rows whenever it is called.
    private static let ask: SQL = """
        SELECT systole.train('plant.killed', family => 'spacetime', horizon => '24 hours', seed => 7,
            threads => 1) AS job
        """

    private static func job(_ pool: Pool) async throws -> Int64 {
        try await pool.run(ask).only().int64("job")
    }

    private static func waitUntilDone(_ job: Int64, on pool: Pool) async throws {
        try await waitUntil("job \(job) is done", on: pool) {
            """
            SELECT EXISTS (SELECT FROM systole.jobs
                WHERE job_id = \(job) AND state = 'done') AS holds
            """
        }
    }

    /// The digest of the trained numbers, and how many steps were trained for them.
    private static func digest(of job: Int64, on pool: Pool) async throws -> String {
        try await pool.run(
            """
            SELECT metrics->>'tensorsSHA256' AS digest FROM systole.models
            WHERE job_id = \(job) AND family = 'spacetime'
            """
        ).only().text("digest")
    }

    /// Lets the first run keep no state after one of its second epoch: a training waits at its end for
    /// the state that is being written, so that the run cannot be over before its worker is killed.
    private static func holdFirstRun(on pool: Pool) async throws {
        _ = try await pool.run(
            """
            CREATE FUNCTION public.hold_first_run() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_sleep(50);
                RETURN new;
            END $$
            """)
        _ = try await pool.run(
            """
            CREATE TRIGGER hold_first_run BEFORE UPDATE ON systole.training_state FOR EACH ROW
            WHEN (new.lease_no = 1 AND jsonb_array_length(old.record->'epochs') > 0)
            EXECUTE FUNCTION public.hold_first_run()
            """)
    }

    /// Ends what a killed worker's session still waits for on the server, and holds nobody from now on.
    private static func letGo(on pool: Pool) async throws {
        _ = try await pool.run(
            """
            SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event = 'PgSleep'
            """)
        _ = try await pool.run("DROP TRIGGER hold_first_run ON systole.training_state")
    }

    @Test
    func `a training whose worker is killed goes on elsewhere and ends with the same numbers`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await storeDailyWave(as: "plant.killed", hours: 600, on: pool)
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "systole-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let arguments = ["work", "--role", "train,schedule"]
            let environment = [
                "DATABASE_URL": database.url, "SYSTOLE_CHECKPOINT_SECONDS": "0",
            ]

            try await Self.holdFirstRun(on: pool)
            let killed = try await Self.job(pool)
            let first = try Executable.start(arguments, in: folder, environment: environment)
            try await waitUntil("a state is kept in the second epoch", on: pool) {
                """
                SELECT EXISTS (SELECT FROM systole.trainings
                    WHERE job_id = \(killed) AND epochs > 0) AS holds
                """
            }
            kill(first.process.processIdentifier, SIGKILL)
            _ = first.outcome()
            try await Self.letGo(on: pool)
            let before = try await pool.run(
                """
                SELECT t.step, t.steps_maximum, j.state FROM systole.trainings AS t
                JOIN systole.jobs AS j USING (job_id) WHERE job_id = \(killed)
                """
            ).only()
            #expect(try before.text("state") == "running")
            #expect(try before.int("step") < before.int("steps_maximum"))

            // A dead worker is known by its last heartbeat, 30 s ago; the test does not wait so long.
            _ = try await pool.run(
                "UPDATE systole.worker SET beat_at = beat_at - interval '1 minute'")
            _ = try await pool.run("UPDATE systole.leader SET expires_at = now()")
            let second = try Executable.start(arguments, in: folder, environment: environment)
            try await Self.waitUntilDone(killed, on: pool)
            let whole = try await Self.job(pool)
            #expect(whole != killed)
            try await Self.waitUntilDone(whole, on: pool)
            second.process.terminate()
            let end = second.outcome()
            #expect(end.status == 0, "\(end.errors)")

            #expect(
                try await Self.digest(of: killed, on: pool)
                    == Self.digest(of: whole, on: pool))
            let leases = try await pool.run(
                "SELECT DISTINCT lease_no FROM systole.training_state WHERE job_id = \(killed)")
            #expect(try leases.only().int64("lease_no") == 2)
            let left = try await pool.run(
                "SELECT count(*) AS n FROM systole.training_state WHERE state IS NOT NULL")
            #expect(try left.only().int64("n") == 0)
        }
    }
}
