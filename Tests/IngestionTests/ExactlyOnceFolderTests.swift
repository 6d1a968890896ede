import Foundation
import Postgres
import Series
import Signals
import TestSupport
import Testing

@testable import Ingestion

/// A folder that others write to while it is pulled: tables that grow by half lines and are renamed,
/// and recordings that come up.
private struct BusyFolder {
    /// What was told of a table so far.
    struct Table {
        let number: Int
        var name: String
        var rows = 0
        /// Whether the last line lacks its second half.
        var isOpen = false
    }

    static let rowsMaximum = 60
    static let recordsMaximum = 6

    let folder: SourceFolder
    var tables = (0..<4).map { Table(number: $0, name: "t\($0).csv") }
    var records = 0

    static func line(_ table: Int, _ row: Int) -> String {
        "\(1_735_689_600 + row * 60),\(row * 7 % 40).5,\(row + 1000 * table)\n"
    }

    /// Writes further rows, renames, and adds recordings, by chance.
    mutating func work(step: Int, _ chance: inout SeededChance) throws {
        // Long enough ago to be read, and not so long that half a line counts as whole.
        let age = 50 - Double(step)
        for index in tables.indices where Bool.random(using: &chance) {
            tables[index].rows = min(
                Self.rowsMaximum, tables[index].rows + .random(in: 1...9, using: &chance))
            tables[index].isOpen = Bool.random(using: &chance)
            try write(tables[index], ageSeconds: age)
        }
        if Int.random(in: 0..<4, using: &chance) == 0 {
            let index = Int.random(in: tables.indices, using: &chance)
            let name = "moved-\(step)-\(tables[index].number).csv"
            let old = folder.folder.appending(path: tables[index].name)
            guard FileManager.default.fileExists(atPath: old.path) else { return }
            try FileManager.default.moveItem(
                at: old, to: folder.folder.appending(path: name))
            tables[index].name = name
        }
        if records < Self.recordsMaximum, Bool.random(using: &chance) { try addRecord() }
    }

    /// Writes all that is still missing.
    mutating func complete() throws {
        for index in tables.indices {
            tables[index].rows = Self.rowsMaximum
            tables[index].isOpen = false
            try write(tables[index], ageSeconds: 10)
        }
        while records < Self.recordsMaximum { try addRecord() }
    }

    private func write(_ table: Table, ageSeconds: Double) throws {
        var text = "time,a\(table.number),b\(table.number)\n"
        for row in 0..<table.rows { text += Self.line(table.number, row) }
        if table.isOpen { text.removeLast(3) }
        try folder.write(table.name, text, ageSeconds: ageSeconds)
    }

    private mutating func addRecord() throws {
        let samples = (0..<120).flatMap { sample -> [UInt8] in [UInt8(sample + records), 0] }
        try folder.write("r\(records).dat", samples, ageSeconds: 30)
        try folder.write(
            "r\(records).hea",
            "r\(records) 1 4 120 10:00:00 01/02/2020\nr\(records).dat 16 2(0)/mV 16 0 0 0 0 II\n",
            ageSeconds: 30)
        records += 1
    }

    /// What must be stored in the end, as `series seconds value` and `record samples`.
    static var expected: [String] {
        var lines: [String] = []
        for table in 0..<4 {
            for row in 0..<rowsMaximum {
                let at = 1_735_689_600 + row * 60
                lines.append("plant.a\(table) \(at) \(row * 7 % 40).5")
                lines.append("plant.b\(table) \(at) \(row + 1000 * table)")
            }
        }
        for record in 0..<recordsMaximum {
            let samples = (0..<120).map { "\($0 + record)" }.joined(separator: ",")
            lines.append("plant/r\(record) \(samples)")
        }
        return lines.sorted()
    }

    func stored() async throws -> [String] {
        try await folder.pool.run(
            """
            SELECT series || ' ' || extract(epoch FROM at)::bigint || ' ' || value AS line
            FROM systole.observations
            UNION ALL
            SELECT r.key || ' ' || string_agg(s.sample::text, ',' ORDER BY w.first_sample, s.place)
            FROM systole.recording AS r JOIN systole.waveform_chunk AS w USING (recording_id)
            CROSS JOIN unnest(w.samples) WITH ORDINALITY AS s (sample, place)
            GROUP BY r.key
            """
        ).allTexts("line").sorted()
    }
}

/// What ends a pull from a folder.
private enum Blow: CaseIterable {
    /// The worker ends right after something was stored.
    case stopped
    /// The worker ends anywhere.
    case cancelled
    /// The database ends the connections anywhere.
    case databaseGone
}

@Suite struct ExactlyOnceFolderTests {
    /// One pull that is struck; whether it came to its end.
    private func pull(
        _ folder: SourceFolder, _ blow: Blow, _ terminator: Terminator,
        _ chance: inout SeededChance
    ) async throws -> Bool {
        let task = Task {
            // However it ended, the next pull goes on.
            try? await folder.pull { report in
                if blow == .stopped, report.stored + report.recordings > 0 {
                    throw CancellationError()
                }
            }
        }
        try await Task.sleep(for: .microseconds(.random(in: 0..<20_000, using: &chance)))
        switch blow {
        case .stopped: break
        case .cancelled: task.cancel()
        case .databaseGone: terminator.strike()
        }
        return await task.value != nil
    }

    @Test(arguments: ExactlyOncePullTests.seeds)
    func `whatever goes wrong, files are stored once each`(seed: UInt64) async throws {
        try await withTestDatabase { database in
            let folder = try SourceFolder(database)
            defer { try? FileManager.default.removeItem(at: folder.folder) }
            var busy = BusyFolder(folder: folder)
            var chance = SeededChance(state: seed ^ 0xf11e5)
            let terminator = Terminator(database.configuration)
            try busy.work(step: 0, &chance)
            var interrupted = 0
            for step in 1...16 {
                let blow = Blow.allCases.randomElement(using: &chance) ?? .stopped
                if try await !pull(folder, blow, terminator, &chance) { interrupted += 1 }
                try busy.work(step: step, &chance)
            }
            await terminator.stop()
            try busy.complete()
            // The first may find a connection that was ended.
            var isDone = false
            for _ in 0..<5 where !isDone {
                isDone = (try? await folder.pull())?.changedAnything == false
            }
            #expect(isDone && interrupted > 0)
            let (stored, expected) = (try await busy.stored(), BusyFolder.expected)
            #expect(stored.count == expected.count)
            #expect(
                Digest.hexadecimal(of: Array(stored.joined(separator: "\n").utf8))
                    == Digest.hexadecimal(of: Array(expected.joined(separator: "\n").utf8)))
            let sums = try await folder.pool.run(
                """
                SELECT (SELECT sum((data ->> 'rows')::bigint) FROM systole.outbox
                    WHERE type = 'series.extended')::bigint AS told,
                    stored, samples, rejections
                FROM systole.source_figures, LATERAL (SELECT coalesce(sum(count), 0)::bigint
                    AS rejections FROM systole.source_rejections) AS r
                """
            ).only()
            #expect(try sums.int64("told") == 480 && sums.int64("stored") == 480)
            #expect(try sums.int64("samples") == 720 && sums.int64("rejections") == 0)
        }
    }
}
