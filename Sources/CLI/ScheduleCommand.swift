import ArgumentParser
import Postgres

/// `systole schedule`: forecasts that repeat.
struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Schedules forecasts; lists, pauses, fires and removes schedules.",
        discussion: """
            Example:
              systole schedule add plant.oil_temp --horizon '7 days' --every '1 hour'
              systole schedule add plant.oil_temp --horizon '7 days' --cron '5 6 * * *' \\
                  --time-zone Europe/Oslo
              systole schedule add --labels '{"site": "a"}' --horizon '1 day' --every '1 hour'
            """,
        subcommands: [
            Add.self, List.self, Next.self, Fires.self, Trigger.self, Backfill.self, Pause.self,
            Resume.self, Remove.self,
        ],
        defaultSubcommand: List.self)

    /// `systole schedule add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Schedules forecasts of one series, or of all with some labels.")

        @Argument(help: "The series, such as plant.oil_temp.") var series: String?
        @Option(help: "Instead: all series with these labels, '{\"site\": \"a\"}'; {} for all.")
        var labels: String?
        @Option(help: "How far ahead, as PostgreSQL writes intervals: '7 days'.")
        var horizon: String
        @Option(help: "How often: '1 hour'.") var every: String?
        @Option(help: "When, as five cron fields: '5 * * * *'.") var cron: String?
        @Option(help: "The time zone of --cron, by its IANA name.") var timeZone = "UTC"
        @Option(help: "A name of its own; else it is made from the series.") var name: String?
        @Option(help: "What becomes of missed fires: skip, latest or all.") var catchup = "latest"
        @Option(
            help: """
                While the previous forecast still waits or runs: allow, skip, queue_one or \
                cancel_running.
                """)
        var overlap = "skip"
        @Option(help: "Start up to so much later, each fire by another delay: '5 minutes'.")
        var jitter = "0"
        @Flag(help: "Pause the schedule when a forecast is given up.") var pauseOnFailure = false
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard (every == nil) != (cron == nil) else {
                throw ValidationError("give either --every or --cron")
            }
            guard (series == nil) != (labels == nil) else {
                throw ValidationError("give either a series or --labels")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                let what: SQL =
                    if let series {
                        "systole.schedule_forecast(\(series)"
                    } else {
                        "systole.schedule_forecasts(\(labels)::jsonb"
                    }
                let rows = try await pool.run(
                    """
                    SELECT \(what), horizon => \(horizon)::interval,
                        every => \(every)::interval, cron => \(cron), time_zone => \(timeZone),
                        name => \(name), catchup => \(catchup), overlap => \(overlap),
                        jitter => \(jitter)::interval, pause_on_failure => \(pauseOnFailure))
                        AS schedule
                    """)
                print("schedule \(try rows.only().text("schedule")) is set")
            }
        }
    }

    /// `systole schedule list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Every schedule with its next and last fire.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    "SELECT * FROM systole.schedules ORDER BY name", on: pool, json: json,
                    nothing: "no schedules yet; `systole schedule add` makes one")
            }
        }
    }

    /// `systole schedule next`
    struct Next: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "next", abstract: "When a schedule will fire.")

        @Argument(help: "The schedule's name.") var name: String
        @Option(help: "How many fires, from 1 to 1000.") var count = 5
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    "SELECT * FROM systole.next_fires(\(name), \(count)::integer)", on: pool,
                    json: json, nothing: "it will not fire")
            }
        }
    }

    /// `systole schedule pause`
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Stops a schedule until it is resumed.")

        @Argument(help: "The schedule's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.pause_schedule(\(name))")
                print("\(name) is paused")
            }
        }
    }

    /// `systole schedule resume`
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Lets a paused schedule go on.")

        @Argument(help: "The schedule's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.resume_schedule(\(name))")
                print("\(name) goes on")
            }
        }
    }

    /// `systole schedule remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Removes a schedule; its forecasts stay.")

        @Argument(help: "The schedule's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.delete_schedule(\(name))")
                print("\(name) is removed")
            }
        }
    }
}
