import Forecasting
import Foundation
package import Jobs
package import Postgres
import Series
import Store

/// The job `score-group`: judges the rows that all members of a group have reported since the last
/// time, and moves the incident machine of the group.
///
/// The group is learned when it is first watched, when its members change, and after every quarter
/// more rows; always behind the row that was judged last, so that rows which come one by one are
/// judged as rows that come at once. Detector, scores, incidents and position are one transaction.
package struct ScoreGroup: JobHandler {
    package let kind = "score-group"
    /// Rows judged by one run; what is left goes to the next.
    static let rowsMaximum: Int64 = 10_000

    private let pool: Pool
    private let environment: FittingEnvironment

    /// - Parameters:
    ///   - pool: Where observations and detectors are read.
    ///   - environment: Seed and version of this process.
    package init(pool: Pool, environment: FittingEnvironment) {
        self.pool = pool
        self.environment = environment
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments = try JobArguments.decode(JobArguments.ScoreGroup.self, of: lease)
        let found = try await pool.transaction { db in
            try GroupPlan(arguments.groupID, in: db)
        }
        guard let plan = found else { return { _ in } }
        if let obstacle = plan.obstacle { return Self.note(obstacle, plan.watch) }
        guard let work = try await GroupWork(plan, from: pool) else { return { _ in } }
        do {
            var options = GroupOptions()
            options.seed = environment.seed
            options.codeVersion = environment.codeVersion
            let result = try await Computation.run { [options] cancellation in
                try work.judged(options) { fraction in
                    try cancellation.check()
                    context.report(fraction: fraction, note: "learning \(work.plan.group.name)")
                }
            }
            context.conclude(try JSON.text(result.summary))
            return { db in try result.store(by: lease, in: db) }
        } catch let error as GroupError {
            return Self.note(error.description, plan.watch)
        }
    }

    /// Says why nothing is judged; the next observation is a new chance.
    private static func note(_ text: String, _ watch: GroupWatch) -> Effects {
        { db in try GroupWatchStore.note(text, of: watch.group, in: db) }
    }

    /// Asks for a run; one that runs already runs once more.
    static func enqueue(_ group: GroupID, in db: borrowing Session) throws {
        var request = JobRequest(
            kind: "score-group", arguments: "{\"group_id\": \(group.number)}",
            uniqueKey: "score-group \(group.number)")
        request.conflict = .replace
        request.priority = 50
        try JobQueue().enqueue(request, db)
    }
}

/// What is known of a watched group before its rows are read.
struct GroupPlan: Sendable {
    let group: StoredGroup
    let watch: GroupWatch
    /// The last row that is ready; nil while too few members have any.
    let ready: Int64?
    let stored: StoredGroupDetector?

    /// nil where the group is not watched.
    init?(_ id: GroupID, in db: borrowing Session) throws {
        guard let group = try GroupStore.find(id, in: db),
            let watch = try GroupWatchStore.find(id, in: db), !watch.isPaused
        else { return nil }
        self.group = group
        self.watch = watch
        let newest = try GroupStore.newest(group, in: db)
        ready = GroupReadiness.row(
            newest: newest.map { $0.map { group.grid.number(of: $0) } }, share: watch.share,
            lateness: watch.latenessMicroseconds / group.grid.stepMicroseconds)
        stored = try watch.detector.flatMap { try GroupWatchStore.detector($0, in: db) }
    }

    /// Why the group cannot be judged, whatever comes.
    var obstacle: String? {
        if group.members.count < 2 {
            return "the group has \(group.members.count) members; at least 2 are needed"
        }
        guard !group.strangers.isEmpty else { return nil }
        let names = group.strangers.prefix(3).map { "\"\($0)\"" }.joined(separator: ", ")
        return "these members no longer have the step of the group: \(names)"
    }

    /// The row that was judged last.
    var scored: Int64? { watch.scoredUntil.map { group.grid.number(of: $0) } }
}

