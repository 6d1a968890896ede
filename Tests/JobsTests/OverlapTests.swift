import Jobs
import Postgres
import Testing

/// What a schedule does while the job of an earlier fire still lives.
@Suite(.timeLimit(.minutes(2))) struct OverlapTests {
    /// A schedule `s` that fires every hour, its first fire overdue.
    private func create(_ fixture: QueueFixture, overlap: String) async throws {
        try await fixture.run(
            """
            SELECT systole.create_schedule('s', 'work', every => '1 hour', overlap => \(overlap),
                catchup => 'all', catchup_maximum => 1000)
            """)
        try await fixture.run(
            "UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '5 hours'")
    }

    /// Lets the next `hours` fires come due by moving everything decided back in time.
    private func pass(_ fixture: QueueFixture, hours: Int) async throws {
        try await fixture.run(
            """
            UPDATE systole.schedule SET next_fire_at = next_fire_at - \(hours) * interval '1 hour',
                queued_fire_at = queued_fire_at - \(hours) * interval '1 hour'
            """)
        for sign in ["+", "-"] {
            // In two moves, since each row must stay alone at its time meanwhile.
            try await fixture.run(
                """
                UPDATE systole.schedule_fire SET fire_at = fire_at \(raw: sign)
                    CASE \(sign) WHEN '+' THEN interval '1000 hours'
                    ELSE interval '1000 hours' + \(hours) * interval '1 hour' END,
                    through_at = through_at \(raw: sign)
                    CASE \(sign) WHEN '+' THEN interval '1000 hours'
                    ELSE interval '1000 hours' + \(hours) * interval '1 hour' END
                """)
        }
    }

    private func fire(_ fixture: QueueFixture) async throws -> Int {
        try await fixture.run("SELECT systole.fire_due_schedules() AS n").only().int("n")
    }

    private func decisions(_ fixture: QueueFixture) async throws -> [String] {
        try await fixture.run("SELECT decision FROM systole.schedule_fire ORDER BY fire_at")
            .allTexts("decision")
    }

    private func complete(_ fixture: QueueFixture, _ lease: Lease) async throws {
        try await fixture.pool.transaction { db in try fixture.queue.complete(lease, db) }
    }

    @Test func `queue_one keeps the first fire that comes meanwhile, and one only`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, overlap: "queue_one")
            #expect(try await fire(fixture) == 1)
            #expect(
                try await decisions(fixture)
                    == ["fired", "queued"] + Array(repeating: "skipped_overlap", count: 3))
            #expect(try await fire(fixture) == 0, "the first job still waits")
            let worker = try await fixture.register()
            try await complete(fixture, #require(try await fixture.claim(worker).first))
            #expect(try await fire(fixture) == 1)
            #expect(try await decisions(fixture).prefix(2) == ["fired", "fired"])
            let second = try #require(try await fixture.claim(worker).first)
            #expect(try await fixture.claim(worker).isEmpty)
            let queued = try await fixture.value("SELECT queued_fire_at FROM systole.schedules")
            #expect(queued == nil)
            let job = try await fixture.value(
                "SELECT job_id FROM systole.schedule_fire ORDER BY fire_at OFFSET 1 LIMIT 1")
            #expect(job == String(second.jobID))
        }
    }

    @Test func `cancel_running cancels the old job and fires when it has ended`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, overlap: "cancel_running")
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = next_fire_at + interval '4 hours'")
            #expect(try await fire(fixture) == 1)
            let worker = try await fixture.register()
            let running = try #require(try await fixture.claim(worker).first)
            try await pass(fixture, hours: 1)
            #expect(try await fire(fixture) == 0)
            #expect(try await fixture.state(running.jobID) == "cancelling")
            #expect(try await decisions(fixture) == ["fired", "queued"])
            // A newer fire takes the place of the one that waits.
            try await pass(fixture, hours: 1)
            #expect(try await fire(fixture) == 0)
            #expect(try await decisions(fixture) == ["fired", "skipped_overlap", "queued"])
            #expect(try await fixture.fail(running) == .cancelled)
            #expect(try await fire(fixture) == 1)
            #expect(try await decisions(fixture) == ["fired", "skipped_overlap", "fired"])
            #expect(try await fixture.claim(worker).count == 1)
        }
    }

    @Test func `cancel_running replaces a job that nobody has begun at once`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, overlap: "cancel_running")
            #expect(try await fire(fixture) == 1)
            #expect(try await fire(fixture) == 1, "the one that waits was cancelled")
            let states = try await fixture.run(
                "SELECT state FROM systole.jobs ORDER BY job_id")
            #expect(try states.allTexts("state") == ["cancelled", "ready"])
        }
    }

    @Test func `a paused schedule keeps what it had queued until it goes on`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, overlap: "queue_one")
            #expect(try await fire(fixture) == 1)
            try await fixture.run("SELECT systole.pause_schedule('s')")
            let worker = try await fixture.register()
            try await complete(fixture, #require(try await fixture.claim(worker).first))
            #expect(try await fire(fixture) == 0)
            try await fixture.run("SELECT systole.resume_schedule('s')")
            #expect(try await fire(fixture) == 1)
        }
    }

    @Test func `allow fires beside what runs`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, overlap: "allow")
            #expect(try await fire(fixture) == 5)
            #expect(try await decisions(fixture) == Array(repeating: "fired", count: 5))
        }
    }
}
