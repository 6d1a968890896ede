import Foundation
import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct ClaimTests {
    @Test func `many claimers at once never share a job`() async throws {
        try await QueueFixture.with { fixture in
            let jobs = 600
            try await fixture.enqueue(count: jobs)
            let claimed = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for claimer in 0..<6 {
                    group.addTask {
                        let worker = try await fixture.register()
                        var mine: [Int64] = []
                        while true {
                            let leases = try await fixture.claim(worker, count: 1 + claimer * 3)
                            if leases.isEmpty { break }
                            mine += leases.map(\.jobID)
                        }
                        return mine
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.count == jobs)
            #expect(Set(claimed).count == jobs)
        }
    }

    @Test func `lower priority numbers come first, over all kinds, then older jobs`() async throws {
        try await QueueFixture.with { fixture in
            var expected: [Int: Int64] = [:]
            for (place, kind, priority) in [
                (3, "a", 100), (1, "b", 5), (4, "b", 100), (0, "a", 1), (2, "b", 50),
            ] {
                var request = JobRequest(kind: kind)
                request.priority = priority
                expected[place] = try await fixture.enqueue(request)
            }
            let worker = try await fixture.register()
            var order: [Int64] = []
            while let lease = try await fixture.claim(worker, ["a", "b"]).first {
                order.append(lease.jobID)
            }
            #expect(order == (0..<5).compactMap { expected[$0] })
        }
    }

    @Test func `a job is not claimed before its time`() async throws {
        try await QueueFixture.with { fixture in
            var request = JobRequest(kind: "work")
            request.delay = .seconds(3600)
            let job = try await fixture.enqueue(request)
            let worker = try await fixture.register()
            #expect(try await fixture.claim(worker).isEmpty)
            #expect(try await fixture.state(job) == "scheduled")
            try await fixture.makeDue(job)
            #expect(try await fixture.claim(worker).map(\.jobID) == [job])
        }
    }

    @Test func `kinds that nobody asked for, and paused ones, stay`() async throws {
        try await QueueFixture.with { fixture in
            let other = try await fixture.enqueue("other")
            let work = try await fixture.enqueue("work")
            let worker = try await fixture.register()
            try await fixture.run("SELECT systole.pause_kind('work')")
            #expect(try await fixture.claim(worker, count: 10).isEmpty)
            try await fixture.run("SELECT systole.resume_kind('work')")
            #expect(try await fixture.claim(worker, count: 10).map(\.jobID) == [work])
            #expect(try await fixture.state(other) == "ready")
        }
    }

    @Test func `workers that are unknown, silent or draining get nothing`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue("work")
            #expect(try await fixture.claim(UUID()).isEmpty)
            let silent = try await fixture.register()
            try await fixture.silence(silent)
            #expect(try await fixture.claim(silent).isEmpty)
            let draining = try await fixture.register()
            try await fixture.run("SELECT systole.drain_worker(\(draining.uuidString)::uuid)")
            #expect(try await fixture.claim(draining).isEmpty)
            #expect(try await fixture.claim(fixture.register()).count == 1)
        }
    }

    @Test func `a lease carries the job`() async throws {
        try await QueueFixture.with { fixture in
            var request = JobRequest(kind: "work", arguments: #"{"series_id": 7}"#)
            request.attemptsMaximum = 3
            request.timeLimit = .milliseconds(1500)
            let job = try await fixture.enqueue(request)
            let leases = try await fixture.claim(fixture.register())
            #expect(
                leases == [
                    Lease(
                        jobID: job, number: 1, kind: "work", arguments: #"{"series_id": 7}"#,
                        attempt: 1, attemptsMaximum: 3, timeLimit: .milliseconds(1500))
                ])
        }
    }

    struct Refusal: Sendable {
        let call: SQL
        let code: String
    }

    @Test func `requests that make no sense are refused by name`() async throws {
        let refusals: [Refusal] = [
            Refusal(call: "systole.enqueue('No Such')", code: "SY024"),
            Refusal(call: "systole.enqueue('')", code: "SY024"),
            Refusal(call: "systole.enqueue(NULL)", code: "SY024"),
            Refusal(call: "systole.enqueue('work', '[]')", code: "SY024"),
            Refusal(call: "systole.enqueue('work', 'null')", code: "SY024"),
            Refusal(call: "systole.enqueue('work', NULL)", code: "SY024"),
            Refusal(call: "systole.enqueue('work', run_at => NULL)", code: "SY024"),
            Refusal(call: "systole.enqueue('work', attempts_maximum => 0)", code: "SY024"),
            Refusal(call: "systole.enqueue('work', time_limit => '0 s')", code: "SY024"),
            Refusal(call: "systole.enqueue('work', on_conflict => 'explode')", code: "SY024"),
            Refusal(call: "systole.enqueue_batch('work', '{\"[]\"}')", code: "SY024"),
            Refusal(call: "systole.enqueue_batch('work', '{NULL}')", code: "SY024"),
            Refusal(call: "systole.enqueue_batch('work', NULL)", code: "SY024"),
            Refusal(call: "systole.cancel_job(404)", code: "SY020"),
            Refusal(call: "systole.retry_job(404)", code: "SY020"),
            Refusal(call: "systole.complete_job(404, 1)", code: "SY023"),
            Refusal(call: "systole.pause_schedule('none')", code: "SY022"),
            Refusal(call: "systole.trigger_schedule('none')", code: "SY022"),
            Refusal(call: "systole.next_fires('none')", code: "SY022"),
            Refusal(call: "systole.heartbeat(gen_random_uuid())", code: "SY026"),
        ]
        try await QueueFixture.with { fixture in
            for refusal in refusals {
                let error = await #expect(throws: PostgresError.self) {
                    try await fixture.run("SELECT \(refusal.call)")
                }
                #expect(error?.sqlState == refusal.code, "\(refusal.call.text)")
            }
        }
    }
}
