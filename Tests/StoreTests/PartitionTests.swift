import Postgres
import Series
import TestSupport
import Testing

@testable import Store

@Suite struct PartitionTests {
    private static func years(_ database: TestDatabase) async throws -> [String] {
        try await database.pool.run(
            """
            SELECT inhrelid::regclass::text AS name FROM pg_inherits
            WHERE inhparent = 'systole.observation'::regclass ORDER BY 1
            """
        ).allTexts("name")
    }

    @Test func `only the years that have rows get a partition`() async throws {
        try await withTestDatabase { database in
            let texts = ["1901-05-05", "2015-12-31T23:59:59.999999Z", "2016-01-01", "2019-02-01"]
            let rows = texts.compactMap { Timestamp(iso8601: $0) }
                .map { Observation(at: $0, value: 1) }
            let counts = try await database.pool.transaction { db in
                try SeriesStore.append(rows, to: try Fixture.series(in: db), in: db)
            }
            #expect(counts == AppendCounts(inserted: 4))
            #expect(
                try await Self.years(database)
                    == [1901, 2015, 2016, 2019].map { "systole.observation_\($0)" })
        }
    }

    @Test func `a missing year is made while others read and write`() async throws {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                try SeriesStore.append(Fixture.hourly(3), to: id, in: db)
                return id
            }
            let writer = try await Connection.open(database.configuration.holding)
            try await writer.run("BEGIN")
            try await writer.run(
                "INSERT INTO systole.observation VALUES (\(id), \(Fixture.at(50)), 1)")
            try await writer.run("SELECT count(*) FROM systole.observation")
            // Would wait for the open transaction, if attaching took a lock that it stands against.
            let made = try await database.pool.transaction { db in
                try db.run("SET LOCAL lock_timeout = '100ms'")
                return try db.run(
                    "SELECT systole.ensure_partitions('2001-01-01', '2003-06-01') AS n"
                ).only().int("n")
            }
            #expect(made == 3)
            try await writer.run("COMMIT")
            await writer.close()
        }
    }

    @Test func `sessions that need the same year at once all get it`() async throws {
        try await withTestDatabase { database in
            let made = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        try await database.pool.number(
                            "SELECT systole.ensure_partitions('2001-01-01', '2004-06-01') AS n")
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(made == 4)
        }
    }

    @Test(arguments: [
        ("1899-12-31 00:00+00", "2001-01-01 00:00+00"), ("2001-01-02", "2001-01-01"),
        ("2001-01-01", "2999-01-01"), ("-infinity", "infinity"),
    ])
    func `a range that cannot be stored is refused`(_ from: String, _ to: String) async throws {
        try await withTestDatabase { database in
            let error = try await database.pool.refusal(
                of: "SELECT systole.ensure_partitions(\(from), \(to))")
            #expect(error?.sqlState == "SY013")
            #expect(error?.hint?.contains("Accepted: from 1900") == true)
        }
    }

    @Test(arguments: ["NaN", "Infinity", "-Infinity"])
    func `what is no number is refused by the table itself`(_ value: String) async throws {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { db in
                let id = try Fixture.series(in: db)
                try SeriesStore.append(Fixture.hourly(1), to: id, in: db)
                return id
            }
            let error = try await database.pool.refusal(
                of: "INSERT INTO systole.observation VALUES (\(id), \(Fixture.at(1)), \(value))")
            #expect(error?.constraint == "observation_value_finite")
        }
    }
}
