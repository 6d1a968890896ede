import Foundation
import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct TrainingStoreTests {
    private static func kept(step: Int = 3) -> KeptTraining {
        KeptTraining(
            fingerprint: "00112233445566ff", family: "spacetime", step: step, stepsMaximum: 40,
            epochsMaximum: 4, seconds: 1.5,
            record: """
                {"epochs": [{"trainLoss": 0.5, "validationError": 0.25, "seconds": 1}],
                 "bestEpoch": 1, "bestError": 0.25}
                """, state: [1, 2, 3])
    }

    /// A training job of an hourly series that runs.
    private static func claim(_ pool: Pool) async throws -> JobRun {
        try await pool.transaction { db in _ = try Fixture.series(in: db) }
        try await pool.run("SELECT systole.train('plant.oil_temp', seed => 4)")
        return try await claimAgain(pool)
    }

    private static func claimAgain(_ pool: Pool) async throws -> JobRun {
        let worker = UUID().uuidString
        try await pool.run(
            """
            SELECT systole.register_worker(
                \(worker)::uuid, 'test', 1::bigint, 'test', '{train}'::text[], 1)
            """)
        let row = try await pool.run(
            "SELECT job_id, lease_no FROM systole.claim_jobs(\(worker)::uuid, '{train}', 1)"
        ).only()
        return JobRun(
            jobID: try row.int64("job_id"), leaseNumber: try row.int64("lease_no"))
    }

    /// Hands the job to another worker.
    private static func replace(_ run: JobRun, _ pool: Pool) async throws -> JobRun {
        try await pool.run(
            """
            SELECT systole.release_jobs(ARRAY[\(run.jobID)::bigint],
                ARRAY[\(run.leaseNumber)::bigint])
            """)
        return try await claimAgain(pool)
    }

    private static func begin(_ run: JobRun, until hour: Int, seed: UInt64, _ pool: Pool)
        async throws -> PinnedTraining
    {
        try await pool.transaction { db in
            try TrainingStore.begin(
                run, series: SeriesID(1), dataUntil: Fixture.at(hour), seed: seed, in: db)
        }
    }

    private static func keep(_ kept: KeptTraining, of run: JobRun, _ pool: Pool) async throws {
        try await pool.transaction { db in try TrainingStore.keep(kept, of: run, in: db) }
    }

    private static func states(_ run: JobRun, _ pool: Pool) async throws -> [String: [UInt8]] {
        try await pool.transaction { db in try TrainingStore.states(of: run, in: db) }
    }

    @Test func `the next run finds what the first one pinned and kept`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let first = try await Self.claim(pool)
            let pinned = try await Self.begin(first, until: 100, seed: .max, pool)
            #expect(pinned == PinnedTraining(dataUntil: Fixture.at(100), seed: .max))
            try await Self.keep(Self.kept(), of: first, pool)
            try await Self.keep(Self.kept(step: 5), of: first, pool)
            let second = try await Self.replace(first, pool)
            #expect(try await Self.begin(second, until: 120, seed: 9, pool) == pinned)
            #expect(try await Self.states(second, pool) == ["00112233445566ff": [1, 2, 3]])
            let row = try await pool.run("SELECT * FROM systole.trainings").only()
            #expect(try row.text("state") == "running" && row.int("step") == 5)
            #expect(try row.double("validation_error") == 0.25 && row.int("best_epoch") == 1)
            #expect(try row.double("seconds_left") == 1.5 / 5 * 35)
        }
    }

    @Test func `a job that gets on outlives any number of workers`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            var run = try await Self.claim(pool)
            _ = try await Self.begin(run, until: 100, seed: 1, pool)
            for step in 1...5 {
                try await Self.keep(Self.kept(step: step), of: run, pool)
                try await pool.run(
                    "UPDATE systole.worker SET beat_at = beat_at - interval '1 minute'")
                #expect(try await pool.number("SELECT systole.rescue_lost_jobs() AS n") == 1)
                run = try await Self.claimAgain(pool)
            }
            #expect(run.leaseNumber == 6)
        }
    }

    @Test func `a run that was replaced keeps nothing`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let first = try await Self.claim(pool)
            _ = try await Self.begin(first, until: 100, seed: 1, pool)
            let second = try await Self.replace(first, pool)
            let lost = StoreError.leaseLost(job: first.jobID, lease: first.leaseNumber)
            await #expect(throws: lost) { try await Self.keep(Self.kept(), of: first, pool) }
            await #expect(throws: lost) {
                _ = try await Self.begin(first, until: 100, seed: 1, pool)
            }
            #expect(try await Self.states(second, pool) == [:])
        }
    }

    @Test(arguments: ["done", "dead", "cancelled"])
    func `the state goes when the job ends, the losses stay`(_ end: String) async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let run = try await Self.claim(pool)
            _ = try await Self.begin(run, until: 100, seed: 1, pool)
            try await Self.keep(Self.kept(), of: run, pool)
            let (job, lease) = (run.jobID, run.leaseNumber)
            switch end {
            case "done": try await pool.run("SELECT systole.complete_job(\(job), \(lease))")
            case "dead":
                try await pool.run("SELECT systole.fail_job(\(job), \(lease), 'x', 'x', true)")
            default:
                try await pool.run("SELECT systole.cancel_job(\(job))")
                try await pool.run("SELECT systole.fail_job(\(job), \(lease), 'x', 'x')")
            }
            #expect(try await Self.states(run, pool) == [:])
            let row = try await pool.run("SELECT * FROM systole.trainings").only()
            #expect(try row.text("state") == end)
            let epoch = try await pool.run("SELECT * FROM systole.training_epochs").only()
            #expect(try epoch.double("training_loss") == 0.5 && epoch.bool("is_best"))
            await #expect(throws: StoreError.leaseLost(job: job, lease: lease)) {
                try await Self.keep(Self.kept(), of: run, pool)
            }
            try await pool.run("SELECT systole.prune_job_history('-1 day')")
            #expect(try await pool.number("SELECT count(*) AS n FROM systole.training") == 0)
            #expect(try await pool.number("SELECT count(*) AS n FROM systole.training_state") == 0)
        }
    }
}
