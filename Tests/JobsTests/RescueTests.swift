import Foundation
import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct RescueTests {
    @Test func `the jobs of a lost worker are handed on without losing an attempt`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            let first = try await fixture.register()
            let lost = try #require(try await fixture.claim(first).first)
            #expect(try await fixture.rescue() == 0)
            try await fixture.silence(first)
            #expect(try await fixture.rescue() == 1)
            let second = try await fixture.register()
            let lease = try #require(try await fixture.claim(second).first)
            #expect(lease.jobID == job)
            #expect(lease.number == lost.number + 1)
            #expect(lease.attempt == 1)
        }
    }

    @Test func `a worker that was replaced commits nothing`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run("CREATE TABLE public.result (job_id bigint, lease_no bigint)")
            try await fixture.enqueue("work")
            let first = try await fixture.register()
            let stale = try #require(try await fixture.claim(first).first)
            try await fixture.silence(first)
            _ = try await fixture.rescue()
            let second = try await fixture.register()
            let lease = try #require(try await fixture.claim(second).first)

            for order in ["results first", "completion first"] {
                await #expect(throws: LeaseLost(jobID: stale.jobID, number: stale.number)) {
                    try await fixture.pool.transaction { db in
                        if order == "results first" {
                            try db.run("INSERT INTO public.result VALUES (1, 1)")
                        }
                        try fixture.queue.complete(stale, db)
                        try db.run("INSERT INTO public.result VALUES (1, 1)")
                    }
                }
            }
            let ignored = try await fixture.session { db in
                try fixture.queue.complete([stale], db)
            }
            #expect(ignored.isEmpty)
            await #expect(throws: LeaseLost.self) { _ = try await fixture.fail(stale) }
            #expect(try await fixture.session { db in try fixture.queue.release([stale], db) } == 0)

            try await fixture.pool.transaction { db in
                try fixture.queue.complete(lease, db)
                try db.run("INSERT INTO public.result VALUES (1, 2)")
            }
            #expect(
                try await fixture.value("SELECT string_agg(lease_no::text, ',') FROM public.result")
                    == "2")
            #expect(try await fixture.state(lease.jobID) == "done")
        }
    }

    @Test func `a forecast that dies with its workers is told of`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                "INSERT INTO systole.series (key, unit, step_us) VALUES ('plant', '1', 1)")
            let job = try await fixture.enqueue(
                JobRequest(kind: "forecast", arguments: #"{"series_id": 1}"#))
            for _ in 1...3 {
                let worker = try await fixture.register()
                #expect(try await fixture.claim(worker, ["forecast"]).count == 1)
                try await fixture.silence(worker)
                #expect(try await fixture.rescue() == 1)
            }
            let told = try await fixture.value(
                """
                SELECT subject || ' ' || (data->>'job_id') FROM systole.outbox
                WHERE type = 'forecast.failed'
                """)
            #expect(told == "plant \(job)")
        }
    }

    @Test func `a job that loses three workers in a row is dead`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            for loss in 1...3 {
                let worker = try await fixture.register()
                #expect(try await fixture.claim(worker).count == 1, "loss \(loss)")
                try await fixture.silence(worker)
                #expect(try await fixture.rescue() == 1)
            }
            #expect(try await fixture.state(job) == "dead")
            let row = try await fixture.run(
                "SELECT error_class FROM systole.jobs WHERE job_id = \(job)::bigint")
            #expect(try row.only().text("error_class") == "worker_lost")
        }
    }

    @Test func `an ordinary failure in between ends the row of losses`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            for _ in 1...2 {
                let worker = try await fixture.register()
                _ = try await fixture.claim(worker)
                try await fixture.silence(worker)
                _ = try await fixture.rescue()
            }
            let worker = try await fixture.register()
            let lease = try #require(try await fixture.claim(worker).first)
            _ = try await fixture.fail(lease)
            try await fixture.makeDue(job)
            _ = try await fixture.claim(worker)
            try await fixture.silence(worker)
            _ = try await fixture.rescue()
            #expect(try await fixture.state(job) == "ready")
        }
    }

    @Test func `a run past its deadline is a failed attempt, after a pause for its own worker`()
        async throws
    {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            let worker = try await fixture.register()
            let lease = try #require(try await fixture.claim(worker).first)
            try await fixture.run("UPDATE systole.job SET deadline_at = now() - interval '2 s'")
            #expect(try await fixture.rescue() == 0)
            let verdicts = try await fixture.run(
                """
                SELECT verdict FROM systole.heartbeat(\(worker.uuidString)::uuid,
                    \([lease.jobID])::bigint[], \([lease.number])::bigint[], '{null}')
                """)
            #expect(try verdicts.only().text("verdict") == "deadline")
            try await fixture.run("UPDATE systole.job SET deadline_at = now() - interval '11 s'")
            #expect(try await fixture.rescue() == 1)
            #expect(try await fixture.state(job) == "retrying")
            #expect(try await fixture.value("SELECT error_class FROM systole.job") == "deadline")
        }
    }

    @Test func `a claim whose answer was lost goes back with a heartbeat`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            let worker = try await fixture.register()
            _ = try await fixture.claim(worker)
            let beat: SQL = "SELECT * FROM systole.heartbeat(\(worker.uuidString)::uuid)"
            try await fixture.run(beat)
            #expect(try await fixture.state(job) == "running")
            try await fixture.run("UPDATE systole.job SET started_at = now() - interval '31 s'")
            try await fixture.run(beat)
            #expect(try await fixture.state(job) == "ready")
            #expect(try await fixture.value("SELECT attempt FROM systole.job") == "0")
        }
    }

    @Test func `a lost job that was being cancelled is cancelled`() async throws {
        try await QueueFixture.with { fixture in
            let job = try await fixture.enqueue("work")
            let worker = try await fixture.register()
            _ = try await fixture.claim(worker)
            let state = try await fixture.session { db in
                try fixture.queue.cancel(jobID: job, db)
            }
            #expect(state == "cancelling")
            try await fixture.silence(worker)
            _ = try await fixture.rescue()
            #expect(try await fixture.state(job) == "cancelled")
        }
    }

    @Test func `completion makes the partition that nobody prepared`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                """
                DO $$ DECLARE part regclass; BEGIN
                    FOR part IN SELECT inhrelid FROM pg_inherits
                        WHERE inhparent = 'systole.job_history'::regclass
                    LOOP EXECUTE format('DROP TABLE %s', part); END LOOP;
                END $$
                """)
            try await fixture.enqueue(count: 8)
            let leases = try await fixture.claim(fixture.register(), count: 8)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lease in leases {
                    group.addTask {
                        try await fixture.pool.transaction { db in
                            try fixture.queue.complete(lease, db)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let done = "SELECT count(*) FROM systole.jobs WHERE state = 'done'" as SQL
            #expect(try await fixture.value(done) == "8")
        }
    }
}
