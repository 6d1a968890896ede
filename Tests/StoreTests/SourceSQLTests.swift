import Postgres
import TestSupport
import Testing

@testable import Store

/// Sources as users of SQL meet them.
@Suite struct SourceSQLTests {
    @Test func `a source is added with its schedule, paused, resumed, read again and dropped`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            try await pool.run(
                "SELECT systole.add_source('ward', 'folder', '{\"paths\": [\"/w\"]}', '30 s')")
            let row = try await pool.run(
                "SELECT state, extract(epoch FROM every)::integer AS every FROM systole.sources"
            ).only()
            let (state, every) = (try row.text("state"), try row.int("every"))
            #expect(state == "new" && every == 30)
            let source = try await pool.transaction { db in
                let source = try SourceStore.find(name: "ward", in: db)
                for part in ["a", "b"] {
                    try CursorStore.move(source: source.id, part: part, to: "{}", in: db)
                }
                try SourceFigures.pulled(source: source.id, seconds: 0.5, trouble: nil, in: db)
                return source
            }
            func stateNow() async throws -> String {
                try await pool.run("SELECT state FROM systole.sources").only().text("state")
            }
            #expect(try await stateNow() == "well")
            try await pool.transaction { db in
                try SourceFigures.pulled(
                    source: source.id, seconds: 0.5, trouble: "nobody answers", in: db)
            }
            #expect(try await stateNow() == "troubled")
            try await pool.run("SELECT systole.pause_source('ward')")
            #expect(try await stateNow() == "paused")
            try await pool.run("SELECT systole.resume_source('ward')")
            try await pool.run("SELECT systole.reset_source('ward', 'a')")
            let parts = try await pool.run("SELECT part FROM systole.source_cursors")
            #expect(try parts.allTexts("part") == ["b"])
            try await pool.run("SELECT systole.drop_source('ward')")
            for left in ["sources", "schedules", "source_cursors", "source_figures"] {
                let count = try await pool.number(
                    SQL(raw: "SELECT count(*) AS n FROM systole.\(left)"))
                #expect(count == 0, "\(left)")
            }
        }
    }

    @Test(arguments: [
        "add_source('', 'folder', '{}')", "add_source('a', 'Folder', '{}')",
        "add_source('a', 'folder', '[]')", "add_source('a', 'folder', '{}', '0 s')",
        "add_source('a', 'folder', '{}', '2 days')", "add_source('a', 'folder', NULL)",
        "add_source('there', 'folder', '{}')", "pause_source('b')", "resume_source('b')",
        "drop_source('b')", "reset_source('b')", "reset_source('there', 'part')",
        "drop_source(NULL)",
    ])
    func `what makes no sense is refused with SY038`(call: String) async throws {
        try await withTestDatabase { database in
            try await database.pool.run("SELECT systole.add_source('there', 'folder', '{}')")
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.run(SQL(raw: "SELECT systole.\(call)"))
            }
            #expect(error?.sqlState == "SY038")
        }
    }

    @Test func `counts of the same names add up`() async throws {
        try await withTestDatabase { database in
            let text = try await database.pool.run(
                "SELECT systole.add_counts('{\"a\": 1, \"b\": 2}', '{\"b\": 3, \"c\": 4}') AS t"
            ).only().text("t")
            #expect(text == #"{"a": 1, "b": 5, "c": 4}"#)
        }
    }
}
