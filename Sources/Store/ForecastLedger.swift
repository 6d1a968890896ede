package import Postgres
package import Series

/// One forecast as it was issued.
package struct ForecastRun: Sendable {
    package let id: Int64
    package let series: SeriesID
    package let model: ModelID
    package let family: String
    package let modelVersion: Int64
    package let issuedAt: Timestamp
    package let forecast: Forecast
    package let run: JobRun?
}

/// How wide the intervals of a forecast are.
package enum IntervalMethod: String, Sendable {
    /// As at the fit.
    case split
    /// Wider or narrower by what became of those that the model issued before.
    case adaptive
}

/// The forecasts that were issued: added to, never changed.
package enum ForecastLedger {
    /// The most steps of one forecast.
    package static let stepsMaximum = 10_000

    /// Adds one forecast.
    ///
    /// - Parameters:
    ///   - forecast: Values and quantiles; they are stored in single precision.
    ///   - series: Whose forecast it is.
    ///   - model: The stored model that made it.
    ///   - intervals: How wide they are.
    ///   - run: The job run that made it; nil outside a job.
    ///   - db: The transaction, in which a job also completes and tells of it.
    /// - Returns: The number of the forecast.
    /// - Throws: `StoreError.forecastUnusable`, `.forecastExists` or `.unknownModel`.
    @discardableResult
    package static func write(
        _ forecast: Forecast, series: SeriesID, model: ModelID, intervals: IntervalMethod = .split,
        run: JobRun? = nil, in db: borrowing Session
    ) throws -> Int64 {
        let arrays = try ForecastArrays(forecast)
        // Where truth has arrived meanwhile, or had long been there, nothing else would say so: the
        // lock lets no marking pass between this look and the commit.
        let rows = try db.run(
            """
            WITH state AS MATERIALIZED (
                SELECT series_id, counted_until FROM systole.accuracy_state
                WHERE series_id = \(series) FOR UPDATE),
            written AS (
            INSERT INTO systole.forecast (series_id, model_id, family, model_version, data_until,
                start_at, step_us, value, levels, quantiles, interval_method, achieved_80,
                achieved_95, job_id, lease_no)
            SELECT \(series), m.model_id, m.family, m.version, \(forecast.dataUntil),
                \(forecast.grid.start), \(arrays.stepMicroseconds), \(arrays.values)::real[],
                \(arrays.levels)::real[], \(arrays.quantiles)::real[], \(intervals.rawValue),
                c.achieved_80, c.achieved_95, \(run?.jobID)::bigint, \(run?.leaseNumber)::bigint
            FROM systole.model AS m
            CROSS JOIN LATERAL systole.achieved_coverage(\(series), m.model_id) AS c
            WHERE m.model_id = \(model)
            ON CONFLICT ON CONSTRAINT forecast_once_per_job DO NOTHING
            RETURNING forecast_id, series_id, start_at, end_at),
            due AS (
                UPDATE systole.accuracy_state AS s
                SET due_from = least(s.due_from, w.start_at),
                    due_until = greatest(s.due_until, least(w.end_at, state.counted_until)),
                    due_since = coalesce(s.due_since, now())
                FROM written AS w JOIN state USING (series_id)
                WHERE s.series_id = w.series_id AND state.counted_until >= w.start_at)
            SELECT forecast_id FROM written
            """)
        if let row = rows.first { return try row.int64("forecast_id") }
        let known = try db.run("SELECT FROM systole.model WHERE model_id = \(model)")
        guard let run, known.count == 1 else { throw StoreError.unknownModel(model) }
        throw StoreError.forecastExists(series: series, job: run.jobID)
    }

    /// The newest forecast of a series; nil where there is none.
    package static func newest(
        _ series: SeriesID, in db: borrowing Session
    ) throws -> ForecastRun? {
        try read(series, "true", in: db)
    }

    /// What was believed at `instant`: the newest forecast issued by then.
    package static func newest(
        _ series: SeriesID, asOf instant: Timestamp, in db: borrowing Session
    ) throws -> ForecastRun? {
        try read(series, "issued_at <= \(instant)", in: db)
    }

    private static func read(
        _ series: SeriesID, _ condition: SQL, in db: borrowing Session
    ) throws -> ForecastRun? {
        let rows = try db.run(
            """
            SELECT forecast_id, model_id, family, model_version, issued_at, data_until, start_at,
                step_us, value, levels, quantiles, job_id, lease_no
            FROM systole.forecast WHERE series_id = \(series) AND \(condition)
            ORDER BY issued_at DESC, forecast_id DESC LIMIT 1
            """, format: .binary)
        guard let row = rows.first else { return nil }
        var run: JobRun?
        if let job = try row.optionalInt64("job_id"), let lease = try row.optionalInt64("lease_no")
        {
            run = JobRun(jobID: job, leaseNumber: lease)
        }
        return ForecastRun(
            id: try row.int64("forecast_id"), series: series,
            model: ModelID(try row.int64("model_id")), family: try row.text("family"),
            modelVersion: try row.int64("model_version"), issuedAt: try row.timestamp("issued_at"),
            forecast: try ForecastArrays.forecast(row), run: run)
    }
}

/// A forecast in the arrays of its row.
struct ForecastArrays {
    let stepMicroseconds: Int64
    let values: [Float]
    /// Ascending.
    let levels: [Float]
    /// `[levels × steps]`, level by level.
    let quantiles: [Float]

    init(_ forecast: Forecast) throws {
        let (grid, rate) = (forecast.grid, forecast.grid.rate)
        guard (1...ForecastLedger.stepsMaximum).contains(grid.count) else {
            throw StoreError.forecastUnusable(.length, step: grid.count)
        }
        let (step, rest) = (rate.denominator * 1_000_000)
            .quotientAndRemainder(dividingBy: rate.numerator)
        guard rest == 0 else { throw StoreError.forecastUnusable(.stepNotWhole, step: 1) }
        guard grid.start > forecast.dataUntil else {
            throw StoreError.forecastUnusable(.beginsBeforeItsData, step: 1)
        }
        stepMicroseconds = step
        values = try Self.single(forecast.values)
        levels = forecast.levels.map { Float($0.probability) }
        let rows = try forecast.quantiles.map { try Self.single($0) }
        for (lower, upper) in zip(rows, rows.dropFirst()) {
            for (index, pair) in zip(lower, upper).enumerated() where pair.0 > pair.1 {
                throw StoreError.forecastUnusable(.quantilesCross, step: index + 1)
            }
        }
        quantiles = rows.flatMap(\.self)
    }

    /// Rounding keeps the order of quantiles.
    private static func single(_ values: [Double]) throws -> [Float] {
        let single = values.map { Float($0) }
        if let index = single.firstIndex(where: { !$0.isFinite }) {
            throw StoreError.forecastUnusable(.notFinite, step: index + 1)
        }
        return single
    }

    /// The forecast of a row of the ledger.
    static func forecast(_ row: Row) throws -> Forecast {
        let values = try row.doubles("value")
        let quantiles = try row.doubles("quantiles")
        let grid = TimeGrid(
            start: try row.timestamp("start_at"),
            rate: SamplingRate(stepMicroseconds: try row.int64("step_us")), count: values.count)
        // Levels come back as they were meant: 0.1, not the nearest single-precision number.
        let levels = try row.floats("levels").map { level in
            QuantileLevel(Double(level.description) ?? Double(level))
        }
        let split = levels.indices.map { index in
            Array(quantiles[index * values.count..<(index + 1) * values.count])
        }
        return Forecast(
            grid: grid, dataUntil: try row.timestamp("data_until"), values: values, levels: levels,
            quantiles: split)
    }
}
