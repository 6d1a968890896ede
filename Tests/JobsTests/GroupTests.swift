import Jobs
import Postgres
import Testing

/// Schedules that select their series by labels: what jobs they make, and whose turn comes when.
@Suite(.timeLimit(.minutes(2))) struct GroupTests {
    /// Hourly series with `{"site": …}`; the first of them has a live model of its own.
    private func plant(_ fixture: QueueFixture, site: String, count: Int) async throws {
        try await fixture.run(
            """
            INSERT INTO systole.series (key, unit, step_us, labels)
            SELECT format('%s.%s', \(site)::text, i), 'Cel', 3600000000,
                jsonb_build_object('site', \(site)::text, 'place', i)
            FROM generate_series(1, \(count)::integer) i
            """)
        try await model(fixture, of: "\(site).1")
    }

    private func model(_ fixture: QueueFixture, of key: String) async throws {
        try await fixture.run(
            """
            INSERT INTO systole.model (series_id, family, version, stage, data_digest, data_from,
                data_until, season_steps, steps_maximum, weights, weights_sha256)
            SELECT series_id, 'ridge', 1, 'live', sha256('a'), now() - interval '1 day', now(), 24, 24,
                'abc', sha256('abc')
            FROM systole.series WHERE key = \(key)
            """)
    }

    private func share(_ fixture: QueueFixture, site: String) async throws -> String? {
        try await fixture.value(
            """
            SELECT systole.share_model((SELECT model_id FROM systole.models
                WHERE series = \(site + ".1") AND shared_from IS NULL),
                jsonb_build_object('site', \(site)::text))
            """)
    }

    private func schedule(_ fixture: QueueFixture, site: String) async throws {
        try await fixture.run(
            """
            SELECT systole.schedule_forecasts(jsonb_build_object('site', \(site)::text), '24 hours',
                every => '1 hour', name => \(site), overlap => 'allow')
            """)
    }

    /// Lets the next fire of every schedule come due, and decides it.
    private func fire(_ fixture: QueueFixture) async throws -> String? {
        try await fixture.run(
            """
            UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '1 hour',
                rule_since = rule_since - interval '2 hours'
            """)
        return try await fixture.value("SELECT systole.fire_due_schedules()")
    }

    private func expectPromisesKept(_ fixture: QueueFixture) async throws {
        let broken = try await fixture.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0"
        ).allTexts("promise")
        #expect(broken.isEmpty)
    }

    @Test func `a fire makes a job for up to 500 series of one model, and one for each without`()
        async throws
    {
        try await QueueFixture.with { fixture in
            try await plant(fixture, site: "a", count: 1201)
            #expect(try await share(fixture, site: "a") == "1200")
            #expect(try await share(fixture, site: "a") == "0", "they have it already")
            try await fixture.run(
                """
                INSERT INTO systole.series (key, unit, step_us, labels) VALUES
                    ('a.new', 'Cel', 3600000000, '{"site": "a"}'), ('a.silent', 'Cel', NULL, '{"site": "a"}'),
                    ('a.daily', 'Cel', 86400000000, '{"site": "a"}'), ('b.1', 'Cel', 3600000000, '{"site": "b"}')
                """)
            try await schedule(fixture, site: "a")
            #expect(try await fire(fixture) == "1")
            let sizes = try await fixture.run(
                """
                SELECT coalesce(jsonb_array_length(args->'series_ids'), 0)::text AS n FROM systole.job
                ORDER BY turn_us
                """
            ).allTexts("n")
            // The new one shares their model from now on.
            #expect(sizes == ["500", "500", "202", "1", "0"])
            let selected = try await fixture.value(
                """
                SELECT count(DISTINCT id)::text FROM systole.job,
                    jsonb_array_elements(coalesce(args->'series_ids', jsonb_build_array(args->'series_id'))) id
                """)
            #expect(selected == "1204")
            let fires = try await fixture.run("SELECT decision, jobs FROM systole.schedule_fires")
            #expect(try fires.only().text("decision") == "fired")
            #expect(try fires.only().int("jobs") == 5)
            try await expectPromisesKept(fixture)
            try await fixture.run(
                "DELETE FROM systole.job WHERE job_id = (SELECT max(job_id) FROM systole.job)")
            let broken = try await fixture.run(
                "SELECT promise FROM systole.invariants() WHERE violations > 0")
            #expect(try broken.only().text("promise").hasPrefix("every fire has its jobs"))
            // A schedule that is gone says nothing of its fires.
            try await fixture.run("SELECT systole.delete_schedule('a')")
            try await expectPromisesKept(fixture)
        }
    }

    @Test func `many batches do not hold up a schedule that fires a moment later`() async throws {
        try await QueueFixture.with { fixture in
            for (site, count) in [("a", 2001), ("b", 501)] {
                try await plant(fixture, site: site, count: count)
                _ = try await share(fixture, site: site)
                try await schedule(fixture, site: site)
                #expect(try await fire(fixture) != "0")
                if site == "a" { try await fixture.run("SELECT systole.pause_schedule('a')") }
            }
            // As if b had fired a seventh of a second after a.
            try await fixture.run(
                """
                UPDATE systole.job j SET run_at = a.run_at + interval '140 milliseconds'
                FROM systole.schedule s, (SELECT min(run_at) AS run_at FROM systole.job) a
                WHERE s.schedule_id = j.schedule_id AND s.name = 'b'
                """)
            let worker = try await fixture.register()
            var turns: [String] = []
            for _ in 0..<7 {
                let lease = try #require(try await fixture.claim(worker, ["forecast"]).first)
                turns.append(
                    try await fixture.value(
                        """
                        SELECT s.name FROM systole.job j JOIN systole.schedule s USING (schedule_id)
                        WHERE j.job_id = \(lease.jobID)::bigint
                        """) ?? "")
            }
            #expect(turns == ["a", "a", "b", "a", "b", "a", "a"])
        }
    }

    @Test func `a fire that finds no series is decided and says so`() async throws {
        try await QueueFixture.with { fixture in
            try await plant(fixture, site: "a", count: 2)
            try await schedule(fixture, site: "a")
            try await fixture.run("SELECT systole.label_series('a.1', '{\"site\": null}')")
            try await fixture.run("SELECT systole.label_series('a.2', '{\"site\": \"b\"}')")
            #expect(try await fire(fixture) == "0")
            let decision = try await fixture.run("SELECT decision FROM systole.schedule_fires")
            #expect(try decision.only().text("decision") == "skipped_empty")
            try await expectPromisesKept(fixture)
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run("SELECT systole.trigger_schedule('a')")
            }
            #expect(error?.sqlState == "SY028")
            let labels = try await fixture.value(
                "SELECT labels::text FROM systole.series_list WHERE series = 'a.1'")
            #expect(labels == #"{"place": 1}"#)
        }
    }

    @Test(arguments: [
        ("schedule_forecasts('{\"site\": \"z\"}', '1 day', every => '1 hour')", "SY028"),
        ("schedule_forecasts('[1]', '1 day', every => '1 hour')", "SY028"),
        ("schedule_forecasts(NULL, '1 day', every => '1 hour')", "SY028"),
        ("schedule_forecasts('{}', '25 hours', every => '1 hour')", "SY002"),
        ("schedule_forecasts('{}', '0', every => '1 hour')", "SY002"),
        ("schedule_forecasts('{}', NULL, every => '1 hour')", "SY002"),
        ("schedule_forecasts('{}', '1 day')", "SY003"),
        ("request_forecasts('{\"site\": \"z\"}', '1 day')", "SY028"),
        ("request_forecasts('{}', '-1 day')", "SY002"),
        ("share_model(99, '{}')", "SY005"),
        ("share_model(1, '{\"site\": \"z\"}')", "SY028"), ("unshare_model('7')", "SY028"),
        ("share_model(1, '{}')", "SY028"),
        ("label_series('nobody', '{}')", "SY001"),
        ("label_series('a.1', '7')", "SY028"),
    ])
    func `what makes no sense is refused`(call: String, code: String) async throws {
        try await QueueFixture.with { fixture in
            try await plant(fixture, site: "a", count: 2)
            // Of another step, so that not all series can share a model.
            try await fixture.run(
                "INSERT INTO systole.series (key, unit, step_us) VALUES ('daily', '', 86400000000)")
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run("SELECT systole.\(raw: call)")
            }
            #expect(error?.sqlState == code, "\(error?.message ?? "")")
        }
    }

    @Test func `series that come later get the model of their labels with the next fire`()
        async throws
    {
        try await QueueFixture.with { fixture in
            try await plant(fixture, site: "a", count: 3)
            #expect(try await share(fixture, site: "a") == "2")
            try await schedule(fixture, site: "a")
            try await fixture.run(
                """
                INSERT INTO systole.series (key, unit, step_us, labels) VALUES
                    ('a.new', 'Cel', 3600000000, '{"site": "a"}'),
                    ('a.daily', 'Cel', 86400000000, '{"site": "a"}'),
                    ('b.new', 'Cel', 3600000000, '{"site": "b"}'), ('a.own', 'Cel', 3600000000, '{"site": "a"}')
                """)
            try await model(fixture, of: "a.own")
            #expect(try await fire(fixture) == "1")
            let shared: SQL =
                """
                SELECT series FROM systole.models WHERE shared_from IS NOT NULL AND stage = 'live'
                ORDER BY series
                """
            #expect(try await fixture.run(shared).allTexts("series") == ["a.2", "a.3", "a.new"])
            let jobs = try await fixture.value(
                "SELECT max(jsonb_array_length(args->'series_ids'))::text FROM systole.job")
            #expect(jobs == "4", "the first and those that share its model")
            #expect(
                try await fixture.value(
                    "SELECT labels::text || ' ' || shared_with FROM systole.shared_models")
                    == #"{"site": "a"} 3"#)
            let told: SQL = "SELECT count(*)::text FROM systole.outbox WHERE subject = 'a.new'"
            #expect(try await fixture.value(told) == "1")
            try await fixture.run("SELECT systole.request_forecasts('{\"site\": \"a\"}', '1 day')")
            #expect(try await fixture.value(told) == "1")
            try await expectPromisesKept(fixture)
        }
    }

    @Test func `no later series is given a model that is not shared with them any more`()
        async throws
    {
        try await QueueFixture.with { fixture in
            try await plant(fixture, site: "a", count: 2)
            #expect(try await share(fixture, site: "a") == "1")
            let late: SQL =
                """
                SELECT count(*)::text FROM systole.models WHERE series LIKE 'a.late%' AND stage = 'live'
                """
            for (number, change) in [
                "SELECT systole.unshare_model('{\"site\": \"a\"}')",
                "SELECT systole.share_model(1, '{\"site\": \"a\"}', later => false)",
                "SELECT systole.share_model(1, '{\"site\": \"a\"}')",
            ].enumerated() {
                try await fixture.run("\(raw: change)")
                try await fixture.run(
                    """
                    INSERT INTO systole.series (key, unit, step_us, labels) VALUES
                        (format('a.late%s', \(number)::integer), '', 3600000000, '{"site": "a"}')
                    """)
                try await fixture.run(
                    "SELECT systole.request_forecasts('{\"site\": \"a\"}', '1 day')")
                // The one that shares from now on takes in those that came before it, too.
                #expect(try await fixture.value(late) == ["0", "1", "3"][number])
            }
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run("SELECT systole.unshare_model('{\"site\": \"z\"}')")
            }
            #expect(error?.sqlState == "SY028")
        }
    }

    @Test func `a shared model is promoted, rolled back and shown like any other`() async throws {
        try await QueueFixture.with { fixture in
            try await plant(fixture, site: "a", count: 3)
            try await model(fixture, of: "a.2")
            #expect(try await share(fixture, site: "a") == "1", "a.2 keeps its own")
            let replaced = try await fixture.value(
                "SELECT systole.share_model(1, '{\"site\": \"a\"}', replace_own => true)")
            #expect(replaced == "1")
            let shown = try await fixture.run(
                """
                SELECT series || ' ' || stage || ' ' || weight_bytes || ' ' || shared_with || ' '
                    || coalesce(shared_from::text, 'own') AS line
                FROM systole.models ORDER BY model_id
                """
            ).allTexts("line")
            #expect(
                shown == [
                    "a.1 live 3 2 own", "a.2 retired 3 0 own", "a.3 live 3 0 1", "a.2 live 3 0 1",
                ])
            try await fixture.run("SELECT systole.rollback_model('a.2')")
            let live = try await fixture.value(
                "SELECT shared_from::text FROM systole.models WHERE series = 'a.2' AND stage = 'live'"
            )
            #expect(live == nil)
            let told = try await fixture.value(
                "SELECT count(*)::text FROM systole.outbox WHERE type = 'model.promoted'")
            #expect(told == "3")
        }
    }
}
