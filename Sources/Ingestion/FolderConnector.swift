import Foundation
package import Postgres
package import Series
import Signals
package import Store

/// Brings files into the database: tables as series, WFDB and EDF files as recordings. The segments of
/// a WFDB record are parts of it, and samples that no header names are told, not passed over.
///
/// Every file is a part of the source with a cursor of its own, which moves in the transaction
/// that stores the data. A table that has grown is read from where it was left; one that changed
/// otherwise is read again, which leaves equal values alone. A bad file costs its own row in the
/// report, never the others, and is left alone until it changes; one that could not be opened or
/// read is tried at every pull. What only the database can mend ends the pull.
package struct FolderConnector: SourceConnector {
    /// What sources of this connector have as their kind.
    package static let kind = "folder"

    /// The most bytes of a table that are read and stored at a time.
    package var pieceBytes = TablePieces.pieceBytes
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
        var missing: String?
        for (path, reason) in scan.unusable {
            report.reject(path, reason)
            if settings.paths.contains(path) { missing = missing ?? "\(path): \(reason)" }
        }
        let jobs = scan.files.map { file in
            FileJob(
                file: file, source: source, settings: settings, pool: pool, now: now,
                cursor: cursors[file.path])
        }
        var rest = jobs[...]
        // Whoever was overtaken leaves the other files alone too.
        while let job = rest.first, report.trouble == nil {
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
        report.trouble = report.trouble ?? missing ?? report.faultSentence
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
            while true {
                while begun < jobs.count, begun < told + ended.count + 2, report.trouble == nil {
                    let (number, job) = (begun, jobs[begun])
                    group.addTask {
                        var report = IngestReport()
                        try await pull(job, &report)
                        return (number, report)
                    }
                    begun += 1
                }
                // Nil once all that were begun have ended.
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

    /// Pulls a file, and ends quietly where the source was reset or another pull was faster: what the
    /// file has is stored by the next pull, or was stored by the other.
    private func pull(_ job: FileJob, _ report: inout IngestReport) async throws {
        report.files += 1
        var job = job
        job.findParts()
        if job.isDone(&report) { return }
        do {
            try await store(&job, &report)
        } catch IngestError.overtaken {
            report.trouble = IngestError.overtaken.description
        }
    }

    /// Stores what is new in a file, or keeps why it cannot be stored.
    private func store(_ job: inout FileJob, _ report: inout IngestReport) async throws {
        do {
            switch job.file.kind {
            case .table: try await pullTable(&job, &report)
            case .wfdb, .edf: try await pullRecording(&job, &report)
            case .headless: throw RecordingFileError.headerMissing(job.file.path)
            }
        } catch {
            guard let fault = FileFault(error) else { throw error }
            let begins = job.file.kind == .table && fault.isOfBeginning
            if begins, !job.isAtRest(seconds: job.settings.restSeconds) {
                // Its first rows are on their way.
                report.filesWaiting += 1
                return
            }
            if !begins { report.keep(fault.discreet, of: job.file.name) }
            guard job.isSettled else {
                // Counted and kept once nobody writes it any more.
                report.filesWaiting += 1
                return
            }
            report.reject(job.file.name, fault.description)
            try await remember(fault, of: job)
        }
    }

    /// Keeps the rejection with the state in which the file was read. One that may pass is counted once
    /// in that state, however often the file is tried.
    private func remember(_ fault: FileFault, of job: FileJob) async throws {
        if fault.mayPass, job.position?.awaits(job.state) == true { return }
        // What was stored before the fault was met stays behind the cursor.
        var position = job.position ?? FilePosition(job.state)
        position.reject(fault, in: job.state)
        let rejected = position
        try await job.pool.transaction { db in
            try job.move(to: rejected, in: db)
            try SourceFigures.add(SourceFigures(rejected: ["file": 1]), to: job.source.id, in: db)
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
    /// All files of a WFDB record, the header first; otherwise the one.
    private(set) var paths: [String]
    /// What they were like before they were read, as if they were one: what is written while they are
    /// read makes another state.
    private(set) var state: FileState
    /// The cursor as it is stored; nil for none.
    private(set) var cursor: String?
    /// How far the file is stored; nil where nothing is known of it.
    private(set) var position: FilePosition?

    init(
        file: SourceFile, source: Source, settings: FolderSettings, pool: Pool, now: Timestamp,
        cursor: String?
    ) {
        self.file = file
        self.source = source
        self.settings = settings
        self.pool = pool
        self.now = now
        self.cursor = cursor
        position = cursor.flatMap(FilePosition.decode)
        paths = [file.path]
        state = file.state
    }

    /// Finds the other files of a WFDB record, and adds their state.
    mutating func findParts() {
        guard file.kind == .wfdb else { return }
        // A record whose header cannot be understood is its header alone.
        guard let all = try? WFDBReader().files(ofRecord: file.path) else { return }
        paths = all
        for path in all.dropFirst() {
            if let status = FileStatus(path) { state = state + FileState(status) }
        }
    }

    /// Whether the files have been left alone for so long.
    func isAtRest(seconds: Double) -> Bool {
        seconds <= 0 || Double(now.microseconds - state.modified.microseconds) >= seconds * 1e6
    }

    /// Counts the file where there is nothing to do, and says so.
    func isDone(_ report: inout IngestReport) -> Bool {
        if let position, position.settles(state) {
            if let reason = position.rejected {
                if position.isBeginning != true { report.keep(reason, of: file.name) }
                report.reject(file.name, reason)
                report.rejectedBefore += 1
            } else {
                report.filesUnchanged += 1
            }
            return true
        }
        // Whole lines of a table are whole, however often others are written.
        if file.kind == .table || isSettled { return false }
        report.filesWaiting += 1
        return true
    }

    /// Whether the files are not being written now; the header of samples may still be on its way.
    var isSettled: Bool {
        isAtRest(seconds: file.kind == .headless ? settings.restSeconds : settings.settleSeconds)
    }

    /// Moves the cursor, in the transaction that stores what lies before it.
    ///
    /// - Throws: `IngestError.overtaken` where it is not where this pull left it.
    func move(to position: FilePosition, in db: borrowing Session) throws {
        try GuardedCursor.move(
            source: source.id, part: file.path, from: cursor, to: position.json(), in: db)
    }

    /// Says that the transaction that moved the cursor was committed.
    mutating func moved(to position: FilePosition) throws {
        cursor = try position.json()
        self.position = position
    }
}
