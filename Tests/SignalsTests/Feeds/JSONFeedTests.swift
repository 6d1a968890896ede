import Series
import Testing

@testable import Signals

@Suite struct JSONFeedTests {
    private func paths(
        _ time: String, _ values: [String], name: String? = nil, unit: String? = nil,
        format: TimeFormat? = nil
    ) throws -> JSONFeedPaths {
        JSONFeedPaths(
            time: try #require(JSONPath(time)),
            values: try values.map { try #require(JSONPath($0)) },
            name: name.flatMap { JSONPath($0) }, unit: unit.flatMap { JSONPath($0) },
            timeFormat: format)
    }

    private func read(_ text: String, _ paths: JSONFeedPaths, byLine: Bool = false) throws -> Feed {
        try JSONFeedReader(paths: paths, isByLine: byLine).read(Array(text.utf8), name: "x")
    }

    @Test(arguments: [
        "$", "$.a", "$.a.b[0]['c d'][*].*", "$['a']~", "$.*~", "$[-1]", "$.höhe", "$[\"x\"]",
    ])
    func `a path reads as it is written`(text: String) {
        #expect(JSONPath(text)?.text == text)
    }

    @Test(arguments: [
        "", "a", "$.", "$..a", "$[", "$[1", "$['a", "$[a]", "$[1.5]", "$~", "$[0]~", "$.a~.b", "$a",
        "$[99999999999999999999]", "$[-9223372036854775808]",
        "$" + String(repeating: ".a", count: 33),
    ])
    func `what is no path is refused`(text: String) {
        #expect(JSONPath(text) == nil)
    }

    @Test func `rows of objects are joined by their place`() throws {
        let feed = try read(
            #"{"data": [{"t": "2024-01-01T00:00:00Z", "v": 1.5}, {"t": 1704067260, "v": "2"}, {"t": 1704067320000, "v": null}]}"#,
            paths("$.data[*].t", ["$.data[*].v"]))
        #expect(
            told(feed) == [
                "v: 2024-01-01T00:00:00Z=1.5 2024-01-01T00:01:00Z=2.0 2024-01-01T00:02:00Z=nan"
            ])
    }

