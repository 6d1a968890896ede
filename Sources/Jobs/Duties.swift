package import Postgres

/// Fires the schedules that are due.
package struct Scheduler: Duty {
    /// How many schedules one statement decides.
    static let batch = 100
    /// How many statements one performance takes at most.
    static let batchesMaximum = 50

    package init() {}

    package var name: String { "schedule" }
    package var interval: Duration { .seconds(1) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        for _ in 1...Self.batchesMaximum {
            try db.run("SELECT systole.fire_due_schedules(\(Self.batch)::integer)")
            let isDone = try db.run(
                """
                SELECT NOT EXISTS (SELECT FROM systole.schedules WHERE next_fire_at <= now()) AS done
                """
            ).only().bool("done")
            if isDone { return }
        }
    }
}

/// Takes jobs back from workers that are gone and from runs past their deadline.
package struct Rescuer: Duty {
    package init() {}

    package var name: String { "rescue" }
    package var interval: Duration { .seconds(5) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        try db.run("SELECT systole.rescue_lost_jobs()")
    }
}

/// Creates the partitions of the job history ahead and drops what is no longer kept.
package struct Upkeep: Duty {
    package init() {}

    package var name: String { "upkeep" }
    package var interval: Duration { .seconds(3600) }

    /// Does it once.
    package func perform(_ db: borrowing Session) throws {
        try db.run("SELECT systole.ensure_job_history(now(), now() + interval '2 months')")
        try db.run("SELECT systole.apply_retention()")
    }
}
