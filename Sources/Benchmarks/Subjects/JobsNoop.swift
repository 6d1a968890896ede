import Foundation
import Jobs
import Postgres

/// Jobs that do nothing: claim, lease, handler, batched completion, history.
enum JobsNoop {
    static let jobs = 1000
    static let slots = 64
    private static let ownJobs = ["pgqueuer": 2000, "procrastinate": 200]
    /// Jobs of a run, by how many a statement takes.
    private static let batches = [1: 300, 10: 3000, 100: 10_000]

    static var benchmarks: [Benchmark] {
        [benchmark]
            + batches.keys.sorted().flatMap { batch in
                let jobs = batches[batch, default: batch]
                return [client(batch: batch, jobs: jobs), worker(batch: batch, jobs: jobs)]
            }
    }

    /// From the statement that adds the jobs to the last completion.
    ///
    /// Limit: the server's commits. The first opponent is the least that a queue in PostgreSQL can
    /// do: one transaction a job, on one connection, without lease, retry or history.
    private static let benchmark = Benchmark("jobs.noop") { setting in
        let database = try await setting.databases.make()
        let worker = JobsBench.worker(database, slots: slots)
        let work = Task { try await worker.run() }
        try await database.pool.run(
            """
            CREATE TABLE public.plain_job (
                job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, args jsonb NOT NULL)
            """)
        let own = try await Connection.open(database.pool.configuration)
        return Contest(
            what: "\(jobs) jobs added in one statement and done by one worker with \(slots) slots",
            work: Work(jobs, "jobs"),
            ours: Contestant("Jobs.Worker") {
                try await JobsBench.add(jobs, to: database)
                try await JobsBench.waitUntilEmpty(database)
            },
            opponents: [
                .present(
                    Contestant("plain loop: SELECT … FOR UPDATE SKIP LOCKED, DELETE, COMMIT") {
                        try await plainLoop(own)
                    }),
                queue("pgqueuer", "in batches of 100", 100, setting, database),
                queue("procrastinate", "with 64 at once", 64, setting, database),
            ],
            finish: {
                worker.drain()
                try await work.value
                await own.close()
                try await database.drop()
            })
    }

    /// Claim and finish by statements alone, on one connection.
    private static func client(batch: Int, jobs: Int) -> Benchmark {
        Benchmark("jobs.noop.\(batch)") { setting in
            let database = try await setting.databases.make()
            let client = try await QueueClient(database)
            let plain = try await PlainQueue(
                database, folder: setting.folder, jobs: jobs, batch: batch)
            let log = Tally()
            return Contest(
                what: "\(jobs) jobs claimed and finished into the history by one client, "
                    + "\(batch) a statement",
                work: Work(jobs, "jobs"),
                ours: Contestant(measuring: "complete_and_claim") { repetitions in
                    var total = 0.0
                    for _ in 0..<repetitions {
                        try await JobsBench.refill(jobs, database)
                        try await client.beat()
                        let before = try await client.walPosition()
                        let start = ContinuousClock.now
                        guard try await client.drain(batch: batch) == jobs else {
                            throw BenchmarkError("not all jobs were done")
                        }
                        total += (ContinuousClock.now - start) / .seconds(1)
                        log.add(Double(try await client.walPosition() - before), of: jobs)
                    }
                    return total
                },
                opponents: try plain.opponents(),
                figures: { log.mean.map { ["wal_bytes_per_job": $0] } ?? [:] },
                finish: {
                    await client.close()
                    try await database.drop()
                })
        }
    }

    /// A whole worker, with as many slots as the opponent takes at once; from the moment its kind
    /// goes on to the last completion.
    private static func worker(batch: Int, jobs: Int) -> Benchmark {
        Benchmark("jobs.worker.\(batch)") { setting in
            let database = try await setting.databases.make()
            let worker = JobsBench.worker(database, slots: batch)
            let work = Task { try await worker.run() }
            let plain = try await PlainQueue(
                database, folder: setting.folder, jobs: jobs, batch: batch)
            return Contest(
                what: "\(jobs) waiting jobs done by one worker with \(batch) slots",
                work: Work(jobs, "jobs"),
                ours: Contestant(
                    "Jobs.Worker",
                    before: {
                        try await database.pool.run("SELECT systole.pause_kind('noop')")
                        try await JobsBench.refill(jobs, database)
                    },
                    {
                        try await database.pool.run("SELECT systole.resume_kind('noop')")
                        try await JobsBench.waitUntilEmpty(database)
                    }),
                opponents: try plain.opponents() + [
                    queue("pgqueuer", "in batches of 100", 100, setting, database, jobs: jobs),
                    queue(
                        "procrastinate", "with \(batch) at once", batch, setting, database,
                        jobs: jobs),
                ],
                finish: {
                    worker.drain()
                    try await work.value
                    try await database.drop()
                })
        }
    }

    /// Another queue in the same server; `size` is its batch or its concurrency. It does fewer
    /// jobs where it is slow, and its time is told for as many as ours.
    private static func queue(
        _ name: String, _ how: String, _ size: Int, _ setting: Setting, _ database: Database,
        jobs: Int = JobsNoop.jobs
    ) -> Opponent {
        let own = min(jobs, ownJobs[name, default: jobs])
        let opponent = setting.peers.opponent(
            "\(name) \(how)", script: "queues.py", workload: name,
            arguments: [database.conninfoForPeers, String(own), String(size)], threads: 1)
        guard case .present(let contestant) = opponent else { return opponent }
        var scaled = Contestant(measuring: contestant.name) { repetitions in
            try await contestant.measure(repetitions) * Double(jobs) / Double(own)
        }
        scaled.peakMemory = contestant.peakMemory
        return .present(scaled)
    }

    private static func plainLoop(_ connection: Connection) async throws {
        try await connection.run(
            "INSERT INTO public.plain_job (args) SELECT '{}' FROM generate_series(1, \(jobs)::int)"
        )
        var isDone = false
        while !isDone {
            isDone = try await connection.transaction { db in
                let rows = try db.run(
                    """
                    SELECT job_id FROM public.plain_job ORDER BY job_id LIMIT 1
                    FOR UPDATE SKIP LOCKED
                    """)
                guard let row = rows.first else { return true }
                try db.run("DELETE FROM public.plain_job WHERE job_id = \(try row.int64("job_id"))")
                return false
            }
        }
    }
}
