import Jobs
import Postgres
import Synchronization

/// The queue while somebody's repeatable-read transaction stays open: nothing that jobs leave
/// behind can be removed. The opponent is the same loop in a database without one.
///
/// The snapshot is held from the preparations on, so `--seconds 360` works under it for three
/// minutes; the ratio is the part of the throughput that is left.
enum JobsHeldSnapshot {
    static let jobs = 2000
    static let batch = 10

    static let benchmark = Benchmark("jobs.held-snapshot") { setting in
        let held = try await setting.databases.make()
        let free = try await setting.databases.make()
        let holder = try await Connection.open(held.pool.configuration)
        try await holder.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try await holder.run("SELECT count(*) FROM systole.job")
        let since = ContinuousClock.now
        let (client, other) = (try await QueueClient(held), try await QueueClient(free))
        let (ours, theirs) = (Rounds(), Rounds())
        return Contest(
            what: """
                \(jobs) jobs added, claimed and finished by one client in tens, while a \
                repeatable-read snapshot is held
                """,
            work: Work(jobs, "jobs"),
            ours: Contestant(measuring: "complete_and_claim") { repetitions in
                try await ours.measure(repetitions) { try await cycle(client, held) }
            },
            opponents: [
                .present(
                    Contestant(measuring: "the same without a snapshot") { repetitions in
                        try await theirs.measure(repetitions) { try await cycle(other, free) }
                    })
            ],
            figures: {
                let seconds = (ContinuousClock.now - since) / .seconds(1)
                return ["held_seconds": seconds, "kept_in_last_fifth": theirs.last / ours.last]
            },
            finish: {
                await client.close()
                await other.close()
                await holder.close()
                try await held.drop()
                try await free.drop()
            })
    }

    private static func cycle(_ client: QueueClient, _ database: Database) async throws {
        try await client.beat()
        for _ in 0..<(jobs / batch) {
            try await JobsBench.add(batch, to: database)
            guard try await client.drain(batch: batch, atMost: batch) == batch else {
                throw BenchmarkError("a job was not handed out")
            }
        }
    }

    /// The seconds of all runs, in order.
    private final class Rounds: Sendable {
        private let seconds = Mutex<[Double]>([])

        func measure(_ repetitions: Int, _ body: () async throws -> Void) async throws -> Double {
            var total = 0.0
            for _ in 0..<repetitions {
                let start = ContinuousClock.now
                try await body()
                let once = (ContinuousClock.now - start) / .seconds(1)
                seconds.withLock { $0.append(once) }
                total += once
            }
            return total
        }

        /// The mean of the last fifth of them.
        var last: Double {
            let all = seconds.withLock(\.self)
            let end = all.suffix(max(1, all.count / 5))
            return end.reduce(0, +) / Double(max(1, end.count))
        }
    }
}
