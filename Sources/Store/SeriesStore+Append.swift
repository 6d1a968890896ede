package import Postgres
package import Series

/// What became of the observations of one batch; the five add up to all of them.
package struct AppendCounts: Equatable, Sendable {
    /// New.
    package var inserted = 0
    /// There already, with the same value.
    package var duplicate = 0
    /// There already with another value, which stays.
    package var conflicting = 0
    /// There already with another value, which was replaced.
    package var revised = 0
    /// Before 1900, or more than five minutes ahead: put aside.
    package var parked = 0

    package init(
        inserted: Int = 0, duplicate: Int = 0, conflicting: Int = 0, revised: Int = 0,
        parked: Int = 0
    ) {
        self.inserted = inserted
        self.duplicate = duplicate
        self.conflicting = conflicting
        self.revised = revised
        self.parked = parked
    }

    /// Whether the batch changed an observation.
    package var changedAnything: Bool { inserted + revised > 0 }

    /// Adds the counts of another batch.
    package static func += (a: inout AppendCounts, b: AppendCounts) {
        a.inserted += b.inserted
        a.duplicate += b.duplicate
        a.conflicting += b.conflicting
        a.revised += b.revised
        a.parked += b.parked
    }
}

/// What happens to a stored value that differs from a new one.
package enum ConflictRule: Sendable {
    case keep
    /// For sources that are marked revisable.
    case revise
}

extension SeriesStore {
    /// Stores observations of one series; those that are there already are left alone.
    ///
    /// - Parameters:
    ///   - observations: In any order; every value finite.
    ///   - id: Their series.
    ///   - rule: What happens where a value differs from the stored one.
    ///   - db: A transaction; the series is locked against other writers until it ends.
    /// - Returns: What became of them.
    /// - Throws: `StoreError.unknownSeriesNumber`.
    @discardableResult
    package static func append(
        _ observations: [Observation], to id: SeriesID, onConflict rule: ConflictRule = .keep,
        in db: borrowing Session
    ) throws -> AppendCounts {
        try append([(id, observations)], onConflict: rule, in: db)[0]
    }

    /// Stores observations of several series in one go.
    ///
    /// - Parameters:
    ///   - batches: Each series at most once; observations in any order, every value finite.
    ///   - rule: What happens where a value differs from the stored one.
    ///   - db: A transaction; the series are locked against other writers until it ends.
    /// - Returns: What became of them, in the order of `batches`.
    /// - Throws: `StoreError.unknownSeriesNumber`.
    package static func append(
        _ batches: [(SeriesID, [Observation])], onConflict rule: ConflictRule,
        in db: borrowing Session
    ) throws -> [AppendCounts] {
        precondition(db.isInTransaction(), "SeriesStore.append outside a transaction")
        try lock(batches.map(\.0), in: db)
        let limits = try ObservationLimits(in: db)
        var pending = batches.map { PendingBatch($0.0, $0.1, limits: limits, rule: rule) }
        try park(pending, in: db)
        for years in PendingBatch.years(of: pending) {
            try db.run(
                """
                SELECT systole.ensure_partitions(
                    make_timestamptz(\(years.lowerBound), 1, 1, 0, 0, 0, 'UTC'),
                    make_timestamptz(\(years.upperBound), 1, 1, 0, 0, 0, 'UTC'))
                """)
        }
        try markOverlapping(&pending, in: db)
        try StoredRows.compare(&pending, rule: rule, in: db)
        try copy(pending, in: db)
        try revise(pending, in: db)
        try mark(pending, in: db)
        return pending.map(\.counts)
    }

    /// Says what is new or changed, so that the forecasts of it are marked.
    private static func mark(_ batches: [PendingBatch], in db: borrowing Session) throws {
        let stretches = batches.compactMap { batch in
            let instants = (batch.rows + batch.revisions).lazy.map(\.at)
            return instants.min().flatMap { first in
                instants.max().map { (batch.id.number, first.microseconds, $0.microseconds) }
            }
        }
        guard !stretches.isEmpty else { return }
        try db.run(
            """
            SELECT systole.mark_observed(array_agg(series_id),
                array_agg(systole.instant_at('1970-01-01 00:00:00+00', first, 1)),
                array_agg(systole.instant_at('1970-01-01 00:00:00+00', last, 1)))
            FROM unnest(\(stretches.map(\.0))::bigint[], \(stretches.map(\.1))::bigint[],
                \(stretches.map(\.2))::bigint[]) AS u (series_id, first, last)
            """)
    }

