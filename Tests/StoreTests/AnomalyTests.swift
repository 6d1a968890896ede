import Foundation
import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct AnomalyTests {
    private static func peak(_ hour: Int, score: Double) -> IncidentPeak {
        IncidentPeak(at: Fixture.at(hour), score: score, observed: 41.5, expected: 30, pValue: 1e-6)
    }

    private static func incident(of series: SeriesID, model: ModelID) -> NewIncident {
        NewIncident(
            series: series, openedAt: Fixture.at(5), peak: peak(5, score: 6), threshold: 4.5,
            model: model)
    }

    private static func advance(
        of series: SeriesID, to hour: Int, _ machine: String
    ) -> WatchAdvance {
        WatchAdvance(
            series: series, scoredUntil: Fixture.at(hour), machine: machine, threshold: 4.5,
            model: ModelID(1))
    }

    @Test func `an incident opens and resolves once, each with one event and no sample in it`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                try IncidentStore.open(Self.incident(of: series, model: model), in: db)
                try IncidentStore.raisePeak(series, to: Self.peak(6, score: 9), in: db)
                try IncidentStore.raisePeak(series, to: Self.peak(7, score: 8), in: db)
                let resolved = try (0..<2).map { _ in
                    try IncidentStore.resolve(series, at: Fixture.at(9), in: db)
                }
                #expect(resolved == [true, false])
            }
            let row = try await database.pool.run(
                """
                SELECT state, kind, peak_score, peak_at, observed, expected, resolved_at, family
                FROM systole.anomalies WHERE series = 'plant.oil_temp'
                """
            ).only()
            #expect(try row.text("state") == "resolved" && row.text("kind") == "value")
            #expect(try row.double("peak_score") == 9 && row.double("observed") == 41.5)
            #expect(try row.epochMicroseconds("peak_at") == Fixture.at(6).microseconds)
            #expect(try row.text("family") == "ridge")
            let events = try await database.pool.transaction { db in
                try db.run("SELECT type, data FROM systole.outbox ORDER BY event_id")
            }
            #expect(try events.allTexts("type") == ["anomaly.opened", "anomaly.resolved"])
            for data in try events.allTexts("data") {
                #expect(!data.contains("41.5"))
                #expect(data.contains(#""opened_at": "2016-07-01T05:00:00.000000Z""#))
            }
        }
    }

    @Test func `one incident of a kind is open at a time`() async throws {
        try await withTestDatabase { database in
            let (series, model) = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                try IncidentStore.open(Self.incident(of: series, model: model), in: db)
                return (series, model)
            }
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    _ = try IncidentStore.open(
                        Self.incident(of: series, model: model), in: db)
                }
            }
            #expect(error?.constraint == "incident_one_firing")
            try await database.pool.transaction { db in
                _ = try IncidentStore.resolve(series, at: Fixture.at(9), in: db)
                _ = try IncidentStore.open(Self.incident(of: series, model: model), in: db)
            }
            try await database.pool.run("SELECT systole.label_anomaly(1, 'maintenance', 'filter')")
            let labels = try await database.pool.run(
                "SELECT label, note FROM systole.anomalies WHERE label IS NOT NULL")
            #expect(try labels.only().text("note") == "filter")
        }
    }

    @Test func `scores are stored by batch and read by point, to the microsecond`()
        async throws
    {
        try await withTestDatabase { database in
            let (batch, outcome) = try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                let model = try Fixture.model(of: series, in: db)
                let odd = Timestamp(microseconds: Fixture.at(3).microseconds + 1)
                let batch = ScoredBatch(
                    series: series, model: model,
                    instants: [Fixture.at(1), Fixture.at(2), odd], observed: [1, 2, 3],
                    expected: [1.5, 2.5, 3.5], pValues: [0.5, 0.25, 0], scores: [0.3, 0.6, 300],
                    ahead: .init(step: 24, expected: [nil, 7, 8], scores: [nil, 1.5, 2.5]))
                return (
                    batch,
                    [
                        try ScoreStore.write(batch, in: db), try ScoreStore.write(batch, in: db),
                        try ScoreStore.position(series, in: db) == odd,
                        try ScoreStore.batches(series, since: odd, in: db) == [batch],
                        try ScoreStore.batches(series, since: Fixture.at(4), in: db).isEmpty,
                    ]
                )
            }
            #expect(outcome == [true, false, true, true, true])
            let rows = try await database.pool.run(
                """
                SELECT at, observed, expected, p_value, score, model_id, ahead_step, ahead_score
                FROM systole.anomaly_score('plant.oil_temp', since => \(Fixture.at(2)))
                """)
            #expect(
                try rows.allEpochMicroseconds("at")
                    == batch.instants.dropFirst().map(\.microseconds))
            #expect(try rows.allDoubles("score") == [0.6, 300])
            #expect(try rows.allDoubles("expected") == [2.5, 3.5])
            #expect(try rows.allDoubles("ahead_score") == [1.5, 2.5])
            let first = try await database.pool.run(
                "SELECT ahead_step, ahead_score FROM systole.anomaly_score('plant.oil_temp') LIMIT 1"
            )
            #expect(
                try first.only().isNull("ahead_step") && first.only().isNull("ahead_score"))
            for (since, count) in [("-infinity", 3), ("infinity", 0)] {
                let all = try await database.pool.run(
                    "SELECT FROM systole.anomaly_score('plant.oil_temp', \(since))")
                #expect(all.count == count)
            }
        }
    }

    @Test(arguments: [-0.1, 1.1, Double.nan])
    func `a p-value that is no probability is refused`(_ value: Double) async throws {
        try await withTestDatabase { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    let series = try Fixture.series(in: db)
                    _ = try ScoreStore.write(
                        ScoredBatch(
                            series: series, model: ModelID(1), instants: [Fixture.at(1)],
                            observed: [1], expected: [1], pValues: [value], scores: [1]), in: db)
                }
            }
            #expect(error?.constraint == "anomaly_score_p_value_range")
        }
    }

    @Test func `a watch asks for scoring once, moves on, and never back`() async throws {
        try await withTestDatabase { database in
            _ = try await database.pool.transaction { try Fixture.series(in: $0) }
            let watch: SQL = "SELECT systole.watch('plant.oil_temp') AS n"
            let first = try await database.pool.number(watch)
            #expect(try await database.pool.number(watch) == first)
            let series = SeriesID(1)
            let (fresh, moved) = try await database.pool.transaction { db in
                let fresh = try WatchStore.find(series, in: db)
                try WatchStore.advance(
                    [Self.advance(of: series, to: 5, #"{"state": "ok"}"#)], in: db)
                try WatchStore.advance(
                    [Self.advance(of: series, to: 3, #"{"state": "pending"}"#)], in: db)
                return (fresh, try WatchStore.find(series, in: db))
            }
            #expect(fresh?.alertsPerWeek == 2 && fresh?.machine == nil)
            #expect(fresh?.scoredUntil == nil && fresh?.threshold == nil)
            #expect(moved?.scoredUntil == Fixture.at(5) && moved?.threshold == 4.5)
            #expect(moved?.machine == #"{"state": "pending"}"#)
            try await database.pool.run("SELECT systole.unwatch('plant.oil_temp')")
            let active = try await database.pool.transaction { try WatchStore.active(in: $0) }
            #expect(active.isEmpty)
            try await database.pool.run("SELECT systole.watch('plant.oil_temp', 5)")
            let again = try await database.pool.transaction { try WatchStore.active(in: $0) }
            // Another budget: the machine goes on, the threshold is chosen anew.
            #expect(again.map(\.threshold) == [nil] && again.map(\.alertsPerWeek) == [5])
            #expect(again.first?.machine == #"{"state": "pending"}"#)
            await #expect(throws: StoreError.watchUnknown(SeriesID(7))) {
                try await database.pool.transaction { db in
                    try WatchStore.advance([Self.advance(of: SeriesID(7), to: 0, "{}")], in: db)
                }
            }
        }
    }
}
