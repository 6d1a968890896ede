import Jobs
package import Postgres
import Series
import Store

/// Turns events into jobs: new observations of a watched series, or a new model for one, are
/// scored. A duty of the leader; the cursor in the database keeps two of them harmless.
package struct EventRouter: Duty {
    /// Events that one transaction takes.
    static let batch = 500

    package let name = "route"
    package let interval = Duration.seconds(1)

    package init() {}

    package func perform(_ db: borrowing Session) throws {
        let events = try Outbox.read(consumer: "workflows", limit: Self.batch, in: db)
        let keys = Set(
            events.filter { ["series.extended", "model.promoted"].contains($0.type) }
                .map(\.subject))
        for key in keys.sorted() {
            let series = try SeriesStore.find(key: key, in: db)
            guard let watch = try WatchStore.find(series.id, in: db), !watch.isPaused else {
                continue
            }
            try Self.enqueueScoring(of: series.id, in: db)
        }
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
