import Foundation
import Series
import Signals

extension FolderConnector {
    /// How many tables are looked into for a preview, and how much of each.
    private static let (tablesMaximum, headBytes) = (100, 1 << 20)

    /// Reads the names of recordings and the beginnings of tables, and stores nothing.
    func preview(
        name: String, settings: FolderSettings, now: Timestamp
    ) async throws -> [PullPreview] {
        let scan = try FileScan(settings.paths)
        var reasons = scan.unusable.map { "\($0.path): \($0.reason)" }
        for file in scan.files where file.kind == .headless {
            reasons.append(RecordingFileError.headerMissing(file.path).description)
        }
        let recordings = scan.files.filter(\.kind.isRecording).map { file in
            "\(name)/\(settings.renames[file.title] ?? file.title)"
        }
        let tables = scan.files.filter { $0.kind == .table }
        var series: [PullPreview.Series] = []
        var notes: [String] = []
        for file in tables.prefix(Self.tablesMaximum) {
            do {
                let table = try Self.beginning(of: file, settings)
                if let note = table.report.leftOutNote { notes.append("\(file.name): \(note)") }
                for column in table.columns {
                    let title = column.channel.name
                    let key = try SeriesKey.text(
                        source: name, name: settings.renames[title] ?? title)
                    series.append(PullPreview.Series(SeriesPiece(column, key: key)))
                }
            } catch {
                reasons.append(
                    IngestError.sentence(for: error, otherwise: "\(file.name) cannot be read"))
            }
        }
        return [
            PullPreview(
                bytes: scan.files.reduce(0) { $0 + $1.state.size },
                items: scan.files.count + scan.unusable.count, badItems: reasons.count,
                reasons: reasons, notes: notes, series: series, recordings: recordings,
                hasMore: tables.count > Self.tablesMaximum)
        ]
    }

    private static func beginning(
        of file: SourceFile, _ settings: FolderSettings
    ) throws -> CSVTable {
        var options = settings.csv
        options.skipBadRows = true
        options.refuseUnsorted = false
        let size = min(file.state.size, headBytes)
        var pieces = try TablePieces(path: file.path, size: size, pieceBytes: headBytes)
        // A file that was only read loses nothing by a failing close.
        defer { try? pieces.close() }
        let piece = try pieces.next()
        let bytes = piece?.bytes ?? []
        let plan = try CSVReader(options: options).plan(bytes, name: file.name)
        // The last line of a longer table is cut.
        let end = size < file.state.size ? piece?.wholeCount ?? 0 : bytes.count
        let body = plan.bodyOffset < end ? Array(bytes[plan.bodyOffset..<end]) : []
        return try CSVReader.rows(body, plan: plan, firstLine: plan.bodyLine)
    }
}
