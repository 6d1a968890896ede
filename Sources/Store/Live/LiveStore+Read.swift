import Postgres
import Series

extension LiveStore {
    /// What has come in of a recording behind its last whole chunk.
    ///
    /// - Parameters:
    ///   - recording: The recording's number.
    ///   - channel: Position of the channel, from 0; nil for all.
    ///   - range: Sample positions.
    ///   - db: The transaction.
    /// - Returns: Whole rows, as chunks of any length.
    /// - Throws: `PostgresError`.
    static func tail(
        of recording: Int64, channel: Int?, samples range: Range<Int64>, in db: borrowing Session
    ) throws -> [WaveformChunk] {
        let rows = try db.run(
            """
            SELECT t.first_sample, t.sample_count, l.gains, l.baselines, \(SampleArray.selected)
            FROM systole.waveform_tail AS t
            JOIN systole.live_recording AS l ON l.recording_id = t.recording_id
            WHERE t.recording_id = \(recording)
                AND t.first_sample < \(range.upperBound)
                AND t.first_sample + t.sample_count > \(range.lowerBound)
            ORDER BY t.first_sample
            """, format: .binary)
        return try rows.flatMap { row in
            let (gains, baselines) = (try row.doubles("gains"), try row.doubles("baselines"))
            let (first, count) = (try row.int64("first_sample"), try row.int("sample_count"))
            let words = try SampleArray.words(row)
            let areReals = try row.isNull("raw")
            return gains.indices.filter { channel == nil || channel == $0 }.map { position in
                WaveformChunk(
                    channel: position, firstSample: first, gain: gains[position],
                    baseline: baselines[position],
                    words: Array(words[position * count..<(position + 1) * count]),
                    areReals: areReals)
            }
        }
    }
}

extension WaveformChunk {
    /// Stored words as samples. Reals become the integers nearest to them that 31 bits hold, with the
    /// gain that makes the largest use all of these: closer to them than their own 24 bits are.
    init(
        channel: Int, firstSample: Int64, gain: Double, baseline: Double, words: [Int32],
        areReals: Bool
    ) {
        guard areReals else {
            self.init(
                channel: channel, firstSample: firstSample, gain: gain, baseline: baseline,
                samples: words.map { $0 == WaveformPiece.missing ? nil : $0 })
            return
        }
        let values = words.map { word in
            word == WaveformPiece.missing
                ? nil : Double(Float(bitPattern: UInt32(bitPattern: word)))
        }
        let largest = values.lazy.compactMap { $0.map(abs) }.max() ?? 0
        let scale = largest > 0 ? Double(Int32.max - 1) / largest : 1
        self.init(
            channel: channel, firstSample: firstSample, gain: scale, baseline: 0,
            samples: values.map { $0.map { Int32(($0 * scale).rounded()) } })
    }
}
