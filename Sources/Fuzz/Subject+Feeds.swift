import Ingestion
import Series
import Signals

extension Subject {
    /// What comes over the network.
    static let feeds = [
        lineProtocol, metrics, jsonFeed, ndjsonFeed, jsonPath, prometheus, fhir, waveformPiece,
        mqttPayload,
    ]

    private static let at = Timestamp(microseconds: 1_700_000_000_000_000)

    private static var limits: FeedLimits {
        var limits = FeedLimits()
        limits.seriesMaximum = 1000
        return limits
    }

    private static let lineProtocol = Subject(
        name: "line-protocol", corpus: { FeedCorpus.lines.map { Array($0.utf8) } },
        parse: { bytes in
            var reader = LineProtocolReader()
            reader.precision = LineProtocolReader.Precision.allCases[bytes.count % 4]
            reader.receivedAt = bytes.count % 3 == 0 ? at : nil
            reader.limits = limits
            return check(try? reader.read(bytes, name: "x"))
        })

    private static let metrics = Subject(
        name: "metrics", corpus: { FeedCorpus.metrics.map { Array($0.utf8) } },
        parse: { bytes in
            var reader = MetricsReader()
            reader.dialect = [nil, .prometheus, .openMetrics][bytes.count % 3]
            reader.receivedAt = at
            reader.limits = limits
            return check(try? reader.read(bytes, name: "x"))
        })

    private static let jsonFeed = Subject(
        name: "json-feed", corpus: { FeedCorpus.documents.map { Array($0.utf8) } },
        parse: { bytes in
            let paths = FeedCorpus.paths[bytes.count % FeedCorpus.paths.count]
            var reader = JSONFeedReader(paths: paths)
            reader.limits = limits
            return check(try? reader.read(bytes, name: "x"))
        })

    private static let ndjsonFeed = Subject(
        name: "ndjson-feed", corpus: { FeedCorpus.jsonLines.map { Array($0.utf8) } },
        parse: { bytes in
            var reader = JSONFeedReader(paths: FeedCorpus.linePaths, isByLine: true)
            reader.limits = limits
            return check(try? reader.read(bytes, name: "x"))
        })

    private static let jsonPath = Subject(
        name: "json-path", corpus: { FeedCorpus.pathTexts.map { Array($0.utf8) } },
        parse: { bytes in
            guard let path = JSONPath(String(decoding: bytes, as: UTF8.self)) else { return false }
            return path.text(in: Array(FeedCorpus.documents[0].utf8)) != nil
        })

    private static let prometheus = Subject(
        name: "prometheus", corpus: { FeedCorpus.answers.map { Array($0.utf8) } },
        parse: { bytes in
            let answer = try? PrometheusAnswer(reading: bytes, name: "x", limits: limits)
            return check(answer?.feed)
        })

    private static let fhir = Subject(
        name: "fhir", corpus: { FeedCorpus.bundles.map { Array($0.utf8) } },
        parse: { bytes in
            var reader = FHIRReader()
            reader.limits = limits
            guard let answer = try? reader.read(bytes, name: "x") else { return false }
            for recording in answer.recordings { _ = recording.chunks() }
            return check(answer.feed)
        })

    private static let waveformPiece = Subject(
        name: "waveform-piece", corpus: { FeedCorpus.pieces },
        parse: { bytes in
            guard let piece = try? WaveformPieceReader.read(bytes) else { return false }
            precondition(piece.words.count % piece.channels.count == 0)
            return true
        })

    private static let mqttPayload = Subject(
        name: "mqtt-payload", corpus: { FeedCorpus.payloads.map { Array($0.utf8) } },
        parse: { bytes in
            let route = FeedCorpus.routes[bytes.count % FeedCorpus.routes.count]
            let payload = try? TopicPayload(
                bytes, topic: "plant/7/pump", route: route, receivedAt: at)
            guard let payload else { return false }
            precondition(payload.values.allSatisfy { $0.value?.isFinite != false }, "infinite")
            return true
        })

    /// What every feed promises: as many times as values, none of them infinite, and errors that can
    /// be told.
    private static func check(_ feed: Feed?) -> Bool {
        guard let feed else { return false }
        for series in feed.series {
            precondition(series.times.count == series.values.count, "ragged")
            precondition(!series.values.contains { $0.isInfinite }, "infinite")
        }
        for reason in feed.report.reasons {
            precondition(!reason.description.utf8.contains(10), "a reason of two lines")
            _ = reason.discreet
        }
        return true
    }
}

/// Good feeds.
enum FeedCorpus {
    static let lines = [
        "weather,place=oslo,station=7 temp=3.5,rain=1i,ok=t,note=\"a, b=1 \\\" c\" 1700000000000000000\n"
            + "weather,place=oslo temp=-4e-1,n=12u 1700000060000000000\n",
        "# comment\ncpu\\ x,host\\,a=b\\=c f\\ 1=1,g=false 1700000000\r\ncpu f=NaN 1700000001",
        "m a=1,b=2,c=3\nm a=1 12 13\nm s=\"two\nlines\" 5\n",
    ]

    static let metrics = [
        """
        # HELP http_requests_total Requests.
        # TYPE http_requests_total counter
        # UNIT t celsius
        http_requests_total{method="post",code="200"} 1027 1395066363.5 # {trace="a"} 1 2
        t 36.6
        b_bucket{le="+Inf",x="a\\"b\\\\c\\nd",} 3 1395066363000
        {"my.metric","l.x"="1"} NaN
        # EOF

        """,
        "up 1\nrpc_seconds{quantile=\"0.01\"} 3102 1395066363000\nx_total -Inf\n",
    ]