/// Everything that one run judges with.
struct GroupWork: Sendable {
    let plan: GroupPlan
    /// The last row that is ready.
    let ready: Int64
    /// nil where the group is to be learned.
    let detector: GroupDetector?
    /// nil at first.
    let state: GroupState?
    /// The rows to learn from; nil where nothing is to be learned.
    let training: GroupRows?
    /// End with the rows to judge; before them as much history as any detector needs.
    let rows: GroupRows

    /// nil where no row is ready.
    init?(_ plan: GroupPlan, from pool: Pool) async throws {
        guard let ready = plan.ready, ready > plan.scored ?? .min else { return nil }
        self.plan = plan
        self.ready = ready
        var detector: GroupDetector?
        if let stored = plan.stored, stored.members == plan.group.members {
            // Bytes that are no detector of ours are from another version: learn anew.
            detector = try? GroupDetector(decoding: stored.weights)
        }
        // And so is a text that is no state of ours.
        state = plan.watch.machine.flatMap { try? JSON.value(GroupState.self, $0) }
        if let known = detector, let scored = plan.scored,
            scored >= known.renewal(on: plan.group.grid), state?.isOpen != true
        {
            detector = nil
        }
        self.detector = detector
        let (last, group, isNew) = (plan.scored ?? ready, plan.group, detector == nil)
        let end = min(ready, last + ScoreGroup.rowsMaximum)
        (training, rows) = try await pool.transaction { db in
            let begin = last - Int64(GroupOptions.rowsMaximum) + 1
            let training =
                isNew
                ? try GroupStore.rows(group, begin...last, forTraining: true, in: db) : nil
            // Rows of the past that are only shown need their history as well.
            let history = isNew && plan.scored == nil ? begin : last - GroupOptions.historyMaximum
            return (training, try GroupStore.rows(group, history...end, in: db))
        }
    }

    /// Learns where it is time to, and judges.
    func judged(
        _ options: GroupOptions, progress: (Double) throws -> Void
    ) throws -> GroupResult {
        let begin = ContinuousClock.now
        let trained = try training.map {
            try GroupDetector.fit($0, options: options, progress: progress)
        }
        let seconds = begin.duration(to: .now) / .seconds(1)
        guard let detector = trained ?? detector else {
            preconditionFailure("GroupWork: nothing to judge with, and nothing to learn from")
        }
        let (grid, members) = (plan.group.grid, plan.group.members.count)
        let policy = detector.policy(AlertBudget(alertsPerWeek: plan.watch.alertsPerWeek), on: grid)
        var state = state ?? GroupState(policy: policy, channels: members)
        if trained != nil {
            state = state.renewed(policy, channels: members)
        } else if plan.watch.threshold == nil {
            state.adopt(policy)
        }
        var outcome = GroupDetector.Outcome(through: ready)
        if let scored = plan.scored {
            outcome = detector.advance(rows, from: scored + 1, &state)
        } else {
            // History is there to be looked at, but raises no incident.
            let week = 604_800_000_000 / grid.stepMicroseconds
            let shown = min(Int64(detector.report.calibrationRows), max(week, 1))
            outcome.scores = detector.scores(rows, from: ready - shown + 1)
        }
        return GroupResult(
            plan: plan, ready: ready, trained: trained, trainSeconds: seconds, state: state,
            outcome: outcome,
            threshold: state.threshold == policy.fireScore ? policy.fireScore : nil
        )
    }
}

/// What one run found.
struct GroupResult: Sendable {
    let plan: GroupPlan
    let ready: Int64
    let trained: GroupDetector?
    let trainSeconds: Double
    let state: GroupState
    let outcome: GroupDetector.Outcome
    /// nil while an open incident keeps an older one.
    let threshold: Double?

    /// What is kept with the job.
    struct Summary: Encodable {
        let scored: Int
        let incidents: Int
        let trained: Bool
    }

