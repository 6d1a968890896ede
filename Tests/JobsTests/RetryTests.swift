import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct RetryTests {
    @Test func `waits stay within their bounds and grow, and spent attempts end in the history`()
        async throws
    {
        try await QueueFixture.with { fixture in
            var request = JobRequest(kind: "work")
            request.attemptsMaximum = 7
            let job = try await fixture.enqueue(request)
            let worker = try await fixture.register()
            var last = 2.0
            for attempt in 1...7 {
                let lease = try #require(try await fixture.claim(worker).first)
                #expect(lease.attempt == attempt)
                #expect(lease.number == Int64(attempt))
                let after = try await fixture.fail(lease)
                guard attempt < 7 else {
                    #expect(after == .dead)
                    break
                }
                #expect(after == .scheduled)
                #expect(try await fixture.state(job) == "retrying")
                let wait = try await fixture.run(
                    """
                    SELECT extract(epoch FROM run_at - now())::float8 AS wait,
                        extract(epoch FROM retry_delay)::float8 AS delay
                    FROM systole.job WHERE job_id = \(job)::bigint
                    """
                ).only()
                let delay = try wait.double("delay")
                #expect(try wait.double("wait") > delay - 1)
                #expect(delay >= 2 && delay <= min(600, 3 * last))
                last = delay
                try await fixture.makeDue(job)
            }
            #expect(try await fixture.state(job) == "dead")
            let error = try await fixture.run(
                "SELECT error_class, error, attempt FROM systole.jobs WHERE job_id = \(job)::bigint"
            ).only()
            #expect(try error.text("error_class") == "Test")
            #expect(try error.text("error") == "It failed.")
            #expect(try error.int("attempt") == 7)
            #expect(try await fixture.value("SELECT count(*) FROM systole.job") == "0")
        }
    }

    @Test func `over many jobs the waits grow from attempt to attempt`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.enqueue(count: 200)
            let worker = try await fixture.register()
            var means: [Double] = []
            for _ in 1...4 {
                let leases = try await fixture.claim(worker, count: 200)
                try await fixture.session { db in
                    for lease in leases {
                        let failure = JobFailure(errorClass: "Test", message: "It failed.")
                        _ = try fixture.queue.fail(lease, failure, RetryPolicy(), db)
                    }
                }
                let mean = try await fixture.run(
                    """
                    SELECT avg(extract(epoch FROM retry_delay))::float8 AS mean FROM systole.job
                    """
                ).only().double("mean")
                means.append(mean)
                try await fixture.run("UPDATE systole.job SET run_at = now()")
            }
            #expect(means == means.sorted())
            #expect(means[3] > 2 * means[0])
        }
    }

    @Test func `no wait exceeds the policy's maximum`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            let worker = try await fixture.register()
            for _ in 1...6 {
                let lease = try #require(try await fixture.claim(worker).first)
                let policy = RetryPolicy(base: .seconds(2), maximum: .seconds(3))
                _ = try await fixture.pool.transaction { db in
                    try fixture.queue.fail(
                        lease, JobFailure(errorClass: "Test", message: "It failed."), policy, db)
                }
                let delay = try await fixture.run(
                    "SELECT extract(epoch FROM retry_delay)::float8 AS delay FROM systole.job"
                ).only().double("delay")
                #expect(delay >= 2 && delay <= 3)
                try await fixture.makeDue(job)
            }
        }
    }

    @Test func `a permanent error ends the job at once`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            let lease = try #require(try await fixture.claim(fixture.register()).first)
            #expect(try await fixture.fail(lease, permanently: true) == .dead)
            #expect(try await fixture.state(job) == "dead")
        }
    }

    @Test func `a dead job is retried as a new one that names it`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue(JobRequest(kind: "work", arguments: #"{"n": 1}"#))
            let worker = try await fixture.register()
            let lease = try #require(try await fixture.claim(worker).first)
            _ = try await fixture.fail(lease, permanently: true)
            let again = try await fixture.session { db in try fixture.queue.retry(jobID: job, db) }
            #expect(again != job)
            let retryOf = try await fixture.value(
                "SELECT retry_of FROM systole.jobs WHERE job_id = \(again)::bigint")
            #expect(retryOf == "\(job)")
            #expect(try await fixture.claim(worker).map(\.arguments) == [#"{"n": 1}"#])
        }
    }

    @Test func `retrying a waiting job makes it due, and done or running jobs refuse`() async throws
    {
        try await QueueFixture.with { fixture in
            var request = JobRequest(kind: "work")
            request.delay = .seconds(3600)
            let job = try await fixture.enqueue(request)
            let same = try await fixture.session { db in try fixture.queue.retry(jobID: job, db) }
            #expect(same == job)
            let lease = try #require(try await fixture.claim(fixture.register()).first)
            await #expect {
                try await fixture.session { db in try fixture.queue.retry(jobID: job, db) }
            } throws: { ($0 as? PostgresError)?.sqlState == "SY021" }
            try await fixture.pool.transaction { db in try fixture.queue.complete(lease, db) }
            await #expect {
                try await fixture.session { db in try fixture.queue.retry(jobID: job, db) }
            } throws: { ($0 as? PostgresError)?.sqlState == "SY021" }
        }
    }
}
