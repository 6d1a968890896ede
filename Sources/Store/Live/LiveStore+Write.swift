import Crypto
import Postgres
import Series

extension LiveStore {
    /// Writes what the edits have decided: a few statements for all of them together.
    static func write(
        _ edits: [LiveEdit], receivedAt: Timestamp?, in db: borrowing Session
    ) throws {
        try clear(edits, in: db)
        try copyTails(edits, in: db)
        try copyChunks(edits, in: db)
        try update(edits, receivedAt: receivedAt, in: db)
        // A piece that comes after the end may still fill a gap: other content, but no second end.
        try close(
            edits.filter {
                $0.after.closed != nil && ($0.before.closed == nil || !$0.windows.isEmpty)
            }, in: db)
    }

    /// Removes what is replaced.
    private static func clear(_ edits: [LiveEdit], in db: borrowing Session) throws {
        let tails = edits.filter(\.replacesTail).map(\.before.id)
        if !tails.isEmpty {
            try db.runPrepared(
                "DELETE FROM systole.waveform_tail WHERE recording_id = ANY (\(tails)::bigint[])")
        }
        let chunks = edits.flatMap { edit in
            let stored = Set(edit.chunksNeeded)
            return edit.windows.map(\.samples.lowerBound).filter { stored.contains($0) }
                .map { (edit.before.id, $0) }
        }
        guard !chunks.isEmpty else { return }
        try db.run(
            """
            DELETE FROM systole.waveform_chunk AS w
            USING unnest(\(chunks.map(\.0))::bigint[], \(chunks.map(\.1))::bigint[])
                AS p (recording_id, first_sample)
            WHERE w.recording_id = p.recording_id AND w.first_sample = p.first_sample
            """)
    }

    private static func copyTails(_ edits: [LiveEdit], in db: borrowing Session) throws {
        guard edits.contains(where: { !$0.spans.isEmpty }) else { return }
        let columns = "recording_id, first_sample, sample_count, samples, wide, physical"
        try db.copyIn("systole.waveform_tail (\(columns))") { copy in
            for edit in edits {
                for span in edit.spans {
                    try copy.startRow(columns: 6)
                    copy.append(edit.before.id)
                    copy.append(span.first)
                    copy.append(Int32(span.count))
                    append(SampleArray(span.words, edit.before.form), to: &copy)
                }
            }
        }
    }

    /// The array in its column, NULL in the two others.
    private static func append(_ array: SampleArray, to copy: inout BinaryCopyEncoder) {
        for column in 0..<3 {
            if column == array.column.rawValue {
                copy.append(bytes: array.bytes)
            } else {
                copy.appendNull()
            }
        }
    }

    private static func copyChunks(_ edits: [LiveEdit], in db: borrowing Session) throws {
        let integers = edits.filter { $0.before.form == .integers && !$0.windows.isEmpty }
        if !integers.isEmpty {
            try db.copyIn("systole.waveform_chunk (\(RecordingStore.chunkColumns))") { copy in
                for edit in integers {
                    try forEachChunk(of: edit) { channel, first, words in
                        let of = edit.before.channels[channel]
                        let chunk = WaveformChunk(
                            channel: channel, firstSample: first, gain: of.gain,
                            baseline: of.baseline,
                            samples: words.map { $0 == WaveformPiece.missing ? nil : $0 })
                        try RecordingStore.append(
                            ChunkField(chunk), of: edit.before.id, to: &copy)
                    }
                }
            }
        }
        let reals = edits.filter { $0.before.form == .reals && !$0.windows.isEmpty }
        guard !reals.isEmpty else { return }
        let columns =
            "recording_id, channel, first_sample, sample_count, gain, baseline, "
            + "samples, wide, physical, vmin, vmax, vmean, present, crc32c"
        try db.copyIn("systole.waveform_chunk (\(columns))") { copy in
            for edit in reals {
                try forEachChunk(of: edit) { channel, first, words in
                    try copy.startRow(columns: 14)
                    copy.append(edit.before.id)
                    copy.append(Int32(channel))
                    copy.append(first)
                    copy.append(Int32(words.count))
                    copy.append(1.0)
                    copy.append(0.0)
                    append(SampleArray(words, .reals), to: &copy)
                    let values = words.filter { $0 != WaveformPiece.missing }
                        .map { Float(bitPattern: UInt32(bitPattern: $0)) }
                    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
                    for level in [values.min(), values.max(), Float(mean)] {
                        if let level { copy.append(level) } else { copy.appendNull() }
                    }
                    if values.count < words.count {
                        copy.append(Int32(values.count))
                    } else {
                        copy.appendNull()
                    }
                    copy.append(Int64(checksum(of: words)))
                }
            }
        }
    }

    /// CRC-32C over words, least significant byte first.
    static func checksum(of words: [Int32]) -> UInt32 {
        var crc = CRC32C()
        crc.update(littleEndian: words)
        return crc.value
    }

    /// The chunks that the windows of an edit become; a channel without a sample has none.
    private static func forEachChunk(
        of edit: LiveEdit, _ body: (_ channel: Int, _ first: Int64, _ words: [Int32]) throws -> Void
    ) throws {
        for window in edit.windows where edit.isChunked(window) {
            for channel in edit.before.channels.indices {
                let words = window.channel(channel, before: edit.end)
                guard words.contains(where: { $0 != WaveformPiece.missing }) else { continue }
                try body(channel, window.samples.lowerBound, words)
            }
        }
    }

