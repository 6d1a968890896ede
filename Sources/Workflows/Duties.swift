import Jobs
package import Postgres

/// Marks forecasts whose truth has arrived, came late or was corrected.
package struct ForecastMarking: Duty {
    /// How many series one statement marks.
    static let batch = 200
    /// How many statements one performance takes at most.
    static let batchesMaximum = 50

    package init() {}

    package var name: String { "accuracy" }
    package var interval: Duration { .seconds(2) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        for _ in 1...Self.batchesMaximum {
            let marked = try db.run("SELECT systole.score_accuracy(\(Self.batch)::integer) AS n")
                .only().int("n")
            if marked < Self.batch { return }
        }
    }
}

/// Stores parked observations whose time has come, and makes partitions for those of next year.
package struct ObservationUpkeep: Duty {
    package init() {}

    package var name: String { "observations" }
    package var interval: Duration { .seconds(60) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        try db.run("SELECT systole.ensure_partitions(now(), now() + interval '60 days')")
        try db.run("SELECT systole.merge_late_observations()")
    }
}
