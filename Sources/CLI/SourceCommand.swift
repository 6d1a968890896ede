import ArgumentParser
import Ingestion
import Postgres
import Store

/// `systole source`: what the workers keep pulling.
struct SourceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source",
        abstract: "Registers files and folders that the workers keep pulling.",
        discussion: """
            Example:
              systole source add /data/plant --name plant --every 60
              systole source list
            """,
        subcommands: [Add.self, List.self, Remove.self], defaultSubcommand: List.self)

    /// `systole source add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Registers a source.")

        @OptionGroup var source: SourceOptions
        @Option(help: "Seconds between two pulls, from 1 to 86400.") var every = 60
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            guard (1...86_400).contains(every) else {
                throw ValidationError("--every \(every) is outside 1 to 86400")
            }
        }

        func run() async throws {
            let settings = try source.settings()
            try await database.withPool { pool in
                let added = try await pool.transaction { [source, every] db in
                    try FolderSource.register(
                        name: source.sourceName, settings: settings, every: .seconds(every),
                        isRevisable: source.revisable, in: db)
                }
                print("source \(added.name) is pulled every \(every) s")
            }
        }
    }

    /// `systole source list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Every source with its parts and its next pull.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT s.name, s.kind, count(c.part) AS files, max(c.moved_at) AS last_stored,
                        f.every, f.next_fire_at AS next_pull, s.paused_at
                    FROM systole.source AS s
                    LEFT JOIN systole.source_cursor AS c USING (source_id)
                    LEFT JOIN systole.schedules AS f ON f.name = 'ingest ' || s.name
                    GROUP BY s.source_id, f.every, f.next_fire_at ORDER BY s.name
                    """, on: pool, json: json,
                    nothing: "no sources yet; `systole source add FOLDER` registers one")
            }
        }
    }

    /// `systole source remove`
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Forgets a source; what it brought stays.")

        @Argument(help: "The source's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                try await pool.transaction { [name] db in
                    try FolderSource.remove(name: name, in: db)
                }
                print("source \(name) is removed")
            }
        }
    }
}
