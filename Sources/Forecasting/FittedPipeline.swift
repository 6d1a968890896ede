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
    /// Of the fitted series, unless `rescaled(to:)` gave it that of another.
    package internal(set) var standardiser: Standardiser

    package var family: Family { report.family }
    package var task: ForecastTask { report.task }
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
        let window = try Window(of: history, steps: steps, scale: .fitted, for: self)
        return Diagnosed(
            forecast: try forecast(points([window], steps: steps), after: window),
            filled: window.filled, uncalibratedSteps: max(0, steps - calibrator.horizon))
    }

    func check(_ history: TimeSeries, steps: Int) throws(ForecastError) {
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
