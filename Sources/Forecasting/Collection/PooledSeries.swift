import Foundation

/// The series of a collection made alike and laid end to end, so that one model learns from all.
///
/// Each series is centred, and divided by its mean absolute seasonal difference: an error of 1 then
/// means as much in every series.
struct PooledSeries: Sendable {
    let task: ForecastTask
    let isLogarithmic: Bool
    /// All series end to end, scaled; of each the rows before its test rows.
    let values: [Float]
    /// `[series]`; where each begins in `values`.
    private let offsets: [Int]
    private let centres: [Double]
    private let scales: [Double]
    private let lifts: [Double]
    /// Starts of the windows to learn from, of all series.
    let trainStarts: [Int]
    /// Starts of the windows to choose settings by.
    let validationStarts: [Int]
    /// Starts of all windows before the test rows, to learn from once the settings are chosen.
    let allStarts: [Int]

    /// Windows to learn from where there are more: every so many is taken.
    static let windowsMaximum = 60_000

    /// Nil where no window fits into the rows.
    ///
    /// - Parameters:
    ///   - collection: The series.
    ///   - stage: The validation stage; its cuts part what is learnt from what chooses.
    ///   - isLogarithmic: Whether logarithms are modelled.
    init?(_ collection: SeriesCollection, _ stage: SeriesCollection.Stage, isLogarithmic: Bool) {
        let (lag, horizon) = (collection.lag, collection.horizon)
        guard
            let task = try? ForecastTask(  // A look-back below a season is no task.
                lag: lag, horizon: horizon, season: min(collection.season, lag))
        else { return nil }
        var values: [Float] = []
        var (offsets, centres, scales): ([Int], [Double], [Double]) = ([], [], [])
        var lifts: [Double] = []
        var train: [Int] = []
        var all: [Int] = []
        for (index, series) in collection.series.enumerated() {
            let past = series.dropLast(horizon)
            let lift = isLogarithmic ? Self.lift(of: past) : 0
            let known = past.map { isLogarithmic ? log($0 + lift) : $0 }
            lifts.append(lift)
            let learnt = known[..<stage.cuts[index]]
            let centre = learnt.reduce(0, +) / Double(learnt.count)
            let steps = zip(learnt.dropFirst(collection.season), learnt).map { abs($0 - $1) }
            let mean = steps.reduce(0, +) / Double(max(1, steps.count))
            let scale = mean > abs(centre) * 1e-9 ? mean : max(abs(centre), 1)
            offsets.append(values.count)
            centres.append(centre)
            scales.append(scale)
            let last = stage.cuts[index] - lag - horizon
            if last >= 0 { train += (0...last).map { values.count + $0 } }
            let end = known.count - lag - horizon
            if end >= 0 { all += (0...end).map { values.count + $0 } }
            values += known.map { Float(($0 - centre) / scale) }
        }
        let judged = stage.origins.filter { $0.row >= lag }
        guard train.count >= Split.trainWindowsMinimum, !judged.isEmpty else { return nil }
        trainStarts = Self.thinned(train)
        allStarts = Self.thinned(all)
        validationStarts = judged.map { offsets[$0.series] + $0.row - lag }
        self.task = task
        self.isLogarithmic = isLogarithmic
        self.values = values
        self.offsets = offsets
        self.centres = centres
        self.scales = scales
        self.lifts = lifts
    }

    private static func thinned(_ starts: [Int]) -> [Int] {
        let step = max(0, starts.count - 1) / windowsMaximum + 1
        return stride(from: 0, to: starts.count, by: step).map { starts[$0] }
    }

    /// What is added before a logarithm is taken: nothing where all values are above zero; else what
    /// lifts the least value to a hundredth of the mean size.
    ///
    /// - Parameter known: A series without its test rows.
    /// - Returns: Zero or more, in the unit of the series.
    private static func lift(of known: ArraySlice<Double>) -> Double {
        guard let least = known.min(), least <= 0 else { return 0 }
        let size = known.reduce(0) { $0 + abs($1) } / Double(known.count)
        return 0.01 * max(size, 1e-9) - least
    }

    /// The forecasts of a model for the origins of a stage.
    ///
    /// - Parameters:
    ///   - forecaster: Learnt from this pool.
    ///   - stage: What to forecast.
    ///   - fallback: For origins with less history than the look-back.
    /// - Returns: In the unit of each series.
    func forecasts(
        by forecaster: Forecaster, _ stage: SeriesCollection.Stage, fallback: CollectionForecasts
    ) -> CollectionForecasts {
        let reachable = stage.origins.indices.filter { stage.origins[$0].row >= task.lag }
        let starts = reachable.map { place in
            offsets[stage.origins[place].series] + stage.origins[place].row - task.lag
        }
        let scaled = forecaster.forecast(
            values, starts: starts, lag: task.lag, steps: task.horizon)
        var result = fallback.values
        var kept = 0
        for (row, place) in reachable.enumerated() {
            let index = stage.origins[place].series
            let forecast = scaled[(row * task.horizon)..<((row + 1) * task.horizon)].map {
                let value = Double($0) * scales[index] + centres[index]
                return isLogarithmic ? exp(value) - lifts[index] : value
            }
            guard forecast.allSatisfy(\.isFinite) else { continue }
            result[place] = forecast
            kept += 1
        }
        return CollectionForecasts(values: result, fallbacks: result.count - kept)
    }
}
