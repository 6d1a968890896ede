import Foundation
import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct LimitTests {
    @Test func `a kind never runs more often at a time than its limit, whoever claims`()
        async throws
    {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue(count: 40)
            try await fixture.run("SELECT systole.limit_kind('work', running_maximum => 3)")
            let claimed = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let worker = try await fixture.register()
                        return try await fixture.claim(worker, count: 2).count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(claimed == 3)
        }
    }

    @Test func `a place that becomes free is taken, and without a limit all are`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue(count: 5)
            try await fixture.run("SELECT systole.limit_kind('work', running_maximum => 1)")
            let worker = try await fixture.register()
            let first = try await fixture.claim(worker, count: 5)
            #expect(first.count == 1)
            #expect(try await fixture.claim(worker, count: 5).isEmpty)
            _ = try await fixture.session { db in try fixture.queue.complete(first, db) }
            #expect(try await fixture.claim(worker, count: 5).count == 1)
            try await fixture.run("SELECT systole.limit_kind('work')")
            #expect(try await fixture.claim(worker, count: 5).count == 3)
            #expect(try await fixture.value("SELECT count(*) FROM systole.queue_control") == "0")
        }
    }

    @Test func `a limited kind leaves the others their share`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue("limited", count: 10)
            try await fixture.enqueue("free", count: 10)
            try await fixture.run("SELECT systole.limit_kind('limited', running_maximum => 2)")
            let worker = try await fixture.register()
            let kinds = try await fixture.claim(worker, ["limited", "free"], count: 8).map(\.kind)
            #expect(kinds.count { $0 == "limited" } == 2)
            #expect(kinds.count { $0 == "free" } == 6)
        }
    }

    @Test func `the shorter of the two time limits counts`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run("SELECT systole.limit_kind('work', time_limit => '1 minute')")
            for (own, expected) in [(3600, 60), (10, 10)] {
                var request = JobRequest(kind: "work")
                request.timeLimit = .seconds(own)
                try await fixture.enqueue(request)
                let lease = try #require(try await fixture.claim(fixture.register()).first)
                #expect(lease.timeLimit == .seconds(expected))
            }
            let deadline: SQL =
                "SELECT max(deadline_at - started_at) FROM systole.job WHERE state = 'running'"
            #expect(try await fixture.value(deadline) == "00:01:00")
        }
    }

    @Test func `limits outlive a pause, and a pause outlives a limit`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue(count: 5)
            let worker = try await fixture.register()
            try await fixture.run("SELECT systole.limit_kind('work', running_maximum => 2)")
            try await fixture.run("SELECT systole.pause_kind('work')")
            #expect(try await fixture.claim(worker, count: 5).isEmpty)
            try await fixture.run("SELECT systole.resume_kind('work')")
            #expect(try await fixture.claim(worker, count: 5).count == 2)
            try await fixture.run("SELECT systole.pause_kind('work')")
            try await fixture.run("SELECT systole.limit_kind('work')")
            #expect(try await fixture.claim(worker, count: 5).isEmpty)
            let queue: SQL =
                """
                SELECT concat_ws(' ', kind, state, ready, running, running_maximum)
                FROM systole.queues
                """
            #expect(try await fixture.value(queue) == "work paused 3 2")
        }
    }

    @Test(arguments: [
        "'work', running_maximum => 0", "'work', running_maximum => -1",
        "'work', time_limit => '0'", "'work', time_limit => '-1 minute'", "'Not a kind'", "NULL",
    ])
    func `a limit that makes no sense is refused`(arguments: String) async throws {
        try await QueueFixture.with { fixture in
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run("SELECT systole.limit_kind(\(raw: arguments))")
            }
            #expect(["SY024", "SY027"].contains(error?.sqlState))
        }
    }

    @Test func `what waits long enough goes before what is more urgent`() async throws {
        try await QueueFixture.with { fixture in
            var patient = JobRequest(kind: "work")
            patient.priority = 100
            let old = try await fixture.enqueue(patient)
            var urgent = JobRequest(kind: "work")
            urgent.priority = 0
            let fresh = try await fixture.enqueue(urgent)
            let worker = try await fixture.register()
            // One hundred points of priority are ten minutes.
            for (waited, expected) in [("9 minutes", fresh), ("11 minutes", old)] {
                try await fixture.run(
                    """
                    UPDATE systole.job SET run_at = now() - \(waited)::interval
                    WHERE job_id = \(old)::bigint
                    """)
                let leases = try await fixture.claim(worker)
                #expect(leases.map(\.jobID) == [expected], "\(waited)")
                try await fixture.session { db in _ = try fixture.queue.release(leases, db) }
            }
        }
    }
}
