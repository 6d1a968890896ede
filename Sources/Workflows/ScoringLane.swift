import Forecasting
import Jobs
import Postgres
import Series
import Store

/// One job that scores what is new of the watched series of a lane: a few statements for all of them.
///
/// Every series is scored from where the last run left it, in memory where this process made that run.
/// A series that cannot be scored takes nothing from the others: its watch says why. One that needs
/// more than a few new rows scored gets a run of its own.
struct ScoringLane: Sendable {
    /// New observations of one series; with more, it gets a run of its own.
    static let rowsMaximum = 512

    let number: Int
    let pool: Pool
    let pipelines: PipelineShelf
    let watched: WatchShelf

    /// Scores; what is known of the series afterwards is kept for the next run.
    func run(_ lease: Lease) async throws -> Effects {
        let plan = try await pool.transaction { db in
            try LanePlan(number, pipelines, watched, in: db)
        }
        let outcome = try await Computation.run { _ in plan.outcome() }
        for (id, taken) in plan.pipelines { pipelines.put(taken, id) }
        for (result, tail) in outcome.results {
            watched.put(
                WatchShelf.Entry(
                    scoredUntil: result.scoredUntil, memory: result.memory, tail: tail),
                result.series)
        }
        return { db in try Self.store(outcome, of: plan, by: lease, in: db) }
    }

    /// Writes what was scored of the series that nobody else has moved meanwhile, and asks for another
    /// run where there is more.
    private static func store(
        _ outcome: LaneOutcome, of plan: LanePlan, by lease: Lease, in db: borrowing Session
    ) throws {
        let positions = try WatchStore.lock(outcome.results.map(\.result.series), in: db)
        let results = outcome.results.map(\.result).filter {
            positions[$0.series] == plan.positions[$0.series]
        }
        try ScoringResult.store(results, run: JobRun(lease), in: db)
        try WatchStore.advance(try results.map { try $0.advance }, in: db)
        try WatchStore.note(plan.troubles + outcome.troubles, in: db)
        for series in plan.alone { try DetectAnomalies.enqueue(series, in: db) }
        let overtaken = Set(outcome.results.map(\.result.series))
            .subtracting(results.map(\.series))
        if try plan.news.remove(lane: plan.lane, except: overtaken, in: db) {
            try enqueue(plan.lane, in: db)
        }
    }

    /// Asks for another run of a lane.
    static func enqueue(_ lane: Int, in db: borrowing Session) throws {
        var request = JobRequest(
            kind: "score", arguments: "{\"lane\": \(lane)}", uniqueKey: "score lane \(lane)")
        request.conflict = .replace
        request.priority = 50
        try JobQueue().enqueue(request, db)
    }
}

/// The series of a lane of which there is news, each with what it is scored with.
struct LanePlan: Sendable {
    /// A series to score.
    struct Part: Sendable {
        let work: ScoringWork
        let tail: SeriesTail
    }

    /// A series that is scored from where the last run left it.
    private struct Candidate {
        let watch: Watch
        let position: Timestamp
        let model: LiveModelEntry
        let memory: WatchMemory
        let tail: SeriesTail
        /// What was known of it reaches up to its position.
        let isWarm: Bool
    }

    let lane: Int
    let news: WatchNews
    private(set) var parts: [Part] = []
    /// Models that were taken off the shelf.
    private(set) var pipelines: [ModelID: TakenPipeline] = [:]
    /// Series that get a run of their own.
    private(set) var alone: [SeriesID] = []
    /// Series whose model cannot be read, and why: one sentence without sample values.
    private(set) var troubles: [(series: SeriesID, model: ModelID?, reason: String)] = []
    /// How far each series of `parts` was scored.
    private(set) var positions: [SeriesID: Timestamp] = [:]

    /// Reads everything; models and what is known of series come from the shelves where they are there.
    init(
        _ lane: Int, _ shelf: PipelineShelf, _ watched: WatchShelf, in db: borrowing Session
    ) throws {
        self.lane = lane
        news = try WatchNews.read(lane: lane, in: db)
        guard !news.series.isEmpty else { return }
        var candidates = try candidates(watched, in: db)
        for id in Set(candidates.map(\.model.weightsOf)) {
            do {
                pipelines[id] = try shelf.take(id) { try ModelStore.find(id, in: db).weights }
            } catch let error as PostgresError {
                throw error
            } catch {
                // The model is damaged, or another program's: the others can be used.
                let reason = JobFailure(error).message
                troubles += candidates.filter { $0.model.weightsOf == id }.map {
                    ($0.watch.series, $0.model.id, reason)
                }
                candidates.removeAll { $0.model.weightsOf == id }
            }
        }
        let limit = ScoringLane.rowsMaximum + scorerRowsMaximum(candidates)
        let tails = try SeriesStore.extend(
            candidates.map { ($0.tail, after(of: $0)) }, limit: limit, in: db)
        for (candidate, tail) in zip(candidates, tails) {
            if tail.count - candidate.tail.count < limit {
                try add(candidate, tail)
            } else {
                alone.append(candidate.watch.series)  // There may be more than was read.
            }
        }
    }

