package import Series

/// A fitted model with everything that turns a history into a calibrated forecast: scale, weights,
/// intervals, and the record of how it came about.
package struct FittedPipeline: Sendable {
    package let report: FitReport
    package let calibrator: ConformalCalibrator
    let forecaster: Forecaster
    /// Of the series that it was fitted on; a history must have the same.
    let rate: SamplingRate
    /// The residuals at the first steps of the horizon; what scores are measured by.
    let residuals: [ResidualDistribution]

    package var family: Family { report.family }
    package var task: ForecastTask { report.task }
    package var standardiser: Standardiser { report.standardiser }
    /// The longest horizon that this model forecasts, in steps.
    package var stepsMaximum: Int { forecaster.stepsMaximum ?? ForecastTask.horizonMaximum }

    /// A forecast, and what was done to the history to make it.
    package struct Diagnosed: Sendable {
        package let forecast: Forecast
        /// Missing values in the look-back window that were filled from the season before.
        package let filled: Int
        /// Steps at the end whose intervals lie beyond the calibrated horizon: wider by
        /// extrapolation, without a guarantee.
        package let uncalibratedSteps: Int
    }

    /// Forecasts the steps after the last observation of a history.
    ///
    /// A ridge model, and an ensemble with one, forecasts up to the horizon it was fitted for; the
    /// others go on, with intervals that are extrapolated beyond the calibrated horizon.
    ///
    /// - Parameters:
    ///   - history: On the step of the fitted series; rows that are missing at the end are passed
    ///     over, so that step 1 follows the last observation.
    ///   - steps: How many.
    /// - Returns: Values and quantiles in the unit of the series.
    /// - Throws: `ForecastError`.
    package func forecast(
        history: TimeSeries, steps: Int
    ) throws(ForecastError) -> Forecast {
        try diagnosedForecast(history: history, steps: steps).forecast
    }

    /// As `forecast(history:steps:)`, with its diagnostics.
    ///
    /// - Parameters:
    ///   - history: On the step of the fitted series.
    ///   - steps: How many.
    /// - Returns: The forecast, how many inputs were filled, how many steps lie beyond calibration.
    /// - Throws: `ForecastError`.
    package func diagnosedForecast(
        history: TimeSeries, steps: Int
    ) throws(ForecastError) -> Diagnosed {
        try check(history, steps: steps)
        guard let origin = history.values.lastIndex(where: { $0.isFinite }) else {
            throw .allMissing(rows: history.values.count)
        }
        guard origin + 1 >= task.lag else {
            throw .historyTooShort(found: origin + 1, needed: task.lag)
        }
        let range = (origin + 1 - task.lag)..<(origin + 1)
        let window = Array(history.values[range])
        let gaps = GapIndex(window)
        if let objection = GapBudget(task, family).objection(to: window.indices, gaps) {
            throw objection
        }
        let filled = CausalFill.fill(window, season: task.season)
        let values = point(filled, steps: steps)
        guard values.allSatisfy(\.isFinite) else { throw .diverged(family) }
        let quantiles = calibrator.quantiles(of: standardiser.scale(values))
        return Diagnosed(
            forecast: Forecast(
                grid: history.grid.suffix(from: origin + 1, count: steps),
                dataUntil: history.grid.instant(at: origin), values: values,
                levels: calibrator.levels,
                quantiles: quantiles.map { $0.map { standardiser.unscale($0) } }),
            filled: gaps.missing(in: window.indices),
            uncalibratedSteps: max(0, steps - calibrator.horizon))
    }

    /// Point forecasts in the unit of the series.
    private func point(_ window: [Double], steps: Int) -> [Double] {
        // The naive forecast copies values as they are, without a trip through scaled `Float`.
        if case .seasonalNaive(let naive) = forecaster {
            return naive.forecast(window, origin: window.count - 1, steps: steps)
        }
        let scaled = standardiser.scale(window).map { Float($0) }
        return forecaster.forecast(scaled, starts: [0], lag: task.lag, steps: steps)
            .map { standardiser.unscale(Double($0)) }
    }

    private func check(_ history: TimeSeries, steps: Int) throws(ForecastError) {
        guard steps >= 1 else { throw .horizonNotPositive(found: steps) }
        guard steps <= ForecastTask.horizonMaximum else {
            throw .horizonTooLong(found: steps, maximum: ForecastTask.horizonMaximum)
        }
        if let maximum = forecaster.stepsMaximum, steps > maximum {
            throw .horizonBeyondModel(found: steps, trained: maximum)
        }
        try check(stepOf: history)
    }

    func check(stepOf history: TimeSeries) throws(ForecastError) {
        guard history.grid.rate == rate else {
            throw .stepMismatch(
                foundSeconds: history.grid.rate.stepSeconds, modelSeconds: rate.stepSeconds)
        }
    }
}
