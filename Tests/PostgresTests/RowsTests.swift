import Postgres
import TestSupport
import Testing

@Suite struct RowsTests {
    @Test func `both formats read the same values`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let sql: SQL = """
                SELECT 'é'::text AS t, (-32768)::int2 AS i2, (-2147483648)::int4 AS i4,
                    (-9223372036854775808)::int8 AS i8, 4294967295::oid AS o, 7::text::xid8 AS x,
                    1.5::float4 AS f4, 'NaN'::float8 AS f8, true AS yes, false AS no,
                    '\\x00ff10'::bytea AS b, '{"a": 1}'::jsonb AS j,
                    '{1.5,-Infinity}'::real[] AS fs, '{0.1,2e300}'::float8[] AS ds,
                    '{}'::float8[] AS none, '{1,-2}'::int8[] AS ls, '{1,-2}'::int4[] AS "is",
                    '{-32768,32767}'::int2[] AS ss, '{"a b",NULL_,"q\\""}'::text[] AS ts,
                    '0044-03-15 BC'::timestamptz AS ides, '0001-01-01 00:00+00'::timestamptz AS early,
                    '294246-12-31 23:59:59.999999+00'::timestamptz AS late,
                    '1969-12-31 23:59:59.000001'::timestamp AS before
                """
            for format in [ResultFormat.text, .binary] {
                let row = try await database.pool.run(sql, format: format).only()
                #expect(try row.text("t") == "é")
                #expect(try row.int64("i2") == -32_768)
                #expect(try row.int64("i4") == -2_147_483_648)
                #expect(try row.int64("i8") == .min)
                #expect(try row.int64("o") == 4_294_967_295)
                #expect(try row.int64("x") == 7)
                #expect(try row.double("f4") == 1.5)
                #expect(try row.double("f8").isNaN)
                #expect(try row.double("i2") == -32_768)
                #expect(try row.bool("yes") && !row.bool("no"))
                #expect(try row.bytes("b") == [0, 255, 16])
                #expect(try row.text("j") == #"{"a": 1}"#)
                #expect(try row.floats("fs") == [1.5, -.infinity])
                #expect(try row.doubles("fs") == [1.5, -.infinity])
                #expect(try row.doubles("ds") == [0.1, 2e300])
                #expect(try row.doubles("none").isEmpty)
                #expect(try row.int64s("ls") == [1, -2])
                #expect(try row.int64s("ss") == [-32_768, 32_767])
                #expect(try row.int32s("is") == [1, -2])
                #expect(try row.int16s("ss") == [-32_768, 32_767])
                #expect(try row.texts("ts") == ["a b", "NULL_", "q\""])
                #expect(try row.epochMicroseconds("ides") == -63_517_824_000_000_000)
                #expect(try row.epochMicroseconds("early") == -62_135_596_800_000_000)
                #expect(try row.epochMicroseconds("late") == 9_223_371_244_799_999_999)
                #expect(try row.epochMicroseconds("before") == -999_999)
            }
        }
    }

    @Test func `what cannot be read is an error with the column's name`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let sql: SQL = """
                SELECT 'x'::text AS t, NULL::int8 AS nothing, 'infinity'::timestamptz AS never,
                    
                    '294276-12-31'::timestamptz AS far, '{1,NULL}'::int8[] AS holes,
                    '{{1},{2}}'::float8[] AS matrix
                """
            for format in [ResultFormat.text, .binary] {
                let row = try await database.pool.run(sql, format: format).only()
                func state(_ read: () throws -> Any) -> String? {
                    let error = #expect(throws: PostgresError.self) { _ = try read() }
                    return error?.sqlState
                }
                #expect(state { try row.int64("t") } == "42804")
                #expect(state { try row.int64("nothing") } == "22002")
                #expect(state { try row.int64("absent") } == "42703")
                #expect(state { try row.epochMicroseconds("never") } == "42804")
                #expect(state { try row.epochMicroseconds("far") } == "42804")
                #expect(state { try row.int64s("holes") } == "42804")
                #expect(state { try row.doubles("matrix") } == "42804")
                #expect(try row.optionalInt64("nothing") == nil && row.isNull("nothing"))
            }
        }
    }

    @Test func `rows are a collection with whole columns`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let rows = try await database.pool.run(
                """
                SELECT n, NULLIF(n, 2)::float8 AS v, 'epoch'::timestamptz AS at, n::text AS t
                FROM generate_series(1, 3) AS n
                """)
            #expect(rows.count == 3 && rows.affected == 3)
            #expect(try rows.allInt64s("n") == [1, 2, 3])
            #expect(try rows.allTexts("t") == ["1", "2", "3"])
            #expect(try rows.allEpochMicroseconds("at") == [0, 0, 0])
            let values = try rows.allDoubles("v")
            #expect(values[0] == 1 && values[1].isNaN && values[2] == 3)
            #expect(throws: PostgresError.self) { try rows.only() }
        }
    }

    @Test func `a large array goes and comes back`() async throws {
        try await withTestDatabase(migrations: .none) { database in
            let values = (0..<200_000).map { Float($0) * 0.1 - 7 }
            for format in [ResultFormat.text, .binary] {
                let row = try await database.pool.run(
                    "SELECT \(values)::real[] AS v", format: format
                ).only()
                #expect(try row.floats("v") == values)
            }
        }
    }
}
