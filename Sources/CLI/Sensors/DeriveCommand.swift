import ArgumentParser
import Postgres

/// `systole derive`: series that a model reads from others.
struct DeriveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "derive",
        abstract: "Makes series of what a model reads from others, as samples come.",
        discussion: """
            Example:
              systole train hiss walk*.csv --inputs ax,ay,az --target speed --store hiss-wrist
              systole derive add wrist.imu --model hiss-wrist --output wrist.speed
              systole derive list
              systole derive run wrist.safetensors new.csv --out speed.csv
            """,
        subcommands: [
            Add.self, List.self, Notes.self, Pause.self, Resume.self, Remove.self, Models.self,
            Promote.self, DeriveRunCommand.self,
        ],
        defaultSubcommand: List.self)

    /// `systole derive add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract:
                "Begins to derive a series, from everything that is stored and whatever comes.",
            discussion: """
                The source is what the keys of the inputs begin with: of wrist.imu, a model of ax and ay
                reads wrist.imu.ax and wrist.imu.ay; or it is a group with such members. --inputs names
                them one by one. --model spacetime makes what the newest SpaceTime model of a series
                expects next.

                Example:
                  systole derive add wrist.imu --model hiss-wrist --output wrist.speed
                """)

        @Argument(help: "What the keys of the inputs begin with, a group, or a series.")
        var source: String
        @Option(help: "A stored sensor model, or spacetime.") var model: String
        @Option(help: "The series to make; with several outputs, what their keys begin with.")
        var output: String
        @Option(help: "The inputs in the order of the model, separated by commas.")
        var inputs: String?
        @Option(help: "Nothing before this time is read.") var since: String?
        @Option(help: "How long a channel is waited for while others are ahead, such as '5 s'.")
        var lateness: String?
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let keys = inputs.map { TrainSensorCommand.names($0) }
            try await database.withPool { pool in
                let row = try await pool.transaction { db in
                    let id = try db.run(
                        """
                        SELECT systole.derive(\(source), \(model), \(output), \(keys)::text[],
                            coalesce(\(since)::timestamptz, '-infinity'), \(lateness)::interval) AS id
                        """
                    ).only().int64("id")
                    return try db.run(
                        """
                        SELECT array_to_string(inputs, ', ') AS inputs, resampling,
                            array_to_string(series, ', ') AS series, output_step::text AS step
                        FROM systole.derivations WHERE derivation_id = \(id)
                        """
                    ).only()
                }
                let resampling = try row.text("resampling")
                let means = resampling == "none" ? "" : " (\(resampling))"
                print(
                    "\(try row.text("series")) every \(try row.text("step")) from "
                        + "\(try row.text("inputs"))\(means)")
            }
        }
    }

    /// `systole derive list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Everything that is derived, and how far.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Also what was removed.") var all = false
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT output, source, model, model_version AS version, derived_until,
                        output_step::text AS step, late,
                        CASE WHEN dropped_at IS NOT NULL THEN 'removed'
                            WHEN paused_at IS NOT NULL THEN 'paused'
                            ELSE coalesce(trouble, 'ok') END AS state
                    FROM systole.derivations WHERE \(all) OR dropped_at IS NULL ORDER BY output
                    """, on: pool, json: json, nothing: "nothing is derived")
            }
        }
    }

    /// `systole derive notes`
    struct Notes: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "notes",
            abstract: "Where derived values begin anew, lapse, or would be others by now.")

        @Argument(help: "The output.") var output: String
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT at, kind, detail, times, last_at FROM systole.derivation_notes
                    WHERE output = \(output) ORDER BY note_id
                    """, on: pool, json: json, nothing: "there are no notes")
            }
        }
    }

    /// `systole derive pause`
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Derives nothing more until it is resumed.")

        @Argument(help: "The output.") var output: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.pause_derivation(\(output))")
            }
            print("\(output) is paused")
        }
    }

    /// `systole derive resume`
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Goes on where it was paused, and catches up.")

        @Argument(help: "The output.") var output: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.resume_derivation(\(output))")
            }
            print("\(output) goes on")
        }
    }

    /// `systole derive remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Ends a derivation; what it made stays.")

        @Argument(help: "The output.") var output: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.drop_derivation(\(output))")
            }
            print("\(output) is no longer derived")
        }
    }

    /// `systole derive models`
    struct Models: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "models",
            abstract: "Sensor models: what they read and give, and their stage.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT sensor_model_id AS number, name, version, stage,
                        array_to_string(inputs, ', ') AS inputs, input_step::text AS step,
                        array_to_string(outputs, ', ') AS outputs, output_step::text AS every, reason
                    FROM systole.sensor_models ORDER BY name, version
                    """, on: pool, json: json,
                    nothing: "there are no sensor models: systole train hiss --store NAME makes one"
                )
            }
        }
    }

    /// `systole derive promote`
    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "promote",
            abstract: "Goes on with another version of a sensor model, from a state of its own.")

        @Argument(help: "The number of the version.") var number: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let before = try await pool.run(
                    "SELECT systole.promote_sensor_model(\(number)) AS id"
                ).only().optionalInt64("id")
                let previous = before.map { "; before it was \($0)" } ?? ""
                print("sensor model \(number) is live\(previous)")
            }
        }
    }
}
