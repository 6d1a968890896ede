/// Exponential smoothing as one family among others: form and parameters learnt once, the state
/// found anew in every window.
struct ETSForecaster: Sendable {
    let form: ETSForm
    let parameters: ETSParameters
    /// Rows of a season; 1 where the form has none.
    let season: Int
    /// Back to the unit of the series, in which multiplicative parts have their meaning.
    let standardiser: Standardiser
    /// Values below this count as this much, in the unit of the series; −∞ where the form is additive.
    let floor: Double

    /// Fits on the newest training rows.
    ///
    /// The season enters if the look-back holds it twice and more, since the state is found in it.
    ///
    /// - Throws: `ForecastError.seriesTooShort`.
    static func fit(_ prepared: PreparedSeries, rows: Int) throws(ForecastError) -> Fitted {
        let task = prepared.task
        let learnt = prepared.inputs[..<rows].map { prepared.standardiser.unscale($0) }
        let isSeasonal = ETSFit.isSeasonal(task.season, rows: task.lag)
        let season = isSeasonal ? task.season : 1
        guard let fit = ETSFit.best(learnt, season: season) else {
            throw .seriesTooShort(found: learnt.count, needed: ETSFit.rowsMinimum)
        }
        let isPositive = fit.form.season == .multiplicative
        let least = learnt.min() ?? 0
        let forecaster = ETSForecaster(
            form: fit.form, parameters: fit.parameters,
            season: fit.form.season == .none ? 1 : season, standardiser: prepared.standardiser,
            floor: isPositive ? least / 2 : -.greatestFiniteMagnitude)
        return Fitted(forecaster: forecaster, aicc: fit.aicc)
    }

    /// A forecaster and the criterion that chose it.
    struct Fitted {
        let forecaster: ETSForecaster
        let aicc: Double
    }

    /// Forecasts after one window.
    ///
    /// - Parameters:
    ///   - series: Scaled, finite in the window.
    ///   - window: Rows of the window.
    ///   - steps: Any number.
    /// - Returns: `[steps]`, scaled.
    func forecast(_ series: [Float], window: Range<Int>, steps: Int) -> [Float] {
        let values = series[window].map { max(standardiser.unscale(Double($0)), floor) }
        var state = ETSState(startOf: values, form, season: season)
        _ = state.take(values, form, parameters)
        return state.forecast(steps: steps, form, parameters).map {
            Float(standardiser.scale($0))
        }
    }

    /// What was chosen, by name.
    var settings: [String: String] {
        var settings = ["form": form.name, "alpha": "\(parameters.level)"]
        if form.trend != .none { settings["beta"] = "\(parameters.trend)" }
        if form.trend == .damped { settings["phi"] = "\(parameters.damping)" }
        if form.season != .none {
            settings["gamma"] = "\(parameters.season)"
            settings["season"] = "\(season)"
        }
        return settings
    }
}
