internal import Tensors

/// A way to forecast the series of a collection.
package enum CollectionMethod: String, Sendable, CaseIterable, Codable {
    /// The value one season ago.
    case seasonalNaive = "seasonal-naive"
    /// Exponential smoothing of every series on its own.
    case ets
    /// One ridge regression for all series, scaled.
    case ridge
    /// The same on logarithms.
    case ridgeLog = "ridge-log"
    /// One SpaceTime network for all series, scaled.
    case spacetime
    /// The same on logarithms.
    case spacetimeLog = "spacetime-log"
    /// One TSM2 network that mixes all series, where they have the same rows.
    case tsm2

    /// Whether one model is learnt from the windows of all series.
    var isShared: Bool { self != .seasonalNaive && self != .ets && self != .tsm2 }

    /// Whether logarithms are modelled; series that reach zero are lifted above it first.
    var isLogarithmic: Bool { self == .ridgeLog || self == .spacetimeLog }
}

/// Forecasts of one method, and how often it had to fall back.
struct CollectionForecasts: Sendable {
    /// `[origins][horizon]`, in the unit of each series.
    let values: [[Double]]
    /// Origins that another method forecast: the history was too short, or the model's forecast not
    /// a number.
    let fallbacks: Int
}

extension SeriesCollection {
    /// The seasonal naive forecasts of a stage.
    func seasonalNaive(_ stage: Stage) -> CollectionForecasts {
        let naive = SeasonalNaive(season: season)
        let values = stage.origins.map {
            naive.forecast(series[$0.series], origin: $0.row - 1, steps: horizon)
        }
        return CollectionForecasts(values: values, fallbacks: 0)
    }

    /// Exponential smoothing fitted to every series before its cut, filtered on to each origin.
    ///
    /// - Parameters:
    ///   - stage: What to forecast.
    ///   - fallback: For series that are too short.
    ///   - threads: Cores to use.
    /// - Returns: The forecasts; the same with any number of threads.
    func smoothed(
        _ stage: Stage, fallback: CollectionForecasts, threads: Int
    ) -> CollectionForecasts {
        let fits = ParallelMap.map(series.count, threads: threads) { index in
            ETSFit.best(Array(series[index][..<stage.cuts[index]]), season: season)
        }
        var fallbacks = 0
        let values = stage.origins.enumerated().map { place, origin -> [Double] in
            if let fit = fits[origin.series] {
                let first = max(0, stage.cuts[origin.series] - ETSFit.rowsSeen(season: season))
                let known = Array(series[origin.series][first..<origin.row])
                let forecast = fit.forecast(after: known, steps: horizon)
                if forecast.allSatisfy(\.isFinite) { return forecast }
            }
            fallbacks += 1
            return fallback.values[place]
        }
        return CollectionForecasts(values: values, fallbacks: fallbacks)
    }
}
