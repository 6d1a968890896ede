package import Postgres

/// What a classifier says of one class of a recording.
package struct StoredFinding: Hashable, Sendable {
    /// Position among the classifier's classes, from 0.
    package let classIndex: Int
    /// Calibrated, 0…1.
    package let probability: Double
    package let threshold: Double
    package let isPositive: Bool

    package init(classIndex: Int, probability: Double, threshold: Double, isPositive: Bool) {
        self.classIndex = classIndex
        self.probability = probability
        self.threshold = threshold
        self.isPositive = isPositive
    }
}

/// What a classifier says of a recording: findings, or why there are none.
package struct RecordingAnswer: Hashable, Sendable {
    package let recording: Int64
    /// The content that was looked at, as `RecordingStore` tells it.
    package let content: [UInt8]
    /// 0…1; nil where it could not be told.
    package let quality: Double?
    /// A word and a sentence; nil where there are findings.
    package let abstention: Abstained?
    /// What was done to the recording before, in words.
    package let notes: [String]
    package let findings: [StoredFinding]

    /// Why there is no finding.
    package struct Abstained: Hashable, Sendable {
        package let code: String
        package let reason: String

        package init(code: String, reason: String) {
            self.code = code
            self.reason = reason
        }
    }

    package init(
        recording: Int64, content: [UInt8], quality: Double?, abstention: Abstained?,
        notes: [String], findings: [StoredFinding]
    ) {
        precondition(
            (abstention == nil) == !findings.isEmpty, "RecordingAnswer: findings or a refusal")
        self.recording = recording
        self.content = content
        self.quality = quality
        self.abstention = abstention
        self.notes = notes
        self.findings = findings
    }
}

/// Findings: one immutable row a recording, content and classifier.
package enum FindingStore {
    /// Stores answers and appends an event for each that is new.
    ///
    /// An answer about content that was replaced meanwhile, or that is there already, is left out.
    ///
    /// - Parameters:
    ///   - answers: Of one classifier.
    ///   - classifier: Its number.
    ///   - run: The job run that made them; nil outside a job.
    ///   - db: A transaction.
    /// - Returns: The recordings whose answers were new.
    /// - Throws: `PostgresError`.
    @discardableResult
    package static func write(
        _ answers: [RecordingAnswer], classifier: Int64, run: JobRun? = nil,
        in db: borrowing Session
    ) throws -> Set<Int64> {
        precondition(db.isInTransaction(), "FindingStore.write outside a transaction")
        var written: Set<Int64> = []
        for answer in answers.sorted(by: { $0.recording < $1.recording })
        where try insert(answer, classifier, run, in: db) {
            written.insert(answer.recording)
        }
        guard !written.isEmpty else { return written }
        try db.run(
            """
            SELECT systole.emit('recording.classified', r.key, jsonb_strip_nulls(jsonb_build_object(
                'recording_id', r.recording_id, 'recording', r.key, 'model_id', k.classifier_id,
                'family', m.family, 'state', CASE WHEN k.abstained IS NULL THEN 'classified'
                    ELSE 'abstained' END, 'reason', k.abstained, 'job_id', k.job_id)))
            FROM systole.recording AS r
            JOIN systole.classification AS k
                ON k.recording_id = r.recording_id AND k.content = r.content
            JOIN systole.classifier AS m USING (classifier_id)
            WHERE k.classifier_id = \(classifier) AND r.recording_id = ANY (\(written.sorted()))
            ORDER BY r.recording_id
            """)
        return written
    }

    private static func insert(
        _ answer: RecordingAnswer, _ classifier: Int64, _ run: JobRun?, in db: borrowing Session
    ) throws -> Bool {
        let rows = try db.run(
            """
            INSERT INTO systole.classification (recording_id, classifier_id, content, quality,
                abstained, reason, notes, class, probability, threshold, positive, job_id, lease_no)
            SELECT r.recording_id, \(classifier), r.content, \(answer.quality.map { Float($0) })::real,
                \(answer.abstention?.code)::text, \(answer.abstention?.reason)::text,
                \(answer.notes)::text[],
                \(answer.findings.map { $0.classIndex + 1 })::smallint[],
                \(answer.findings.map { Float($0.probability) })::real[],
                \(answer.findings.map { Float($0.threshold) })::real[],
                \(answer.findings.map(\.isPositive))::boolean[],
                \(run?.jobID)::bigint, \(run?.leaseNumber)::bigint
            FROM systole.recording AS r
            WHERE r.recording_id = \(answer.recording) AND r.content = \(answer.content)
            ON CONFLICT ON CONSTRAINT classification_pkey DO NOTHING
            """)
        return rows.affected == 1
    }

    /// The contents of recordings that a classifier has not answered for yet.
    ///
    /// - Parameters:
    ///   - recordings: Numbers; those that do not exist are left out.
    ///   - classifier: Its number.
    ///   - db: A transaction.
    /// - Returns: Content by number, of those that are still to be classified.
    /// - Throws: `PostgresError`.
    package static func due(
        of recordings: [Int64], classifier: Int64, in db: borrowing Session
    ) throws -> [Int64: [UInt8]] {
        let rows = try db.run(
            """
            SELECT r.recording_id, r.content FROM systole.recording AS r
            WHERE r.recording_id = ANY (\(recordings)::bigint[]) AND NOT EXISTS (
                SELECT FROM systole.classification AS k
                WHERE k.recording_id = r.recording_id AND k.content = r.content
                    AND k.classifier_id = \(classifier))
            """)
        var due: [Int64: [UInt8]] = [:]
        for row in rows { due[try row.int64("recording_id")] = try row.bytes("content") }
        return due
    }

    /// What a classifier has said of recordings as they are stored now.
    ///
    /// - Parameters:
    ///   - recordings: Numbers.
    ///   - classifier: Its number.
    ///   - db: A transaction.
    /// - Returns: Answers by the recording's number.
    /// - Throws: `PostgresError`.
    package static func answers(
        of recordings: [Int64], classifier: Int64, in db: borrowing Session
    ) throws -> [Int64: RecordingAnswer] {
        let rows = try db.run(
            """
            SELECT k.recording_id, k.content, k.quality::double precision AS quality, k.abstained,
                k.reason, k.notes, k.class::integer[] AS class, k.probability, k.threshold,
                k.positive::integer[] AS positive
            FROM systole.classification AS k
            JOIN systole.recording AS r ON r.recording_id = k.recording_id AND r.content = k.content
            WHERE k.classifier_id = \(classifier) AND k.recording_id = ANY (\(recordings)::bigint[])
            """)
        var answers: [Int64: RecordingAnswer] = [:]
        for row in rows {
            let answer = try RecordingAnswer(row)
            answers[answer.recording] = answer
        }
        return answers
    }
}

extension RecordingAnswer {
    fileprivate init(_ row: Row) throws {
        let classes = try row.int32s("class")
        let probabilities = try row.floats("probability")
        let thresholds = try row.floats("threshold")
        let positive = try row.int32s("positive")
        let code = try row.optionalText("abstained")
        // The table's constraints keep the arrays of one length, and a reason beside a code.
        let reason = try row.optionalText("reason") ?? ""
        self.init(
            recording: try row.int64("recording_id"), content: try row.bytes("content"),
            quality: try row.optionalDouble("quality"),
            abstention: code.map { Abstained(code: $0, reason: reason) },
            notes: try row.texts("notes"),
            findings: classes.indices.map {
                StoredFinding(
                    classIndex: Int(classes[$0]) - 1, probability: Double(probabilities[$0]),
                    threshold: Double(thresholds[$0]), isPositive: positive[$0] != 0)
            })
    }
}
