import Foundation
import Forecasting
package import Jobs
package import Postgres
import Series
import Store

/// The job `score`: scores the observations that came since the last time, and moves the incident
/// machine of their series.
///
/// When a series is first watched, a week of history is scored so that there is something to look
/// at, but raises no incident: nobody wants to be woken for last Tuesday.
package struct DetectAnomalies: JobHandler {
    package let kind = "score"
    /// Observations scored by one run; what is left goes to the next.
    static let rowsMaximum = 10_000

    private let pool: Pool

    /// - Parameter pool: Where observations and models are read.
    package init(pool: Pool) {
        self.pool = pool
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.Score.self, of: lease)
        guard let work = try await ScoringWork.load(arguments.seriesID, from: pool) else {
            return { _ in }
        }
        let result = try await Permanent.run { _ in try work.scored() }
        return { db in try Self.store(result, of: work, by: lease, in: db) }
    }

    /// Writes scores, incidents and the position, and asks for another run where rows are left.
    private static func store(
        _ result: ScoringResult, of work: ScoringWork, by lease: Lease, in db: borrowing Session
    ) throws {
        guard let watch = try WatchStore.lock(work.watch.series, in: db),
            watch.scoredUntil == work.watch.scoredUntil
        else { throw ScoringOvertaken() }
        // An incident of a group may have taken the number meanwhile.
        if result.changes.contains(where: \.isOpening),
            try IncidentStore.lastSequence(work.watch.series, in: db) != work.sequence
        {
            throw ScoringOvertaken()
        }
        if let batch = result.batch(of: work) {
            try ScoreStore.write(batch, run: JobRun(lease), in: db)
        }
        for change in result.changes { try change.store(of: work, in: db) }
        try WatchStore.advance(
            work.watch.series, scoredUntil: result.scoredUntil,
            machine: try JSON.text(result.memory),
            threshold: result.memory.machine.policy.fireScore,
            in: db)
        if work.hasMore { try EventRouter.enqueueScoring(of: work.watch.series, in: db) }
    }
}

/// Somebody else scored the same series meanwhile; the job is tried again from where they left it.
struct ScoringOvertaken: Error {}

/// What a watch remembers between two runs.
struct WatchMemory: Codable, Sendable {
    /// The model that the state below belongs to.
    var model: Int64
    var machine: IncidentMachine
    var scoring: ScoringState
    /// Number of the newest incident that the machine opened.
    var sequence: Int64
}

/// Everything that one run scores with, read in one transaction.
struct ScoringWork: Sendable {
    let watch: Watch
    let model: ModelID
    let pipeline: FittedPipeline
    /// Ends with the rows to score; before them what the model looks back on, or, where the
    /// threshold has to be chosen, the rows that the model was calibrated on.
    let history: TimeSeries
    /// Row of the first observation to score.
    let first: Int
    let sequence: Int64
    let hasMore: Bool

    /// Reads the work of a series; nil where it is not watched, has no model, or nothing is new.
    static func load(_ id: SeriesID, from pool: Pool) async throws -> ScoringWork? {
        let known = try await pool.transaction { db -> (Watch, StoredModel, Timestamp, Int64)? in
            guard let watch = try WatchStore.find(id, in: db), !watch.isPaused,
                let model = try ModelStore.live(id, in: db),
                let newest = try SeriesStore.newest(id, in: db),
                watch.scoredUntil.map({ $0 < newest }) ?? true
            else { return nil }
            return (watch, model, newest, try IncidentStore.lastSequence(id, in: db))
        }
        guard let (watch, stored, newest, sequence) = known else { return nil }
        var pipeline = try FittedPipeline(decoding: stored.weights)
        let step = Int64((pipeline.report.stepSeconds * 1e6).rounded())
        let week = Int(604_800_000_000 / step)
        let waiting = watch.scoredUntil.map { Int(($0 - newest).wholeMicroseconds / -step) } ?? week
        let rows = min(max(waiting, 1), DetectAnomalies.rowsMaximum)
        let until = Timestamp(microseconds: newest.microseconds - Int64(waiting - rows) * step)
        let lookBack = AnomalyScorer(pipeline).historyRows + pipeline.report.split.validation
        let history = try await pool.transaction { db in
            try SeriesStore.loadLatest(id, count: rows + lookBack, until: until, in: db)
        }
        guard let history else { return nil }
        if stored.record.sharedFrom != nil { pipeline = try pipeline.rescaled(to: history) }
        let first = watch.scoredUntil.map { history.grid.nearestIndex(to: $0) + 1 }
        return ScoringWork(
            watch: watch, model: stored.record.id, pipeline: pipeline, history: history,
            first: max(0, first ?? history.values.count - rows), sequence: sequence,
            hasMore: waiting > rows)
    }

