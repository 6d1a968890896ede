import ArgumentParser
import Postgres

extension ScheduleCommand {
    /// `systole schedule fires`
    struct Fires: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fires",
            abstract: "What was decided about a schedule, newest first.",
            discussion: """
                Example:
                  systole schedule fires 'forecast plant.oil_temp 7 days'
                """)

        @Argument(help: "The schedule's name.") var name: String
        @Option(help: "How many, from 1 to 10000.") var most = 20
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(most) else {
                throw ValidationError("--most \(most) is outside 1 to 10000")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT f.fire_at, nullif(f.through_at, f.fire_at) AS through, f.decision,
                        f.job_id, f.decided_at
                    FROM systole.find_schedule(\(name)) AS s
                    JOIN systole.schedule_fires AS f USING (schedule_id)
                    ORDER BY f.fire_at DESC LIMIT \(most)
                    """, on: pool, json: json, nothing: "it has not been due yet")
            }
        }
    }

    /// `systole schedule trigger`
    struct Trigger: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "trigger",
            abstract: "Fires a schedule once, now, also one that is paused.")

        @Argument(help: "The schedule's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let rows = try await pool.run("SELECT systole.trigger_schedule(\(name)) AS job_id")
                print("job \(try rows.only().int64("job_id")) is ready")
            }
        }
    }

    /// `systole schedule backfill`
    struct Backfill: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backfill",
            abstract: "Makes good what a schedule would have done in a stretch of the past.",
            discussion: """
                Forecasts are made from what had been observed by each time; they run after live
                jobs. Fires that happened are left alone.

                Example:
                  systole schedule backfill 'forecast plant.oil_temp 7 days' \\
                      --from '2026-11-01 00:00+00' --to '2026-11-08 00:00+00'
                """)

        @Argument(help: "The schedule's name.") var name: String
        @Option(help: "The first instant.") var from: String
        @Option(help: "The last instant, in the past.") var to: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let rows = try await pool.run(
                    """
                    SELECT systole.backfill_schedule(\(name), \(from)::timestamptz,
                        \(to)::timestamptz) AS fires
                    """)
                print("\(try rows.only().int("fires")) jobs are ready")
            }
        }
    }
}
