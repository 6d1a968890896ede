import Foundation
import Jobs
import Postgres
import Series
import TestSupport
import Testing

@testable import Workflows

/// Jobs from the future: of a newer version of the service, or about an instant that has not come.
@Suite struct NewerJobTests {
    @Test(arguments: [
        #"{"series_id": 1, "steps": 24, "levels": [0.5]}"#,
        #"{"series_ids": [1], "horizon_us": 1, "levels": [0.5]}"#,
    ])
    func `an argument that this version does not know leaves the job to a newer worker`(
        arguments: String
    ) async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let lease = try await Plant.claim(
                "forecast", enqueue: "SELECT systole.enqueue('forecast', \(arguments)::jsonb)",
                on: pool)
            let handler = IssueForecast(pool: pool, environment: Plant.environment)
            let error = await #expect(throws: JobArguments.NewerArgument.self) {
                _ = try await handler.run(lease, JobContext(deadline: .now + .seconds(60)))
            }
            let failure = JobFailure(try #require(error))
            #expect(failure.message.contains("the argument levels"))
            #expect(!failure.isPermanent)
            let after = try await pool.transaction { db in
                try JobQueue().fail(lease, failure, handler.retry, db)
            }
            #expect(after == .scheduled)
        }
    }

    @Test func `every kind of ours refuses it, and quotes no value`() throws {
        let arguments = #"{"series_id": 1, "family": "ridge", "steps": 1, "Ann 4711": 1}"#
        for kind in ["forecast", "train", "score", "classify"] {
            let lease = Lease(jobID: 1, number: 1, kind: kind, arguments: arguments)
            let error = #expect(throws: JobArguments.NewerArgument.self) {
                _ = try JobArguments.decode(JobArguments.Train.self, of: lease)
            }
            #expect(error?.description.contains("4711") == false)
            #expect(error?.description.hasPrefix("this \(kind) job has an argument") == true)
        }
    }

    @Test func `a forecast as of an instant that has not come is one as of now`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 800, on: pool)
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
                enqueue: """
                    SELECT systole.enqueue('forecast', jsonb_build_object('steps', 24,
                        'series_id', systole.series_id_of('plant.wave'),
                        'as_of', '2999-01-01T00:00:00.000000Z'))
                    """, on: pool)
            let run = try await pool.run(
                "SELECT data_until, issued_at <= now() AS is_past FROM systole.forecasts"
            ).only()
            #expect(try run.epochMicroseconds("data_until") == Plant.end.microseconds)
            #expect(try run.bool("is_past"))
        }
    }

    @Test func `a job whose time never comes waits, and says so`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            for time in ["infinity", "2999-01-01", "290000-01-01"] {
                _ = try await pool.run(
                    "SELECT systole.enqueue('train', '{}', run_at => \(time)::timestamptz)")
            }
            let states = try await pool.run("SELECT DISTINCT state FROM systole.jobs")
            #expect(try states.allTexts("state") == ["scheduled"])
            let queue = try await pool.run("SELECT scheduled, oldest_wait FROM systole.queues")
            #expect(try queue.only().int("scheduled") == 3)
            #expect(try queue.only().optionalText("oldest_wait") == nil)
            try await pool.run("SELECT systole.promote_due()")
            #expect(try await pool.run("SELECT FROM systole.job WHERE state = 'ready'").isEmpty)
        }
    }
}
