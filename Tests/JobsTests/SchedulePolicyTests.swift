import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct SchedulePolicyTests {
    private func fire(_ fixture: QueueFixture) async throws -> Int {
        try await fixture.run("SELECT systole.fire_due_schedules() AS n").only().int("n")
    }

    @Test func `jitter spreads jobs over its length, the same for the same fire`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                """
                SELECT systole.create_schedule('s' || i, 'work', every => '1 hour',
                    jitter => '10 minutes') FROM generate_series(1, 200) i
                """)
            // As if the next hour had just come.
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = date_trunc('hour', now(), 'UTC')")
            let shares: SQL =
                """
                SELECT string_agg(systole.jitter_share(schedule_id, next_fire_at)::text, ',')
                FROM systole.schedule
                """
            #expect(try await fixture.value(shares) == fixture.value(shares))
            let spread = try await fixture.run(
                """
                SELECT min(s) >= 0 AND max(s) < 1 AS inside, min(s) < 0.1 AND max(s) > 0.9 AS wide,
                    count(DISTINCT s) AS n, abs(avg(s) - 0.5) < 0.1 AS even
                FROM (SELECT systole.jitter_share(schedule_id, next_fire_at) AS s
                    FROM systole.schedule) t
                """
            ).only()
            #expect(try spread.bool("inside"))
            #expect(try spread.bool("wide"))
            #expect(try spread.bool("even"))
            #expect(try spread.int("n") > 190)
            #expect(try await fire(fixture) == 100)
            #expect(try await fire(fixture) == 100)
            let late: SQL =
                """
                SELECT count(*) FROM systole.job
                WHERE run_at > greatest(now(), fire_at + interval '10 minutes')
                """
            #expect(try await fixture.value(late) == "0")
            // As of the fire: in the first minutes of an hour the time of some comes meanwhile.
            let wrong: SQL =
                "SELECT count(*) FROM systole.job WHERE (state = 'ready') <> (run_at <= created_at)"
            #expect(try await fixture.value(wrong) == "0")
        }
    }

    @Test func `fires older than the catch-up window are not made good`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                """
                SELECT systole.create_schedule('s', 'work', every => '1 hour', overlap => 'allow',
                    catchup => 'all', catchup_window => '150 minutes')
                """)
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '6 hours'")
            _ = try await fire(fixture)
            let kept: SQL =
                """
                SELECT bool_and((decision = 'fired') = (fire_at >= now() - interval '150 minutes'))
                    || ' ' || count(*) FROM systole.schedule_fire
                """
            #expect(try await fixture.value(kept) == "true 6")
        }
    }

    @Test func `a job that is given up pauses a schedule that asked for it`() async throws {
        try await QueueFixture.with { fixture in
            for (asked, expected) in [(true, "paused"), (false, "active")] {
                try await fixture.run("TRUNCATE systole.schedule, systole.schedule_fire")
                try await fixture.run(
                    """
                    SELECT systole.create_schedule('s', 'work', every => '1 hour',
                        pause_on_failure => \(asked))
                    """)
                try await fixture.run("SELECT systole.trigger_schedule('s')")
                let lease = try #require(try await fixture.claim(fixture.register()).first)
                #expect(try await fixture.fail(lease, permanently: true) == .dead)
                let row = try await fixture.run(
                    "SELECT state, pause_reason FROM systole.schedules"
                ).only()
                #expect(try row.text("state") == expected)
                #expect(
                    try row.optionalText("pause_reason")
                        == (asked ? "Job \(lease.jobID) was given up." : nil))
            }
        }
    }

    @Test func `skipped and repeated wall times fire as the schedule says`() async throws {
        // Oslo 2041: 02:00 becomes 03:00 on 31 March, 03:00 becomes 02:00 on 27 October.
        let cases: [(SQL, String, [String])] = [
            ("cron => '30 2 * * *', dst_gap => 'shift'", "2041-03-30 12:00", ["03-31 01:30"]),
            ("cron => '30 2 * * *', dst_gap => 'skip'", "2041-03-30 12:00", ["04-01 00:30"]),
            ("cron => '30 2 * * *', dst_overlap => 'first'", "2041-10-26 12:00", ["10-27 00:30"]),
            ("cron => '30 2 * * *', dst_overlap => 'last'", "2041-10-26 12:00", ["10-27 01:30"]),
            (
                "cron => '30 2 * * *', dst_overlap => 'both'", "2041-10-26 12:00",
                ["10-27 00:30", "10-27 01:30", "10-28 01:30"]
            ),
        ]
        try await QueueFixture.with { fixture in
            for (options, start, expected) in cases {
                try await fixture.run(
                    """
                    SELECT systole.create_schedule('s', 'work', \(options), start_at =>
                        \(start)::timestamp AT TIME ZONE 'UTC', time_zone => 'Europe/Oslo',
                        replace_existing => true)
                    """)
                let fires = try await fixture.run(
                    """
                    SELECT to_char(fire_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI') AS fire
                    FROM systole.next_fires('s', \(expected.count))
                    """)
                #expect(try fires.allTexts("fire") == expected, "\(options)")
            }
        }
    }

    @Test func `a backfill enqueues every past fire once, as of its time`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                """
                SELECT systole.create_schedule('s', 'work', '{"n": 1}', cron => '0 6 * * *',
                    time_zone => 'Europe/Oslo')
                """)
            let backfill: SQL =
                "SELECT systole.backfill_schedule('s', '2026-03-27 00:00+00', '2026-03-31 00:00+00')"
            #expect(try await fixture.value(backfill) == "4")
            #expect(try await fixture.value(backfill) == "0")
            let jobs = try await fixture.run(
                """
                SELECT args->>'as_of' AS at, priority, args->>'n' AS n FROM systole.job
                ORDER BY fire_at
                """)
            #expect(
                try jobs.allTexts("at") == [
                    "2026-03-27T05:00:00.000000Z", "2026-03-28T05:00:00.000000Z",
                    "2026-03-29T04:00:00.000000Z", "2026-03-30T04:00:00.000000Z",
                ])
            #expect(try jobs.allTexts("n") == ["1", "1", "1", "1"])
            let fires: SQL =
                "SELECT count(*) FROM systole.schedule_fires WHERE decision = 'backfilled'"
            #expect(try await fixture.value(fires) == "4")
            // The schedule itself goes on as if nothing had been.
            try await fixture.run(
                """
                UPDATE systole.schedule SET every = '1 hour', cron = NULL,
                    next_fire_at = date_trunc('hour', now(), 'UTC')
                """)
            #expect(try await fire(fixture) == 1)
        }
    }

    @Test(arguments: [
        "now() - interval '1 hour', now() + interval '1 hour'",
        "now(), now() - interval '1 hour'", "NULL, now()", "now() - interval '1 hour', NULL",
        "'-infinity', now()", "now() - interval '30 days', now()",
    ])
    func `a backfill that makes no sense is refused with SY027`(stretch: String) async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                "SELECT systole.create_schedule('s', 'work', every => '1 minute')")
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run("SELECT systole.backfill_schedule('s', \(raw: stretch))")
            }
            #expect(error?.sqlState == "SY027")
            #expect(try await fixture.value("SELECT count(*) FROM systole.job") == "0")
        }
    }

    @Test(arguments: [
        "jitter => '-1 second'", "jitter => '2 hours'", "jitter => NULL", "catchup_window => '0'",
        "dst_gap => 'wrong'", "dst_overlap => NULL", "overlap => 'queue_two'",
    ])
    func `a policy that makes no sense is refused with SY003`(option: String) async throws {
        try await QueueFixture.with { fixture in
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run(
                    """
                    SELECT systole.create_schedule('s', 'work', every => '1 hour', \(raw: option))
                    """)
            }
            #expect(error?.sqlState == "SY003")
            #expect(error?.hint != nil)
        }
    }
}
