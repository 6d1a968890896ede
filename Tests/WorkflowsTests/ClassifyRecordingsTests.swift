import Classification
import ClassifierFixture
import Foundation
import Jobs
import Postgres
import Signals
import Store
import TestSupport
import Testing

@testable import Workflows

@Suite struct ClassifyRecordingsTests {
    static func classifier() throws -> RecordingClassifier {
        try RecordingClassifier(decoding: ShippedClassifier.bytes())
    }

    /// Stores a recording, and returns its number.
    static func store(_ recording: Recording, on pool: Pool) async throws -> Int64 {
        try await pool.transaction { db in
            try RecordingStore.store(
                RecordingHeader(
                    key: recording.name, startedAt: nil,
                    channels: recording.signals.map {
                        RecordingChannel(
                            channel: $0.channel, rate: $0.rate,
                            sampleCount: Int64($0.samples.count))
                    }), chunks: recording.chunks(), in: db
            ).id
        }
    }

    /// Claims the job that waits and does it; returns how many rows it left.
    static func runJob(_ shipped: RecordingClassifier?, on pool: Pool) async throws {
        let lease = try await Plant.claim(
            "classify", enqueue: "SELECT systole.classify_recordings('ward3/%')", on: pool)
        let handler = ClassifyRecordings(pool: pool, threads: 2, shipped: shipped)
        let effects = try await handler.run(
            lease, JobContext(deadline: .now.advanced(by: .seconds(60))))
        try await pool.transaction { db in
            try JobQueue().complete(lease, db)
            try effects(db)
        }
    }

    @Test func `stored recordings get findings, bad ones their reason, and nothing is done twice`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let good = SyntheticECG(seed: 5, isInverted: true)
            _ = try await Self.store(good.recording("ward3/1"), on: pool)
            _ = try await Self.store(good.recording("ward3/2", leads: [.I]), on: pool)
            _ = try await Self.store(good.recording("ward4/1"), on: pool)
            let shipped = try Self.classifier()
            try await Self.runJob(shipped, on: pool)
            let rows = try await pool.run(
                """
                SELECT recording || ' ' || coalesce(abbreviation, '–') || ' '
                    || coalesce(positive::text, '–') || ' ' || coalesce(abstained, '–') AS line
                FROM systole.ecg_findings
                """
            ).allTexts("line")
            let found = shipped.classify(good.recording("ward3/1")).findings.map {
                "ward3/1 \(shipped.model.classes[$0.index].abbreviation) \($0.isPositive) –"
            }
            #expect(found.count == shipped.model.classes.count)
            #expect(rows.sorted() == (found + ["ward3/2 – – lead_missing"]).sorted())
            let live = try await pool.run(
                "SELECT family, stage, version FROM systole.classifiers"
            ).only()
            #expect(
                try live.text("family") == shipped.model.family.rawValue
                    && live.text("stage") == "live")
            #expect(try live.text("version") == shipped.version)
            let events = try await pool.run(
                """
                SELECT count(*) AS n FROM systole.outbox WHERE type = 'recording.classified'
                """
            ).only().int("n")
            #expect(events == 2)
            let again = try await pool.run(
                "SELECT recordings, jobs FROM systole.classify_recordings('ward3/%')"
            ).only()
            #expect(try again.int("recordings") == 0 && again.int("jobs") == 0)
        }
    }

    @Test func `a job that runs again leaves one answer, and a replaced recording gets another`()
        async throws
    {
        try await withTestDatabase { database in
            let pool = database.pool
            let first = SyntheticECG(seed: 2).recording("ward3/1")
            let id = try await Self.store(first, on: pool)
            let classifier = try Self.classifier()
            try await Self.runJob(classifier, on: pool)
            let handler = ClassifyRecordings(pool: pool, threads: 1, shipped: classifier)
            let lease = Lease(
                jobID: 99, number: 1, kind: "classify",
                arguments: "{\"recordings\": [\(id), 12345]}")
            let effects = try await handler.run(
                lease, JobContext(deadline: .now.advanced(by: .seconds(60))))
            try await pool.transaction { db in try effects(db) }
            let count: SQL = "SELECT count(*) AS n FROM systole.classification"
            #expect(try await pool.run(count).only().int("n") == 1)

            // The same answer again, by hand and for another content.
            let answer = classifier.classify(first)
            let content = try await pool.run("SELECT content FROM systole.recording")
                .only().bytes("content")
            let number = try await pool.run("SELECT classifier_id FROM systole.classifier")
                .only().int64("classifier_id")
            try await pool.transaction { db in
                let written = try FindingStore.write(
                    [
                        answer.answer(recording: id, content: content)
                    ], classifier: number, in: db)
                #expect(written.isEmpty)
                let foreign = try FindingStore.write(
                    [
                        answer.answer(
                            recording: id, content: [UInt8](repeating: 7, count: 32))
                    ], classifier: number, in: db)
                #expect(foreign.isEmpty)
                let stored = try FindingStore.answers(of: [id], classifier: number, in: db)
                #expect(
                    stored[id]?.findings.map(\.isPositive) == answer.findings.map(\.isPositive))
                #expect(stored[id]?.notes.first == "resampled: resampled from 500 to 100 Hz.")
            }
            _ = try await pool.run("UPDATE systole.recording SET content = sha256('other')")
            #expect(
                try await pool.run(
                    "SELECT count(*) AS n FROM systole.ecg_findings WHERE code IS NOT NULL"
                )
                .only().int("n") == 0)
            let due = try await pool.run(
                "SELECT recordings FROM systole.classify_recordings('ward3/%')"
            ).only().int("recordings")
            #expect(due == 1)
        }
    }

    @Test func `a request that makes no sense says so`() async throws {
        try await withTestDatabase { database in
            for (call, state): (SQL, String) in [
                ("SELECT systole.classify_recordings('none/%')", "SY012"),
                ("SELECT systole.classify_recordings('%', classifier => 7)", "SY018"),
                ("SELECT systole.promote_classifier(7)", "SY018"),
            ] {
                let error = await #expect(throws: PostgresError.self) {
                    try await database.pool.run(call)
                }
                #expect(error?.sqlState == state)
            }
        }
    }

    @Test func `hours are refused with the reason, and a refusal keeps the quality`() throws {
        let shipped = try Self.classifier()
        let day = SyntheticECG(seed: 5, hertz: 50, seconds: 3601).recording("day", leads: [.I])
        let long = shipped.classify(day)
        #expect(long.refusal?.code == "too_long" && long.electrocardiogram == nil)
        #expect(long.refusal?.reason.contains("1.0 h") == true)
        let few = shipped.classify(
            SyntheticECG(seed: 5).recording("few", leads: SyntheticECG.two))
        #expect(few.refusal?.code == "lead_missing" && few.findings.isEmpty)
        let quality = try #require(few.quality)
        #expect(quality > 0.5 && few.answer(recording: 1, content: []).quality == quality)
    }

    @Test func `the answers do not depend on the threads nor on the company`() throws {
        let classifier = try Self.classifier()
        let recordings = (0..<9).map {
            SyntheticECG(seed: $0, isInverted: $0 % 3 == 0).recording("\($0)")
        }
        let one = classifier.classify(recordings, threads: 1)
        let two = classifier.classify(recordings, threads: 2)
        let alone = recordings.map { classifier.classify($0) }
        #expect(one.map(\.findings) == two.map(\.findings))
        #expect(one.map(\.findings) == alone.map(\.findings))
        #expect(one.allSatisfy { $0.findings.count == classifier.model.classes.count })
    }
}
