import Classification
import Workflows

/// `systole classify --card`: what is known of a classifier.
struct ClassifierCardReport: Encodable {
    let model: FindingReport.Model
    let classes: [DiagnosisClass]
    let thresholds: [Double]
    let card: ClassifierCard

    init(_ classifier: RecordingClassifier) {
        model = FindingReport.Model(classifier)
        classes = classifier.model.classes
        thresholds = classifier.model.thresholds
        card = classifier.model.card
    }

    static func show(_ classifier: RecordingClassifier, json: Bool) throws {
        let report = ClassifierCardReport(classifier)
        if json { return try Terminal.json(report) }
        print("\(report.model.family) \(report.model.version): \(report.card.title)")
        print("SHA-256 \(report.model.sha256), intended use: \(report.card.intendedUse)")
        if !report.card.protocolText.isEmpty { print(report.card.protocolText) }
        for summary in report.card.summaries {
            print("\(summary.name): \(text(summary.estimate))")
        }
        if !report.card.classes.isEmpty {
            print("")
            let codes = Dictionary(
                report.classes.map { ($0.abbreviation, $0) },
                uniquingKeysWith: { first, _ in first })
            Terminal.table(
                ["class", "code", "with", "without", "AUROC", "AUPRC", "F"],
                report.card.classes.map { known in
                    [
                        known.abbreviation, codes[known.abbreviation]?.code ?? "–",
                        "\(known.positives)", "\(known.negatives)", text(known.auroc),
                        text(known.auprc), text(known.fMeasure),
                    ]
                })
        }
        if !report.card.sources.isEmpty {
            print("")
            Terminal.table(
                ["source", "recordings", "patients", "refused", "AUROC"],
                report.card.sources.map { source in
                    [
                        source.name, "\(source.recordings)", "\(source.patients)",
                        "\(source.refused)", source.auroc.map(text) ?? "–",
                    ]
                })
        }
        for limit in report.card.limits { print("limit: \(limit)") }
    }

    private static func text(_ estimate: Estimate) -> String {
        let number = { (value: Double) in Terminal.number(value, digits: 3) }
        return "\(number(estimate.value)) [\(number(estimate.low)), \(number(estimate.high))]"
    }

    /// One line for `systole doctor`.
    static func finding() -> Finding {
        guard let path = ClassifierFile.shippedPath else {
            return Finding(
                "classifier", .note, "no classifier of recordings ships with this executable",
                advice:
                    "put one at \(ClassifierFile.shippedName), or use `systole classify --model`")
        }
        do {
            let classifier = try ClassifierFile.load(path)
            let summary = classifier.model.card.summaries.first.map {
                ", \($0.name) \(text($0.estimate))"
            }
            return Finding(
                "classifier", .fine,
                "\(classifier.model.family.rawValue) \(classifier.version) with "
                    + "\(classifier.model.classes.count) classes\(summary ?? "") (\(path))")
        } catch {
            return Finding(
                "classifier", .wrong, Failure.sentence(for: error),
                advice: "put back \(ClassifierFile.shippedName)")
        }
    }
}
