import Tensors

/// A fitted model of any family: scaled windows in, scaled forecasts out.
enum Forecaster: Sendable {
    case seasonalNaive(SeasonalNaive)
    case ets(ETSForecaster)
    case ridge(RidgeForecaster)
    case spacetime(SpaceTimeForecaster)
    case ensemble(EnsembleForecaster)

    var family: Family {
        switch self {
        case .seasonalNaive: .seasonalNaive
        case .ets: .ets
        case .ridge: .ridge
        case .spacetime: .spacetime
        case .ensemble: .ensemble
        }
    }

    /// Numbers learnt from the training windows.
    var parameterCount: Int {
        switch self {
        case .seasonalNaive: 0
        case .ets(let ets): ets.parameters.count(ets.form)
        case .ridge(let ridge): ridge.weights.count
        case .spacetime(let spacetime): spacetime.trained.record.parameters
        case .ensemble(let ensemble):
            ensemble.members.reduce(ensemble.members.count - 1) { $0 + $1.parameterCount }
        }
    }

    /// The longest horizon; nil where there is none.
    var stepsMaximum: Int? {
        switch self {
        case .seasonalNaive, .ets, .spacetime: nil
        case .ridge(let ridge): ridge.horizon
        case .ensemble(let ensemble): ensemble.members.compactMap(\.stepsMaximum).min()
        }
    }

    /// Forecasts of many windows.
    ///
    /// - Parameters:
    ///   - series: Scaled, finite in every window.
    ///   - starts: Where the windows begin.
    ///   - lag: Length of a window.
    ///   - steps: At most `stepsMaximum`, or the call traps.
    /// - Returns: `[starts.count, steps]`, row-major, scaled.
    func forecast(_ series: [Float], starts: [Int], lag: Int, steps: Int) -> [Float] {
        switch self {
        case .seasonalNaive(let naive):
            return starts.flatMap {
                naive.forecast(series, origin: $0 + lag - 1, steps: steps)
            }
        case .ets(let ets):
            return starts.flatMap { ets.forecast(series, window: $0..<($0 + lag), steps: steps) }
        case .ridge(let ridge):
            precondition(
                lag == ridge.lag && steps <= ridge.horizon, "Ridge: lag \(lag), steps \(steps)")
            let all = ridge.forecast(series, starts: starts)
            if steps == ridge.horizon { return all.values }
            return starts.indices.flatMap { row in
                all.values[(row * ridge.horizon)..<(row * ridge.horizon + steps)]
            }
        case .spacetime(let spacetime):
            return spacetime.forecast(series, starts: starts, steps: steps)
        case .ensemble(let ensemble):
            return ensemble.combined {
                $0.forecast(series, starts: starts, lag: lag, steps: steps)
            }
        }
    }

    /// The first steps of the forecasts of neighbouring windows.
    ///
    /// - Parameters:
    ///   - series: Scaled, finite in every window.
    ///   - starts: Where the windows begin.
    ///   - lag: Length of a window.
    /// - Returns: `[starts.count]`, scaled.
    func next(_ series: [Float], starts: Range<Int>, lag: Int) -> [Float] {
        switch self {
        case .seasonalNaive(let naive):
            return starts.map { series[naive.source(origin: $0 + lag - 1, step: 1)] }
        case .ets(let ets):
            return starts.flatMap { ets.forecast(series, window: $0..<($0 + lag), steps: 1) }
        case .ridge(let ridge):
            return starts.map { ridge.next(series, start: $0) }
        case .spacetime(let spacetime):
            return spacetime.forecast(series, starts: starts, steps: 1)
        case .ensemble(let ensemble):
            return ensemble.combined { $0.next(series, starts: starts, lag: lag) }
        }
    }

    /// One further step of the forecasts of neighbouring windows.
    ///
    /// - Parameters:
    ///   - series: Scaled, finite in every window.
    ///   - starts: Where the windows begin.
    ///   - lag: Length of a window.
    ///   - step: 1 for the row after a window; at most `stepsMaximum`, or the call traps.
    /// - Returns: `[starts.count]`, scaled.
    func ahead(_ series: [Float], starts: Range<Int>, lag: Int, step: Int) -> [Float] {
        switch self {
        case .seasonalNaive(let naive):
            return starts.map { series[naive.source(origin: $0 + lag - 1, step: step)] }
        case .ridge(let ridge):
            let weights = ridge.column(step)
            return starts.map { ridge.product(series, start: $0, weights) }
        case .ensemble(let ensemble):
            return ensemble.combined { $0.ahead(series, starts: starts, lag: lag, step: step) }
        case .ets, .spacetime:
            let all = forecast(series, starts: Array(starts), lag: lag, steps: step)
            return starts.indices.map { all[($0 - starts.lowerBound + 1) * step - 1] }
        }
    }
}
