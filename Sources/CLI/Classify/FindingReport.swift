import Classification
import Ingestion
import Signals
import Store
import Workflows

/// What is told of one recording.
struct FindingReport: Encodable, Sendable {
    /// One class.
    struct Finding: Codable, Sendable, Equatable {
        let code: String
        let system: String
        let abbreviation: String
        let name: String
        let probability: Double
        let threshold: Double
        let positive: Bool
        /// How much each piece speaks for it, by lead; nil where nobody asked.
        var support: Support?
    }

    /// How much each piece of a recording speaks for a finding.
    struct Support: Codable, Sendable, Equatable {
        let windowSeconds: Double
        /// In logits, by lead: above zero speaks for the finding.
        let leads: [String: [Double]]

        private enum CodingKeys: String, CodingKey {
            case leads
            case windowSeconds = "window_seconds"
        }
    }

    /// Which classifier it was.
    struct Model: Codable, Sendable, Equatable {
        let family: String
        let version: String
        let sha256: String

        init(_ classifier: RecordingClassifier) {
            family = classifier.model.family.rawValue
            version = classifier.version
            sha256 = classifier.digest
        }
    }

    let recording: String
    let file: String
    /// SHA-256 over its files; empty where they could not be read.
    let contentSHA256: String
    let seconds: Double?
    let quality: Double?
    /// Why there are no findings.
    var abstained: Refusal?
    var notes: [AnswerNote] = []
    var findings: [Finding] = []
    let model: Model
    let intendedUse = ClassifierCard.researchOnly
    /// Whether there was no recording to look at.
    var isFailure = false

    private enum CodingKeys: String, CodingKey {
        case recording, file, seconds, quality, abstained, notes, findings, model
        case contentSHA256 = "content_sha256"
        case intendedUse = "intended_use"
    }

    /// A file that gave no recording.
    init(_ file: String, recording: String, content: String, refusal: Refusal, by model: Model) {
        self.recording = recording
        self.file = file
        contentSHA256 = content
        seconds = nil
        quality = nil
        abstained = refusal
        self.model = model
        isFailure = true
    }

    /// A recording that was looked at.
    init(
        _ file: RecordingFile, content: String, seconds: Double, _ found: ClassifiedRecording,
        by classifier: RecordingClassifier
    ) {
        recording = file.key
        self.file = file.path
        contentSHA256 = content
        self.seconds = Self.rounded(seconds)
        quality = found.quality.map { Self.rounded($0) }
        abstained = found.refusal
        notes = found.notes
        model = Model(classifier)
        findings = found.findings.map { finding in
            let known = classifier.model.classes[finding.index]
            return Finding(
                code: known.code, system: known.system, abbreviation: known.abbreviation,
                name: known.name, probability: Self.rounded(finding.probability),
                threshold: Self.rounded(finding.threshold), positive: finding.isPositive)
        }
    }

    /// The most probable class in front.
    var positives: [Finding] {
        findings.filter(\.positive).sorted { $0.probability > $1.probability }
    }

    /// Six decimals: as many as calibration on some hundred recordings can ever mean.
    static func rounded(_ value: Double) -> Double { (value * 1e6).rounded() / 1e6 }
}

extension FindingReport {
    /// A recording whose answer was in the database.
    init(
        _ read: ReadFile, _ recording: Recording, _ answer: RecordingAnswer,
        _ classes: [DiagnosisClass], _ plan: ClassifyPlan
    ) {
        self.recording = read.key
        file = read.path
        contentSHA256 = read.content ?? ""
        seconds = Self.rounded(recording.durationSeconds)
        quality = answer.quality.map { Self.rounded($0) }
        abstained = answer.abstention.map { Refusal(code: $0.code, reason: $0.reason) }
        model = Model(plan.classifier)
        notes = answer.notes.map { note in
            let parts = note.split(separator: ": ", maxSplits: 1)
            return AnswerNote(code: String(parts[0]), text: String(parts.last ?? ""))
        }
        findings = answer.findings.filter { classes.indices.contains($0.classIndex) }.map {
            finding in
            let known = classes[finding.classIndex]
            return Finding(
                code: known.code, system: known.system, abbreviation: known.abbreviation,
                name: known.name, probability: Self.rounded(finding.probability),
                threshold: Self.rounded(finding.threshold), positive: finding.isPositive)
        }
    }
}
