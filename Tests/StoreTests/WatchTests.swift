import Postgres
import Series
import TestSupport
import Testing

@testable import Store

/// What is to be scored, streams that stop, and intervals that drift.
@Suite struct WatchTests {
    @Test(arguments: [
        "alerts_per_week => 0", "alerts_per_week => 'NaN'", "minimum_effect => -1",
        "minimum_effect => 'Infinity'", "hits => 0", "hits => 4", "among => 1001",
        "hits => NULL", "no_data_after => '0'", "no_data_after => '2 years'",
    ])
    func `a watch that makes no sense is refused with what is accepted`(
        _ argument: String
    ) async throws {
        try await withTestDatabase { database in
            _ = try await database.pool.transaction { try Fixture.series(in: $0) }
            let error = await #expect(throws: PostgresError.self) {
                _ = try await database.pool.run(
                    SQL(stringLiteral: "SELECT systole.watch('plant.oil_temp', \(argument))"))
            }
            #expect(error?.sqlState == "SY011" && error?.hint != nil)
        }
    }

    private static func watch(_ settings: SQL = "", in db: borrowing Session) throws -> SeriesID {
        let series = try Fixture.series(in: db)
        let model = try Fixture.model(of: series, in: db)
        try ModelStore.promote(model, in: db)
        try db.run("SELECT systole.watch('plant.oil_temp'\(settings))")
        try WatchStore.advance(
            [
                WatchAdvance(
                    series: series, scoredUntil: Fixture.at(5), machine: "{}", threshold: 4,
                    model: model)
            ], in: db)
        return series
    }

    @Test func `news are of watched series alone, and make one job a lane`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Self.watch(in: db)
                let other = try SeriesStore.ensure(
                    key: "other", stepMicroseconds: 3_600_000_000, in: db)
                for hour in 6..<9 {
                    for id in [series, other.id] {
                        _ = try SeriesStore.append(
                            Fixture.hourly(1, from: hour), to: id, in: db)
                    }
                }
                let lane = Int(series.number % 8)
                let news = try WatchNews.read(lane: lane, in: db)
                #expect(news.series == [series] && news.first[series] == Fixture.at(6))
                #expect(try WatchNews.read(lane: Int(other.id.number % 8), in: db).series == [])
                #expect(try WatchNews.route(in: db) == 1)
                #expect(try WatchNews.route(in: db) == 0)
                #expect(try news.remove(lane: lane, except: [series], in: db))
                #expect(try !news.remove(lane: lane, except: [], in: db))
            }
        }
    }

    @Test func `a stream that stays away for too long is an incident until it is back`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let openNoData: SQL = "SELECT systole.open_no_data() AS n"
            let series = try await pool.transaction { try Self.watch(in: $0) }
            let absent: SQL = "UPDATE systole.watch SET arrived_at = now() - interval '11 hours'"
            try await pool.run(absent)
            #expect(try await pool.number(openNoData) == 0, "what came but once has no habit")
            try await pool.run("UPDATE systole.watch SET arrivals = 3, arrival_gap = '4 hours'")
            #expect(try await pool.number(openNoData) == 0, "it may stay away for three gaps")
            try await pool.run("UPDATE systole.watch SET arrival_gap = '1 minute'")
            // Ten steps of an hour have gone by.
            #expect(try await pool.number(openNoData) == 1)
            #expect(try await pool.number(openNoData) == 0)
            let open = try await pool.run(
                "SELECT kind, state, opened_at, peak_score FROM systole.anomalies")
            #expect(try open.only().text("kind") == "no-data")
            #expect(try open.only().epochMicroseconds("opened_at") == Fixture.at(6).microseconds)
            try await pool.transaction { db in
                #expect(try IncidentStore.firing([series], kind: .noData, in: db) == [series])
                try IncidentStore.resolve(series, kind: .noData, at: Fixture.at(16), in: db)
                #expect(try IncidentStore.firing([series], kind: .noData, in: db).isEmpty)
            }
            let events = try await pool.run(
                "SELECT type FROM systole.outbox WHERE type LIKE 'anomaly.%' ORDER BY event_id")
            #expect(try events.allTexts("type") == ["anomaly.opened", "anomaly.resolved"])
        }
    }

    @Test
    func `news that wait, a pause, and a patience of its own keep a stream from being missed`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let openNoData: SQL = "SELECT systole.open_no_data() AS n"
            let series = try await pool.transaction { db in
                try Self.watch(", no_data_after => '12 hours'", in: db)
            }
            try await pool.run(
                "UPDATE systole.watch SET arrivals = 9, arrived_at = now() - interval '11 hours'")
            #expect(try await pool.number(openNoData) == 0)
            try await pool.run("UPDATE systole.watch SET arrived_at = now() - interval '13 hours'")
            try await pool.transaction { db in
                _ = try SeriesStore.append(Fixture.hourly(1, from: 6), to: series, in: db)
            }
            #expect(try await pool.number(openNoData) == 0, "the scorer is late, not the stream")
            try await pool.run("DELETE FROM systole.watch_news")
            try await pool.run("SELECT systole.unwatch('plant.oil_temp')")
            #expect(try await pool.number(openNoData) == 0)
            try await pool.run("UPDATE systole.watch SET paused_at = NULL")
            #expect(try await pool.number(openNoData) == 1)
        }
    }

    @Test func `a watched series that was never scored is, once for each model that goes live`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let scorePromoted: SQL = "SELECT systole.score_promoted() AS n"
                let series = try Fixture.series(in: db)
                try db.run("SELECT systole.watch('plant.oil_temp')")
                #expect(try db.run(scorePromoted).only().int("n") == 0, "it has no model")
                for _ in 0..<2 {
                    try ModelStore.promote(try Fixture.model(of: series, in: db), in: db)
                    #expect(try db.run(scorePromoted).only().int("n") == 1)
                    try db.run("DELETE FROM systole.job")
                    #expect(try db.run(scorePromoted).only().int("n") == 0)
                }
            }
        }
    }

    @Test func `a watch says why its series could not be scored, until it is`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Self.watch(in: db)
                let trouble: SQL = "SELECT trouble FROM systole.watches"
                try WatchStore.note(
                    [(series: series, model: ModelID(1), reason: "the step is another")], in: db)
                #expect(try db.run(trouble).only().text("trouble") == "the step is another")
                try WatchStore.advance(
                    [
                        WatchAdvance(
                            series: series, scoredUntil: Fixture.at(6), machine: "{}",
                            threshold: 4, model: ModelID(1))
                    ], in: db)
                #expect(try db.run(trouble).only().isNull("trouble"))
            }
        }
    }

    /// Stores what became of runs of 10 steps, so many inside their intervals.
    private static func mark(
        _ runs: ClosedRange<Int>, inside80: Int, inside95: Int, of series: SeriesID,
        in db: borrowing Session
    ) throws {
        try db.run(
            """
            INSERT INTO systole.accuracy_point (series_id, forecast_id, from_step, model_id, points,
                absolute, squared, error, crps, crps_points, inside_80, bounded_80,
                inside_95, bounded_95, naive_absolute, compared_absolute, naive_points)
            SELECT \(series), n, 2, 1, 10, 0, 0, 0, 0, 0, \(inside80), 10, \(inside95), 10, 0, 0, 0
            FROM generate_series(\(runs.lowerBound)::integer, \(runs.upperBound)::integer) n
            """)
        try db.run(
            """
            INSERT INTO systole.coverage_sum (series_id, model_id, from_step, bounded_80, inside_80,
                bounded_95, inside_95)
            VALUES (\(series), 1, 2, 10, \(inside80), 10, \(inside95))
            ON CONFLICT ON CONSTRAINT coverage_sum_pkey DO UPDATE SET changed_at = now()
            """)
    }

    @Test func `intervals that drift are told of once, and once when they hold again`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let tell: SQL = "SELECT systole.tell_coverage('-infinity') AS n"
                let series = try Self.watch(in: db)
                try Self.mark(1...19, inside80: 4, inside95: 9, of: series, in: db)
                #expect(try db.run(tell).only().int("n") == 0, "too few runs say nothing")
                try Self.mark(20...60, inside80: 4, inside95: 9, of: series, in: db)
                #expect(try db.run(tell).only().int("n") == 1, "0.9 of 0.95 is within the margin")
                #expect(try db.run(tell).only().int("n") == 0)
                let alarm = try db.run(
                    "SELECT nominal, achieved, recovered_at FROM systole.coverage_alarms"
                ).only()
                #expect(try alarm.double("nominal") == 0.8 && alarm.isNull("recovered_at"))
                #expect(abs(try alarm.double("achieved") - 0.4) < 1e-9)
                // The 50 newest runs count, whatever was before.
                try Self.mark(61...110, inside80: 8, inside95: 9, of: series, in: db)
                #expect(try db.run(tell).only().int("n") == 1)
                let events = try db.run(
                    "SELECT type FROM systole.outbox WHERE type LIKE 'coverage.%' ORDER BY event_id"
                )
                #expect(
                    try events.allTexts("type") == ["coverage.drifted", "coverage.recovered"])
            }
        }
    }
}