    @Test func `parallel lists are joined by their place`() throws {
        let feed = try read(
            #"{"hourly": {"time": ["2024-01-01T00:00", "2024-01-01T01:00"], "temp": [1, 2], "wind": [3, 4]}}"#,
            paths("$.hourly.time[*]", ["$.hourly.temp[*]", "$.hourly.wind[*]"]))
        #expect(
            told(feed) == [
                "temp: 2024-01-01T00:00:00Z=1.0 2024-01-01T01:00:00Z=2.0",
                "wind: 2024-01-01T00:00:00Z=3.0 2024-01-01T01:00:00Z=4.0",
            ])
    }

    @Test func `names and units come from their own places, outer ones for all inner ones`() throws
    {
        let feed = try read(
            #"{"r": [{"n": "a", "u": "°C", "p": [[1, 5], [2, 6]]}, {"n": 7, "u": "K", "p": [[1, 8]]}]}"#,
            paths(
                "$.r[*].p[*][0]", ["$.r[*].p[*][1]"], name: "$.r[*].n", unit: "$.r[*].u",
                format: .unixSeconds))
        #expect(
            told(feed) == [
                "a [Cel]: 1970-01-01T00:00:01Z=5.0 1970-01-01T00:00:02Z=6.0",
                "7 [K]: 1970-01-01T00:00:01Z=8.0",
            ])
    }

    @Test func `names may be those of members`() throws {
        let feed = try read(
            #"{"at": 1704067200, "sensors": {"b": {"v": 2}, "a": {"v": 1}}}"#,
            paths("$.at", ["$.sensors.*.v"], name: "$.sensors.*~"))
        #expect(
            told(feed) == ["a: 2024-01-01T00:00:00Z=1.0", "b: 2024-01-01T00:00:00Z=2.0"])
    }

    @Test func `nanoseconds lose nothing above a microsecond`() throws {
        let feed = try read(
            #"{"t": 1700000000123456789, "v": 1}"#,
            paths("$.t", ["$.v"], format: .unixNanoseconds))
        #expect(feed.series[0].times[0].microseconds == 1_700_000_000_123_456)
    }

    @Test func `lines that are no JSON cost themselves`() throws {
        let feed = try read(
            "{\"t\": 1704067200, \"v\": 1}\n{\"t\": 17\n\n{\"t\": 1704067201, \"v\": true}",
            paths("$.t", ["$.v"]), byLine: true)
        #expect(told(feed) == ["v: 2024-01-01T00:00:00Z=1.0 2024-01-01T00:00:01Z=1.0"])
        #expect(feed.report.reasons.map(\.description) == ["x, line 2: it is no JSON."])
    }

    @Test(arguments: [
        (#"{"d": [{"v": 1}]}"#, "the time is missing"),
        (#"{"d": [{"t": "soon", "v": 1}]}"#, "the time is \"soon\""),
        (#"{"d": [{"t": 1e300, "v": 1}]}"#, "the time is"),
        (#"{"d": [{"t": 1, "v": [1]}]}"#, "a list or an object"),
        (#"{"d": [{"t": 1, "v": "much"}]}"#, "the value at $.d[*].v is \"much\""),
    ])
    func `a value that cannot be read is named and left out`(text: String, words: String) throws {
        let feed = try read(text, paths("$.d[*].t", ["$.d[*].v"]))
        #expect(feed.series.isEmpty && feed.report.badItems == 1)
        let reason = feed.report.reasons.first?.description ?? ""
        #expect(reason.hasPrefix("x, item 1: ") && reason.contains(words), "\(reason)")
    }

    @Test func `a document without the value says so, an empty list is empty`() throws {
        let found = try read("{}", paths("$.t", ["$.v"]))
        #expect(found.report.reasons.first?.description.contains("$.v is missing") == true)
        #expect(try read(#"{"d": []}"#, paths("$.d[*].t", ["$.d[*].v"])).report.badItems == 0)
    }

    @Test(arguments: ["", "{", "nul", "{\"a\" 1}", "\u{0}"])
    func `what is no JSON is refused as a whole`(text: String) throws {
        let paths = try paths("$.t", ["$.v"])
        #expect(throws: FeedError.self) { try read(text, paths) }
    }

    @Test(arguments: [
        ("$.a[*].b[*]", "$.a[*].v", nil), ("$.t", "$[*]", nil), ("$.t", "$.v", "$.a[*].n"),
    ])
    func `paths that do not fit together are a flaw`(
        time: String, value: String, name: String?
    ) throws {
        #expect(try paths(time, [value], name: name).flaw != nil)
    }

    @Test func `Prometheus' own answers can be read by paths too`() throws {
        let answer =
            #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[1435781430.781,"1"],[1435781445.781,"NaN"]]}]}}"#
        let own = try PrometheusAnswer(reading: Array(answer.utf8), name: "x")
        #expect(
            told(own.feed) == [
                "up{job=\"a\"}: 2015-07-01T20:10:30.781000Z=1.0 2015-07-01T20:10:45.781000Z=nan"
            ])
        let byPath = try read(
            answer,
            paths(
                "$.data.result[*].values[*][0]", ["$.data.result[*].values[*][1]"],
                name: "$.data.result[*].metric.__name__"))
        #expect(byPath.series[0].times == own.feed.series[0].times)
    }

    @Test func `results of Prometheus that would be one series are refused`() throws {
        let answer = #"""
            {"status":"success","data":{"resultType":"matrix","result":[
              {"metric":{"__name__":"load1","host":"z"},"values":[[1435781430,"1"]]},
              {"metric":{"__name__":"load5","host":"z"},"values":[[1435781430,"5"]]}]}}
            """#
        let bytes = Array(answer.utf8)
        let error = #expect(throws: FeedError.self) {
            try PrometheusAnswer(reading: bytes, name: "x", query: "load")
        }
        #expect(error?.description.contains(#""load{host="z"}""#) == true)
        #expect(error?.withoutValues.contains("host") == false)
        let own = try PrometheusAnswer(reading: bytes, name: "x").feed
        #expect(own.series.count == 2 && own.report.badItems == 0)
    }

    @Test(arguments: [
        (
            #"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points"}"#,
            "bad_data: exceeded"
        ),
        (
            #"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#,
            "the kind of result is \"scalar\""
        ),
        ("[]", "neither success"), ("<html>", "HTML"),
    ])
    func `an answer of Prometheus that is none says why`(text: String, words: String) {
        let error = #expect(throws: FeedError.self) {
            try PrometheusAnswer(reading: Array(text.utf8), name: "x")
        }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
}
