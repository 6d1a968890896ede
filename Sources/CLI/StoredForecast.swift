import Forecasting
import Postgres
import Series
import Store

/// The newest forecast of a stored series with what belongs beside it.
struct StoredForecast {
    let run: ForecastRun
    /// Up to the last observation that the forecast knew.
    let past: TimeSeries
    /// Observations that came since, within the horizon.
    let actual: TimeSeries?
    /// Observations at the peak of incidents, in the range shown.
    let anomalies: [Observation]

    /// Asks for a forecast and waits until it is there.
    static func request(_ key: String, steps: Int, on pool: Pool) async throws {
        let line = ProgressLine()
        defer { line.end() }
        line.show("forecasting \(key)")
        let horizon = try await pool.run(
            """
            SELECT (\(steps)::integer * step)::text AS horizon FROM systole.series_list
            WHERE series_id = systole.series_id_of(\(key))
            """
        ).only().optionalText("horizon")
        _ = try await pool.run(
            "CALL systole.forecast_now(\(key), horizon => \(horizon)::interval)")
    }

    /// Reads the newest forecast of a series.
    ///
    /// - Parameters:
    ///   - key: The series.
    ///   - pool: Where it is read.
    ///   - history: Steps before the forecast; twice the horizon unless given.
    /// - Returns: The forecast and what is beside it.
    /// - Throws: `StoreError` for an unknown series, `Missing` where there is no forecast yet.
    static func newest(of key: String, on pool: Pool, history: Int?) async throws -> StoredForecast
    {
        try await pool.transaction { db in
            let series = try SeriesStore.find(key: key, in: db)
            guard let run = try ForecastLedger.newest(series.id, in: db) else {
                throw Missing(key: key)
            }
            let steps = history ?? max(48, 2 * run.forecast.grid.count)
            guard
                let past = try SeriesStore.loadLatest(
                    series.id, count: steps, until: run.forecast.dataUntil, in: db)
            else { throw Missing(key: key) }
            let later = try SeriesStore.load(
                series.id, from: run.forecast.grid.start, until: run.forecast.grid.end, in: db)
            let peaks = try db.run(
                """
                SELECT peak_at, observed FROM systole.anomalies
                WHERE series = \(key) AND observed IS NOT NULL AND peak_at BETWEEN \(past.grid.start)
                    AND \(run.forecast.grid.end)
                ORDER BY peak_at
                """)
            return StoredForecast(
                run: run, past: past, actual: later,
                anomalies: try peaks.map { row in
                    Observation(
                        at: Timestamp(microseconds: try row.epochMicroseconds("peak_at")),
                        value: try row.double("observed"))
                })
        }
    }

    /// A series that was never forecast.
    struct Missing: Error, CustomStringConvertible {
        let key: String
        var description: String {
            "\(key) has no forecast yet; ask for one with --horizon"
        }
    }
}
