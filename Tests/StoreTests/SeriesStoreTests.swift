import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct SeriesStoreTests {
    @Test func `a series is made once, and what was unknown is filled in`() async throws {
        try await withTestDatabase { database in
            let (first, second, third) = try await database.pool.transaction { db in
                (
                    try SeriesStore.ensure(key: "a", in: db),
                    try SeriesStore.ensure(key: "a", unit: PhysicalUnit("mV"), in: db),
                    try SeriesStore.ensure(key: "a", stepMicroseconds: 1000, in: db)
                )
            }
            #expect(first.id == second.id && second.id == third.id)
            #expect(first.unit == .unknown && first.stepMicroseconds == nil)
            #expect(third.unit == PhysicalUnit("mV") && third.stepMicroseconds == 1000)
            let listed = try await database.pool.transaction { try SeriesStore.list(in: $0) }
            #expect(listed == [third])
        }
    }

    @Test func `another unit, another step and an unknown key are refused by name`() async throws {
        try await withTestDatabase { database in
            _ = try await database.pool.transaction { try Fixture.series("a", in: $0) }
            await #expect(
                throws: StoreError.unitDiffers(
                    key: "a", stored: PhysicalUnit("Cel"), found: PhysicalUnit("K"))
            ) {
                try await database.pool.transaction { db in
                    _ = try SeriesStore.ensure(key: "a", unit: PhysicalUnit("K"), in: db)
                }
            }
            await #expect(
                throws: StoreError.stepDiffers(key: "a", stored: Fixture.hour, found: 5)
            ) {
                try await database.pool.transaction { db in
                    _ = try SeriesStore.ensure(key: "a", stepMicroseconds: 5, in: db)
                }
            }
            await #expect(throws: StoreError.unknownSeries(key: "b")) {
                try await database.pool.transaction { _ = try SeriesStore.find(key: "b", in: $0) }
            }
            await #expect(throws: StoreError.unknownSeriesNumber(SeriesID(99))) {
                try await database.pool.transaction { db in
                    _ = try SeriesStore.append([], to: SeriesID(99), in: db)
                }
            }
        }
    }

    @Test func `writing twice changes nothing`() async throws {
        try await withTestDatabase { database in
            let rows = Fixture.hourly(2000)
            let (first, second) = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                return (
                    try SeriesStore.append(rows, to: id, in: db),
                    try SeriesStore.append(rows.reversed(), to: id, in: db)
                )
            }
            #expect(first == AppendCounts(inserted: 2000))
            #expect(second == AppendCounts(duplicate: 2000))
            #expect(!second.changedAnything)
            #expect(
                try await database.pool.number("SELECT count(*) AS n FROM systole.observation")
                    == 2000)
        }
    }

    @Test func `a conflicting value is kept or revised by rule, and counted`() async throws {
        try await withTestDatabase { database in
            let (kept, revised) = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                try SeriesStore.append(Fixture.hourly(10), to: id, in: db)
                // Five known hours, of which all differ, and five new ones.
                let rows = Fixture.hourly(10, from: 5, offset: 0.5)
                let kept = try SeriesStore.append(rows, to: id, in: db)
                let again = Fixture.hourly(12, from: 3, offset: 0.5)
                return (kept, try SeriesStore.append(again, to: id, onConflict: .revise, in: db))
            }
            #expect(kept == AppendCounts(inserted: 5, conflicting: 5))
            #expect(revised == AppendCounts(duplicate: 5, revised: 7))
            let values = try await database.pool.run(
                "SELECT value FROM systole.observations ORDER BY at")
            #expect(
                try values.allDoubles("value") == [0, 1, 2] + (3..<15).map { Double($0) + 0.5 })
        }
    }

    @Test func `repeats within a batch are counted by the same rules`() async throws {
        try await withTestDatabase { database in
            let rows = [(0, 1.0), (1, 1), (0, 1), (1, 2)].map {
                Observation(at: Fixture.at($0.0), value: $0.1)
            }
            let (kept, revised, series) = try await database.pool.transaction { db in
                let (a, b) = (try Fixture.series("a", in: db), try Fixture.series("b", in: db))
                return (
                    try SeriesStore.append(rows, to: a, in: db),
                    try SeriesStore.append(rows, to: b, onConflict: .revise, in: db),
                    [
                        try SeriesStore.loadLatest(a, count: 9, in: db)?.values,
                        try SeriesStore.loadLatest(b, count: 9, in: db)?.values,
                    ]
                )
            }
            #expect(kept == AppendCounts(inserted: 2, duplicate: 1, conflicting: 1))
            #expect(revised == AppendCounts(inserted: 2, duplicate: 1, revised: 1))
            #expect(series == [[1, 1], [1, 2]])
        }
    }

    @Test func `several series in one go, each with its own counts`() async throws {
        try await withTestDatabase { database in
            let counts = try await database.pool.transaction { db in
                let ids = try ["a", "b", "c"].map { try Fixture.series($0, in: db) }
                try SeriesStore.append(Fixture.hourly(4), to: ids[1], in: db)
                return try SeriesStore.append(
                    [
                        (ids[2], []), (ids[0], Fixture.hourly(3)),
                        (ids[1], Fixture.hourly(6, from: 2)),
                    ], onConflict: .keep, in: db)
            }
            #expect(
                counts == [
                    AppendCounts(), AppendCounts(inserted: 3),
                    AppendCounts(inserted: 4, duplicate: 2),
                ])
        }
    }

    struct Resent: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let stored: Int
        /// Every how many hours a row is sent again.
        let stride: Int
        let sent: Int
    }

    /// Each takes another way through the comparison with what is stored.
    @Test(arguments: [
        Resent(testDescription: "few rows", stored: 50, stride: 1, sent: 60),
        Resent(testDescription: "several blocks", stored: 24_000, stride: 1, sent: 25_000),
        Resent(testDescription: "sparse over dense", stored: 24_000, stride: 7, sent: 3500),
        Resent(testDescription: "dense over sparse", stored: 120, stride: 1, sent: 2000),
    ])
    func `rows that are sent again are told apart one by one`(_ c: Resent) async throws {
        try await withTestDatabase { database in
            let hours = (0..<c.sent).map { $0 * c.stride }
            let rows = hours.map { hour in
                let isChanged = hour % 10 == 0
                return Observation(
                    at: Fixture.at(hour), value: Double(hour) + (isChanged ? 0.5 : 0))
            }
            let known = hours.count { $0 < c.stored }
            let changed = hours.count { $0 < c.stored && $0 % 10 == 0 }
            let (kept, revised, again) = try await database.pool.transaction { db in
                let ids = try ["a", "b"].map { try Fixture.series($0, in: db) }
                for id in ids { try SeriesStore.append(Fixture.hourly(c.stored), to: id, in: db) }
                return (
                    try SeriesStore.append(rows, to: ids[0], in: db),
                    try SeriesStore.append(rows, to: ids[1], onConflict: .revise, in: db),
                    try SeriesStore.append(rows, to: ids[1], in: db)
                )
            }
            let new = c.sent - known
            #expect(
                kept
                    == AppendCounts(
                        inserted: new, duplicate: known - changed, conflicting: changed))
            #expect(
                revised
                    == AppendCounts(inserted: new, duplicate: known - changed, revised: changed))
            #expect(again == AppendCounts(duplicate: c.sent))
        }
    }

    @Test func `many small batches are compared together`() async throws {
        try await withTestDatabase { database in
            let counts = try await database.pool.transaction { db in
                let ids = try (0..<250).map { try Fixture.series("s\($0)", in: db) }
                let first = ids.map { ($0, Fixture.hourly(3)) }
                _ = try SeriesStore.append(first, onConflict: .keep, in: db)
                let second = ids.map { ($0, Fixture.hourly(3, from: 1)) }
                return try SeriesStore.append(second, onConflict: .keep, in: db)
            }
            let expected = AppendCounts(inserted: 1, duplicate: 2)
            #expect(counts == Array(repeating: expected, count: 250))
        }
    }

    @Test func `early and future rows are parked, and merged when their time has come`()
        async throws
    {
        try await withTestDatabase { database in
            let ahead = try await database.pool.run("SELECT now() + interval '1 hour' AS at")
            let future = Timestamp(microseconds: try ahead.only().epochMicroseconds("at"))
            let ancient = Timestamp(iso8601: "1899-12-31T23:59:59Z") ?? Fixture.start
            let rows =
                [Observation(at: ancient, value: 1), Observation(at: future, value: 2)]
                + Fixture.hourly(3)
            let (first, second) = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                return (
                    try SeriesStore.append(rows, to: id, in: db),
                    try SeriesStore.append(rows, to: id, in: db)
                )
            }
            #expect(first == AppendCounts(inserted: 3, parked: 2))
            #expect(second == AppendCounts(duplicate: 3, parked: 2))
            let parked = try await database.pool.run(
                "SELECT reason FROM systole.late_observation ORDER BY at")
            #expect(try parked.allTexts("reason") == ["before-1900", "future"])
            let merge: SQL = "SELECT systole.merge_late_observations() AS n"
            #expect(try await database.pool.number(merge) == 0)
            try await database.pool.run(
                """
                UPDATE systole.late_observation SET at = at - interval '2 hours'
                WHERE reason = 'future'
                """)
            #expect(try await database.pool.number(merge) == 1)
            #expect(
                try await database.pool.number("SELECT count(*) AS n FROM systole.observation")
                    == 4)
        }
    }

    @Test func `a window ends at the newest observation, and gaps are NaN`() async throws {
        try await withTestDatabase { database in
            let (whole, window, before, range, none) = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                let empty = try Fixture.series("empty", in: db)
                let rows = Fixture.hourly(10).filter { $0.at != Fixture.at(4) }
                try SeriesStore.append(rows, to: id, in: db)
                return (
                    try SeriesStore.loadLatest(id, count: 1000, in: db),
                    try SeriesStore.loadLatest(id, count: 3, in: db),
                    try SeriesStore.loadLatest(id, count: 3, until: Fixture.at(4), in: db),
                    try SeriesStore.load(
                        id, from: Fixture.at(3), until: Fixture.at(6), in: db),
                    try SeriesStore.loadLatest(empty, count: 3, in: db)
                )
            }
            #expect(whole?.grid.start == Fixture.start)
            #expect(whole?.values.count == 10)
            #expect(whole?.gaps == [Gap(4..<5)])
            #expect(whole?.channel == Channel(name: "plant.oil_temp", unit: PhysicalUnit("Cel")))
            #expect(window?.values == [7, 8, 9])
            #expect(window?.grid.start == Fixture.at(7))
            #expect(before?.values == [1, 2, 3])
            #expect(range?.values.count == 3 && range?.values[2] == 5)
            #expect(range?.gaps == [Gap(1..<2)])
            #expect(none == nil)
        }
    }

    @Test func `observations beside the grid go to the nearest instant, the nearer one wins`()
        async throws
    {
        try await withTestDatabase { database in
            let minutes: [Int64] = [-4, 58, 63, 119, 180]
            let rows = minutes.enumerated().map { index, minute in
                Observation(
                    at: Timestamp(
                        microseconds: Fixture.start.microseconds + minute * 60_000_000),
                    value: Double(index))
            }
            let loaded = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                try SeriesStore.append(rows, to: id, in: db)
                return try SeriesStore.loadLatest(id, count: 4, in: db)
            }
            #expect(loaded?.values == [0, 1, 3, 4])
            #expect(loaded?.grid.start == Fixture.start)
        }
    }

    @Test func `a series without a step cannot be put on a grid`() async throws {
        try await withTestDatabase { database in
            _ = await #expect(throws: StoreError.stepUnknown(key: "a")) {
                try await database.pool.transaction { db in
                    let id = try SeriesStore.ensure(key: "a", in: db).id
                    _ = try SeriesStore.loadLatest(id, count: 3, in: db)
                }
            }
        }
    }

    @Test func `two writers of one series take turns and lose nothing`() async throws {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { try Fixture.series(in: $0) }
            let counts = try await withThrowingTaskGroup(of: AppendCounts.self) { group in
                for first in stride(from: 0, to: 400, by: 50) {
                    group.addTask {
                        try await database.pool.transaction { db in
                            try SeriesStore.append(
                                Fixture.hourly(100, from: first), to: id, in: db)
                        }
                    }
                }
                return try await group.reduce(into: AppendCounts()) { sum, counts in
                    sum.inserted += counts.inserted
                    sum.duplicate += counts.duplicate
                }
            }
            #expect(counts == AppendCounts(inserted: 450, duplicate: 350))
        }
    }
}
