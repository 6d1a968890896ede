package import Series

/// What is to be forecast from how much: all three counts are steps of the series' grid.
package struct ForecastTask: Hashable, Sendable, Codable {
    /// The longest horizon that anything here forecasts, in steps.
    package static let horizonMaximum = 10_000
    /// The longest look-back, in steps; a ridge fit takes memory and time by its square and cube.
    package static let lagMaximum = 4_096

    /// Observations that a forecast looks back on.
    package let lag: Int
    /// Steps forecast.
    package let horizon: Int
    /// Steps of one season; 1 where there is none. Never above `lag`.
    package let season: Int

    /// - Parameters:
    ///   - lag: In `season...lagMaximum`, or the error says so.
    ///   - horizon: In `1...horizonMaximum`.
    ///   - season: At least 1.
    /// - Throws: `horizonNotPositive`, `horizonTooLong` or `lagOutOfRange`.
    package init(lag: Int, horizon: Int, season: Int) throws(ForecastError) {
        guard horizon >= 1 else { throw .horizonNotPositive(found: horizon) }
        guard horizon <= Self.horizonMaximum else {
            throw .horizonTooLong(found: horizon, maximum: Self.horizonMaximum)
        }
        guard season >= 1, lag >= season, lag <= Self.lagMaximum else {
            throw .lagOutOfRange(found: lag, minimum: max(1, season), maximum: Self.lagMaximum)
        }
        self.lag = lag
        self.horizon = horizon
        self.season = season
    }

    /// The task that suits a series when only the horizon is given.
    ///
    /// The season is inferred from the step and the data. The look-back is the published 336 steps
    /// or, where a season is longer, one season; on a short series it shrinks by whole seasons
    /// until a quarter of the rows suffices.
    ///
    /// - Throws: `ForecastError` for an impossible horizon.
    package static func suggested(
        for series: TimeSeries, horizon: Int
    ) throws(ForecastError) -> ForecastTask {
        let season = Season.inferred(for: series)
        let wanted = max(336, season)
        let affordable = max(season, series.values.count / 4)
        let lag = min(wanted, affordable) / season * season
        return try ForecastTask(lag: lag, horizon: horizon, season: season)
    }

    /// The shortest series on which this task can be fitted: enough rows for the least training and
    /// validation windows that do not share targets.
    package var rowsMinimum: Int {
        lag + 2 * horizon + Split.trainWindowsMinimum + Split.validationWindowsMinimum - 2
    }

    private enum CodingKeys: String, CodingKey { case lag, horizon, season }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            lag: fields.decode(Int.self, forKey: .lag),
            horizon: fields.decode(Int.self, forKey: .horizon),
            season: fields.decode(Int.self, forKey: .season))
    }
}
