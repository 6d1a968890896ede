import Postgres
import Series
import TestSupport
import Testing

@testable import Store

/// Forecasts are marked as the truth arrives, and the sums agree with one look at everything.
@Suite struct MarkingTests {
    /// The accuracy of everything stored, computed at once from the definitions.
    private static let atOnce: SQL = """
        SELECT s.key AS series, systole.horizon_bucket(v.step) AS bucket, count(*) AS points,
            avg(abs(v.error)) AS mae, sqrt(avg(v.error * v.error)) AS rmse, avg(v.error) AS bias,
            avg(v.inside_80::integer)::double precision AS coverage_80,
            1 - sum(abs(v.error)) FILTER (WHERE n.value IS NOT NULL)
                / nullif(sum(abs(v.actual - n.value)), 0) AS skill,
            count(n.value) AS skill_points
        FROM systole.forecast_vs_actual v
        JOIN systole.series s USING (series_id)
        LEFT JOIN systole.observation n ON n.series_id = v.series_id
            AND n.at = v.at - (v.step + 23) / 24 * interval '24 hours'
        GROUP BY s.key, systole.horizon_bucket(v.step)
        """

    /// Where the sums and the definitions differ.
    private func differences(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT concat_ws(' ', coalesce(a.series, d.series), coalesce(a.from_step, lower(d.bucket)),
                a.points, d.points, a.mae, d.mae, a.skill, d.skill, a.skill_points, d.skill_points)
                AS line
            FROM (\(Self.atOnce)) d
            FULL JOIN systole.accuracy a ON a.series = d.series AND a.from_step = lower(d.bucket)
            WHERE a.points IS DISTINCT FROM d.points OR a.skill_points IS DISTINCT FROM d.skill_points
                OR abs(a.mae - d.mae) > 1e-9 OR abs(a.rmse - d.rmse) > 1e-9
                OR abs(a.bias - d.bias) > 1e-9 OR abs(a.coverage_80 - d.coverage_80) > 1e-9
                OR (a.skill IS NULL) <> (d.skill IS NULL)
                OR abs(a.skill - d.skill) > 1e-9 * greatest(1, abs(d.skill))
            """
        ).allTexts("line")
    }

    /// Where the sums over all runs of a model are not those of its runs.
    private func coverageDifferences(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT concat_ws(' ', c.series_id, p.series_id, c.from_step, c.bounded_80, p.bounded_80)
                AS line
            FROM systole.coverage_sum c
            FULL JOIN (
                SELECT series_id, model_id, from_step, sum(bounded_80) AS bounded_80,
                    sum(inside_80) AS inside_80, sum(bounded_95) AS bounded_95,
                    sum(inside_95) AS inside_95
                FROM systole.accuracy_point GROUP BY series_id, model_id, from_step) p
                USING (series_id, model_id, from_step)
            WHERE (c.bounded_80, c.inside_80, c.bounded_95, c.inside_95)
                IS DISTINCT FROM (p.bounded_80, p.inside_80, p.bounded_95, p.inside_95)
            """
        ).allTexts("line")
    }

    private func mark(_ pool: Pool) async throws -> Int {
        try await pool.run("SELECT systole.score_accuracy() AS n").only().int("n")
    }

    private func revisions(_ pool: Pool) async throws -> Int? {
        try await pool.run("SELECT max(revisions) AS n FROM systole.accuracy").only()
            .optionalInt64("n").map { Int($0) }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6])
    func `whatever the order of arrival, the sums are those of one look at everything`(
        seed: UInt64
    ) async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            var random = Sequence(state: seed)
            let keys = ["plant.a", "plant.b", "plant.c"]
            var waiting: [(String, Observation)] = keys.flatMap { key in
                (0..<220).map { hour in
                    (key, Observation(at: Fixture.at(hour), value: Double(random.below(1000))))
                }
            }
            var issued = 0
            while !waiting.isEmpty {
                // Mostly in order, with now and then something from far ahead or left behind.
                for _ in 0..<(1 + random.below(60)) where !waiting.isEmpty {
                    let index = random.below(8) == 0 ? random.below(waiting.count) : 0
                    let (key, observation) = waiting.remove(at: index)
                    let again = Observation(at: observation.at, value: observation.value + 5)
                    let rows = random.below(10) == 0 ? [[observation], [again]] : [[observation]]
                    try await pool.transaction { db in
                        let series = try Fixture.series(key, in: db)
                        for row in rows {
                            try SeriesStore.append(row, to: series, onConflict: .revise, in: db)
                        }
                    }
                }
                let (key, hour) = (keys[random.below(3)], random.below(200))
                let (steps, value) = (1 + random.below(60), Double(random.below(1000)))
                if issued < 12 {
                    issued += 1
                    try await pool.transaction { db in
                        let series = try Fixture.series(key, in: db)
                        let stored = try ModelStore.live(series, in: db)?.record.id
                        let model = try stored ?? Fixture.model(of: series, in: db)
                        if stored == nil { try ModelStore.promote(model, in: db) }
                        try ForecastLedger.write(
                            Fixture.forecast(after: hour, steps: steps, value: value),
                            series: series, model: model, in: db)
                    }
                }
                if random.below(3) == 0 { _ = try await mark(pool) }
            }
            while try await mark(pool) > 0 {}
            #expect(try await differences(pool).isEmpty)
            #expect(try await coverageDifferences(pool).isEmpty)
            let marked = try await pool.run("SELECT sum(points)::bigint AS n FROM systole.accuracy")
            #expect(try marked.only().int64("n") > 100)
        }
    }

    @Test func `what arrives in time is added, what comes late or is corrected is summed anew`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let series = try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                try SeriesStore.append(Fixture.hourly(101), to: series, in: db)
                try ForecastLedger.write(
                    Fixture.forecast(after: 100, steps: 48, value: 100), series: series,
                    model: Fixture.model(of: series, in: db), in: db)
                return series
            }
            _ = try await mark(pool)
            #expect(try await revisions(pool) == nil, "nothing to compare with yet")
            for hours in [101..<103, 104..<110] {
                try await pool.transaction { db in
                    let rows = Fixture.hourly(hours.count, from: hours.lowerBound)
                    _ = try SeriesStore.append(rows, to: series, in: db)
                }
                #expect(try await mark(pool) == 1)
                #expect(try await mark(pool) == 0)
                #expect(try await differences(pool).isEmpty)
            }
            #expect(try await revisions(pool) == 0)
            try await pool.transaction { db in  // The one that was left out.
                _ = try SeriesStore.append(Fixture.hourly(1, from: 103), to: series, in: db)
            }
            #expect(try await mark(pool) == 1)
            #expect(try await revisions(pool) == 1)
            #expect(try await differences(pool).isEmpty)
            try await pool.transaction { db in  // A correction of what seasonal naive looks at.
                _ = try SeriesStore.append(
                    Fixture.hourly(1, from: 90, offset: 7), to: series, onConflict: .revise, in: db)
            }
            #expect(try await mark(pool) == 1)
            #expect(try await revisions(pool) == 2)
            #expect(try await differences(pool).isEmpty)
            try await pool.transaction { db in  // The same once more changes nothing.
                _ = try SeriesStore.append(Fixture.hourly(9, from: 101), to: series, in: db)
            }
            #expect(try await mark(pool) == 0)
        }
    }

    @Test func `a forecast of the past is marked at once`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                try SeriesStore.append(Fixture.hourly(120), to: series, in: db)
                try ForecastLedger.write(
                    Fixture.forecast(after: 119, steps: 24), series: series, model: model, in: db)
                try SeriesStore.append(Fixture.hourly(1, from: 120), to: series, in: db)
            }
            #expect(try await mark(pool) == 1)
            try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                try ForecastLedger.write(
                    Fixture.forecast(after: 80, steps: 24), series: series, model: model, in: db)
            }
            #expect(try await mark(pool) == 1)
            let runs = try await pool.run(
                "SELECT sum(points)::bigint AS n FROM systole.accuracy")
            #expect(try runs.only().int64("n") == 25)
        }
    }
}

/// Numbers that follow from a seed (MMIX's linear congruential generator, D. Knuth).
private struct Sequence {
    var state: UInt64

    mutating func below(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
    }
}
