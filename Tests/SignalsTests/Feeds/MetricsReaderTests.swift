import Series
import Testing

@testable import Signals

@Suite struct MetricsReaderTests {
    private let at = Timestamp(microseconds: 1_700_000_000_000_000)

    private func read(_ text: String, _ dialect: MetricsReader.Dialect? = nil) throws -> Feed {
        var reader = MetricsReader()
        reader.dialect = dialect
        reader.receivedAt = at
        return try reader.read(Array(text.utf8), name: "x")
    }

    @Test func `samples become series with their labels in order, exemplars passed over`() throws {
        let feed = try read(
            """
            # HELP http_requests_total Requests.
            # TYPE http_requests_total counter
            http_requests_total{method="post",code="200"} 1027 1395066363.5 # {trace="a"} 1 2
            # TYPE t gauge
            # UNIT t celsius
            t 36.6
            b_bucket{le="+Inf"} 3
            quoted{v="a\\"b\\\\c\\nd",} 4
            {"my.metric","l.x"="1"} 5
            # EOF

            """)
        #expect(
            told(feed) == [
                "http_requests_total{code=\"200\",method=\"post\"}: 2014-03-17T14:26:03.500000Z=1027.0",
                "t [Cel]: 2023-11-14T22:13:20Z=36.6",
                "b_bucket{le=\"+Inf\"}: 2023-11-14T22:13:20Z=3.0",
                #"quoted{v="a\"b\\c\nd"}: 2023-11-14T22:13:20Z=4.0"#,
                "my.metric{l.x=\"1\"}: 2023-11-14T22:13:20Z=5.0",
            ])
    }

    @Test func `the older format counts milliseconds`() throws {
        #expect(told(try read("a 1 1395066363000\n")) == ["a: 2014-03-17T14:26:03Z=1.0"])
    }

    @Test func `NaN and infinities are missing`() throws {
        let feed = try read("a NaN\nb +Inf\nc -Inf\nd 1\n")
        #expect(feed.report.missing == 3 && feed.report.infinite == 2)
    }

    @Test func `OpenMetrics without its end is not whole`() {
        #expect(throws: FeedError(feed: "x", place: .whole, reason: .unfinished(mark: "# EOF"))) {
            try read("a 1\n", .openMetrics)
        }
    }

    @Test func `a name that ends as the mark does is no end`() throws {
        #expect(try read("# HELP a # EOF\na 1\n").series.count == 1)
    }

    @Test(arguments: [
        ("1abc 2", "metric name"), ("a", "value of a"), ("a x", "value of a is \"x\""),
        ("a{b=1} 2", "label value"), ("a{b=\"1\" 2", "part behind a label"),
        ("a{b=\"1\",b=\"2\"} 2", "each label once"), ("a{=\"1\"} 2", "label"),
        ("a{b=\"1", "label value"), ("a 1 soon", "timestamp is \"soon\""),
        ("a 1 2 3", "end of the line"), ("{} 1", "metric name"), ("\"a\" 1", "metric name"),
    ])
    func `a line that cannot be read is named and left out`(line: String, words: String) throws {
        let feed = try read("ok 1\n\(line)\nok2 2\n")
        #expect(feed.series.map(\.channel.name) == ["ok", "ok2"] && feed.report.badItems == 1)
        let reason = feed.report.reasons.first?.description ?? ""
        #expect(reason.hasPrefix("x, line 2: ") && reason.contains(words), "\(reason)")
    }

    @Test func `a reason is one line, whatever the names have in them`() throws {
        let feed = try read("{\"a\\nb\"} x\n")
        #expect(
            feed.report.reasons.map(\.description) == [
                "x, line 1: the value of a b is \"x\"; accepted is \(FeedNumber.accepted)."
            ])
    }

    @Test func `what stands behind the end is counted`() throws {
        let feed = try read("a 1\n# EOF\nb 2\n")
        #expect(feed.series.count == 1 && feed.report.badItems == 1)
    }

    @Test func `a series that changes its unit within the feed is told once for each unit`() throws
    {
        let feed = try read(
            "# UNIT a seconds\na 1\n# UNIT a meters\na 2\n# UNIT a seconds\na 3\n")
        #expect(
            told(feed) == [
                "a [s]: 2023-11-14T22:13:20Z=1.0 2023-11-14T22:13:20Z=3.0",
                "a [m]: 2023-11-14T22:13:20Z=2.0",
            ])
        #expect(feed.report.badItems == 0)
    }
}
