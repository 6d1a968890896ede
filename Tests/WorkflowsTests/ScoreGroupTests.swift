@testable import Forecasting
import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Workflows

/// Groups that are watched, on a real database.
@Suite struct ScoreGroupTests {
    private static let start = Timestamp(microseconds: 1_749_999_600_000_000)
    private static let keys = (0..<5).map { "plant.\($0)" }
    /// A fault in the fourth channel.
    private static let values = SimulatedGroup(channels: 5, seed: 41).rows(
        1_140, with: [.init(fault: .offset, channel: 3, rows: 960..<972)])

    private static func at(_ row: Int) -> Timestamp { start + .seconds(3_600 * row) }

    /// Stores rows of some channels, and tells of them as ingestion does.
    private static func append(
        _ rows: Range<Int>, of channels: Range<Int> = 0..<5, values: [[Double]] = values,
        on pool: Pool
    ) async throws {
        try await pool.transaction { db in
            for channel in channels {
                let series = try SeriesStore.ensure(
                    key: keys[channel], stepMicroseconds: 3_600_000_000, in: db)
                let observations = rows.compactMap { row in
                    values[channel][row].isNaN
                        ? nil : Observation(at: at(row), value: values[channel][row])
                }
                _ = try SeriesStore.append(observations, to: series.id, in: db)
                try Outbox.append(
                    type: "series.extended", subject: keys[channel], data: "{}", in: db)
            }
        }
    }

    private static func watch(on pool: Pool) async throws {
        _ = try await pool.run(
            "SELECT systole.create_group('plant', series => \(keys)::text[])")
        _ = try await pool.run("SELECT systole.watch_group('plant')")
    }

    private static func handler(_ pool: Pool) -> ScoreGroup {
        ScoreGroup(pool: pool, environment: Plant.environment)
    }

    private static func route(on pool: Pool) async throws {
        _ = try await pool.transaction { db in try WatchNews.route(in: db) }
    }

    /// Routes events and does the jobs until none is left; returns how many it did.
    @discardableResult
    private static func work(on pool: Pool) async throws -> Int {
        try await route(on: pool)
        var jobs = 0
        while try await pool.run(
            "SELECT FROM systole.job WHERE kind = 'score-group' AND state = 'ready'"
        ).count > 0 {
            try await Plant.perform(handler(pool), enqueue: "SELECT 1", on: pool)
            jobs += 1
        }
        return jobs
    }

