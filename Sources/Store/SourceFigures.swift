package import Postgres
package import Series

/// What a source brought, to be added to its figures; `systole.sources` shows them.
package struct SourceFigures: Equatable, Sendable {
    /// What became of its observations.
    package var appended: AppendCounts
    /// Observations without a value.
    package var missing = 0
    /// Samples of waveforms.
    package var samples = 0
    /// Stretches that its series left out, and their length together.
    package var gaps = 0
    package var gapSeconds = 0.0
    /// What could not be used, how much by reason: words such as `row` or `unit`.
    package var rejected: [String: Int]
    /// What it holds in memory and has not stored, in bytes; nil where it does not say.
    package var bufferedBytes: Int?
    /// The newest instant that it brought.
    package var dataUntil: Timestamp?

    package init(_ appended: AppendCounts = AppendCounts(), rejected: [String: Int] = [:]) {
        self.appended = appended
        self.rejected = rejected
    }

    /// Adds to the figures of a source.
    ///
    /// - Parameters:
    ///   - figures: What it brought.
    ///   - source: The source's number.
    ///   - db: The transaction that stores what is counted.
    /// - Throws: `PostgresError` 23503 where the source is gone.
    package static func add(
        _ figures: SourceFigures, to source: Int64, in db: borrowing Session
    ) throws {
        let counts = figures.appended
        let reasons = figures.rejected.sorted { $0.key < $1.key }
        let stores = counts.changedAnything || counts.parked > 0 || figures.samples > 0
        try db.run(
            """
            INSERT INTO systole.source_figures AS f (source_id, stored, duplicates, conflicts,
                revised, parked, missing, samples, gaps, gap_seconds, rejected, buffered_bytes,
                data_until, stored_at)
            VALUES (\(source), \(counts.inserted), \(counts.duplicate), \(counts.conflicting),
                \(counts.revised), \(counts.parked), \(figures.missing), \(figures.samples),
                \(figures.gaps), \(figures.gapSeconds),
                (SELECT coalesce(jsonb_object_agg(reason, n), '{}') FROM unnest(
                    \(reasons.map(\.key))::text[], \(reasons.map { Int64($0.value) })::bigint[])
                    AS r (reason, n)),
                coalesce(\(figures.bufferedBytes)::bigint, 0), \(figures.dataUntil)::timestamptz,
                CASE WHEN \(stores)::boolean THEN now() END)
            ON CONFLICT ON CONSTRAINT source_figures_pkey DO UPDATE SET
                stored = f.stored + excluded.stored,
                duplicates = f.duplicates + excluded.duplicates,
                conflicts = f.conflicts + excluded.conflicts,
                revised = f.revised + excluded.revised,
                parked = f.parked + excluded.parked,
                missing = f.missing + excluded.missing,
                samples = f.samples + excluded.samples,
                gaps = f.gaps + excluded.gaps,
                gap_seconds = f.gap_seconds + excluded.gap_seconds,
                rejected = CASE excluded.rejected WHEN '{}' THEN f.rejected
                    ELSE systole.add_counts(f.rejected, excluded.rejected) END,
                buffered_bytes = coalesce(\(figures.bufferedBytes)::bigint, f.buffered_bytes),
                data_until = greatest(f.data_until, excluded.data_until),
                stored_at = coalesce(excluded.stored_at, f.stored_at)
            """)
    }

    /// Says that a source which is listened to is heard, before the end of a pull that may be minutes away:
    /// it is not new any more, and what troubled the pull before is over.
    ///
    /// - Parameters:
    ///   - source: The source's number.
    ///   - db: A transaction.
    /// - Throws: `PostgresError` 23503 where the source is gone.
    package static func heard(source: Int64, in db: borrowing Session) throws {
        try db.run(
            """
            INSERT INTO systole.source_figures AS f (source_id, pulled_at)
            SELECT \(source)::bigint, now()
            -- Where it is said already, nobody waits for one who is storing.
            WHERE NOT EXISTS (
                SELECT FROM systole.source_figures AS k
                WHERE k.source_id = \(source) AND k.pulled_at IS NOT NULL AND k.trouble IS NULL)
            ON CONFLICT ON CONSTRAINT source_figures_pkey DO UPDATE SET
                pulled_at = excluded.pulled_at, trouble = NULL
            """)
    }

    /// Says that a pull from a source has ended.
    ///
    /// - Parameters:
    ///   - source: The source's number.
    ///   - seconds: How long it took.
    ///   - trouble: Why it failed or has to wait, in one sentence without values; nil where it went well.
    ///   - rejected: What could not be used and was not counted with what was stored.
    ///   - db: A transaction.
    /// - Throws: `PostgresError` 23503 where the source is gone.
    package static func pulled(
        source: Int64, seconds: Double, trouble: String?, rejected: [String: Int] = [:],
        in db: borrowing Session
    ) throws {
        if !rejected.isEmpty { try add(SourceFigures(rejected: rejected), to: source, in: db) }
        let sentence = trouble.map { String($0.prefix(500)) }
        try db.run(
            """
            INSERT INTO systole.source_figures AS f (source_id, pulls, pulled_at, pull_seconds,
                trouble, trouble_at)
            VALUES (\(source), 1, now(), \(seconds), \(sentence),
                CASE WHEN \(sentence)::text IS NOT NULL THEN now() END)
            ON CONFLICT ON CONSTRAINT source_figures_pkey DO UPDATE SET
                pulls = f.pulls + 1, pulled_at = excluded.pulled_at,
                pull_seconds = excluded.pull_seconds, trouble = excluded.trouble,
                trouble_at = coalesce(excluded.trouble_at, f.trouble_at)
            """)
    }
}
