import Forecasting
package import Jobs
package import Postgres
import Series
import Store

/// The job `forecast`: forecasts a series, or a batch of series, with their live models and writes the
/// runs to the ledger.
///
/// A series without a model gets its baselines at once, in seconds, so that a first forecast
/// exists; SpaceTime is then trained in the background. The run, its event and the job's
/// completion are one transaction. A job with `as_of`, as backfills make them, sees nothing that was
/// observed later; its run is issued now all the same.
package struct IssueForecast: JobHandler {
    package let kind = "forecast"
    private let pool: Pool
    private let environment: FittingEnvironment
    private let pipelines = PipelineShelf()

    /// - Parameters:
    ///   - pool: Where the series and its model are read.
    ///   - environment: Seed, cores and version of this process.
    package init(pool: Pool, environment: FittingEnvironment) {
        self.pool = pool
        self.environment = environment
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        if JobArguments.isBatch(lease) {
            return try await ForecastBatch(lease, pool: pool, pipelines: pipelines).run(context)
        }
        let arguments = try JobArguments.decode(JobArguments.Forecast.self, of: lease)
        let (series, live) = try await pool.transaction { db in
            (
                try SeriesStore.find(arguments.seriesID, in: db),
                try ModelStore.live(arguments.seriesID, in: db)
            )
        }
        if let live, arguments.steps <= live.record.stepsMaximum {
            return try await forecast(series, with: live, arguments, by: lease)
        }
        // A live model that does not reach so far gives way to one that does.
        let replaced = live.map {
            LiveModel(id: $0.record.id, family: $0.record.family, validationMSE: nil)
        }
        return try await fitAndForecast(
            series, arguments, replacing: replaced, by: lease, context)
    }

    package func abandonment(of lease: Lease, because failure: JobFailure) -> Effects? {
        if JobArguments.isBatch(lease) {
            return ForecastBatch.abandonment(of: lease, because: failure)
        }
        guard let arguments = try? JobArguments.decode(JobArguments.Forecast.self, of: lease)
        else { return nil }  // Then the failure is about the arguments, and names no series.
        return { db in
            let series = try SeriesStore.find(arguments.seriesID, in: db)
            let event = FailureEvent(
                seriesID: series.id.number, series: series.key, jobID: lease.jobID,
                reason: failure.message)
            try Outbox.append(
                type: "forecast.failed", subject: series.key, data: try JSON.text(event), in: db)
        }
    }

    private func forecast(
        _ series: StoredSeries, with live: StoredModel, _ arguments: JobArguments.Forecast,
        by lease: Lease
    ) async throws -> Effects {
        let pipeline = try FittedPipeline(decoding: live.weights)
        let model = live.record.id
        let (history, widening) = try await pool.transaction { db in
            // A backfill knows nothing of what came true later.
            let sums =
                try arguments.asOf == nil
                ? CoverageStore.sums(of: [(series.id, model)], in: db)[series.id] : nil
            return (
                try SeriesStore.loadLatest(
                    series.id, count: pipeline.task.lag, until: arguments.asOf, in: db),
                IntervalWidening(sums)
            )
        }
        guard let history else { throw PermanentJobError("the series has no observation") }
        let forecast = try await Permanent.run { _ in
            try pipeline.forecasts(
                of: [history], steps: arguments.steps,
                scale: live.record.sharedFrom == nil ? .fitted : .window,
                widenings: [widening])[0].get()
        }
        return { db in
            try Self.issue(
                forecast, of: series, by: model, intervals: widening.method, lease, in: db)
        }
    }

    private func fitAndForecast(
        _ series: StoredSeries, _ arguments: JobArguments.Forecast,
        replacing replaced: LiveModel?, by lease: Lease, _ context: JobContext
    ) async throws -> Effects {
        let steps = arguments.steps
        let history = try await pool.transaction { db in
            try SeriesStore.loadForTraining(
                series.id, count: Fitting.rowsMaximum, until: arguments.asOf, in: db)
        }
        guard let history else { throw PermanentJobError("the series has no observation") }
        let environment = environment
        let (fitting, forecast) = try await Permanent.run { cancellation in
            let fitting = try Fitting(
                Family.quick, on: history.masked, steps: steps, in: environment
            ) {
                try cancellation.check()
                context.report($0)
            }
            guard let winner = fitting.winner else {
                throw PermanentJobError(fitting.selection.reason)
            }
            return (fitting, try winner.forecast(history: history.all, steps: steps))
        }
        let reason = fitting.selection.reason
        return { db in
            guard
                let model = try ModelFiling.file(
                    fitting, Promotion(fitting, against: replaced), asked: [], for: series.id,
                    by: lease,
                    in: db)
            else { throw PermanentJobError("no model of the fit may go live: \(reason)") }
            try Self.issue(forecast, of: series, by: model, lease, in: db)
            try db.run(
                """
                SELECT systole.train(\(series.key), 'auto', horizon => (
                    SELECT \(steps)::integer * step FROM systole.series_list
                    WHERE series = \(series.key)))
                """)
        }
    }

    /// Writes the run and its event.
    private static func issue(
        _ forecast: Forecast, of series: StoredSeries, by model: ModelID,
        intervals: IntervalMethod = .split, _ lease: Lease, in db: borrowing Session
    ) throws {
        let id = try ForecastLedger.write(
            forecast, series: series.id, model: model, intervals: intervals, run: JobRun(lease),
            in: db)
        let event = CompletionEvent(
            seriesID: series.id.number, series: series.key, forecastID: id,
            modelID: model.number, dataUntil: forecast.dataUntil.description,
            steps: forecast.grid.count)
        try Outbox.append(
            type: "forecast.completed", subject: series.key, data: try JSON.text(event), in: db)
    }

    /// What `forecast.completed` tells: numbers of rows, no values.
    private struct CompletionEvent: Encodable {
        let seriesID: Int64
        let series: String
        let forecastID: Int64
        let modelID: Int64
        let dataUntil: String
        let steps: Int

        private enum CodingKeys: String, CodingKey {
            case series, steps
            case seriesID = "series_id"
            case forecastID = "forecast_id"
            case modelID = "model_id"
            case dataUntil = "data_until"
        }
    }
}

/// What `forecast.failed` tells.
struct FailureEvent: Encodable {
    let seriesID: Int64
    let series: String
    let jobID: Int64
    let reason: String

    private enum CodingKeys: String, CodingKey {
        case series, reason
        case seriesID = "series_id"
        case jobID = "job_id"
    }
}
