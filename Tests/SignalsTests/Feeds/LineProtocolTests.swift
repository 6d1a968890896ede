import Series
import Testing

@testable import Signals

/// What a feed told, as `name unit: at=value …`.
func told(_ feed: Feed) -> [String] {
    feed.series.map { series in
        let points = zip(series.times, series.values).map { "\($0)=\($1)" }
        let unit = series.channel.unit.symbol
        return series.channel.name + (unit.isEmpty ? "" : " [\(unit)]") + ": "
            + points.joined(separator: " ")
    }
}

@Suite struct LineProtocolTests {
    private func read(
        _ text: String, _ precision: LineProtocolReader.Precision = .seconds
    ) throws -> Feed {
        var reader = LineProtocolReader()
        reader.precision = precision
        return try reader.read(Array(text.utf8), name: "x")
    }

    @Test func `every numeric field is a series with its tags in order`() throws {
        let feed = try read(
            "weather,b=2,a=1 t=3.5,n=-7i,u=18446744073709551615u,on=T,off=false,s=\"x, y=1\" 10\n")
        #expect(
            told(feed) == [
                "weather.t{a=\"1\",b=\"2\"}: 1970-01-01T00:00:10Z=3.5",
                "weather.n{a=\"1\",b=\"2\"}: 1970-01-01T00:00:10Z=-7.0",
                "weather.u{a=\"1\",b=\"2\"}: 1970-01-01T00:00:10Z=1.8446744073709552e+19",
                "weather.on{a=\"1\",b=\"2\"}: 1970-01-01T00:00:10Z=1.0",
                "weather.off{a=\"1\",b=\"2\"}: 1970-01-01T00:00:10Z=0.0",
            ])
        #expect(feed.report.ignored == 1 && feed.report.badItems == 0)
    }

    @Test(arguments: [
        (LineProtocolReader.Precision.nanoseconds, "1700000000123456999"),
        (.microseconds, "1700000000123456"), (.milliseconds, "1700000000123"),
        (.seconds, "1700000000"),
    ])
    func `timestamps count what the source says, cut to microseconds`(
        precision: LineProtocolReader.Precision, text: String
    ) throws {
        let feed = try read("m f=1 \(text)", precision)
        let micros = feed.series[0].times[0].microseconds
        let expected: Int64 =
            switch precision {
            case .nanoseconds, .microseconds: 1_700_000_000_123_456
            case .milliseconds: 1_700_000_000_123_000
            case .seconds: 1_700_000_000_000_000
            }
        #expect(micros == expected)
        let before = try read("m f=1 -1", precision).series[0].times[0].microseconds
        #expect(before < 0)
    }

    @Test func `escapes give names their commas, blanks and equals signs`() throws {
        let feed = try read(#"my\ m\,x,t\=a\ g=v\,1\ 2 f\ x\=y=1,back\slash=2 1"#)
        #expect(
            feed.series.map(\.channel.name) == [
                #"my m,x.f x=y{t=a g="v,1 2"}"#, #"my m,x.back\slash{t=a g="v,1 2"}"#,
            ])
    }

    @Test func `texts may hold line ends, and comments and empty lines are passed over`() throws {
        let feed = try read("# a\n\n  \r\nm s=\"a\nb \\\" c\",v=1 5\r\nm v=2 6")
        #expect(told(feed) == ["m.v: 1970-01-01T00:00:05Z=1.0 1970-01-01T00:00:06Z=2.0"])
    }

    @Test(arguments: [
        ("m", "line 1: the part behind the tags is missing"),
        ("m ", "the field name is missing"),
        ("m f", "the part behind the field name"),
        ("m f= 1", "the value of f is missing"),
        ("m f=1x 1", "the value of f is \"1x\""),
        ("m f=9223372036854775808i 1", "the value of f is"),
        ("m f=-1u 1", "the value of f is"),
        (",t=1 f=1 1", "the measurement is missing"),
        ("m,t f=1 1", "the part behind the tag name is"),
        ("m,t=,u=1 f=1 1", "the tag value is missing"),
        ("m,t=1,t=2 f=1 1", "each tag once"),
        ("m f=1 1.5", "the timestamp is \"1.5\""),
        ("m f=1 99999999999999999999", "the timestamp is"),
        ("m f=1", "the timestamp is missing; accepted is a whole number of s"),
        ("m f=1 1 2", "nothing behind the timestamp"),
        ("m\u{1} f=1 1", "without control characters"),
    ])
    func `a line that cannot be read is named and left out, the next one is read`(
        line: String, words: String
    ) throws {
        let feed = try read(line + "\nm ok=1 7\nm ok=2 8\n")
        #expect(feed.report.badItems >= 1)
        let reason = try #require(feed.report.reasons.first?.description)
        #expect(reason.hasPrefix("x, line 1: ") && reason.contains(words), "\(reason)")
        #expect(feed.series.last?.values.last == 2)
    }

    @Test func `a text that never ends is one bad line`() throws {
        let feed = try read("m ok=1 7\nm f=\"open 1\nm ok=2 8\n")
        #expect(told(feed) == ["m.ok: 1970-01-01T00:00:07Z=1.0"])
        #expect(
            feed.report.reasons.first?.description.hasPrefix("x, line 2: the text of f") == true)
    }

    @Test func `a bad field costs its line as a whole`() throws {
        let feed = try read("m a=1,b=oops 1\n")
        #expect(feed.series.isEmpty && feed.report.badItems == 1)
    }

    @Test func `lines without a time have that of the answer`() throws {
        var reader = LineProtocolReader()
        reader.receivedAt = Timestamp(microseconds: 42)
        let feed = try reader.read(Array("m f=1".utf8), name: "x")
        #expect(feed.series[0].times == [Timestamp(microseconds: 42)])
    }

    @Test func `what is not finite is missing and counted`() throws {
        let feed = try read("m f=NaN 1\nm f=+Inf 2\nm f=1e999 3\nm f=4 4\n")
        #expect(feed.report.missing == 3 && feed.report.infinite == 2)
        #expect(feed.series[0].values.map(\.isNaN) == [true, true, true, false])
    }

    @Test func `limits end the feed with their name`() throws {
        var reader = LineProtocolReader()
        reader.precision = .seconds
        reader.limits.seriesMaximum = 2
        let text = Array("m a=1,b=2,c=3 1\n".utf8)
        #expect(throws: FeedError(feed: "x", place: .line(1), reason: .tooManySeries(accepted: 2)))
        {
            try reader.read(text, name: "x")
        }
        reader.limits.seriesMaximum = 3
        reader.limits.valuesMaximum = 2
        #expect(throws: FeedError(feed: "x", place: .line(1), reason: .tooManyValues(accepted: 2)))
        {
            try reader.read(text, name: "x")
        }
        reader.limits.bytesMaximum = 3
        #expect(throws: FeedError.self) { try reader.read(text, name: "x") }
    }

    @Test(arguments: ["<html>login</html>", " \n<?xml version=\"1.0\"?>"])
    func `a page for people is refused as a whole`(page: String) {
        let error = #expect(throws: FeedError.self) { try read(page) }
        #expect(error?.description.contains("HTML") == true)
    }
}
