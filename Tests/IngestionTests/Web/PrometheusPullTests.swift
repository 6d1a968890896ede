import Foundation
import Postgres
import Series
import Signals
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

/// A server that answers `query_range` as Prometheus does: on the grid it is asked for, with the cap on
/// points, values as texts, and nothing before its data begin or after they end.
final class FakePrometheus: Sendable {
    struct State {
        /// Seconds since 1970.
        var begin = 1_759_900_000
        var end = 1_760_000_000
        var pointsMaximum = 11_000
        /// Added to every value after this instant: what the server interpolated differently before.
        var shift: (after: Int, by: Int) = (.max, 0)
        var asked: [(start: Int, end: Int)] = []
    }

    let state = Mutex(State())

    func answer(_ request: WebReceiver.Received) -> Conduct {
        guard request.requestLine.hasPrefix("POST /prom/api/v1/query_range"),
            let query = request.parameter("query"), query.hasPrefix("up"),
            let start = request.parameter("start").flatMap({ Int($0) }),
            let end = request.parameter("end").flatMap({ Int($0) }),
            let step = request.parameter("step").flatMap({ Int($0) })
        else { return Self.failure(400, "bad_data", "invalid parameter") }
        return state.withLock { state in
            guard (end - start) / step + 1 <= state.pointsMaximum else {
                return Self.failure(
                    400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries.")
            }
            state.asked.append((start, end))
            var points: [String] = []
            for time in stride(from: start, through: end, by: step)
            where time >= state.begin && time <= state.end {
                let value = time / step % 1000 + (time > state.shift.after ? state.shift.by : 0)
                points.append("[\(time),\"\(time / step % 50 == 0 ? "NaN" : "\(value)")\"]")
            }
            let result =
                points.isEmpty
                ? ""
                : "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},\"values\":[\(points.joined(separator: ","))]}"
            return .text(
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\(result)]}}",
                "Content-Type: application/json")
        }
    }

    static func failure(_ status: Int, _ type: String, _ words: String) -> Conduct {
        .answer(
            status: status,
            body: Array(
                "{\"status\":\"error\",\"errorType\":\"\(type)\",\"error\":\"\(words)\"}".utf8))
    }
}

@Suite struct PrometheusPullTests {
    private func settings(_ source: WebSource) -> PrometheusSettings {
        var settings = PrometheusSettings(
            access: source.access("/prom/"), queries: [.init(expression: "up")], stepSeconds: 15)
        settings.startAt = Timestamp(microseconds: 1_759_890_001_000_000)
        return settings
    }

    private func pull(
        _ source: WebSource, _ settings: PrometheusSettings, now: Timestamp = WebSource.now
    ) async throws -> IngestReport {
        try await source.pull(
            PrometheusConnector(client: source.client), PrometheusConnector.kind, settings.json(),
            now: now)
    }

    @Test func `the past is read in stretches on one grid, and NaN is missing`() async throws {
        let server = FakePrometheus()
        try await withWebSource({ server.answer($0) }) { source in
            var settings = settings(source)
            settings.pointsMaximum = 2000
            let report = try await pull(source, settings)
            // 109,999 s of 15 s are 7334 points, the first 666 before the server has any.
            #expect(report.files == 4 && report.rejected == 0)
            #expect(report.stored + report.missing == 6667)
            #expect(report.missing == 133)
            let asked = server.state.withLock { $0.asked }
            #expect(asked.allSatisfy { $0.start % 15 == 0 && $0.end % 15 == 0 })
            #expect(zip(asked, asked.dropFirst()).allSatisfy { $0.end + 15 == $1.start })
            let keys = try await source.pool.run("SELECT key, step_us FROM systole.series")
            #expect(try keys.map { try $0.text("key") } == ["plant.up{job=\"a\"}"])
            #expect(try keys.first?.int64("step_us") == 15_000_000)
        }
    }

    @Test func `a later pull reads an overlap again, whose values are revisions`() async throws {
        for isRevisable in [true, false] {
            let server = FakePrometheus()
            try await withWebSource({ server.answer($0) }) { source in
                var source = source
                source.isRevisable = isRevisable
                let settings = settings(source)
                _ = try await pull(source, settings)
                server.state.withLock {
                    $0.end += 600
                    $0.shift = (1_759_999_900, 1)
                    $0.asked = []
                }
                let later = WebSource.now + .seconds(600)
                let report = try await pull(source, settings, now: later)
                let asked = server.state.withLock { $0.asked }
                // The newest point lay at 1,759,999,995, and ten minutes before it were read again.
                #expect(asked.map(\.start) == [1_759_999_395])
                #expect(report.stored + report.missing - (asked.isEmpty ? 0 : 1) <= 41)
                #expect((isRevisable ? report.revised : report.conflicts) == 7)
                #expect((isRevisable ? report.conflicts : report.revised) == 0)
            }
        }
    }