    /// Lets one writer at a time work on a series, so that what was looked up stays true.
    private static func lock(_ ids: [SeriesID], in db: borrowing Session) throws {
        let numbers = ids.map(\.number)
        precondition(Set(numbers).count == numbers.count, "SeriesStore.append: a series twice")
        let rows = try db.run(
            """
            SELECT series_id FROM systole.series WHERE series_id = ANY (\(numbers)::bigint[])
            ORDER BY series_id FOR NO KEY UPDATE
            """)
        let found = Set(try rows.allInt64s("series_id"))
        if let unknown = ids.first(where: { !found.contains($0.number) }) {
            throw StoreError.unknownSeriesNumber(unknown)
        }
    }

    /// Finds out which batches meet stored observations; the others can be copied straight in.
    private static func markOverlapping(
        _ pending: inout [PendingBatch], in db: borrowing Session
    ) throws {
        let filled = pending.indices.filter { !pending[$0].rows.isEmpty }
        guard !filled.isEmpty else { return }
        let rows = try db.run(
            """
            SELECT EXISTS (
                SELECT FROM systole.observation AS o
                WHERE o.series_id = b.series_id AND o.at BETWEEN
                    systole.instant_at('1970-01-01 00:00:00+00', b.first, 1) AND
                    systole.instant_at('1970-01-01 00:00:00+00', b.last, 1)) AS overlaps
            FROM unnest(
                \(filled.map { pending[$0].id.number })::bigint[],
                \(filled.map { pending[$0].first })::bigint[],
                \(filled.map { pending[$0].last })::bigint[]
            ) WITH ORDINALITY AS b (series_id, first, last, place)
            ORDER BY b.place
            """)
        for (index, row) in zip(filled, rows) { pending[index].overlaps = try row.bool("overlaps") }
    }

    private static func copy(_ batches: [PendingBatch], in db: borrowing Session) throws {
        guard batches.contains(where: { !$0.rows.isEmpty }) else { return }
        try db.copyIn("systole.observation (series_id, at, value)") { copy in
            for batch in batches {
                for row in batch.rows {
                    try copy.startRow(columns: 3)
                    copy.append(batch.id.number)
                    copy.append(epochMicroseconds: row.at.microseconds)
                    copy.append(row.value)
                }
            }
        }
    }

    private static func revise(_ batches: [PendingBatch], in db: borrowing Session) throws {
        for batch in batches {
            for block in batch.revisions.blocks(of: StoredRows.blockRows) {
                // The range lets the planner leave out partitions.
                try db.run(
                    """
                    UPDATE systole.observation AS o SET value = u.value
                    FROM unnest(
                        \(block.map(\.at.microseconds))::bigint[],
                        \(block.map(\.value))::double precision[]) AS u (at, value)
                    WHERE o.series_id = \(batch.id)
                        AND o.at = systole.instant_at('1970-01-01 00:00:00+00', u.at, 1)
                        AND o.at BETWEEN \(block[block.startIndex].at)
                            AND \(block[block.endIndex - 1].at)
                    """)
            }
        }
    }

    /// Puts rows outside the accepted range aside with the reason.
    private static func park(_ batches: [PendingBatch], in db: borrowing Session) throws {
        for batch in batches {
            for block in batch.parked.blocks(of: StoredRows.blockRows) {
                try db.run(
                    """
                    INSERT INTO systole.late_observation (series_id, at, value, reason)
                    SELECT \(batch.id)::bigint,
                        systole.instant_at('1970-01-01 00:00:00+00', u.at, 1), u.value, u.reason
                    FROM unnest(
                        \(block.map(\.row.at.microseconds))::bigint[],
                        \(block.map(\.row.value))::double precision[],
                        \(block.map(\.reason))::text[]) AS u (at, value, reason)
                    ON CONFLICT ON CONSTRAINT late_observation_pkey DO NOTHING
                    """)
            }
        }
    }
}