    /// Scores the rows and moves the incident machine through them.
    func scored() throws(ForecastError) -> ScoringResult {
        var memory = try remembered()
        let scores = try AnomalyScorer(pipeline).score(
            history: history, range: first..<history.values.count, state: &memory.scoring)
        var changes: [IncidentChange] = []
        if watch.scoredUntil != nil {
            for score in scores {
                guard let transition = memory.machine.advance(score) else { continue }
                if case .opened = transition {
                    memory.sequence = max(memory.sequence, sequence) + 1
                }
                changes.append(
                    IncidentChange(
                        transition: transition, at: score.at, sequence: memory.sequence,
                        threshold: memory.machine.policy.fireScore))
            }
        }
        return ScoringResult(
            scores: scores, changes: changes, memory: memory,
            scoredUntil: history.grid.instant(at: history.values.count - 1))
    }

    /// The memory of the last run; a fresh one for a new watch, a new model or a new budget.
    private func remembered() throws(ForecastError) -> WatchMemory {
        // A text that is no memory of ours is from another version: begin afresh.
        let stored = watch.machine.flatMap {
            try? JSONDecoder().decode(WatchMemory.self, from: Data($0.utf8))
        }
        if let stored, stored.model == model.number, watch.threshold != nil { return stored }
        let budget = AlertBudget(alertsPerWeek: watch.alertsPerWeek)
        let plain = IncidentPolicy(
            fireScore: budget.fireScore(rate: history.grid.rate, hits: 2, window: 3))
        let tried = max(0, first - pipeline.report.split.validation)..<first
        let scored = try AnomalyScorer(pipeline).score(history: history, range: tried)
        let fire = budget.fireScore(tuning: plain, on: scored, rate: history.grid.rate)
        // An open incident is brought to its end by the policy that opened it.
        let open = stored.flatMap { $0.machine.incident == nil ? nil : $0.machine }
        return WatchMemory(
            model: model.number, machine: open ?? IncidentMachine(policy: plain.firing(at: fire)),
            scoring: ScoringState(), sequence: max(sequence, stored?.sequence ?? 0))
    }
}

/// One run's scores, and what they did to the incidents.
struct ScoringResult: Sendable {
    let scores: [ScoredObservation]
    let changes: [IncidentChange]
    let memory: WatchMemory
    let scoredUntil: Timestamp

    /// The scored observations as a batch; nil where none has a score.
    func batch(of work: ScoringWork) -> ScoredBatch? {
        var kept: [(at: Timestamp, observed: Double, expected: Double, p: Double, score: Double)] =
            []
        for row in scores {
            guard let observed = row.observed, let expected = row.expected, let p = row.p,
                let score = row.score
            else { continue }
            kept.append((row.at, observed, expected, p, score))
        }
        guard !kept.isEmpty else { return nil }
        return ScoredBatch(
            series: work.watch.series, model: work.model, instants: kept.map(\.at),
            observed: kept.map(\.observed), expected: kept.map(\.expected),
            pValues: kept.map(\.p), scores: kept.map(\.score))
    }
}

/// A transition of the incident machine on its way into the database.
struct IncidentChange: Sendable {
    let transition: IncidentTransition
    let at: Timestamp
    let sequence: Int64
    let threshold: Double

    var isOpening: Bool {
        if case .opened = transition { true } else { false }
    }

    /// Writes the transition; `IncidentStore` appends its event.
    func store(of work: ScoringWork, in db: borrowing Session) throws {
        let series = work.watch.series
        switch transition {
        case .opened(let incident):
            try IncidentStore.open(
                NewIncident(
                    series: series, sequence: sequence, openedAt: incident.startedAt,
                    peak: IncidentPeak(incident.peak), threshold: threshold, model: work.model),
                in: db)
        case .updated(let incident):
            try IncidentStore.raisePeak(
                series, sequence: sequence, to: IncidentPeak(incident.peak), in: db)
        case .resolved(let incident, _):
            try IncidentStore.raisePeak(
                series, sequence: sequence, to: IncidentPeak(incident.peak), in: db)
            try IncidentStore.resolve(series, sequence: sequence, at: at, in: db)
        }
    }
}

extension IncidentPeak {
    init(_ extreme: Incident.Extreme) {
        self.init(
            at: extreme.at, score: extreme.score, observed: extreme.observed,
            expected: extreme.expected, pValue: pow(10, -extreme.score))
    }
}
