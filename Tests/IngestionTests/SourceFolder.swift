import Foundation
import Postgres
import Series
import Store
import TestSupport

@testable import Ingestion

/// A folder of files, a database, and a source named `plant` between them.
struct SourceFolder {
    let folder: URL
    let pool: Pool
    var connector = FolderConnector()
    var settings: FolderSettings
    var isRevisable = false

    /// The time at which the source is pulled; files are written an hour before unless said.
    static let now = Timestamp(microseconds: 1_800_000_000_000_000)

    init(_ database: TestDatabase) throws {
        pool = database.pool
        folder = FileManager.default.temporaryDirectory.appending(
            path: "systole-\(database.name)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        settings = FolderSettings(paths: [folder.path])
    }

    func write(_ name: String, _ text: String, ageSeconds: Double = 3600) throws {
        try write(name, Array(text.utf8), ageSeconds: ageSeconds)
    }

    func write(_ name: String, _ bytes: [UInt8], ageSeconds: Double = 3600) throws {
        let file = folder.appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
        let date = Date(timeIntervalSince1970: Self.now.unixSeconds - ageSeconds)
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: file.path)
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(at: folder.appending(path: name))
    }

    /// One pull; `progress` may throw to stop it.
    @discardableResult
    func pull(
        progress: @Sendable (IngestReport) throws -> Void = { _ in }
    ) async throws -> IngestReport {
        let (settings, isRevisable) = (settings, isRevisable)
        let source = try await pool.transaction { db in
            try SourceStore.findOrAdd(
                name: "plant", kind: FolderConnector.kind, settings: settings.json(),
                isRevisable: isRevisable, in: db)
        }
        return try await connector.pull(
            source, settings: settings, into: pool, now: Self.now, progress: progress)
    }

    /// All stored observations as `series at value`, in order.
    func observations() async throws -> [String] {
        try await pool.run(
            """
            SELECT series || ' ' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' '
                || value AS line
            FROM systole.observations ORDER BY series, at
            """
        ).map { try $0.text("line") }
    }

    /// Everything a pull writes, save when: what must not change when there is nothing new.
    func everything() async throws -> [String] {
        try await pool.run(
            """
            SELECT 'o ' || o::text AS line FROM systole.observation AS o
            UNION ALL SELECT 's ' || s::text FROM systole.series AS s
            UNION ALL SELECT 'c ' || part || position::text FROM systole.source_cursor
            UNION ALL SELECT 'e ' || event_id || type || data::text FROM systole.outbox
            UNION ALL SELECT 'r ' || r::text FROM systole.recording AS r
            UNION ALL SELECT 'w ' || w::text FROM systole.waveform_chunk AS w
            ORDER BY 1
            """
        ).map { try $0.text("line") }
    }

    func events(_ type: String) async throws -> [String] {
        try await pool.run(
            "SELECT subject || ' ' || data AS line FROM systole.outbox WHERE type = \(type) ORDER BY event_id"
        ).map { try $0.text("line") }
    }
}

/// Lends a folder and a database, and removes both.
func withSourceFolder(_ body: (SourceFolder) async throws -> Void) async throws {
    try await withTestDatabase { database in
        let made = try SourceFolder(database)
        defer { try? FileManager.default.removeItem(at: made.folder) }
        try await body(made)
    }
}
