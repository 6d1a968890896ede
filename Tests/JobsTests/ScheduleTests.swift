import Jobs
import Postgres
import Testing

@Suite(.timeLimit(.minutes(2))) struct ScheduleTests {
    /// Creates a schedule `s` and moves its next fire back, as if nobody had scheduled meanwhile.
    private func create(_ fixture: QueueFixture, _ options: SQL, overdue: String) async throws {
        try await fixture.run("SELECT systole.create_schedule('s', 'work', \(options))")
        try await fixture.run(
            "UPDATE systole.schedule SET next_fire_at = next_fire_at - \(overdue)::interval")
    }

    private func fire(_ fixture: QueueFixture) async throws -> Int {
        try await fixture.run("SELECT systole.fire_due_schedules() AS n").only().int("n")
    }

    /// `decision × fires` in order; a stretch counts what lies in it.
    private func decisions(_ fixture: QueueFixture) async throws -> [String] {
        try await fixture.run(
            """
            SELECT decision || ' ' || 1 + round(extract(epoch FROM through_at - fire_at) / 3600)::int
                AS line
            FROM systole.schedule_fire ORDER BY fire_at
            """
        ).allTexts("line")
    }

    @Test func `intervals count from the epoch, not from their creation`() async throws {
        try await QueueFixture.with { fixture in
            for (every, divisor) in [
                ("10 seconds", 10), ("5 minutes", 300), ("7 hours", 25_200), ("1 day", 86_400),
                ("1 week", 604_800), ("90 minutes", 5400),
            ] {
                try await fixture.run(
                    """
                    SELECT systole.create_schedule(\(every), 'work', every => \(every)::interval)
                    """)
                let fires = try await fixture.run(
                    """
                    SELECT extract(epoch FROM fire_at)::bigint AS at,
                        fire_at > now() AS later FROM systole.next_fires(\(every), 4)
                    """)
                let seconds = try fires.allInt64s("at")
                #expect(seconds.allSatisfy { $0 % Int64(divisor) == 0 }, "\(every)")
                #expect(zip(seconds, seconds.dropFirst()).allSatisfy { $1 - $0 == divisor })
                #expect(try fires[0].bool("later"))
            }
        }
    }

    @Test func `a due schedule fires once, whoever and how often one asks`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                """
                SELECT systole.create_schedule('s' || i, 'work', every => '1 hour')
                FROM generate_series(1, 40) i
                """)
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '1 hour'")
            let fired = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await self.fire(fixture) } }
                return try await group.reduce(0, +)
            }
            #expect(fired + (try await fire(fixture)) == 40)
            let jobs: SQL = "SELECT count(*) || ' ' || count(DISTINCT schedule_id) FROM systole.job"
            #expect(try await fixture.value(jobs) == "40 40")
            #expect(try await fixture.value("SELECT count(*) FROM systole.schedule_fire") == "40")
        }
    }

    @Test func `the preview names the fires that then happen`() async throws {
        try await QueueFixture.with { fixture in
            try await create(
                fixture, "cron => '17 * * * *', overlap => 'allow', catchup => 'all'",
                overdue: "5 hours")
            let preview = try await fixture.run(
                "SELECT fire_at FROM systole.next_fires('s', 50) WHERE fire_at <= now()")
            #expect(try await fire(fixture) == 5)
            let fired = try await fixture.run(
                "SELECT fire_at FROM systole.schedule_fire WHERE decision = 'fired' ORDER BY 1")
            #expect(
                try preview.allEpochMicroseconds("fire_at")
                    == fired.allEpochMicroseconds("fire_at"))
        }
    }

    @Test(arguments: [
        ("catchup => 'latest', overlap => 'allow'", ["skipped_catchup 5", "fired 1"]),
        ("catchup => 'skip', overlap => 'allow'", ["skipped_catchup 5", "skipped_catchup 1"]),
        (
            "catchup => 'all', catchup_maximum => 3, overlap => 'allow'",
            ["skipped_catchup 3", "fired 1", "fired 1", "fired 1"]
        ),
        (
            "catchup => 'all', catchup_maximum => 10, overlap => 'allow'",
            Array(repeating: "fired 1", count: 6)
        ),
        (
            "catchup => 'all', catchup_maximum => 3, overlap => 'skip'",
            ["skipped_catchup 3", "fired 1", "skipped_overlap 1", "skipped_overlap 1"]
        ),
    ])
    func `missed fires are made good as the policy says, and every one is accounted for`(
        options: String, expected: [String]
    ) async throws {
        try await QueueFixture.with { fixture in
            for rule in ["every => '1 hour'", "cron => '0 * * * *'"] {
                try await fixture.run(
                    "TRUNCATE systole.schedule, systole.schedule_fire, systole.job")
                // Six hours back from the coming hour: the last fire due is this hour's, up to 59
                // minutes ago, so that 'skip' must be asked at an hour that is no longer fresh.
                try await create(fixture, "\(raw: options), \(raw: rule)", overdue: "6 hours")
                try await fixture.run(
                    """
                    UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '1 hour',
                        end_at = date_trunc('hour', now(), 'UTC') - interval '1 hour'
                    """)
                _ = try await fire(fixture)
                #expect(try await decisions(fixture) == expected, "\(rule)")
                #expect(try await fixture.value("SELECT state FROM systole.schedules") == "ended")
            }
        }
    }

    @Test func `a long silence costs no longer than a short one`() async throws {
        try await QueueFixture.with { fixture in
            try await create(
                fixture, "cron => '* * * * *', time_zone => 'Europe/Oslo', catchup => 'latest'",
                overdue: "3650 days")
            #expect(try await fire(fixture) == 1)
            let tiling = try await fixture.run(
                """
                SELECT string_agg(decision, ',' ORDER BY fire_at) AS decisions,
                    (max(fire_at) FILTER (WHERE decision = 'fired')
                        - max(through_at) FILTER (WHERE decision = 'skipped_catchup'))::text AS step
                FROM systole.schedule_fire
                """
            ).only()
            #expect(try tiling.text("decisions") == "skipped_catchup,fired")
            #expect(try tiling.text("step") == "00:01:00")
        }
    }

    @Test func `overlap is skipped while the earlier job lives, and only then`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, "every => '1 hour'", overdue: "1 hour")
            #expect(try await fire(fixture) == 1)
            let again: SQL =
                """
                UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '30 minutes',
                    every = '30 minutes'
                """
            let lease = try #require(try await fixture.claim(fixture.register()).first)
            try await fixture.run(again)
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '30 minutes'")
            try await fixture.run("DELETE FROM systole.schedule_fire")
            #expect(try await fire(fixture) == 0)
            try await fixture.pool.transaction { db in try fixture.queue.complete(lease, db) }
            try await fixture.run("DELETE FROM systole.schedule_fire")
            try await fixture.run(
                "UPDATE systole.schedule SET next_fire_at = next_fire_at - interval '30 minutes'")
            #expect(try await fire(fixture) == 1)
        }
    }

    @Test func `a pause swallows fires, says so, and can be fired through by hand`() async throws {
        try await QueueFixture.with { fixture in
            try await create(fixture, "every => '1 hour'", overdue: "3 hours")
            try await fixture.run("SELECT systole.pause_schedule('s')")
            #expect(try await fire(fixture) == 0)
            let job = try await fixture.run("SELECT systole.trigger_schedule('s') AS id").only()
            #expect(try await fixture.state(job.int64("id")) == "ready")
            try await fixture.run("SELECT systole.resume_schedule('s')")
            #expect(try await fire(fixture) == 0)
            #expect(try await decisions(fixture) == ["skipped_paused 3", "triggered 1"])
            let state: SQL = "SELECT state || ' ' || (next_fire_at > now()) FROM systole.schedules"
            #expect(try await fixture.value(state) == "active true")
        }
    }

    @Test func `a schedule that cannot be decided is paused with the reason; others fire`()
        async throws
    {
        try await QueueFixture.with { fixture in
            try await create(fixture, "cron => '0 * * * *'", overdue: "2 hours")
            try await fixture.run("UPDATE systole.schedule SET name = 'bad', cron = 'nonsense'")
            try await create(fixture, "cron => '0 * * * *'", overdue: "1 hour")
            #expect(try await fire(fixture) == 1)
            let states = try await fixture.run(
                "SELECT name || ' ' || state AS line FROM systole.schedules ORDER BY name")
            #expect(try states.allTexts("line") == ["bad paused", "s active"])
            let reason = try await fixture.value(
                "SELECT pause_reason FROM systole.schedules WHERE name = 'bad'")
            #expect(reason?.contains("five fields") == true)
        }
    }

    @Test func `a schedule is replaced only when asked, and can be deleted`() async throws {
        try await QueueFixture.with { fixture in
            let make: SQL = "systole.create_schedule('s', 'work', every => '1 hour'"
            let id = try await fixture.value("SELECT \(make))")
            let error = await #expect(throws: PostgresError.self) {
                try await fixture.run("SELECT \(make))")
            }
            #expect(error?.sqlState == "SY025")
            let same = try await fixture.value(
                "SELECT \(make), args => '{\"n\": 1}', replace_existing => true)")
            #expect(same == id)
            #expect(try await fixture.value("SELECT args FROM systole.schedules") == #"{"n": 1}"#)
            try await fixture.run("SELECT systole.delete_schedule('s')")
            #expect(try await fixture.value("SELECT count(*) FROM systole.schedules") == "0")
        }
    }

    @Test func `schedules that make no sense are refused with SY003`() async throws {
        let refused: [SQL] = [
            "'s', 'work'", "'s', 'work', every => '1 hour', cron => '0 0 * * *'",
            "'s', 'work', every => '0'", "'s', 'work', every => '-1 hour'",
            "'s', 'work', every => '500 ms'", "'s', 'work', every => '1 month'",
            "'s', 'work', every => '1 year'", "'s', 'work', every => '400 days'",
            "'s', 'work', cron => '0 0 31 2 *'", "'s', 'work', cron => '0 0 0 * * *'",
            "'s', 'work', cron => '0 0 * * *', time_zone => 'Mars/Base'",
            "'s', 'work', cron => '0 0 * * *', time_zone => NULL",
            "'s', 'work', every => '1 hour', catchup => 'some'",
            "'s', 'work', every => '1 hour', catchup_maximum => 0",
            "'s', 'work', every => '1 hour', overlap => 'maybe'",
            "'s', 'work', every => '1 hour', end_at => now() - interval '1 day'",
            "'', 'work', every => '1 hour'", "NULL, 'work', every => '1 hour'",
            "'s', 'work', cron => '0 0 * * *', start_at => 'infinity'",
            "'s', 'work', every => '1 hour', start_at => 'infinity'",
            "'s', 'work', every => '1 hour', jitter => '-1 second'",
            "'s', 'work', every => '1 hour', catchup_window => '-1 second'",
        ]
        try await QueueFixture.with { fixture in
            for arguments in refused {
                let error = await #expect(throws: PostgresError.self, "\(arguments)") {
                    try await fixture.run("SELECT systole.create_schedule(\(arguments))")
                }
                #expect(error?.sqlState == "SY003", "\(arguments)")
            }
            let made = try await fixture.value("SELECT count(*) FROM systole.schedule")
            #expect(made == "0")
        }
    }

    @Test func `start and end bound the fires`() async throws {
        try await QueueFixture.with { fixture in
            try await fixture.run(
                """
                SELECT systole.create_schedule('s', 'work', every => '1 hour',
                    start_at => '2040-01-01 00:00+00', end_at => '2040-01-01 02:30+00')
                """)
            let fires = try await fixture.run(
                """
                SELECT to_char(fire_at, 'YYYY-MM-DD HH24:MI') AS fire
                FROM systole.next_fires('s', 10)
                """)
            #expect(
                try fires.allTexts("fire")
                    == ["2040-01-01 00:00", "2040-01-01 01:00", "2040-01-01 02:00"])
        }
    }
}
