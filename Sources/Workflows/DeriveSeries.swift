import Forecasting
package import Jobs
package import Postgres
import Series
import Store

/// The job `derive`: reads what is new of the inputs of derived series, a lane of them at a time, and
/// stores what their models make of it.
///
/// What a model keeps of the past is read from the database and written back in the transaction that
/// stores what followed from it: any worker goes on where another one was, and replays nothing. Bits do
/// not depend on how observations were cut into runs.
package struct DeriveSeries: JobHandler {
    package let kind = "derive"
    /// Observations of one input that one run reads; what is left goes to the next.
    static let rowsMaximum = 8_192

    private let pool: Pool
    private let models: StreamShelf

    /// - Parameter pool: Where observations, states and models are read.
    package init(pool: Pool) {
        self.pool = pool
        models = StreamShelf(bytesMaximum: 128 << 20)
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let lane = try JobArguments.decode(JobArguments.Derive.self, of: lease).lane
        let plan = try await pool.transaction { db in
            try DerivationPlan(lane: lane, models, in: db)
        }
        let outcome = try await Computation.run { cancellation in
            try plan.outcome { try cancellation.check() }
        }
        return { db in try Self.store(outcome, of: plan, in: db) }
    }

    /// Writes what was derived of the streams that nobody else has moved meanwhile, and asks for another
    /// run where there is more.
    private static func store(
        _ outcome: DerivationOutcome, of plan: DerivationPlan, in db: borrowing Session
    ) throws {
        let positions = try DerivationStore.lock(plan.works.map(\.stored.id), in: db)
        var kept: Set<Int64> = []
        var (batches, steps): ([(SeriesID, [Observation])], [DerivationAdvance]) = ([], [])
        var notes: [DerivationNote] = []
        for result in outcome.results {
            let stored = result.stored
            // What was paused or dropped meanwhile is left alone.
            guard let position = positions[stored.id] else { continue }
            guard position == stored.derivedUntil else {
                kept.insert(stored.id)
                continue
            }
            batches += zip(stored.outputs, result.observations).filter { !$0.1.isEmpty }
            if let step = result.advance { steps.append(step) }
            notes += result.notes
        }
        if !batches.isEmpty { _ = try SeriesStore.append(batches, onConflict: .keep, in: db) }
        try DerivationStore.advance(steps, in: db)
        try DerivationStore.note(notes, in: db)
        try DerivationStore.trouble(plan.troubles + outcome.troubles, in: db)
        try DerivationNews.add(outcome.unfinished.subtracting(kept), in: db)
        try plan.news.remove(lane: plan.lane, except: kept, in: db)
        // What came meanwhile waits for the router, so that many streams are one job.
        if plan.news.isFull || !outcome.unfinished.isEmpty { try enqueue(plan.lane, in: db) }
    }

    /// Asks for another run of a lane.
    private static func enqueue(_ lane: Int, in db: borrowing Session) throws {
        var request = JobRequest(
            kind: "derive", arguments: "{\"lane\": \(lane)}", uniqueKey: "derive lane \(lane)")
        request.conflict = .replace
        request.priority = 50
        try JobQueue().enqueue(request, db)
    }
}

/// What one run reads.
struct DerivationPlan: Sendable {
    let lane: Int
    let news: DerivationNews
    private(set) var works: [DerivationWork] = []
    /// Derivations whose model cannot be used, and why.
    private(set) var troubles: [(derivation: Int64, reason: String)] = []

    init(lane: Int, _ models: StreamShelf, in db: borrowing Session) throws {
        self.lane = lane
        news = try DerivationNews.read(lane: lane, in: db)
        guard !news.derivations.isEmpty else { return }
        var found: [(StoredDerivation, LoadedModel)] = []
        for stored in try DerivationStore.find(news.derivations, in: db) {
            do {
                found.append((stored, try models.model(of: stored, in: db)))
            } catch let error as PostgresError {
                throw error
            } catch {
                troubles.append((stored.id, JobFailure(error).message))
            }
        }
        let wanted = found.flatMap { stored, _ in
            stored.inputs.map { ($0, DerivationWork.firstInstant(of: stored)) }
        }
        // Two pieces at least, or there would be no end of waiting for one.
        let pieces = found.map { 2 * $0.0.merged * $0.0.ratio }.max() ?? 0
        let stretches = try DerivationStore.observed(
            wanted, limit: max(DeriveSeries.rowsMaximum, pieces), in: db)
        var place = 0
        for (stored, model) in found {
            let end = place + stored.inputs.count
            works.append(
                DerivationWork(
                    stored: stored, model: model, observed: Array(stretches[place..<end]),
                    firstNews: news.first[stored.id]))
            place = end
        }
    }

    /// Derives everything; one model serves all streams that it has.
    func outcome(check: () throws -> Void) throws -> DerivationOutcome {
        var outcome = DerivationOutcome()
        var computers: [DerivationModel: any StreamModel] = [:]
        for work in works {
            try check()
            guard let key = work.stored.model, let computer = computers[key] ?? work.model.stream
            else {
                outcome.troubles.append((work.stored.id, "its model is of another family"))
                continue
            }
            computers[key] = computer
            do throws(DerivationMisfit) {
                let result = try work.derived(by: computer)
                outcome.results.append(result)
                if result.hasMore { outcome.unfinished.insert(work.stored.id) }
            } catch {
                outcome.troubles.append((work.stored.id, error.description))
            }
        }
        return outcome
    }
}

/// What became of the derivations of a lane.
struct DerivationOutcome: Sendable {
    var results: [DerivationResult] = []
    /// Derivations of which more is stored than one run reads.
    var unfinished: Set<Int64> = []
    var troubles: [(derivation: Int64, reason: String)] = []
}
