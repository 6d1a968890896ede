import Forecasting
import Jobs
import Postgres
import Series
import Store

/// One job that forecasts many series with their live models, those that share a model in one pass.
///
/// A series that cannot be forecast takes nothing from the others: it gets an event
/// `forecast.failed`, and the job's result says how many there were. All runs, their events and the
/// completion are one transaction.
struct ForecastBatch: Sendable {
    private let lease: Lease
    private let arguments: JobArguments.ForecastBatch
    private let pool: Pool
    private let pipelines: PipelineShelf

    /// - Throws: `PermanentJobError` for arguments that make no sense.
    init(_ lease: Lease, pool: Pool, pipelines: PipelineShelf) throws {
        self.lease = lease
        self.pool = pool
        self.pipelines = pipelines
        arguments = try JobArguments.decode(JobArguments.ForecastBatch.self, of: lease)
    }

    /// Forecasts; the result is stated to `context`.
    func run(_ context: JobContext) async throws -> Effects {
        let (plan, histories) = try await pool.transaction { db in
            let plan = try ForecastPlan(arguments, pipelines, in: db)
            return (plan, try plan.histories(until: arguments.asOf, in: db))
        }
        let outcome = try await Computation.run { cancellation in
            var outcome = plan.outcome
            for (group, histories) in zip(plan.groups, histories) {
                try cancellation.check()
                outcome.add(group, histories)
            }
            return outcome
        }
        for group in plan.groups { pipelines.put(group.taken, group.weightsOf) }
        context.conclude(try JSON.text(outcome.result))
        let lease = lease
        return { db in
            try ForecastLedger.write(outcome.entries, run: JobRun(lease), in: db)
            try Self.tell(outcome.failures, of: lease, in: db)
        }
    }

    /// The events of a batch that was given up as a whole.
    static func abandonment(of lease: Lease, because failure: JobFailure) -> Effects? {
        guard
            let arguments = try? JobArguments.decode(JobArguments.ForecastBatch.self, of: lease)
        else { return nil }  // Then the failure is about the arguments, and names no series.
        return { db in
            let failures = try SeriesStore.find(arguments.seriesIDs, in: db).map {
                ForecastOutcome.Failure(series: $0, reason: failure.message)
            }
            try tell(failures, of: lease, in: db)
        }
    }

    private static func tell(
        _ failures: [ForecastOutcome.Failure], of lease: Lease, in db: borrowing Session
    ) throws {
        let events = try failures.map { failure in
            let event = FailureEvent(
                seriesID: failure.series.id.number, series: failure.series.key,
                jobID: lease.jobID, reason: failure.reason)
            return (subject: failure.series.key, data: try JSON.text(event))
        }
        try Outbox.append(type: "forecast.failed", events, in: db)
    }
}

/// The series of a batch by the models that forecast them.
struct ForecastPlan: Sendable {
    /// Series that one model forecasts in one pass.
    struct Group: Sendable {
        let weightsOf: ModelID
        let taken: TakenPipeline
        let steps: Int
        let scale: FittedPipeline.Scale
        let members: [Member]

        var pipeline: FittedPipeline { taken.pipeline }
    }

    /// A series and its live model.
    struct Member: Sendable {
        let series: StoredSeries
        let model: ModelID
        let widening: IntervalWidening
    }

    private struct Key: Hashable {
        let weightsOf: ModelID
        let steps: Int
        let isShared: Bool
    }

    private(set) var groups: [Group] = []
    /// With the series for which there is no way to forecast them.
    private(set) var outcome = ForecastOutcome()

