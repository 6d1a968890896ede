import Models

/// Forecasts the newest horizon of every series of a collection by several methods, and by what
/// `auto` makes of them.
///
/// Origin fixed at the last known row, MASE with the seasonal naive scale of the known rows, the mean
/// over series. Everything is chosen on the horizons before; the test rows are looked at once.
package struct CollectionEvaluation: Sendable {
    package var seed: UInt64 = 0
    package var threads = 1
    /// Also trains networks shared by all series, where there are windows enough.
    package var trainsNetworks = true
    /// Measures how long it takes.
    package var clock: any Clock<Duration> = ContinuousClock()

    /// Fewer windows train no network.
    static let networkWindowsMinimum = 2_000
    /// Windows of one epoch of a network where there are more.
    static let networkWindowsPerEpoch = 12_000

    package init() {}

    /// Evaluates one collection.
    ///
    /// - Parameters:
    ///   - collection: At least one series.
    ///   - progress: Told what is done; what it throws ends the run.
    /// - Returns: Errors by method, and what `auto` chose.
    /// - Throws: What `progress` throws.
    package func run(
        _ collection: SeriesCollection, progress: (String) throws -> Void = { _ in }
    ) throws -> CollectionReport {
        let timed = try clock.timed { try measured(collection, progress) }
        var report = timed.value
        report.seconds = timed.seconds
        return report
    }

    /// The forecasts of one method for both stages.
    private struct Entry {
        let method: CollectionMethod
        let validation: CollectionForecasts
        let test: CollectionForecasts
    }

    private func measured(
        _ collection: SeriesCollection, _ progress: (String) throws -> Void
    ) throws -> CollectionReport {
        let (validation, test) = (collection.validation, collection.test)
        var entries: [Entry] = []
        try progress("\(collection.name): seasonal-naive, ets")
        let naive = [validation, test].map { collection.seasonalNaive($0) }
        entries.append(Entry(method: .seasonalNaive, validation: naive[0], test: naive[1]))
        let smoothed = zip([validation, test], naive).map {
            collection.smoothed($0, fallback: $1, threads: threads)
        }
        entries.append(Entry(method: .ets, validation: smoothed[0], test: smoothed[1]))
        for method in CollectionMethod.allCases where method.isShared {
            guard
                let pool = PooledSeries(
                    collection, validation, isLogarithmic: method.isLogarithmic)
            else { continue }
            try progress("\(collection.name): \(method.rawValue)")
            guard let models = try models(method, pool) else { continue }
            entries.append(
                Entry(
                    method: method,
                    validation: pool.forecasts(
                        by: models.validation, validation, fallback: smoothed[0]),
                    test: pool.forecasts(by: models.test, test, fallback: smoothed[1])))
        }
        if trainsNetworks, let group = GroupedSeries(collection, validation) {
            try progress("\(collection.name): tsm2")
            let trained = try group.trained(seed: seed, threads: threads, clock: clock)
            let said = zip([validation, test], smoothed).map { stage, fallback in
                group.forecasts(by: trained, stage, threads: threads, fallback: fallback)
            }
            entries.append(Entry(method: .tsm2, validation: said[0], test: said[1]))
        }
        return report(collection, entries)
    }

    /// A model learnt from a pool, for either stage; nil where it cannot be.
    ///
    /// A ridge is fitted once more, with the settings chosen, on all rows before the test rows; a
    /// network is not, since its best epoch is known only for the rows it was trained on.
    private func models(
        _ method: CollectionMethod, _ pool: PooledSeries
    ) throws -> (validation: Forecaster, test: Forecaster)? {
        if method == .ridge || method == .ridgeLog {
            let values = pool.values.map { Double($0) }
            let chosen = RidgeForecaster.fit(
                values, task: pool.task, train: pool.trainStarts,
                validation: pool.validationStarts)
            let whole = RidgeForecaster.fit(
                values, task: pool.task, train: pool.allStarts, validation: pool.validationStarts,
                centrings: [chosen.centring], penalties: [chosen.penalty])
            return (.ridge(chosen), .ridge(whole))
        }
        guard trainsNetworks, pool.trainStarts.count >= Self.networkWindowsMinimum,
            pool.task.lag >= 8
        else { return nil }
        var configuration = SpaceTimeConfiguration.cpuDefault(
            lag: pool.task.lag, horizon: pool.task.horizon)
        configuration.d = min(configuration.d, pool.task.lag / 2)
        var options = TrainingOptions()
        options.seed = seed
        options.threads = threads
        options.windowsPerEpochMaximum = Self.networkWindowsPerEpoch
        do {
            let trained = try SpaceTimeTrainer(configuration: configuration, options: options)
                .train(
                    series: pool.values, trainStarts: pool.trainStarts,
                    validationStarts: pool.validationStarts, clock: clock
                ) { _ in }
            let forecaster = Forecaster.spacetime(SpaceTimeForecaster(trained))
            return (forecaster, forecaster)
        } catch is TrainingError {
            return nil
        }
    }

    private func report(
        _ collection: SeriesCollection, _ entries: [Entry]
    ) -> CollectionReport {
        let scales = collection.series.indices.map { collection.scale(of: $0) }
        let judged = Judge(collection, collection.validation, scales)
        let tested = Judge(collection, collection.test, scales)
        let names = entries.map(\.method.rawValue)
        let blend = CollectionBlend(
            choosingOn: judged.table(entries.map(\.validation.values), names))
        let table = tested.table(entries.map(\.test.values), names)
        let all = Array(0..<(table.truth.count / table.horizon))
        let scores = entries.indices.map { place in
            let single = entries.indices.map { $0 == place ? 1.0 : 0 }
            return CollectionReport.Score(
                method: names[place], mase: table.error(single, all),
                validationMASE: judged.table(entries.map(\.validation.values), names)
                    .error(single, Array(0..<judged.origins.count)),
                fallbacks: entries[place].test.fallbacks)
        }
        let auto = CollectionReport.Score(
            method: "auto", mase: table.error(blend.weights, all),
            validationMASE: judged.table(entries.map(\.validation.values), names)
                .error(blend.weights, Array(0..<judged.origins.count)), fallbacks: 0)
        return CollectionReport(
            name: collection.name, series: tested.origins.count,
            constantSeries: scales.count { $0 == nil }, horizon: collection.horizon,
            season: collection.season, lag: collection.lag,
            validationOrigins: judged.origins.count, scores: scores + [auto],
            reason: blend.reason)
    }
}

