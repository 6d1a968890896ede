import ArgumentParser
import Postgres

/// `systole series`: what series there are.
struct SeriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "series",
        abstract: "Lists the stored series.",
        discussion: """
            Example:
              systole series list
            """,
        subcommands: [List.self, Plot.self], defaultSubcommand: List.self)

    /// `systole series list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Every series with its unit, step and extent.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    "SELECT * FROM systole.series_list ORDER BY series", on: pool, json: json,
                    nothing: "no series yet; `systole ingest FILE.csv --name NAME` stores some")
            }
        }
    }
}
