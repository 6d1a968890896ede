internal import Models

/// Fits models of a group on the training windows of one task.
struct JointFitter: Sendable {
    let series: JointSeries
    let task: ForecastTask
    let train: [Int]
    /// What is chosen by: windows of the validation rows, fewer where members are many.
    let validation: [Int]
    /// All of them.
    private let validationWhole: [Int]
    let training: TSM2TrainingOptions
    let network: TSM2Configuration
    let threads: Int
    let clock: any Clock<Duration>

    init(
        _ series: JointSeries, _ task: ForecastTask, _ split: Split,
        training: TSM2TrainingOptions, network: TSM2Configuration, threads: Int,
        clock: any Clock<Duration>
    ) throws(ForecastError) {
        (self.series, self.task, self.training) = (series, task, training)
        (self.network, self.threads, self.clock) = (network, threads, clock)
        train = try series.someStarts(of: .train, task, split)
        validationWhole = try series.someStarts(of: .validation, task, split)
        let every = (validationWhole.count * series.members - 1) / Self.judgedMaximum + 1
        let thinned = stride(from: 0, to: validationWhole.count, by: every)
        validation = thinned.map { [validationWhole] in validationWhole[$0] }
    }

    /// Windows of single members that a model is judged by; of more, every so many is taken.
    static let judgedMaximum = 1 << 18

    /// Fits a model of one family; traps for an ensemble, which is made of fitted ones.
    func fit(
        _ family: JointFamily, seed: UInt64, _ progress: (String) throws -> Void
    ) throws -> (forecaster: JointForecaster, error: Double) {
        switch family {
        case .ensemble: preconditionFailure("JointFitter: an ensemble is made of fitted members")
        case .ridge:
            return try judged(.ridge(try ridge(isMean: false).forecaster), progress)
        case .ridgeMean:
            return try judged(.ridge(try ridge(isMean: true).forecaster), progress)
        case .spacetime:
            var options = TrainingOptions()
            (options.seed, options.threads) = (seed, threads)
            options.windowsPerEpochMaximum = train.count
            let stride = max(1, series.members)
            let judged = try pooled(validation, .validation)
            var c = SpaceTimeConfiguration.cpuDefault(lag: task.lag, horizon: task.horizon)
            c.d = max(2, min(c.d, task.lag / 2))
            let trained = try SpaceTimeTrainer(
                configuration: c, options: options
            ).train(
                series: series.filled, trainStarts: try pooled(train, .train),
                validationStarts: Swift.stride(from: 0, to: judged.count, by: stride).map {
                    judged[$0]
                }, clock: clock
            ) { now in
                try progress(
                    "spacetime, horizon \(task.horizon), seed \(seed): epoch \(now.epoch) of "
                        + "\(now.epochsMaximum), validation MSE "
                        + "\(now.validationError?.short ?? "–")")
            }
            return (.spacetime(SpaceTimeForecaster(trained)), trained.record.bestError)
        case .tsm2, .calendar, .unmixed:
            let trained = try tsm2(family, seed, progress)
            return (.tsm2(trained), trained.record.bestError)
        }
    }

    private func judged(
        _ forecaster: JointForecaster, _ progress: (String) throws -> Void
    ) throws -> (forecaster: JointForecaster, error: Double) {
        try progress("ridge, horizon \(task.horizon)")
        let errors = forecaster.errors(series, starts: validation, task, threads: threads)
        return (forecaster, errors.all.mse)
    }

    /// Ridge regressions over the windows of all members, those with gaps left out.
    func ridge(isMean: Bool) throws -> JointRidge {
        let members = Array(0..<series.members)
        let parts = [(train, Split.Part.train), (validationWhole, .validation)]
        let moments = try parts.map { starts, part in
            let found = self.moments(starts, of: members)
            guard found.windows > 0 else {
                throw ForecastError.tooFewWindows(
                    part: part, found: 0, needed: 1, excluded: starts.count * series.members)
            }
            return found
        }
        return JointRidge(
            train: moments[0], validation: moments[1], task: task, isMean: isMean)
    }

    /// Moments of the windows of some members.
    func moments(_ starts: [Int], of members: [Int]) -> WindowMoments {
        var moments = WindowMoments(lag: task.lag, horizon: task.horizon)
        for member in members {
            moments.add(
                series.filled,
                starts: series.pooled(starts, lag: task.lag, horizon: task.horizon, of: [member]))
        }
        return moments
    }

    private func tsm2(
        _ family: JointFamily, _ seed: UInt64, _ progress: (String) throws -> Void
    ) throws -> TrainedTSM2 {
        var (options, c) = (training, network)
        (options.seed, options.threads) = (seed, threads)
        (c.lookback, c.horizon) = (task.lag, task.horizon)
        options.shareOut(among: series.members)
        if family == .unmixed { c.mixesVariates = false }
        if family == .calendar { c.futures = series.calendar?.count ?? 0 }
        return try TSM2Trainer(configuration: c, options: options).train(
            series, train: train, validation: validation, clock: clock
        ) { record in
            try progress(
                "\(family.rawValue), horizon \(task.horizon), seed \(seed): epoch \(record.epochs.count) of "
                    + "\(options.epochsMaximum), validation MSE "
                    + "\(record.epochs.last?.validationError.short ?? "–")")
        }
    }

    private func pooled(_ starts: [Int], _ part: Split.Part) throws -> [Int] {
        let found = series.pooled(starts, lag: task.lag, horizon: task.horizon)
        guard !found.isEmpty else {
            throw ForecastError.tooFewWindows(
                part: part, found: 0, needed: 1, excluded: starts.count * series.members)
        }
        return found
    }
}

extension JointSeries {
    /// The windows of a part; at least one.
    func someStarts(
        of part: Split.Part, _ task: ForecastTask, _ split: Split
    ) throws(ForecastError) -> [Int] {
        let found = starts(of: part, lag: task.lag, horizon: task.horizon, split)
        guard !found.isEmpty else {
            throw .tooFewWindows(part: part, found: 0, needed: 1, excluded: 0)
        }
        return found
    }
}

extension TSM2TrainingOptions {
    /// Members above which fewer windows are taken, so that a training costs about as much.
    private static let membersUsual = 16

    /// Takes fewer windows a step, an epoch and a judgement where each has many members.
    fileprivate mutating func shareOut(among members: Int) {
        let usual = Self.membersUsual
        func shared(_ windows: Int, _ members: Int, least: Int) -> Int {
            members <= usual ? windows : min(windows, max(least, windows * usual / members))
        }
        let drawn = min(members, variatesMaximum)
        batch = shared(batch, drawn, least: 8)
        windowsPerEpochMaximum = shared(windowsPerEpochMaximum, drawn, least: batch)
        validationWindowsMaximum = shared(validationWindowsMaximum, members, least: 64)
    }
}
