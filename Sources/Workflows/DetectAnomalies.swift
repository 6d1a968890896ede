import Forecasting
package import Jobs
package import Postgres
import Series
import Store

/// The job `score`: scores the observations that came since the last time, and moves the incident
/// machines of their series.
///
/// There are two kinds of runs. What is new of watched series is scored a lane of them at a time. A
/// series that is new itself, has another model or budget, or is far behind gets a run of its own:
/// when it is first watched, a week of history is scored so that there is something to look at, but
/// raises no incident: nobody wants to be woken for last Tuesday.
package struct DetectAnomalies: JobHandler {
    package let kind = "score"
    /// Observations scored by one run; what is left goes to the next.
    static let rowsMaximum = 10_000

    private let pool: Pool
    private let pipelines = PipelineShelf(bytesMaximum: 256 << 20)
    private let watched = WatchShelf()

    /// - Parameter pool: Where observations and models are read.
    package init(pool: Pool) {
        self.pool = pool
    }

    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        switch try JobArguments.decode(JobArguments.Score.self, of: lease) {
        case .lane(let lane):
            return try await ScoringLane(
                number: lane, pool: pool, pipelines: pipelines, watched: watched
            ).run(lease)
        case .series(let series):
            do {
                guard let work = try await ScoringWork.load(series, from: pool) else {
                    return { _ in }
                }
                let result = try await Permanent.run { _ in try work.scored() }
                return { db in try Self.store(result, of: work, by: lease, in: db) }
            } catch let error as PermanentJobError {
                // The next observation asks again; a dead job each time would tell nobody more.
                let reason = JobFailure(error).message
                return { db in
                    try WatchStore.note([(series: series, model: nil, reason: reason)], in: db)
                }
            }
        }
    }

    /// Writes scores, incidents and the position, and asks for another run where rows are left.
    private static func store(
        _ result: ScoringResult, of work: ScoringWork, by lease: Lease, in db: borrowing Session
    ) throws {
        let series = work.watch.series
        guard try WatchStore.lock([series], in: db)[series] == work.watch.scoredUntil else {
            throw ScoringOvertaken()
        }
        try result.store(run: JobRun(lease), in: db)
        try WatchStore.advance([try result.advance], in: db)
        if work.hasMore { try enqueue(series, in: db) }
    }

    /// Asks for a run that scores one series; one that runs already runs once more.
    static func enqueue(_ series: SeriesID, in db: borrowing Session) throws {
        var request = JobRequest(
            kind: "score", arguments: "{\"series_id\": \(series.number)}",
            uniqueKey: "score \(series.number)")
        request.conflict = .replace
        request.priority = 50
        try JobQueue().enqueue(request, db)
    }
}

/// Somebody else scored the same series meanwhile; the job is tried again from where they left it.
struct ScoringOvertaken: Error {}
