import Postgres
import Testing

/// What fires when: a table against the server's parser and its time-zone data.
@Suite(.timeLimit(.minutes(2))) struct CronTests {
    struct Case: Sendable {
        let cron: String
        var zone = "UTC"
        let after: String
        /// In UTC.
        let fires: [String]
    }

    private func check(_ cases: [Case]) async throws {
        try await QueueFixture.with { fixture in
            for row in cases {
                let found = try await fixture.run(
                    """
                    SELECT to_char(fire_at, 'YYYY-MM-DD HH24:MI') AS fire
                    FROM systole.preview_cron(\(row.cron), \(row.zone), \(row.fires.count)::integer,
                        (\(row.after) || '+00')::timestamptz)
                    """
                ).allTexts("fire")
                #expect(found == row.fires, "\(row.cron) in \(row.zone)")
            }
        }
    }

    @Test func `fields, lists, ranges, steps and names`() async throws {
        try await check([
            Case(
                cron: "* * * * *", after: "2026-01-01 00:00:30",
                fires: ["2026-01-01 00:01", "2026-01-01 00:02"]),
            Case(
                cron: "5 * * * *", after: "2026-01-01 23:05",
                fires: ["2026-01-02 00:05", "2026-01-02 01:05"]),
            Case(
                cron: "*/20 6,18 * * *", after: "2026-01-01 06:10",
                fires: ["2026-01-01 06:20", "2026-01-01 06:40", "2026-01-01 18:00"]),
            Case(
                cron: "10-50/20 3 * * *", after: "2026-01-01 00:00",
                fires: ["2026-01-01 03:10", "2026-01-01 03:30", "2026-01-01 03:50"]),
            Case(
                cron: "0 9 * * MON-FRI", after: "2026-01-02 09:00",
                fires: ["2026-01-05 09:00", "2026-01-06 09:00"]),
            Case(
                cron: "0 9 * * fri-sun", after: "2026-01-01 09:00",
                fires: ["2026-01-02 09:00", "2026-01-03 09:00", "2026-01-04 09:00"]),
            Case(
                cron: "0 0 * * 7", after: "2026-01-01 00:00",
                fires: ["2026-01-04 00:00", "2026-01-11 00:00"]),
            Case(
                cron: "0 0 * * 0", after: "2026-01-01 00:00",
                fires: ["2026-01-04 00:00", "2026-01-11 00:00"]),
            Case(
                cron: "0 0 * * 5-7", after: "2026-01-01 00:00",
                fires: ["2026-01-02 00:00", "2026-01-03 00:00", "2026-01-04 00:00"]),
            Case(
                cron: "30 6 1 JAN,Jul *", after: "2026-01-01 06:30",
                fires: ["2026-07-01 06:30", "2027-01-01 06:30"]),
            Case(
                cron: "  15\t4  * * *  ", after: "2026-01-01 00:00", fires: ["2026-01-01 04:15"]),
            Case(
                cron: "@hourly", after: "2026-01-01 00:30",
                fires: ["2026-01-01 01:00", "2026-01-01 02:00"]),
            Case(
                cron: "@Daily", after: "2026-01-01 00:00", fires: ["2026-01-02 00:00"]),
            Case(cron: "@weekly", after: "2026-01-01 00:00", fires: ["2026-01-04 00:00"]),
            Case(cron: "@monthly", after: "2026-01-01 00:00", fires: ["2026-02-01 00:00"]),
            Case(cron: "@yearly", after: "2026-01-01 00:00", fires: ["2027-01-01 00:00"]),
        ])
    }

    @Test func `days of the month, weekdays, and months of all lengths`() async throws {
        try await check([
            Case(
                cron: "0 6 L * *", after: "2028-01-15 00:00",
                fires: ["2028-01-31 06:00", "2028-02-29 06:00", "2028-03-31 06:00"]),
            Case(
                cron: "0 6 $ * *", after: "2026-02-01 00:00",
                fires: ["2026-02-28 06:00", "2026-03-31 06:00"]),
            Case(
                cron: "0 0 15,L * *", after: "2026-04-01 00:00",
                fires: ["2026-04-15 00:00", "2026-04-30 00:00", "2026-05-15 00:00"]),
            Case(
                cron: "0 0 31 * *", after: "2026-03-31 00:00",
                fires: ["2026-05-31 00:00", "2026-07-31 00:00", "2026-08-31 00:00"]),
            Case(
                cron: "0 0 29 2 *", after: "2026-03-01 00:00",
                fires: ["2028-02-29 00:00", "2032-02-29 00:00"]),
            // The turn of a century without a leap day: eight years.
            Case(
                cron: "0 0 29 2 *", after: "2096-03-01 00:00",
                fires: ["2104-02-29 00:00", "2108-02-29 00:00"]),
            // Both restricted: either, as in Vixie cron.
            Case(
                cron: "0 0 13 * FRI", after: "2026-02-01 00:00",
                fires: [
                    "2026-02-06 00:00", "2026-02-13 00:00", "2026-02-20 00:00", "2026-02-27 00:00",
                    "2026-03-06 00:00", "2026-03-13 00:00",
                ]),
            Case(
                cron: "0 0 2 * 1", after: "2026-01-01 00:00",
                fires: ["2026-01-02 00:00", "2026-01-05 00:00"]),
            // One of them begins with a star: both.
            Case(
                cron: "0 0 */2 * MON", after: "2026-01-01 00:00",
                fires: ["2026-01-05 00:00", "2026-01-19 00:00"]),
            // Impossible by date, possible by weekday.
            Case(
                cron: "0 0 31 2 MON", after: "2026-01-01 00:00",
                fires: ["2026-02-02 00:00", "2026-02-09 00:00"]),
        ])
    }

    @Test func `daylight saving: gaps shift forward, repeated times fire once`() async throws {
        try await check([
            // Oslo, 29 March 2026: 02:00 becomes 03:00.
            Case(
                cron: "30 2 * * *", zone: "Europe/Oslo", after: "2026-03-27 12:00",
                fires: ["2026-03-28 01:30", "2026-03-29 01:30", "2026-03-30 00:30"]),
            Case(
                cron: "0,30 1-3 29 3 *", zone: "Europe/Oslo", after: "2026-03-01 00:00",
                fires: [
                    "2026-03-29 00:00", "2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30",
                    "2027-03-28 23:00",
                ]),
            // Every hour is named: hours elapse, none is skipped and none comes twice.
            Case(
                cron: "0 * * * *", zone: "Europe/Oslo", after: "2026-03-28 23:30",
                fires: [
                    "2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 02:00", "2026-03-29 03:00",
                ]),
            // 25 October 2026: 03:00 becomes 02:00.
            Case(
                cron: "30 2 * * *", zone: "Europe/Oslo", after: "2026-10-24 12:00",
                fires: ["2026-10-25 00:30", "2026-10-26 01:30"]),
            // From within the second pass: the first was the one.
            Case(
                cron: "30 2 * * *", zone: "Europe/Oslo", after: "2026-10-25 01:15",
                fires: ["2026-10-26 01:30"]),
            Case(
                cron: "*/30 * * * *", zone: "Europe/Oslo", after: "2026-10-24 23:30",
                fires: [
                    "2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30",
                    "2026-10-25 02:00",
                ]),
            Case(
                cron: "0 1-4 * * *", zone: "Europe/Oslo", after: "2026-10-24 22:30",
                fires: [
                    "2026-10-24 23:00", "2026-10-25 00:00", "2026-10-25 02:00", "2026-10-25 03:00",
                    "2026-10-26 00:00",
                ]),
            // Half an hour on Lord Howe Island; 4 October 2026, 02:00 becomes 02:30.
            Case(
                cron: "15 2 * * *", zone: "Australia/Lord_Howe", after: "2026-10-02 20:00",
                fires: ["2026-10-03 15:45", "2026-10-04 15:15"]),
            // Midnight does not exist in Beirut on 29 March 2026.
            Case(
                cron: "0 0 * * *", zone: "Asia/Beirut", after: "2026-03-27 23:00",
                fires: ["2026-03-28 22:00", "2026-03-29 21:00"]),
            // Offsets that are no whole hours.
            Case(
                cron: "0 12 * * *", zone: "Asia/Kathmandu", after: "2026-01-01 00:00",
                fires: ["2026-01-01 06:15"]),
        ])
    }

    @Test func `a minute of every day of a year of changes is hit once`() async throws {
        try await QueueFixture.with { fixture in
            for (zone, cron) in [
                ("Europe/Oslo", "30 2 * * *"), ("America/New_York", "0 2 * * *"),
                ("America/Havana", "15 0 * * *"), ("Australia/Lord_Howe", "45 1 * * *"),
            ] {
                let days = try await fixture.value(
                    """
                    SELECT count(DISTINCT (fire_at AT TIME ZONE \(zone))::date) || ' of ' || count(*)
                    FROM systole.preview_cron(\(cron), \(zone), 365, '2026-01-01 12:00+00')
                    """)
                #expect(days == "365 of 365", "\(zone)")
            }
        }
    }

    @Test func `what makes no sense is refused with SY003`() async throws {
        let refused = [
            "", " ", "* * * *", "* * * * * *", "0 0 0 1 1 *", "@reboot", "@never", "60 * * * *",
            "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8",
            "-1 * * * *", "1- * * * *", "1-2-3 * * * *", "5/10 * * * *", "*/0 * * * *",
            "*/90 * * * *", "*/-5 * * * *", "10-5 * * * *", "* * * * FRI-MON", ", * * * *",
            "1,,2 * * * *", "1, * * * *", "MON * * * *", "* * * * MAN", "? * * * *", "a * * * *",
            "1.5 * * * *", "99999999999999999999 * * * *", "L * * * *", "* * L-1 * *",
            "0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30 FEB */2",
        ]
        try await QueueFixture.with { fixture in
            for cron in refused {
                let error = await #expect(throws: PostgresError.self, "\(cron)") {
                    try await fixture.run("SELECT systole.preview_cron(\(cron))")
                }
                #expect(error?.sqlState == "SY003", "\(cron)")
                #expect(error?.hint != nil, "\(cron)")
            }
            for after in ["infinity", "-infinity"] {
                let error = await #expect(throws: PostgresError.self, "\(after)") {
                    try await fixture.run(
                        "SELECT systole.preview_cron('0 0 * * *', 'UTC', 3, \(after)::timestamptz)")
                }
                #expect(error?.sqlState == "SY003", "\(after)")
            }
            for zone in ["Europe/Osloo", "UTC+2", "CEST", "", "posix/UTC", "Oslo", "'; DROP"] {
                let error = await #expect(throws: PostgresError.self, "\(zone)") {
                    try await fixture.run(
                        "SELECT systole.preview_cron('0 0 * * *', \(zone))")
                }
                #expect(error?.sqlState == "SY003", "\(zone)")
            }
        }
    }
}
