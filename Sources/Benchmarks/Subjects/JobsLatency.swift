import Foundation
import Jobs
import Postgres
import Synchronization

/// How long a job waits at a steady load: from before the statement that adds it, its commit
/// included, to the first line of its handler.
enum JobsLatency {
    static let perSecond = 200
    static let seconds = 4

    static let benchmark = Benchmark("jobs.latency") { setting in
        let database = try await setting.databases.make()
        let watch = Watch()
        let worker = JobsBench.worker(database) { watch.started($0) }
        let work = Task { try await worker.run() }
        let own = try await Connection.open(database.pool.configuration)
        return Contest(
            what: """
                \(perSecond) jobs/s added one by one for \(seconds) s, each in its own \
                transaction, and done by one worker as shipped; the waits are of all runs together
                """,
            work: Work(perSecond * seconds, "jobs"),
            ours: Contestant("Jobs.Worker") {
                try await steadily(own, watch)
                try await JobsBench.waitUntilEmpty(database)
            },
            opponents: [],
            figures: { watch.figures() },
            finish: {
                worker.drain()
                try await work.value
                await own.close()
                try await database.drop()
            })
    }

    private static func steadily(_ connection: Connection, _ watch: Watch) async throws {
        let start = ContinuousClock.now
        for index in 0..<(perSecond * seconds) {
            try await Task.sleep(until: start + .seconds(1) / perSecond * index)
            let number = watch.added()
            try await connection.withSession { db in
                _ = try JobQueue().enqueue(
                    JobRequest(kind: JobsBench.kind, arguments: "{\"number\": \(number)}"), db)
            }
        }
    }

    /// When each job was added, and how long it waited.
    private final class Watch: Sendable {
        private struct State {
            var added: [ContinuousClock.Instant] = []
            var waits: [Double] = []
        }

        private let state = Mutex(State())

        /// Returns the number of a job that is being added now.
        func added() -> Int {
            state.withLock { state in
                state.added.append(.now)
                return state.added.count - 1
            }
        }

        func started(_ lease: Lease) {
            let now = ContinuousClock.now
            guard let number = Int(lease.arguments.filter(\.isNumber)) else { return }
            state.withLock { state in
                state.waits.append((now - state.added[number]) / .milliseconds(1))
            }
        }

        func figures() -> [String: Double] {
            let waits = state.withLock(\.waits).sorted()
            guard let longest = waits.last else { return [:] }
            func quantile(_ p: Double) -> Double { waits[Int(p * Double(waits.count - 1))] }
            return [
                "wait_p50_ms": quantile(0.5), "wait_p95_ms": quantile(0.95),
                "wait_p99_ms": quantile(0.99), "wait_longest_ms": longest,
                "jobs": Double(waits.count),
            ]
        }
    }
}
