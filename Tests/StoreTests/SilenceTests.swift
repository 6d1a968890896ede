import Postgres
import Series
import TestSupport
import Testing

@testable import Store

/// Incidents that nobody is told of, and data that are not trained on.
@Suite struct SilenceTests {
    private static func open(
        _ series: SeriesID, kind: IncidentKind = .value, in db: borrowing Session
    ) throws -> Int64 {
        let model = try ModelStore.live(series, in: db)?.record.id
        let used = try model ?? Fixture.model(of: series, in: db)
        if model == nil { try ModelStore.promote(used, in: db) }
        let peak = IncidentPeak(
            at: Fixture.at(5), score: 6, observed: 41.5, expected: 30, pValue: 1e-6)
        return try IncidentStore.open(
            NewIncident(
                series: series, kind: kind, openedAt: Fixture.at(5), peak: peak, threshold: 4.5,
                model: used), in: db)
    }

    private func events(_ pool: Pool) async throws -> [String] {
        try await pool.run(
            "SELECT type FROM systole.outbox WHERE type LIKE 'anomaly.%' ORDER BY event_id"
        ).allTexts("type")
    }

    private func tellAfterSilence(_ pool: Pool) async throws -> Int {
        try await pool.run("SELECT systole.tell_after_silence() AS n").only().int("n")
    }

