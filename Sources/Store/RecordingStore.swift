import Crypto
package import Postgres
package import Series

/// One channel of a stored recording.
package struct RecordingChannel: Hashable, Sendable {
    package let channel: Channel
    package let rate: SamplingRate
    /// Samples from the start of the recording to the end of this channel, missing ones included.
    package let sampleCount: Int64

    package init(channel: Channel, rate: SamplingRate, sampleCount: Int64) {
        precondition(sampleCount >= 0, "RecordingChannel: \(sampleCount) samples")
        self.channel = channel
        self.rate = rate
        self.sampleCount = sampleCount
    }
}

/// A recording as the database keeps it, without its samples.
package struct RecordingHeader: Hashable, Sendable {
    /// What users call it; unique.
    package let key: String
    /// Nil where the file does not say.
    package let startedAt: Timestamp?
    /// By position.
    package let channels: [RecordingChannel]

    package init(key: String, startedAt: Timestamp?, channels: [RecordingChannel]) {
        self.key = key
        self.startedAt = startedAt
        self.channels = channels
    }
}

/// What storing a recording did.
package enum RecordingOutcome: Equatable, Sendable {
    case stored(id: Int64)
    /// The same content is there already.
    case unchanged(id: Int64)
    case replaced(id: Int64)

    /// The number of the recording.
    package var id: Int64 {
        switch self {
        case .stored(let id), .unchanged(let id), .replaced(let id): id
        }
    }
}

