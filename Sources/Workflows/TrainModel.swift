import Forecasting
package import Jobs
package import Logging
package import Postgres
import Series
import Store

/// The job `train`: fits families beside the baselines, and promotes the best on validation if it is
/// better than the live model on the same windows.
///
/// The baselines are fitted again on the same rows, which takes seconds, so that the comparison is
/// one of models and not of days. A training that is interrupted goes on in the next run of the job.
package struct TrainModel: JobHandler {
    package let kind = "train"
    private let pool: Pool
    private let environment: FittingEnvironment
    private let logger: Logger

    /// - Parameters:
    ///   - pool: Where the series is read, and states are kept.
    ///   - environment: Seed, cores and version of this process.
    ///   - logger: Told of states that could not be kept.
    package init(pool: Pool, environment: FittingEnvironment, logger: Logger) {
        self.pool = pool
        self.environment = environment
        self.logger = logger
    }

    /// What a run of the job begins with.
    private struct Start: Sendable {
        let history: TimeSeries
        let environment: FittingEnvironment
        /// By fingerprint.
        let states: [String: [UInt8]]
        let live: StoredModel?
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.Train.self, of: lease)
        let asked = try Family.asked(by: arguments.family)
        let start = try await begin(arguments, lease)
        let families = Family.singles.filter {
            Family.quick.contains($0) || asked.contains($0) || asked.contains(.ensemble)
        }
        let keeper = TrainingKeeper(
            pool: pool, run: JobRun(lease), states: start.states,
            interval: environment.checkpointInterval, logger: logger)
        let (fitting, promotion) = try await keeper.run { checkpoints, cancellation in
            let fitting = try Fitting(
                families, on: start.history, steps: arguments.steps, in: start.environment,
                checkpoints: checkpoints
            ) { step in
                try cancellation.check()
                context.report(step)
            }
            let live = start.live.map { LiveModel($0, on: start.history, like: fitting) }
            return (fitting, Promotion(fitting, against: live))
        }
        let refused = fitting.refused.filter { asked.contains($0.family) }
        if refused.count == asked.count, let first = refused.first {
            throw PermanentJobError(first.reason)
        }
        return { db in
            _ = try ModelFiling.file(
                fitting, promotion, asked: asked, for: arguments.seriesID, by: lease, in: db)
        }
    }

    /// Reads what this run begins with; pins it, if it is the first of its job.
    private func begin(_ arguments: JobArguments.Train, _ lease: Lease) async throws -> Start {
        var environment = environment
        environment.threads = min(environment.threads, arguments.threads ?? environment.threads)
        environment.seed = arguments.seed ?? environment.seed
        let start = try await pool.transaction { [environment] db in
            try Self.begin(JobRun(lease), on: arguments.seriesID, environment, in: db)
        }
        guard let start else { throw PermanentJobError("the series has no observation") }
        return start
    }

    /// The rows are the newest ones in the first run of a job, and the same ones in later runs.
    private static func begin(
        _ run: JobRun, on series: SeriesID, _ environment: FittingEnvironment,
        in db: borrowing Session
    ) throws -> Start? {
        guard let newest = try rows(of: series, until: nil, in: db) else { return nil }
        let end = newest.grid.instant(at: newest.values.count - 1)
        let pinned = try TrainingStore.begin(
            run, series: series, dataUntil: end, seed: environment.seed, in: db)
        var history: TimeSeries? = newest
        if pinned.dataUntil != end {
            history = try rows(of: series, until: pinned.dataUntil, in: db)
        }
        guard let history else { return nil }
        var environment = environment
        environment.seed = pinned.seed
        return Start(
            history: history, environment: environment,
            states: try TrainingStore.states(of: run, in: db),
            live: try ModelStore.live(series, in: db))
    }

    private static func rows(
        of series: SeriesID, until end: Timestamp?, in db: borrowing Session
    ) throws -> TimeSeries? {
        try SeriesStore.loadForTraining(
            series, count: Fitting.rowsMaximum, until: end, in: db)?.masked
    }
}

extension Family {
    /// The families in a list of names, quick ones first; all of them for `auto`.
    ///
    /// - Throws: `PermanentJobError` for a name that this program does not know.
    static func asked(by list: String) throws -> [Family] {
        if list == "auto" { return allCases }
        let asked = try list.split(separator: ",").map { name in
            guard let family = Family(rawValue: String(name)) else {
                throw PermanentJobError("there is no model family of the name \"\(name)\"")
            }
            return family
        }
        return allCases.filter { asked.contains($0) }
    }
}

extension JobContext {
    /// Says how far a fit has got.
    func report(_ step: FitProgress) {
        let measures = [
            "epoch": step.epoch.map { Double($0) },
            "epochs_maximum": step.epochsMaximum.map { Double($0) },
            "training_loss": step.trainLoss, "validation_error": step.validationLoss,
            "seconds_left": step.secondsLeft,
        ]
        report(
            fraction: step.fraction, note: "fitting \(step.family.rawValue)",
            measures: measures.compactMapValues { $0 })
    }
}

/// Computations whose refusals no retry can mend.
enum Permanent {
    /// As `Computation.run`, with `ForecastError` turned into `PermanentJobError`.
    static func run<T: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws -> T
    ) async throws -> T {
        do {
            return try await Computation.run(body)
        } catch let error as ForecastError {
            throw PermanentJobError(error.description)
        }
    }
}
