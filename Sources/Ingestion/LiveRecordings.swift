package import Postgres
package import Series
package import Store

/// Recordings that a source feeds in pieces, whichever way the pieces come.
package enum LiveRecordings {
    /// Stores pieces in the transaction in which the source's cursor moves, and keeps its figures.
    ///
    /// - Parameters:
    ///   - pieces: In the order in which they came, of any recordings.
    ///   - receivedAt: When they came, on our clock.
    ///   - source: Who brought them; its rule says what happens to samples that differ.
    ///   - db: The transaction.
    /// - Returns: What was done; a piece that cannot be used is a rejection in it.
    /// - Throws: `PostgresError`.
    package static func append(
        _ pieces: [WaveformPiece], receivedAt: Timestamp, from source: Source,
        in db: borrowing Session
    ) throws -> LiveReport {
        let report = try LiveStore.append(
            pieces, receivedAt: receivedAt, source: source.id, onConflict: source.conflictRule,
            in: db)
        var figures = SourceFigures()
        figures.samples = report.counts.stored
        (figures.gaps, figures.gapSeconds) = (report.counts.gaps, report.gapSeconds)
        figures.bufferedBytes = pieces.reduce(0) { $0 + 4 * $1.words.count }
        // A clock that is ahead says nothing of how far we are behind.
        figures.dataUntil = report.until.map { min($0, receivedAt) }
        // The figures that follow count by observation; a piece that brings nothing is none of them.
        if figures.samples > 0 { try SourceFigures.add(figures, to: source.id, in: db) }
        return report
    }

    /// Ends the recordings of a source in which nothing has come for a while.
    ///
    /// - Parameters:
    ///   - source: Who brings them.
    ///   - now: Our clock.
    ///   - silence: How long a recording may be silent.
    ///   - db: A transaction.
    /// - Returns: Their keys.
    /// - Throws: `PostgresError`.
    package static func closeSilent(
        of source: Source, now: Timestamp, after silence: Duration, in db: borrowing Session
    ) throws -> [String] {
        let limit = Timestamp(microseconds: now.microseconds - silence.wholeMicroseconds)
        return try LiveStore.closeSilent(source: source.id, before: limit, in: db)
    }
}

extension IngestReport {
    /// Adds what became of pieces.
    mutating func add(_ live: LiveReport) {
        recordings += live.opened.count
        badRows += live.rejections.count
        for rejection in live.rejections { note(rejection.recording, rejection.reason) }
    }
}
