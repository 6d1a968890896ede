package import Postgres
package import Series

/// What a batch of pieces did.
package struct LiveReport: Sendable, Equatable {
    package var counts = LiveCounts()
    /// Recordings that began.
    package var opened: [String] = []
    /// Recordings that came to their end.
    package var closed: [String] = []
    /// How long the stretches are that the recordings left out, in seconds.
    package var gapSeconds = 0.0
    /// Where the newest of them ends, by the device's clock; nil where nothing was taken.
    package var until: Timestamp?
    /// Pieces that were not taken: the recording, and a sentence.
    package var rejections: [Rejection] = []

    /// A piece that was not taken.
    package struct Rejection: Sendable, Equatable {
        package let recording: String
        package let reason: String
    }

    package init() {}
}

/// Recordings that are fed in pieces.
///
/// What comes is a row of the tail at once, all channels together; every ten seconds of the recording
/// the rows become a chunk a channel, the same whatever the pieces were. A piece that comes late
/// changes its chunks; one that comes again changes nothing.
package enum LiveStore {
    /// How far apart the clocks are compared.
    static let offsetEvery = Duration.seconds(10)

    /// Stores pieces.
    ///
    /// - Parameters:
    ///   - pieces: In the order in which they came.
    ///   - receivedAt: When they came, on our clock.
    ///   - source: Who brought them.
    ///   - rule: What happens to a sample that differs from a stored one.
    ///   - db: A transaction.
    /// - Returns: What was done; a piece that cannot be used is a rejection in it.
    /// - Throws: `PostgresError`.
    package static func append(
        _ pieces: [WaveformPiece], receivedAt: Timestamp, source: Int64? = nil,
        onConflict rule: ConflictRule = .keep, in db: borrowing Session
    ) throws -> LiveReport {
        precondition(db.isInTransaction(), "LiveStore.append outside a transaction")
        var report = LiveReport()
        guard !pieces.isEmpty else { return report }
        let groups = Dictionary(grouping: pieces, by: \.recording)
        let keys = groups.keys.sorted()
        var found = try LiveState.lock(keys, in: db)
        let fresh = keys.filter { found.live[$0] == nil && !found.whole.contains($0) }
        if !fresh.isEmpty {
            for key in fresh {
                guard let piece = groups[key]?.first else { continue }
                try LiveState.create(for: piece, receivedAt: receivedAt, source: source, in: db)
            }
            found = try LiveState.lock(keys, in: db)
            report.opened = fresh
        }
        var edits: [LiveEdit] = []
        for key in keys {
            if let state = found.live[key] {
                edits.append(LiveEdit(state, groups[key] ?? [], receivedAt: receivedAt))
            } else {
                let reason = LivePieceError.whole.description
                report.rejections += (groups[key] ?? []).map { _ in
                    LiveReport.Rejection(recording: key, reason: reason)
                }
            }
        }
        try decide(&edits, rule, in: db)
        try write(edits, receivedAt: receivedAt, in: db)
        for edit in edits {
            report.counts += edit.counts
            report.gapSeconds += Double(edit.counts.gapSamples) / edit.before.rate.hertz
            if let until = edit.until { report.until = max(report.until ?? until, until) }
            report.rejections += edit.rejections.map {
                LiveReport.Rejection(recording: edit.before.key, reason: $0)
            }
            if edit.after.closed != nil, edit.before.closed == nil {
                report.closed.append(edit.before.key)
            }
        }
        return report
    }

    /// Closes recordings of a source in which nothing has come for a while.
    ///
    /// - Parameters:
    ///   - source: Who brings them.
    ///   - before: Those whose newest piece came before this.
    ///   - db: A transaction.
    /// - Returns: Their keys.
    /// - Throws: `PostgresError`.
    package static func closeSilent(
        source: Int64, before: Timestamp, in db: borrowing Session
    ) throws -> [String] {
        let keys = try db.runPrepared(
            """
            SELECT r.key FROM systole.live_recording AS l
            JOIN systole.recording AS r ON r.recording_id = l.recording_id
            WHERE l.closed_at IS NULL AND l.source_id = \(source)::bigint
                AND l.received_at < \(before)::timestamptz
            ORDER BY r.key LIMIT 100
            """
        ).allTexts("key")
        guard !keys.isEmpty else { return [] }
        // Another piece may have come before the lock was ours; then it is not silent, but it goes on
        // with the next one all the same.
        var edits = try LiveState.lock(keys, in: db).live.values
            .filter { $0.closed == nil }.sorted { $0.id < $1.id }
            .map { LiveEdit($0, [], receivedAt: nil) }
        for index in edits.indices { edits[index].fallSilent() }
        try decide(&edits, .keep, in: db)
        try write(edits, receivedAt: nil, in: db)
        return edits.map(\.before.key)
    }

    /// Loads what the edits must see, and lets them decide.
    private static func decide(
        _ edits: inout [LiveEdit], _ rule: ConflictRule, in db: borrowing Session
    ) throws {
        let tails = try loadTails(edits.filter(\.needsTail).map(\.before.id), in: db)
        let chunks = try loadChunks(edits, in: db)
        for index in edits.indices {
            let id = edits[index].before.id
            edits[index].decide(tail: tails[id] ?? [], chunks: chunks[id] ?? [], rule: rule)
        }
    }

    private static func loadTails(
        _ ids: [Int64], in db: borrowing Session
    ) throws -> [Int64: [LiveSpan]] {
        guard !ids.isEmpty else { return [:] }
        let rows = try db.run(
            """
            SELECT recording_id, first_sample, sample_count, \(SampleArray.selected)
            FROM systole.waveform_tail WHERE recording_id = ANY (\(ids)::bigint[])
            ORDER BY recording_id, first_sample
            """, format: .binary)
        var spans: [Int64: [LiveSpan]] = [:]
        for row in rows {
            spans[try row.int64("recording_id"), default: []].append(
                LiveSpan(
                    first: try row.int64("first_sample"), count: try row.int("sample_count"),
                    words: try SampleArray.words(row)))
        }
        return spans
    }

    private static func loadChunks(
        _ edits: [LiveEdit], in db: borrowing Session
    ) throws -> [Int64: [(channel: Int, first: Int64, words: [Int32])]] {
        let wanted = edits.flatMap { edit in edit.chunksNeeded.map { (edit.before.id, $0) } }
        guard !wanted.isEmpty else { return [:] }
        let rows = try db.run(
            """
            SELECT w.recording_id, w.channel, w.first_sample, \(SampleArray.selected)
            FROM unnest(\(wanted.map(\.0))::bigint[], \(wanted.map(\.1))::bigint[])
                AS p (recording_id, first_sample)
            JOIN systole.waveform_chunk AS w USING (recording_id, first_sample)
            """, format: .binary)
        var chunks: [Int64: [(channel: Int, first: Int64, words: [Int32])]] = [:]
        for row in rows {
            chunks[try row.int64("recording_id"), default: []].append(
                (
                    try row.int("channel"), try row.int64("first_sample"),
                    try SampleArray.words(row)
                ))
        }
        return chunks
    }
}
