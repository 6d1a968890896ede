import Foundation
import Postgres
import Series
import Signals
import Store
import Synchronization
import TestSupport
import Testing
import WebClient

@testable import Ingestion

private let line = "m a=1 1735689600000000000\n"

/// Servers that do what servers should not.
@Suite struct HTTPBadInputTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let conduct: Conduct
        let words: String
    }

    static let cases = [
        Case(
            testDescription: "HTML with status 200",
            conduct: .text("<html>Log in</html>", "Content-Type: text/html; charset=utf-8"),
            words: "of type text/html; expected is Influx line protocol"),
        Case(
            testDescription: "HTML that says it is text",
            conduct: .text("\n <!DOCTYPE html>", "Content-Type: text/plain"), words: "HTML"),
        Case(
            testDescription: "a length that is longer than the body",
            conduct: .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + line),
            words: "closed before the answer was complete"),
        Case(
            testDescription: "chunks that end too early",
            conduct: .send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + line),
            words: "closed before the answer was complete"),
        Case(
            testDescription: "gzip that is none",
            conduct: .text(line, "Content-Encoding: gzip"), words: "cannot be unpacked"),
        Case(
            testDescription: "packing that nobody knows",
            conduct: .text(line, "Content-Encoding: pigeon"), words: "cannot be unpacked"),
        Case(
            testDescription: "gigabytes in a few bytes",
            conduct: .answer(
                status: 200, headers: ["Content-Encoding: zstd"],
                body: Packed.bomb(blocks: 8192)),
            words: "larger than 1048576 bytes"),
        Case(
            testDescription: "more than is accepted",
            conduct: .text(String(repeating: line, count: 50_000)),
            words: "larger than 1048576 bytes"),
        Case(
            testDescription: "another encoding by its name",
            conduct: .text(line, "Content-Type: text/plain; charset=iso-8859-1"),
            words: "in iso-8859-1; accepted is UTF-8"),
        Case(
            testDescription: "UTF-16 by its mark",
            conduct: .answer(status: 200, body: [0xff, 0xfe, 0x6d, 0]),
            words: "in UTF-16; accepted is UTF-8"),
        Case(
            testDescription: "a redirect",
            conduct: .answer(status: 302, headers: ["Location: http://169.254.169.254/"]),
            words: "a redirect (302), which is not followed"),
        Case(
            testDescription: "a page that is not there", conduct: .answer(status: 404),
            words: "status 404; accepted is 200"),
        Case(
            testDescription: "304 that nobody asked for", conduct: .answer(status: 304),
            words: "status 304"),
        Case(
            testDescription: "no HTTP at all", conduct: .send("SSH-2.0-OpenSSH\r\n"),
            words: "no answer in HTTP"),
    ]

    @Test(arguments: cases)
    func `a server that misbehaves costs the answer, by name, and moves no cursor`(_ c: Case)
        async throws
    {
        try await withWebSource({ _ in c.conduct }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.access.bodyBytesMaximum = 1 << 20
            let report = try await source.pull(settings)
            #expect(report.rejected == 1 && report.stored == 0)
            #expect(report.rejections.first?.reason.contains(c.words) == true, "\(report)")
            #expect(report.trouble == report.rejections.first?.reason)
            #expect(try await source.everything() == [])
        }
    }

    @Test func `a server that stalls in the middle is given up`() async throws {
        let stalls = Mutex(true)
        try await withWebSource({ _ in
            stalls.withLock { $0 }
                ? .drip(
                    "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + line, milliseconds: 100)
                : .text(line)
        }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.access.stallSeconds = 1
            let start = ContinuousClock.now
            let report = try await source.pull(settings)
            #expect(report.rejections.map(\.reason) == ["time ran out while answering"])
            #expect(ContinuousClock.now - start < .seconds(60))
            #expect(try await source.everything() == [])
            stalls.withLock { $0 = false }
            #expect(try await source.pull(settings).stored == 1)
        }
    }

    @Test func `a last line without an end waits until it has stayed as it is`() async throws {
        let body = Mutex("m a=1 1735689600000000000\nm a=12 17356896")
        try await withWebSource({ _ in .text(body.withLock { $0 }, "ETag: \"same\"") }) { source in
            let settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            let first = try await source.pull(settings)
            #expect(first.stored == 1 && first.filesWaiting == 1 && first.badRows == 0)
            // The rest of the line has come: the number was cut in two.
            body.withLock { $0 += "60000000000\nm a=3 1735689720000000000" }
            let second = try await source.pull(settings)
            #expect(second.stored == 1 && second.filesWaiting == 1)
            let soon = try await source.pull(settings, now: WebSource.now + .seconds(29))
            #expect(soon.stored == 0 && soon.filesWaiting == 1 && soon.badRows == 0)
            let third = try await source.pull(settings, now: WebSource.now + .seconds(30))
            #expect(third.stored == 1 && third.filesWaiting == 0 && third.badRows == 0)
            // A request that asks for changes alone would never see the line again.
            #expect(source.receiver.received.allSatisfy { $0.headers["if-none-match"] == nil })
            let after = try await source.pull(settings)
            #expect(after.filesUnchanged == 1)
            #expect(source.receiver.received.last?.headers["if-none-match"] == "\"same\"")
            #expect(
                try await source.observations().map { $0.suffix(2) } == [" 1", "12", " 3"])
        }
    }

    @Test func `a server that asks for peace is left alone so long`() async throws {
        let status = Mutex(429)
        try await withWebSource({ _ in
            let status = status.withLock { $0 }
            return status == 200
                ? .text(line) : .answer(status: status, headers: ["Retry-After: 120"])
        }) { source in
            let settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            for code in [429, 503] {
                status.withLock { $0 = code }
                let now = WebSource.now + .seconds(code == 429 ? 0 : 1000)
                let report = try await source.pull(settings, now: now)
                #expect(report.filesWaiting == 1 && report.rejected == 0)
                #expect(report.trouble?.contains("left alone for 120 s") == true)
                let count = source.receiver.received.count
                let soon = try await source.pull(settings, now: now + .seconds(119))
                #expect(soon.filesWaiting == 1 && soon.trouble?.contains("until") == true)
                #expect(source.receiver.received.count == count)
            }
            status.withLock { $0 = 200 }
            let late = try await source.pull(settings, now: WebSource.now + .seconds(2000))
            #expect(late.stored == 1 && late.trouble == nil)
        }
    }

    @Test func `time that goes backwards is stored, and the cursor stays`() async throws {
        let newest = Mutex(1_735_689_900)
        try await withWebSource({ _ in
            .text("m a=1 \(newest.withLock { $0 })\n")
        }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.precision = .seconds
            try await source.pull(settings)
            newest.withLock { $0 = 1_735_689_600 }
            #expect(try await source.pull(settings).stored == 1)
            #expect(
                try await source.position().dataUntil?.description == "2025-01-01T00:05:00Z")
        }
    }

    @Test func `a tag that cannot be sent back is forgotten`() async throws {
        try await withWebSource({ _ in .text(line, "ETag: \"a\u{7}b\"") }) { source in
            let settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            try await source.pull(settings)
            let report = try await source.pull(settings)
            #expect(report.filesUnchanged == 1 && report.rejected == 0)
        }
    }

    @Test func `a clock that is ahead moves no cursor`() async throws {
        let ahead = WebSource.now.microseconds / 1_000_000 + 3600
        try await withWebSource({ _ in .text("m a=1 1735689600\nm a=2 \(ahead)\n") }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.precision = .seconds
            try await source.pull(settings)
            #expect(
                try await source.position().dataUntil?.description == "2025-01-01T00:00:00Z")
        }
    }

    @Test func `a page that is repeated, or leads in a circle, ends the walk`() async throws {
        for isCircle in [false, true] {
            try await withWebSource({ request in
                let page = request.parameter("p").flatMap { Int($0) } ?? 0
                let next = isCircle ? (page + 1) % 3 : page + 1
                return .text(
                    isCircle ? "m a=1 173568960\(page)000000000\n" : line,
                    "Link: </data?p=\(next)>; rel=next")
            }) { source in
                var settings = HTTPSettings(
                    access: source.access("/data?p=0"), format: .lineProtocol)
                settings.paging = .link
                let report = try await source.pull(settings)
                if isCircle {
                    #expect(report.stored == 3 && report.files == 3 && report.rejected == 1)
                    #expect(report.trouble?.contains("leads back") == true)
                } else {
                    #expect(report.stored == 1 && report.files == 2)
                    #expect(report.findings.map(\.reason) == ["page 2 repeats the one before it"])
                }
                #expect(try await source.position().walk == nil)
                // Nothing new: nothing is stored twice.
                #expect(try await source.pull(settings).stored == 0)
            }
        }
    }

    @Test(arguments: [
        "http://169.254.169.254/latest", "http://other.example.org/data?p=1", "https://127.0.0.1/x",
        "//10.0.0.1/x", "ftp://127.0.0.1/x", "http://user:word@127.0.0.1/", "http://[::1]/x",
    ])
    func `a next page on another host is not fetched, and secrets stay`(target: String)
        async throws
    {
        try await withWebSource(
            environment: ["T": "s3cr3t"], { _ in .text(line, "Link: <\(target)>; rel=\"next\"") }
        ) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.paging = .link
            settings.access.bearer = SecretReference("env:T")
            let report = try await source.pull(settings)
            // What stands on the page itself is good.
            #expect(report.stored == 1 && report.rejected == 1)
            #expect(report.trouble != nil)
            // Nothing says that it was the last page, so that it is asked for again.
            #expect(try await source.pull(settings).duplicates == 1)
            #expect(source.receiver.received.count == 2)
        }
    }

    @Test(arguments: [false, true])
    func `private addresses are reached only where the source says so`(allows: Bool) async throws {
        try await withWebSource({ _ in .text(line) }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.access.allowPrivate = allows
            let report = try await source.pull(settings)
            #expect(report.stored == (allows ? 1 : 0))
            #expect(source.receiver.connections == (allows ? 1 : 0))
            for url in ["http://169.254.169.254/", "https://169.254.169.254/latest/meta-data"] {
                settings.access.url = url
                #expect(try await source.pull(settings).rejected == 1)
            }
        }
    }

    @Test func `pages that change their encoding are read each as it is`() async throws {
        try await withWebSource({ request in
            switch request.parameter("p") {
            case nil:
                .answer(
                    status: 200, headers: ["Content-Encoding: gzip", "Link: <?p=1>; rel=next"],
                    body: Packed.gzip("m a=1 1735689600000000000\n"))
            case "1": .text("m a=2 1735689601000000000\n", "Link: <?p=2>; rel=next")
            default: .text("m a=3 1735689602000000000\n", "Content-Type: text/plain;charset=UTF-16")
            }
        }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.paging = .link
            let report = try await source.pull(settings)
            #expect(report.stored == 2 && report.rejected == 1)
            #expect(report.trouble?.contains("utf-16") == true)
            // The walk begins anew, and what is there already is told as such.
            let again = try await source.pull(settings)
            #expect(again.stored == 0 && again.duplicates == 2 && again.rejected == 1)
        }
    }

    @Test func `a table of a million columns is refused before it is stored`() async throws {
        let header = "time," + (0..<1_000_000).map { "c\($0)" }.joined(separator: ",")
        let row = "\n2025-01-01," + String(repeating: "1,", count: 999_999) + "1\n"
        try await withWebSource({ _ in .text(header + row) }) { source in
            let report = try await source.pull(
                HTTPSettings(access: source.access(), format: .csv))
            #expect(report.rejected == 1 && report.stored == 0)
            #expect(report.trouble == "line 1 is longer than the 1048576 bytes that are accepted")
        }
    }

    @Test func `a table of more series than the source accepts is refused whole`() async throws {
        let header = "time," + (0..<2000).map { "c\($0)" }.joined(separator: ",")
        let row = "\n2025-01-01," + String(repeating: "1,", count: 1999) + "1\n"
        try await withWebSource({ _ in .text(header + row) }) { source in
            var settings = HTTPSettings(access: source.access(), format: .csv)
            settings.seriesMaximum = 1999
            let report = try await source.pull(settings)
            #expect(report.trouble?.contains("more than 1999 series") == true)
            #expect(try await source.everything() == [])
        }
    }

    @Test func `tables with mixed separators lose the rows that do not fit`() async throws {
        let body = "time,a\n2025-01-01,1\n2025-01-02;2\n2025-01-03\t3\n2025-01-04,4\n"
        try await withWebSource({ _ in .text(body) }) { source in
            let report = try await source.pull(
                HTTPSettings(access: source.access(), format: .csv))
            #expect(report.stored == 2 && report.badRows == 2)
            #expect(report.rejections.count == 2)
        }
    }

    @Test func `a table without a final line end is whole once it has stayed as it is`()
        async throws
    {
        try await withWebSource({ _ in .text("time,a\n2025-01-01,1\n2025-01-02,2") }) { source in
            let settings = HTTPSettings(access: source.access(), format: .csv)
            let first = try await source.pull(settings)
            #expect(first.stored == 1 && first.filesWaiting == 1)
            let second = try await source.pull(settings, now: WebSource.now + .seconds(30))
            #expect(second.stored == 1 && second.duplicates == 1)
        }
    }

    @Test func `a series that changes its unit is refused, the others are stored`() async throws {
        let unit = Mutex("celsius")
        try await withWebSource({ _ in
            let (unit, other) = unit.withLock { ($0, $0 == "celsius" ? 0 : 60) }
            return .text(
                "# UNIT t \(unit)\nt 1 \(1_735_689_600 + other)\nu 2 \(1_735_689_600 + other)\n# EOF\n"
            )
        }) { source in
            let settings = HTTPSettings(access: source.access(), format: .openMetrics)
            try await source.pull(settings)
            unit.withLock { $0 = "kelvin" }
            let report = try await source.pull(settings)
            #expect(report.stored == 1 && report.badRows == 1)
            #expect(
                report.rejections.map(\.reason) == [
                    "series \"plant.t\" is stored in \"Cel\", the data are in \"K\""
                ])
            let counts = try await source.pool.run(
                "SELECT reason || ' ' || count AS line FROM systole.source_rejections")
            #expect(try counts.map { try $0.text("line") } == ["unit 1"])
        }
    }

    /// What users say of the unit of a series is said of all its rows.
    @Test(arguments: [nil, "Cel"])
    func `a row in another unit costs itself, wherever it stands on its page`(
        corrected: String?
    ) async throws {
        try await withWebSource({ _ in
            .text(
                """
                [{"t": 1735689600, "v": 290, "u": "K"}, {"t": 1735689660, "v": 20, "u": "Cel"},
                 {"t": 1735689720, "v": 21, "u": "Cel"}, {"t": 1735689780, "v": 22}]
                """)
        }) { source in
            var settings = HTTPSettings(access: source.access(), format: .json)
            settings.paths = JSONFeedPaths(
                time: try #require(JSONPath("$[*].t")), values: [try #require(JSONPath("$[*].v"))],
                unit: JSONPath("$[*].u"))
            if let corrected { settings.units = ["v": corrected] }
            _ = try await source.pool.run(
                "INSERT INTO systole.series (key, unit) VALUES ('plant.v', 'Cel')")
            let report = try await source.pull(settings)
            #expect(report.stored == (corrected == nil ? 3 : 4))
            #expect(report.badRows == (corrected == nil ? 1 : 0))
        }
    }

    @Test func `another pull that was faster is not undone`() async throws {
        try await withWebSource({ _ in .text(line) }) { source in
            let settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            try await source.pull(settings)
            let (pool, stale) = (source.pool, try FeedPosition().json())
            await #expect(throws: IngestError.overtaken) {
                try await pool.transaction { db in
                    let id = try SourceStore.find(name: "plant", in: db).id
                    try GuardedCursor.move(
                        source: id, part: FeedPosition.part, from: stale, to: stale, in: db)
                }
            }
            await #expect(throws: IngestError.overtaken) {
                try await pool.transaction { db in
                    let id = try SourceStore.find(name: "plant", in: db).id
                    try GuardedCursor.move(
                        source: id, part: FeedPosition.part, from: nil, to: stale, in: db)
                }
            }
        }
    }

    @Test func `a metric that is cut off is no metric`() async throws {
        try await withWebSource({ _ in .text("up 1 1760000000000\nt 2") }) { source in
            let report = try await source.pull(
                HTTPSettings(access: source.access(), format: .openMetrics))
            #expect(report.stored == 1 && report.badRows == 1)
            #expect(report.rejections.first?.reason.contains("line end") == true)
        }
    }

    @Test(arguments: [
        HTTPSettings.Paging.offset(parameter: "o", size: .max), .offset(parameter: "o", size: 0),
        .page(parameter: "p", first: .max), .page(parameter: "p", first: -1),
    ])
    func `pages that cannot be counted are refused`(paging: HTTPSettings.Paging) throws {
        var settings = HTTPSettings(
            access: WebAccess(url: "https://example.org/"), format: .lineProtocol)
        settings.paging = paging
        #expect(settings.flaw != nil)
    }

    @Test func `what is kept of a refusal quotes nothing`() async throws {
        let body = "time,a\n4711,x\n4712,y\n"
        try await withWebSource({ _ in .text(body) }) { source in
            var settings = HTTPSettings(access: source.access(), format: .csv)
            settings.csv.timeColumn = "a"
            let report = try await source.pull(settings)
            let trouble = try #require(report.trouble)
            #expect(!trouble.contains("\"x\""), "\(trouble)")
        }
    }

    @Test func `seconds in metrics of milliseconds are an answer that has lost its end`()
        async throws
    {
        try await withWebSource({ _ in
            .text("# UNIT t celsius\nt 1 1772323200.5\nt 2 1772323260\n")
        }) { source in
            let report = try await source.pull(
                HTTPSettings(access: source.access(), format: .openMetrics))
            #expect(report.badRows == 1 && report.stored == 1)
        }
    }

    @Test func `what a table tells twice, and an answer that is none, are among the figures`()
        async throws
    {
        let body = Mutex("time,a\n2025-01-01,1\n2025-01-01,1\n2025-01-02,2\n2025-01-02,3\n")
        try await withWebSource({ _ in .text(body.withLock { $0 }) }) { source in
            let settings = HTTPSettings(access: source.access(), format: .csv)
            try await source.pull(settings)
            body.withLock { $0 = "<html>" }
            try await source.pull(settings)
            let row = try await source.pool.run(
                "SELECT stored, duplicates, conflicts, rejected FROM systole.sources"
            ).only()
            #expect(try row.int("stored") == 2 && row.int("duplicates") == 1)
            #expect(try row.int("conflicts") == 1 && row.int("rejected") == 1)
        }
    }

    @Test func `a header that is cut by its length names no columns`() async throws {
        let body = "time," + (0..<200_000).map { "c\($0)" }.joined(separator: ",") + "\n1,2\n"
        try await withWebSource({ _ in .text(body) }) { source in
            let report = try await source.pull(
                HTTPSettings(access: source.access(), format: .csv))
            #expect(report.trouble?.contains("line 1 is longer than the 1048576 bytes") == true)
        }
    }

    @Test(arguments: ["https://", "https://u:p@example.org/", "https://u@example.org/"])
    func `an address without a host, or with a password, is refused before it is stored`(
        url: String
    ) {
        #expect(HTTPSettings(access: WebAccess(url: url), format: .lineProtocol).flaw != nil)
    }

    @Test func `settings that cannot be read are told by their field`() {
        for (json, word) in [
            ("{}", "\"access\" is missing"), (#"{"access": {"url": 7}}"#, "\"access.url\""),
            ("[", "the settings cannot be read"),
        ] {
            let error = #expect(throws: IngestError.self) {
                try HTTPSettings(json: json, of: "plant")
            }
            #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
        }
    }
}
