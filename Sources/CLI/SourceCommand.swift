import ArgumentParser
import Foundation
import Ingestion
import Postgres
import Store

/// `systole source`: what the workers keep pulling.
struct SourceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "source",
        abstract: "Registers files, folders and URLs that the workers keep pulling.",
        discussion: """
            Example:
              systole source add /data/plant --name plant --every 60
              systole source add mqtt://broker --name ward --topic 'ward/+=waveform:ward/{2}'
              systole source add https://example.org/now --name weather --format line-protocol
              systole source list
            """,
        subcommands: [
            Add.self, Test.self, List.self, Show.self, Cursor.self, Pause.self, Resume.self,
            Metrics.self,
            Remove.self,
        ],
        defaultSubcommand: List.self)

    /// `systole source add`
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Registers a source.",
            discussion: """
                A URL is pulled over HTTPS; secrets are named by env:NAME or file:/path, and looked
                up by the workers. A broker (mqtt:// or mqtts://) is listened to. A path may be one
                that is there only later. `systole source test` tries one without storing anything.
                Example:
                  systole source add https://example.org/t.csv --name plant --format csv
                  systole source add https://example.org/api --name api --format json \
                    --time-path '$.data[*].t' --value-path '$.data[*].v' --bearer env:API_TOKEN
                  systole source add https://prometheus.example.org --name prom \
                    --query 'load=avg(node_load1)' --step 60
                  systole source add https://physionet.org/files/mitdb/1.0.0/ --name mitdb \
                    --kind wfdb-http --every 86400
                  systole source add 'https://fhir.example.org/Observation?code=8867-4' \
                    --name ward3 --kind fhir
                """)

        @OptionGroup var source: SourceOptions
        @OptionGroup var web: WebSourceOptions
        @Option(help: "Seconds between two pulls, from 1 to 86400.") var every = 60
        @OptionGroup var mqtt: MQTTSourceOptions
        @OptionGroup var database: DatabaseOptions

        func validate() throws {
            if MQTTSourceOptions.isBroker(source.paths[0]) {
                guard source.paths.count == 1, source.name != nil else {
                    throw ValidationError("one broker is one source, and has a --name")
                }
                _ = try mqtt.settings(url: source.paths[0])
            } else {
                _ = try described()
            }
            try SourceAddress.check(name: source.sourceName)
            guard (1...86_400).contains(every) else {
                throw ValidationError("--every \(every) is outside 1 to 86400")
            }
        }

        func run() async throws {
            if MQTTSourceOptions.isBroker(source.paths[0]) {
                try await database.withPool { pool in
                    let added = try await mqtt.register(
                        url: source.paths[0], name: source.sourceName,
                        isRevisable: source.revisable, in: pool)
                    print("source \(added.name) takes what the broker has, as it comes")
                }
                return
            }
            let (kind, settings) = try described()
            // What Prometheus interpolates may be another value later.
            let isRevisable = source.revisable || kind == PrometheusConnector.kind
            try await database.withPool { pool in
                let added = try await pool.transaction { [source, every] db in
                    try SourceStore.register(
                        name: source.sourceName, kind: kind, settings: settings,
                        every: .seconds(every), isRevisable: isRevisable, in: db)
                }
                print("source \(added.name) is pulled every \(every) s")
            }
            if kind == FolderConnector.kind { try noteAbsent() }
        }

        /// Says which paths lead to nothing now: they may be typing errors, or come later.
        private func noteAbsent() throws {
            for path in try source.settings().paths
            where !FileManager.default.fileExists(atPath: path) {
                Terminal.complain("note: nothing is at \(path) now; it is pulled once it is there")
            }
        }

        /// The kind of the source, and its settings as JSON.
        private func described() throws -> (kind: String, json: String) {
            guard source.paths.contains(where: WebSourceOptions.isURL) else {
                return (FolderConnector.kind, try source.settings().json())
            }
            guard source.name != nil else {
                throw ValidationError("a source on the web needs a --name")
            }
            return try web.settings(source)
        }
    }

    /// `systole source list`
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Every source with what it brought, its lag and its next pull.")

        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.show(
                    """
                    SELECT name, kind, state, every, next_pull, parts, stored, samples, rejected,
                        gaps, date_trunc('second', lag) AS lag, stored_at, trouble
                    FROM systole.sources ORDER BY name
                    """, on: pool, json: json,
                    nothing: "no sources yet; `systole source add FOLDER` registers one")
            }
        }
    }

    /// `systole source show`
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "One source with its settings and all its figures.")

        @Argument(help: "The source's name.") var name: String
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                try await QueryReport.fields(
                    """
                    SELECT v.*, f.settings, coalesce(f.rejected, '{}') AS rejected_by
                    FROM systole.sources v
                    CROSS JOIN LATERAL (
                        SELECT s.settings, g.rejected FROM systole.source s
                        LEFT JOIN systole.source_figures g USING (source_id)
                        WHERE s.source_id = v.source_id) f
                    WHERE v.source_id = systole.source_id_of(\(name))
                    """, on: pool, json: json)
            }
        }
    }

    /// `systole source cursor`
    struct Cursor: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cursor",
            abstract: "How far each part of a source is stored; --reset reads it again.",
            discussion: """
                Example:
                  systole source cursor plant
                  systole source cursor plant --reset --part /data/plant/2026.csv
                """)

        @Argument(help: "The source's name.") var name: String
        @Flag(help: "Forget how far it is stored; what is there already stays as it is.")
        var reset = false
        @Option(help: "One part alone: a file, a topic, as `source cursor` prints them.")
        var part: String?
        @OptionGroup var database: DatabaseOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            try await database.withPool { pool in
                if reset {
                    let count = try await pool.run(
                        "SELECT systole.reset_source(\(name), \(part)::text) AS parts"
                    ).only().int64("parts")
                    print("\(count) part\(count == 1 ? "" : "s") of \(name) are read again")
                    return
                }
                if let part { try await requirePart(part, on: pool) }
                try await QueryReport.show(
                    """
                    SELECT c.part, c.moved_at, c.position FROM systole.source_cursors c
                    WHERE c.name = \(name) AND systole.source_id_of(\(name)) IS NOT NULL
                        AND c.part = coalesce(\(part)::text, c.part) ORDER BY c.part
                    """, on: pool, json: json, nothing: "nothing of \(name) is stored yet")
            }
        }

        private func requirePart(_ part: String, on pool: Pool) async throws {
            let parts = try await pool.run(
                """
                SELECT c.part FROM systole.source_cursors c
                WHERE c.name = \(name) AND systole.source_id_of(\(name)) IS NOT NULL
                ORDER BY c.part = \(part) DESC, c.part LIMIT 4
                """
            ).allTexts("part")
            guard parts.first != part else { return }
            throw UnknownPart(source: name, part: part, known: Array(parts.prefix(3)))
        }

        /// A part that the source does not have.
        private struct UnknownPart: Error, CustomStringConvertible {
            let source: String
            let part: String
            let known: [String]

            var description: String {
                "source \(source) has no part \(part); "
                    + (known.isEmpty
                        ? "nothing of it is stored yet"
                        : "there is, for instance, \(known.joined(separator: ", "))")
            }
        }
    }

    /// `systole source pause`
    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Stops pulling from a source; its cursors stay.")

        @Argument(help: "The source's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                try await pool.run("SELECT systole.pause_source(\(name))")
                print("source \(name) is paused; `systole source resume \(name)` goes on")
            }
        }
    }

    /// `systole source resume`
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Goes on pulling from a source where it was left.")

        @Argument(help: "The source's name.") var name: String
        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            try await database.withPool { pool in
                try await pool.run("SELECT systole.resume_source(\(name))")
                print("source \(name) goes on")
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
                    try SourceStore.remove(name: name, in: db)
                }
                print("source \(name) is removed")
            }
        }
    }
}
