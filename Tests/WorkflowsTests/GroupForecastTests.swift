import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Forecasting
@testable import Workflows

/// Models of groups and their forecasts, on a real database.
@Suite struct GroupForecastTests {
    private static let start = Timestamp(microseconds: 1_749_999_600_000_000)
    private static let keys = (0..<4).map { "plant.\($0)" }
    private static let values = SimulatedGroup(channels: 4, seed: 7).rows(700, with: [])

    private static func at(_ row: Int) -> Timestamp { start + .seconds(3_600 * row) }

    private static func append(
        _ rows: Range<Int>, of channels: Range<Int> = 0..<4,
        value: @Sendable (Int, Int) -> Double = { values[$0][$1] }, on pool: Pool
    ) async throws {
        try await pool.transaction { db in
            for channel in channels {
                let series = try SeriesStore.ensure(
                    key: keys[channel], stepMicroseconds: 3_600_000_000, in: db)
                let observations = rows.compactMap { row in
                    value(channel, row).isNaN
                        ? nil : Observation(at: at(row), value: value(channel, row))
                }
                _ = try SeriesStore.append(observations, to: series.id, in: db)
            }
        }
    }

    private static func group(on pool: Pool) async throws {
        _ = try await pool.run(
            "SELECT systole.create_group('plant', series => \(keys)::text[])")
    }

    private static func train(
        _ pool: Pool, hours: Int = 12, family: String = "ridge"
    ) async throws {
        try await Plant.perform(
            TrainGroup(pool: pool, environment: Plant.environment),
            enqueue: """
                SELECT systole.train_group('plant', \(family), \(hours) * interval '1 hour', seed => 3)
                """, on: pool)
    }

    private static func forecast(
        _ pool: Pool, _ handler: ForecastGroup? = nil,
        _ call: SQL = "SELECT systole.request_group_forecast('plant')"
    ) async throws {
        try await Plant.perform(handler ?? ForecastGroup(pool: pool), enqueue: call, on: pool)
    }

