import Foundation
import Postgres
import Series
import Signals
import Store

extension FolderConnector {
    /// Stores what is new in a table.
    func pullTable(_ job: inout FileJob, _ report: inout IngestReport) async throws {
        var options = job.settings.csv
        options.skipBadRows = true
        options.refuseUnsorted = false
        options.duplicates = job.source.isRevisable ? .keepLast : .keepFirst
        let plan = try CSVReader(options: options).plan(
            try Self.head(of: job), name: job.file.name)
        var pieces = try Self.open(job, plan, pieceBytes)
        // A file that was only read loses nothing by a failing close.
        defer { try? pieces.close() }
        var position = FilePosition(job.state)
        position.resume = -1
        var isWhole = true
        // The next piece is read while the database takes the one before it.
        var next = try Self.next(&pieces, plan, job, &position, &isWhole)
        while let table = next {
            let (reached, current) = (position, job)
            async let counts = Self.store(table, at: reached, current)
            if job.position == nil, let note = table.report.leftOutNote {
                report.find(job.file.name, note)
            }
            // A fault in what follows does not undo what came before it.
            let following = Result { try Self.next(&pieces, plan, current, &position, &isWhole) }
            report.count(try await counts, table.report, of: current.file.name)
            try job.moved(to: reached)
            next = try following.get()
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
        // What is written now may be written again at the same time, to the clock of its file system.
        position.content = job.isSettled ? pieces.content : nil
        let (final, current) = (position, job)
        try await job.pool.transaction { db in try current.move(to: final, in: db) }
    }

    /// The bytes from which a table's plan is made: whole lines, as long as the last may be being written.
    private static func head(of job: FileJob) throws -> [UInt8] {
        let file = job.file
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file.path))
        // A file that was only read loses nothing by a failing close.
        defer { try? handle.close() }
        let head = [UInt8](
            try handle.read(upToCount: min(file.state.size, headBytes)) ?? Data())
        guard head.count < headBytes else { return try TableHead.whole(head, isAll: false) }
        // Half a time is a number, and half a number may be an integer.
        let isWhole = job.isAtRest(seconds: job.settings.restSeconds)
        return isWhole ? head : Array(head[..<TablePieces.end(ofWholeRecords: head)])
    }

    /// From so many bytes it is found how a table is to be read.
    private static let headBytes = 1 << 20

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

    /// Reads the next piece and moves the position behind it; nil at the end.
    private static func next(
        _ pieces: inout TablePieces, _ plan: CSVPlan, _ job: FileJob,
        _ position: inout FilePosition, _ isWhole: inout Bool
    ) throws -> CSVTable? {
        guard var piece = try pieces.next() else { return nil }
        let tail = piece.bytes.count - piece.wholeCount
        if tail > 0, !job.isAtRest(seconds: job.settings.restSeconds) {
            piece.bytes.removeLast(tail)
            isWhole = false
        }
        let table = try CSVReader.rows(piece.bytes, plan: plan, firstLine: piece.firstLine)
        position.resume = piece.resume
        position.line = piece.resumeLine
        position.prefix = piece.prefix
        return table
    }

    /// Stores one piece and moves the cursor, in one transaction.
    private static func store(
        _ table: CSVTable, at position: FilePosition, _ job: FileJob
    ) async throws -> FilingCounts {
        let pieces = try pieces(of: table, job)
        return try await job.pool.transaction { db in
            let counts = try SeriesFiling.store(
                pieces, rejected: table.report.badRows > 0 ? ["row": table.report.badRows] : [:],
                repeated: AppendCounts(
                    duplicate: table.report.duplicates, conflicting: table.report.conflicts),
                from: job.source, in: db)
            // A file in another unit is refused whole: its cursor stays, and so does what it brought.
            if let refusal = counts.refusals.first { throw refusal }
            try job.move(to: position, in: db)
            return counts
        }
    }

    private static func pieces(
        of table: CSVTable, _ job: FileJob
    ) throws(IngestError) -> [SeriesPiece] {
        var pieces: [SeriesPiece] = []
        for column in table.columns {
            let name = column.channel.name
            let key = try SeriesKey.text(
                source: job.source.name, name: job.settings.renames[name] ?? name)
            pieces.append(SeriesPiece(column, key: key))
        }
        return pieces
    }
}

extension SeriesPiece {
    /// What a column of a table brings.
    init(_ column: CSVTable.Column, key: String) {
        let present = zip(column.times, column.values).compactMap { time, value in
            value.isNaN ? nil : Observation(at: time, value: value)
        }
        self.init(
            key: key, unit: column.channel.unit, observations: present,
            missing: column.times.count - present.count)
    }
}
