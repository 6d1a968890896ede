import Foundation
import Postgres
import Series
import TestSupport
import Testing

@testable import Store

/// A lead in fewer points than it has samples.
@Suite struct WaveformZoomTests {
    /// 100 chunks of 50 samples at 50 Hz, the last of 17; a spike, and a stretch without samples.
    private static let samples: [Int32?] = (0..<4_967).map { index in
        switch index {
        case 1_234: 900
        case 2_000..<2_300: nil
        default: Int32((sin(Double(index) / 40) * 200).rounded()) + Int32(index % 7)
        }
    }

    private static func with(_ body: (TestDatabase) async throws -> Void) async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in
                let header = RecordingHeader(
                    key: "bed", startedAt: Fixture.start,
                    channels: [
                        RecordingChannel(
                            channel: Channel(name: "II", unit: PhysicalUnit("mV")),
                            rate: SamplingRate(50), sampleCount: Int64(samples.count))
                    ])
                let chunks = stride(from: 0, to: samples.count, by: 50).map { first in
                    WaveformChunk(
                        channel: 0, firstSample: Int64(first), gain: 100, baseline: 3,
                        samples: Array(samples[first..<min(first + 50, samples.count)]))
                }
                _ = try RecordingStore.store(header, chunks: chunks, in: db)
            }
            try await body(database)
        }
    }

    private static func value(_ sample: Int32) -> Double { (Double(sample) - 3) / 100 }

    @Test(arguments: [(0.0, 99.34, 40), (0.0, 99.34, 7), (10.0, 70.0, 1000), (24.0, 25.0, 3)])
    func `an envelope has the lowest, the mean and the highest of every stretch`(
        from: Double, to: Double, points: Int
    ) async throws {
        try await Self.with { database in
            let rows = try await database.pool.run(
                """
                SELECT second, low, mean, high, samples FROM systole.waveform_envelope(
                    'bed', 'II', \(from), \(to), \(points))
                """)
            #expect(rows.count > 0 && rows.count <= points)
            let first = Int((from * 50).rounded(.up))
            let past = min(Self.samples.count, Int((to * 50).rounded(.up)))
            let width = max(1, (past - first + points - 1) / points)
            let isByChunk = width >= 200
            for row in rows {
                let start = Int((try row.double("second") * 50).rounded())
                #expect((start - first) % width == 0)
                // Told from chunks, a stretch has the chunks that begin in it.
                let low = isByChunk ? (start + 49) / 50 * 50 : start
                let high = isByChunk ? (start + width + 49) / 50 * 50 : start + width
                let present = Self.samples[low..<min(high, past)].compactMap(\.self).map(Self.value)
                let (least, most) = (try #require(present.min()), try #require(present.max()))
                let lowFound = try row.double("low")
                let highFound = try row.double("high")
                #expect(abs(lowFound - least) < 1e-5 && abs(highFound - most) < 1e-5)
                let mean = present.reduce(0, +) / Double(present.count)
                let meanFound = try row.double("mean")
                let count = try row.int("samples")
                // Means of chunks are of single precision.
                #expect(abs(meanFound - mean) < (isByChunk ? 1e-6 : 1e-9))
                #expect(count == present.count)
            }
        }
    }

    @Test func `a waveform in few points keeps its spike and says true values`() async throws {
        try await Self.with { database in
            let rows = try await database.pool.run(
                "SELECT second, value FROM systole.waveform('bed', 'II', points => 100)")
            #expect(rows.count <= 100 && rows.count >= 80)
            var last = -1.0
            for row in rows {
                let second = try row.double("second")
                let value = try row.double("value")
                let index = Int((second * 50).rounded())
                let sample = try #require(Self.samples[index])
                #expect(second > last && abs(value - Self.value(sample)) < 1e-9)
                last = second
            }
            let peak = try rows.map { try $0.double("value") }.max()
            #expect(peak == Self.value(900))
        }
    }

    @Test func `without points every sample has its row, and none is made up`() async throws {
        try await Self.with { database in
            let rows = try await database.pool.run(
                "SELECT count(*) AS n, count(value) AS present FROM systole.waveform('bed', 'II')"
            ).only()
            let (all, present) = (try rows.int("n"), try rows.int("present"))
            #expect(all == 4_967 && present == 4_667)
        }
    }

    @Test(arguments: ["0", "-4", "100001", "NULL"])
    func `a number of points that makes no sense is refused`(points: String) async throws {
        try await Self.with { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.run(
                    SQL(raw: "SELECT systole.waveform_envelope('bed', 'II', points => \(points))"))
            }
            #expect(error?.sqlState == "SY038")
        }
    }

    @Test(arguments: [-3, 0, 1, 1_000_001])
    func `a waveform in points that make no sense is refused`(points: Int) async throws {
        try await Self.with { database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.pool.run(
                    SQL(raw: "SELECT systole.waveform('bed', 'II', points => \(points))"))
            }
            #expect(error?.sqlState == "SY038")
        }
    }
}
