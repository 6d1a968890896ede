import Series
import Testing

@testable import Signals

@Suite struct FHIRReaderTests {
    private func read(_ text: String) throws -> FHIRAnswer {
        try FHIRReader().read(Array(text.utf8), name: "x")
    }

    private func sampled(_ data: String, more: String = "") -> String {
        """
        {"resourceType": "Observation", "id": "o1", "status": "final",
         "subject": {"reference": "https://h/fhir/Patient/p7"},
         "effectiveDateTime": "2024-01-01T00:00:00Z",
         "code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "131328"}]}\(more),
         "valueSampledData": \(data)}
        """
    }

    @Test func `a bundle gives series by subject and code, a cursor and the next page`() throws {
        let answer = try read(
            """
            {"resourceType": "Bundle", "type": "searchset",
             "link": [{"relation": "self", "url": "https://h/a"}, {"relation": "next", "url": "https://h/b?p=2"}],
             "entry": [
              {"resource": {"resourceType": "Observation", "id": "1", "status": "final",
                "meta": {"lastUpdated": "2024-02-01T10:00:00.5Z"},
                "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2024-02-01T09:00:00+01:00",
                "code": {"coding": [{"code": "8867-4"}]},
                "valueQuantity": {"value": 72, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"}}},
              {"resource": {"resourceType": "Observation", "id": "2", "status": "final",
                "meta": {"lastUpdated": "2024-02-01T09:00:00Z"},
                "effectivePeriod": {"start": "2024-02-01T08:30:00Z"}, "code": {"text": "bp"},
                "component": [
                 {"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 120.5, "unit": "mmHg"}},
                 {"code": {"coding": [{"code": "8462-4"}]}, "dataAbsentReason": {"text": "x"}},
                 {"code": {"coding": [{"code": "n"}]}, "valueInteger": 3}]}},
              {"resource": {"resourceType": "Observation", "id": "3", "status": "entered-in-error",
                "effectiveDateTime": "2024-02-01", "code": {"text": "x"}, "valueQuantity": {"value": 1}}},
              {"resource": {"resourceType": "Patient", "id": "p1"}},
              {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "business-rule", "diagnostics": "secret"}]}}]}
            """)
        #expect(
            told(answer.feed) == [
                "Patient/p1.8867-4 [/min]: 2024-02-01T08:00:00Z=72.0",
                "8480-6 [mmHg]: 2024-02-01T08:30:00Z=120.5", "n: 2024-02-01T08:30:00Z=3.0",
            ])
        #expect(answer.next == "https://h/b?p=2")
        #expect(answer.lastUpdated?.description == "2024-02-01T10:00:00.500000Z")
        #expect(answer.observations == 3 && answer.withdrawn == 1)
        #expect(answer.feed.report.missing == 1)
        #expect(answer.notes == ["warning: business-rule"])
    }

    @Test func `sampled data are a recording, exactly`() throws {
        let answer = try read(
            sampled(
                """
                {"origin": {"value": 2048, "unit": "uV", "system": "http://unitsofmeasure.org", "code": "uV"},
                 "period": 2, "factor": 1.612, "lowerLimit": -3300, "upperLimit": 3300, "dimensions": 1,
                 "data": "2041 E 2037 U L\\n -12"}
                """))
        #expect(answer.feed.series.isEmpty)
        let recording = try #require(answer.recordings.first)
        #expect(recording.name == "Patient/p7/o1")
        #expect(recording.start?.description == "2024-01-01T00:00:00Z")
        let signal = recording.signals[0]
        #expect(signal.channel == Channel(name: "131328", unit: PhysicalUnit("uV")))
        #expect(signal.rate == SamplingRate(500))
        #expect(abs(signal.physical(0) - (2048 + 1.612 * 2041)) < 1e-9)
        #expect(abs(signal.physical(5) - (2048 - 1.612 * 12)) < 1e-9)
        #expect((1...4).map { signal.physical($0).isNaN } == [true, false, true, true])
        #expect(answer.samples == SampledDataCounts(errors: 1, outside: 2))
    }

    @Test func `decimal samples keep every digit, and dimensions are taken apart`() throws {
        let answer = try read(
            sampled(
                """
                {"origin": {"value": 0, "unit": "mV"}, "interval": 4, "intervalUnit": "ms",
                 "dimensions": 2, "data": "0.125 -1 0.25 2.5"}
                """))
        let signals = answer.recordings[0].signals
        #expect(signals.map(\.channel.name) == ["131328/1", "131328/2"])
        #expect(signals.map { $0.samples } == [[125, 250], [-1000, 2500]])
        #expect(signals[0].physical(0) == 0.125 && signals[1].physical(1) == 2.5)
        #expect(signals[0].rate == SamplingRate(250))
    }

    @Test func `components are the channels of one recording`() throws {
        let component = { (code: String) in
            """
            {"code": {"coding": [{"code": "\(code)"}]}, "valueSampledData":
             {"origin": {"value": 0, "unit": "mV"}, "period": 4, "dimensions": 1, "data": "1 2 3"}}
            """
        }
        let answer = try read(
            """
            {"resourceType": "Observation", "id": "ecg", "status": "final", "code": {"text": "ECG"},
             "effectiveDateTime": "2024-01-01T00:00:00Z", "component": [\(component("I")), \(component("II"))]}
            """)
        #expect(answer.recordings.map(\.name) == ["ecg"])
        #expect(answer.recordings[0].signals.map(\.channel.name) == ["I", "II"])
    }

    @Test func `samples with offsets are observations`() throws {
        let answer = try read(
            sampled(
                """
                {"origin": {"value": 0, "unit": "mV"}, "intervalUnit": "s", "offsets": "0 2.5 10",
                 "dimensions": 1, "data": "1 E 3"}
                """))
        #expect(answer.recordings.isEmpty)
        #expect(
            told(answer.feed) == [
                "Patient/p7.131328 [mV]: 2024-01-01T00:00:00Z=1.0 2024-01-01T00:00:02.500000Z=nan 2024-01-01T00:00:10Z=3.0"
            ])
    }

    struct Period: CustomTestStringConvertible, Sendable {
        let milliseconds: Double
        let rate: SamplingRate
        var testDescription: String { "\(milliseconds) ms" }
    }

    @Test(arguments: [
        Period(milliseconds: 2.7777778, rate: SamplingRate(360)),
        Period(milliseconds: 2, rate: SamplingRate(500)),
        Period(milliseconds: 2.5, rate: SamplingRate(400)),
        Period(milliseconds: 3, rate: SamplingRate(1000, per: 3)),
        Period(milliseconds: 3.90625, rate: SamplingRate(256)),
        Period(milliseconds: 7.8125, rate: SamplingRate(128)),
        Period(milliseconds: 1000, rate: SamplingRate(1)),
        Period(milliseconds: 60_000, rate: SamplingRate(1, per: 60)),
    ])
    func `a period is the rate that it means`(_ period: Period) {
        #expect(SampleInterval.rate(period.milliseconds, unit: 1e-3) == period.rate)
    }

    @Test(arguments: [
        (#"{"period": 4, "dimensions": 1, "data": "1"}"#, "the origin is missing"),
        (#"{"origin": {"value": 0}, "dimensions": 1, "data": "1"}"#, "the interval is missing"),
        (#"{"origin": {"value": 0}, "period": 0, "data": "1"}"#, "a time between two samples"),
        (#"{"origin": {"value": 0}, "period": 4, "dimensions": 0, "data": "1"}"#, "dimensions"),
        (#"{"origin": {"value": 0}, "period": 4, "factor": 0, "data": "1"}"#, "factor"),
        (#"{"origin": {"value": 0}, "period": 4, "data": "1 x"}"#, "the sample is \"x\""),
        (#"{"origin": {"value": 0}, "period": 4, "data": "1 99999999999"}"#, "32 bits"),
        (#"{"origin": {"value": 0}, "period": 4}"#, "the data is missing"),
        (
            #"{"origin": {"value": 0}, "interval": 4, "intervalUnit": "fortnight", "data": "1"}"#,
            "interval unit is \"fortnight\""
        ),
        (#"{"origin": {"value": 0}, "offsets": "1 2", "data": "1"}"#, "number of offsets"),
    ])
    func `sampled data that make no sense cost their observation`(data: String, words: String)
        throws
    {
        let answer = try read(sampled(data))
        #expect(answer.recordings.isEmpty && answer.feed.report.badItems == 1)
        let reason = answer.feed.report.reasons.first?.description ?? ""
        #expect(reason.hasPrefix("x, item 1: ") && reason.contains(words), "\(reason)")
    }

    @Test(arguments: [
        (
            #"{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "throttled"}]}"#,
            "error: throttled"
        ),
        (#"{"resourceType": "Patient"}"#, "Bundle or Observation"), ("[]", "resourceType"),
        ("nothing", "no JSON"), ("<Bundle/>", "XML"),
    ])
    func `what is no answer says why`(text: String, words: String) {
        let error = #expect(throws: FeedError.self) { try read(text) }
        #expect(error?.description.contains(words) == true)
    }

    @Test func `a value with a comparator is only a bound, and missing`() throws {
        let answer = try read(
            """
            {"resourceType": "Observation", "id": "1", "status": "final", "code": {"text": "crp"},
             "effectiveDateTime": "2024-01-01", "valueQuantity": {"value": 5, "comparator": "<", "unit": "mg/L"}}
            """)
        #expect(answer.feed.report.missing == 1 && answer.feed.series[0].values[0].isNaN)
    }
}