    /// Sorts the series; models come from the shelf where they are there.
    init(
        _ arguments: JobArguments.ForecastBatch, _ shelf: PipelineShelf, in db: borrowing Session
    ) throws {
        let all = try SeriesStore.find(arguments.seriesIDs, in: db)
            .sorted { $0.id.number < $1.id.number }
        let live = Dictionary(
            uniqueKeysWithValues: try ModelStore.live(arguments.seriesIDs, in: db)
                .map { ($0.series, $0) })
        outcome.unknown = arguments.seriesIDs.count - all.count
        // A backfill knows nothing of what came true later.
        let sums =
            try arguments.asOf == nil
            ? CoverageStore.sums(of: live.values.map { ($0.series, $0.id) }, in: db) : [:]
        var members: [Key: [Member]] = [:]
        for series in all {
            guard let step = series.stepMicroseconds else {
                outcome.fail(series, StoreError.stepUnknown(key: series.key).description)
                continue
            }
            guard let model = live[series.id] else {
                outcome.fail(series, "the series has no live model")
                continue
            }
            let steps = Int((arguments.horizonMicroseconds - 1) / step + 1)
            let key = Key(weightsOf: model.weightsOf, steps: steps, isShared: model.isShared)
            let widening = IntervalWidening(sums[series.id])
            members[key, default: []].append(
                Member(series: series, model: model.id, widening: widening))
        }
        var pipelines: [ModelID: TakenPipeline] = [:]
        for (key, members) in members {
            let id = key.weightsOf
            let taken =
                try pipelines[id]
                ?? shelf.take(id) { try ModelStore.find(id, in: db).weights }
            pipelines[id] = taken
            groups.append(
                Group(
                    weightsOf: id, taken: taken, steps: key.steps,
                    scale: key.isShared ? .window : .fitted, members: members))
        }
    }

    /// What each group looks back on, by one statement; `[groups][members]`.
    func histories(
        until instant: Timestamp?, in db: borrowing Session
    ) throws -> [[TimeSeries?]] {
        let requests = groups.flatMap { group in
            group.members.map { HistoryRequest($0.series, count: group.pipeline.task.lag) }
        }
        var found = try SeriesStore.loadLatest(requests, until: instant, in: db)[...]
        return groups.map { group in
            defer { found = found.dropFirst(group.members.count) }
            return Array(found.prefix(group.members.count))
        }
    }
}

/// What became of the series of a batch.
struct ForecastOutcome: Sendable {
    /// A series that could not be forecast.
    struct Failure: Sendable {
        let series: StoredSeries
        /// One sentence without sample values.
        let reason: String
    }

    /// What is kept with the job.
    struct Result: Encodable {
        let forecasts: Int
        let failed: Int
        /// The first few reasons, by the key of the series.
        let reasons: [String: String]
    }

    private static let reasonsMaximum = 10

    private(set) var entries: [LedgerEntry] = []
    private(set) var failures: [Failure] = []
    /// Series that are not there any more.
    var unknown = 0

    var result: Result {
        Result(
            forecasts: entries.count, failed: failures.count + unknown,
            reasons: Dictionary(
                failures.prefix(Self.reasonsMaximum).map { ($0.series.key, $0.reason) }
            ) { first, _ in first })
    }

    mutating func fail(_ series: StoredSeries, _ reason: String) {
        failures.append(Failure(series: series, reason: reason))
    }

    /// Forecasts a group.
    mutating func add(_ group: ForecastPlan.Group, _ histories: [TimeSeries?]) {
        var members: [ForecastPlan.Member] = []
        var known: [TimeSeries] = []
        for (member, history) in zip(group.members, histories) {
            guard let history else {
                fail(member.series, "the series has no observation")
                continue
            }
            members.append(member)
            known.append(history)
        }
        let forecasts = group.pipeline.forecasts(
            of: known, steps: group.steps, scale: group.scale, widenings: members.map(\.widening))
        for (member, forecast) in zip(members, forecasts) {
            do {
                entries.append(
                    try LedgerEntry(
                        try forecast.get(), series: member.series.id, model: member.model,
                        intervals: member.widening.method))
            } catch {
                fail(member.series, JobFailure(error).message)
            }
        }
    }
}
