import Crypto
import Foundation
import Postgres
import Series
import Signals
import Store

extension FolderConnector {
    /// Stores a recording, whole and in one transaction.
    func pullRecording(_ job: inout FileJob, _ report: inout IngestReport) async throws {
        // Whoever copies a record writes its header first, or leaves a file half written for a while.
        let mayGrow = !job.isAtRest(seconds: job.settings.restSeconds)
        let recording: Recording
        do {
            recording = try read(job.file)
        } catch _ where mayGrow {
            report.filesWaiting += 1
            return
        }
        if mayGrow, recording.endsEarly {
            report.filesWaiting += 1
            return
        }
        var position = FilePosition(job.state)
        position.content = try Self.digest(of: job.paths)
        let (final, current) = (position, job)
        let filing = RecordingFiling(recording, key: Self.key(of: job))
        let outcome = try await job.pool.transaction { db in
            let outcome = try filing.store(onConflict: current.source.conflictRule, in: db)
            try current.move(to: final, in: db)
            var figures = SourceFigures()
            if case .unchanged = outcome {} else { figures.samples = filing.sampleCount }
            figures.dataUntil = filing.until.map { min($0, current.now) }
            try SourceFigures.add(figures, to: current.source.id, in: db)
            return outcome
        }
        switch outcome {
        case .stored, .replaced: report.recordings += 1
        case .unchanged: report.filesUnchanged += 1
        }
        for finding in filing.damage { report.find(job.file.name, finding) }
    }

    private func read(_ file: SourceFile) throws -> Recording {
        if file.kind == .wfdb {
            var reader = WFDBReader()
            reader.bytesMaximum = recordingBytesMaximum
            return try reader.read(header: file.path)
        }
        var reader = EDFReader()
        reader.bytesMaximum = recordingBytesMaximum
        return try reader.read(file: file.path)
    }

    /// SHA-256 over the bytes of all files.
    private static func digest(of files: [String]) throws -> String {
        var hash = SHA256()
        for path in files {
            hash.update(data: try Data(contentsOf: URL(fileURLWithPath: path)))
        }
        return hash.hexadecimal
    }

    /// `ward3/2026/0001`: the source and the path below its folder, as a rule without the suffix.
    private static func key(of job: FileJob) -> String {
        let title = job.file.title
        return "\(job.source.name)/\(job.settings.renames[title] ?? title)"
    }
}

extension Recording {
    /// Whether samples are missing at its end, or at that of a segment, as they are while it is copied.
    fileprivate var endsEarly: Bool {
        findings.contains { finding in
            switch finding {
            case .truncated, .segmentUnread: true
            default: false
            }
        }
    }
}
