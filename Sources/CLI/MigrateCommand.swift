import ArgumentParser
import Postgres

/// `systole migrate`: brings the database to the schema of this executable.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Applies the migrations that the database lacks; forward only.",
        discussion: """
            A database that is newer than the executable, or a migration file that changed since
            it was applied, is refused before anything is written.

            Example:
              systole migrate --status
            """)

    @Flag(help: "Only tell what is applied and what is pending.") var status = false
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    /// What `--json` prints.
    private struct Answer: Encodable {
        let applied: [String]
        let pending: [String]
    }

    func run() async throws {
        let configuration = try database.resolved()
        let migrator = try Database.migrator(configuration)
        let connection = try await Connection.open(Database.server(configuration))
        do {
            if !status { _ = try await migrator.apply(to: connection) }
            try report(try await migrator.status(connection))
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    private func report(_ state: Migrator.Status) throws {
        if json {
            return try Terminal.json(Answer(applied: state.applied, pending: state.pending))
        }
        let rows =
            state.applied.map { [$0, "applied"] } + state.pending.map { [$0, "pending"] }
        Terminal.table(["migration", "state"], rows)
    }
}
