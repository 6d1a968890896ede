import Foundation
import Postgres
import TestSupport
import Testing

@testable import Store

@Suite struct ContractTests {
    @Test func `the executable needs the newest migration`() async throws {
        try await withTestDatabase { database in
            let version = try await database.pool.transaction { try Schema.version(in: $0) }
            #expect(version == Schema.versionNeeded)
            try await database.pool.transaction { try Schema.require(in: $0) }
            try await database.pool.run(
                "DELETE FROM systole.schema_migration WHERE number = \(version)")
            await #expect(
                throws: StoreError.schemaDiffers(
                    found: version - 1, needed: Schema.versionNeeded)
            ) {
                try await database.pool.transaction { try Schema.require(in: $0) }
            }
        }
    }

    @Test func `every view and function that users see explains itself`() async throws {
        try await withTestDatabase { database in
            let silent = try await database.pool.run(
                """
                SELECT c.relname AS name FROM pg_class AS c
                WHERE c.relnamespace = 'systole'::regnamespace AND c.relkind = 'v'
                    AND obj_description(c.oid, 'pg_class') IS NULL
                UNION ALL
                SELECT p.proname FROM pg_proc AS p
                WHERE p.pronamespace = 'systole'::regnamespace
                    AND p.proname = ANY (\(Self.functions)::text[])
                    AND obj_description(p.oid, 'pg_proc') IS NULL
                """)
            #expect(try silent.allTexts("name") == [])
            let known = try await database.pool.run(
                """
                SELECT DISTINCT p.proname AS name FROM pg_proc AS p
                WHERE p.pronamespace = 'systole'::regnamespace
                """)
            #expect(Set(Self.functions).isSubset(of: try known.allTexts("name")))
        }
    }

    /// What users are promised of series, forecasts, models and anomalies.
    private static let functions = [
        "schedule_forecast", "request_forecast", "forecast_now", "forecast", "forecast_as_of",
        "anomaly_score", "watch", "unwatch", "train", "promote_model", "waveform", "set_step",
        "classify_recordings", "promote_classifier", "label_anomaly",
        "rollback_model", "schedule_forecasts", "request_forecasts", "share_model", "label_series",
        "ensure_partitions", "merge_late_observations",
    ]

    @Test func `no trigger works on a large table`() async throws {
        try await withTestDatabase { database in
            let triggers = try await database.pool.run(
                """
                SELECT tgrelid::regclass::text AS name FROM pg_trigger
                WHERE tgrelid = ANY ('{systole.observation,systole.waveform_chunk,systole.forecast,
                    systole.anomaly_score,systole.outbox}'::regclass[])
                """)
            #expect(try triggers.allTexts("name") == [])
        }
    }

    @Test func `nothing we ship changes a forecast or a finding, or takes one back`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let files = try ["Sources", "migrations"].flatMap { folder in
            try #require(
                FileManager.default.enumerator(
                    at: root.appendingPathComponent(folder), includingPropertiesForKeys: nil)
            ).compactMap { $0 as? URL }.filter { ["swift", "sql"].contains($0.pathExtension) }
        }
        #expect(files.count > 20)
        let change =
            /(?i)(UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO)\s+systole\.(forecast|anomaly_score|classification)\b/
        for file in files {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(text.firstMatch(of: change) == nil, "\(file.lastPathComponent)")
        }
    }
}
