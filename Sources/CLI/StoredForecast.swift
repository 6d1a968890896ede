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
    /// Whose past it rests on most, where it was forecast with others; nil where it was not.
    let restsOn: String?

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
            let others = try db.run(
                """
                SELECT string_agg(format('%s %s %%', i.rests_on, round(i.share * 100)), ', '
                    ORDER BY i.share DESC) AS names
                FROM (
                    SELECT i.rests_on, i.share FROM systole.groups AS g
                    CROSS JOIN LATERAL systole.group_influence(g.name) AS i
                    WHERE \(key) = ANY (g.series) AND i.series = \(key) AND i.issued_at = (
                        SELECT max(f.issued_at) FROM systole.forecasts AS f WHERE f.series = \(key))
                    ORDER BY i.share DESC LIMIT 3) AS i
                """)
            return StoredForecast(
                run: run, past: past, actual: later,
                anomalies: try peaks.map { row in
                    Observation(
                        at: Timestamp(microseconds: try row.epochMicroseconds("peak_at")),
                        value: try row.double("observed"))
                }, restsOn: try others.only().optionalText("names"))
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
