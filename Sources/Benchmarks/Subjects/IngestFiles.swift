import Foundation
import Ingestion
import Postgres
import Series
import Store
import Tensors

/// Files on their way into the database, from the first byte read to the commit.
///
/// Limit: the server's own COPY of rows that somebody else has made. Both sides leave the same rows
/// in the same table with the same key.
enum IngestFiles {
    static let rows = 60_000
    static let channels = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]

    static let benchmarks = [table, recordings]

    private static let table = Benchmark("ingest.csv") { setting in
        let database = try await setting.databases.make()
        let path = try setting.folder.write(text(), to: "plant.csv")
        let pool = database.pool
        let take = { try await pull(path, named: "plant", into: pool) }
        let report = try await take()
        guard report.stored == rows * channels.count else {
            throw BenchmarkError("ingest.csv: \(report.summary)")
        }
        let file = "\(setting.folder.path)/observations.binary"
        _ = try database.psql(
            """
            \\copy (select series_id, at, value from systole.observation order by series_id, at) \
            to '\(file)' with (format binary)
            """)
        let empty = {
            _ = try await database.pool.run(
                "TRUNCATE systole.observation, systole.source_cursor")
        }
        return Contest(
            what: "a CSV table of \(rows) rows of \(channels.count) values, read and committed",
            work: Work(rows * channels.count, "observations"),
            ours: Contestant("FolderConnector.pull", before: empty) { _ = try await take() },
            opponents: [
                database.loading(
                    "\\copy of the same rows, made beforehand, in binary form",
                    target: "systole.observation (series_id, at, value)", file: file,
                    format: "binary", before: empty)
            ],
            finish: { try await database.drop() })
    }

    /// Forty recordings of a minute and a half: twelve leads, 500 Hz, format 16.
    private static let recordings = Benchmark("ingest.wfdb") { setting in
        let database = try await setting.databases.make()
        let (count, samples) = (40, 45_000)
        // Nothing else lies in it: all that a folder has is taken.
        let ward = try setting.folder.subfolder("ward")
        for number in 0..<count {
            _ = try WFDBRead.write(
                SyntheticSamples.channels(12, count: samples), format: 16, rate: 500,
                name: "r\(number)", ward)
        }
        let (folder, pool) = (ward.path, database.pool)
        let take = { try await pull(folder, named: "ward", into: pool) }
        let report = try await take()
        guard report.recordings == count else {
            throw BenchmarkError("ingest.wfdb: \(report.summary)")
        }
        let file = "\(setting.folder.path)/chunks.binary"
        _ = try database.psql("\\copy systole.waveform_chunk to '\(file)' with (format binary)")
        let empty = {
            _ = try await database.pool.run(
                "TRUNCATE systole.recording, systole.waveform_chunk, systole.source_cursor CASCADE")
        }
        return Contest(
            what: "\(count) WFDB recordings of 12 × \(samples) samples, read and committed",
            work: Work(count * 12 * samples, "samples"),
            ours: Contestant("FolderConnector.pull", before: empty) { _ = try await take() },
            opponents: [
                database.loading(
                    "\\copy of the finished chunks in binary form",
                    target: "systole.waveform_chunk", file: file, format: "binary", before: empty)
            ],
            finish: { try await database.drop() })
    }

    private static func pull(
        _ path: String, named name: String, into pool: Pool
    ) async throws -> IngestReport {
        let settings = FolderSettings(paths: [path], settleSeconds: 0, restSeconds: 0)
        let source = try await pool.transaction { db in
            try SourceStore.findOrAdd(
                name: name, kind: FolderConnector.kind, settings: settings.json(), in: db)
        }
        return try await FolderConnector().pull(
            source, settings: settings, into: pool,
            now: Timestamp(unixSeconds: Date().timeIntervalSince1970)
        ) { _ in }
    }

    /// A minute apart, within one year, as the public sensor tables are written.
    private static func text() -> [UInt8] {
        var random = RandomStream(seed: 4)
        var text = Array("date,\(channels.joined(separator: ","))\n".utf8)
        text.reserveCapacity(160 * rows)
        for row in 0..<rows {
            let at = Timestamp(microseconds: 1_577_836_800_000_000 + Int64(row) * 60_000_000)
            var line = at.description.replacing("T", with: " ").dropLast().description
            for _ in channels {
                line += ",\(Double(Float((20_000 * random.uniform()).rounded() / 1000)))"
            }
            text.append(contentsOf: line.utf8)
            text.append(10)
        }
        return text
    }
}
