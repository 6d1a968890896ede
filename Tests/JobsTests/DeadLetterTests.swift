import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct DeadLetterTests {
    /// Lets one job of a kind die with an error class.
    @discardableResult
    private func kill(
        _ fixture: QueueFixture, _ kind: String, as errorClass: String
    ) async throws -> Int64 {
        let job = try await fixture.enqueue(kind)
        let lease = try #require(try await fixture.claim(fixture.register(), [kind]).first)
        _ = try await fixture.pool.transaction { db in
            let failure = JobFailure(errorClass: errorClass, message: "No.", isPermanent: true)
            return try fixture.queue.fail(lease, failure, RetryPolicy(), db)
        }
        return job
    }

    private func redrive(_ fixture: QueueFixture, _ arguments: SQL = "") async throws -> String? {
        try await fixture.value("SELECT systole.redrive_jobs(\(arguments))")
    }

    private func dead(_ fixture: QueueFixture) async throws -> [Int64] {
        try await fixture.run("SELECT job_id FROM systole.dead_jobs ORDER BY job_id")
            .allInt64s("job_id")
    }

    @Test func `a dead job is listed with its error until it is tried again`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await kill(fixture, "work", as: "Bad")
            let row = try await fixture.run("SELECT * FROM systole.dead_jobs").only()
            #expect(try row.int64("job_id") == job)
            #expect(try row.text("error_class") == "Bad")
            #expect(try row.text("error") == "No.")
            #expect(try await redrive(fixture) == "1")
            #expect(try await dead(fixture).isEmpty)
            #expect(try await redrive(fixture) == "0")
            let again = try #require(try await fixture.claim(fixture.register()).first)
            #expect(again.attempt == 1)
            let old = try await fixture.value("SELECT retry_of FROM systole.job")
            #expect(old == String(job))
        }
    }

    @Test func `one that dies again is listed in the place of the first`() async throws {
        try await QueueFixture.with { fixture in
            try await kill(fixture, "work", as: "Bad")
            #expect(try await redrive(fixture) == "1")
            let lease = try #require(try await fixture.claim(fixture.register()).first)
            #expect(try await fixture.fail(lease, permanently: true) == .dead)
            #expect(try await dead(fixture) == [lease.jobID])
        }
    }

    @Test func `kind, class of error, age and number choose what is tried again`() async throws {
        try await QueueFixture.with { fixture in
            let a = try await kill(fixture, "work", as: "Bad")
            let b = try await kill(fixture, "work", as: "Worse")
            let c = try await kill(fixture, "other", as: "Bad")
            #expect(try await redrive(fixture, "kind => 'none'") == "0")
            #expect(try await redrive(fixture, "since => now() + interval '1 minute'") == "0")
            #expect(try await redrive(fixture, "error_class => 'Worse'") == "1")
            #expect(try await dead(fixture) == [a, c])
            #expect(try await redrive(fixture, "n => 1") == "1")
            #expect(try await dead(fixture) == [c])
            #expect(try await redrive(fixture, "kind => 'other'") == "1")
            #expect(try await dead(fixture).isEmpty)
            #expect(try await fixture.state(b) == "dead", "history never changes")
        }
    }

    @Test func `a job that is tried again does not double one that lives`() async throws {
        try await QueueFixture.with { fixture in
            let request = JobRequest(kind: "work", uniqueKey: "one")
            try await fixture.enqueue(request)
            let lease = try #require(try await fixture.claim(fixture.register()).first)
            #expect(try await fixture.fail(lease, permanently: true) == .dead)
            let living = try await fixture.enqueue(request)
            #expect(try await redrive(fixture) == "1")
            let jobs = try await fixture.run("SELECT job_id FROM systole.job")
            #expect(try jobs.allInt64s("job_id") == [living])
        }
    }

    @Test func `a number that makes no sense is refused`() async throws {
        try await QueueFixture.with { fixture in
            for n in ["0", "-1", "NULL", "1000000"] {
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await redrive(fixture, "n => \(raw: n)")
                }
                #expect(error?.sqlState == "SY027")
            }
        }
    }
}