    static let documents = [
        #"{"data": [{"t": "2024-01-01T00:00:00Z", "v": 1.5, "n": "a", "u": "°C"}, {"t": 1704067260, "v": "2", "n": 7, "u": null}], "next": "/p?c=\u00e9", "s": {"b": {"v": 2}}}"#,
        #"{"hourly": {"time": ["2024-01-01T00:00", "2024-01-01T01:00"], "temp": [1, null], "wind": ["NaN", 4e3]}}"#,
        #"[[1704067200000, 1], [1704067260000, -2.5e-3], [1704067320000000000, true]]"#,
    ]

    static let pathTexts = [
        "$.data[*].t", "$['data'][0]['n']", "$.hourly.*", "$[-1][1]", "$.s.*~", "$.a.b.c[12].d[*]",
    ]

    static let paths = [
        made("$.data[*].t", ["$.data[*].v"], name: "$.data[*].n", unit: "$.data[*].u"),
        made("$.hourly.time[*]", ["$.hourly.temp[*]", "$.hourly.wind[*]"]),
        made("$[*][0]", ["$[*][1]"], name: "$[0][1]"),
        made("$.data[0].t", ["$.s.*.v"], name: "$.s.*~"),
    ]

    static let jsonLines = [
        "{\"t\": 1704067200, \"v\": 1, \"n\": \"a\"}\n{\"t\": \"2024-01-01T00:00:00.5+01:00\", \"v\": null, \"n\": \"b\"}\n\n"
            + "{\"t\": 1704067201.25, \"v\": \"-1e-3\", \"n\": 9}"
    ]
    static let linePaths = made("$.t", ["$.v"], name: "$.n")

    static let answers = [
        #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[1435781430.781,"1"],[1435781445.781,"NaN"]]},{"metric":{},"values":[],"histograms":[[1,{}]]}]},"warnings":["w"]}"#,
        #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"x"},"value":[1435781430,"+Inf"]}]}}"#,
        #"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}"#,
    ]

    static let bundles = [
        """
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": "https://h/b?p=2"}], "entry": [
         {"resource": {"resourceType": "Observation", "id": "1", "status": "final", "meta": {"lastUpdated": "2024-02-01T10:00:00.5Z"},
          "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-02-01T09:00:00+01:00", "code": {"coding": [{"code": "8867-4"}]},
          "valueQuantity": {"value": 72, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"}}},
         {"resource": {"resourceType": "Observation", "id": "2", "status": "final", "effectivePeriod": {"start": "2024-02-01"}, "code": {"text": "bp"},
          "component": [{"code": {"text": "a"}, "valueQuantity": {"value": 120.5, "unit": "mmHg"}}, {"code": {"text": "b"}, "valueInteger": 3}]}},
         {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "x"}]}}]}
        """,
        """
        {"resourceType": "Observation", "id": "o1", "status": "final", "effectiveDateTime": "2024-01-01T00:00:00Z", "code": {"text": "ECG"},
         "component": [{"code": {"text": "I"}, "valueSampledData": {"origin": {"value": 2048, "unit": "uV"}, "period": 2.7777778, "factor": 1.612,
          "dimensions": 1, "data": "2041 E -12.5 U L 7"}}, {"code": {"text": "II"}, "valueSampledData": {"origin": {"value": 0, "unit": "mV"},
          "interval": 4, "intervalUnit": "ms", "dimensions": 2, "data": "0.125 -1 0.25 2.5"}},
          {"code": {"text": "x"}, "valueSampledData": {"origin": {"value": 0}, "intervalUnit": "s", "offsets": "0 2.5 10", "data": "1 E 3"}}]}
        """,
    ]

    /// Samples as numbers, in Base64, and as bytes behind the line.
    static let pieces: [[UInt8]] = [
        Array(
            #"{"recording": "w/7", "channels": ["I", "II"], "unit": ["mV", "uV"], "gain": [200, 1], "baseline": -3, "rate": [1000, 3], "first": 120, "at": "2026-11-21T10:04:00.25Z", "samples": [[12, null, 15], [3, -4, 5]], "end": true}"#
                .utf8),
        Array(
            #"{"channels": ["I"], "recording": "a", "rate": 360, "at_us": 1795255440000000, "form": "int16", "data": "AQACAP//"}"#
                .utf8),
        Array(
            #"{"channels": ["I", "V1"], "recording": "b", "rate": 500, "first": 0, "form": "float32", "interleaved": true}"#
                .utf8) + [10] + (0..<32).map { UInt8(truncatingIfNeeded: $0 &* 37) },
    ]

    static let payloads = [
        "-12.5e-1\n",
        #"{"time": "2026-11-21T10:04:00.25+01:00", "t": 3.5, "on": true, "n": "pump", "x": null, "l": [1, {}]}"#,
        #"{"ts": 1795255440.5, "\u00e9": -4e300, "at": {"s": 1795255440123}}"#,
    ]

    static let routes: [TopicRoute] = {
        var chosen = TopicRoute(filter: "#", form: .json, key: "{topic}")
        chosen.fields = ["t": "temperature", "x": "x"]
        chosen.time = "ts"
        chosen.timeUnit = .nanoseconds
        return [
            TopicRoute(filter: "plant/#", form: .number, key: "n.{2}"),
            TopicRoute(filter: "plant/+/pump", form: .json, key: "p.{2}.{3}"), chosen,
        ]
    }()

    private static func made(
        _ time: String, _ values: [String], name: String? = nil, unit: String? = nil
    ) -> JSONFeedPaths {
        guard let time = JSONPath(time) else { preconditionFailure("no path: \(time)") }
        return JSONFeedPaths(
            time: time, values: values.compactMap { JSONPath($0) },
            name: name.flatMap { JSONPath($0) }, unit: unit.flatMap { JSONPath($0) })
    }
}
