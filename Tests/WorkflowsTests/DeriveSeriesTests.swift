import Forecasting
import Foundation
import Jobs
import Postgres
import Series
import Store
import TestSupport
import Testing

@testable import Workflows

/// Derived series on a real database.
@Suite struct DeriveSeriesTests {
    private static let start = Timestamp(microseconds: 1_750_000_000_000_000)

    private static func at(_ row: Int) -> Timestamp {
        Timestamp(microseconds: start.microseconds + Int64(row) * 10_000)
    }

    /// Samples of the channels a and b at 100 Hz.
    private static func values(_ rows: Range<Int>) -> [[Double]] {
        [3.0, 5].map { period in rows.map { sin(Double($0) / period) + Double($0 % 7) / 10 } }
    }

    /// Stores rows of some channels of a device, as ingestion does.
    private static func append(
        _ rows: Range<Int>, of channels: [String] = ["a", "b"], device: String = "imu",
        step: Int64 = 10_000, early: Int64 = 0, on pool: Pool
    ) async throws {
        let values = values(rows)
        try await pool.transaction { db in
            for name in channels {
                let series = try SeriesStore.ensure(
                    key: "\(device).\(name)", stepMicroseconds: step, in: db)
                let column = values[name == "a" ? 0 : 1]
                let observations = rows.map { row in
                    Observation(
                        at: Timestamp(
                            microseconds: start.microseconds + Int64(row) * step - early),
                        value: column[row - rows.lowerBound])
                }
                _ = try SeriesStore.append(observations, to: series.id, in: db)
            }
        }
    }

    /// Stores a version of a model that was never trained, which has outputs like any other.
    @discardableResult
    private static func store(
        _ model: SensorModel, as name: String = "hiss-imu", promote: Bool = true, on pool: Pool
    ) async throws -> Int64 {
        try await pool.transaction { db in
            let id = try SensorModelStore.add(
                NewSensorModel(
                    name: name, family: "hiss", inputs: model.inputs.map(\.name),
                    outputs: model.outputs, stepMicroseconds: model.stepMicroseconds,
                    ratio: model.ratio, memory: model.memory, card: "{}",
                    weights: model.encoded()), in: db)
            if promote { try db.run("SELECT systole.promote_sensor_model(\(id))") }
            return id
        }
    }

    private static func derive(on pool: Pool, lateness: String? = nil) async throws {
        try await pool.run(
            """
            SELECT systole.derive('imu', model => 'hiss-imu', output => 'imu.derived',
                lateness => \(lateness)::interval)
            """)
    }

    /// Routes news and does the jobs until none is left; returns how many it did.
    @discardableResult
    private static func work(
        _ handler: DeriveSeries? = nil, on pool: Pool
    ) async throws -> Int {
        let handler = handler ?? DeriveSeries(pool: pool)
        var jobs = 0
        _ = try await pool.transaction { db in try WatchNews.route(in: db) }
        while try await pool.run(
            "SELECT FROM systole.job WHERE kind = 'derive' AND state = 'ready'"
        ).count > 0 {
            try await Plant.perform(handler, enqueue: "SELECT 1", on: pool)
            jobs += 1
        }
        return jobs
    }