    private static func expectPromises(_ pool: Pool) async throws {
        let broken = try await pool.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0"
        ).allTexts("promise")
        #expect(broken == [])
    }

    @Test func `a group is trained, forecast in one transaction, and says whose past it used`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<600, on: pool)
            try await Self.group(on: pool)
            try await Self.train(pool, family: "ridge-mean,tsm2-calendar")
            let model = try await pool.run("SELECT * FROM systole.group_models").only()
            #expect(try model.text("stage") == "live")
            #expect(try model.double("validation_mse") < model.double("repeat_last_mse"))
            let rows = try await pool.run(
                """
                SELECT series, stage, weight_bytes > 0 AS weighs, shared_from IS NULL AS owns
                FROM systole.models WHERE family = 'group' ORDER BY series
                """)
            #expect(
                try rows.allTexts("stage") == ["candidate", "candidate", "candidate", "candidate"])
            #expect(try rows.map { try $0.bool("owns") } == [true, false, false, false])
            try await Self.forecast(pool)
            let runs = try await pool.run("SELECT * FROM systole.forecasts ORDER BY series")
            #expect(try runs.allTexts("series") == Self.keys)
            #expect(try Set(runs.allTexts("family")) == ["group"])
            for row in runs {
                #expect(try row.int("steps") == 12)
                #expect(try row.instant("start_at") == Self.at(600))
                #expect(try row.instant("data_until") == Self.at(599))
            }
            let point = try await pool.run(
                "SELECT value, lower_80, upper_80 FROM systole.forecast('plant.2') LIMIT 1")
            #expect(try point.only().double("lower_80") <= point.only().double("upper_80"))
            // What came true is held against it like any other forecast.
            try await Self.append(600..<620, on: pool)
            try await Self.expectPromises(pool)
            await #expect(throws: PostgresError.self) {
                try await pool.run(
                    "SELECT systole.promote_model(min(model_id)) FROM systole.models")
            }
        }
    }

    @Test
    func `a member that is silent is left out, one that is gone as well, and the others go on`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<600, on: pool)
            try await Self.group(on: pool)
            try await Self.train(pool)
            // One falls silent for longer than the model looks back; another is a day behind.
            try await Self.append(600..<640, of: 0..<3, on: pool)
            let handler = ForecastGroup(pool: pool)
            try await Self.forecast(pool, handler)
            #expect(try await Self.members(pool) == ["plant.0", "plant.1", "plant.2", "plant.3"])
            let late = try await pool.run(
                "SELECT data_until FROM systole.forecasts WHERE series = 'plant.3'")
            #expect(try late.only().instant("data_until") == Self.at(599))
            try await Self.append(640..<700, of: 0..<3, on: pool)
            try await Self.append(
                700..<860, of: 0..<3, value: { Self.values[$0][$1 - 500] }, on: pool)
            try await Self.forecast(
                pool, handler, "SELECT systole.request_group_forecast('plant', '6 h')")
            #expect(try await Self.members(pool) == ["plant.0", "plant.1", "plant.2"])
            let left = try await pool.run(
                """
                SELECT s.key FROM systole.group_forecast f, unnest(f.left_out) u (series_id)
                JOIN systole.series s USING (series_id) ORDER BY f.group_forecast_id
                """)
            #expect(try left.allTexts("key") == ["plant.3"])
            try await Self.expectPromises(pool)
        }
    }

    private static func members(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT series FROM systole.forecasts
            WHERE job_id = (SELECT max(job_id) FROM systole.forecasts) ORDER BY series
            """
        ).allTexts("series")
    }

    @Test func `a member that is deleted after the training is forecast no more, the others are`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<600, on: pool)
            try await Self.group(on: pool)
            try await Self.train(pool, family: "tsm2-calendar")
            try await pool.transaction { db in
                // A series goes with its models; not the member whose row has the weights of all.
                try db.run(
                    """
                    DELETE FROM systole.model WHERE series_id =
                        (SELECT series_id FROM systole.series WHERE key = 'plant.1')
                    """)
                try db.run("DELETE FROM systole.series WHERE key = 'plant.1'")
            }
            try await Self.forecast(pool)
            #expect(try await Self.members(pool) == ["plant.0", "plant.2", "plant.3"])
            let run = try await pool.run(
                "SELECT members[2] AS gone, left_out FROM systole.group_forecast"
            ).only()
            #expect(try run.text("left_out") == "{\(run.int64("gone"))}")
            try await Self.expectPromises(pool)
        }
    }

    @Test func `a member that never varies, or never was there, harms nobody`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.append(0..<600, of: 0..<2, on: pool)
            try await Self.append(0..<600, of: 2..<3, value: { _, _ in 5 }, on: pool)
            try await Self.append(0..<1, of: 3..<4, value: { _, _ in .nan }, on: pool)
            try await Self.group(on: pool)
            try await Self.train(pool)
            try await Self.forecast(pool)
            #expect(try await Self.members(pool) == ["plant.0", "plant.1", "plant.2"])
            let flat = try await pool.run(
                "SELECT max(abs(value - 5)) AS d FROM systole.forecast('plant.2')")
            #expect(try flat.only().double("d") < 0.5)
        }
    }

    @Test func `what cannot be trained or forecast says what is needed`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            func failure(_ body: () async throws -> Void) async -> String {
                do {
                    try await body()
                    return "nothing"
                } catch {
                    return "\(error)"
                }
            }
            try await Self.append(0..<60, on: pool)
            let one = await failure {
                _ = try await pool.run("SELECT systole.create_group('one', series => '{plant.0}')")
            }
            #expect(one.contains("2 to 1000 members"))
            try await Self.group(on: pool)
            #expect(
                await failure { try await Self.forecast(pool) }.contains("the group has no model"))
            #expect(
                await failure { try await Self.train(pool, family: "ets") }
                    .contains("Groups have no model family 'ets'"))
            #expect(
                await failure { try await Self.train(pool, hours: 24) }
                    .contains("the group has 60 rows; a horizon of 24 steps needs"))
            #expect(
                await failure {
                    _ = try await pool.run(
                        "SELECT systole.train_group('plant', horizon => '3 years')")
                }.contains("steps of this group"))
            try await pool.run(
                "UPDATE systole.series SET step_us = 1800000000 WHERE key = 'plant.1'")
            #expect(
                await failure { try await Self.train(pool) }
                    .contains("no longer have the step of the group: \"plant.1\""))
        }
    }
}

extension Row {
    fileprivate func instant(_ column: String) throws -> Timestamp {
        Timestamp(microseconds: try epochMicroseconds(column))
    }
}
