import Jobs
package import Logging
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

/// Tells of incidents that still fire when the silence of their series has ended, opens those of streams
/// that stay away, and has watched series scored by the model that has become theirs.
package struct IncidentNotices: Duty {
    package init() {}

    package var name: String { "incidents" }
    package var interval: Duration { .seconds(5) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        try db.run("SELECT systole.tell_after_silence()")
        try db.run("SELECT systole.open_no_data()")
        try db.run("SELECT systole.score_promoted()")
    }
}

/// Tells of models whose intervals have begun to hold too few or too many truths.
package struct CoverageNotices: Duty {
    package init() {}

    package var name: String { "coverage" }
    package var interval: Duration { .seconds(60) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        // Longer than the interval, for a leader that comes after another: what was told is known.
        try db.run("SELECT systole.tell_coverage(now() - interval '15 minutes')")
    }
}

/// Warns of a transaction that has been open for so long that dead rows pile up in the hot tables.
package struct SnapshotWatch: Duty {
    /// How long a transaction may be open without a word.
    static let patience = "10 minutes"

    private let logger: Logger

    /// - Parameter logger: Told who holds a snapshot, and for how long.
    package init(logger: Logger) {
        self.logger = logger
    }

    package var name: String { "snapshots" }
    package var interval: Duration { .seconds(60) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        let held = try db.run(
            """
            SELECT holder, coalesce(application_name, '') AS application,
                date_trunc('second', held_for)::text AS held_for
            FROM systole.longest_snapshot() WHERE held_for > \(Self.patience)::interval
            """)
        guard let row = held.first else { return }
        let holder = "\(try row.text("holder")) (\(try row.text("application")))"
        let time = try row.text("held_for")
        logger.warning(
            "an open transaction keeps dead rows alive: end it, or the queue slows down",
            metadata: ["holder": "\(holder)", "for": "\(time)"])
    }
}
