import Dispatch
import Foundation
import Jobs
import Logging
import Postgres
import Series
import Store
import Synchronization
import TestSupport
import Testing

@testable import Workflows

@Suite struct TrainModelTests {
    private static func handler(
        _ pool: Pool, checkpoints: Duration = .seconds(20)
    ) -> TrainModel {
        var environment = Plant.environment
        environment.checkpointInterval = checkpoints
        environment.software = ["systole": "test"]
        return TrainModel(pool: pool, environment: environment, logger: Logger(label: "test"))
    }

    private static let ask: SQL = """
        SELECT systole.train('plant.wave', family => 'spacetime', horizon => '12 hours', seed => 5)
        """

    /// The digests of the numbers of all SpaceTime models, oldest first.
    private static func digests(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT metrics->>'tensorsSHA256' AS digest FROM systole.models
            WHERE family = 'spacetime' ORDER BY model_id
            """
        ).allTexts("digest")
    }

    @Test func `a training that is taken over gives the numbers of one that was not stopped`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 500, on: pool)
            let handler = Self.handler(pool, checkpoints: .zero)
            try await Plant.perform(handler, enqueue: Self.ask, on: pool)

            // Interrupted in its second epoch, once a state is in the database, and its lease is
            // lost.
            let first = try await Plant.claim("train", enqueue: Self.ask, on: pool)
            let isCancelled = DispatchSemaphore(value: 0)
            let context = JobContext(deadline: .now + .seconds(60)) { measures in
                if measures["epoch"] == 2 {
                    isCancelled.wait()
                    isCancelled.signal()
                }
            }
            let run = Task { try await handler.run(first, context) }
            var step = 0
            while step == 0 {
                step = try await pool.run(
                    """
                    SELECT coalesce(max(step), 0) AS n FROM systole.training_state
                    WHERE job_id = \(first.jobID)
                    """
                ).only().int("n")
            }
            run.cancel()
            isCancelled.signal()
            await #expect(throws: CancellationError.self) { _ = try await run.value }
            // What arrives meanwhile does not change what is learned from.
            try await pool.transaction { db in
                let id = try SeriesStore.find(key: "plant.wave", in: db).id
                let late = Plant.wave(hours: 5, until: Plant.end + .seconds(5 * 3600))
                _ = try SeriesStore.append(late, to: id, in: db)
            }
            _ = try await pool.transaction { db in try JobQueue().release([first], db) }
            let second = try await Plant.claim("train", enqueue: "SELECT 1", on: pool)
            #expect(second.jobID == first.jobID && second.number > first.number)
            try await Plant.perform(handler, second, on: pool)
            let digests = try await Self.digests(pool)
            #expect(digests.count == 2 && digests[0] == digests[1])
            let networks = try await pool.run(
                """
                SELECT count(DISTINCT fingerprint) AS all, count(*) AS rows
                FROM systole.training_state
                """
            ).only()
            #expect(try 2 * networks.int("all") == networks.int("rows"))
        }
    }

    @Test func `a finished training leaves its losses, and no state`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 400, on: pool)
            try await Plant.perform(
                Self.handler(pool, checkpoints: .zero), enqueue: Self.ask, on: pool)
            let states = try await pool.run(
                "SELECT count(*) AS n FROM systole.training_state WHERE state IS NOT NULL")
            #expect(try states.only().int("n") == 0)
            func networks() async throws -> [String] {
                try await pool.run(
                    """
                    SELECT array_agg(validation_error ORDER BY epoch)::text AS errors
                    FROM systole.training_epochs GROUP BY network ORDER BY network
                    """
                ).allTexts("errors")
            }
            let told = try await networks()
            #expect(told.count == 1 && told.allSatisfy { $0.contains(",") })
            // Long after, the model's own record tells the same.
            _ = try await pool.run("DELETE FROM systole.training")
            let remembered = try await networks()
            #expect(remembered == told)
            let row = try await pool.run(
                """
                SELECT t.state, t.best_epoch, m.seed::text AS seed, m.parameters, m.reason,
                    m.metrics->'software'->>'systole' AS software,
                    m.metrics->'trainings'->0->'configuration'->>'lag' AS lag,
                    m.metrics->>'dataUntil' AS data_until
                FROM systole.trainings AS t JOIN systole.models AS m USING (model_id)
                """
            ).only()
            #expect(try row.text("state") == "done")
            #expect(try row.text("seed") == "5")
            #expect(try row.int("parameters") > 1_000)
            #expect(try row.text("software") == "test")
            #expect(try row.text("reason") != "")
            #expect(try row.optionalText("lag") != nil && row.optionalText("data_until") != nil)
        }
    }

    @Test func `the same models again do not replace the live one`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 400, on: pool)
            let ask: SQL = "SELECT systole.train('plant.wave', 'ridge', horizon => '12 hours')"
            try await Plant.perform(Self.handler(pool), enqueue: ask, on: pool)
            try await Plant.perform(Self.handler(pool), enqueue: ask, on: pool)
            let rows = try await pool.run(
                "SELECT stage, reason FROM systole.models ORDER BY model_id")
            #expect(try rows.allTexts("stage") == ["live", "candidate"])
            #expect(try rows.allTexts("reason")[1].contains("does not beat the live model 1"))
            let live = try await pool.run(
                """
                SELECT (metrics->>'liveModel')::bigint AS model,
                    (metrics->>'liveValidationMSE')::float8 / validation_mse AS ratio
                FROM systole.models WHERE stage = 'candidate'
                """
            ).only()
            #expect(try live.int64("model") == 1)
            #expect(abs(try live.double("ratio") - 1) < 1e-5)
        }
    }

    @Test func `a family that nobody knows is refused for good`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            _ = try await Plant.storeWave(hours: 400, on: pool)
            await #expect(throws: PermanentJobError.self) {
                try await Plant.perform(
                    Self.handler(pool),
                    enqueue: """
                        SELECT systole.enqueue('train',
                            '{"series_id": 1, "family": "oracle", "steps": 12}')
                        """, on: pool)
            }
        }
    }
}