    private static func scores(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT concat_ws(' ', at, series, contribution, surprise, p_value, score) AS line
            FROM systole.group_score('plant') ORDER BY at, series
            """
        ).allTexts("line")
    }

    private static func incidents(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT concat_ws(' ', series, seq, kind, state, opened_at, resolved_at, peak_at,
                peak_score, observed, expected, threshold, contributions) AS line
            FROM systole.anomalies ORDER BY incident_id
            """
        ).allTexts("line")
    }

    private static func broken(_ pool: Pool) async throws -> [String] {
        try await pool.run("SELECT promise FROM systole.invariants() WHERE violations > 0")
            .allTexts("promise")
    }

    @Test func `a fault in one member is one incident on it, in pieces as in one go`() async throws
    {
        var found: [[String]] = []
        for pieces in [
            [900..<1_140], [900..<901, 901..<940, 940..<966, 966..<1_120, 1_120..<1_140],
        ] {
            try await withTestDatabase { database in
                let pool = database.pool
                try await Self.append(0..<900, on: pool)
                try await Self.watch(on: pool)
                try await Self.work(on: pool)
                let before = try await pool.run("SELECT count(*) AS n FROM systole.anomalies")
                #expect(try before.only().int("n") == 0, "history raises no incident")
                for piece in pieces {
                    try await Self.append(piece, on: pool)
                    try await Self.work(on: pool)
                }
                let watch = try await pool.run("SELECT * FROM systole.group_watches").only()
                #expect(try watch.timestamp("scored_until") == Self.at(1_139))
                #expect(try watch.optionalText("note") == nil)
                found += [try await Self.scores(pool), try await Self.incidents(pool)]
                let opened = try await pool.run(
                    """
                    SELECT incident_id, series, kind, group_name,
                        contributions -> 0 ->> 'series' AS most,
                        (contributions -> 0 ->> 'share')::double precision AS share
                    FROM systole.anomalies
                    WHERE opened_at BETWEEN \(Self.at(960)) AND \(Self.at(971))
                    """
                ).only()
                #expect(try opened.text("series") == "plant.3")
                #expect(try opened.text("kind") == "group" && opened.text("group_name") == "plant")
                #expect(try opened.text("most") == "plant.3" && opened.double("share") > 0.4)
                let id = try opened.int64("incident_id")
                let events = try await pool.run(
                    """
                    SELECT type, data::text AS data FROM systole.outbox
                    WHERE type LIKE 'anomaly.%' AND data->>'incident_id' = \(String(id))
                    ORDER BY event_id
                    """)
                #expect(try events.allTexts("type") == ["anomaly.opened", "anomaly.resolved"])
                for data in try events.allTexts("data") {
                    #expect(!data.contains("observed") && data.contains("\"share\""))
                }
                #expect(try await Self.broken(pool).isEmpty)
                let most = try await pool.run(
                    """
                    SELECT series FROM systole.group_scores('plant', since => \(Self.at(961)))
                    WHERE at < \(Self.at(970)) GROUP BY series ORDER BY count(*) DESC LIMIT 1
                    """)
                #expect(try most.allTexts("series") == ["plant.3"])
            }
        }
        #expect(found[0].count > 1_000 && found[0] == found[2])
        // Two a week are allowed, and it is a week and a half.
        #expect((1...3).contains(found[1].count) && found[1] == found[3])
    }

    @Test func `a run that dies before it is stored leaves nothing, and the next one all of it`()
        async throws
    {
        struct Killed: Error {}
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<900, on: pool)
            try await Self.watch(on: pool)
            try await Self.work(on: pool)
            try await Self.append(900..<1_000, on: pool)
            try await Self.route(on: pool)
            let lease = try await Plant.claim("score-group", enqueue: "SELECT 1", on: pool)
            let context = JobContext(deadline: .now + .seconds(60))
            let effects = try await Self.handler(pool).run(lease, context)
            let before = try await Self.scores(pool)
            await #expect(throws: Killed.self) {
                try await pool.transaction { db in
                    try JobQueue().complete(lease, db)
                    try effects(db)
                    throw Killed()
                }
            }
            #expect(try await Self.scores(pool) == before)
            #expect(try await Self.incidents(pool).isEmpty)
            // The same run, stored twice: the second finds that somebody was faster.
            try await pool.transaction { db in
                try JobQueue().complete(lease, db)
                try effects(db)
            }
            let after = try await Self.scores(pool)
            #expect(after.count == before.count + 500)
            await #expect(throws: ScoringOvertaken.self) {
                try await pool.transaction { db in try effects(db) }
            }
            #expect(try await Self.scores(pool) == after)
            #expect(try await Self.incidents(pool).count >= 1)
            #expect(try await Self.broken(pool).isEmpty)
        }
    }

    @Test func `an incident in a silence is kept back, and told of when that ends`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<900, on: pool)
            try await Self.watch(on: pool)
            try await Self.work(on: pool)
            _ = try await pool.run("SELECT systole.silence('plant.3', '2 hours')")
            // The fault is not over yet.
            try await Self.append(900..<966, on: pool)
            try await Self.work(on: pool)
            let told = try await pool.run(
                """
                SELECT state, told_at FROM systole.anomalies
                WHERE series = 'plant.3' AND opened_at >= \(Self.at(960))
                """
            ).only()
            #expect(try told.text("state") == "firing" && told.isNull("told_at"))
            let events: SQL = """
                SELECT type FROM systole.outbox
                WHERE type LIKE 'anomaly.%' AND subject = 'plant.3'
                """
            #expect(try await pool.run(events).isEmpty)
            _ = try await pool.run(
                "SELECT systole.end_silence(silence_id) FROM systole.silences")
            _ = try await pool.run("SELECT systole.tell_after_silence()")
            #expect(try await pool.run(events).allTexts("type") == ["anomaly.opened"])
        }
    }

    @Test func `rows wait for a member until it is late, and go on without it`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<900, on: pool)
            try await Self.watch(on: pool)
            try await Self.work(on: pool)
            let until: SQL = "SELECT scored_until FROM systole.group_watches"
            // The fifth member is silent from now on: three hours of patience.
            try await Self.append(900..<903, of: 0..<4, on: pool)
            try await Self.work(on: pool)
            #expect(try await pool.run(until).only().timestamp("scored_until") == Self.at(899))
            try await Self.append(903..<905, of: 0..<4, on: pool)
            try await Self.work(on: pool)
            #expect(try await pool.run(until).only().timestamp("scored_until") == Self.at(904))
            let judged = try await pool.run(
                """
                SELECT DISTINCT series FROM systole.group_score('plant', since => \(Self.at(900)))
                ORDER BY series
                """)
            #expect(try judged.allTexts("series") == Array(Self.keys.prefix(4)))
            try await Self.append(905..<950, of: 0..<4, on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.incidents(pool).count <= 2)
            // It is back, and is waited for.
            try await Self.append(950..<952, of: 4..<5, on: pool)
            try await Self.append(950..<953, of: 0..<4, on: pool)
            try await Self.work(on: pool)
            #expect(try await pool.run(until).only().timestamp("scored_until") == Self.at(951))
        }
    }

    @Test func `constant and missing members, and those that leave, are no obstacle`() async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            var values = Self.values
            values[1] = values[1].map { _ in 0.1 }
            try await Self.append(0..<900, values: values, on: pool)
            try await pool.transaction { db in
                let silent = try SeriesStore.ensure(
                    key: "plant.silent", stepMicroseconds: 3_600_000_000, in: db)
                #expect(try SeriesStore.newest(silent.id, in: db) == nil)
                try db.run(
                    """
                    SELECT systole.create_group('plant',
                        series => \(Self.keys + ["plant.silent"])::text[])
                    """)
                try db.run("SELECT systole.watch_group('plant')")
            }
            try await Self.work(on: pool)
            let first = try await pool.run(
                """
                SELECT detector_version, metrics->>'judged' AS judged, metrics->>'members' AS members
                FROM systole.group_watches
                """
            ).only()
            #expect(try first.text("judged") == "4" && first.text("members") == "6")
            // A member that is gone: the group is learned anew behind what was judged.
            _ = try await pool.transaction { db in
                try db.run("DELETE FROM systole.series WHERE key = 'plant.silent'")
            }
            try await Self.append(900..<910, values: values, on: pool)
            try await Self.work(on: pool)
            let second = try await pool.run(
                """
                SELECT detector_version, trained_until, scored_until, metrics->>'members' AS members
                FROM systole.group_watches
                """
            ).only()
            #expect(try second.int("detector_version") == 2 && second.text("members") == "5")
            #expect(try second.timestamp("trained_until") == Self.at(899))
            #expect(try second.timestamp("scored_until") == Self.at(909))
            let rows = try await pool.run(
                "SELECT count(DISTINCT at) AS n FROM systole.group_scores('plant')")
            #expect(try rows.only().int("n") == 178)
        }
    }

    @Test func `what keeps a group from being judged is said`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<150, on: pool)
            try await Self.watch(on: pool)
            try await Self.work(on: pool)
            let note: SQL = "SELECT note FROM systole.group_watches"
            #expect(
                try await pool.run(note).only().text("note")
                    == "the group has 150 rows to learn from; at least 200 are needed")
            _ = try await pool.transaction { db in
                try db.run("UPDATE systole.series SET step_us = 60000000 WHERE key = 'plant.2'")
            }
            try await Self.append(150..<210, of: 0..<1, on: pool)
            try await Self.work(on: pool)
            #expect(
                try await pool.run(note).only().text("note")
                    == "these members no longer have the step of the group: \"plant.2\"")
            _ = try await pool.transaction { db in
                try db.run("DELETE FROM systole.series WHERE key <> 'plant.0'")
            }
            try await Self.append(210..<220, of: 0..<1, on: pool)
            try await Self.work(on: pool)
            #expect(
                try await pool.run(note).only().text("note")
                    == "the group has 1 members; at least 2 are needed")
            _ = try await pool.run("SELECT systole.unwatch_group('plant')")
            try await Self.append(220..<230, of: 0..<1, on: pool)
            #expect(try await Self.work(on: pool) == 0)
            _ = try await pool.run("SELECT systole.drop_group('plant')")
            _ = try await pool.run(
                "SELECT systole.enqueue('score-group', '{\"group_id\": 1}')")
            #expect(try await Self.work(on: pool) == 1, "a job of a group that is gone ends")
        }
    }

    @Test func `another budget is another threshold`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<900, on: pool)
            try await Self.watch(on: pool)
            try await Self.work(on: pool)
            let threshold: SQL = "SELECT threshold FROM systole.group_watches"
            let before = try await pool.run(threshold).only().double("threshold")
            _ = try await pool.run(
                "SELECT systole.watch_group('plant', alerts_per_week => 0.01)")
            try await Self.append(900..<901, on: pool)
            try await Self.work(on: pool)
            let after = try await pool.run(threshold).only().double("threshold")
            #expect(after > before)
            let versions = try await pool.run(
                "SELECT detector_version FROM systole.group_watches")
            #expect(try versions.only().int("detector_version") == 1)
        }
    }
}

extension Row {
    fileprivate func timestamp(_ column: String) throws -> Timestamp {
        Timestamp(microseconds: try epochMicroseconds(column))
    }
}
