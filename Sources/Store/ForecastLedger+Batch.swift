package import Postgres
package import Series

/// One forecast of a batch, checked and in the form in which it is stored.
package struct LedgerEntry: Sendable {
    package let series: SeriesID
    package let model: ModelID
    let intervals: IntervalMethod
    let dataUntil: Timestamp
    let start: Timestamp
    let arrays: ForecastArrays

    /// - Parameters:
    ///   - forecast: Values and quantiles; they are stored in single precision.
    ///   - series: Whose forecast it is.
    ///   - model: The stored model that made it.
    ///   - intervals: How wide they are.
    /// - Throws: `StoreError.forecastUnusable`.
    package init(
        _ forecast: Forecast, series: SeriesID, model: ModelID, intervals: IntervalMethod = .split
    ) throws {
        self.series = series
        self.model = model
        self.intervals = intervals
        dataUntil = forecast.dataUntil
        start = forecast.grid.start
        arrays = try ForecastArrays(forecast)
    }
}

extension ForecastLedger {
    /// What entries have in common that one statement writes.
    private struct Shape: Hashable {
        let steps: Int
        let levels: [Float]
    }

    /// Adds many forecasts, with the event `forecast.completed` of each.
    ///
    /// - Parameters:
    ///   - entries: Of different series, in any order.
    ///   - run: The job run that made them.
    ///   - db: The transaction, in which the job also completes.
    /// - Throws: `StoreError.forecastExists` where the job left one of them before, or
    ///   `.unknownModel`.
    package static func write(
        _ entries: [LedgerEntry], run: JobRun, in db: borrowing Session
    ) throws {
        // Series in order, so that two writers of the same ones cannot wait for each other.
        let ordered = entries.sorted { $0.series.number < $1.series.number }
        try db.run(
            """
            SELECT FROM systole.accuracy_state
            WHERE series_id = ANY (\(ordered.map(\.series.number))::bigint[])
            ORDER BY series_id FOR UPDATE
            """)
        let shapes = Dictionary(grouping: ordered) {
            Shape(steps: $0.arrays.values.count, levels: $0.arrays.levels)
        }
        for (shape, entries) in shapes {
            let written = try write(entries, of: shape, run, in: db)
            guard written < entries.count else { continue }
            let known = try db.run(
                """
                SELECT model_id FROM systole.model
                WHERE model_id = ANY (\(entries.map(\.model.number))::bigint[])
                """
            ).allInt64s("model_id")
            if let unknown = entries.first(where: { !known.contains($0.model.number) }) {
                throw StoreError.unknownModel(unknown.model)
            }
            throw StoreError.forecastExists(series: entries[0].series, job: run.jobID)
        }
    }

    /// - Returns: How many were written.
    private static func write(
        _ entries: [LedgerEntry], of shape: Shape, _ run: JobRun, in db: borrowing Session
    ) throws -> Int {
        let quantileCount = shape.steps * shape.levels.count
        return try db.run(
            """
            WITH given AS MATERIALIZED (
                SELECT \(entries.flatMap(\.arrays.values))::real[] AS values,
                    \(entries.flatMap(\.arrays.quantiles))::real[] AS quantiles),
            written AS (
                INSERT INTO systole.forecast (series_id, model_id, family, model_version, data_until,
                    start_at, step_us, value, levels, quantiles, interval_method, achieved_80,
                    achieved_95, job_id, lease_no)
                SELECT u.series_id, m.model_id, m.family, m.version,
                    systole.instant_at('1970-01-01 00:00:00+00', u.data_until, 1),
                    systole.instant_at('1970-01-01 00:00:00+00', u.start_at, 1), u.step_us,
                    g.values[(u.place - 1) * \(shape.steps)::integer + 1
                        : u.place * \(shape.steps)::integer],
                    \(shape.levels)::real[],
                    g.quantiles[(u.place - 1) * \(quantileCount)::integer + 1
                        : u.place * \(quantileCount)::integer],
                    u.interval_method, c.achieved_80, c.achieved_95,
                    \(run.jobID)::bigint, \(run.leaseNumber)::bigint
                FROM given AS g
                CROSS JOIN unnest(
                    \(entries.map(\.series.number))::bigint[],
                    \(entries.map(\.model.number))::bigint[],
                    \(entries.map(\.dataUntil.microseconds))::bigint[],
                    \(entries.map(\.start.microseconds))::bigint[],
                    \(entries.map(\.arrays.stepMicroseconds))::bigint[],
                    \(entries.map(\.intervals.rawValue))::text[]
                ) WITH ORDINALITY AS u (
                    series_id, model_id, data_until, start_at, step_us, interval_method, place)
                JOIN systole.model AS m ON m.model_id = u.model_id
                CROSS JOIN LATERAL systole.achieved_coverage(u.series_id, u.model_id) AS c
                ON CONFLICT ON CONSTRAINT forecast_once_per_job DO NOTHING
                RETURNING forecast_id, series_id, model_id, data_until, start_at, end_at),
            due AS (
                UPDATE systole.accuracy_state AS s
                SET due_from = least(s.due_from, w.start_at),
                    due_until = greatest(s.due_until, least(w.end_at, s.counted_until)),
                    due_since = coalesce(s.due_since, now())
                FROM written AS w
                WHERE s.series_id = w.series_id AND s.counted_until >= w.start_at)
            SELECT systole.emit_all('forecast.completed', array_agg(s.key), array_agg(
                jsonb_build_object('series_id', w.series_id, 'series', s.key,
                    'forecast_id', w.forecast_id, 'model_id', w.model_id,
                    'data_until', systole.iso8601(w.data_until),
                    'steps', \(shape.steps)::integer))) AS written
            FROM written AS w JOIN systole.series AS s USING (series_id)
            """
        ).only().int("written")
    }
}