    private static func derived(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            """
            SELECT concat_ws(' ', series, at, value) AS line FROM systole.observations
            WHERE series LIKE 'imu.derived.%' ORDER BY series, at
            """
        ).allTexts("line")
    }

    private static func notes(_ pool: Pool) async throws -> [String] {
        try await pool.run("SELECT kind FROM systole.derivation_notes ORDER BY note_id")
            .allTexts("kind")
    }

    private static func expectPromises(_ pool: Pool) async throws {
        let broken = try await pool.run(
            "SELECT promise FROM systole.invariants() WHERE violations > 0"
        ).allTexts("promise")
        #expect(broken == [])
    }

    /// What one prediction of a model over rows would be stored as.
    private static func expected(_ model: SensorModel, _ rows: Range<Int>) throws -> [Float] {
        let columns = values(rows)
        return model.predict(
            SensorSequence(
                name: "s", inputs: columns,
                targets: model.outputs.map { _ in
                    [Double](repeating: 0, count: rows.count / model.ratio)
                }, ratio: model.ratio))
    }

    @Test
    func `samples become values as they come, the same in pieces, from new workers, as the batch`()
        async throws
    {
        let model = MadeModel.model()
        var found: [[String]] = []
        for pieces in [[0..<20_000], [0..<7, 7..<4_001, 4_001..<4_003, 4_003..<20_000]] {
            try await withTestDatabase { database in
                let pool = database.pool
                try await Self.store(model, on: pool)
                try await Self.append(pieces[0], on: pool)
                try await Self.derive(on: pool)
                try await Self.work(on: pool)
                for piece in pieces.dropFirst() {
                    try await Self.append(piece, on: pool)
                    try await Self.work(on: pool)  // Each time by a handler that knows nothing.
                }
                found.append(try await Self.derived(pool))
                #expect(try await Self.notes(pool) == ["began"])
                try await Self.expectPromises(pool)
                let row = try await pool.run("SELECT * FROM systole.derivations").only()
                #expect(try row.timestamp("derived_until") == Self.at(20_000))
                #expect(try row.int("late") == 0)
                #expect(try row.optionalText("trouble") == nil)
                let stored = try await pool.run(
                    """
                    SELECT unit, step = '50 ms' AS fits FROM systole.series_list
                    WHERE series = 'imu.derived.v'
                    """
                ).only()
                #expect(try stored.text("unit") == "m/s" && stored.bool("fits"))
                let speed = try await pool.run(
                    """
                    SELECT at, value FROM systole.observations WHERE series = 'imu.derived.u'
                    ORDER BY at
                    """)
                let batch = try Self.expected(model, 0..<20_000)
                #expect(speed.count == 4_000)
                #expect(try speed.first?.timestamp("at") == Self.at(4))
                let largest = batch.map(abs).max() ?? 0
                for (index, row) in speed.enumerated() {
                    let error = abs(try row.double("value") - Double(batch[2 * index]))
                    if error >= 1e-5 * Double(largest) {
                        Issue.record("output \(index): \(error)")
                        break
                    }
                }
            }
        }
        #expect(found[0] == found[1] && !found[0].isEmpty)
    }

    @Test func `a run that is cut off stores nothing, and another worker goes on`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<300, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            let before = try await Self.derived(pool)
            try await Self.append(300..<600, on: pool)
            _ = try await pool.transaction { db in try WatchNews.route(in: db) }
            let lease = try await Plant.claim("derive", enqueue: "SELECT 1", on: pool)
            let lost = try await DeriveSeries(pool: pool).run(
                lease, JobContext(deadline: .now + .seconds(60)))
            #expect(try await Self.derived(pool) == before, "computed, but not stored")
            // Somebody else does it; what the first one found out is worth nothing then.
            let other = try await DeriveSeries(pool: pool).run(
                lease, JobContext(deadline: .now + .seconds(60)))
            try await pool.transaction { db in try other(db) }
            let after = try await Self.derived(pool)
            #expect(after.count == 2 * before.count)
            try await pool.transaction { db in try lost(db) }
            #expect(try await Self.derived(pool) == after)
            let position = try await pool.run("SELECT derived_until FROM systole.derivations")
            #expect(try position.only().timestamp("derived_until") == Self.at(600))
            try await Self.expectPromises(pool)
            try await pool.run(
                """
                INSERT INTO systole.observation SELECT series_id, \(Self.at(700)), 1
                FROM systole.series WHERE key = 'imu.derived.u'
                """)
            let broken = try await pool.run(
                "SELECT promise FROM systole.invariants() WHERE violations > 0")
            #expect(try broken.only().text("promise").contains("beyond what the state"))
        }
    }

    @Test func `a channel is waited for, and after that others go on without values`() async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool, lateness: "300 ms")
            try await Self.work(on: pool)
            try await Self.append(100..<130, of: ["a"], on: pool)
            try await Self.work(on: pool)
            var until = try await pool.run("SELECT derived_until FROM systole.derivations").only()
            #expect(try until.timestamp("derived_until") == Self.at(100), "b is waited for")
            try await Self.append(130..<160, of: ["a"], on: pool)
            try await Self.work(on: pool)
            until = try await pool.run("SELECT derived_until FROM systole.derivations").only()
            #expect(try until.timestamp("derived_until") == Self.at(130))
            #expect(try await Self.derived(pool).count == 40, "without b there are no values")
            // What comes for what was taken in changes nothing, and is told.
            try await Self.append(100..<160, of: ["b"], on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.notes(pool) == ["began", "late"])
            let late = try await pool.run("SELECT late, derived_until FROM systole.derivations")
            #expect(try late.only().int("late") == 1)
            #expect(try late.only().timestamp("derived_until") == Self.at(160))
            #expect(try await Self.derived(pool).count == 52)
            try await Self.expectPromises(pool)
        }
    }

    /// That some rows gave what a model makes of them alone.
    private static func expectBatch(
        of model: SensorModel, over rows: Range<Int>, on pool: Pool
    ) async throws {
        let stored = try await pool.run(
            """
            SELECT value FROM systole.observations
            WHERE series = 'imu.derived.u' AND at > \(at(rows.lowerBound)) ORDER BY at
            """)
        let batch = try expected(model, rows)
        #expect(stored.count == batch.count / 2)
        for (index, row) in stored.enumerated() {
            #expect(abs(try row.double("value") - Double(batch[2 * index])) < 1e-4)
        }
    }

    @Test func `a clock that is a little early is not late`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            for rows in [100..<150, 150..<200] {
                try await Self.append(rows, early: 2_000, on: pool)
                try await Self.work(on: pool)
            }
            #expect(try await Self.notes(pool) == ["began"])
            let row = try await pool.run("SELECT * FROM systole.derivations").only()
            #expect(try row.int("late") == 0)
            #expect(try row.timestamp("derived_until") == Self.at(200))
            #expect(try await Self.derived(pool).count == 80)
        }
    }

    @Test func `a long gap begins the stream anew, and says so`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            try await Self.append(10_000_000..<10_000_100, on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.notes(pool) == ["began", "lapsed", "began"])
            try await Self.expectBatch(
                of: MadeModel.model(), over: 10_000_000..<10_000_100, on: pool)
            let told = try await pool.run(
                "SELECT detail FROM systole.derivation_notes WHERE kind = 'lapsed'"
            ).only().text("detail")
            #expect(told.hasPrefix("channel a has been silent"))
        }
    }

    @Test func `another version of the model goes on from a state of its own`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            let second = MadeModel.model(seed: 2)
            let id = try await Self.store(second, promote: false, on: pool)
            try await Self.append(100..<200, on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.notes(pool) == ["began"], "a candidate changes nothing")
            try await pool.run("SELECT systole.promote_sensor_model(\(id))")
            try await Self.append(200..<300, on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.notes(pool) == ["began", "model", "began"])
            try await Self.expectBatch(of: second, over: 200..<300, on: pool)
            // A version that reads something else is none.
            await #expect(throws: PostgresError.self) {
                try await Self.store(MadeModel.model(seed: 3, step: 20_000), on: pool)
            }
        }
    }

    @Test func `a state that was damaged begins anew, and a damaged model is told of`() async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            try await pool.run(
                "UPDATE systole.derivation SET state = substring(state FOR length(state) - 4)")
            try await Self.append(100..<200, on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.notes(pool) == ["began", "state", "began"])
            #expect(try await Self.derived(pool).count == 80)
            let weights: [UInt8] = [1, 2, 3]
            try await pool.run(
                """
                UPDATE systole.sensor_model
                SET weights = \(weights), weights_sha256 = sha256(\(weights))
                """)
            try await Self.append(200..<300, on: pool)
            try await Self.work(on: pool)
            let trouble = try await pool.run("SELECT trouble FROM systole.derivations").only()
            #expect(try trouble.text("trouble").contains("safetensors"))
            #expect(try await Self.derived(pool).count == 80)
            try await pool.run("UPDATE systole.sensor_model SET stage = 'retired'")
            try await Self.append(300..<400, on: pool)
            try await Self.work(on: pool)
            let gone = try await pool.run("SELECT trouble FROM systole.derivations").only()
            #expect(try gone.text("trouble").contains("no live version"))
        }
    }

    @Test func `what cannot be derived is refused, with what is accepted`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            func refused(_ call: SQL) async throws -> String {
                do {
                    try await pool.run(call)
                    return "nothing"
                } catch let error as PostgresError {
                    return "\(error)"
                }
            }
            #expect(
                try await refused("SELECT systole.derive('imu', 'hiss-imu', 'out')")
                    .contains("There is no live sensor model 'hiss-imu'"))
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, of: ["a"], on: pool)
            #expect(
                try await refused("SELECT systole.derive('imu', 'hiss-imu', 'out')")
                    .contains("'imu' lacks channels that model 'hiss-imu' reads: 'b'"))
            try await Self.append(0..<100, device: "slow", step: 30_000, on: pool)
            #expect(
                try await refused("SELECT systole.derive('slow', 'hiss-imu', 'out')")
                    .contains("reads a sample every 00:00:00.01, and the series have one every"))
            try await Self.append(0..<100, device: "mixed", step: 5_000, on: pool)
            #expect(
                try await refused(
                    """
                    SELECT systole.derive('x', 'hiss-imu', 'out', inputs => '{mixed.a,imu.a}')
                    """
                ).contains("have to share one step"))
            #expect(
                try await refused(
                    "SELECT systole.derive('x', 'hiss-imu', 'o', inputs => '{imu.a}')"
                )
                .contains("reads 2 channels, and 1 are given"))
            #expect(
                try await refused("SELECT systole.derive('imu.a', 'spacetime', 'out')")
                    .contains("has no model of the family spacetime"))
            try await Self.append(0..<100, of: ["b"], on: pool)
            try await pool.run(
                """
                INSERT INTO systole.series (key, step_us) VALUES ('taken.u', 50000);
                """)
            try await pool.run(
                """
                INSERT INTO systole.observation SELECT series_id, '2025-06-16', 1 FROM systole.series
                WHERE key = 'taken.u'
                """)
            #expect(
                try await refused("SELECT systole.derive('imu', 'hiss-imu', 'taken')")
                    .contains("is there already, and is something else"))
            try await Self.derive(on: pool)
            #expect(
                try await refused("SELECT systole.derive('imu', 'hiss-imu', 'imu.derived')")
                    .contains("is derived already"))
            #expect(
                try await refused("SELECT systole.drop_derivation('nothing')")
                    .contains("Nothing derives 'nothing'"))
        }
    }

    @Test func `inputs at twice the rate are read in means`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<400, step: 5_000, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            let shown = try await pool.run("SELECT resampling FROM systole.derivations").only()
            #expect(try shown.text("resampling") == "means of 2 observations")
            let columns = Self.values(0..<400).map { column in
                stride(from: 0, to: 400, by: 2).map { (column[$0] + column[$0 + 1]) / 2 }
            }
            let batch = MadeModel.model().predict(
                SensorSequence(
                    name: "s", inputs: columns,
                    targets: [[Double]](
                        repeating: [Double](repeating: 0, count: 40), count: 2), ratio: 5))
            let rows = try await pool.run(
                """
                SELECT value FROM systole.observations WHERE series = 'imu.derived.u' ORDER BY at
                """)
            #expect(rows.count == 40)
            for (index, row) in rows.enumerated() {
                #expect(abs(try row.double("value") - Double(batch[2 * index])) < 1e-4)
            }
        }
    }

    @Test func `a pause is caught up, an end leaves what was made, and it may go on`() async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            try await pool.run("SELECT systole.pause_derivation('imu.derived')")
            try await Self.append(100..<200, on: pool)
            #expect(try await Self.work(on: pool) == 0)
            try await pool.run("SELECT systole.resume_derivation('imu.derived')")
            try await Self.work(on: pool)
            #expect(try await Self.derived(pool).count == 80)
            #expect(try await Self.notes(pool) == ["began"])
            try await pool.run("SELECT systole.drop_derivation('imu.derived')")
            try await Self.append(200..<300, on: pool)
            #expect(try await Self.work(on: pool) == 0)
            #expect(try await Self.derived(pool).count == 80)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            #expect(try await Self.derived(pool).count == 120)
            try await Self.expectPromises(pool)
        }
    }

    @Test func `what is derived is watched and derived from like what is measured`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await Self.store(MadeModel.model(), on: pool)
            try await Self.append(0..<100, on: pool)
            try await Self.derive(on: pool)
            try await Self.work(on: pool)
            try await Self.store(MadeModel.model(step: 50_000), as: "second", on: pool)
            try await pool.run(
                """
                SELECT systole.derive('x', 'second', 'above', inputs => '{imu.derived.u,imu.derived.v}')
                """)
            try await pool.run("SELECT systole.watch('imu.derived.u')")
            try await Self.append(100..<400, on: pool)
            try await Self.work(on: pool)
            try await Self.work(on: pool)
            let told = try await pool.run("SELECT count(*) AS n FROM systole.watch_news").only()
            #expect(try told.int("n") > 0)
            let above = try await pool.run(
                "SELECT count(*) AS n FROM systole.observations WHERE series = 'above.u'"
            ).only()
            #expect(try above.int("n") == 16)
        }
    }
}

extension Row {
    fileprivate func timestamp(_ column: String) throws -> Timestamp {
        Timestamp(microseconds: try epochMicroseconds(column))
    }
}
