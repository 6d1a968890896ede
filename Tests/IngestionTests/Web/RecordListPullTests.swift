import Crypto
import Foundation
import Postgres
import Series
import Signals
import Store
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

/// A folder on the web: files by path, each with a tag that changes with it.
final class FakeFolder: Sendable {
    let files: Mutex<[String: [UInt8]]>

    init(_ files: [String: [UInt8]]) { self.files = Mutex(files) }

    subscript(path: String) -> [UInt8]? {
        get { files.withLock { $0[path] } }
        set { files.withLock { $0[path] = newValue } }
    }

    func answer(_ request: WebReceiver.Received) -> Conduct {
        let path = String(request.target.dropFirst("/db/".count))
        guard request.target.hasPrefix("/db/"), let body = self[path] else {
            return .answer(status: 404)
        }
        let tag = "\"\(Digest.hexadecimal(of: body).prefix(16))\""
        if request.headers["if-none-match"] == tag { return .answer(status: 304) }
        return .answer(status: 200, headers: ["ETag: \(tag)"], body: body)
    }

    /// Records `r0`, `r1`, … of 120 samples that count up from their number.
    static func counting(records: Int) -> FakeFolder {
        var files: [String: [UInt8]] = [:]
        for record in 0..<records {
            files["r\(record).hea"] = header("r\(record)")
            files["r\(record).dat"] = samples(120, from: record)
        }
        files["RECORDS"] = Array((0..<records).map { "r\($0)\n" }.joined().utf8)
        return FakeFolder(files)
    }

    /// The digests of all files, as `sha256sum` writes them.
    func addDigests() {
        files.withLock { files in
            let lines = files.map { "\(Digest.hexadecimal(of: $0.value)) \($0.key)\n" }
            files["SHA256SUMS.txt"] = Array(lines.joined().utf8)
        }
    }
}

private func samples(_ count: Int, from first: Int = 0) -> [UInt8] {
    (0..<count).reduce(into: []) { $0 += [UInt8(($1 + first) & 0xFF), UInt8(($1 + first) >> 8)] }
}

private func header(_ name: String, count: Int = 120) -> [UInt8] {
    Array("\(name) 1 4 \(count) 10:00:00 01/02/2020\n\(name).dat 16 2(10)/mV 16 0 0 0 0 II\n".utf8)
}

@Suite struct RecordListPullTests {
    private func folder() -> FakeFolder {
        FakeFolder([
            "RECORDS": Array("a\nsub/\n\n# none\nb\r\n".utf8), "sub/RECORDS": Array("c\n".utf8),
            "a.hea": header("a"), "a.dat": samples(120), "b.hea": header("b"),
            "b.dat": samples(120, from: 5), "sub/c.hea": header("c"),
            "sub/c.dat": samples(120, from: 9),
        ])
    }

    private func pull(
        _ source: WebSource, _ settings: RecordListSettings? = nil,
        at now: Timestamp = WebSource.now
    ) async throws -> IngestReport {
        let settings = settings ?? RecordListSettings(access: source.access("/db/"))
        return try await source.pull(
            RecordListConnector(client: source.client), RecordListConnector.kind, settings.json(),
            now: now)
    }

    private func keys(_ source: WebSource) async throws -> [String] {
        try await source.pool.run("SELECT key FROM systole.recording ORDER BY key").allTexts("key")
    }

