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
        let header = RecordingHeader(
            key: key, startedAt: recording.start,
            channels: recording.signals.map { signal in
                RecordingChannel(
                    channel: signal.channel, rate: signal.rate,
                    sampleCount: Int64(signal.declaredCount))
            })
        let chunks = recording.chunks()
        let final = position
        let outcome = try await job.pool.transaction { db in
            let outcome = try RecordingStore.store(
                header, chunks: chunks, onConflict: job.source.conflictRule, in: db)
            if case .unchanged = outcome {
            } else {
                try Self.tell(recording, key: key, id: outcome.id, in: db)
            }
            try CursorStore.move(
                source: job.source.id, part: job.file.path, to: final.json(), in: db)
            return outcome
        }
        switch outcome {
        case .stored, .replaced: report.recordings += 1
        case .unchanged: report.filesUnchanged += 1
        }
        for finding in Self.damage(in: recording) { report.find(job.file.name, finding) }
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

    /// What is wrong with the samples themselves, in words.
    private static func damage(in recording: Recording) -> [String] {
        recording.findings.compactMap { finding in
            switch finding {
            case .truncated(let channel, let declared, let found):
                "channel \(channel + 1) has \(found) of \(declared) samples"
            case .checksum(let channel, _, _):
                "channel \(channel + 1) does not match its checksum"
            case .gap(let after, let seconds): "\(seconds) s are missing after \(after) s"
            case .segmentUnread(let name): "the segment \(name.prefix(40)) cannot be read"
            case .unreadableStart: "the start is no time"
            case .uncalibrated, .rescaled, .annotationsLeftAside: nil
            }
        }
    }

    /// Appends an event where a recording is not whole.
    private static func tell(
        _ recording: Recording, key: String, id: Int64, in db: borrowing Session
    ) throws {
        let findings = damage(in: recording)
        guard !findings.isEmpty else { return }
        let list = try JSONEncoder().encode(findings)
        let data = """
            {"recording_id": \(id), "findings": \(String(decoding: list, as: UTF8.self))}
            """
        try Outbox.append(type: "recording.damaged", subject: key, data: data, in: db)
    }
}
