package import Series

extension FittedPipeline {
    /// The scale in which a model forecasts a series.
    package enum Scale: Sendable {
        /// Mean and deviation of the series that it was fitted on, over its training rows.
        case fitted
        /// Mean and deviation of each look-back window: for series that a model is shared with.
        case window
    }

    /// Forecasts many series in one pass.
    ///
    /// Every series gets what `forecast(history:steps:)` gives it alone, save for rounding: a product
    /// of many rows may add in another order than that of one.
    ///
    /// - Parameters:
    ///   - histories: Each on the step of the fitted series.
    ///   - steps: How many.
    ///   - scale: Of the forecasts; their intervals are as much wider or narrower as it is.
    ///   - widenings: What became of the intervals that were issued for each before; none where empty.
    /// - Returns: In the order of `histories`, each forecast, or why there is none: one that cannot be
    ///   forecast takes nothing from the others.
    package func forecasts(
        of histories: [TimeSeries], steps: Int, scale: Scale, widenings: [IntervalWidening] = []
    ) -> [Result<Forecast, ForecastError>] {
        precondition(
            widenings.isEmpty || widenings.count == histories.count,
            "forecasts: \(widenings.count) widenings for \(histories.count) histories")
        let windows = histories.map { history in
            Result { () throws(ForecastError) in
                try Window(of: history, steps: steps, scale: scale, for: self)
            }
        }
        let usable = windows.compactMap { try? $0.get() }  // What failed is answered below.
        let values = points(usable, steps: steps)
        var next = 0
        return windows.enumerated().map { index, window in
            window.flatMap { window in
                defer { next += 1 }
                let own = Array(values[(next * steps)..<((next + 1) * steps)])
                let widening = widenings.isEmpty ? .none : widenings[index]
                return Result { () throws(ForecastError) in
                    try forecast(own, after: window, widening: widening)
                }
            }
        }
    }

    /// The rows that a model looks back on, ready to be forecast from.
    struct Window {
        let history: TimeSeries
        let scale: Standardiser
        /// Row of the last observation.
        let origin: Int
        /// `[lag]`, in the unit of the series, gaps filled.
        let values: [Double]
        /// How many gaps that were.
        let filled: Int

        /// - Throws: `ForecastError` where the history is too short, has too many gaps, or, with
        ///   `.window`, no deviation.
        init(
            of history: TimeSeries, steps: Int, scale: Scale, for pipeline: FittedPipeline
        ) throws(ForecastError) {
            try pipeline.check(history, steps: steps)
            guard let origin = history.values.lastIndex(where: { $0.isFinite }) else {
                throw .allMissing(rows: history.values.count)
            }
            let task = pipeline.task
            guard origin + 1 >= task.lag else {
                throw .historyTooShort(found: origin + 1, needed: task.lag)
            }
            let window = Array(history.values[(origin + 1 - task.lag)..<(origin + 1)])
            let gaps = GapIndex(window)
            if let objection = GapBudget(task, pipeline.family).objection(to: window.indices, gaps)
            {
                throw objection
            }
            self.history = history
            self.origin = origin
            filled = gaps.missing(in: window.indices)
            values = filled == 0 ? window : CausalFill.fill(window, season: task.season)
            switch scale {
            case .fitted: self.scale = pipeline.standardiser
            case .window: self.scale = try Standardiser(fitting: values)
            }
        }
    }

    /// Point forecasts in the unit of each series, `[windows.count, steps]`, row-major.
    func points(_ windows: [Window], steps: Int) -> [Double] {
        guard !windows.isEmpty else { return [] }
        // The naive forecast copies values as they are, without a trip through scaled `Float`.
        if case .seasonalNaive(let naive) = forecaster {
            return windows.flatMap {
                naive.forecast($0.values, origin: $0.values.count - 1, steps: steps)
            }
        }
        let lag = task.lag
        var scaled: [Float] = []
        scaled.reserveCapacity(windows.count * lag)
        for window in windows {
            for value in window.values { scaled.append(Float(window.scale.scale(value))) }
        }
        let starts = windows.indices.map { $0 * lag }
        let forecasts = forecaster.forecast(scaled, starts: starts, lag: lag, steps: steps)
        return forecasts.indices.map { place in
            windows[place / steps].scale.unscale(Double(forecasts[place]))
        }
    }

    /// A forecast with its intervals.
    ///
    /// - Throws: `ForecastError.diverged`.
    func forecast(
        _ values: [Double], after window: Window, widening: IntervalWidening = .none
    ) throws(ForecastError) -> Forecast {
        guard values.allSatisfy(\.isFinite) else { throw .diverged(family) }
        let scale = window.scale
        return Forecast(
            grid: window.history.grid.suffix(from: window.origin + 1, count: values.count),
            dataUntil: window.history.grid.instant(at: window.origin), values: values,
            levels: calibrator.levels,
            quantiles: calibrator.quantiles(of: scale.scale(values), widening: widening).map {
                row in row.map { scale.unscale($0) }
            })
    }

    /// This pipeline for another series: the same weights in that series' own scale.
    ///
    /// - Parameter scale: Of the other series.
    /// - Returns: The pipeline; its report tells of the fit that it comes from.
    package func rescaled(to scale: Standardiser) -> FittedPipeline {
        var other = self
        other.standardiser = scale
        return other
    }
}