    var summary: Summary {
        Summary(
            scored: outcome.scores.count, incidents: outcome.changes.count { $0.isOpening },
            trained: trained != nil)
    }

    /// Writes all of it, unless somebody was faster; nothing where the watch is gone.
    func store(by lease: Lease, in db: borrowing Session) throws {
        let (group, run) = (plan.group, JobRun(lease))
        guard let watch = try GroupWatchStore.lock(group.id, in: db) else { return }
        guard watch == plan.watch else { throw ScoringOvertaken() }
        let detector = try detector(run, in: db)
        if let batch = batch(detector) {
            try GroupWatchStore.write(batch, of: group.id, run: run, in: db)
        }
        for change in outcome.changes { try store(change, detector, in: db) }
        try GroupWatchStore.advance(
            group.id, scoredUntil: group.grid.instant(of: outcome.through), detector: detector,
            machine: try JSON.text(state), threshold: threshold, in: db)
        if outcome.through < ready { try ScoreGroup.enqueue(group.id, in: db) }
    }

    /// The number of the detector that judged, stored if it is new.
    private func detector(_ run: JobRun, in db: borrowing Session) throws -> Int64 {
        guard let trained else {
            guard let known = plan.watch.detector else { throw ScoringOvertaken() }
            return known
        }
        let (group, report) = (plan.group, trained.report)
        return try GroupWatchStore.insert(
            NewGroupDetector(
                family: "stackvae", members: group.members,
                from: group.grid.instant(of: report.firstRow),
                until: group.grid.instant(of: report.lastRow),
                metrics: try JSON.text(GroupMetrics(report: report, trainSeconds: trainSeconds)),
                weights: trained.encoded()),
            of: group.id, run: run, in: db)
    }

    private func batch(_ detector: Int64) -> GroupScoreBatch? {
        guard !outcome.scores.isEmpty else { return nil }
        return GroupScoreBatch(
            detector: detector, members: plan.group.members, instants: outcome.scores.map(\.at),
            pValues: outcome.scores.map(\.p), scores: outcome.scores.map(\.score),
            surprises: outcome.scores.flatMap { $0.surprises.map { Float($0) } })
    }

    /// Writes a transition; `IncidentStore` appends its event.
    private func store(
        _ change: GroupChange, _ detector: Int64, in db: borrowing Session
    ) throws {
        let group = plan.group
        let peak = change.peak.flatMap { worst($0, change.transition.incident) }
        switch change.transition {
        case .opened(let incident):
            guard let peak else { return }  // A hit has parts always.
            try IncidentStore.open(
                of: group, detector: detector, openedAt: incident.startedAt, peak: peak,
                threshold: change.threshold, in: db)
        case .updated, .shifted:  // A group shifts only while it is open.
            if let peak { try IncidentStore.raisePeak(of: group.id, to: peak, in: db) }
        case .resolved:
            if let peak { try IncidentStore.raisePeak(of: group.id, to: peak, in: db) }
            try IncidentStore.resolve(of: group.id, at: change.at, in: db)
        }
    }

    private func worst(_ peak: GroupPeak, _ incident: Incident) -> GroupIncidentPeak? {
        guard !peak.parts.isEmpty else { return nil }
        return GroupIncidentPeak(
            at: peak.at, score: incident.peak.score,
            pValue: pow(10, -incident.peak.score),
            contributions: IncidentContributions(
                members: peak.parts.map { plan.group.members[$0.channel] },
                shares: peak.parts.map(\.share), observed: peak.parts.map(\.observed),
                expected: peak.parts.map(\.expected)))
    }
}

/// All that is needed to judge a training and to do it again.
private struct GroupMetrics: Encodable {
    let report: GroupReport
    let trainSeconds: Double

    private enum Key: String, CodingKey { case trainSeconds }

    func encode(to encoder: any Encoder) throws {
        try report.encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(trainSeconds, forKey: .trainSeconds)
    }
}
