package import Postgres
package import Series

extension SeriesStore {
    /// The most samples that one load returns.
    package static let samplesMaximum = 20_000_000

    /// The newest samples of a series on its grid.
    ///
    /// - Parameters:
    ///   - id: The series; its step must be known.
    ///   - count: How many grid instants at most; fewer where the series is shorter.
    ///   - until: The last instant to look at; nil for the newest observation.
    ///   - db: The transaction.
    /// - Returns: Samples up to the newest observation, NaN where missing; the first one is an
    ///   observation. Nil where there is no observation.
    /// - Throws: `StoreError.stepUnknown`, `.unknownSeriesNumber` or `.tooManySamples`.
    package static func loadLatest(
        _ id: SeriesID, count: Int, until: Timestamp? = nil, in db: borrowing Session
    ) throws -> TimeSeries? {
        let (series, step) = try regular(id, in: db)
        guard count <= samplesMaximum else {
            throw StoreError.tooManySamples(key: series.key, limit: samplesMaximum)
        }
        precondition(count > 0, "SeriesStore.loadLatest: \(count) samples")
        let newest = try db.run(
            """
            SELECT max(at) AS at FROM systole.observation
            WHERE series_id = \(id) AND at <= coalesce(\(until)::timestamptz, 'infinity')
            """)
        guard let last = try newest.only().optionalTimestamp("at") else { return nil }
        // Half a step more, for a first observation that lies a little before its grid instant.
        let reach = (Int64(count) - 1) * step + step / 2
        let first = Timestamp(microseconds: last.microseconds - reach)
        let rows = try observations(id, from: first, through: last, in: db)
        return try onGrid(rows, series: series, step: step, anchor: last)
    }

    /// The newest samples of a series to learn from: what incidents that were labelled true or
    /// maintenance hold, and maintenance windows, is missing.
    ///
    /// - Parameters:
    ///   - id: The series; its step must be known.
    ///   - count: How many grid instants at most.
    ///   - until: The last instant to look at; nil for the newest observation.
    ///   - db: The transaction.
    /// - Returns: As `loadLatest`, and with the masks.
    /// - Throws: As `loadLatest`.
    package static func loadForTraining(
        _ id: SeriesID, count: Int, until: Timestamp? = nil, in db: borrowing Session
    ) throws -> (all: TimeSeries, masked: TimeSeries)? {
        guard let all = try loadLatest(id, count: count, until: until, in: db) else { return nil }
        let masks = try db.run(
            """
            SELECT from_at, nullif(until_at, 'infinity') AS until_at
            FROM systole.training_masks(\(id)) WHERE until_at >= \(all.grid.start)
            """
        ).map { row in
            let from = try row.timestamp("from_at")
            return from...max(from, try row.optionalTimestamp("until_at") ?? all.grid.end)
        }
        return (all, all.masking(masks))
    }

    /// The samples of a series in a range of time on its grid.
    ///
    /// - Parameters:
    ///   - id: The series; its step must be known.
    ///   - from: The first instant.
    ///   - until: The instant after the range.
    ///   - db: The transaction.
    /// - Returns: Samples from the first observation in the range to the last one, NaN where
    ///   missing. Nil where there is no observation.
    /// - Throws: `StoreError.stepUnknown`, `.unknownSeriesNumber` or `.tooManySamples`.
    package static func load(
        _ id: SeriesID, from: Timestamp, until: Timestamp, in db: borrowing Session
    ) throws -> TimeSeries? {
        let (series, step) = try regular(id, in: db)
        let through = Timestamp(microseconds: until.microseconds - 1)
        let rows = try observations(id, from: from, through: through, in: db)
        guard let last = rows.instants.last else { return nil }
        return try onGrid(
            rows, series: series, step: step, anchor: Timestamp(microseconds: last))
    }

    private static func regular(
        _ id: SeriesID, in db: borrowing Session
    ) throws -> (series: StoredSeries, step: Int64) {
        let series = try find(id, in: db)
        guard let step = series.stepMicroseconds else {
            throw StoreError.stepUnknown(key: series.key)
        }
        return (series, step)
    }

    struct Samples {
        /// Microseconds since 1970, ascending.
        let instants: [Int64]
        let values: [Double]
    }

    private static func observations(
        _ id: SeriesID, from: Timestamp, through: Timestamp, in db: borrowing Session
    ) throws -> Samples {
        let rows = try db.run(
            """
            SELECT at, value FROM systole.observation
            WHERE series_id = \(id) AND at BETWEEN \(from) AND \(through)
            ORDER BY at LIMIT \(samplesMaximum + 1)
            """, format: .binary)
        return Samples(
            instants: try rows.allEpochMicroseconds("at"), values: try rows.allDoubles("value"))
    }

    /// Puts each observation on the nearest instant of the grid through `anchor`; of two on one
    /// instant the nearer counts.
    static func onGrid(
        _ samples: Samples, series: StoredSeries, step: Int64, anchor: Timestamp
    ) throws -> TimeSeries? {
        guard let earliest = samples.instants.first else { return nil }
        let back = (anchor.microseconds - earliest + step / 2) / step
        guard back < samplesMaximum else {
            throw StoreError.tooManySamples(key: series.key, limit: samplesMaximum)
        }
        let start = anchor.microseconds - back * step
        var values = [Double](repeating: .nan, count: Int(back) + 1)
        var distances = [Int64](repeating: .max, count: values.count)
        for (instant, value) in zip(samples.instants, samples.values) {
            let index = Int((instant - start + step / 2).flooredQuotient(by: step))
            let distance = abs(instant - start - Int64(index) * step)
            guard distance < distances[index] else { continue }
            distances[index] = distance
            values[index] = value
        }
        let grid = TimeGrid(
            start: Timestamp(microseconds: start), rate: SamplingRate(stepMicroseconds: step),
            count: values.count)
        return TimeSeries(
            channel: Channel(name: series.key, unit: series.unit), grid: grid, values: values)
    }
}
