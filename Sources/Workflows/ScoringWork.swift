import Foundation
import Forecasting
import Jobs
import Postgres
import Series
import Store

/// Everything that one run scores a series with.
struct ScoringWork: Sendable {
    let watch: Watch
    let model: ModelID
    let pipeline: FittedPipeline
    /// Whether the model was fitted on another series.
    let isShared: Bool
    /// Ends with the rows to score; before them what the model looks back on, or, where the
    /// threshold has to be chosen, the rows that the model was calibrated on.
    let history: TimeSeries
    /// Row of the first observation to score.
    let first: Int
    /// Of the last run; nil where there is none that fits.
    let memory: WatchMemory?
    let hasMore: Bool

    /// Reads the work of a series; nil where it is not watched, has no model, or nothing is new.
    static func load(_ id: SeriesID, from pool: Pool) async throws -> ScoringWork? {
        let known = try await pool.transaction { db -> (Watch, StoredModel, Timestamp)? in
            guard let watch = try WatchStore.find(id, in: db), !watch.isPaused,
                let model = try ModelStore.live(id, in: db),
                let newest = try SeriesStore.newest(id, in: db),
                watch.scoredUntil.map({ $0 < newest }) ?? true
            else { return nil }
            return (watch, model, newest)
        }
        guard let (watch, stored, newest) = known else { return nil }
        let pipeline = try decoded(stored)
        let step = Int64((pipeline.report.stepSeconds * 1e6).rounded())
        let week = min(Int(604_800_000_000 / step), DetectAnomalies.rowsMaximum)
        let waiting = watch.scoredUntil.map { Int(($0 - newest).wholeMicroseconds / -step) } ?? week
        let rows = min(max(waiting, 1), DetectAnomalies.rowsMaximum)
        let until = Timestamp(microseconds: newest.microseconds - Int64(waiting - rows) * step)
        let lookBack = AnomalyScorer(pipeline).historyRows + pipeline.report.split.validation
        let history = try await pool.transaction { db in
            try SeriesStore.loadLatest(id, count: rows + lookBack, until: until, in: db)
        }
        guard let history else { return nil }
        let first = watch.scoredUntil.map { history.grid.nearestIndex(to: $0) + 1 }
        return ScoringWork(
            watch: watch, model: stored.record.id, pipeline: pipeline,
            isShared: stored.record.sharedFrom != nil, history: history,
            first: max(0, first ?? history.values.count - rows),
            memory: WatchMemory(of: watch, model: stored.record.id), hasMore: waiting > rows)
    }

    private static func decoded(_ stored: StoredModel) throws -> FittedPipeline {
        do {
            return try FittedPipeline(decoding: stored.weights)
        } catch {
            throw PermanentJobError(JobFailure(error).message)
        }
    }

    /// Scores the rows and moves the incident machine through them.
    func scored() throws(ForecastError) -> ScoringResult {
        let scale = try ownScale()
        let scorer = AnomalyScorer(scale.map { pipeline.rescaled(to: $0) } ?? pipeline)
        let isAfresh = memory == nil
        var memory = try remembered(scorer)
        memory.scale = scale
        let scores = try scorer.score(
            history: history, range: first..<history.values.count, state: &memory.scoring)
        let changes = watch.scoredUntil == nil ? [] : scores.compactMap { memory.advance($0) }
        return ScoringResult(
            series: watch.series, model: model, scores: scores, changes: changes, memory: memory,
            scoredUntil: history.grid.instant(at: history.values.count - 1),
            isResumed: watch.scoredUntil != nil, isAfresh: isAfresh)
    }

    /// Mean and deviation of the series, where the model has those of another.
    private func ownScale() throws(ForecastError) -> Standardiser? {
        guard isShared else { return nil }
        if let scale = memory?.scale { return scale }
        return try Standardiser(fitting: history.values)
    }

    /// The memory of the last run; a fresh one for a new watch, a new model or a new budget.
    private func remembered(_ scorer: AnomalyScorer) throws(ForecastError) -> WatchMemory {
        if let memory, memory.model == model.number, watch.threshold != nil { return memory }
        let budget = AlertBudget(alertsPerWeek: watch.alertsPerWeek)
        let tried = max(0, first - pipeline.report.split.validation)..<first
        let policy = budget.policy(
            hits: watch.hits, among: watch.among, minimumEffect: watch.minimumEffect,
            on: try scorer.score(history: history, range: tried), rate: history.grid.rate)
        var fresh = WatchMemory(
            model: model.number, machine: IncidentMachine(policy: policy), scoring: ScoringState())
        if let open = memory?.machine, open.incident != nil {
            fresh.machine = open
            fresh.next = policy
        }
        return fresh
    }
}

extension WatchMemory {
    /// What a watch remembers; nil where it has nothing, or a text of another version.
    init?(of watch: Watch, model: ModelID) {
        guard let text = watch.machine,
            let stored = try? JSONDecoder().decode(WatchMemory.self, from: Data(text.utf8))
        else { return nil }
        self = stored
        // A scale is that of the series as one model sees it.
        if stored.model != model.number { scale = nil }
    }
}
