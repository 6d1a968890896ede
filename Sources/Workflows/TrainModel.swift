import Forecasting
package import Jobs
package import Postgres
import Series
import Store

/// The job `train`: fits a family beside the baselines, and promotes the winner on validation.
///
/// The baselines are fitted again on the same rows, which takes seconds, so that the comparison is
/// one of models and not of days.
package struct TrainModel: JobHandler {
    package let kind = "train"
    private let pool: Pool
    private let environment: FittingEnvironment

    /// - Parameters:
    ///   - pool: Where the series is read.
    ///   - environment: Seed, cores and version of this process.
    package init(pool: Pool, environment: FittingEnvironment) {
        self.pool = pool
        self.environment = environment
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.Train.self, of: lease)
        let asked = try Self.families(arguments.family)
        let history = try await pool.transaction { db in
            try SeriesStore.loadLatest(arguments.seriesID, count: Fitting.rowsMaximum, in: db)
        }
        guard let history else { throw PermanentJobError("the series has no observation") }
        let environment = environment
        let baselines: [Family] = [.seasonalNaive, .ridge]
        let families = baselines + asked.filter { !baselines.contains($0) }
        let fitting = try await Permanent.run { cancellation in
            try Fitting(families, on: history, steps: arguments.steps, in: environment) { step in
                try cancellation.check()
                context.report(fraction: step.fraction, note: "fitting \(step.family.rawValue)")
            }
        }
        for (family, reason) in fitting.refused where asked == [family] {
            throw PermanentJobError(reason)
        }
        return { db in
            _ = try ModelFiling.file(
                fitting, asked: asked, for: arguments.seriesID, by: lease, in: db)
        }
    }

    private static func families(_ name: String) throws -> [Family] {
        if name == "auto" { return Family.singles }
        guard let family = Family(rawValue: name) else {
            throw PermanentJobError("there is no model family of that name")
        }
        return [family]
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
