import TestSupport
import Testing

@testable import Postgres

@Suite struct CopyTests {
    struct Stop: Error {}

    @Test func `a hundred thousand rows arrive as they were sent`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let count = 100_000
            try await database.pool.transaction { db in
                try db.run("CREATE TABLE public.t (n bigint, at timestamptz, v float8)")
                let taken = try db.copyIn("public.t (n, at, v)") { rows in
                    for n in 0..<count {
                        try rows.startRow(columns: 3)
                        rows.append(Int64(n))
                        rows.append(epochMicroseconds: Int64(n) * 1_000_001 - 5_000_000_000)
                        rows.append(n.isMultiple(of: 10) ? nil : Double(n) / 7)
                    }
                }
                #expect(taken == count)
            }
            let rows = try await database.pool.run(
                "SELECT at, v FROM public.t ORDER BY n", format: .binary)
            let values = try rows.allDoubles("v")
            #expect(
                try rows.allEpochMicroseconds("at")
                    == (0..<count).map { Int64($0) * 1_000_001 - 5_000_000_000 })
            #expect(
                values.indices.allSatisfy { n in
                    n.isMultiple(of: 10) ? values[n].isNaN : values[n] == Double(n) / 7
                })
        }
    }

    @Test func `every type goes and comes back`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let row = try await database.pool.transaction { db in
                try db.run(
                    """
                    CREATE TABLE public.t (s smallint, i integer, l bigint, r real, yes boolean,
                        t text, j jsonb, b bytea, ss smallint[], ii integer[], ll bigint[],
                        rr real[], dd float8[], none float8[], nothing text)
                    """)
                try db.copyIn("public.t") { rows in
                    try rows.startRow(columns: 15)
                    rows.append(Int16.min)
                    rows.append(Int32.min)
                    rows.append(Int64.min)
                    rows.append(Float(0.1))
                    rows.append(true)
                    rows.append("ä\n\\N\t")
                    rows.append(jsonb: #"{"a": [1]}"#)
                    rows.append(bytes: [0, 10, 255])
                    rows.append([Int16(-1), 2])
                    rows.append([Int32(-1), 2])
                    rows.append([Int64(-1), 2])
                    rows.append([Float(0.1), .infinity])
                    rows.append([0.1, -0.0])
                    rows.append([] as [Double])
                    rows.append(nil as String?)
                }
                return try db.run("SELECT * FROM public.t").only()
            }
            #expect(try row.int64("s") == -32_768 && row.int64("i") == -2_147_483_648)
            #expect(try row.int64("l") == .min && row.double("r") == 0.1)
            #expect(try row.bool("yes") && row.text("t") == "ä\n\\N\t")
            #expect(try row.text("j") == #"{"a": [1]}"# && row.bytes("b") == [0, 10, 255])
            #expect(try row.int16s("ss") == [-1, 2] && row.int32s("ii") == [-1, 2])
            #expect(try row.int64s("ll") == [-1, 2] && row.floats("rr") == [0.1, .infinity])
            #expect(try row.doubles("dd") == [0.1, 0] && row.doubles("none").isEmpty)
            #expect(try row.isNull("nothing"))
        }
    }

    @Test func `a writer that throws leaves nothing and a usable connection`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.run("CREATE TABLE public.t (n bigint)")
            await #expect(throws: Stop.self) {
                try await connection.transaction { db in
                    try db.copyIn("public.t") { rows in
                        for n in 0..<50_000 {
                            try rows.startRow(columns: 1)
                            rows.append(Int64(n))
                        }
                        throw Stop()
                    }
                }
            }
            #expect(await connection.isUsable)
            let count = try await connection.run("SELECT count(*) AS n FROM public.t").only()
            #expect(try count.int("n") == 0)
            await connection.close()
        }
    }

    @Test func `a refused row leaves nothing, a usable connection and the reason`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let connection = try await Connection.open(database.configuration)
            try await connection.run(
                "CREATE TABLE public.t (n bigint CONSTRAINT t_n_small CHECK (n < 60000))")
            let error = await #expect(throws: PostgresError.self) {
                try await connection.transaction { db in
                    try db.copyIn("public.t") { rows in
                        for n in 0..<200_000 {
                            try rows.startRow(columns: 1)
                            rows.append(Int64(n))
                        }
                    }
                }
            }
            #expect(error?.constraint == "t_n_small")
            #expect(await connection.isUsable)
            let count = try await connection.run("SELECT count(*) AS n FROM public.t").only()
            #expect(try count.int("n") == 0)
            await connection.close()
        }
    }

    @Test func `too few and too many values trap`() async {
        await #expect(processExitsWith: .failure) {
            var rows = BinaryCopyEncoder { _ in }
            try rows.startRow(columns: 2)
            rows.append(Int64(1))
            try rows.startRow(columns: 2)
        }
        await #expect(processExitsWith: .failure) {
            var rows = BinaryCopyEncoder { _ in }
            try rows.startRow(columns: 1)
            rows.append(Int64(1))
            rows.append(Int64(2))
        }
    }
}
