import Foundation
import Ingestion
import Signals
import Tensors
import Workflows

/// How recordings are classified.
struct ClassifyPlan: Sendable {
    let classifier: RecordingClassifier
    let options: RecordingOptions
    var threads = 1
    var explains = false
    /// Where charts go.
    var plotFolder: String?
}

/// Where findings are told.
enum FindingSink {
    case file(ResultFile, FindingFormat)
    /// One object a recording on standard output.
    case jsonLines
    /// One line a recording for people.
    case lines
    case nothing
}

/// What a run did.
struct ClassifySummary: Encodable, Sendable {
    var recordings = 0
    var classified = 0
    /// The classifier gave a reason instead of findings.
    var abstained = 0
    /// There was no recording to look at.
    var failed = 0
    /// How many files gave no findings, by reason.
    var reasons: [String: Int] = [:]
    /// Found done by an earlier run.
    var resumed = 0
    /// Findings that were in the database already.
    var stored = 0
    var seconds = 0.0
    var isInterrupted = false

    mutating func count(_ report: FindingReport) {
        recordings += 1
        if let refusal = report.abstained { reasons[refusal.code, default: 0] += 1 }
        if report.isFailure {
            failed += 1
        } else if report.abstained != nil {
            abstained += 1
        } else {
            classified += 1
        }
    }

    func sentence(out: String?) -> String {
        var text = "\(recordings) recordings: \(classified) classified, \(abstained) abstained"
        if failed > 0 { text += ", \(failed) unreadable" }
        if resumed > 0 { text += "; \(resumed) done before" }
        if stored > 0 { text += "; \(stored) were in the database already" }
        let rate = seconds > 0 ? Double(recordings - resumed) / seconds : 0
        text += "; \(Terminal.number(seconds, digits: 3)) s, \(Int(rate)) a second"
        for (code, count) in reasons.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            text += "\n  \(count) × \(code)"
        }
        return text + (out.map { "\nfindings: \($0)" } ?? "")
    }
}

/// Walks over files and folders, classifies wave by wave, and tells in the order of the walk.
struct ClassifyRun {
    /// Recordings of a wave, which is in memory at once: the answers do not depend on it.
    ///
    /// - Parameter threads: Each has several, so that few wait at the end of a wave.
    /// - Returns: How many.
    static func waveCount(threads: Int) -> Int { max(64, 16 * threads) }
    /// The most bytes of the files of a wave, unless a single one has more.
    static let waveBytesMaximum = 32 << 20

    let plan: ClassifyPlan
    let paths: [String]
    var sink: FindingSink
    let interrupts: Interrupts

    /// Does it all.
    ///
    /// - Parameter filing: Where recordings and findings are stored; nil without a database.
    /// - Returns: What was done, also after an interruption.
    /// - Throws: What the file system or the database refuses.
    consuming func run(filing: FindingFiling?) async throws -> ClassifySummary {
        var summary = ClassifySummary()
        let progress = ClassifyProgress(paths)
        defer { progress.end() }
        var waves = Waves(paths, count: Self.waveCount(threads: plan.threads))
        var place = 0
        while let wave = waves.next(), !interrupts.isAsked {
            let known = try resume(wave, from: &place, &summary)
            progress.resume(known)
            let rest = Array(wave.dropFirst(known))
            let reports =
                try await filing?.classify(rest, interrupts, progress, &summary)
                ?? classify(rest, progress)
            // Only what stands in front of the first one left out is told, so that nothing is missing.
            let whole = reports.prefix { $0 != nil }.compactMap { $0 }
            for report in whole { summary.count(report) }
            try tell(whole, progress)
            summary.seconds = progress.seconds
            if whole.count < rest.count { break }
        }
        summary.isInterrupted = interrupts.isAsked
        if case .file(let file, _) = sink, !summary.isInterrupted {
            var file = file
            try file.rewind(to: place)
            try file.finish()
        }
        return summary
    }

    /// How many recordings at the start of a wave an earlier run has told already. From the first
    /// that differs on, everything is told anew.
    private mutating func resume(
        _ wave: [ScannedPath], from place: inout Int, _ summary: inout ClassifySummary
    ) throws -> Int {
        guard case .file(var file, let format) = sink, place < file.done.count else { return 0 }
        let done = file.done[place...].prefix(wave.count)
        let options = plan.options
        let isSame = ParallelMap.map(done.count, threads: plan.threads) { index in
            let entry = done[done.startIndex + index]
            let found = ClassifiedFile.identity(of: wave[index], options)
            return found.recording == entry.recording && found.content == entry.content
        }
        let count = isSame.prefix { $0 }.count
        place += count
        summary.recordings += count
        summary.resumed += count
        if count < min(wave.count, file.done.count - place + count) {
            try file.rewind(to: place)
            place = file.done.count
            sink = .file(file, format)
        }
        return count
    }

    /// Nil for recordings that were left out since somebody asked to stop.
    private func classify(
        _ wave: [ScannedPath], _ progress: ClassifyProgress
    ) throws -> [FindingReport?] {
        let (plan, interrupts) = (plan, interrupts)
        let results = ParallelMap.map(wave.count, threads: plan.threads) {
            index -> Result<FindingReport?, any Error> in
            guard !interrupts.isAsked else { return .success(nil) }
            defer { progress.finish() }
            return Result { try ClassifiedFile(wave[index], plan).report }
        }
        return try results.map { try $0.get() }
    }

    private mutating func tell(_ reports: [FindingReport], _ progress: ClassifyProgress) throws {
        switch sink {
        case .nothing: break
        case .lines:
            // Both may be on one terminal.
            progress.end()
            for report in reports { print(report.line) }
            try Terminal.flush()
        case .jsonLines:
            progress.end()
            for report in reports {
                print(try FindingFormat.jsonLines.rows(report), terminator: "")
            }
            try Terminal.flush()
        case .file(var file, let format):
            for report in reports { try file.append(try format.rows(report)) }
            sink = .file(file, format)
        }
    }
}

/// Cuts a walk into waves.
private struct Waves {
    private var walk: RecordingScan.Walk
    private let count: Int

    init(_ paths: [String], count: Int) {
        walk = RecordingScan(paths).makeIterator()
        self.count = count
    }

    mutating func next() -> [ScannedPath]? {
        var wave: [ScannedPath] = []
        var bytes = 0
        while wave.count < count, bytes < ClassifyRun.waveBytesMaximum,
            let next = walk.next()
        {
            // A WFDB header is small; its samples take a hundred kilobytes or so.
            if case .recording(let file) = next { bytes += max(file.bytes, 1 << 17) }
            wave.append(next)
        }
        return wave.isEmpty ? nil : wave
    }
}

extension FindingReport {
    /// One line for people.
    var line: String {
        let mark = quality.map { "quality \(Terminal.number($0, digits: 2))" } ?? "no quality"
        if let abstained {
            return "\(recording)  \(isFailure ? "unreadable" : "abstained")  \(abstained.code): "
                + abstained.reason
        }
        let found = positives.map {
            "\($0.abbreviation) \(Terminal.number($0.probability, digits: 2))"
        }
        return
            "\(recording)  \(mark)  \(found.isEmpty ? "nothing found" : found.joined(separator: ", "))"
    }
}
