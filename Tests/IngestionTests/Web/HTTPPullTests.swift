import Foundation
import Postgres
import Series
import Signals
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

private let table =
    "time,a [°C],b\n2025-01-01 00:00,1,10\n2025-01-01 01:00,2,\n2025-01-01 02:00,3,30\n"

@Suite struct HTTPPullTests {
    private func paths(
        _ time: String, _ value: String, name: String? = nil
    ) throws -> JSONFeedPaths {
        JSONFeedPaths(
            time: try #require(JSONPath(time)), values: [try #require(JSONPath(value))],
            name: name.flatMap { JSONPath($0) })
    }

    @Test func `a table becomes series with their units, and a second pull changes nothing`()
        async throws
    {
        try await withWebSource({ _ in .text(table) }) { source in
            let settings = HTTPSettings(access: source.access(), format: .csv)
            let report = try await source.pull(settings)
            #expect(report.files == 1 && report.rows == 3 && report.stored == 5)
            #expect(report.missing == 1 && report.rejected == 0 && report.trouble == nil)
            #expect(try await source.observations().first == "plant.a 2025-01-01 00:00:00 1")
            let units = try await source.pool.run("SELECT unit FROM systole.series ORDER BY key")
            #expect(try units.map { try $0.text("unit") } == ["Cel", ""])
            #expect(try await source.position().dataUntil?.description == "2025-01-01T02:00:00Z")
            let before = try await source.everything()
            let again = try await source.pull(settings)
            #expect(again.filesUnchanged == 1 && !again.changedAnything)
            #expect(try await source.everything() == before)
        }
    }

    @Test func `paths that lead nowhere are told`() async throws {
        try await withWebSource({ _ in .text("{\"data\": [{\"t\": 1735689600, \"a\": 1}]}") }) {
            source in
            var settings = HTTPSettings(access: source.access(), format: .json)
            settings.paths = try paths("$.rows[*].t", "$.rows[*].a")
            let report = try await source.pull(settings)
            #expect(report.stored == 0 && report.rejected == 0)
            #expect(report.findings.map(\.reason) == ["nothing is at $.rows[*].a"])
        }
    }

