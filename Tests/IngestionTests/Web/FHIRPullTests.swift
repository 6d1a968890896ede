import Foundation
import Postgres
import Series
import Signals
import Store
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

/// A search that is answered in pages, in no order.
func bundle(page: Int, pages: Int, host: String) -> String {
    let observations = (0..<4).map { row in
        let number = page * 4 + row
        return """
            {"resource": {"resourceType": "Observation", "id": "o\(number)", "status": "final",
             "meta": {"lastUpdated": "2025-01-01T00:\(10 + (number * 7) % 40):00Z"},
             "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2025-01-01T00:00:\(10 + number)Z",
             "code": {"coding": [{"code": "8867-4"}]}, "valueQuantity": {"value": \(number), "code": "/min", "system": "http://unitsofmeasure.org"}}}
            """
    }
    let waveform = """
        {"resource": {"resourceType": "Observation", "id": "w\(page)", "status": "final",
         "subject": {"reference": "Patient/p1"}, "effectiveDateTime": "2025-01-01T00:00:00Z", "code": {"text": "ECG"},
         "component": [{"code": {"text": "II"}, "valueSampledData": {"origin": {"value": 0, "unit": "mV"}, "period": 4, "factor": 0.005,
          "dimensions": 1, "data": "\((0..<500).map { "\($0 % 97 - page)" }.joined(separator: " "))"}}]}}
        """
    let link =
        page + 1 < pages
        ? "{\"relation\": \"next\", \"url\": \"\(host)/Observation?page=\(page + 1)\"}" : ""
    return """
        {"resourceType": "Bundle", "type": "searchset", "link": [\(link)],
         "entry": [\((observations + [waveform]).joined(separator: ","))]}
        """
}

@Suite struct FHIRPullTests {
    private func withServer(
        pages: Int = 3, _ body: (WebSource, FHIRSettings) async throws -> Void
    ) async throws {
        let port = Mutex(0)
        try await withWebSource({ request in
            let page = request.parameter("page").flatMap { Int($0) } ?? 0
            let host = "http://127.0.0.1:\(port.withLock { $0 })"
            return .text(
                bundle(page: page, pages: pages, host: host),
                "Content-Type: application/fhir+json; charset=UTF-8")
        }) { source in
            port.withLock { $0 = source.receiver.port }
            try await body(source, FHIRSettings(access: source.access("/Observation?patient=p1")))
        }
    }

    private func pull(_ source: WebSource, _ settings: FHIRSettings) async throws -> IngestReport {
        try await source.pull(
            FHIRConnector(client: source.client), FHIRConnector.kind, settings.json())
    }

    @Test func `quantities become series and sampled data recordings, over all pages`() async throws
    {
        try await withServer { source, settings in
            let report = try await pull(source, settings)
            #expect(report.files == 3 && report.stored == 12 && report.recordings == 3)
            #expect(report.rejected == 0 && report.trouble == nil, "\(report)")
            #expect(
                try await source.observations().first
                    == "plant.Patient/p1.8867-4 2025-01-01 00:00:10 0")
            let recordings = try await source.pool.run(
                "SELECT recording FROM systole.recordings ORDER BY 1")
            #expect(
                try recordings.map { try $0.text("recording") } == [
                    "plant/Patient/p1/w0", "plant/Patient/p1/w1", "plant/Patient/p1/w2",
                ])
            let wave = try await source.pool.run(
                """
                SELECT millivolts FROM systole.waveform('plant/Patient/p1/w1', lead => 'II',
                    from_second => 0, to_second => 1) ORDER BY at LIMIT 3
                """)
            #expect(try wave.map { try $0.double("millivolts") } == [-0.005, 0, 0.005])
            #expect(
                source.receiver.received[0].target
                    == "/Observation?patient=p1&_sort=_lastUpdated")
        }
    }

    @Test func `a later search begins at the newest change, less the overlap`() async throws {
        try await withServer { source, settings in
            _ = try await pull(source, settings)
            let before = try await source.everything()
            let report = try await pull(source, settings)
            #expect(report.stored == 0 && report.recordings == 0 && report.duplicates == 15)
            #expect(try await source.everything() == before)
            let target = source.receiver.received[3].target.removingPercentEncoding
            #expect(
                target
                    == "/Observation?patient=p1&_sort=_lastUpdated&_lastUpdated=ge2025-01-01T00:42:00Z"
            )
        }
    }

    @Test func `a search that is stopped goes on at its page`() async throws {
        try await withServer { source, settings in
            var settings = settings
            settings.pagesMaximum = 1
            for page in 0..<3 {
                let report = try await pull(source, settings)
                #expect(report.files == 1 && report.stored == 4 && report.recordings == 1)
                #expect(report.filesWaiting == (page < 2 ? 1 : 0))
            }
            #expect(
                try await source.position().dataUntil?.description == "2025-01-01T00:47:00Z")
        }
    }

    @Test func `a recording of other content is told, the rest of the page is stored`() async throws
    {
        try await withServer(pages: 1) { source, settings in
            _ = try await pull(source, settings)
            try await source.pool.run("DELETE FROM systole.source_cursor")
            // As if it had begun at another time.
            try await source.pool.run(
                """
                UPDATE systole.recording
                SET content = sha256('x'), started_at = started_at + interval '1 second'
                """)
            try await source.pool.run("DELETE FROM systole.observation")
            let report = try await pull(source, settings)
            #expect(report.stored == 4 && report.recordings == 0 && report.rejected == 1)
            #expect(report.rejections.first?.file == "plant/Patient/p1/w0")
        }
    }

    @Test func `a server that refuses says why, without its details`() async throws {
        try await withWebSource({ _ in
            .text(
                #"{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login", "diagnostics": "patient Doe"}]}"#
            )
        }) { source in
            let report = try await pull(source, FHIRSettings(access: source.access()))
            #expect(report.trouble?.contains("error: login") == true)
            #expect(!"\(report)".contains("Doe"))
        }
    }

    @Test func `settings survive their JSON`() throws {
        var settings = FHIRSettings(access: WebAccess(url: "https://h/Observation"))
        settings.renames = ["Patient/p1.8867-4": "pulse"]
        let read = try FHIRSettings(json: settings.json(), of: "x")
        #expect(read == settings && read.flaw == nil)
    }
}
