import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct WorkerDeathTests {
    @Test func `a worker killed in the middle of a forecast leaves one run after restart`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await storeDailyWave(as: "plant.killed", hours: 600, on: pool)
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "systole-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }

            // The finishing transaction blocks on this lock, so that the kill comes at a known
            // point: the forecast is computed, its row is not committed.
            let blocker = try await Connection.open(database.configuration.holding)
            _ = try await blocker.run("BEGIN")
            _ = try await blocker.run("LOCK TABLE systole.forecast IN SHARE MODE")
            let job = try await pool.run(
                "SELECT systole.request_forecast('plant.killed', horizon => '24 hours') AS job"
            ).only().int64("job")

            let arguments = ["work", "--role", "forecast,schedule"]
            let environment = ["DATABASE_URL": database.url]
            let first = try Executable.start(arguments, in: folder, environment: environment)
            try await waitUntil("the worker waits for the lock", on: pool) {
                """
                SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted
                    AND relation = 'systole.forecast'::regclass) AS holds
                """
            }
            kill(first.process.processIdentifier, SIGKILL)
            _ = first.outcome()
            _ = try await blocker.run("ROLLBACK")
            await blocker.close()

            // A dead worker is known by its last heartbeat, 30 s ago; the test does not wait so long.
            _ = try await pool.run(
                "UPDATE systole.worker SET beat_at = beat_at - interval '1 minute'")
            _ = try await pool.run("UPDATE systole.leader SET expires_at = now()")
            let second = try Executable.start(arguments, in: folder, environment: environment)
            try await waitUntil("the job is done", on: pool) {
                """
                SELECT EXISTS (SELECT FROM systole.jobs
                    WHERE job_id = \(job) AND state = 'done') AS holds
                """
            }
            second.process.terminate()
            let end = second.outcome()
            #expect(end.status == 0, "\(end.errors)")

            let runs = try await pool.run(
                "SELECT count(*) AS n FROM systole.forecast WHERE job_id = \(job)"
            ).only().int64("n")
            #expect(runs == 1)
            let events = try await pool.run(
                "SELECT count(*) AS n FROM systole.outbox WHERE type = 'forecast.completed'"
            ).only().int64("n")
            #expect(events == 1)
        }
    }
}

/// Stores an hourly daily wave that ends now.
func storeDailyWave(as key: String, hours: Int, on pool: Pool) async throws {
    _ = try await pool.run(
        """
        SELECT systole.ensure_partitions(now() - \(hours) * interval '1 hour', now())
        """)
    _ = try await pool.run(
        "INSERT INTO systole.series (key, unit, step_us) VALUES (\(key), 'Cel', 3600000000)")
    _ = try await pool.run(
        """
        INSERT INTO systole.observation (series_id, at, value)
        SELECT series_id, date_trunc('hour', now()) - n * interval '1 hour',
            20 + 5 * sin(2 * pi() * n / 24) + sin(n * 12.9898) * 0.5
        FROM systole.series, generate_series(0, \(hours)::integer - 1) AS n
        WHERE key = \(key)
        """)
}

/// Polls a condition in the database, up to a minute.
///
/// - Parameters:
///   - what: Said where the time runs out.
///   - pool: Where the condition is asked.
///   - limit: How long to wait.
///   - condition: A query with one boolean column `holds`.
/// - Throws: `Overdue` where the condition does not come true in time.
func waitUntil(
    _ what: String, on pool: Pool, limit: Duration = .seconds(60), _ condition: () -> SQL
) async throws {
    let deadline = ContinuousClock.now + limit
    let query = condition()
    while ContinuousClock.now < deadline {
        if try await pool.run(query).only().bool("holds") { return }
        _ = try await pool.run("SELECT pg_sleep(0.05)")
    }
    throw Overdue(what: what)
}

/// A condition that did not come true in time.
struct Overdue: Error {
    let what: String
}
