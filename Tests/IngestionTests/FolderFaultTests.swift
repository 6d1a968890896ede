import Foundation
import Postgres
import Series
import Signals
import Store
import TestSupport
import Testing

@testable import Ingestion

extension SourceFolder {
    /// Makes the database do more before each row that is inserted into a table.
    fileprivate func strike(_ table: String, _ statement: String) async throws {
        try await pool.run(
            SQL(
                raw: """
                    CREATE FUNCTION public.strike() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        \(statement);
                        RETURN new;
                    END $$
                    """))
        try await pool.run(
            SQL(
                raw: """
                    CREATE TRIGGER strike BEFORE INSERT ON systole.\(table)
                    FOR EACH ROW EXECUTE FUNCTION public.strike()
                    """))
    }

    fileprivate func strikeNoMore() async throws {
        try await pool.run("DROP FUNCTION public.strike() CASCADE")
    }

    /// How many files were counted as rejected.
    fileprivate func rejectionsCounted() async throws -> Int64 {
        try await pool.run(
            "SELECT coalesce(sum(count), 0)::bigint AS n FROM systole.source_rejections"
        ).only().int64("n")
    }

    /// All cursors, as text.
    fileprivate func cursors() async throws -> String {
        try await pool.run("SELECT position::text AS p FROM systole.source_cursor")
            .allTexts("p").joined()
    }
}

private let table = "time,a\n2020-01-01,1\n2020-01-02,2\n"

