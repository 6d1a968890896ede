import Foundation
import Postgres
import Series
import Store
import Testing
import TestSupport

@testable import Ingestion

/// 30 s of one channel at 4 Hz, counting up, in format 16.
private func samples(_ count: Int = 120) -> [UInt8] {
    (0..<count).reduce(into: []) { $0 += [UInt8($1 & 0xFF), UInt8($1 >> 8)] }
}

private let header = "r 1 4 120 10:00:00 01/02/2020\nr.dat 16 2(10)/mV 16 0 0 7140 0 II\n"

@Suite struct FolderRecordingTests {
    @Test func `a WFDB record becomes a recording of ten-second chunks`() async throws {
        try await withSourceFolder { folder in
            try folder.write("ward3/r.hea", header)
            try folder.write("ward3/r.dat", samples())
            let report = try await folder.pull()
            #expect(report.files == 1 && report.recordings == 1 && report.findings == [])
            let (id, stored) = try await folder.pool.transaction { db in
                try RecordingStore.find(key: "plant/ward3/r", in: db)
            }
            #expect(stored.startedAt?.description == "2020-02-01T10:00:00Z")
            #expect(stored.channels.map(\.channel.name) == ["II"])
            let chunks = try await folder.pool.transaction { db in
                try RecordingStore.chunks(of: id, channel: 0, in: db)
            }
            #expect(chunks.map(\.firstSample) == [0, 40, 80])
            #expect(chunks.flatMap(\.samples) == (0..<120).map { Int32($0) })
            #expect(chunks[0].gain == 2 && chunks[0].baseline == 10)
            let before = try await folder.everything()
            #expect(try await folder.pull().filesUnchanged == 1)
            #expect(try await folder.everything() == before)
        }
    }

    @Test func `a truncated recording is stored, and said to be damaged`() async throws {
        try await withSourceFolder { folder in
            try folder.write("r.hea", header)
            try folder.write("r.dat", samples(50))
            let report = try await folder.pull()
            #expect(report.recordings == 1 && report.rejected == 0)
            #expect(report.findings.map(\.reason) == ["channel 1 has 50 of 120 samples"])
            #expect(try await folder.events("recording.damaged").count == 1)
        }
    }

    @Test func `a recording that cannot be read costs its own row`() async throws {
        try await withSourceFolder { folder in
            try folder.write("a.hea", header)
            try folder.write("b.hea", "r 1 4 120\nr.dat 517 2(10)/mV\n")
            try folder.write("r.dat", samples())
            try folder.write("c.edf", "nothing of the kind")
            try folder.write("d.hea", "d 1 4 4\nmissing.dat 16\n")
            let report = try await folder.pull()
            #expect(report.files == 4 && report.recordings == 1)
            try #require(report.rejections.count == 3)
            #expect(report.rejections[0].reason.contains("517"))
            #expect(report.rejections[1].reason.contains("EDF"))
            #expect(report.rejections[2].reason.contains("missing.dat"))
        }
    }

    @Test func `segments of a record are parts of it, and samples without a header are told`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("w/x.hea", "x/3 1 4 240\nx_layout 0\nr 120\n~ 120\n")
            try folder.write("w/x_layout.hea", "x_layout 1 4 0\n~ 0 2(10)/mV 16 0 0 0 0 II\n")
            try folder.write("w/r.hea", header)
            try folder.write("w/r.dat", samples())
            try folder.write("w/alone.mat", samples())
            let report = try await folder.pull()
            #expect(report.files == 2 && report.recordings == 1)
            #expect(report.rejections.map(\.file) == ["w/alone.mat"])
            #expect(report.rejections.first?.reason.contains("header (.hea)") == true)
            let keys = try await folder.pool.run("SELECT key FROM systole.recording").allTexts(
                "key")
            #expect(keys == ["plant/w/x"])
        }
    }

    @Test func `a record that is still copied waits, and is stored whole or once it rests`()
        async throws
    {
        try await withSourceFolder { folder in
            // The header came first, long ago; the copy of the samples has just begun.
            try folder.write("r.hea", header, ageSeconds: 30)
            let alone = try await folder.pull()
            #expect(alone.filesWaiting == 1 && alone.rejected == 0)
            try folder.write("r.hea", header)
            try folder.write("r.dat", samples(50), ageSeconds: 30)
            let half = try await folder.pull()
            #expect(half.filesWaiting == 1 && half.recordings == 0 && half.rejected == 0)
            try folder.write("r.dat", samples(), ageSeconds: 10)
            let whole = try await folder.pull()
            #expect(whole.recordings == 1 && whole.findings == [] && whole.rejected == 0)
            try folder.write("s.hea", header.replacing("r.dat", with: "s.dat"))
            try folder.write("s.dat", samples(50), ageSeconds: 61)
            #expect(try await folder.pull().findings.count == 1)
        }
    }

    @Test func `asked for by hand, a truncated record is stored at once`() async throws {
        try await withSourceFolder { folder in
            var folder = folder
            folder.settings.settleSeconds = 0
            folder.settings.restSeconds = 0
            try folder.write("r.hea", header, ageSeconds: 1)
            try folder.write("r.dat", samples(50), ageSeconds: 1)
            let report = try await folder.pull()
            #expect(report.recordings == 1 && report.findings.count == 1)
        }
    }

    @Test func `samples that no header names are told and counted once, any others passed over`()
        async throws
    {
        try await withSourceFolder { folder in
            try folder.write("r.hea", header.replacing("r.dat", with: "elsewhere.dat"))
            try folder.write("elsewhere.dat", samples())
            try folder.write("lone.dat", samples(), ageSeconds: 30)
            let young = try await folder.pull()
            // Its header may still come.
            #expect(young.filesWaiting == 1 && young.rejected == 0 && young.recordings == 1)
            try folder.write("lone.dat", samples())
            for _ in 0..<2 {
                let report = try await folder.pull()
                #expect(report.rejections.map(\.file) == ["lone.dat"])
            }
            let counted = try await folder.pool.run(
                "SELECT count FROM systole.source_rejections WHERE reason = 'file'"
            ).only()
            #expect(try counted.int64("count") == 1)
        }
    }

    @Test func `two recordings of one name keep their suffixes`() async throws {
        try await withSourceFolder { folder in
            try folder.write("r.hea", header)
            try folder.write("r.dat", samples())
            try folder.write("r.edf", "nothing of the kind")
            let report = try await folder.pull()
            #expect(report.recordings == 1 && report.rejections.map(\.file) == ["r.edf"])
            let keys = try await folder.pool.run("SELECT key FROM systole.recording").allTexts(
                "key")
            #expect(keys == ["plant/r.hea"])
        }
    }

    @Test func `other samples under the same name are refused unless the source is revisable`()
        async throws
    {
        for isRevisable in [false, true] {
            try await withSourceFolder { folder in
                var folder = folder
                folder.isRevisable = isRevisable
                try folder.write("r.hea", header)
                try folder.write("r.dat", samples())
                try await folder.pull()
                try folder.write("r.dat", samples().reversed(), ageSeconds: 100)
                let report = try await folder.pull()
                #expect(report.rejected == (isRevisable ? 0 : 1))
                #expect(report.recordings == (isRevisable ? 1 : 0))
            }
        }
    }

    @Test func `the same content in a touched file is stored once`() async throws {
        try await withSourceFolder { folder in
            try folder.write("r.hea", header)
            try folder.write("r.dat", samples())
            try await folder.pull()
            try folder.write("r.dat", samples(), ageSeconds: 100)
            let report = try await folder.pull()
            #expect(report.filesUnchanged == 1 && report.recordings == 0)
        }
    }
}
