import Crypto
import Foundation
import Postgres
import Series
import Signals
import Store

extension FolderConnector {
    /// Stores a recording, whole and in one transaction.
    func pullRecording(_ job: FileJob, _ report: inout IngestReport) async throws {
        let files = try Self.files(of: job.file)
        var state = job.file.state
        for path in files.dropFirst() {
            if let other = FileState(path: path) { state = state + other }
        }
        if job.isDone(state, &report) { return }
        let recording = try read(job.file)
        var position = FilePosition(state)
        position.content = try Self.digest(of: files)
        let key = Self.key(of: job)
        let filing = RecordingFiling(recording, key: key)
        let final = position
        let outcome = try await job.pool.transaction { db in
            let outcome = try filing.store(onConflict: job.source.conflictRule, in: db)
            try CursorStore.move(
                source: job.source.id, part: job.file.path, to: final.json(), in: db)
            var figures = SourceFigures()
            if case .unchanged = outcome {} else { figures.samples = filing.sampleCount }
            try SourceFigures.add(figures, to: job.source.id, in: db)
            return outcome
        }
        switch outcome {
        case .stored, .replaced: report.recordings += 1
        case .unchanged: report.filesUnchanged += 1
        }
        for finding in filing.damage { report.find(job.file.name, finding) }
    }

    /// The files that make a recording: the one that was found first.
    private static func files(of file: SourceFile) throws -> [String] {
        guard file.kind == .wfdb else { return [file.path] }
        return try WFDBReader().files(ofRecord: file.path)
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

    /// `ward3/2026/0001`: the source and the path below its folder, without the suffix.
    private static func key(of job: FileJob) -> String {
        let name = (job.file.name as NSString).deletingPathExtension
        return "\(job.source.name)/\(job.settings.renames[name] ?? name)"
    }
}
