import Postgres
import Series
import Synchronization
import TestSupport
import Testing

@testable import Ingestion

/// Recordings whose pieces are pulled, a line each.
@Suite struct LivePullTests {
    private static func line(_ first: Int, _ samples: [Int], more: String = "") -> String {
        """
        {"recording": "bed7", "channels": ["II"], "unit": "mV", "gain": 100, "rate": 100, \
        "first": \(first), "at": "2025-10-09T08:53:20Z", "samples": [\(samples)]\(more)}

        """
    }

    private func samples(_ source: WebSource) async throws -> [Double] {
        try await source.pool.run(
            "SELECT value FROM systole.waveform('bed7', 'II') ORDER BY at"
        ).allDoubles("value")
    }

    @Test func `a log of pieces that grows becomes a recording that goes on`() async throws {
        let whole = Self.line(0, [1, 2]) + Self.line(2, [3]) + Self.line(3, [4, 5])
        let body = Mutex(String(whole.dropLast(9)))
        try await withWebSource({ _ in .text(body.withLock { $0 }) }) { source in
            let settings = HTTPSettings(access: source.access(), format: .pieces)
            let first = try await source.pull(settings)
            #expect(first.recordings == 1 && first.rows == 2 && first.badRows == 0, "\(first)")
            #expect(first.filesWaiting == 1, "the last line is not whole")
            #expect(try await samples(source) == [0.01, 0.02, 0.03])

            // Everything before is told again; a line that is none takes nothing with it.
            body.withLock { $0 = whole + "{\"recording\": 7}\n" + Self.line(5, [6]) }
            let second = try await source.pull(settings)
            #expect(second.rows == 5 && second.badRows == 1, "\(second)")
            #expect(
                second.rejections.contains { $0.reason.contains("line 4") },
                "\(second.rejections)")
            #expect(try await samples(source) == [0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
            let rejected = try await source.pool.run(
                "SELECT reason, count FROM systole.source_rejections"
            ).only()
            #expect(try rejected.text("reason") == "row" && rejected.int("count") == 1)

            // What is silent is closed, also where the answer has not changed.
            let states: SQL = "SELECT state FROM systole.live_recordings"
            #expect(try await source.pool.run(states).only().text("state") == "open")
            try await source.pull(settings, now: WebSource.now + .seconds(61))
            #expect(try await source.pool.run(states).only().text("state") == "silent")
        }
    }

    @Test func `the last piece ends the recording, and the preview names it`() async throws {
        let body = Self.line(0, [1]) + Self.line(1, [2], more: ", \"end\": true")
        try await withWebSource({ _ in .text(body) }) { source in
            let settings = HTTPSettings(access: source.access(), format: .pieces)
            let previews = try await HTTPConnector(client: source.client).preview(
                name: "plant", settings: settings, now: WebSource.now)
            let preview = try #require(previews.first)
            #expect(preview.recordings == ["bed7"] && preview.items == 2)
            #expect(try await source.pull(settings).trouble == nil)
            let row = try await source.pool.run(
                "SELECT state, seconds FROM systole.live_recordings"
            ).only()
            #expect(try row.text("state") == "ended" && row.double("seconds") == 0.02)
            let before = try await source.everything()
            #expect(try await source.pull(settings).filesUnchanged == 1)
            #expect(try await source.everything() == before)
        }
    }
}