@Suite struct FolderFaultTests {
    @Test(arguments: ["53100", "58030", "42501"])
    func `a fault of the database is not the file's, which is read once it has passed`(
        state: String
    ) async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", table)
            try await folder.strike("series", "RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'")
            let error = await #expect(throws: PostgresError.self) { try await folder.pull() }
            #expect(error?.sqlState == state)
            try await folder.strikeNoMore()
            let report = try await folder.pull()
            #expect(report.stored == 2 && report.rejected == 0)
            #expect(try await folder.rejectionsCounted() == 0)
        }
    }

    @Test func `a file that could not be opened is read once it can be, changed or not`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("a.csv", table)
            try folder.write("b.csv", "time,b\n2020-01-01,1\n")
            let (here, away) = (
                folder.folder.appending(path: "b.csv"), folder.folder.appending(path: "b.away")
            )
            // It goes between being found and being opened, and comes back with size and time.
            let report = try await folder.pull { report in
                if report.files == 1 { try FileManager.default.moveItem(at: here, to: away) }
            }
            #expect(report.stored == 2 && report.rejected == 1)
            try FileManager.default.moveItem(at: away, to: here)
            let mended = try await folder.pull()
            #expect(mended.stored == 1 && mended.rejected == 0)
        }
    }

    @Test func `a file that cannot be read is told at every pull and counted once`() async throws {
        try await withSourceFolder { folder in
            try folder.write("d.hea", "d 1 4 4\nmissing.dat 16\n")
            for _ in 0..<3 {
                let report = try await folder.pull()
                #expect(report.rejected == 1)
                #expect(report.rejections.first?.reason.contains("missing.dat") == true)
            }
            #expect(try await folder.rejectionsCounted() == 1)
        }
    }

    @Test func `a table that was finished while its beginning was rejected is read`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", table)
            try folder.write("b.csv", "time")
            let report = try await folder.pull { report in
                guard report.files == 1 else { return }
                try folder.write("b.csv", "time,b\n2020-01-01,1\n", ageSeconds: 100)
            }
            #expect(report.rejected == 1)
            let finished = try await folder.pull()
            #expect(finished.stored == 1 && finished.rejected == 0)
        }
    }

    @Test func `a record that is rejected is counted once until one of its files changes`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("b.hea", "b 1 4 2\nb.dat 517 2(10)/mV\n", ageSeconds: 200)
            try folder.write("b.dat", [1, 0, 2, 0], ageSeconds: 100)
            for _ in 0..<3 { #expect(try await folder.pull().rejected == 1) }
            #expect(try await folder.rejectionsCounted() == 1)
            try folder.write("b.dat", [1, 0, 3, 0], ageSeconds: 90)
            #expect(try await folder.pull().rejected == 1)
            #expect(try await folder.rejectionsCounted() == 2)
        }
    }

    @Test func `what is kept of a rejection quotes nothing that stands in the file`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n01/02/2020,1\n")
            try folder.write("b.hea", "b 1 Smith 2\nb.dat 16 2(10)/mV\n")
            try folder.write("b.dat", [1, 0, 2, 0])
            let report = try await folder.pull()
            // Who asks for the pull is told.
            try #require(report.rejections.count == 2)
            #expect(report.rejections[0].reason.contains("01/02/2020"))
            #expect(report.rejections[1].reason.contains("Smith"))
            let kept = try await folder.cursors()
            #expect(kept.contains("a.csv") && kept.contains("sampling rate"))
            #expect(!kept.contains("01/02/2020") && !kept.contains("Smith"))
            let again = try await folder.pull()
            #expect(again.rejections.map(\.file) == ["a.csv", "b.hea"])
        }
    }

    @Test func `a source that is reset while a table is stored stays reset`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            folder.connector.pieceBytes = 64
            let rows = (10..<60).map { "2020-01-01 00:\($0),\($0)\n" }
            try folder.write("a.csv", "time,a\n" + rows.joined())
            try folder.write("b.csv", "time,b\n2020-01-01,1\n")
            // After the first piece the cursor is gone whenever the next one is stored.
            try await folder.strike("source_figures", "DELETE FROM systole.source_cursor")
            let report = try await folder.pull()
            #expect(report.trouble == IngestError.overtaken.description)
            #expect(report.files == 1 && report.rejected == 0)
            #expect(report.stored > 0 && report.stored < 50)
            #expect(try await folder.observations().count == report.stored)
            try await folder.strikeNoMore()
            let rest = try await folder.pull()
            #expect(rest.trouble == nil && rest.files == 2)
            #expect(try await folder.observations().count == 51)
        }
    }

    @Test func `a recording is not stored where its source was reset meanwhile`() async throws {
        try await withSourceFolder { folder in
            let header = "r 1 4 2 10:00:00 01/02/2020\nr.dat 16 2(10)/mV 16 0 0 3 0 II\n"
            try folder.write("r.hea", header)
            // It has a cursor from now on, since it is rejected.
            #expect(try await folder.pull().rejected == 1)
            try folder.write("r.dat", [1, 0, 2, 0])
            try await folder.strike("recording", "DELETE FROM systole.source_cursor")
            let report = try await folder.pull()
            #expect(report.trouble == IngestError.overtaken.description)
            #expect(report.recordings == 0 && report.rejected == 0)
            try await folder.strikeNoMore()
            #expect(try await folder.pull().recordings == 1)
        }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let error: any Error
        /// Nil where it is no fault of the file.
        let mayPass: Bool?
        var testDescription: String { "\(error)" }
    }

    @Test(arguments: [
        Case(error: CancellationError(), mayPass: nil),
        Case(error: PoolError.closed, mayPass: nil),
        Case(error: PostgresError(sqlState: "53100", message: "full"), mayPass: nil),
        Case(error: PostgresError(sqlState: "42501", message: "denied"), mayPass: nil),
        Case(error: PostgresError(sqlState: "22003", message: "range"), mayPass: false),
        Case(error: PostgresError(sqlState: "54000", message: "limit"), mayPass: false),
        Case(error: IngestError.overtaken, mayPass: nil),
        Case(error: IngestError.sameSeries(key: "a"), mayPass: false),
        Case(error: StoreError.recordingDiffers(key: "a"), mayPass: false),
        Case(error: CocoaError(.fileReadNoPermission), mayPass: true),
        Case(
            error: CSVError(file: "a", line: nil, reason: .unreadable("denied")), mayPass: true),
        Case(error: CSVError(file: "a", line: nil, reason: .empty), mayPass: false),
    ])
    func `a fault is the file's, passes, or ends the pull`(_ c: Case) {
        let state = FileState(size: 1, modified: SourceFolder.now)
        let fault = FileFault(c.error)
        #expect(fault?.mayPass == c.mayPass)
        guard let fault else { return }
        var position = FilePosition(state)
        position.reject(fault, in: state)
        #expect(position.settles(state) == !fault.mayPass)
        #expect(position.awaits(state) == fault.mayPass)
    }
}
