import Jobs
package import Logging
package import Postgres
import Series
import ServiceLifecycle
import Store

/// Turns events into jobs: new observations of a watched series, or a new model for one, are
/// scored, and so are the groups that it is in.
///
/// Any number may run: the cursor in the database gives each event to one of them.
package struct EventRouter: Service {
    /// Events that one transaction takes.
    static let batch = 500
    /// How often it looks: what an event waits at most before its job is there.
    static let interval = Duration.milliseconds(100)

    private let pool: Pool
    private let logger: Logger

    /// - Parameters:
    ///   - pool: Where events are read and jobs added.
    ///   - logger: Told when the database refuses.
    package init(pool: Pool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Works until it is asked to stop.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                var isBusy = false
                do {
                    isBusy = try await pool.transaction { db in try Self.route(in: db) }
                } catch {
                    if Task.isCancelled { return }
                    logger.warning("routing events failed", metadata: ["error": "\(error)"])
                }
                if isBusy { continue }
                try? await Task.sleep(for: Self.interval)  // Ends early only when cancelled.
            }
        }
    }

    /// Takes the next events.
    ///
    /// - Parameter db: The transaction that moves the cursor and adds the jobs.
    /// - Returns: Whether there may be more.
    /// - Throws: What the database refuses.
    package static func route(in db: borrowing Session) throws -> Bool {
        let events = try Outbox.read(consumer: "workflows", limit: batch, in: db)
        let keys = Set(
            events.filter { ["series.extended", "model.promoted"].contains($0.type) }
                .map(\.subject))
        for key in keys.sorted() {
            let series = try SeriesStore.find(key: key, in: db)
            guard let watch = try WatchStore.find(series.id, in: db), !watch.isPaused else {
                continue
            }
            try enqueueScoring(of: series.id, in: db)
        }
        let extended = Set(events.filter { $0.type == "series.extended" }.map(\.subject))
        try GroupWatchStore.enqueueScoring(ofGroupsWith: extended.sorted(), in: db)
        return events.count == batch
    }

    /// Asks for a run of `score`; one that runs already runs once more.
    static func enqueueScoring(of series: SeriesID, in db: borrowing Session) throws {
        var request = JobRequest(
            kind: "score", arguments: "{\"series_id\": \(series.number)}",
            uniqueKey: "score \(series.number)")
        request.conflict = .replace
        request.priority = 50
        try JobQueue().enqueue(request, db)
    }
}