/// Recordings and their waveforms.
package enum RecordingStore {
    /// Stores a whole recording; one that is there already with the same content is left alone.
    ///
    /// - Parameters:
    ///   - header: Its name, its start and its channels.
    ///   - chunks: All its samples; the chunks of a channel do not overlap.
    ///   - rule: Whether other content under the same key replaces what is stored.
    ///   - db: A transaction.
    /// - Returns: What was done.
    /// - Throws: `StoreError.recordingDiffers` under `.keep`, unless the new one only has more samples.
    package static func store(
        _ header: RecordingHeader, chunks: [WaveformChunk], onConflict rule: ConflictRule = .keep,
        in db: borrowing Session
    ) throws -> RecordingOutcome {
        precondition(db.isInTransaction(), "RecordingStore.store outside a transaction")
        let fields = chunks.map { ChunkField($0) }
        let content = contentDigest(of: header, fields)
        let inserted = try db.run(
            """
            INSERT INTO systole.recording (key, started_at, content)
            VALUES (\(header.key), \(header.startedAt), \(content))
            ON CONFLICT ON CONSTRAINT recording_key_once DO NOTHING
            RETURNING recording_id
            """)
        if let row = inserted.first {
            let id = try row.int64("recording_id")
            try write(header, fields, to: id, in: db)
            return .stored(id: id)
        }
        let row = try db.run(
            """
            SELECT recording_id, content FROM systole.recording
            WHERE key = \(header.key) FOR NO KEY UPDATE
            """
        ).only()
        let id = try row.int64("recording_id")
        if try row.bytes("content") == content { return .unchanged(id: id) }
        guard try rule == .revise || completes(id, header, chunks, in: db) else {
            throw StoreError.recordingDiffers(key: header.key)
        }
        try db.run("DELETE FROM systole.waveform_chunk WHERE recording_id = \(id)")
        try db.run("DELETE FROM systole.recording_channel WHERE recording_id = \(id)")
        try db.run(
            """
            UPDATE systole.recording SET started_at = \(header.startedAt), content = \(content)
            WHERE recording_id = \(id)
            """)
        try write(header, fields, to: id, in: db)
        return .replaced(id: id)
    }

    /// Whether a recording is a stored one that goes on, or has more of its samples: its channels and its
    /// start are the same, and so is every sample that is stored.
    private static func completes(
        _ id: Int64, _ header: RecordingHeader, _ chunks: [WaveformChunk],
        in db: borrowing Session
    ) throws -> Bool {
        guard let stored = try self.header(of: id, in: db), stored.startedAt == header.startedAt,
            stored.channels.count == header.channels.count,
            zip(stored.channels, header.channels).allSatisfy({ old, new in
                old.channel == new.channel && old.rate == new.rate
                    && old.sampleCount <= new.sampleCount
            })
        else { return false }
        for channel in header.channels.indices {
            let found = chunks.filter { $0.channel == channel }
            let places = Dictionary(
                found.map { ($0.firstSample, $0) }, uniquingKeysWith: { first, _ in first })
            for old in try self.chunks(of: id, channel: channel, in: db) {
                guard let new = places[old.firstSample], new.gain == old.gain,
                    new.baseline == old.baseline, new.samples.count >= old.samples.count,
                    zip(old.samples, new.samples).allSatisfy({ $0 == nil || $0 == $1 })
                else { return false }
            }
        }
        return true
    }

    /// The recording `key` with its number; throws `StoreError.unknownRecording`.
    package static func find(
        key: String, in db: borrowing Session
    ) throws -> (id: Int64, header: RecordingHeader) {
        let rows = try db.run(
            "SELECT recording_id, key, started_at FROM systole.recording WHERE key = \(key)")
        guard let row = rows.first else { throw StoreError.unknownRecording(key: key) }
        return (try row.int64("recording_id"), try header(row, in: db))
    }

    /// The recording with the number `id`; nil where there is none.
    package static func header(
        of id: Int64, in db: borrowing Session
    ) throws -> RecordingHeader? {
        let rows = try db.run(
            "SELECT recording_id, key, started_at FROM systole.recording WHERE recording_id = \(id)"
        )
        guard let row = rows.first else { return nil }
        return try header(row, in: db)
    }

    private static func header(_ row: Row, in db: borrowing Session) throws -> RecordingHeader {
        let id = try row.int64("recording_id")
        let channels = try db.run(
            """
            SELECT name, unit, rate_numerator, rate_denominator, sample_count
            FROM systole.recording_channel WHERE recording_id = \(id) ORDER BY channel
            """
        ).map { row in
            RecordingChannel(
                channel: Channel(
                    name: try row.text("name"), unit: PhysicalUnit(try row.text("unit"))),
                rate: SamplingRate(
                    try row.int64("rate_numerator"), per: try row.int64("rate_denominator")),
                sampleCount: try row.int64("sample_count"))
        }
        return RecordingHeader(
            key: try row.text("key"), startedAt: try row.optionalTimestamp("started_at"),
            channels: channels)
    }

    /// The keys of all recordings that begin with `prefix`, in order.
    package static func keys(
        startingWith prefix: String = "", in db: borrowing Session
    ) throws -> [String] {
        try db.run(
            """
            SELECT key FROM systole.recording WHERE starts_with(key, \(prefix)::text) ORDER BY key
            """
        ).allTexts("key")
    }

    /// The chunks that hold samples of a range.
    ///
    /// - Parameters:
    ///   - recording: The recording's number.
    ///   - channel: Position of the channel, from 0; nil for all.
    ///   - range: Sample positions; nil for all.
    ///   - db: The transaction.
    /// - Returns: Whole chunks, by channel and in order; their checksums have been compared.
    /// - Throws: `StoreError.chunkDamaged`.
    package static func chunks(
        of recording: Int64, channel: Int? = nil, samples range: Range<Int64>? = nil,
        in db: borrowing Session
    ) throws -> [WaveformChunk] {
        let range = range ?? 0..<Int64.max
        // NULL becomes a number that no raw sample has, since arrays come without NULLs.
        let rows = try db.run(
            """
            SELECT channel, first_sample, gain, baseline, crc32c, \(SampleArray.selected)
            FROM systole.waveform_chunk
            WHERE recording_id = \(recording)
                AND channel = coalesce(\(channel)::integer, channel)
                AND first_sample < \(range.upperBound)
                AND first_sample + sample_count > \(range.lowerBound)
            ORDER BY channel, first_sample
            """, format: .binary)
        let stored = try rows.map { row in
            let (channel, first) = (try row.int("channel"), try row.int64("first_sample"))
            let words = try SampleArray.words(row)
            guard try row.int64("crc32c") == Int64(LiveStore.checksum(of: words)) else {
                throw StoreError.chunkDamaged(
                    recording: recording, channel: channel, firstSample: first)
            }
            return WaveformChunk(
                channel: channel, firstSample: first, gain: try row.double("gain"),
                baseline: try row.double("baseline"), words: words,
                areReals: try row.isNull("raw"))
        }
        let tail = try LiveStore.tail(of: recording, channel: channel, samples: range, in: db)
        guard !tail.isEmpty else { return stored }
        return (stored + tail).sorted {
            ($0.channel, $0.firstSample) < ($1.channel, $1.firstSample)
        }
    }

    private static func write(
        _ header: RecordingHeader, _ fields: [ChunkField], to id: Int64,
        in db: borrowing Session
    ) throws {
        for (position, channel) in header.channels.enumerated() {
            try db.run(
                """
                INSERT INTO systole.recording_channel (recording_id, channel, name, unit,
                    rate_numerator, rate_denominator, sample_count)
                VALUES (\(id), \(position), \(channel.channel.name),
                    \(channel.channel.unit.symbol), \(channel.rate.numerator),
                    \(channel.rate.denominator), \(channel.sampleCount))
                """)
        }
        guard !fields.isEmpty else { return }
        try db.copyIn("systole.waveform_chunk (\(chunkColumns))") { copy in
            for field in fields { try append(field, of: id, to: &copy) }
        }
    }

    static let chunkColumns =
        "recording_id, channel, first_sample, sample_count, gain, baseline, "
        + "samples, wide, vmin, vmax, vmean, present, crc32c"

    static func append(
        _ field: ChunkField, of id: Int64, to copy: inout BinaryCopyEncoder
    ) throws {
        let chunk = field.chunk
        try copy.startRow(columns: 13)
        copy.append(id)
        copy.append(Int32(chunk.channel))
        copy.append(chunk.firstSample)
        copy.append(Int32(chunk.samples.count))
        copy.append(chunk.gain)
        copy.append(chunk.baseline)
        if field.isWide { copy.appendNull() }
        copy.append(bytes: field.arrayBytes())
        if !field.isWide { copy.appendNull() }
        for level in [field.physicalMinimum, field.physicalMaximum, field.physicalMean] {
            if let level { copy.append(level) } else { copy.appendNull() }
        }
        if let present = field.presentCount { copy.append(present) } else { copy.appendNull() }
        copy.append(Int64(field.checksum))
    }

    /// SHA-256 over the channels and every sample.
    private static func contentDigest(
        of header: RecordingHeader, _ fields: [ChunkField]
    ) -> [UInt8] {
        var hash = SHA256()
        for (position, channel) in header.channels.enumerated() {
            let line =
                "\(position)\t\(channel.channel.name)\t\(channel.channel.unit)\t"
                + "\(channel.rate.numerator)/\(channel.rate.denominator)\t\(channel.sampleCount)\n"
            hash.update(data: Array(line.utf8))
        }
        for field in fields {
            let chunk = field.chunk
            let line =
                "\(chunk.channel)\t\(chunk.firstSample)\t\(chunk.samples.count)\t"
                + "\(chunk.gain)\t\(chunk.baseline)\n"
            hash.update(data: Array(line.utf8))
            unsafe field.withRawBytes { bytes in unsafe hash.update(bufferPointer: bytes) }
        }
        return Array(hash.finalize())
    }
}
