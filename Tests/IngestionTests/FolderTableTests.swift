import Foundation
import Postgres
import Series
import Store
import Testing
import TestSupport

@testable import Ingestion

private let hourly = """
    time,OT [°C],load
    2020-01-01 00:00,1.5,10
    2020-01-01 01:00,2.5,
    2020-01-01 02:00,3.5,30

    """

@Suite struct FolderTableTests {
    @Test func `columns become series with unit and step, and an event each`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            folder.settings.renames = ["OT": "oil_temp"]
            try folder.write("a.csv", hourly)
            let report = try await folder.pull()
            #expect(report.files == 1 && report.rows == 3 && report.stored == 5)
            #expect(report.missing == 1 && report.rejected == 0)
            #expect(
                try await folder.observations() == [
                    "plant.load 2020-01-01 00:00 10", "plant.load 2020-01-01 02:00 30",
                    "plant.oil_temp 2020-01-01 00:00 1.5", "plant.oil_temp 2020-01-01 01:00 2.5",
                    "plant.oil_temp 2020-01-01 02:00 3.5",
                ])
            let series = try await folder.pool.run(
                "SELECT key, unit, step_us FROM systole.series ORDER BY key")
            #expect(try series.map { try $0.text("key") } == ["plant.load", "plant.oil_temp"])
            #expect(try series.map { try $0.text("unit") } == ["", "Cel"])
            #expect(
                try series.map { try $0.optionalInt64("step_us") } == [nil, 3_600_000_000])
            let events = try await folder.events("series.extended")
            #expect(events.count == 2)
            #expect(events[0].hasPrefix("plant.oil_temp "))
            #expect(events[0].contains("\"from\": \"2020-01-01T00:00:00Z\""))
            #expect(events[0].contains("\"until\": \"2020-01-01T02:00:00Z\""))
            #expect(events[0].contains("\"rows\": 3"))
        }
    }

    @Test func `a second pull changes nothing at all`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", hourly)
            try folder.write("sub/b.csv", "time;c\n01.02.2020;1,5\n02.02.2020;2,5\n")
            try await folder.pull()
            let before = try await folder.everything()
            let report = try await folder.pull()
            #expect(report.filesUnchanged == 2 && !report.changedAnything)
            #expect(try await folder.everything() == before)
            #expect(before.count > 10)
        }
    }

    @Test func `a file that was touched or rewritten with the same content adds nothing`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("a.csv", hourly)
            try await folder.pull()
            let before = try await folder.observations()
            try folder.write("a.csv", hourly, ageSeconds: 100)
            let report = try await folder.pull()
            #expect(report.stored == 0 && report.rows == 0)
            #expect(try await folder.observations() == before)
            #expect(try await folder.events("series.extended").count == 2)
        }
    }

    @Test func `a file that has grown is read from where it was left`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", hourly)
            try await folder.pull()
            try folder.write("a.csv", hourly + "2020-01-01 03:00,4.5,40\n", ageSeconds: 100)
            let report = try await folder.pull()
            #expect(report.rows == 1 && report.stored == 2 && report.duplicates == 0)
            #expect(try await folder.observations().count == 7)
            // The line of an error is that of the whole file.
            try folder.write(
                "a.csv", hourly + "2020-01-01 03:00,4.5,40\n2020-01-01 04:00,x,1\n", ageSeconds: 50)
            let bad = try await folder.pull()
            #expect(bad.badRows == 1)
            #expect(bad.rejections.first?.reason.hasPrefix("a.csv, line 6: ") == true)
        }
    }

    @Test func `a last line without an end is taken once the file rests, and again when it grows`()
        async throws
    {
        try await withSourceFolder { folder in
            let open = "time,a\n2020-01-01 00:00,1\n2020-01-01 01:00,2\n2020-01-01 02:00,3"
            try folder.write("a.csv", open, ageSeconds: 10)
            let young = try await folder.pull()
            #expect(young.filesWaiting == 1 && young.stored == 2)
            try folder.write("a.csv", open, ageSeconds: 100)
            let rested = try await folder.pull()
            #expect(rested.stored == 1)
            try folder.write("a.csv", open + "\n2020-01-01 03:00,4\n", ageSeconds: 90)
            let grown = try await folder.pull()
            #expect(grown.stored == 1 && grown.duplicates == 1 && grown.conflicts == 0)
            #expect(try await folder.observations().count == 4)
        }
    }

    @Test func `a file that changed in the middle is read again, and conflicts are counted`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n")
            try await folder.pull()
            try folder.write(
                "a.csv", "time,a\n2020-01-01,1\n2020-01-02,9\n2020-01-03,3\n", ageSeconds: 100)
            let report = try await folder.pull()
            #expect(report.conflicts == 1 && report.duplicates == 2 && report.stored == 0)
            #expect(try await folder.observations()[1].hasSuffix(" 2"))
        }
    }

    @Test func `a revisable source replaces what changed`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            folder.isRevisable = true
            try folder.write("a.csv", "time,a\n2020-01-01,1\n2020-01-02,2\n")
            try await folder.pull()
            try folder.write("a.csv", "time,a\n2020-01-01,1\n2020-01-02,9\n", ageSeconds: 100)
            let report = try await folder.pull()
            #expect(report.revised == 1)
            #expect(try await folder.observations()[1].hasSuffix(" 9"))
        }
    }

    @Test func `a table that is always being written is read line by line`() async throws {
        try await withSourceFolder { folder in
            // Its beginning is on its way, which is no fault.
            for text in ["", "time,", "time,a", "time,a\n", "time,a\n2020-01-01 00:00,"] {
                try folder.write("a.csv", text, ageSeconds: 0)
                let report = try await folder.pull()
                #expect(report.filesWaiting == 1 && report.stored + report.rejected == 0)
                #expect(report.trouble == nil && report.badRows == 0)
            }
            var text = "time,a\n"
            for hour in 0..<9 {
                text += "2020-01-01 0\(hour):00,\(hour)\n"
                try folder.write("a.csv", text + "2020-01-01 0", ageSeconds: 0)
                let report = try await folder.pull()
                #expect(report.stored == 1 && report.badRows == 0, "\(report)")
            }
            let figures = try await folder.pool.run(
                "SELECT stored, duplicates, rejected, state FROM systole.sources"
            ).only()
            #expect(try figures.int("stored") == 9 && figures.int("duplicates") == 0)
            #expect(try figures.int("rejected") == 0)
        }
    }

    /// A table up to its last row, that row as far as it is written, and its rest.
    struct Growing: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let rows: String
        let half: String
        let rest: String
        let values: Int
    }

    @Test(arguments: [
        Growing(
            testDescription: "half a second time is a number",
            rows: "time,received,a\n2024-01-01 00:00,2024-01-01 00:01,1\n",
            half: "2024-01-01 01:00,2024", rest: "-01-01 01:01,2\n", values: 2),
        Growing(
            testDescription: "half a clock is none",
            rows: "Date,Time,a\n2024-01-01,00:00,1\n2024-01-01,01:00,2\n",
            half: "2024-01-01,02:", rest: "00,3\n", values: 3),
        Growing(
            testDescription: "half a date has a decimal point",
            rows: "time;a;b\n13.01.2024 00:00;1,5;1\n13.01.2024 01:00;2,5;2\n",
            half: "13.01", rest: ".2024 02:00;3,5;3\n", values: 6),
    ])
    func `how a table is read is not told by a row that is half written`(
        _ table: Growing
    ) async throws {
        try await withSourceFolder { folder in
            for text in [table.rows + table.half, table.rows + table.half + table.rest] {
                try folder.write("a.csv", text, ageSeconds: 0)
                let report = try await folder.pull()
                #expect(report.badRows + report.conflicts + report.rejected == 0, "\(report)")
            }
            let stored = try await folder.observations()
            #expect(stored.count == table.values, "\(stored)")
        }
    }

    @Test func `a fault in a table that is being written is told, and counted once it rests`()
        async throws
    {
        try await withSourceFolder { folder in
            for age in [0.0, 0, 3600, 3600] {
                try folder.write("a.csv", "time,a\n01/02/2020,1\n", ageSeconds: age)
                let report = try await folder.pull()
                #expect(report.trouble?.hasPrefix("a.csv, line 2") == true, "\(report)")
                #expect(report.rejected == (age == 0 ? 0 : 1))
            }
            let count = try await folder.pool.run("SELECT rejected FROM systole.sources").only()
            #expect(try count.int("rejected") == 1)
            // Nothing but a header is no trouble.
            try folder.write("a.csv", "time,a\n", ageSeconds: 7200)
            for _ in 0..<2 { #expect(try await folder.pull().trouble == nil) }
        }
    }

    @Test func `a column that begins with words is left out, and that is told`() async throws {
        try await withSourceFolder { folder in
            let rows = (0..<300).map { "\(1_577_836_800 + $0),\($0),\($0 < 200 ? "off" : "1")\n" }
            try folder.write("a.csv", "time,a,b\n" + rows.joined())
            let report = try await folder.pull()
            #expect(report.stored == 300)
            #expect(report.findings.map(\.reason).first?.hasSuffix("numbers: b") == true)
        }
    }

    @Test func `what was rejected is the trouble of its source, without what stands in it`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n01/02/2020,1\n")
            try folder.write("b.csv", hourly)
            try folder.write("c.csv", "nothing\nof\nuse\n")
            for _ in 0..<2 {
                let report = try await folder.pull()
                let trouble = try #require(report.trouble)
                #expect(trouble.hasPrefix("2 files cannot be stored; the first is a.csv"))
                #expect(!trouble.contains("01/02/2020"))
            }
        }
    }

    @Test func `files that are hidden or unfinished are left`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", hourly)
            for name in [
                ".hidden.csv", "b.csv.part", "c.csv~", ".git/d.csv", "#e.csv", "readme.md",
            ] {
                try folder.write(name, hourly)
            }
            let report = try await folder.pull()
            #expect(report.files == 1 && report.stored == 5)
        }
    }

    @Test func `one bad file costs its own row, and is read again once it changed`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n01/02/2020,1\n")
            try folder.write("b.csv", "")
            try folder.write("c.csv", "time,a\n")
            try folder.write("d.csv", hourly)
            let report = try await folder.pull()
            #expect(report.files == 4 && report.rejected == 3 && report.stored == 5)
            #expect(report.rejections.map(\.file) == ["a.csv", "b.csv", "c.csv"])
            #expect(report.rejections[0].reason.contains("--time-format"))
            let again = try await folder.pull()
            #expect(again.rejections.map(\.file) == report.rejections.map(\.file))
            try folder.write("b.csv", "time,z\n2020-01-01,1\n", ageSeconds: 100)
            let mended = try await folder.pull()
            #expect(mended.rejected == 2 && mended.stored == 1)
        }
    }

    @Test func `bad rows are counted with their reasons, and the others stored`() async throws {
        try await withSourceFolder { folder in
            try folder.write(
                "a.csv",
                "time,a\n2020-01-01,1\n2020-01-02,one\nsoon,2\n2020-01-04,4,4\n2020-01-05,5\n")
            let report = try await folder.pull()
            #expect(report.stored == 2 && report.badRows == 3 && report.rejected == 0)
            #expect(report.rejections.count == 3)
        }
    }

    @Test func `a unit that differs from the stored one refuses the file`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a [Cel]\n2020-01-01,1\n2020-01-02,2\n")
            try folder.write("b.csv", "time,a [K]\n2020-01-03,274\n")
            let report = try await folder.pull()
            #expect(report.rejected == 1 && report.stored == 2)
            #expect(report.rejections.first?.reason.contains("\"K\"") == true)
        }
    }

    @Test func `a name that no series can have refuses the file`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,\"a\nb\"\n2020-01-01,1\n")
            try folder.write("b.csv", "time,\(String(repeating: "x", count: 400))\n2020-01-01,1\n")
            let report = try await folder.pull()
            #expect(report.rejected == 2)
            #expect(report.rejections.allSatisfy { $0.reason.contains("400") })
        }
    }

    @Test func `two columns of one name after renaming refuse the file`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            folder.settings.renames = ["a": "b"]
            try folder.write("a.csv", "time,a,b\n2020-01-01,1,2\n")
            let report = try await folder.pull()
            #expect(report.rejected == 1)
            #expect(try await folder.observations() == [])
        }
    }

    @Test(arguments: [64, 100, 1000])
    func `pieces of any size store the same, in as many transactions`(pieceBytes: Int) async throws
    {
        try await withSourceFolder { folder in
            var folder = folder
            folder.connector.pieceBytes = pieceBytes
            let rows = (0..<100).map { index in
                "2020-01-01 0\(index / 60):\(index % 60 < 10 ? "0" : "")\(index % 60),\"\(index)\"\n"
            }
            try folder.write("a.csv", "time,a\n" + rows.joined())
            let report = try await folder.pull()
            #expect(report.rows == 100 && report.stored == 100 && report.rejected == 0)
            let again = try await folder.pull()
            #expect(again.filesUnchanged == 1)
        }
    }

    @Test func `a pull that is stopped goes on where it was`() async throws {
        struct Stop: Error {}
        try await withSourceFolder { folder in
            for name in ["a", "b", "c"] {
                try folder.write("\(name).csv", "time,\(name)\n2020-01-01,1\n2020-01-02,2\n")
            }
            await #expect(throws: Stop.self) {
                try await folder.pull { if $0.files == 2 { throw Stop() } }
            }
            #expect(try await folder.observations().count == 4)
            let report = try await folder.pull()
            #expect(report.filesUnchanged == 2 && report.stored == 2)
        }
    }

    @Test func `data and cursor are stored together or not at all`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", hourly)
            // The cursor cannot move, so that nothing of the piece may stay.
            try await folder.pool.run(
                """
                ALTER TABLE systole.source_cursor
                ADD CONSTRAINT no_progress CHECK (position ? 'rejected')
                """)
            let report = try await folder.pull()
            #expect(report.rejected == 1 && report.stored == 0)
            #expect(try await folder.observations() == [])
            #expect(try await folder.events("series.extended") == [])
        }
    }

    @Test func `paths that are not there are named, the others read`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            try folder.write("data.txt", hourly)
            folder.settings.paths = ["/nowhere/x.csv", folder.folder.path + "/data.txt"]
            let report = try await folder.pull()
            #expect(report.rejections.map(\.file) == ["/nowhere/x.csv"])
            #expect(report.stored == 5)
        }
    }

    @Test func `a link is read for what it leads to, told by path or found in a folder`()
        async throws
    {
        try await withSourceFolder { folder in
            var folder = folder
            try folder.write("data/a.csv", hourly)
            let link = folder.folder.appending(path: "a.csv").path
            try FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: "data/a.csv")
            folder.settings.paths = [link]
            let told = try await folder.pull()
            #expect(told.stored == 5 && told.badRows == 0 && told.rejected == 0)
            folder.settings.paths = [folder.folder.path]
            let found = try await folder.pull()
            #expect(found.filesUnchanged == 1 && found.duplicates == 5 && found.rejected == 0)
        }
    }

    @Test func `asked for by hand, a file is taken as it is, whatever its time`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            try folder.write("a.csv", "time,a\n2020-01-01,1\n2020-01-02,2", ageSeconds: -1000)
            let report = try await folder.pull()
            #expect(report.filesWaiting == 1 && report.stored == 1)
            folder.settings.settleSeconds = 0
            folder.settings.restSeconds = 0
            #expect(try await folder.pull().stored == 1)
        }
    }

    @Test func `long tables give a series per name`() async throws {
        try await withSourceFolder { folder in
            try folder.write(
                "a.csv", "time,sensor,value\n2020-01-01,x,1\n2020-01-01,y,2\n2020-01-02,x,3\n")
            let report = try await folder.pull()
            #expect(report.stored == 3)
            #expect(
                try await folder.observations().map { $0.prefix(7) } == [
                    "plant.x", "plant.x", "plant.y",
                ])
        }
    }

    @Test func `future rows are put aside and counted`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", "time,a\n2020-01-01,1\n2150-01-01,2\n1850-01-01,3\n")
            let report = try await folder.pull()
            #expect(report.stored == 1 && report.parked == 2)
        }
    }

    @Test func `a header longer than a table's beginning is told as such`() async throws {
        try await withSourceFolder { folder in
            let header = "time," + (0..<200_000).map { "c\($0)" }.joined(separator: ",")
            try folder.write("wide.csv", header + "\n2020-01-01,1\n")
            let report = try await folder.pull()
            #expect(report.rejected == 1)
            #expect(report.rejections.first?.reason.contains("line 1 is longer") == true)
        }
    }

    @Test func `a folder that is not there is trouble`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            folder.settings.paths = [folder.folder.path + "/nowhere"]
            let report = try await folder.pull()
            #expect(report.trouble?.contains("/nowhere") == true)
        }
    }

    @Test func `a preview names series and recordings, and stores nothing`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.csv", hourly)
            try folder.write("b.csv", "no table\n")
            try folder.write("w/r.hea", "r 1 4 4\nr.dat 16\n")
            try folder.write("w/r.dat", [UInt8](repeating: 0, count: 8))
            let preview = try #require(
                try await folder.connector.preview(
                    name: "plant", settings: folder.settings, now: SourceFolder.now
                ).first)
            #expect(preview.series.map(\.key) == ["plant.OT", "plant.load"])
            #expect(preview.series.map(\.values) == [3, 2])
            #expect(preview.recordings == ["plant/w/r"])
            #expect(preview.items == 3 && preview.badItems == 1)
            #expect(try await folder.everything() == [])
        }
    }
}
