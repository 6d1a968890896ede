package import Postgres
package import Series

/// The newest observations of a series, as they are stored: to be kept between two looks at it, so
/// that only what is new has to be read.
package struct SeriesTail: Sendable {
    package let series: StoredSeries
    /// Microseconds between two observations.
    package let step: Int64
    /// Microseconds since 1970, ascending.
    private var instants: [Int64] = []
    /// `[instants]`, in the unit of the series.
    private var values: [Double] = []

    /// An empty one; nil where the step of the series is not known.
    package init?(of series: StoredSeries) {
        guard let step = series.stepMicroseconds else { return nil }
        self.series = series
        self.step = step
    }

    /// How many observations there are.
    package var count: Int { instants.count }

    /// The newest observation; nil where there is none.
    package var last: Timestamp? { instants.last.map { Timestamp(microseconds: $0) } }

    /// Forgets what `SeriesStore.loadLatest` of so many grid instants would not read.
    package mutating func keep(_ rows: Int) {
        guard let last = instants.last else { return }
        let first = last - (Int64(rows) - 1) * step - step / 2
        let kept = instants.firstIndex { $0 >= first } ?? instants.endIndex
        // Moving everything for each new row would cost more than a few rows too many.
        guard kept > instants.count / 4 else { return }
        instants.removeFirst(kept)
        values.removeFirst(kept)
    }

    /// The observations on the grid through the newest one, as `SeriesStore.loadLatest` has them.
    ///
    /// - Parameter rows: How many grid instants at most.
    /// - Returns: Samples, NaN where missing; nil where there is no observation.
    /// - Throws: `StoreError.tooManySamples`.
    package func onGrid(_ rows: Int) throws -> TimeSeries? {
        guard let last = instants.last else { return nil }
        let first = last - (Int64(rows) - 1) * step - step / 2
        let kept = instants.firstIndex { $0 >= first } ?? instants.endIndex
        return try SeriesStore.onGrid(
            SeriesStore.Samples(
                instants: Array(instants[kept...]), values: Array(values[kept...])),
            series: series, step: step, anchor: Timestamp(microseconds: last))
    }

    fileprivate mutating func append(_ instants: [Int64], _ values: [Double]) {
        self.instants += instants
        self.values += values
    }
}

extension SeriesStore {
    /// Adds to each tail what is stored after its end.
    ///
    /// - Parameters:
    ///   - tails: Of different series, each with the instant after which it is read: its last one, or
    ///     where it begins.
    ///   - limit: The most observations that are added to one; there may be more then.
    ///   - db: The transaction.
    /// - Returns: The tails, in the same order.
    /// - Throws: `PostgresError`.
    package static func extend(
        _ tails: [(tail: SeriesTail, after: Timestamp)], limit: Int, in db: borrowing Session
    ) throws -> [SeriesTail] {
        let rows = try db.run(
            """
            SELECT u.place, o.instants, o.samples
            FROM unnest(\(tails.map(\.tail.series.id.number))::bigint[],
                \(tails.map(\.after.microseconds))::bigint[])
                WITH ORDINALITY AS u (series_id, after, place)
            CROSS JOIN LATERAL (
                -- As a double, which is exact to the microsecond until 2242 and takes half the time.
                SELECT array_agg((date_part('epoch', l.at) * 1000000)::bigint) AS instants,
                    array_agg(l.value) AS samples
                FROM (
                    SELECT l.at, l.value FROM systole.observation AS l
                    WHERE l.series_id = u.series_id
                        AND l.at > systole.instant_at('1970-01-01 00:00:00+00', u.after, 1)
                    ORDER BY l.at LIMIT \(limit)) AS l) AS o
            WHERE o.instants IS NOT NULL
            """, format: .binary)
        var extended = tails.map(\.tail)
        for row in rows {
            extended[try row.int("place") - 1].append(
                try row.int64s("instants"), try row.doubles("samples"))
        }
        return extended
    }
}
