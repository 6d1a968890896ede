import Jobs
import Postgres
import Testing

/// The promises as queries: kept after ordinary work, and each broken by what is planted.
@Suite(.timeLimit(.minutes(2))) struct InvariantTests {
    /// The promises that are broken, by their first words.
    private func broken(_ fixture: QueueFixture) async throws -> [String] {
        try await fixture.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0 ORDER BY promise"
        ).allTexts("promise")
    }

    /// A schedule that fired for three hours, one job done, one dead, one running.
    private func work(_ fixture: QueueFixture) async throws {
        try await fixture.run(
            """
            SELECT systole.create_schedule('s', 'work', every => '1 hour', overlap => 'allow',
                catchup => 'all')
            """)
        try await fixture.run(
            """
            UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '3 hours',
                rule_since = rule_since - interval '4 hours'
            """)
        try await fixture.run("SELECT systole.fire_due_schedules()")
        try await fixture.run("SELECT systole.trigger_schedule('s')")
        try await fixture.run(
            "SELECT systole.backfill_schedule('s', now() - interval '9 hours', now())")
        let leases = try await fixture.claim(fixture.register(), count: 3)
        try await fixture.pool.transaction { db in try fixture.queue.complete(leases[0], db) }
        #expect(try await fixture.fail(leases[1], permanently: true) == .dead)
    }

    @Test func `they hold on a database that has worked`() async throws {
        try await QueueFixture.with { fixture in
            #expect(try await broken(fixture).isEmpty)
            try await work(fixture)
            #expect(try await broken(fixture).isEmpty)
            let promises = try await fixture.value("SELECT count(*) FROM systole.invariants()")
            #expect(promises == "15")
        }
    }

    @Test(arguments: [
        ("UPDATE systole.schedule SET next_fire_at = next_fire_at + interval '1 hour'", "holes"),
        ("UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '1 hour'", "doubles"),
        (
            """
            DELETE FROM systole.schedule_fire
            WHERE fire_at = (SELECT max(fire_at) - interval '1 hour' FROM systole.schedule_fire
                WHERE decision = 'fired')
            """, "holes"
        ),
        ("DELETE FROM systole.job WHERE state = 'ready'", "every fire has its job"),
        (
            "DELETE FROM systole.schedule_fire WHERE decision = 'triggered'",
            "every fire has its job"
        ),
        ("DELETE FROM systole.job_history", "every fire has its job"),
        (
            """
            INSERT INTO systole.job_history SELECT job_id, finished_at + interval '1 second', state, kind,
                args, priority, run_at, unique_key, attempt, attempts_maximum, time_limit, lease_no,
                worker_id, started_at, progress, result, error_class, error, NULL, NULL, retry_of,
                created_at FROM systole.job_history
            """, "no job ended twice"
        ),
        (
            """
            UPDATE systole.job SET started_at = now() - interval '1 minute' WHERE state = 'running';
            UPDATE systole.worker SET beat_at = now() - interval '1 minute'
            """, "without a living worker"
        ),
        (
            """
            INSERT INTO systole.job_history (job_id, finished_at, state, kind, args, priority, run_at,
                attempt, attempts_maximum, time_limit, lease_no, created_at)
            VALUES (900000, now(), 'done', 'forecast', '{"series_id": 1, "steps": 2}', 100, now(), 1, 8,
                '1 hour', 1, now())
            """, "every forecast that is done"
        ),
    ])
    func `what breaks one is found`(damage: String, promise: String) async throws {
        try await QueueFixture.with { fixture in
            try await work(fixture)
            for statement in damage.split(separator: ";") {
                try await fixture.run("\(raw: String(statement))")
            }
            let found = try await broken(fixture)
            #expect(found.contains { $0.contains(promise) }, "\(found)")
        }
    }

    @Test func `a result of a run that was replaced is found`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                "INSERT INTO systole.series (key, unit) VALUES ('a', '1')")
            try await fixture.enqueue("forecast")
            let lease = try #require(
                try await fixture.claim(fixture.register(), ["forecast"]).first)
            try await fixture.run(
                """
                INSERT INTO systole.forecast (series_id, model_id, family, model_version, data_until,
                    start_at, step_us, value, levels, quantiles, job_id, lease_no)
                SELECT series_id, 1, 'ridge', 1, now(), now() + interval '1 hour', 3600000000, '{1}',
                    '{0.5}', '{1}', \(lease.jobID)::bigint, \(lease.number + 1)::bigint
                FROM systole.series
                """)
            let promise = "every result belongs to the run that finished its job"
            #expect(try await broken(fixture) == [promise])
            try await fixture.pool.transaction { db in try fixture.queue.complete(lease, db) }
            #expect(try await broken(fixture) == [promise], "another run finished it")
        }
    }
}
