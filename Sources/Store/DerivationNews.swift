package import Postgres
package import Series

/// Derivations whose inputs have grown since they were looked at, as `WatchNews` for watched series.
package struct DerivationNews: Sendable {
    /// Rows looked at in one go.
    private static let rowsMaximum = 8_192
    /// Derivations in one batch.
    package static let derivationsMaximum = 64

    /// Their numbers, those that have waited longest first.
    package let derivations: [Int64]
    /// The first instant of each that is new.
    package let first: [Int64: Timestamp]
    private let ids: [Int64: [Int64]]

    /// Whether there may be others in the lane.
    package var isFull: Bool { derivations.count >= Self.derivationsMaximum }

    /// Looks at the news of a lane, and leaves them there.
    ///
    /// - Parameters:
    ///   - lane: 0 to 3.
    ///   - db: The transaction that reads the inputs.
    /// - Returns: Of `derivationsMaximum` derivations at most.
    /// - Throws: What the database refuses.
    package static func read(lane: Int, in db: borrowing Session) throws -> DerivationNews {
        let rows = try db.run(
            """
            SELECT derivation_id, min(first_at) FILTER (WHERE first_at < 'infinity') AS first_at,
                array_agg(news_id) AS ids
            FROM (
                SELECT derivation_id, first_at, news_id FROM systole.derivation_news
                WHERE lane = \(lane)::smallint ORDER BY news_id LIMIT \(rowsMaximum)) AS n
            GROUP BY derivation_id ORDER BY min(news_id) LIMIT \(derivationsMaximum)
            """, format: .binary)
        var (first, ids): ([Int64: Timestamp], [Int64: [Int64]]) = ([:], [:])
        let derivations = try rows.map { row in try row.int64("derivation_id") }
        for (id, row) in zip(derivations, rows) {
            first[id] = try row.optionalTimestamp("first_at")
            ids[id] = try row.int64s("ids")
        }
        return DerivationNews(derivations: derivations, first: first, ids: ids)
    }

    /// Asks that derivations be looked at again.
    ///
    /// - Parameters:
    ///   - derivations: Their numbers.
    ///   - db: A transaction.
    /// - Throws: What the database refuses.
    package static func add(
        _ derivations: Set<Int64>, in db: borrowing Session
    ) throws {
        guard !derivations.isEmpty else { return }
        try db.run("SELECT systole.tell_derivations(\(derivations.sorted())::bigint[])")
    }

    /// Takes news away once they are dealt with.
    ///
    /// - Parameters:
    ///   - lane: Of the news.
    ///   - kept: Derivations whose news stay.
    ///   - db: The transaction that stores what was derived.
    /// - Throws: What the database refuses.
    package func remove(
        lane: Int, except kept: Set<Int64>, in db: borrowing Session
    ) throws {
        let done = ids.filter { !kept.contains($0.key) }.values.flatMap { $0 }
        try db.run(
            """
            DELETE FROM systole.derivation_news
            WHERE lane = \(lane)::smallint AND news_id = ANY (\(done)::bigint[])
            """)
    }
}
