import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct ModelStoreTests {
    @Test func `a model comes back as it was`() async throws {
        try await withTestDatabase { database in
            let weights = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let model = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                var new = NewModel(
                    series: series, family: "spacetime",
                    data: TrainingData(
                        digest: digest(of: [1]), from: Fixture.start, until: Fixture.at(9)),
                    weights: weights)
                new.configuration = #"{"lag": 336}"#
                new.metrics = #"{"mse": 0.25}"#
                new.reason = "best on validation"
                new.stepsMaximum = 720
                let id = try ModelStore.insert(new, in: db)
                return try ModelStore.find(id, in: db)
            }
            #expect(model.weights == weights)
            #expect(model.record.version == 1 && model.record.stage == .candidate)
            #expect(model.record.configuration == #"{"lag": 336}"#)
            #expect(model.record.metrics == #"{"mse": 0.25}"#)
            #expect(model.record.reason == "best on validation")
            #expect(model.record.naive == nil && model.record.stepsMaximum == 720)
            #expect(model.record.data.from == Fixture.start)
            #expect(model.record.data.digest == digest(of: [1]))
        }
    }

    @Test func `versions count per series and family`() async throws {
        try await withTestDatabase { database in
            let versions = try await database.pool.transaction { db in
                let (a, b) = (try Fixture.series("a", in: db), try Fixture.series("b", in: db))
                let ids = [
                    try Fixture.model(of: a, in: db), try Fixture.model(of: a, in: db),
                    try Fixture.model(of: a, family: "spacetime", in: db),
                    try Fixture.model(of: b, in: db),
                ]
                return try ids.map { try ModelStore.find($0, in: db).record.version }
            }
            #expect(versions == [1, 2, 1, 1])
        }
    }

    @Test func `a training job that runs again leaves no second model`() async throws {
        try await withTestDatabase { database in
            let ids = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                return try (1...2).map { lease in
                    let run = JobRun(jobID: 5, leaseNumber: Int64(lease))
                    return try Fixture.model(of: series, run: run, in: db)
                }
            }
            #expect(ids[0] == ids[1])
        }
    }

    @Test func `promotion swaps the live model, tells of it once, and rolls back`() async throws {
        try await withTestDatabase { database in
            let (first, second) = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                return (
                    try Fixture.model(of: series, in: db), try Fixture.model(of: series, in: db)
                )
            }
            let previous = try await database.pool.transaction { db in
                [
                    try ModelStore.promote(first, in: db),
                    try ModelStore.promote(second, reason: "better", in: db),
                    try ModelStore.promote(second, in: db),
                    try ModelStore.promote(first, in: db),
                ]
            }
            #expect(previous == [nil, first, second, second])
            let rows = try await database.pool.run(
                "SELECT stage, reason FROM systole.models ORDER BY model_id")
            #expect(try rows.allTexts("stage") == ["live", "retired"])
            #expect(try rows.allTexts("reason") == ["", "better"])
            let events = try await database.pool.run(
                """
                SELECT data->>'model_id' AS model FROM systole.outbox
                WHERE type = 'model.promoted' AND subject = 'plant.oil_temp' ORDER BY event_id
                """)
            #expect(
                try events.allTexts("model") == [first, second, first].map(\.description))
            let live = try await database.pool.transaction { db in
                try ModelStore.live(SeriesID(1), in: db)?.record.id
            }
            #expect(live == first)
        }
    }

    @Test func `a rollback makes the model before live again, and says so`() async throws {
        try await withTestDatabase { database in
            let ids = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let ids = try (0..<3).map { _ in try Fixture.model(of: series, in: db) }
                try ModelStore.promote(ids[0], in: db)
                try ModelStore.promote(ids[2], in: db)
                return ids
            }
            let back = try await database.pool.run(
                "SELECT systole.rollback_model('plant.oil_temp') AS model")
            #expect(try back.only().int64("model") == ids[0].number)
            let rows = try await database.pool.run(
                "SELECT stage, reason FROM systole.models ORDER BY model_id")
            #expect(try rows.allTexts("stage") == ["live", "candidate", "retired"])
            #expect(try rows.allTexts("reason")[0] == "Rolled back to from model 3.")
            let again = try await database.pool.run(
                "SELECT systole.rollback_model('plant.oil_temp') AS model")
            #expect(try again.only().int64("model") == ids[2].number)
        }
    }

    @Test func `of many promotions at once exactly one model stays live`() async throws {
        try await withTestDatabase { database in
            let ids = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                return try (0..<5).map { _ in try Fixture.model(of: series, in: db) }
            }
            try await withThrowingTaskGroup { group in
                for id in ids + ids {
                    group.addTask {
                        _ = try await database.pool.transaction { db in
                            try ModelStore.promote(id, in: db)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(
                try await database.pool.number(
                    "SELECT count(*) AS n FROM systole.models WHERE stage = 'live'") == 1)
        }
    }

    @Test func `a second live model is refused by the table itself`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                try ModelStore.promote(try Fixture.model(of: series, in: db), in: db)
                _ = try Fixture.model(of: series, in: db)
            }
            let error = try await database.pool.refusal(
                of: "UPDATE systole.model SET stage = 'live'")
            #expect(error?.constraint == "model_one_live")
        }
    }

    @Test func `weights that do not match their digest are neither stored nor used`()
        async throws
    {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { db in
                try Fixture.model(of: try Fixture.series(in: db), in: db)
            }
            let damage: SQL = "UPDATE systole.model SET weights = '\\x010204'"
            let refusal = try await database.pool.refusal(of: damage)
            #expect(refusal?.constraint == "model_weights_match_digest")
            // As a broken disk would have it.
            try await database.pool.run(
                "ALTER TABLE systole.model DROP CONSTRAINT model_weights_match_digest")
            try await database.pool.run(damage)
            await #expect(throws: StoreError.weightsDamaged(id)) {
                try await database.pool.transaction { _ = try ModelStore.find(id, in: $0) }
            }
        }
    }

    @Test func `an unknown model or series is refused`() async throws {
        try await withTestDatabase { database in
            await #expect(throws: StoreError.unknownModel(ModelID(9))) {
                try await database.pool.transaction { db in
                    _ = try ModelStore.promote(ModelID(9), in: db)
                }
            }
            await #expect(throws: StoreError.unknownModel(ModelID(9))) {
                try await database.pool.transaction { db in
                    _ = try ModelStore.find(ModelID(9), in: db)
                }
            }
            await #expect(throws: StoreError.unknownSeriesNumber(SeriesID(9))) {
                try await database.pool.transaction { db in
                    _ = try Fixture.model(of: SeriesID(9), in: db)
                }
            }
        }
    }
}