    @Test func `data that come late are waited for, holes are not`() async throws {
        let server = FakePrometheus()
        server.state.withLock { $0.end = 1_759_999_800 }
        try await withWebSource({ server.answer($0) }) { source in
            let settings = settings(source)
            _ = try await pull(source, settings)
            let position = try await source.pool.run("SELECT position FROM systole.source_cursor")
            let until = RangePosition.decode(try position.first?.text("position")).until
            #expect(until == Timestamp(microseconds: 1_759_999_800_000_000))
            // An hour without data: the cursor follows at the distance of the overlap.
            let report = try await pull(source, settings, now: WebSource.now + .seconds(3600))
            #expect(report.stored == 0)
            let later = try await source.pool.run("SELECT position FROM systole.source_cursor")
            #expect(
                RangePosition.decode(try later.first?.text("position")).until
                    == Timestamp(microseconds: 1_760_003_000_000_000 - 5_000_000))
        }
    }

    @Test func `a server that takes fewer points is asked for fewer`() async throws {
        let server = FakePrometheus()
        server.state.withLock { $0.pointsMaximum = 3000 }
        try await withWebSource({ server.answer($0) }) { source in
            let report = try await pull(source, settings(source))
            #expect(report.rejected == 0 && report.stored + report.missing == 6667)
            #expect(report.files == 3)
        }
    }

    @Test func `a query that fails costs itself`() async throws {
        let server = FakePrometheus()
        try await withWebSource({ server.answer($0) }) { source in
            var settings = settings(source)
            settings.queries = [
                .init(name: "bad", expression: "sum("), .init(name: "n", expression: "up{}"),
            ]
            let report = try await pull(source, settings)
            #expect(report.rejected == 1 && report.stored > 6000)
            #expect(
                report.rejections.first?.reason.contains("bad_data: invalid parameter") == true)
            let keys = try await source.pool.run("SELECT key FROM systole.series")
            #expect(try keys.map { try $0.text("key") } == ["plant.n{job=\"a\"}"])
        }
    }

    @Test func `a second pull at the same time changes nothing`() async throws {
        let server = FakePrometheus()
        try await withWebSource({ server.answer($0) }) { source in
            let settings = settings(source)
            _ = try await pull(source, settings)
            let before = try await source.everything()
            let report = try await pull(source, settings)
            #expect(report.stored == 0 && report.duplicates > 0)
            #expect(try await source.everything() == before)
        }
    }

    @Test func `a limit of bytes ends the pull, and the next one goes on`() async throws {
        let server = FakePrometheus()
        try await withWebSource({ server.answer($0) }) { source in
            var settings = settings(source)
            settings.pointsMaximum = 1000
            settings.answersMaximum = 3
            settings.overlapSeconds = 0
            var files: [Int] = []
            var stored = 0
            for _ in 0..<4 {
                let report = try await pull(source, settings)
                files.append(report.files)
                stored += report.stored + report.missing
            }
            #expect(files[0] == 3 && files[1] == 3)
            #expect(try await source.observations().count == 6667 - 133)
            #expect(stored >= 6667)
        }
    }

    @Test func `settings survive their JSON`() throws {
        var settings = PrometheusSettings(
            access: WebAccess(url: "https://prom.example.org"),
            queries: [.init(name: "load", expression: "avg(load1)")], stepSeconds: 60)
        settings.pointsMaximum = 500
        let read = try PrometheusSettings(json: settings.json(), of: "x")
        #expect(read == settings && read.flaw == nil)
        settings.pointsMaximum = 11_001
        #expect(settings.flaw != nil)
    }

    @Test func `queries that would become the same series are refused`() async throws {
        let server = FakePrometheus()
        try await withWebSource({ server.answer($0) }) { source in
            var settings = settings(source)
            settings.queries = [.init(expression: "up"), .init(expression: "up + 0")]
            let report = try await pull(source, settings)
            #expect(report.rejected == 1 && report.revised == 0 && report.conflicts == 0)
            #expect(report.trouble?.contains("plant.up{job=\"a\"}") == true, "\(report)")
        }
    }
}
