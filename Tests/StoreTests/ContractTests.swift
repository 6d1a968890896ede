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
        "ensure_partitions", "merge_late_observations", "create_group", "refresh_group",
        "drop_group", "watch_group", "unwatch_group", "group_score", "group_scores",
        "derive", "drop_derivation", "pause_derivation", "resume_derivation",
        "promote_sensor_model", "add_sensor_model", "add_source", "pause_source", "resume_source",
        "drop_source", "reset_source", "waveform_envelope",
    ]

    /// What users are promised that they can write; the names of columns and arguments are part of it.
    private static let promised = [
        "SELECT systole.schedule_forecast('plant.oil_temp', horizon => '30 days', every => '1 hour')",
        "SELECT systole.schedule_forecast('plant.oil_temp', horizon => '30 days', cron => '5 * * * *', time_zone => 'Europe/Oslo')",
        "SELECT systole.request_forecast('plant.oil_temp', horizon => '7 days')",
        "SELECT at, value, lower_80, upper_80 FROM systole.forecast('plant.oil_temp')",
        "SELECT series, model_id, issued_at, data_until, step, at FROM systole.forecast('plant.oil_temp')",
        "SELECT * FROM systole.forecast_as_of('plant.oil_temp', '2026-11-01 12:00+00')",
        "SELECT * FROM systole.forecast_vs_actual WHERE series = 'plant.oil_temp'",
        "SELECT series, model_id, from_step, to_step, mase, rmsse, crps, bias, coverage_80, coverage_95, skill FROM systole.accuracy",
        "SELECT * FROM systole.anomalies WHERE state = 'firing'",
        "SELECT at, observed, expected, p_value, score FROM systole.anomaly_score('plant.oil_temp', since => now() - interval '1 day')",
        "SELECT systole.watch('plant.oil_temp', alerts_per_week => 2)",
        "SELECT systole.add_webhook('https://example.org/hook', events => '{anomaly.opened,anomaly.resolved}')",
        "SELECT systole.classify_recordings(key_like => 'ward3/%')",
        "SELECT * FROM systole.ecg_findings WHERE recording = 'ward3/0001' AND positive",
        "SELECT at, millivolts FROM systole.waveform('ward3/0001', lead => 'II', from_second => 0, to_second => 10)",
        "SELECT at, millivolts FROM systole.waveform('ward3/0001', lead => 'II', points => 500)",
        "SELECT at, second, low, mean, high FROM systole.waveform_envelope('ward3/0001', lead => 'II', points => 500)",
        "SELECT systole.add_source('ward', kind => 'folder', settings => '{\"paths\": [\"/data\"]}', every => '1 minute', revisable => false)",
        "SELECT name, state, lag, stored, samples, rejected, gaps, buffered_bytes, trouble FROM systole.sources",
        "SELECT name, reason, count FROM systole.source_rejections",
        "SELECT name, part, position, moved_at FROM systole.source_cursors",
        "SELECT systole.pause_source('ward'), systole.resume_source('ward')",
        "SELECT systole.reset_source('ward', part => 'a.csv'), systole.drop_source('ward')",
        "SELECT systole.train('plant.oil_temp', family => 'spacetime')",
        "SELECT * FROM systole.models", "SELECT systole.promote_model(42)",
        "SELECT * FROM systole.jobs", "SELECT * FROM systole.schedules",
        "SELECT * FROM systole.next_fires('s', 5)",
        "SELECT systole.create_group('plant', labels => '{\"plant\": \"a\"}')",
        "SELECT systole.create_group('plant', series => '{plant.a,plant.b}')",
        "SELECT joined, gone FROM systole.refresh_group('plant')",
        "SELECT systole.drop_group('plant')",
        "SELECT name, members, series, labels, step, created_at FROM systole.groups",
        "SELECT systole.watch_group('plant', alerts_per_week => 2, share => 0.8, lateness => '1 day')",
        "SELECT systole.unwatch_group('plant')",
        "SELECT name, alerts_per_week, threshold, scored_until, note FROM systole.group_watches",
        "SELECT at, series, contribution, score FROM systole.group_score('plant', since => now() - interval '1 day')",
        "SELECT at, score, p_value, series, contribution FROM systole.group_scores('plant')",
    ]

    /// EXPLAIN resolves every name and asks for every right, and does nothing.
    @Test func `every line of the contract is there for who calls for users`() async throws {
        try await withTestDatabase { database in
            var configuration = database.configuration
            configuration["user"] = "systole_api"
            let connection = try await Connection.open(configuration)
            for line in Self.promised { try await connection.run("EXPLAIN \(raw: line)") }
            let mayCall = try await connection.run(
                """
                SELECT has_function_privilege('systole.forecast_now(text, interval, interval)', 'EXECUTE') AS may
                """)
            #expect(try mayCall.only().bool("may"))
            await connection.close()
        }
    }

    @Test func `every column of the views that users read first explains itself`() async throws {
        try await withTestDatabase { database in
            let silent = try await database.pool.run(
                """
                SELECT c.relname || '.' || a.attname AS name
                FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE c.oid = ANY ('{systole.forecast_vs_actual,systole.accuracy,systole.anomalies,
                    systole.ecg_findings,systole.models,systole.jobs,systole.schedules}'::regclass[])
                    AND col_description(c.oid, a.attnum) IS NULL
                    -- What accuracy measures is told with the view.
                    AND NOT (c.relname = 'accuracy' AND a.atttypid = 'float8'::regtype)
                """)
            #expect(try silent.allTexts("name") == [])
            let calls = try await database.pool.run(
                """
                SELECT DISTINCT p.proname AS name FROM pg_proc AS p
                JOIN systole.privilege AS r ON r.object = p.proname AND r.rights = 'EXECUTE'
                WHERE p.pronamespace = 'systole'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
                """)
            #expect(try calls.allTexts("name") == [])
        }
    }

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
