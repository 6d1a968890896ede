import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Workflows

/// Watched series scored a lane at a time agree with those scored alone, and take nothing from each
/// other.
@Suite struct ScoringLaneTests {
    /// Hours that are stored before anything is watched.
    private static let before = 900

    /// Makes series numbered alike modulo 8, so that they share lane 1, each with a model and a watch
    /// that has scored what is stored.
    private static func watched(_ count: Int, on pool: Pool) async throws -> [SeriesID] {
        var ids: [SeriesID] = []
        for place in 0..<count {
            let key = "plant.\(place)"
            try await pool.transaction { db in
                try db.run(
                    """
                    INSERT INTO systole.series (series_id, key, unit, step_us)
                    OVERRIDING SYSTEM VALUE VALUES (\(1 + 8 * place), \(key), 'Cel', 3600000000)
                    """)
                _ = try SeriesStore.append(
                    Plant.wave(hours: before, until: Plant.end),
                    to: SeriesID(Int64(1 + 8 * place)), in: db)
            }
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
                enqueue: "SELECT systole.request_forecast(\(key), horizon => '24 hours')", on: pool)
            try await Plant.perform(
                DetectAnomalies(pool: pool), enqueue: "SELECT systole.watch(\(key))", on: pool)
            ids.append(SeriesID(Int64(1 + 8 * place)))
        }
        return ids
    }

    /// A week after what is stored, with a fault of six hours and, at the end, another level.
    private static func later() -> [Observation] {
        let hours = before + 168
        let end = Plant.end + .seconds(168 * 3600)
        return Plant.wave(hours: hours, until: end).suffix(168).enumerated().compactMap {
            index, row in
            if (30..<33).contains(index) { return nil }
            let fault = (60..<66).contains(index) ? 15.0 : 0
            return Observation(at: row.at, value: row.value + fault + (index >= 100 ? 9 : 0))
        }
    }

    private static func append(
        _ rows: some Collection<Observation>, to id: SeriesID, on pool: Pool
    ) async throws {
        let rows = Array(rows)
        try await pool.transaction { db in _ = try SeriesStore.append(rows, to: id, in: db) }
    }

    /// Runs the job of lane 1 as often as there is one.
    private static func scoreLane(_ handler: DetectAnomalies, on pool: Pool) async throws {
        for _ in 0..<10 {
            _ = try await pool.transaction { db in try WatchNews.route(in: db) }
            let waiting = try await pool.run(
                "SELECT count(*) AS n FROM systole.job WHERE kind = 'score' AND args ? 'lane'"
            ).only().int("n")
            if waiting == 0 { return }
            try await Plant.perform(
                handler, enqueue: "SELECT systole.route_news()", on: pool)
        }
        Issue.record("the lane never comes to an end")
    }

    /// Every score and incident of a series, to the last bit.
    private static func told(_ id: SeriesID, on pool: Pool) async throws -> [String] {
        let scores = try await pool.run(
            """
            SELECT concat_ws(' ', a.at, a.observed, a.expected, a.p_value, a.score,
                a.ahead_expected, a.ahead_score) AS line
            FROM systole.series s, systole.anomaly_score(s.key) a
            WHERE s.series_id = \(id) ORDER BY a.at
            """)
        let incidents = try await pool.run(
            """
            SELECT concat_ws(' ', kind, state, opened_at, resolved_at, peak_at, peak_score) AS line
            FROM systole.incident WHERE series_id = \(id) ORDER BY seq
            """)
        return try scores.allTexts("line") + incidents.allTexts("line")
    }

    @Test func `rows one by one, in pieces, without memory, and all at once give the same`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(4, on: pool)
            let rows = Self.later()
            let handler = DetectAnomalies(pool: pool)
            for (index, row) in rows.enumerated() {
                try await Self.append([row], to: ids[0], on: pool)
                if index % 7 == 6 {
                    try await Self.append(rows[(index - 6)...index], to: ids[1], on: pool)
                }
                try await Self.scoreLane(handler, on: pool)
                // Of this series no run remembers anything.
                if index % 50 == 49 {
                    try await Self.append(rows[(index - 49)...index], to: ids[2], on: pool)
                    try await Self.scoreLane(DetectAnomalies(pool: pool), on: pool)
                }
            }
            try await Self.append(rows.suffix(rows.count % 7), to: ids[1], on: pool)
            try await Self.append(rows.suffix(rows.count % 50), to: ids[2], on: pool)
            try await Self.scoreLane(handler, on: pool)
            try await Self.append(rows, to: ids[3], on: pool)
            try await Plant.perform(
                handler,
                enqueue: """
                    SELECT systole.enqueue('score', jsonb_build_object('series_id', \(ids[3].number)::bigint))
                    """, on: pool)
            let alone = try await Self.told(ids[3], on: pool)
            #expect(alone.count > rows.count)
            #expect(alone.contains { $0.hasPrefix("value resolved") })
            #expect(alone.contains { $0.hasPrefix("level-shift resolved") }, "\(alone.suffix(5))")
            for id in ids.prefix(3) {
                #expect(try await Self.told(id, on: pool) == alone, "series \(id)")
            }
            let broken = try await pool.run(
                "SELECT promise FROM systole.invariants() WHERE violations > 0")
            #expect(try broken.allTexts("promise") == [])
        }
    }

    @Test func `what comes late is seen, also by a run that remembers`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(2, on: pool)
            let rows = Self.later()
            let remembering = DetectAnomalies(pool: pool)
            for (id, isForgetful) in zip(ids, [false, true]) {
                func handler() -> DetectAnomalies {
                    isForgetful ? DetectAnomalies(pool: pool) : remembering
                }
                try await Self.append(rows[..<20], to: id, on: pool)
                try await Self.scoreLane(handler(), on: pool)
                // Rows 20 and 21 come after row 22.
                try await Self.append(rows[22..<23], to: id, on: pool)
                try await Self.scoreLane(handler(), on: pool)
                try await Self.append(rows[20..<22], to: id, on: pool)
                try await Self.scoreLane(handler(), on: pool)
                try await Self.append(rows[23..<60], to: id, on: pool)
                try await Self.scoreLane(handler(), on: pool)
            }
            let told = try await Self.told(ids[0], on: pool)
            #expect(try await Self.told(ids[1], on: pool) == told)
        }
    }

    @Test func `a series that cannot be scored says why, and the others are scored`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(2, on: pool)
            // The step is another than that of the model.
            try await pool.run(
                "UPDATE systole.series SET step_us = 1800000000 WHERE series_id = \(ids[0])")
            let rows = Self.later()
            for id in ids { try await Self.append(rows[..<5], to: id, on: pool) }
            try await Self.scoreLane(DetectAnomalies(pool: pool), on: pool)
            let watches = try await pool.run(
                "SELECT scored_until, trouble FROM systole.watches ORDER BY series_id")
            #expect(try watches[0].optionalText("trouble")?.contains("step") ?? false)
            #expect(try watches[1].isNull("trouble"))
            #expect(
                try watches[1].epochMicroseconds("scored_until") == rows[4].at.microseconds)
            let left = try await pool.run("SELECT count(*) AS n FROM systole.watch_news")
            #expect(try left.only().int("n") == 0)
        }
    }

    @Test func `a fast series that is younger than the rows of a first run is watched at once`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.transaction { db in
                let series = try SeriesStore.ensure(
                    key: "fast", stepMicroseconds: 100_000, in: db)
                let rows = Plant.wave(hours: 900, until: Plant.end).enumerated().map { index, row in
                    Observation(
                        at: Plant.end + .milliseconds(100 * (index - 899)), value: row.value)
                }
                _ = try SeriesStore.append(rows, to: series.id, in: db)
            }
            try await Plant.perform(
                IssueForecast(pool: pool, environment: Plant.environment),
                enqueue: "SELECT systole.request_forecast('fast', horizon => '2 seconds')", on: pool
            )
            try await Plant.perform(
                DetectAnomalies(pool: pool), enqueue: "SELECT systole.watch('fast')", on: pool)
            let watch = try await pool.run("SELECT threshold, scored_until FROM systole.watches")
            #expect(try watch.only().optionalDouble("threshold") ?? 0 > 1)
            #expect(try watch.only().epochMicroseconds("scored_until") == Plant.end.microseconds)
        }
    }

    @Test func `a series that cannot be scored alone says why as well, and its job is done`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(1, on: pool)
            try await pool.run("UPDATE systole.series SET step_us = 1800000000")
            try await Self.append(Self.later()[..<5], to: ids[0], on: pool)
            try await Plant.perform(
                DetectAnomalies(pool: pool),
                enqueue: """
                    SELECT systole.enqueue('score', jsonb_build_object('series_id', \(ids[0].number)::bigint))
                    """, on: pool)
            let watch = try await pool.run("SELECT trouble FROM systole.watches")
            #expect(try watch.only().optionalText("trouble")?.contains("step") ?? false)
        }
    }

    @Test(arguments: [true, false])
    func `a model that cannot be read is said, and the others are scored`(
        isPromoted: Bool
    ) async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(2, on: pool)
            if isPromoted {
                try await pool.transaction { db in
                    var model = NewModel(
                        series: ids[0], family: "ridge",
                        data: TrainingData(
                            digest: [UInt8](repeating: 0, count: 32), from: Plant.end,
                            until: Plant.end), weights: [1, 2, 3])
                    model.stepsMaximum = 24
                    try ModelStore.promote(try ModelStore.insert(model, in: db), in: db)
                }
            } else {
                try await pool.run(
                    """
                    UPDATE systole.model SET weights = '\\x010203', weights_sha256 = sha256('\\x010203')
                    WHERE series_id = \(ids[0])
                    """)
            }
            let rows = Self.later()
            for id in ids { try await Self.append(rows[..<5], to: id, on: pool) }
            let handler = DetectAnomalies(pool: pool)
            try await Self.scoreLane(handler, on: pool)
            if isPromoted { try await Plant.perform(handler, enqueue: "SELECT 1", on: pool) }
            let watches = try await pool.run(
                "SELECT scored_until, trouble FROM systole.watches ORDER BY series_id")
            #expect(try !watches[0].isNull("trouble") && watches[1].isNull("trouble"))
            #expect(try watches[1].epochMicroseconds("scored_until") == rows[4].at.microseconds)
        }
    }

    @Test func `more observations than steps are all looked at`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(1, on: pool)
            let rows = (1...1_440).map { minute in
                Observation(at: Plant.end + .seconds(60 * minute), value: 20)
            }
            try await Self.append(rows, to: ids[0], on: pool)
            let handler = DetectAnomalies(pool: pool)
            try await Self.scoreLane(handler, on: pool)
            try await Plant.perform(handler, enqueue: "SELECT 1", on: pool)
            let watch = try await pool.run("SELECT scored_until FROM systole.watches").only()
            #expect(try watch.epochMicroseconds("scored_until") == rows[1_439].at.microseconds)
        }
    }

    @Test func `of two runs of the same news one counts, and nothing is twice`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let ids = try await Self.watched(2, on: pool)
            let rows = Self.later()
            for id in ids { try await Self.append(rows[..<90], to: id, on: pool) }
            let handler = DetectAnomalies(pool: pool)
            let enqueue: SQL = """
                SELECT systole.enqueue('score', '{"lane": 1}', unique_key => gen_random_uuid()::text)
                """
            let first = try await Plant.claim("score", enqueue: enqueue, on: pool)
            let second = try await Plant.claim("score", enqueue: enqueue, on: pool)
            let context = JobContext(deadline: .now + .seconds(60))
            let effects = [
                (first, try await handler.run(first, context)),
                (second, try await handler.run(second, context)),
            ]
            for (lease, effect) in effects {
                try await pool.transaction { db in
                    try JobQueue().complete(lease, db)
                    try effect(db)
                }
            }
            try await Self.scoreLane(handler, on: pool)
            for id in ids {
                let incidents = try await pool.run(
                    "SELECT state FROM systole.incident WHERE series_id = \(id)")
                #expect(try incidents.allTexts("state") == ["resolved"])
            }
            let twice = try await pool.run(
                """
                SELECT count(*) - count(DISTINCT (s.series_id, a.at)) AS n
                FROM systole.series s, systole.anomaly_score(s.key) a
                """)
            #expect(try twice.only().int("n") == 0)
        }
    }
}
