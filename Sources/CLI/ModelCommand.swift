import ArgumentParser
import Postgres

/// `systole model`: which models there are, and which of them forecasts.
struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Lists models, shows one, promotes one, or rolls back.",
        discussion: """
            Example:
              systole model list
              systole model show 42
              systole model promote 42
              systole model rollback --series plant.oil_temp
            """,
        subcommands: [List.self, Show.self, Promote.self, Rollback.self],
        defaultSubcommand: List.self)

    /// What a table of models shows; the whole record is in `systole.models`.
    static let columns: SQL = """
        model_id, series, family, version, stage,
        round(validation_mse::numeric, 5) AS validation_mse, parameters,
        round(training_seconds::numeric, 1) AS seconds,
        to_char(created_at, 'YYYY-MM-DD HH24:MI') AS created_at, reason
        """

    /// `systole model list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Every model with its stage and why it has it.")

        @OptionGroup var database: DatabaseOptions
        @Option(help: "Only those of this series.") var series: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let columns: SQL = json ? "*" : ModelCommand.columns
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT \(columns) FROM systole.models
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

    /// `systole model rollback`
    struct Rollback: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rollback",
            abstract: "Makes the model live again that was live before the one that is.",
            discussion: """
                Example:
                  systole model rollback --series plant.oil_temp
                """)

        @Option(help: "The series.") var series: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                let model = try await pool.run(
                    "SELECT systole.rollback_model(\(series)) AS model"
                ).only().int64("model")
                print("model \(model) is live")
            }
        }
    }
}
