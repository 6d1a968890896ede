import ArgumentParser
import Foundation
import Postgres

/// `systole config`: what the process was told, and by whom.
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Prints every setting, its value and where it came from; secrets redacted.",
        discussion: """
            Flags come before environment variables, these before systole.yaml, that before the
            defaults. libpq's own PG* variables fill in what DATABASE_URL leaves open.

            Example:
              systole config
            """)

    @OptionGroup var database: DatabaseOptions
    @Flag(help: "Print JSON.") var json = false

    /// A setting as JSON.
    private struct Row: Encodable {
        let key: String
        let value: String
        let origin: String
        let variable: String
        let about: String
    }

    func run() throws {
        let resolved = try database.resolved()
        let rows = Configuration.settings.map { setting in
            let entry = resolved.entries[setting.key]
            return Row(
                key: setting.key, value: Self.redacted(setting.key, entry?.value ?? ""),
                origin: entry?.origin ?? "default", variable: setting.variable,
                about: setting.about)
        }
        if json { return try Terminal.json(rows) }
        Terminal.table(
            ["key", "value", "from", "about"],
            rows.map { [$0.key, $0.value.isEmpty ? "–" : $0.value, $0.origin, $0.about] })
    }

    /// A URL may hold a password; only where it leads is shown.
    private static func redacted(_ key: String, _ value: String) -> String {
        guard key == "database_url", !value.isEmpty else { return value }
        guard let configuration = try? ConnectionConfiguration(value) else { return "(malformed)" }
        return "\(configuration)"
    }
}
