import Foundation
import Jobs
import Postgres
import ServiceLifecycle
import Testing

@Suite struct LeadershipTests {
    private let start = ContinuousClock.now

    @Test func `it asks first, acts while it leads, and renews in time`() {
        var leadership = Leadership()
        #expect(leadership.action(at: start) == .ask)
        leadership.answered(term: 7, askedAt: start)
        #expect(leadership.action(at: start) == .act)
        #expect(leadership.action(at: start.advanced(by: .seconds(4.9))) == .act)
        #expect(leadership.action(at: start.advanced(by: .seconds(5))) == .ask)
    }

    @Test func `it rests while another leads, and asks again`() {
        var leadership = Leadership()
        leadership.answered(term: nil, askedAt: start)
        #expect(leadership.action(at: start.advanced(by: .seconds(1))) == .rest)
        #expect(leadership.action(at: start.advanced(by: .seconds(5))) == .ask)
    }

    @Test func `without an answer it stops acting before the lead ends`() {
        var leadership = Leadership()
        leadership.answered(term: 1, askedAt: start)
        #expect(leadership.leads(at: start.advanced(by: .seconds(13.9))))
        #expect(!leadership.leads(at: start.advanced(by: .seconds(14))))
    }
}

@Suite(.timeLimit(.minutes(2))) struct LeaderTests {
    struct Counting: Duty {
        let name = "count"
        let interval = Duration.seconds(3)
        let performed: Mailbox<Void>

        func perform(_ db: borrowing Session) throws { performed.send(()) }
    }

    private func leader(_ fixture: QueueFixture, _ duties: any Duty...) -> Leader {
        Leader(holder: UUID(), pool: fixture.pool, duties: duties, logger: .silent)
    }

    @Test func `one leads; when its lead runs out, another takes over with a new term`()
        async throws
    {
        try await QueueFixture.with { fixture in
            let now = ContinuousClock.now
            let first = leader(fixture)
            let second = leader(fixture)
            #expect(await first.step(at: now))
            #expect(await !second.step(at: now))
            try await fixture.run("UPDATE systole.leader SET expires_at = now() - interval '1 s'")
            let later = now.advanced(by: .seconds(6))
            #expect(await second.step(at: later))
            #expect(await !first.step(at: later))
            #expect(try await fixture.value("SELECT term FROM systole.leader") == "2")
        }
    }

    @Test func `a leader that is renewed keeps its term, one that resigned gives way at once`()
        async throws
    {
        try await QueueFixture.with { fixture in
            let now = ContinuousClock.now
            let performed = Mailbox<Void>()
            let first = leader(fixture, Counting(performed: performed))
            #expect(await first.step(at: now.advanced(by: .seconds(-12))))
            await performed.next()
            #expect(await first.step(at: now.advanced(by: .seconds(-6))))
            #expect(try await fixture.value("SELECT term FROM systole.leader") == "1")
            let services = ServiceGroup(services: [first], logger: .silent)
            async let running: Void = services.run()
            await performed.next()
            await performed.next()
            await services.triggerGracefulShutdown()
            try await running
            let second = leader(fixture)
            #expect(await second.step(at: now))
            #expect(try await fixture.value("SELECT term FROM systole.leader") == "2")
        }
    }

    @Test func `duties are done at their intervals, by the leader only`() async throws {
        try await QueueFixture.with { fixture in
            let now = ContinuousClock.now
            let mine = Mailbox<Void>()
            let others = Mailbox<Void>()
            let first = leader(fixture, Counting(performed: mine))
            let second = leader(fixture, Counting(performed: others))
            for second in 0..<10 { await first.step(at: now.advanced(by: .seconds(second))) }
            for step in 0..<10 { await second.step(at: now.advanced(by: .seconds(step))) }
            #expect(await mine.count() == 4)
            #expect(await others.count() == 0)
        }
    }

    @Test func `the standard duties fire, rescue and keep house`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run("SELECT systole.create_schedule('s', 'work', every => '1 hour')")
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '1 hour'")
            let lost = try await fixture.enqueue("other")
            let worker = try await fixture.register()
            _ = try await fixture.claim(worker, ["other"])
            try await fixture.silence(worker)
            try await fixture.run(
                """
                CREATE TABLE systole.job_history_y2001m01 PARTITION OF systole.job_history
                FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-02-01 00:00+00')
                """)
            let leader = Leader(holder: UUID(), pool: fixture.pool, logger: .silent)
            #expect(await leader.step(at: .now))
            #expect(try await fixture.state(lost) == "ready")
            #expect(
                try await fixture.value("SELECT count(*) FROM systole.job WHERE kind = 'work'")
                    == "1")
            let partitions = try await fixture.value(
                """
                SELECT count(*) FROM pg_inherits WHERE inhparent = 'systole.job_history'::regclass
                """)
            #expect(partitions == "3")
        }
    }
}
