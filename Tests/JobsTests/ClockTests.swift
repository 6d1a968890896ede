import Foundation
import Jobs
import Postgres
import TestSupport
import Testing

/// Clocks that jump. A worker's own clock measures waits only, and never goes to the database;
/// the server's may be another after a failover.
@Suite(.timeLimit(.minutes(2))) struct ClockTests {
    private struct Counting: Duty {
        let name = "count"
        let interval = Duration.seconds(3)
        let performed: Mailbox<Void>

        func perform(_ db: borrowing Session) throws { performed.send(()) }
    }

    @Test func `a leader whose clock leaps ahead asks before it acts again`() async throws {
        try await QueueFixture.with { fixture in
            let now = ContinuousClock.now
            let performed = Mailbox<Void>()
            let duties: [any Duty] = [Counting(performed: performed)]
            let first = Leader(holder: UUID(), pool: fixture.pool, duties: duties, logger: .silent)
            let second = Leader(holder: UUID(), pool: fixture.pool, duties: [], logger: .silent)
            #expect(await first.step(at: now))
            // The machine slept for a day; another took over meanwhile.
            try await fixture.run("UPDATE systole.leader SET expires_at = now() - interval '1 s'")
            #expect(await second.step(at: now))
            #expect(await !first.step(at: now + .seconds(86_400)))
            #expect(await performed.count() == 1)
        }
    }

    @Test func `a worker that slept gets nothing before it beats, and its runs go to others`()
        async throws
    {
        try await QueueFixture.with { fixture in
            let sleeper = try await fixture.register()
            let job = try await fixture.enqueue("work")
            let old = try #require(try await fixture.claim(sleeper).first)
            try await fixture.silence(sleeper)
            try await fixture.enqueue("work")
            #expect(try await fixture.claim(sleeper).isEmpty)
            #expect(try await fixture.rescue() == 1)
            let other = try await fixture.register()
            #expect(try await fixture.claim(other).map(\.jobID) == [job])
            let late = try await fixture.session { db in
                try fixture.queue.completeAndClaim(
                    [old], worker: sleeper, kinds: ["work"], count: 0, db)
            }
            #expect(late.lost == [job])
        }
    }

    @Test func `a beat from the future keeps no dead worker alive`() async throws {
        try await QueueFixture.with { fixture in
            let worker = try await fixture.register()
            let job = try await fixture.enqueue("work")
            _ = try await fixture.claim(worker)
            try await fixture.run(
                "UPDATE systole.worker SET beat_at = now() + interval '1 hour'")
            #expect(try await fixture.rescue() == 1)
            #expect(try await fixture.state(job) == "ready")
            #expect(try await fixture.value("SELECT count(*) FROM systole.worker") == "0")
        }
    }

    @Test func `a lead that lasts longer than leads do holds nobody up`() async throws {
        try await QueueFixture.with { fixture in
            let ask: SQL = "SELECT systole.lead('jobs', gen_random_uuid())"
            #expect(try await fixture.value(ask) == "1")
            #expect(try await fixture.value(ask) == nil, "the lead of another")
            try await fixture.run(
                "UPDATE systole.leader SET expires_at = now() + interval '1 hour'")
            #expect(try await fixture.value(ask) == "2")
        }
    }

    @Test func `what was decided before the server's clock went back is not decided again`()
        async throws
    {
        try await QueueFixture.with { fixture in
            // As if the clock had been an hour ahead when the schedule was decided last.
            try await fixture.run("SELECT systole.create_schedule('s', 'work', every => '1 hour')")
            let decide: SQL = "SELECT systole.fire_due_schedules()"
            try await fixture.run(
                """
                UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '1 hour',
                    rule_since = rule_since - interval '2 hours'
                """)
            #expect(try await fixture.value(decide) == "1")
            try await fixture.run(
                """
                UPDATE systole.schedule_fire SET fire_at = fire_at + interval '1 hour',
                    through_at = through_at + interval '1 hour';
                """)
            try await fixture.run(
                """
                UPDATE systole.schedule SET next_fire_at = next_fire_at + interval '1 hour',
                    last_fire_at = last_fire_at + interval '1 hour'
                """)
            #expect(try await fixture.value(decide) == "0")
            let next = try await fixture.value(
                """
                SELECT bool_and(f.fire_at < s.next_fire_at)
                FROM systole.schedule s, systole.schedule_fire f
                """)
            #expect(next == "t")
        }
    }
}