/// The origins of a stage that can be judged, with what came true.
private struct Judge {
    let collection: SeriesCollection
    /// Places in the stage's origins; without those of constant series.
    let origins: [Int]
    private let stage: SeriesCollection.Stage
    private let scales: [Double?]

    init(
        _ collection: SeriesCollection, _ stage: SeriesCollection.Stage, _ scales: [Double?]
    ) {
        self.collection = collection
        self.stage = stage
        self.scales = scales
        origins = stage.origins.indices.filter { scales[stage.origins[$0].series] != nil }
    }

    /// - Parameters:
    ///   - forecasts: `[methods][origins][horizon]`.
    ///   - names: Of the methods.
    /// - Returns: All divided by the scales.
    func table(_ forecasts: [[[Double]]], _ names: [String]) -> CollectionBlend.Table {
        func scaled(_ place: Int, _ values: some Sequence<Double>) -> [Double] {
            let scale = scales[stage.origins[place].series] ?? 1
            return values.map { $0 / scale }
        }
        let horizon = collection.horizon
        return CollectionBlend.Table(
            forecasts: forecasts.map { method in
                origins.flatMap { scaled($0, method[$0]) }
            },
            truth: origins.flatMap { place -> [Double] in
                let origin = stage.origins[place]
                return scaled(
                    place, collection.series[origin.series][origin.row..<(origin.row + horizon)])
            },
            horizon: horizon, names: names)
    }
}
