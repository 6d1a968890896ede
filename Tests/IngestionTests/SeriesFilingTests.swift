import Ingestion
import Postgres
import Series
import Store
import TestSupport
import Testing

/// What a source brought is stored, told and counted in one go.
@Suite struct SeriesFilingTests {
    private static func observations(_ minutes: [Int], plus offset: Double = 0) -> [Observation] {
        minutes.map { minute in
            Observation(
                at: Timestamp(unixSeconds: 1_700_000_040 + Double(minute) * 60),
                value: Double(minute) + offset)
        }
    }

    private static func with(
        _ body: (TestDatabase, Source) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            let source = try await database.pool.transaction { db in
                try SourceStore.add(name: "ward", kind: "test", settings: "{}", in: db)
            }
            try await body(database, source)
        }
    }

    @Test func `a series is made, learns its step and grows, and the figures say so`() async throws
    {
        try await Self.with { database, source in
            let counts = try await database.pool.transaction { db in
                try SeriesFiling.store(
                    [
                        SeriesPiece(
                            key: "ward.pulse", unit: PhysicalUnit("/min"),
                            observations: Self.observations(Array(0..<15) + Array(17..<20)),
                            missing: 2)
                    ],
                    rejected: ["row": 3], from: source, in: db)
            }
            #expect(counts.appended.inserted == 18 && counts.missing == 2)
            // Two again, one of them with another value, then ten minutes left out.
            try await database.pool.transaction { db in
                _ = try SeriesFiling.store(
                    [
                        SeriesPiece(
                            key: "ward.pulse", unit: PhysicalUnit("/min"),
                            observations: Self.observations([18])
                                + Self.observations([19], plus: 0.5)
                                + Self.observations([30, 31]))
                    ],
                    rejected: ["row": 1, "type": 1], from: source, in: db)
            }
            let row = try await database.pool.run(
                """
                SELECT stored, duplicates, conflicts, missing, rejected, gaps, gap_seconds,
                    extract(epoch FROM data_until)::bigint AS until FROM systole.sources
                """
            ).only()
            let found = try ["stored", "duplicates", "conflicts", "missing", "rejected", "gaps"].map
            {
                try row.int64($0)
            }
            #expect(found == [20, 1, 1, 2, 5, 2])
            let (seconds, until) = (try row.double("gap_seconds"), try row.int64("until"))
            #expect(seconds == 720 && until == 1_700_000_040 + 31 * 60)
            let reasons = try await database.pool.run(
                "SELECT reason || ' ' || count AS r FROM systole.source_rejections ORDER BY 1"
            ).allTexts("r")
            #expect(reasons == ["row 4", "type 1"])
            let step = try await database.pool.run(
                "SELECT step_us AS n FROM systole.series"
            ).only().int("n")
            #expect(step == 60_000_000)
            let events = try await database.pool.run(
                "SELECT count(*) AS n FROM systole.outbox WHERE type = 'series.extended'"
            ).only().int("n")
            #expect(events == 2)
        }
    }

    @Test func `a series that changes its unit is refused, and the others are stored`() async throws
    {
        try await Self.with { database, source in
            func store(_ unit: String) async throws -> FilingCounts {
                try await database.pool.transaction { db in
                    try SeriesFiling.store(
                        [
                            SeriesPiece(
                                key: "ward.temperature", unit: PhysicalUnit(unit),
                                observations: Self.observations([unit.count])),
                            SeriesPiece(
                                key: "ward.pulse", observations: Self.observations([unit.count])),
                        ], from: source, in: db)
                }
            }
            #expect(try await store("Cel").refusals.isEmpty)
            let counts = try await store("[degF]")
            #expect(
                counts.refusals == [
                    .unitDiffers(
                        key: "ward.temperature", stored: PhysicalUnit("Cel"),
                        found: PhysicalUnit("[degF]"))
                ])
            #expect(counts.appended.inserted == 1)
            let reasons = try await database.pool.run(
                "SELECT reason || ' ' || count AS r FROM systole.source_rejections"
            ).allTexts("r")
            #expect(reasons == ["unit 1"])
        }
    }

    @Test func `of several units the stored or first one is kept, and rows without one with it`()
        async throws
    {
        try await Self.with { database, source in
            func store(_ units: [(String, Int)]) async throws -> FilingCounts {
                try await database.pool.transaction { db in
                    try SeriesFiling.store(
                        units.map { unit, minute in
                            SeriesPiece(
                                key: "ward.temperature", unit: PhysicalUnit(unit),
                                observations: Self.observations([minute]), missing: 1)
                        }, from: source, in: db)
                }
            }
            func refusal(_ unit: String) -> StoreError {
                .unitDiffers(
                    key: "ward.temperature", stored: PhysicalUnit("Cel"), found: PhysicalUnit(unit))
            }
            let first = try await store([("", 0), ("Cel", 1), ("K", 2)])
            #expect(first.refusals == [refusal("K")])
            #expect(first.appended.inserted == 2 && first.missing == 2)
            // Whichever comes first now.
            let second = try await store([("K", 3), ("[degF]", 4), ("Cel", 5), ("", 6)])
            #expect(second.refusals == [refusal("K"), refusal("[degF]")])
            #expect(second.appended.inserted == 2)
            let stored = try await database.pool.run(
                """
                SELECT count(*) || ' ' || min(s.unit) AS line FROM systole.observations
                JOIN systole.series AS s ON s.key = series
                """
            ).only().text("line")
            #expect(stored == "4 Cel")
        }
    }

    @Test func `a series twice in one batch is refused whole`() async throws {
        try await Self.with { database, source in
            let piece = SeriesPiece(key: "ward.pulse", observations: Self.observations([1]))
            await #expect(throws: IngestError.sameSeries(key: "ward.pulse")) {
                try await database.pool.transaction { db in
                    _ = try SeriesFiling.store([piece, piece], from: source, in: db)
                }
            }
            let left = try await database.pool.run(
                "SELECT count(*) AS n FROM systole.source_figures"
            ).only().int("n")
            #expect(left == 0)
        }
    }

    @Test func `what is parked moves no figure of what is stored`() async throws {
        try await Self.with { database, source in
            for minutes in [Array(0..<20), [20, 30_000_000], [21]] {
                try await database.pool.transaction { db in
                    _ = try SeriesFiling.store(
                        [
                            SeriesPiece(
                                key: "ward.pulse", observations: Self.observations(minutes))
                        ], from: source, in: db)
                }
            }
            let row = try await database.pool.run(
                """
                SELECT stored, parked, gaps, extract(epoch FROM data_until)::bigint AS until
                FROM systole.sources
                """
            ).only()
            #expect(try row.int("stored") == 22 && row.int("parked") == 1)
            #expect(try row.int("gaps") == 0)
            #expect(try row.int64("until") == 1_700_000_040 + 21 * 60)
            let told = try await database.pool.run(
                """
                SELECT max((data ->> 'until')::timestamptz) < now() AS is_past
                FROM systole.outbox WHERE type = 'series.extended'
                """
            ).only()
            #expect(try told.bool("is_past"))
        }
    }
}