    @Test func `every record of the list is stored, those of folders below too`() async throws {
        let folder = folder()
        try await withWebSource({ folder.answer($0) }) { source in
            let report = try await pull(source)
            #expect(
                report.files == 3 && report.recordings == 3 && report.rejected == 0, "\(report)")
            #expect(try await keys(source) == ["plant/a", "plant/b", "plant/sub/c"])
            let before = try await source.everything()
            let count = source.receiver.received.count
            let again = try await pull(source)
            #expect(again.filesUnchanged == 3 && again.recordings == 0)
            #expect(try await source.everything() == before)
            // The lists and the digests alone were asked for.
            #expect(source.receiver.received.count == count + 3)
        }
    }

    @Test func `a record that is looked at again is asked for changes only`() async throws {
        let folder = folder()
        try await withWebSource({ folder.answer($0) }) { source in
            _ = try await pull(source)
            let day = WebSource.now + .seconds(90_000)
            let report = try await pull(source, at: day)
            #expect(report.filesUnchanged == 3 && report.recordings == 0)
            let asked = source.receiver.received.suffix(6)
            #expect(asked.allSatisfy { $0.headers["if-none-match"] != nil })
        }
    }

    @Test func `digests say what has changed, and what is damaged on its way`() async throws {
        let folder = folder()
        folder.addDigests()
        try await withWebSource({ folder.answer($0) }) { source in
            var source = source
            source.isRevisable = true
            #expect(try await pull(source).recordings == 3)
            folder["b.dat"] = samples(120, from: 77)
            // The digest is still the old one: nothing is fetched, however much later.
            let later = WebSource.now + .seconds(1_000_000)
            #expect(try await pull(source, at: later).filesUnchanged == 3)
            folder.addDigests()
            #expect(try await pull(source).recordings == 1)
            folder.addDigests()
            folder["a.dat"] = samples(119)
            folder["a.hea"] = header("a", count: 119)
            folder["SHA256SUMS.txt"] = folder["SHA256SUMS.txt"].map { sums in
                let text = String(decoding: sums, as: UTF8.self)
                let old = Digest.hexadecimal(of: header("a"))
                return Array(
                    text.replacing(old, with: Digest.hexadecimal(of: header("a", count: 119))).utf8)
            }
            let damaged = try await pull(source)
            #expect(damaged.rejected == 1 && damaged.recordings == 0)
            #expect(damaged.rejections.first?.reason.contains("does not match the SHA-256") == true)
            // What is stored stays, and what was rejected is not fetched over and over.
            #expect(try await pull(source).rejections == damaged.rejections)
            #expect(try await keys(source).count == 3)
        }
    }

    @Test func `bad records cost themselves`() async throws {
        let folder = folder()
        folder["RECORDS"] = Array("a\nnone\nbad\nshort\n../up\n/root\nx y\n".utf8)
        folder["bad.hea"] = Array("bad 1 4 120\nbad.dat 517 2(10)/mV\n".utf8)
        folder["short.hea"] = header("short")
        folder["short.dat"] = samples(50)
        try await withWebSource({ folder.answer($0) }) { source in
            let report = try await pull(source)
            #expect(report.recordings == 2)
            let reasons = report.rejections.map { "\($0.file): \($0.reason)" }
            #expect(report.rejected == 5, "\(reasons)")
            #expect(reasons.contains { $0.hasPrefix("none: ") && $0.contains("404") })
            #expect(reasons.contains { $0.hasPrefix("bad: ") && $0.contains("bad") })
            #expect(report.findings.map(\.reason).contains("channel 1 has 50 of 120 samples"))
            #expect(try await keys(source) == ["plant/a", "plant/short"])
        }
    }

    @Test func `a header that leads to another folder is refused`() async throws {
        let folder = FakeFolder([
            "RECORDS": Array("a\n".utf8),
            "a.hea": Array("a 1 4 120\n../../etc/passwd 16 2(10)/mV 16 0 0 0 0 II\n".utf8),
        ])
        try await withWebSource({ folder.answer($0) }) { source in
            let report = try await pull(source)
            #expect(report.rejected == 1 && report.recordings == 0)
            #expect(!source.receiver.received.contains { $0.target.contains("passwd") })
        }
    }

    @Test func `segments are fetched with their record`() async throws {
        let folder = FakeFolder([
            "RECORDS": Array("m\n".utf8),
            "m.hea": Array("m/3 1 4 240\nm_layout 0\na 120\n~ 120\n".utf8),
            "m_layout.hea": Array("m_layout 1 4 0\n~ 0 2(10)/mV 16 0 0 0 0 II\n".utf8),
            "a.hea": header("a"), "a.dat": samples(120),
        ])
        try await withWebSource({ folder.answer($0) }) { source in
            let report = try await pull(source)
            #expect(report.recordings == 1 && report.rejected == 0, "\(report)")
            #expect(try await keys(source) == ["plant/m"])
        }
    }

    @Test func `a pull ends at its limit, and the next one goes on`() async throws {
        let folder = folder()
        try await withWebSource({ folder.answer($0) }) { source in
            var settings = RecordListSettings(access: source.access("/db/"))
            settings.recordsMaximum = 2
            let first = try await pull(source, settings)
            #expect(first.recordings == 2 && first.filesWaiting == 1)
            let second = try await pull(source, settings)
            #expect(second.recordings == 1 && second.filesUnchanged == 2)
        }
    }

    @Test func `a list that is a page for people is refused`() async throws {
        try await withWebSource({ _ in .text("<html>", "Content-Type: text/html") }) { source in
            let report = try await pull(source)
            #expect(report.rejected == 1 && report.trouble?.contains("HTML") == true)
        }
    }

    @Test func `nothing is left behind on this machine`() async throws {
        let place = URL.temporaryDirectory.appending(path: "systole-web-\(UUID())")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let folder = folder()
        try await withWebSource({ folder.answer($0) }) { source in
            let settings = RecordListSettings(access: source.access("/db/"))
            try await source.pull(
                RecordListConnector(client: source.client, temporary: place.path),
                RecordListConnector.kind, settings.json())
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == [])
        }
    }

    @Test(arguments: [
        "", "/a", "../a", "a/../b", "a//b", "a b", "a\\b", "..", "a/..", "%2e%2e/a",
        String(repeating: "a", count: 401),
    ])
    func `names that lead elsewhere are not safe`(name: String) {
        #expect(!RecordList.isSafe(name))
    }

    @Test func `settings survive their JSON`() throws {
        var settings = RecordListSettings(access: WebAccess(url: "https://h/db/"))
        settings.checksums = nil
        settings.recheckSeconds = 10
        let read = try RecordListSettings(json: settings.json(), of: "x")
        #expect(read == settings && read.flaw == nil)
        settings.access.url = "https://h/db"
        #expect(settings.flaw != nil)
    }

    @Test func `a server that asks for peace gets it for its list and all its records`()
        async throws
    {
        let folder = folder()
        let asked = Mutex("/db/RECORDS")
        try await withWebSource({ request in
            request.target == asked.withLock { $0 }
                ? .answer(status: 429, headers: ["Retry-After: 600"]) : folder.answer(request)
        }) { source in
            for target in ["/db/RECORDS", "/db/b.hea"] {
                asked.withLock { $0 = target }
                let report = try await pull(source)
                #expect(report.filesWaiting == 1 && report.rejected == 0)
                #expect(report.trouble?.contains("600 s") == true)
                let count = source.receiver.received.count
                let soon = try await pull(source, at: WebSource.now + .seconds(599))
                #expect(soon.filesWaiting == 1 && soon.trouble?.contains("until") == true)
                #expect(source.receiver.received.count == count)
                try await source.pool.run("DELETE FROM systole.source_cursor WHERE part = '/'")
            }
            asked.withLock { $0 = "" }
            #expect(try await pull(source, at: WebSource.now + .seconds(600)).filesWaiting == 0)
            #expect(try await keys(source) == ["plant/a", "plant/b", "plant/sub/c"])
        }
    }

    @Test func `a record whose digest was there before its file is looked at again`() async throws {
        let folder = folder()
        folder.addDigests()
        try await withWebSource({ folder.answer($0) }) { source in
            var source = source
            source.isRevisable = true
            let first = try await pull(source)
            #expect(first.recordings == 3)
            // The digests are those of a file that comes a little later.
            let (old, new) = (folder["b.dat"], samples(120, from: 99))
            folder["b.dat"] = new
            folder.addDigests()
            folder["b.dat"] = old
            let early = try await pull(source)
            #expect(early.rejected == 1)
            folder["b.dat"] = new
            let later = try await pull(source, at: WebSource.now + .seconds(90_000))
            #expect(later.recordings == 1)
        }
    }
}
