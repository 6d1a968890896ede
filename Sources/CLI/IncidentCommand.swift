import ArgumentParser
import Postgres

/// `systole incident`: what was out of the ordinary, what it was, and what nobody shall be told of.
struct IncidentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "incident",
        abstract: "Lists incidents, labels them, and silences series.",
        discussion: """
            Example:
              systole incident list --firing
              systole incident label 12 maintenance --note 'pump was exchanged'
              systole incident silence plant.oil_temp --lasting '2 hours'
            """,
        subcommands: [
            List.self, Label.self, Silence.self, Silences.self, Unsilence.self,
        ],
        defaultSubcommand: List.self)

    /// `systole incident list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "The newest incidents.")

        @Option(help: "Those of one series.") var series: String?
        @Flag(help: "Those that are not over.") var firing = false
        @Option(help: "How many, from 1 to 10000.") var most = 20
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (1...10_000).contains(most) else {
                throw ValidationError("--most \(most) is outside 1 to 10000")
            }
        }

        func run() async throws {
            let columns: SQL =
                json
                ? "*"
                : """
                incident_id, series, kind, state, opened_at, resolved_at,
                round(peak_score::numeric, 2) AS peak_score, round(threshold::numeric, 2) AS threshold,
                CASE WHEN told_at IS NULL THEN 'silenced' ELSE 'yes' END AS told, label
                """
            try await database.withPool { pool in
                if let series { _ = try await pool.run("SELECT systole.series_id_of(\(series))") }
                try await QueryReport.show(
                    """
                    SELECT \(columns) FROM systole.anomalies
                    WHERE (\(series)::text IS NULL OR series = \(series))
                        AND (state = 'firing' OR NOT \(firing))
                    ORDER BY incident_id DESC LIMIT \(most)
                    """, on: pool, json: json,
                    nothing: firing ? "nothing fires" : "no incidents yet")
            }
        }
    }

    /// `systole incident label`
    struct Label: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "label",
            abstract: "Says what an incident was; what was true or maintenance is not trained on.")

        @Argument(help: "The incident's number.") var id: Int64
        @Argument(help: "true, false or maintenance; none takes the label away.") var label: String
        @Option(help: "A few words about it.") var note: String?
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let label = label == "none" ? nil : label
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.label_incident(\(id), \(label), \(note))")
            }
            print("incident \(id) is labelled \(label ?? "nothing")")
        }
    }

    /// `systole incident silence`
    struct Silence: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "silence",
            abstract: "Keeps incidents back for a while; they are recorded, but nobody is told.",
            discussion: """
                Who still fires when the silence ends is told of then. With --maintenance the data of
                that time are not trained on either.

                Example:
                  systole incident silence plant.oil_temp --lasting '2 hours' --reason 'pump test'
                  systole incident silence --labels '{"site": "a"}' --lasting '1 day' --maintenance
                """)

        @Argument(help: "The series.") var series: String?
        @Option(help: "All series with these labels, as JSON.") var labels: String?
        @Option(help: "How long, such as '2 hours'.") var lasting: String
        @Option(help: "When it begins, such as '2026-12-01 06:00+00'; now unless given.")
        var from: String?
        @Flag(help: "A maintenance window: its data are not trained on.") var maintenance = false
        @Option(help: "Why.") var reason: String?
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard (series == nil) != (labels == nil) else {
                throw ValidationError("give a series or --labels, and not both")
            }
        }

        func run() async throws {
            try await database.withPool { pool in
                let row = try await pool.run(
                    """
                    SELECT systole.silence(\(series), \(lasting)::interval, \(labels)::jsonb,
                        coalesce(\(from)::timestamptz, now()), \(maintenance), \(reason)) AS id
                    """
                ).only()
                print("silence \(try row.int64("id"))")
            }
        }
    }

    /// `systole incident silences`
    struct Silences: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "silences", abstract: "Silences and maintenance windows, newest first.")

        @Flag(help: "Also those that have ended.") var all = false
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT * FROM systole.silences WHERE state <> 'ended' OR \(all)
                    ORDER BY silence_id DESC
                    """, on: pool, json: json, nothing: "nothing is silenced")
            }
        }
    }

    /// `systole incident unsilence`
    struct Unsilence: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unsilence", abstract: "Ends a silence now.")

        @Argument(help: "The silence's number.") var id: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.end_silence(\(id))")
            }
            print("silence \(id) has ended")
        }
    }
}