    @Test func `an incident in a silence is told of when the silence ends, once`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            let silence = try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                let id = try db.run(
                    "SELECT systole.silence('plant.oil_temp', '2 hours', reason => 'test') AS id"
                ).only().int64("id")
                _ = try Self.open(series, in: db)
                return id
            }
            #expect(try await tellAfterSilence(pool) == 0)
            #expect(try await events(pool).isEmpty)
            let told = try await pool.run("SELECT state, told_at FROM systole.anomalies").only()
            #expect(try told.text("state") == "firing" && told.isNull("told_at"))
            try await pool.run("SELECT systole.end_silence(\(silence))")
            #expect(try await tellAfterSilence(pool) == 1)
            #expect(try await tellAfterSilence(pool) == 0)
            #expect(try await events(pool) == ["anomaly.opened"])
            try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                _ = try IncidentStore.resolve(series, at: Fixture.at(9), in: db)
            }
            #expect(try await events(pool) == ["anomaly.opened", "anomaly.resolved"])
        }
    }

    private func broken(_ pool: Pool) async throws -> [String] {
        try await pool.run("SELECT promise FROM systole.invariants() WHERE violations > 0")
            .allTexts("promise")
    }

    @Test func `what is kept back breaks no promise, unless it is forgotten`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                try db.run("SELECT systole.silence('plant.oil_temp', '2 hours')")
                _ = try Self.open(series, in: db)
                try db.run("SELECT systole.emit('model.promoted', 'plant.oil_temp', '{}')")
            }
            try await pool.run(
                "UPDATE systole.incident SET detected_at = now() - interval '2 minutes'")
            #expect(try await broken(pool).isEmpty)
            // A silence that ended long ago, and nobody told.
            try await pool.run(
                """
                UPDATE systole.silence SET starts_at = now() - interval '2 hours',
                    ends_at = now() - interval '1 hour'
                """)
            #expect(
                try await broken(pool)
                    == ["no incident is kept back a minute after its silence has ended"])
            #expect(try await tellAfterSilence(pool) == 1)
            #expect(try await broken(pool).isEmpty)
            try await pool.run(
                "UPDATE systole.incident SET told_at = NULL, detected_at = now() + interval '1 hour'"
            )
            #expect(
                try await broken(pool)
                    == ["every incident was told of once when it opened and once when it ended"])
        }
    }

    @Test func `what is over before the silence ends is not told of at all`() async throws {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.transaction { db in
                let series = try Fixture.series(in: db)
                try db.run(
                    """
                    SELECT systole.label_series('plant.oil_temp', '{"site": "a"}'),
                        systole.silence(labels => '{"site": "a"}', lasting => '1 day')
                    """)
                _ = try Self.open(series, in: db)
                _ = try IncidentStore.resolve(series, at: Fixture.at(9), in: db)
                try db.run(
                    "SELECT systole.end_silence(silence_id) FROM systole.silences")
            }
            #expect(try await tellAfterSilence(pool) == 0)
            #expect(try await events(pool).isEmpty)
        }
    }

    @Test func `a silence of others, of the past or of the future keeps nothing back`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                _ = try Fixture.series("plant.other", in: db)
                try db.run(
                    """
                    SELECT systole.silence('plant.other', '2 hours'),
                        systole.silence(labels => '{"site": "b"}', lasting => '2 hours'),
                        systole.silence('plant.oil_temp', '1 hour', starts_at => now() - interval '2 hours'),
                        systole.silence('plant.oil_temp', '1 hour', starts_at => now() + interval '2 hours')
                    """)
                _ = try Self.open(series, in: db)
            }
            #expect(try await events(database.pool) == ["anomaly.opened"])
            let states = try await database.pool.run(
                "SELECT state FROM systole.silences ORDER BY silence_id")
            #expect(try states.allTexts("state") == ["active", "active", "ended", "planned"])
        }
    }

    /// The rows of a series that are not trained on.
    private static func missing(_ series: SeriesID, in db: borrowing Session) throws -> [Int] {
        let found = try #require(try SeriesStore.loadForTraining(series, count: 48, in: db))
        #expect(found.all.missingCount == 0)
        return found.masked.gaps.flatMap { Array($0.range) }
    }

    @Test func `what an incident was decides whether it is trained on`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let series = try Fixture.series(in: db)
                try SeriesStore.append(Fixture.hourly(48), to: series, in: db)
                let id = try Self.open(series, in: db)
                _ = try IncidentStore.resolve(series, at: Fixture.at(9), in: db)
                #expect(try Self.missing(series, in: db).isEmpty)
                for (label, masked) in [
                    ("true", 5...9), ("false", nil), ("maintenance", 5...9), (nil, nil),
                ] as [(String?, ClosedRange<Int>?)] {
                    try db.run("SELECT systole.label_incident(\(id), \(label))")
                    #expect(
                        try Self.missing(series, in: db) == masked.map(Array.init) ?? [],
                        "\(label ?? "none")")
                }
                try db.run(
                    """
                    SELECT systole.silence('plant.oil_temp', '3 hours', starts_at => \(Fixture.at(20)),
                            maintenance => true),
                        systole.silence('plant.oil_temp', '3 hours', starts_at => \(Fixture.at(30)))
                    """)
                #expect(try Self.missing(series, in: db) == Array(20...23))
            }
        }
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        let call: SQL
        let says: String
        var testDescription: String { says }
    }

    @Test(arguments: [
        Wrong(call: "systole.silence('nobody', '1 hour')", says: "There is no series 'nobody'."),
        Wrong(call: "systole.silence(lasting => '1 hour')", says: "A silence is of one series"),
        Wrong(
            call: "systole.silence('plant.oil_temp', '-1 hours')",
            says: "A silence cannot last -01:00:00."),
        Wrong(
            call: "systole.silence('plant.oil_temp', '2 years')",
            says: "A silence cannot last 2 years."),
        Wrong(call: "systole.silence('plant.oil_temp')", says: "A silence cannot last NULL."),
        Wrong(
            call: "systole.silence(labels => '[1]', lasting => '1 hour')",
            says: "Labels are a JSON object"),
        Wrong(
            call: "systole.silence('plant.oil_temp', '1 hour', starts_at => 'infinity')",
            says: "A silence cannot start at infinity."),
        Wrong(call: "systole.end_silence(7)", says: "There is no silence 7 that has not ended."),
        Wrong(call: "systole.label_incident(7, 'perhaps')", says: "There is no label"),
    ])
    func `a silence that cannot be is refused with a sentence`(_ wrong: Wrong)
        async throws
    {
        try await withTestDatabase { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.transaction { db in
                    _ = try Fixture.series(in: db)
                    try db.run("SELECT \(wrong.call)")
                }
            }
            #expect(error?.message.contains(wrong.says) == true, "\(String(describing: error))")
        }
    }
}