    @Test(arguments: FeedFormat.allCases.filter { $0 != .pieces })
    func `every format brings the same observations`(format: FeedFormat) async throws {
        let body =
            switch format {
            case .csv: "time,a\n1735689600,1\n1735689660,2\n"
            case .ndjson: "{\"t\":1735689600,\"a\":1}\n{\"t\":1735689660,\"a\":2}"
            case .json: "[{\"t\":1735689600,\"a\":1},{\"t\":1735689660,\"a\":2}]"
            case .lineProtocol: "m a=1 1735689600000000000\nm a=2 1735689660000000000\n"
            case .openMetrics: "a 1 1735689600\na 2 1735689660\n# EOF\n"
            case .pieces: ""
            }
        try await withWebSource({ _ in .text(body) }) { source in
            var settings = HTTPSettings(access: source.access(), format: format)
            if format == .json { settings.paths = try paths("$[*].t", "$[*].a") }
            if format == .ndjson { settings.paths = try paths("$.t", "$.a") }
            settings.renames = ["m.a": "a"]
            let report = try await source.pull(settings)
            #expect(report.stored == 2, "\(report)")
            #expect(
                try await source.observations() == [
                    "plant.a 2025-01-01 00:00:00 1", "plant.a 2025-01-01 00:01:00 2",
                ])
        }
    }

    @Test func `what the server calls unchanged is not sent again`() async throws {
        try await withWebSource({ request in
            request.headers["if-none-match"] == "\"v1\""
                ? .answer(status: 304) : .text(table, "ETag: \"v1\"")
        }) { source in
            let settings = HTTPSettings(access: source.access(), format: .csv)
            #expect(try await source.pull(settings).stored == 5)
            let before = try await source.everything()
            let report = try await source.pull(settings)
            #expect(report.filesUnchanged == 1 && report.rows == 0)
            #expect(try await source.everything() == before)
            #expect(source.receiver.received.last?.headers["if-none-match"] == "\"v1\"")
        }
    }

    @Test func `without a tag the time of the last change does`() async throws {
        let date = "Wed, 01 Jan 2025 00:00:00 GMT"
        try await withWebSource({ request in
            request.headers["if-modified-since"] == date
                ? .answer(status: 304)
                : .text(
                    table, "Last-Modified: \(date)", "Date: Wed, 01 Jan 2025 00:00:02 GMT")
        }) { source in
            let settings = HTTPSettings(access: source.access(), format: .csv)
            try await source.pull(settings)
            #expect(try await source.pull(settings).filesUnchanged == 1)
            #expect(source.receiver.received.last?.headers["if-modified-since"] == date)
        }
    }

    @Test(arguments: [
        "Date: Wed, 01 Jan 2025 00:00:01 GMT", "Date: Tue, 31 Dec 2024 00:00:00 GMT",
        "Date: noon", "X-Date: none",
    ])
    func `what changes twice within a second is not taken for unchanged`(date: String) async throws
    {
        let modified = "Wed, 01 Jan 2025 00:00:00 GMT"
        let body = Mutex(table)
        try await withWebSource({ request in
            request.headers["if-modified-since"] == modified
                ? .answer(status: 304)
                : .text(body.withLock { $0 }, "Last-Modified: \(modified)", date)
        }) { source in
            let settings = HTTPSettings(access: source.access(), format: .csv)
            let first = try await source.pull(settings)
            body.withLock { $0 += "2025-01-01 03:00,4,40\n" }
            let second = try await source.pull(settings)
            #expect(first.stored == 5 && second.stored == 2)
        }
    }

    @Test(arguments: ["gzip", "zstd"])
    func `packed answers are unpacked`(encoding: String) async throws {
        try await withWebSource({ _ in
            .answer(
                status: 200, headers: ["Content-Encoding: \(encoding)"],
                body: encoding == "gzip" ? Packed.gzip(table) : Packed.zstd(table))
        }) { source in
            let report = try await source.pull(
                HTTPSettings(access: source.access(), format: .csv))
            #expect(report.stored == 5, "\(report)")
            let asked = source.receiver.received[0].headers["accept-encoding"]
            #expect(asked == "gzip, zstd")
        }
    }

    /// Three pages of line protocol, by the parameter `p`.
    private static func page(_ number: Int) -> String {
        "m a=\(number),b=1 173568960\(number)000000000\n"
    }

    @Test(arguments: ["link", "path", "token", "page", "offset"])
    func `pages are walked to the last`(way: String) async throws {
        try await withWebSource({ request in
            let page = request.parameter("p").flatMap { Int($0) } ?? 0
            let json = { (next: String) in
                "{\"next\": \(next), \"d\": [{\"t\": \(1_735_689_600 + page), \"a\": \(page)}]}"
            }
            switch way {
            case "link":
                return page < 2
                    ? .text(
                        Self.page(page), "Link: </other>; rel=\"prev\"",
                        "Link: <?p=\(page + 1)>; rel=\"last next\"") : .text(Self.page(page))
            case "path": return .text(json(page < 2 ? "\"/data?p=\(page + 1)\"" : "null"))
            case "token": return .text(json(page < 2 ? "\(page + 1)" : "\"\""))
            default: return .text(page < 3 ? Self.page(page) : "\n")
            }
        }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            switch way {
            case "link": settings.paging = .link
            case "page": settings.paging = .page(parameter: "p", first: 0)
            case "offset": settings.paging = .offset(parameter: "p", size: 1)
            default:
                settings.format = .json
                settings.paths = try paths("$.d[*].t", "$.d[*].a")
                settings.paging = .path(
                    try #require(JSONPath("$.next")), parameter: way == "token" ? "p" : nil)
            }
            let report = try await source.pull(settings)
            #expect(report.rejected == 0 && report.trouble == nil, "\(report)")
            let stored = try await source.observations().filter { $0.contains("a 2025") }
            #expect(stored.count == 3)
            let position = try await source.position()
            #expect(position.walk == nil)
            #expect(position.dataUntil?.description == "2025-01-01T00:00:02Z")
        }
    }

    @Test func `a pull ends at its limit, and the next one goes on`() async throws {
        try await withWebSource({ request in
            let page = request.parameter("p").flatMap { Int($0) } ?? 0
            return page < 4
                ? .text(Self.page(page), "Link: </data?p=\(page + 1)>; rel=next")
                : .text(Self.page(page))
        }) { source in
            var settings = HTTPSettings(access: source.access(), format: .lineProtocol)
            settings.paging = .link
            settings.pagesMaximum = 2
            var report = try await source.pull(settings)
            #expect(report.files == 2 && report.filesWaiting == 1 && report.stored == 4)
            // The end of the data is known only at the end of the walk.
            #expect(try await source.position().dataUntil == nil)
            report = try await source.pull(settings)
            #expect(report.files == 2 && report.stored == 4)
            report = try await source.pull(settings)
            #expect(report.files == 1 && report.stored == 2 && report.filesWaiting == 0)
            #expect(source.receiver.received.map(\.target).last == "/data?p=4")
            #expect(
                try await source.position().dataUntil?.description == "2025-01-01T00:00:04Z")
        }
    }

    @Test func `since asks for what came after the newest, less the overlap`() async throws {
        let asked = Mutex<[String?]>([])
        try await withWebSource({ request in
            let count = asked.withLock { asked in
                asked.append(request.parameter("since"))
                return asked.count
            }
            return .text("m a=\(count) 17356896\(count)0000000000\n")
        }) { source in
            var settings = HTTPSettings(access: source.access("/data?x=1"), format: .lineProtocol)
            settings.since = HTTPSettings.Since(parameter: "since", format: .unixSeconds)
            settings.startAt = Timestamp(microseconds: 1_735_600_000_000_000)
            settings.overlapSeconds = 60
            try await source.pull(settings)
            try await source.pull(settings)
            #expect(asked.withLock { $0 } == ["1735600000", "1735689550"])
            #expect(source.receiver.received[1].target == "/data?x=1&since=1735689550")
            settings.since = HTTPSettings.Since(parameter: "since")
            try await source.pull(settings)
            #expect(asked.withLock { $0.last } == "2024-12-31T23:59:20Z")
        }
    }

    @Test func `what is too old or too late is rejected and counted`() async throws {
        try await withWebSource({ request in
            request.target == "/late"
                ? .text("m a=1 1735689600\nm a=2 1735600000\n")
                : .text("m a=1 1735689700\nm a=2 1735689500\nm a=3 1735689000\n")
        }) { source in
            var settings = HTTPSettings(access: source.access("/late"), format: .lineProtocol)
            settings.precision = .seconds
            settings.ageSecondsMaximum = Double(1_760_000_000 - 1_735_650_000)
            #expect(try await source.pull(settings).badRows == 1)
            settings.access = source.access("/data")
            settings.latenessSeconds = 300
            let report = try await source.pull(settings)
            #expect(report.stored == 2 && report.badRows == 1)
            #expect(report.rejections.map(\.reason) == ["1 observation is later than it accepts"])
            let counts = try await source.pool.run(
                "SELECT reason || ' ' || count AS line FROM systole.source_rejections ORDER BY 1")
            #expect(try counts.map { try $0.text("line") } == ["age 1", "late 1"])
        }
    }

    @Test func `a revisable source replaces, another keeps and counts`() async throws {
        for isRevisable in [false, true] {
            let count = Mutex(0)
            try await withWebSource({ _ in
                let value = count.withLock { count in
                    count += 1
                    return count
                }
                return .text("m a=\(value) 1735689600000000000\n")
            }) { source in
                var source = source
                source.isRevisable = isRevisable
                let settings = HTTPSettings(access: source.access(), format: .lineProtocol)
                try await source.pull(settings)
                let report = try await source.pull(settings)
                #expect(report.revised == (isRevisable ? 1 : 0))
                #expect(report.conflicts == (isRevisable ? 0 : 1))
            }
        }
    }

    @Test func `credentials are sent and never told`() async throws {
        let secrets = ["TOKEN": "s3cr3t-token\n", "WORD": "p4ssw0rd", "KEY": "k3y-value"]
        try await withWebSource(
            environment: secrets,
            { request in
                // A server that says all it was told, where a table is expected.
                .text(
                    "time,a\n\(request.headers["authorization"] ?? ""),\(request.headers["x-key"] ?? "")\n2025-01-01,1\n"
                )
            }
        ) { source in
            var settings = HTTPSettings(access: source.access(), format: .csv)
            settings.access.bearer = SecretReference("env:TOKEN")
            settings.access.secretHeaders = ["X-Key": try #require(SecretReference("env:KEY"))]
            settings.csv.timeColumn = "time"
            let report = try await source.pull(settings)
            let request = source.receiver.received[0]
            #expect(request.headers["authorization"] == "Bearer s3cr3t-token")
            #expect(request.headers["x-key"] == "k3y-value")
            settings.access.bearer = nil
            settings.access.user = "me"
            settings.access.password = SecretReference("env:WORD")
            let second = try await source.pull(settings)
            #expect(
                source.receiver.received[1].headers["authorization"] == "Basic bWU6cDRzc3cwcmQ=")
            let stored = try await source.pool.run(
                """
                SELECT settings::text AS line FROM systole.source
                UNION ALL SELECT position::text FROM systole.source_cursor
                UNION ALL SELECT coalesce(trouble, '') FROM systole.source_figures
                """
            ).map { try $0.text("line") }
            let all = "\(report) \(second) \(stored)"
            for secret in ["s3cr3t", "p4ssw0rd", "k3y-value", "bWU6cDR"] {
                #expect(!all.contains(secret), "\(all)")
            }
        }
    }

    @Test func `a secret that is not there ends the pull, by its reference`() async throws {
        try await withWebSource({ _ in .text(table) }) { source in
            var settings = HTTPSettings(access: source.access(), format: .csv)
            settings.access.bearer = SecretReference("env:NOWHERE")
            await #expect(throws: IngestError.secret("env:NOWHERE")) {
                try await source.pull(settings)
            }
            #expect(source.receiver.connections == 0)
        }
    }

    @Test(arguments: ["abc", "env:", "env:A B", "file:relative", "file:", "ENV:X", ""])
    func `what is no reference is refused, since it may be the secret`(text: String) {
        #expect(SecretReference(text) == nil)
    }

    @Test func `settings survive their JSON, and what is not told has its default`() throws {
        var access = WebAccess(url: "https://example.org/a")
        access.bearer = SecretReference("file:/run/token")
        var settings = HTTPSettings(access: access, format: .json)
        settings.paths = try paths("$[*].t", "$[*].v", name: "$[*].n")
        settings.paging = .path(try #require(JSONPath("$.next")), parameter: "cursor")
        settings.since = HTTPSettings.Since(parameter: "from")
        let read = try HTTPSettings(json: settings.json(), of: "x")
        #expect(read == settings && read.flaw == nil)
        let short =
            try HTTPSettings(
                json: #"{"access": {"url": "https://example.org/a"}, "format": "csv"}"#, of: "x")
        #expect(
            short == HTTPSettings(access: WebAccess(url: "https://example.org/a"), format: .csv))
    }

    @Test(arguments: [
        #"{}"#, #"{"access": {}, "format": "csv"}"#,
        #"{"access": {"url": "https://h/"}, "format": "pigeon"}"#,
        #"{"access": {"url": "https://h/", "bearer": "the-token-itself"}, "format": "csv"}"#,
        #"{"access": {"url": "https://h/"}, "format": "json"}"#,
        #"{"access": {"url": "https://h/", "user": "u"}, "format": "csv"}"#,
    ])
    func `settings that make no sense are refused without quoting them`(json: String) async throws {
        try await withWebSource({ _ in .text(table) }) { source in
            let error = await #expect(throws: IngestError.self) {
                try await source.pull(
                    HTTPConnector(client: source.client), HTTPConnector.kind, json)
            }
            #expect(error.map { "\($0)".contains("the-token-itself") } == false)
        }
    }

    @Test func `a preview tells what would be stored, and stores nothing`() async throws {
        try await withWebSource({ _ in .text(table) }) { source in
            let previews = try await HTTPConnector(client: source.client).preview(
                name: "plant", settings: HTTPSettings(access: source.access(), format: .csv),
                now: WebSource.now)
            let preview = try #require(previews.first)
            #expect(preview.series.map(\.key) == ["plant.a", "plant.b"])
            #expect(preview.series.map(\.values) == [3, 2] && preview.series[1].missing == 1)
            #expect(preview.items == 3 && !preview.hasMore)
            #expect(try await source.everything() == [])
        }
    }

    @Test(arguments: [
        (FeedFormat.openMetrics, "t 20.5\n"), (.openMetrics, "t 20.5\n# EOF\n"),
        (.lineProtocol, "m t=20.5\n"),
    ])
    func `what has no time of its own is new at every pull, also where it is the same`(
        format: FeedFormat, body: String
    ) async throws {
        try await withWebSource({ request in
            request.headers["if-none-match"] == nil
                ? .text(body, "ETag: \"same\"") : .answer(status: 304)
        }) { source in
            let settings = HTTPSettings(access: source.access(), format: format)
            for minute in 0..<3 {
                let report = try await source.pull(
                    settings, now: WebSource.now + .seconds(60 * minute))
                #expect(report.stored == 1, "\(report)")
            }
            #expect(try await source.observations().count == 3)
        }
    }
}
