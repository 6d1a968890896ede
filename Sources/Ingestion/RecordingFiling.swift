import Foundation
package import Postgres
import Series
package import Signals
package import Store

/// A recording on its way into the database.
package struct RecordingFiling: Sendable {
    private let header: RecordingHeader
    private let chunks: [WaveformChunk]
    /// Samples of all channels, missing ones included.
    var sampleCount: Int { chunks.reduce(0) { $0 + $1.samples.count } }
    /// What users call it.
    var key: String { header.key }
    /// When its last sample was taken; nil where nobody knows when it began.
    var until: Timestamp? {
        guard let start = header.startedAt else { return nil }
        // A header may declare more samples than there is time for.
        let ends = header.channels.compactMap { channel -> Timestamp? in
            let seconds = Double(channel.sampleCount) / channel.rate.hertz
            return seconds < 1e10 ? start + .seconds(seconds) : nil
        }
        return ends.max()
    }
    /// What is wrong with the samples themselves, in words.
    package let damage: [String]

    /// - Parameters:
    ///   - recording: As its file gave it.
    ///   - key: What users call it.
    package init(_ recording: Recording, key: String) {
        header = RecordingHeader(
            key: key, startedAt: recording.start,
            channels: recording.signals.map { signal in
                RecordingChannel(
                    channel: signal.channel, rate: signal.rate,
                    sampleCount: Int64(signal.declaredCount))
            })
        chunks = recording.chunks()
        damage = Self.damage(in: recording)
    }

    /// Stores the recording whole, with an event where it is damaged; the same content is left alone.
    ///
    /// - Parameters:
    ///   - rule: Whether other content under the same key replaces what is stored.
    ///   - db: A transaction.
    /// - Returns: What was done.
    /// - Throws: `StoreError.recordingDiffers` under `.keep`.
    package func store(
        onConflict rule: ConflictRule, in db: borrowing Session
    ) throws -> RecordingOutcome {
        let outcome = try RecordingStore.store(header, chunks: chunks, onConflict: rule, in: db)
        if case .unchanged = outcome { return outcome }
        guard !damage.isEmpty else { return outcome }
        let list = try JSONEncoder().encode(damage)
        let data = """
            {"recording_id": \(outcome.id), "findings": \(String(decoding: list, as: UTF8.self))}
            """
        try Outbox.append(type: "recording.damaged", subject: header.key, data: data, in: db)
        return outcome
    }

    private static func damage(in recording: Recording) -> [String] {
        recording.findings.compactMap { finding in
            switch finding {
            case .truncated(let channel, let declared, let found):
                "channel \(channel + 1) has \(found) of \(declared) samples"
            case .checksum(let channel, _, _):
                "channel \(channel + 1) does not match its checksum"
            case .gap(let after, let seconds): "\(seconds) s are missing after \(after) s"
            case .segmentUnread(let name): "the segment \(name.prefix(40)) cannot be read"
            case .unreadableStart: "the start is no time"
            case .uncalibrated, .rescaled, .annotationsLeftAside: nil
            }
        }
    }
}
