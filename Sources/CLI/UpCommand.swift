import ArgumentParser
import Foundation
import Logging
import Postgres
import ServiceLifecycle
import UnixSignals

/// `systole up`: everything on this machine, in one process tree.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Starts everything on this machine: database, migrations, workers.",
        discussion: """
            Without DATABASE_URL a private PostgreSQL is made in .systole/ and survives restarts.
            Workers are processes of their own, so that a training takes down nobody but itself;
            one that dies is started again. Ctrl-C stops everything in order.

            Example:
              systole up
            """)

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let configuration = try database.resolved()
        LogFormat.start(level: configuration.logLevel)
        if let external = try Database.external(configuration) {
            print("database: \(external)")
            return try await work(configuration, on: external)
        }
        let cluster = try PrivateCluster(folder: configuration.folder)
        let server = try await cluster.start()
        for message in cluster.messages { print(message) }
        print("connect: \(cluster.psqlCommand)")
        Terminal.flush()
        do {
            try await work(configuration, on: server)
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
        print("stopped")
    }

    /// Migrates, then runs the workers until a signal says stop.
    private func work(
        _ configuration: Configuration, on server: ConnectionConfiguration
    ) async throws {
        let connection = try await Connection.open(server)
        do {
            try await Database.migrator(configuration).apply(to: connection) { name in
                print("migrated: \(name)")
            }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        let children = Self.roles.map { roles in
            ChildProcess(
                name: roles, arguments: ["work", "--role", roles, "--with-parent"] + passedOn,
                logger: Logger(label: "systole.up"))
        }
        let announcement = Announcement(server: server, children: children)
        let group = ServiceGroup(
            configuration: .init(
                services: (children as [any Service] + [announcement]).map {
                    .init(service: $0, successTerminationBehavior: .ignore)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "systole.up")))
        try await group.run()
    }

    /// One process for each: training is kept apart.
    private static let roles = ["ingest,forecast,classify,notify,schedule", "train"]

    /// The flags that the workers need too.
    private var passedOn: [String] {
        var arguments: [String] = []
        if let config = database.config { arguments += ["--config", config] }
        if let folder = database.folder { arguments += ["--folder", folder] }
        if let migrations = database.migrations { arguments += ["--migrations", migrations] }
        return arguments
    }
}

/// Says `ready` once every worker process has made itself known in the database.
private struct Announcement: Service {
    let server: ConnectionConfiguration
    let children: [ChildProcess]

    func run() async throws {
        let pool = Pool(server, limits: PoolLimits(connectionsMaximum: 1))
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if (try? await isReady(pool)) == true {  // A refusal now may pass; asked again.
                    print("ready: workers \(children.map(\.name).joined(separator: " and ")) run")
                    Terminal.flush()
                    break
                }
                try? await Task.sleep(for: .milliseconds(200))  // Ends early only when cancelled.
            }
        }
        await pool.close()
    }

    private func isReady(_ pool: Pool) async throws -> Bool {
        let processes = children.compactMap(\.processID).map(Int64.init)
        guard processes.count == children.count else { return false }
        let known = try await pool.run(
            """
            SELECT count(DISTINCT pid) AS n FROM systole.worker
            WHERE pid = ANY (\(processes)::bigint[]) AND beat_at > now() - interval '15 s'
            """
        ).only().int("n")
        return known == children.count
    }
}
