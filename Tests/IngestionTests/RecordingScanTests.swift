import Foundation
import Series
import Signals
import Testing

@testable import Ingestion

/// A folder that goes with the test.
private final class ScanFolder {
    let url: URL

    init() throws {
        url = URL.temporaryDirectory.appending(path: "systole-scan-\(UUID())/ward3")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url.deletingLastPathComponent()) }

    func write(_ name: String, _ text: String = "x 0\n") throws {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: url.appending(path: name).path, withDestinationPath: target)
    }

    /// Keys and kinds, and what is unusable.
    func walk(_ paths: [String]? = nil) -> [String] {
        RecordingScan(paths ?? [url.path]).map { found in
            switch found {
            case .recording(let file): "\(file.key) \(file.kind.rawValue)"
            case .unusable(let path, let reason): "\(path.lastPathPart): \(reason)"
            }
        }
    }
}

@Suite struct RecordingScanTests {
    @Test func `recordings come in the order of their names, whatever the file system's`() throws {
        let folder = try ScanFolder()
        for name in ["b.hea", "a/2.edf", "a/10.bdf", "c.csv", "c.txt", ".hidden.hea", "b.dat"] {
            try folder.write(name)
        }
        #expect(
            folder.walk() == ["ward3/a/10 edf", "ward3/a/2 edf", "ward3/b wfdb", "ward3/c csv"])
    }

    @Test func `segments of a record are no recordings of their own`() throws {
        let folder = try ScanFolder()
        try folder.write("x.hea", "# made\nx/3 2 100 7\nx_layout 0\na 2\n~ 1\n")
        try folder.write("x_layout.hea", "x_layout 2 100 0\n")
        try folder.write("a.hea", "a 2 100 2\n")
        try folder.write("other.hea", "other 1 100 2\n")
        try folder.write("self.hea", "self/1 1 100 2\nself 2\n")
        #expect(folder.walk() == ["ward3/other wfdb", "ward3/self wfdb", "ward3/x wfdb"])
    }

    @Test func `samples that no header names are handed out, those of a header are not`() throws {
        let folder = try ScanFolder()
        try folder.write("a.hea", "a 1 100 2\na.mat 16+24\n")
        try folder.write("two.hea", "two 1 100 2\nelsewhere.dat 16\n")
        for name in ["a.mat", "elsewhere.dat", "lost.MAT", "b/lost.dat", "a.atr"] {
            try folder.write(name)
        }
        #expect(
            folder.walk() == [
                "ward3/a wfdb", "ward3/b/lost.dat headless", "ward3/lost.MAT headless",
                "ward3/two wfdb",
            ])
        #expect(folder.walk([folder.url.path + "/lost.MAT"]) == ["lost.MAT headless"])
    }

    @Test func `links are followed once, and loops end`() throws {
        let folder = try ScanFolder()
        try folder.write("a/1.hea")
        try folder.link("a/up", to: "..")
        try folder.link("again", to: "a")
        try folder.link("self", to: "self")
        try folder.link("gone.hea", to: "nowhere.hea")
        try folder.link("loop.hea", to: "loop.hea")
        try folder.link("linked.hea", to: "a/1.hea")
        #expect(
            folder.walk() == [
                "ward3/a/1 wfdb", "gone.hea: the link leads nowhere", "ward3/linked wfdb",
                "loop.hea: its symbolic links form a loop",
            ])
    }

    @Test func `a folder goes by its own name, also where a link to it comes before`() throws {
        let folder = try ScanFolder()
        try folder.write("b/1.hea")
        try folder.write("b/2.csv", "time,a\n2020-01-01,1\n")
        try folder.link("a", to: "b")
        try folder.link("b/up", to: "..")
        try folder.link("c.csv", to: "b/2.csv")
        try folder.link("gone.edf", to: "nowhere.edf")
        #expect(
            folder.walk() == [
                "ward3/b/1 wfdb", "ward3/b/2 csv", "ward3/c csv",
                "gone.edf: the link leads nowhere",
            ])
        let scan = try FileScan([folder.url.path])
        #expect(scan.files.map(\.name) == ["b/1.hea", "b/2.csv", "c.csv"])
        #expect(scan.unusable.map(\.reason) == ["the link leads nowhere"])
        // Of what it leads to, not of the link itself.
        #expect(scan.files[2].state == scan.files[1].state && scan.files[1].state.size == 20)
    }

    @Test func `a source has every path once, and no table takes a recording's name`() throws {
        let folder = try ScanFolder()
        for name in ["1.hea", "1.edf", "1.csv", "2.edf", "2.csv", "a/1.bdf"] {
            try folder.write(name)
        }
        let base = folder.url.path
        let files = try FileScan([base, "\(base)/1.csv", "\(base)/a", base]).files
        #expect(
            files.map(\.name) == ["1.csv", "1.edf", "1.hea", "2.csv", "2.edf", "a/1.bdf"])
        #expect(
            files.filter(\.kind.isRecording).map(\.title) == ["1.edf", "1.hea", "2", "a/1"])
    }

    @Test func `what is told by path is never left out in silence`() throws {
        let folder = try ScanFolder()
        try folder.write("1.txt")
        try folder.write("2.hea")
        let base = folder.url.path
        #expect(
            folder.walk(["\(base)/1.txt", "\(base)/none.edf", "\(base)/2.hea", "/dev/null"]) == [
                "1.txt unknown", "none.edf: there is no such file or folder", "2 wfdb",
                "null: it is neither a file nor a folder",
            ])
    }

    @Test func `two files of one name keep their suffixes`() throws {
        let folder = try ScanFolder()
        try folder.write("1.hea")
        try folder.write("1.edf")
        try folder.write("2.edf")
        #expect(folder.walk() == ["ward3/1.edf edf", "ward3/1.hea wfdb", "ward3/2 edf"])
    }

    @Test func `the content is the bytes of all files of a record, and nothing else`() throws {
        let folder = try ScanFolder()
        try folder.write("1.hea", "1 1 100 2\n1.dat 16\n")
        try folder.write("1.dat", "abcd")
        func digest() throws -> String? {
            let found = try #require(RecordingScan([folder.url.path]).first { _ in true })
            guard case .recording(let file) = found else { return nil }
            return file.contentDigest(bytesMaximum: 1000)
        }
        let first = try #require(try digest())
        #expect(first.count == 64)
        try folder.write("2.dat", "abcd")
        #expect(try digest() == first)
        try folder.write("1.dat", "abce")
        #expect(try digest() != first)
        try folder.write("1.dat", String(repeating: "a", count: 1001))
        #expect(try digest() == nil)
    }

    @Test func `an instant that no timestamp can hold is the last one that is told apart`() {
        let last = FileStatus.secondsMaximum
        #expect(
            FileStatus.instant(seconds: 1_700_000_000, nanoseconds: 123_456_789)
                == Timestamp(microseconds: 1_700_000_000_123_457))
        #expect(
            FileStatus.instant(seconds: 99_999_999_999_999, nanoseconds: 0)
                == FileStatus.instant(seconds: last, nanoseconds: 0))
        #expect(
            FileStatus.instant(seconds: .min, nanoseconds: 999_999_999)
                == FileStatus.instant(seconds: -last, nanoseconds: 999_999_999))
        // How long ago it was can be told too.
        #expect(
            SourceFolder.now - FileStatus.instant(seconds: .min, nanoseconds: 0) > .seconds(last))
    }
}