    /// Sorts out who is scored here and who alone; who is not watched, or has no model, is left out.
    private mutating func candidates(
        _ watched: WatchShelf, in db: borrowing Session
    ) throws -> [Candidate] {
        let watches = try WatchStore.find(news.series, in: db)
        let live = Dictionary(
            uniqueKeysWithValues: try ModelStore.live(news.series, in: db).map { ($0.series, $0) })
        let stored = Dictionary(
            uniqueKeysWithValues: try SeriesStore.find(news.series, in: db).map { ($0.id, $0) })
        var found: [Candidate] = []
        for id in news.series {
            guard let watch = watches[id], !watch.isPaused, let model = live[id],
                let tail = stored[id].flatMap({ SeriesTail(of: $0) })
            else { continue }
            guard let position = watch.scoredUntil, watch.threshold != nil else {
                alone.append(id)
                continue
            }
            let known = watched.take(id, at: position)
            // What was kept must not be older than what is stored.
            let isWarm =
                known.map { $0.tail.last == position } ?? false
                && news.first[id].map { $0 > position } ?? false
            let memory = known?.memory ?? WatchMemory(of: watch, model: model.id)
            guard let memory, memory.model == model.id.number,
                memory.scale != nil || !model.isShared
            else {
                alone.append(id)
                continue
            }
            found.append(
                Candidate(
                    watch: watch, position: position, model: model, memory: memory,
                    tail: isWarm ? known?.tail ?? tail : tail, isWarm: isWarm))
        }
        return found
    }

    private func scorerRows(of candidate: Candidate) -> Int {
        pipelines[candidate.model.weightsOf].map { AnomalyScorer($0.pipeline).historyRows } ?? 0
    }

    private func scorerRowsMaximum(_ candidates: [Candidate]) -> Int {
        candidates.map { scorerRows(of: $0) }.max() ?? 0
    }

    /// The instant after which the observations of a series are read.
    private func after(of candidate: Candidate) -> Timestamp {
        if candidate.isWarm { return candidate.position }
        let reach = Int64(scorerRows(of: candidate) + 1) * candidate.tail.step
        return Timestamp(microseconds: candidate.position.microseconds - reach)
    }

    private mutating func add(_ candidate: Candidate, _ tail: SeriesTail) throws {
        let id = candidate.watch.series
        guard let last = tail.last, last > candidate.position,
            let taken = pipelines[candidate.model.weightsOf]
        else { return }
        let new = Int((last.microseconds - candidate.position.microseconds) / tail.step) + 1
        guard new <= ScoringLane.rowsMaximum else {
            alone.append(id)
            return
        }
        let looksBack = AnomalyScorer(taken.pipeline).historyRows
        guard let history = try tail.onGrid(looksBack + new) else { return }
        var kept = tail
        kept.keep(looksBack + 1)
        let work = ScoringWork(
            watch: candidate.watch, model: candidate.model.id, pipeline: taken.pipeline,
            isShared: candidate.model.isShared, history: history,
            first: max(0, history.grid.nearestIndex(to: candidate.position) + 1),
            memory: candidate.memory, hasMore: false)
        guard work.first < history.values.count else { return }
        positions[id] = candidate.position
        parts.append(Part(work: work, tail: kept))
    }

    /// Scores every series.
    func outcome() -> LaneOutcome {
        var outcome = LaneOutcome()
        for part in parts {
            let series = part.work.watch.series
            do {
                outcome.results.append((try part.work.scored(), part.tail))
            } catch {
                outcome.troubles.append((series, part.work.model, JobFailure(error).message))
            }
        }
        return outcome
    }
}

/// What became of the series of a lane.
struct LaneOutcome: Sendable {
    fileprivate(set) var results: [(result: ScoringResult, tail: SeriesTail)] = []
    /// The series that could not be scored, and why: one sentence without sample values.
    fileprivate(set) var troubles: [(series: SeriesID, model: ModelID?, reason: String)] = []
}
