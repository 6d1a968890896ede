import Charts
import Classification
import Foundation
import Ingestion
import Series
import Signals
import Workflows

/// One file from its bytes to its findings.
struct ClassifiedFile {
    let report: FindingReport

    /// - Parameters:
    ///   - path: What the walk met.
    ///   - plan: How to classify it.
    /// - Throws: What the file system refuses about the chart; never something about the recording.
    init(_ path: ScannedPath, _ plan: ClassifyPlan) throws {
        let read = ReadFile(path, plan.options)
        guard let recording = read.recording else {
            report = read.refused(by: plan.classifier)
            return
        }
        report = try Self.report(
            read, recording, plan.classifier.classify(recording), plan)
    }

    /// The report, with explanation and chart where the plan says so.
    static func report(
        _ read: ReadFile, _ recording: Recording, _ found: ClassifiedRecording,
        _ plan: ClassifyPlan
    ) throws -> FindingReport {
        guard let file = read.file else { return read.refused(by: plan.classifier) }
        var report = FindingReport(
            file, content: read.content ?? "", seconds: recording.durationSeconds, found,
            by: plan.classifier)
        if plan.explains { report.explain(found, plan.classifier.model) }
        if let folder = plan.plotFolder {
            try RecordingChart(report, found).write(to: folder)
        }
        return report
    }

    /// What tells whether a row of an earlier run is about the same bytes.
    static func identity(
        of path: ScannedPath, _ options: RecordingOptions
    ) -> (recording: String, content: String) {
        switch path {
        case .unusable(let path, _): (path, "")
        case .recording(let file):
            (file.key, file.contentDigest(bytesMaximum: options.bytesMaximum) ?? "")
        }
    }
}

/// One file that was read, or why it was not.
struct ReadFile: Sendable {
    /// What stands for it in results.
    let key: String
    let path: String
    /// Nil for a path that is no file.
    let file: RecordingFile?
    /// SHA-256; nil where not all of its files can be read.
    let content: String?
    let recording: Recording?
    /// Why there is no recording.
    let refusal: Refusal?

    init(_ scanned: ScannedPath, _ options: RecordingOptions) {
        switch scanned {
        case .unusable(let path, let reason):
            (key, self.path, file, content, recording) = (path, path, nil, nil, nil)
            refusal = Refusal(code: "file_unreadable", reason: "\(path.lastPathPart): \(reason).")
        case .recording(let file):
            (key, path, self.file) = (file.key, file.path, file)
            content = file.contentDigest(bytesMaximum: options.bytesMaximum)
            do throws(RecordingFileError) {
                recording = try file.read(options)
                refusal = nil
            } catch {
                recording = nil
                refusal = Refusal(code: error.code.rawValue, reason: error.description)
            }
        }
    }

    /// The report of a file without a recording.
    func refused(by classifier: RecordingClassifier) -> FindingReport {
        FindingReport(
            path, recording: key, content: content ?? "",
            refusal: refusal ?? Refusal(code: "file_unreadable", reason: "\(path): no file."),
            by: FindingReport.Model(classifier))
    }
}

extension FindingReport {
    /// Windows of attribution, in seconds.
    static let supportSeconds = 1.0
    /// The most findings of one recording that are explained.
    static let explainedMaximum = 3

    /// Adds what speaks for the positive findings; for the most probable one where none is positive.
    mutating func explain(_ found: ClassifiedRecording, _ model: FittedClassifier) {
        guard let prepared = found.prepared else { return }
        let ranked = found.findings.sorted { $0.probability > $1.probability }
        let positive = ranked.filter(\.isPositive).prefix(Self.explainedMaximum)
        for finding in positive.isEmpty ? ranked.prefix(1) : positive {
            let support = model.attribution(
                prepared, class: finding.index, window: Self.supportSeconds)
            let named = zip(prepared.leads, support).map { lead, values in
                (lead.rawValue, values.map { Self.rounded($0) })
            }
            findings[finding.index].support = Support(
                windowSeconds: Self.supportSeconds,
                leads: Dictionary(named, uniquingKeysWith: { first, _ in first }))
        }
    }
}

/// The chart of one recording.
struct RecordingChart {
    private let chart: ECGChart
    private let key: String

    init(_ report: FindingReport, _ found: ClassifiedRecording) {
        key = report.recording
        let ecg = found.electrocardiogram
        let names = Lead.allCases.filter { ecg?.leads[$0] != nil }
        let hertz = ecg?.rate.hertz ?? 1
        var words = ["\(names.count) leads", "\(Terminal.number(hertz)) Hz"]
        if let seconds = report.seconds { words.append("\(Terminal.number(seconds)) s") }
        if let quality = report.quality {
            words.append("quality \(Terminal.number(quality, digits: 2))")
        }
        var chart = ECGChart(
            title: report.recording, subtitle: words.joined(separator: "  ·  "), rate: hertz,
            leads: names.map { lead in
                ECGChart.Lead(
                    name: lead.rawValue, millivolts: ecg?.leads[lead] ?? [],
                    isDerived: ecg?.derived.contains(lead) ?? false)
            })
        chart.findings = report.findings.map {
            ECGChart.Finding(
                name: $0.name, probability: $0.probability, threshold: $0.threshold,
                isPositive: $0.positive)
        }
        chart.abstention = report.abstained?.reason
        chart.fromSecond = found.prepared?.starts.first ?? 0
        chart.footer =
            "\(report.model.family) \(report.model.version)  ·  for research only, not a medical device"
        let explained = report.findings.filter { $0.support != nil }
            .max { $0.probability < $1.probability }
        if let explained, let support = explained.support {
            chart.support = ECGChart.Support(
                name: explained.name, windowSeconds: support.windowSeconds,
                values: names.map { support.leads[$0.rawValue] ?? [] })
        }
        self.chart = chart
    }

    /// Writes `FOLDER/KEY.svg`, whole or not at all.
    func write(to folder: String) throws {
        let file = URL(filePath: folder).appending(path: key + ".svg")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(chart.svg().utf8).write(to: file, options: .atomic)
    }
}
