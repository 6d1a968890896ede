import ArgumentParser
import Postgres

/// `systole model`: which models there are, and which of them forecasts.
struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Lists models, shows what one has learnt, promotes one, or rolls back.",
        discussion: """
            Example:
              systole model list
              systole model show 42
              systole model promote 42
            """,
        subcommands: [List.self, Show.self, Promote.self], defaultSubcommand: List.self)

    /// `systole model list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Every model with its stage and why it has it.")

        @OptionGroup var database: DatabaseOptions
        @Option(help: "Only those of this series.") var series: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT * FROM systole.models
                    WHERE \(series)::text IS NULL OR series = \(series)
                    ORDER BY series, model_id
                    """, on: pool, json: json,
                    nothing: "no models yet; `systole train --series KEY` fits one")
            }
        }
    }

    /// `systole model promote`
    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "promote",
            abstract: "Makes a model the live one of its series; the one before is retired.",
            discussion: """
                Rolling back is promoting the model before.

                Example:
                  systole model promote 42
                """)

        @Argument(help: "The model's number, as `systole model list` shows it.") var model: Int64
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                _ = try await pool.run("SELECT systole.promote_model(\(model))")
                print("model \(model) is live")
            }
        }
    }
}
