import Postgres
import TestSupport
import Testing

@Suite struct ConnectionTests {
    @Test func `values come back as they went`() async throws {
        try await withTestDatabase { database in
            let text = "Robert'); DROP TABLE students;-- \"\\ \u{1F9EA}"
            let bytes: [UInt8] = Array(0...255)
            let row = try await database.pool.run(
                """
                SELECT \(text)::text AS t, \(bytes)::bytea AS b, \(Int64.min)::bigint AS i,
                    \(0.1 + 0.2)::float8 AS d, \(true)::boolean AS yes,
                    \(nil as String?)::text AS nothing,
                    \([1.5, .infinity, -.infinity] as [Float])::real[] AS f,
                    \(["a,b", "", "NULL", "q\"\\", "{}"])::text[] AS ts,
                    \([Int16.min, 7])::smallint[] AS s,
                    '2016-07-01 00:00:00.25+02'::timestamptz AS at
                """
            ).only()
            #expect(try row.text("t") == text)
            #expect(try row.bytes("b") == bytes)
            #expect(try row.int64("i") == .min)
            #expect(try row.double("d") == 0.1 + 0.2)
            #expect(try row.bool("yes"))
            #expect(try row.optionalText("nothing") == nil)
            #expect(try row.floats("f") == [1.5, .infinity, -.infinity])
            #expect(try row.texts("ts") == ["a,b", "", "NULL", "q\"\\", "{}"])
            #expect(try row.int16s("s") == [.min, 7])
            #expect(try row.epochMicroseconds("at") == 1_467_324_000_250_000)
        }
    }

    @Test func `a transaction that throws leaves nothing`() async throws {
        struct Stop: Error {}
        try await withTestDatabase { database in
            try await database.pool.run("CREATE TABLE public.t (n bigint)")
            await #expect(throws: Stop.self) {
                try await database.pool.transaction { db in
                    try db.run("INSERT INTO public.t VALUES (\(1))")
                    throw Stop()
                }
            }
            let count = try await database.pool.run("SELECT count(*) AS n FROM public.t").only()
            #expect(try count.int("n") == 0)
        }
    }

    @Test func `copied rows arrive`() async throws {
        try await withTestDatabase { database in
            let sum = try await database.pool.transaction { db in
                try db.run("CREATE TABLE public.t (n bigint, at timestamptz, v float8, a real[])")
                let count = try db.copyIn("public.t (n, at, v, a)") { rows in
                    for n in 0..<100_000 {
                        try rows.startRow(columns: 4)
                        rows.append(Int64(n))
                        rows.append(epochMicroseconds: Int64(n) * 1_000_000)
                        rows.append(n.isMultiple(of: 10) ? nil : Double(n))
                        rows.append([Float(n), -1])
                    }
                }
                #expect(count == 100_000)
                return try db.run("SELECT sum(n)::bigint AS s FROM public.t").only().int64("s")
            }
            #expect(sum == 4_999_950_000)
        }
    }
}