    private static func update(
        _ edits: [LiveEdit], receivedAt: Timestamp?, in db: borrowing Session
    ) throws {
        guard !edits.isEmpty else { return }
        let offsets = edits.map { edit -> Int64? in
            guard let receivedAt, let (first, piece) = edit.pieces.last else { return nil }
            if let last = edit.before.offsetTakenAt, receivedAt - last < offsetEvery { return nil }
            return edit.before.offset(
                at: first + Int64(piece.count), receivedAt: receivedAt)
        }
        try db.runPrepared(
            """
            UPDATE systole.live_recording AS l
            SET head = u.head, stored = l.stored + u.stored, pieces = l.pieces + u.pieces,
                duplicates = l.duplicates + u.duplicates, conflicts = l.conflicts + u.conflicts,
                revised = l.revised + u.revised,
                received_at = greatest(l.received_at, \(receivedAt)::timestamptz),
                offset_us = CASE WHEN u.offset_us IS NULL THEN l.offset_us ELSE
                    (l.offset_us || u.offset_us)[greatest(1, cardinality(l.offset_us) - 62):] END,
                offset_at_us = CASE WHEN u.offset_us IS NULL THEN l.offset_at_us ELSE
                    (l.offset_at_us || systole.epoch_us(\(receivedAt)::timestamptz))
                    [greatest(1, cardinality(l.offset_us) - 62):] END,
                first_offset_us = CASE WHEN u.offset_us IS NULL OR cardinality(l.offset_us) <> 7
                    THEN l.first_offset_us
                    ELSE coalesce(l.first_offset_us, systole.median_us(l.offset_us || u.offset_us))
                    END,
                first_offset_at_us = CASE WHEN u.offset_us IS NULL OR cardinality(l.offset_us) <> 7
                    THEN l.first_offset_at_us
                    ELSE coalesce(l.first_offset_at_us, l.offset_at_us[4]) END,
                closed_at = CASE WHEN u.reason IS NOT NULL THEN coalesce(l.closed_at, now()) END,
                close_reason = u.reason
            FROM unnest(\(edits.map(\.before.id))::bigint[], \(edits.map(\.after.head))::bigint[],
                \(edits.map(\.counts.stored))::bigint[], \(edits.map(\.counts.pieces))::bigint[],
                \(edits.map(\.counts.duplicates))::bigint[],
                \(edits.map(\.counts.conflicts))::bigint[],
                \(edits.map(\.counts.revised))::bigint[], \(offsets)::bigint[],
                \(edits.map { $0.after.closed?.rawValue })::text[])
                AS u (id, head, stored, pieces, duplicates, conflicts, revised, offset_us, reason)
            WHERE l.recording_id = u.id
            """)
        let grown = edits.filter { !$0.windows.isEmpty || $0.after.closed != $0.before.closed }
        guard !grown.isEmpty else { return }
        try db.runPrepared(
            """
            UPDATE systole.recording_channel AS c SET sample_count = u.head
            FROM unnest(\(grown.map(\.before.id))::bigint[], \(grown.map(\.after.head))::bigint[])
                AS u (id, head)
            WHERE c.recording_id = u.id
            """)
    }

    /// Gives closed recordings the digest of what they are, and tells of them.
    private static func close(_ edits: [LiveEdit], in db: borrowing Session) throws {
        for edit in edits {
            let id = edit.before.id
            let content = try contentDigest(of: edit.after, in: db)
            try db.run(
                "UPDATE systole.recording SET content = \(content) WHERE recording_id = \(id)")
            guard edit.before.closed == nil else { continue }
            let data = """
                {"recording_id": \(id), "samples": \(edit.after.head), \
                "reason": "\(edit.after.closed?.rawValue ?? "")"}
                """
            try Outbox.append(
                type: "recording.ended", subject: edit.before.key, data: data, in: db)
        }
    }

    /// SHA-256 over the channels and the checksums of all chunks: the same for the same samples,
    /// whatever the pieces in which they came.
    private static func contentDigest(
        of state: LiveState, in db: borrowing Session
    ) throws -> [UInt8] {
        var hash = SHA256()
        for (position, of) in state.channels.enumerated() {
            let line =
                "\(position)\t\(of.channel.name)\t\(of.channel.unit)\t\(of.gain)\t\(of.baseline)\t"
                + "\(state.rate.numerator)/\(state.rate.denominator)\t\(state.head)\n"
            hash.update(data: Array(line.utf8))
        }
        let rows = try db.run(
            """
            SELECT channel, first_sample, sample_count, crc32c FROM systole.waveform_chunk
            WHERE recording_id = \(state.id) ORDER BY channel, first_sample
            """, format: .binary)
        for row in rows {
            let line =
                "\(try row.int64("channel"))\t\(try row.int64("first_sample"))\t"
                + "\(try row.int64("sample_count"))\t\(try row.int64("crc32c"))\n"
            hash.update(data: Array(line.utf8))
        }
        return Array(hash.finalize())
    }
}
