import ClassifierFixture
import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct ClassifyStoreTests {
    @Test func `findings are stored once, read in SQL, and a worker finds the same`() async throws {
        try await withTestDatabase { database in
            let folder = FileManager.default.temporaryDirectory.appending(
                path: "systole-\(database.name)")
            try FileManager.default.createDirectory(
                at: folder.appending(path: "ward3"), withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let ward = Ward(folder: folder, model: ShippedClassifier.path)
            for number in 0..<5 {
                try SyntheticECG(seed: number, isInverted: number == 2).write(
                    "r\(number)", to: ward.ward3)
            }
            try SyntheticECG(seed: 9).write("short", to: ward.ward3, leads: SyntheticECG.two)
            try ward.write("bad.edf", "no")
            let environment = ["DATABASE_URL": database.url]
            let first = try ward.classify(
                "ward3", "--store", "--out", "a.jsonl", environment: environment)
            #expect(first.status == 0, "\(first.errors)")
            #expect(first.output.contains("7 recordings: 5 classified, 1 abstained, 1 unreadable"))
            let everything: SQL = """
                SELECT k::text AS line FROM systole.classification AS k
                UNION ALL SELECT event_id || type FROM systole.outbox
                UNION ALL SELECT r::text FROM systole.recording AS r ORDER BY 1
                """
            let before = try await database.pool.run(everything).allTexts("line")
            let second = try ward.classify(
                "ward3", "--store", "--out", "b.jsonl", environment: environment)
            #expect(second.output.contains("6 were in the database already"), "\(second.output)")
            #expect(try await database.pool.run(everything).allTexts("line") == before)
            #expect(try ward.text("a.jsonl") == ward.text("b.jsonl"))
            try await Self.checkViews(database.pool)

            try SyntheticECG(seed: 7).write("r0", to: ward.ward3)
            let kept = try ward.classify("ward3", "--store", "--json", environment: environment)
            #expect(kept.output.contains("\"recording_differs\""), "\(kept.output)")
            let revised = try ward.classify(
                "ward3", "--store", "--revisable", "--json", environment: environment)
            #expect(!revised.output.contains("\"recording_differs\""))
            try await Self.checkWorker(database, folder)
        }
    }

    private static func checkViews(_ pool: Pool) async throws {
        let classes = try ShippedClassifier.classes()
        let rows = try await pool.run(
            "SELECT abbreviation FROM systole.ecg_findings WHERE recording = 'ward3/r2'"
        ).allTexts("abbreviation")
        #expect(rows.sorted() == classes.sorted())
        let told = try await pool.run(
            """
            SELECT positive = (probability >= threshold) AS agree FROM systole.ecg_findings
            WHERE code IS NOT NULL GROUP BY 1
            """
        ).only()
        #expect(try told.bool("agree"))
        let refused = try await pool.run(
            "SELECT recording, abstained, code FROM systole.ecg_findings WHERE abstained IS NOT NULL"
        ).only()
        #expect(try refused.text("recording") == "ward3/short")
        #expect(try refused.text("abstained") == "lead_missing" && refused.isNull("code"))
        let wave = try await pool.run(
            """
            SELECT count(*)::integer AS n, max(millivolts)::double precision AS top
            FROM systole.waveform('ward3/r2', lead => 'II', from_second => 2, to_second => 4)
            """
        ).only()
        #expect(try wave.int("n") == 1000)
        #expect(try (0.8...1.3).contains(wave.double("top")))
    }

    /// A worker of the role `classify` answers for a recording that was taken back as for the others.
    private static func checkWorker(_ database: TestDatabase, _ folder: URL) async throws {
        let count: SQL = "SELECT count(*) AS n FROM systole.classification"
        let before = try await database.pool.run(count).only().int("n")
        _ = try await database.pool.run(
            """
            DELETE FROM systole.classification WHERE recording_id IN (
                SELECT recording_id FROM systole.recording WHERE key = 'ward3/r2')
            """)
        let asked = try await database.pool.run(
            "SELECT recordings, jobs FROM systole.classify_recordings('ward3/%')"
        ).only()
        #expect(try asked.int("recordings") == 1 && asked.int("jobs") == 1)
        let environment = ["DATABASE_URL": database.url]
        let worker = try Executable.start(
            ["work", "--role", "classify,schedule"], in: folder, environment: environment)
        let watched = try Executable.run(
            ["job", "watch", "1"], in: folder, environment: environment)
        worker.process.terminate()
        #expect(worker.outcome().status == 0)
        #expect(watched.status == 0, "\(watched.errors) \(watched.output)")
        #expect(try await database.pool.run(count).only().int("n") == before)
        let found = try await database.pool.run(
            """
            SELECT count(*) AS n FROM systole.ecg_findings
            WHERE recording = 'ward3/r2' AND code IS NOT NULL
            """
        ).only().int("n")
        #expect(try found == ShippedClassifier.classes().count)
    }
}
