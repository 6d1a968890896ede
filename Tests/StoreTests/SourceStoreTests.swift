import Postgres
import TestSupport
import Testing

@testable import Store

@Suite struct SourceStoreTests {
    @Test func `a source is added, paused, resumed and removed with its cursors`() async throws {
        try await withTestDatabase { database in
            let (source, listed) = try await database.pool.transaction { db in
                let source = try SourceStore.add(
                    name: "plant", kind: "folder", settings: #"{"path": "/data"}"#,
                    isRevisable: true, in: db)
                try CursorStore.move(
                    source: source.id, part: "a.csv", to: #"{"bytes": 1}"#, in: db)
                try CursorStore.move(
                    source: source.id, part: "a.csv", to: #"{"bytes": 2}"#, in: db)
                try CursorStore.move(
                    source: source.id, part: "b.csv", to: #"{"bytes": 3}"#, in: db)
                #expect(
                    try CursorStore.position(source: source.id, part: "a.csv", in: db)
                        == #"{"bytes": 2}"#)
                #expect(try CursorStore.position(source: source.id, part: "c", in: db) == nil)
                #expect(
                    try CursorStore.positions(source: source.id, in: db)
                        == ["a.csv": #"{"bytes": 2}"#, "b.csv": #"{"bytes": 3}"#])
                return (source, try SourceStore.list(in: db))
            }
            #expect(listed == [source])
            #expect(source.settings == #"{"path": "/data"}"# && source.kind == "folder")
            #expect(source.conflictRule == .revise && !source.isPaused)
            let paused = try await database.pool.transaction { db in
                try [true, false].map { isPaused in
                    try SourceStore.setPaused(isPaused, name: "plant", in: db)
                    return try SourceStore.find(source.id, in: db).isPaused
                }
            }
            #expect(paused == [true, false])
            try await database.pool.transaction { try SourceStore.remove(name: "plant", in: $0) }
            #expect(
                try await database.pool.number("SELECT count(*) AS n FROM systole.source_cursor")
                    == 0)
        }
    }

    @Test func `a second source of a name, and one that is not there, are refused`()
        async throws
    {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                _ = try SourceStore.add(name: "a", kind: "folder", settings: "{}", in: db)
            }
            await #expect(throws: StoreError.sourceExists(name: "a")) {
                try await database.pool.transaction { db in
                    _ = try SourceStore.add(name: "a", kind: "folder", settings: "{}", in: db)
                }
            }
            await #expect(throws: StoreError.unknownSource(name: "b")) {
                try await database.pool.transaction { db in
                    try SourceStore.remove(name: "b", in: db)
                }
            }
            await #expect(throws: StoreError.unknownSource(name: "b")) {
                try await database.pool.transaction { db in
                    try SourceStore.setPaused(true, name: "b", in: db)
                }
            }
            await #expect(throws: StoreError.unknownSource(name: "b")) {
                try await database.pool.transaction { db in
                    _ = try SourceStore.find(name: "b", in: db)
                }
            }
        }
    }
}
