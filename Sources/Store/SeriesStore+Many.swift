package import Postgres
package import Series

/// What a forecast looks back on in one of many series.
package struct HistoryRequest: Sendable {
    package let series: StoredSeries
    /// How many grid instants at most, above zero.
    package let count: Int

    package init(_ series: StoredSeries, count: Int) {
        self.series = series
        self.count = count
    }
}

extension SeriesStore {
    /// The series with these numbers, in no order; numbers that are unknown have none.
    package static func find(
        _ ids: [SeriesID], in db: borrowing Session
    ) throws -> [StoredSeries] {
        try db.run(
            """
            SELECT series_id, key, unit, step_us FROM systole.series
            WHERE series_id = ANY (\(ids.map(\.number))::bigint[])
            """
        ).map { row in try StoredSeries(row) }
    }

    /// The newest samples of many series, by one statement: each as `loadLatest` gives it alone.
    ///
    /// - Parameters:
    ///   - requests: Series with a known step, or the call traps; together at most
    ///     `samplesMaximum` samples, or the call traps too.
    ///   - until: The last instant to look at; nil for the newest observation.
    ///   - db: The transaction.
    /// - Returns: In the order of `requests`; nil where there is no observation.
    /// - Throws: `PostgresError`, or `StoreError.tooManySamples`.
    package static func loadLatest(
        _ requests: [HistoryRequest], until: Timestamp? = nil, in db: borrowing Session
    ) throws -> [TimeSeries?] {
        precondition(
            requests.reduce(0) { $0 + $1.count } <= samplesMaximum
                && requests.allSatisfy { $0.count > 0 },
            "SeriesStore.loadLatest: \(requests.count) series ask for too many samples, or none")
        let steps = requests.map { request in
            guard let step = request.series.stepMicroseconds else {
                preconditionFailure("SeriesStore.loadLatest: a series without a step")
            }
            return step
        }
        // Half a step more, for a first observation that lies a little before its grid instant.
        let reaches = zip(requests, steps).map { Int64($0.count - 1) * $1 + $1 / 2 }
        let rows = try db.run(
            """
            SELECT u.place, o.instants, o.samples
            FROM unnest(\(requests.map(\.series.id.number))::bigint[], \(reaches)::bigint[])
                WITH ORDINALITY AS u (series_id, reach, place)
            CROSS JOIN LATERAL (
                SELECT l.at FROM systole.observation AS l
                WHERE l.series_id = u.series_id
                    AND l.at <= coalesce(\(until)::timestamptz, 'infinity')
                ORDER BY l.at DESC LIMIT 1) AS newest
            CROSS JOIN LATERAL (
                -- As a double, which is exact to the microsecond until 2242 and takes half the time.
                SELECT array_agg((date_part('epoch', l.at) * 1000000)::bigint) AS instants,
                    array_agg(l.value) AS samples
                FROM (
                    SELECT l.at, l.value FROM systole.observation AS l
                    WHERE l.series_id = u.series_id AND l.at <= newest.at
                        AND l.at >= newest.at - u.reach * interval '1 microsecond'
                    ORDER BY l.at) AS l) AS o
            """, format: .binary)
        var found = [TimeSeries?](repeating: nil, count: requests.count)
        for row in rows {
            let place = try row.int("place") - 1
            let samples = Samples(
                instants: try row.int64s("instants"), values: try row.doubles("samples"))
            guard let last = samples.instants.last else { continue }
            found[place] = try onGrid(
                samples, series: requests[place].series, step: steps[place],
                anchor: Timestamp(microseconds: last))
        }
        return found
    }
}
