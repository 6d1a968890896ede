import Classification
import Foundation
import Ingestion
import Postgres
import Signals
import Store
import Tensors
import Workflows

/// Stores recordings and findings, and does nothing twice.
struct FindingFiling: Sendable {
    private let pool: Pool
    private let plan: ClassifyPlan
    private let rule: ConflictRule
    /// The classifier's number.
    private let classifier: Int64

    /// Stores the classifier if it is new.
    init(_ pool: Pool, plan: ClassifyPlan, isRevisable: Bool) async throws {
        self.pool = pool
        self.plan = plan
        rule = isRevisable ? .revise : .keep
        let new = try NewClassifier(plan.classifier)
        classifier = try await pool.transaction { db in try ClassifierStore.ensure(new, in: db) }
    }

    /// A file, and the recording that it became.
    private struct Filed {
        let read: ReadFile
        /// Its number; nil where it was refused.
        var number: Int64?
        var refusal: Refusal?
    }

    /// Stores the recordings of a wave, classifies those that are due, and stores what was found.
    ///
    /// - Returns: A report a path; nil where somebody asked to stop before it was done.
    func classify(
        _ wave: [ScannedPath], _ interrupts: Interrupts, _ progress: ClassifyProgress,
        _ summary: inout ClassifySummary
    ) async throws -> [FindingReport?] {
        let options = plan.options
        let read = ParallelMap.map(wave.count, threads: plan.threads) { index in
            interrupts.isAsked ? nil : ReadFile(wave[index], options)
        }
        let whole = read.prefix { $0 != nil }.compactMap { $0 }
        let filed = try await file(whole)
        let numbers = filed.compactMap(\.number)
        let (due, known) = try await pool.transaction { [classifier] db in
            (
                try FindingStore.due(of: numbers, classifier: classifier, in: db),
                try FindingStore.answers(of: numbers, classifier: classifier, in: db)
            )
        }
        summary.stored += known.count
        let (plan, names) = (plan, plan.classifier.model.classes)
        let results = ParallelMap.map(filed.count, threads: plan.threads) {
            index -> Result<(FindingReport?, RecordingAnswer?), any Error> in
            let one = filed[index]
            guard !interrupts.isAsked else { return .success((nil, nil)) }
            defer { progress.finish() }
            guard let number = one.number, let recording = one.read.recording else {
                return .success((one.read.refused(by: plan.classifier, because: one.refusal), nil))
            }
            // An explanation or a chart is asked for now, whatever is stored.
            if let answer = known[number], !plan.explains, plan.plotFolder == nil {
                return .success((FindingReport(one.read, recording, answer, names, plan), nil))
            }
            let found = plan.classifier.classify(recording)
            return Result {
                (
                    try ClassifiedFile.report(one.read, recording, found, plan),
                    due[number].map { found.answer(recording: number, content: $0) }
                )
            }
        }
        let answers = try results.map { try $0.get() }
        _ = try await pool.transaction { [classifier] db in
            try FindingStore.write(answers.compactMap(\.1), classifier: classifier, in: db)
        }
        let reports = answers.map(\.0)
        return reports + [FindingReport?](repeating: nil, count: wave.count - reports.count)
    }

    /// Stores the recordings in one transaction; one that cannot be stored costs its own row.
    private func file(_ read: [ReadFile]) async throws -> [Filed] {
        let rule = rule
        return try await pool.transaction { db in
            try read.map { one in
                guard let recording = one.recording else {
                    return Filed(read: one, refusal: one.refusal)
                }
                do {
                    let outcome = try db.savepoint { db in
                        try RecordingFiling(recording, key: one.key).store(onConflict: rule, in: db)
                    }
                    return Filed(read: one, number: outcome.id)
                } catch let error as StoreError {
                    return Filed(
                        read: one,
                        refusal: Refusal(
                            code: "recording_differs", reason: "\(error.description)."))
                } catch let error as PostgresError where error.sqlState.hasPrefix("23") {
                    return Filed(
                        read: one,
                        refusal: Refusal(
                            code: "recording_refused",
                            reason: "the database refuses the recording (\(error.sqlState))."))
                }
            }
        }
    }
}

extension ReadFile {
    /// The report of a file whose recording could not be stored.
    fileprivate func refused(
        by classifier: RecordingClassifier, because refusal: Refusal?
    ) -> FindingReport {
        guard let refusal else { return refused(by: classifier) }
        return FindingReport(
            path, recording: key, content: content ?? "", refusal: refusal,
            by: FindingReport.Model(classifier))
    }
}
