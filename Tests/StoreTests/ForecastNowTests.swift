import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct ForecastNowTests {
    /// Plays the worker: waits for one forecast job, runs it, and ends it in its own transaction.
    private static func work(
        _ database: TestDatabase,
        finish: @escaping @Sendable (borrowing Session, JobRun) throws -> Void
    ) async throws {
        try await database.pool.run(
            """
            SELECT systole.register_worker('00000000-0000-0000-0000-000000000001', 'test', 1, '1',
                '{forecast}', 1)
            """)
        while true {
            let claimed = try await database.pool.run(
                """
                SELECT job_id, lease_no FROM systole.claim_jobs(
                    '00000000-0000-0000-0000-000000000001', '{forecast}', 1)
                """)
            guard let row = claimed.first else { continue }
            let run = JobRun(
                jobID: try row.int64("job_id"), leaseNumber: try row.int64("lease_no"))
            try await database.pool.transaction { db in try finish(db, run) }
            return
        }
    }

    private static func prepare(_ database: TestDatabase) async throws -> ModelID {
        try await database.pool.transaction { db in
            try Fixture.model(of: try Fixture.series(in: db), in: db)
        }
    }

    @Test func `the caller waits until the forecast is there`() async throws {
        try await withTestDatabase { database in
            let model = try await Self.prepare(database)
            async let worker: Void = Self.work(database) { db, run in
                try ForecastLedger.write(
                    Fixture.forecast(after: 10, steps: 48), series: SeriesID(1), model: model,
                    run: run, in: db)
                try db.run("SELECT systole.complete_job(\(run.jobID), \(run.leaseNumber))")
            }
            try await database.pool.run(
                "CALL systole.forecast_now('plant.oil_temp', horizon => '2 days')")
            // Before the worker's end is awaited: the call itself must have waited.
            #expect(
                try await database.pool.number(
                    "SELECT count(*) AS n FROM systole.forecast('plant.oil_temp')") == 48)
            try await worker
        }
    }

    @Test func `a job that fails for good is told with its reason`() async throws {
        try await withTestDatabase { database in
            _ = try await Self.prepare(database)
            async let worker: Void = Self.work(database) { db, run in
                try db.run(
                    """
                    SELECT systole.fail_job(\(run.jobID), \(run.leaseNumber), 'too-short',
                        'The series is shorter than 48 steps.', true)
                    """)
            }
            let error = try await database.pool.refusal(
                of: "CALL systole.forecast_now('plant.oil_temp', '2 days')")
            try await worker
            #expect(error?.sqlState == "SY008")
            #expect(error?.message == "The forecast of series 'plant.oil_temp' failed.")
            #expect(error?.hint?.contains("The series is shorter than 48 steps. Job 1.") == true)
        }
    }

    @Test func `patience ends, and the job stays`() async throws {
        try await withTestDatabase { database in
            _ = try await Self.prepare(database)
            let error = try await database.pool.refusal(
                of: "CALL systole.forecast_now('plant.oil_temp', '2 days', '50 milliseconds')")
            #expect(error?.sqlState == "SY009")
            #expect(error?.hint?.contains("Job 1 goes on (ready). Is a worker running?") == true)
            #expect(try await database.pool.number("SELECT count(*) AS n FROM systole.job") == 1)
        }
    }

    @Test func `inside a transaction it is refused, and nothing is asked for`() async throws {
        try await withTestDatabase { database in
            _ = try await Self.prepare(database)
            await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    _ = try db.run("CALL systole.forecast_now('plant.oil_temp', '2 days')")
                }
            }
            #expect(try await database.pool.number("SELECT count(*) AS n FROM systole.job") == 0)
        }
    }
}
