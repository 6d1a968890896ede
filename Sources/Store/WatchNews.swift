package import Postgres
package import Series

/// What is new of watched series, and not scored yet.
///
/// Whoever stores observations adds a row for each watched series of the transaction; rows are never
/// changed, so that writers and scorers do not wait for each other. They are spread over lanes by the
/// number of the series, and one job at a time takes those of a lane.
package struct WatchNews: Sendable {
    /// Rows looked at in one go.
    private static let rowsMaximum = 8_192
    /// Series in one batch.
    package static let seriesMaximum = 256

    /// The series, those that have waited longest first.
    package let series: [SeriesID]
    /// The first instant of each that is new or changed.
    package let first: [SeriesID: Timestamp]
    /// The rows that say so.
    private let ids: [SeriesID: [Int64]]

    /// Looks at the news of a lane, and leaves them there.
    ///
    /// - Parameters:
    ///   - lane: 0 to 7.
    ///   - db: The transaction that reads what is scored.
    /// - Returns: Of `seriesMaximum` series at most.
    /// - Throws: What the database refuses.
    package static func read(lane: Int, in db: borrowing Session) throws -> WatchNews {
        let rows = try db.run(
            """
            SELECT series_id, min(first_at) AS first_at, array_agg(news_id) AS ids
            FROM (
                SELECT series_id, first_at, news_id FROM systole.watch_news
                WHERE lane = \(lane)::smallint ORDER BY news_id LIMIT \(rowsMaximum)) AS n
            GROUP BY series_id ORDER BY min(news_id) LIMIT \(seriesMaximum)
            """, format: .binary)
        let series = try rows.map { row in SeriesID(try row.int64("series_id")) }
        let first = try rows.map { row in try row.timestamp("first_at") }
        return WatchNews(
            series: series,
            first: Dictionary(uniqueKeysWithValues: zip(series, first)),
            ids: Dictionary(
                uniqueKeysWithValues: zip(series, try rows.map { row in try row.int64s("ids") })))
    }

    /// Takes news away once they are dealt with.
    ///
    /// - Parameters:
    ///   - lane: Of the news.
    ///   - kept: Series whose news stay.
    ///   - db: The transaction that stores the scores.
    /// - Returns: Whether the lane has others.
    /// - Throws: What the database refuses.
    package func remove(
        lane: Int, except kept: Set<SeriesID>, in db: borrowing Session
    ) throws -> Bool {
        let done = ids.filter { !kept.contains($0.key) }.values.flatMap { $0 }
        try db.run(
            """
            DELETE FROM systole.watch_news
            WHERE lane = \(lane)::smallint AND news_id = ANY (\(done)::bigint[])
            """)
        return try db.run(
            """
            SELECT EXISTS (SELECT FROM systole.watch_news WHERE lane = \(lane)::smallint) AS more
            """
        ).only().bool("more")
    }

    /// Adds the jobs that score what is new, or derive from it, where they are not there.
    ///
    /// - Parameters:
    ///   - settled: How long news of what is to be derived wait for others.
    ///   - db: A transaction.
    /// - Returns: How many.
    /// - Throws: What the database refuses.
    @discardableResult
    package static func route(
        settled: Duration = .zero, in db: borrowing Session
    ) throws -> Int {
        try db.run(
            """
            SELECT systole.route_news(
                \(settled.wholeMicroseconds) * interval '1 microsecond') AS n
            """
        ).only().int("n")
    }
}
