import Foundation
package import Postgres
package import Series
import Signals
package import Store

/// Brings files into the database: tables as series, WFDB and EDF files as recordings. The segments of
/// a WFDB record are parts of it, and samples without their header are told, not passed over.
///
/// Every file is a part of the source with a cursor of its own, which moves in the transaction
/// that stores the data. A table that has grown is read from where it was left; one that changed
/// otherwise is read again, which leaves equal values alone. A bad file costs its own row in the
/// report, never the others.
package struct FolderConnector: Connector {
    /// What sources of this connector have as their kind.
    package static let kind = "folder"

    /// The most bytes of a table that are read and stored at a time.
    package var pieceBytes = 8 << 20
    /// The largest recording, in bytes.
    package var recordingBytesMaximum = 1 << 30

    package init() {}

    /// Takes what is new, with the settings that are stored with the source.
    package func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let settings = try FolderSettings(json: source.settings, of: source.name)
        return try await pull(
            source, settings: settings, into: pool, now: now, progress: progress)
    }

    /// Takes what is new, with settings that need not be the stored ones; for a pull by hand.
    package func pull(
        _ source: Source, settings: FolderSettings, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport {
        let cursors = try await pool.transaction { db in
            try CursorStore.positions(source: source.id, in: db)
        }
        let scan = try FileScan(settings.paths)
        var report = IngestReport()
        for (path, reason) in scan.unusable { report.reject(path, reason) }
        let jobs = scan.files.map { file in
            FileJob(
                file: file, source: source, settings: settings, pool: pool, now: now,
                position: cursors[file.path].flatMap(FilePosition.decode))
        }
        var rest = jobs[...]
        while let job = rest.first {
            // Tables may hold rows of the same series, of which the first that is stored stays.
            let abreast = rest.prefix { $0.file.kind.isRecording }
            if abreast.isEmpty {
                try await pull(job, &report)
                try progress(report)
                rest.removeFirst()
            } else {
                try await pullAbreast(Array(abreast), &report, progress)
                rest.removeFirst(abreast.count)
            }
        }
        return report
    }

    /// Pulls recordings, two at a time: one is read while the database takes the other.
    private func pullAbreast(
        _ jobs: [FileJob], _ report: inout IngestReport,
        _ progress: @Sendable (IngestReport) throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (Int, IngestReport).self) { group in
            var (begun, told) = (0, 0)
            var ended: [Int: IngestReport] = [:]
            while told < jobs.count {
                while begun < jobs.count, begun < told + ended.count + 2 {
                    let (number, job) = (begun, jobs[begun])
                    group.addTask {
                        var report = IngestReport()
                        try await pull(job, &report)
                        return (number, report)
                    }
                    begun += 1
                }
                guard let (number, part) = try await group.next() else { break }
                ended[number] = part
                // Told in the order of the files, whichever is ready first.
                while let part = ended.removeValue(forKey: told) {
                    report += part
                    told += 1
                    try progress(report)
                }
            }
        }
    }

    private func pull(_ job: FileJob, _ report: inout IngestReport) async throws {
        report.files += 1
        do {
            switch job.file.kind {
            case .table: try await pullTable(job, &report)
            case .wfdb, .edf: try await pullRecording(job, &report)
            case .headless:
                if job.isDone(job.file.state, &report) { return }
                throw RecordingFileError.headerMissing(job.file.path)
            }
        } catch let error as CancellationError {
            throw error
        } catch let error as PoolError {
            throw error
        } catch let error as PostgresError where error.isTransient || error.isCancellation {
            throw error
        } catch {
            let reason = Self.sentence(for: error)
            report.reject(job.file.name, reason)
            try await remember(reason, of: job)
        }
    }

    /// Keeps the rejection with the file's state, so that the file is left alone until it changes.
    private func remember(_ reason: String, of job: FileJob) async throws {
        let (source, part) = (job.source.id, job.file.path)
        let state = FileState(path: job.file.path) ?? job.file.state
        try await job.pool.transaction { db in
            // What was stored before the fault was met stays behind the cursor.
            let stored = try CursorStore.position(source: source, part: part, in: db)
            var position = stored.flatMap(FilePosition.decode) ?? FilePosition(state)
            position.size = state.size
            position.modified = state.modified.microseconds
            position.rejected = reason
            try CursorStore.move(source: source, part: part, to: position.json(), in: db)
            try SourceFigures.add(SourceFigures(rejected: ["file": 1]), to: source, in: db)
        }
    }

    private static func sentence(for error: any Error) -> String {
        switch error {
        case let error as PostgresError: "the database refused it (\(error.sqlState))"
        case let error as any CustomStringConvertible where !(error is NSError): error.description
        default: "the file cannot be read"
        }
    }
}

/// One file of one pull.
struct FileJob: Sendable {
    let file: SourceFile
    let source: Source
    let settings: FolderSettings
    let pool: Pool
    let now: Timestamp
    /// Where an earlier pull left it.
    let position: FilePosition?

    /// Whether the file has been left alone for so long.
    func isAtRest(_ state: FileState, seconds: Double) -> Bool {
        Double(now.microseconds - state.modified.microseconds) >= seconds * 1e6
    }

    /// Counts the file where there is nothing to do, and says so.
    func isDone(_ state: FileState, _ report: inout IngestReport) -> Bool {
        if let position, position.settles(state) {
            if let reason = position.rejected {
                report.reject(file.name, reason)
            } else {
                report.filesUnchanged += 1
            }
            return true
        }
        guard isAtRest(state, seconds: settings.settleSeconds) else {
            report.filesWaiting += 1
            return true
        }
        return false
    }
}
