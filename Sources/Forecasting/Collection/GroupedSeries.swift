internal import Models
import Tensors

/// The series of a collection as one group, where all have rows for the same steps: a network mixes them.
struct GroupedSeries: Sendable {
    private let collection: SeriesCollection
    private let task: ForecastTask
    /// The rows before the test rows, each series centred and divided as in a pool.
    private let known: JointSeries
    private let train: [Int]
    private let validation: [Int]

    /// Nil where there is one series alone, where lengths differ, or where no window fits into the rows.
    ///
    /// - Parameters:
    ///   - collection: The series.
    ///   - stage: The validation stage; its cuts part what is learnt from what chooses.
    init?(_ collection: SeriesCollection, _ stage: SeriesCollection.Stage) {
        let (lag, horizon) = (collection.lag, collection.horizon)
        let rows = collection.series[0].count
        guard collection.series.count > 1, Set(collection.series.map(\.count)).count == 1,
            let task = try? ForecastTask(lag: lag, horizon: horizon, season: 1),
            Self.network(task).isValid
        else { return nil }
        let cut = stage.cuts[0]
        let origins = Set(stage.origins.map(\.row)).sorted()
        validation = origins.filter { $0 >= lag }.map { $0 - lag }
        let last = cut - lag - horizon
        guard last + 1 >= Split.trainWindowsMinimum, !validation.isEmpty else { return nil }
        train = Array(0...last)
        (self.collection, self.task) = (collection, task)
        let scales = collection.series.map { series in
            let learnt = series[..<cut]
            let mean = learnt.reduce(0, +) / Double(cut)
            let steps = zip(learnt.dropFirst(collection.season), learnt).map { abs($0 - $1) }
            let size = steps.reduce(0, +) / Double(max(1, steps.count))
            return Standardiser(
                mean: mean, deviation: size > abs(mean) * 1e-9 ? size : max(abs(mean), 1))
        }
        known = JointSeries(
            names: collection.series.indices.map { "series \($0)" },
            values: collection.series.map { Array($0[..<(rows - horizon)]) }, scaledBy: scales)
    }

    /// Patches that a short look-back has several of.
    private static func network(_ task: ForecastTask) -> TSM2Configuration {
        var c = TSM2Configuration(lookback: task.lag, horizon: task.horizon)
        if task.lag < 168 { (c.patch, c.stride) = (8, 4) }
        return c
    }

    /// Trains a network on the rows before the validation rows.
    ///
    /// - Throws: `TrainingError`.
    func trained(
        seed: UInt64, threads: Int, clock: any Clock<Duration>
    ) throws -> TrainedTSM2 {
        var options = TSM2TrainingOptions.standard
        (options.seed, options.threads) = (seed, threads)
        // Short series have few windows: small steps, and more epochs, of about as many steps.
        options.batch = train.count < 1_024 ? 16 : 64
        options.epochsMaximum = max(8, min(60, 8_192 / train.count))
        options.patience = options.epochsMaximum / 2
        return try TSM2Trainer(configuration: Self.network(task), options: options)
            .train(known, train: train, validation: validation, clock: clock)
    }

    /// The forecasts of a network for the origins of a stage, in the unit of each series.
    func forecasts(
        by trained: TrainedTSM2, _ stage: SeriesCollection.Stage, threads: Int,
        fallback: CollectionForecasts
    ) -> CollectionForecasts {
        let rows = Set(stage.origins.map(\.row)).filter { $0 >= task.lag }.sorted()
        let said = trained.prepared(batch: 8, threads: threads)
            .forecast(known.windows, starts: rows.map { $0 - task.lag })
        var result = fallback.values
        var kept = 0
        for (place, origin) in stage.origins.enumerated() {
            guard let window = rows.firstIndex(of: origin.row) else { continue }
            let scale = known.standardisers[origin.series]
            let forecast = (0..<task.horizon).map {
                scale.unscale(Double(said[window, origin.series, $0]))
            }
            guard forecast.allSatisfy(\.isFinite) else { continue }
            result[place] = forecast
            kept += 1
        }
        return CollectionForecasts(values: result, fallbacks: result.count - kept)
    }
}
