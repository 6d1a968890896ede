import Postgres
import Series
import Store

/// A recording of twelve leads stored in one transaction: digest, checksums, extremes, binary
/// COPY of ten-second chunks, commit.
///
/// Limit: the server, as in `ObservationsCopy`; the opponents load the finished chunks only.
enum WaveformCopy {
    static let leads = 12
    static let rate = 500
    static let seconds = 600

    static let benchmark = Benchmark("waveform.copy") { setting in
        let database = try await setting.databases.make()
        let (header, chunks) = recording()
        let store = {
            try await database.pool.transaction { db in
                let outcome = try RecordingStore.store(header, chunks: chunks, in: db)
                guard case .stored = outcome else {
                    throw BenchmarkError("waveform.copy: the recording was there already")
                }
            }
        }
        try await store()
        let files = ["csv", "binary"].map { "\(setting.folder.path)/chunks.\($0)" }
        for (file, format) in zip(files, ["csv", "binary"]) {
            let command = "\\copy systole.waveform_chunk to '\(file)' with (format \(format))"
            _ = try database.psql(command)
        }
        let empty = {
            _ = try await database.pool.run(
                """
                TRUNCATE systole.recording, systole.waveform_chunk CASCADE
                """)
        }
        return Contest(
            what: "\(leads) leads × \(rate * seconds) samples in chunks of 10 s, one transaction",
            work: Work(leads * rate * seconds, "samples"),
            ours: Contestant("RecordingStore.store", before: empty, store),
            opponents: [
                database.loading(
                    "\\copy of the same chunks as CSV", target: "systole.waveform_chunk",
                    file: files[0], format: "csv", before: empty),
                database.loading(
                    "\\copy of prepared binary chunks, the plain limit",
                    target: "systole.waveform_chunk", file: files[1], format: "binary",
                    before: empty),
            ],
            finish: { try await database.drop() })
    }

    private static func recording() -> (RecordingHeader, [WaveformChunk]) {
        let count = rate * seconds
        let samples = SyntheticSamples.channels(leads, count: count)
        let header = RecordingHeader(
            key: "bench", startedAt: nil,
            channels: (0..<leads).map { lead in
                RecordingChannel(
                    channel: Channel(name: "L\(lead)", unit: PhysicalUnit("mV")),
                    rate: SamplingRate(Int64(rate)), sampleCount: Int64(count))
            })
        let chunks = samples.enumerated().flatMap { lead, samples in
            stride(from: 0, to: count, by: 10 * rate).map { first in
                WaveformChunk(
                    channel: lead, firstSample: Int64(first), gain: 200, baseline: 0,
                    samples: samples[first..<first + 10 * rate].map { Int32($0) })
            }
        }
        return (header, chunks)
    }
}
