import Foundation
import Postgres
import Series
import Signals
import Store

extension FolderConnector {
    /// Stores what is new in a table.
    func pullTable(_ job: FileJob, _ report: inout IngestReport) async throws {
        let state = job.file.state
        if job.isDone(state, &report) { return }
        var options = job.settings.csv
        options.skipBadRows = true
        options.refuseUnsorted = false
        options.duplicates = job.source.isRevisable ? .keepLast : .keepFirst
        let plan = try CSVReader(options: options).plan(
            try Self.head(of: job.file), name: job.file.name)
        var pieces = try Self.open(job, plan, pieceBytes)
        // A file that was only read loses nothing by a failing close.
        defer { try? pieces.close() }
        var position = FilePosition(state)
        position.resume = -1
        var isWhole = true
        while var piece = try pieces.next() {
            let tail = piece.bytes.count - piece.wholeCount
            if tail > 0, !job.isAtRest(state, seconds: job.settings.restSeconds) {
                piece.bytes.removeLast(tail)
                isWhole = false
            }
            let table = try CSVReader.rows(piece.bytes, plan: plan, firstLine: piece.firstLine)
            position.resume = piece.resume
            position.line = piece.resumeLine
            position.prefix = piece.prefix
            position.content = nil
            try await Self.store(table, at: position, job, &report)
        }
        if !isWhole {
            report.filesWaiting += 1
            return
        }
        if position.resume < 0, let before = job.position {
            // Nothing came after what was stored; the file was only touched.
            (position.resume, position.line) = (before.resume, before.line)
            position.prefix = before.prefix
            report.filesUnchanged += 1
        }
        position.content = pieces.content
        let final = position
        try await job.pool.transaction { db in
            try CursorStore.move(
                source: job.source.id, part: job.file.path, to: final.json(), in: db)
        }
    }

    /// The bytes from which a table's plan is made.
    private static func head(of file: SourceFile) throws -> [UInt8] {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path))
        // A file that was only read loses nothing by a failing close.
        defer { try? handle.close() }
        return [UInt8](try handle.read(upToCount: min(file.state.size, 1 << 20)) ?? Data())
    }

    /// The pieces of a table from where it was left, or from its first row where it has changed.
    private static func open(
        _ job: FileJob, _ plan: CSVPlan, _ pieceBytes: Int
    ) throws -> TablePieces {
        let (path, size) = (job.file.path, job.file.state.size)
        if let before = job.position, before.resume >= plan.bodyOffset, before.resume <= size {
            var pieces = try TablePieces(path: path, size: size, pieceBytes: pieceBytes)
            if try pieces.skip(before.resume, toLine: before.line) == before.prefix {
                return pieces
            }
            try pieces.close()
        }
        var pieces = try TablePieces(path: path, size: size, pieceBytes: pieceBytes)
        _ = try pieces.skip(plan.bodyOffset, toLine: plan.bodyLine)
        return pieces
    }

    /// Stores one piece and moves the cursor, in one transaction.
    private static func store(
        _ table: CSVTable, at position: FilePosition, _ job: FileJob,
        _ report: inout IngestReport
    ) async throws {
        let counts = try await job.pool.transaction { db in
            let counts = try append(table, job, in: db)
            try CursorStore.move(
                source: job.source.id, part: job.file.path, to: position.json(), in: db)
            return counts
        }
        for count in counts {
            report.stored += count.inserted
            report.duplicates += count.duplicate
            report.conflicts += count.conflicting
            report.revised += count.revised
            report.parked += count.parked
        }
        report.rows += table.report.rows
        report.badRows += table.report.badRows
        report.missing += table.report.missing
        report.duplicates += table.report.duplicates
        report.conflicts += table.report.conflicts
        for error in table.report.badRowReasons { report.note(job.file.name, error.description) }
    }

    private static func append(
        _ table: CSVTable, _ job: FileJob, in db: borrowing Session
    ) throws -> [AppendCounts] {
        var batches: [(SeriesID, [Observation])] = []
        var stored: [StoredSeries] = []
        for column in table.columns {
            let key = job.settings.seriesKey(
                source: job.source.name, column: column.channel.name)
            let series = try SeriesStore.ensure(key: key, unit: column.channel.unit, in: db)
            guard !stored.contains(where: { $0.id == series.id }) else {
                throw IngestError.sameSeries(key: key)
            }
            stored.append(series)
            let observations = zip(column.times, column.values).compactMap { time, value in
                value.isNaN ? nil : Observation(at: time, value: value)
            }
            batches.append((series.id, observations))
        }
        let counts = try SeriesStore.append(
            batches, onConflict: job.source.conflictRule, in: db)
        for (index, count) in counts.enumerated() where count.changedAnything {
            try tell(stored[index], batches[index].1, count, in: db)
            if stored[index].stepMicroseconds == nil { try learnStep(of: stored[index], in: db) }
        }
        return counts
    }

    /// Appends the event that a series has grown.
    private static func tell(
        _ series: StoredSeries, _ observations: [Observation], _ count: AppendCounts,
        in db: borrowing Session
    ) throws {
        let times = observations.lazy.map(\.at)
        guard let from = times.min(), let until = times.max() else { return }
        let data = """
            {"series_id": \(series.id), "from": "\(from)", "until": "\(until)", \
            "rows": \(count.inserted + count.revised)}
            """
        try Outbox.append(type: "series.extended", subject: series.key, data: data, in: db)
    }

    /// The most instants that the step of a series is found from.
    private static let instantsForStep = 1000

    /// Sets the step of a series once its newest observations show one.
    private static func learnStep(
        of series: StoredSeries, in db: borrowing Session
    ) throws {
        let rows = try db.run(
            """
            SELECT systole.epoch_us(at) AS at FROM systole.observations
            WHERE series_id = \(series.id) ORDER BY at DESC LIMIT \(instantsForStep)
            """)
        let times = try rows.allInt64s("at").reversed().map { Timestamp(microseconds: $0) }
        guard let step = RegularStep.microseconds(between: times) else { return }
        _ = try SeriesStore.ensure(key: series.key, stepMicroseconds: step, in: db)
    }
}
