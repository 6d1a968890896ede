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
            one that dies is started again, as is the private database, also where it was stopped by
            hand. There each works as the role that may do its part and nothing else. Ctrl-C stops
            everything in order.

            Example:
              systole up
            """)

    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let configuration = try database.resolved()
        LogFormat.start(level: configuration.logLevel)
        if let external = try Database.external(configuration) {
            print("database: \(external)")
            return try await work(configuration, on: external, besides: [], isPrivate: false)
        }
        let cluster = try PrivateCluster(folder: configuration.folder)
        let server = try await cluster.start()
        for message in cluster.messages { print(message) }
        print("connect: \(cluster.psqlCommand)")
        try? Terminal.flush()  // Who cannot read this is served all the same.
        do {
            try await work(
                configuration, on: server, besides: [PrivateServerWatch(cluster)], isPrivate: true)
        } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
        print("stopped")
    }

    /// Migrates, then runs the workers until a signal says stop.
    private func work(
        _ configuration: Configuration, on server: ConnectionConfiguration,
        besides watches: [any Service], isPrivate: Bool
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
        let children = Self.parts.map { part in
            let role = isPrivate && part.canBeRole(server) ? ["--role-name", part.role] : []
            return ChildProcess(
                name: part.work,
                arguments: ["work", "--role", part.work, "--with-parent"] + role + passedOn,
                logger: Logger(label: "systole.up"))
        }
        let workers = zip(Self.parts, children).filter(\.0.hasJobs).map(\.1)
        let announcement = Announcement(server: server, children: workers)
        let group = ServiceGroup(
            configuration: .init(
                // In reverse order they stop: the watch is the last.
                services: (watches + children + [announcement]).map {
                    .init(service: $0, successTerminationBehavior: .ignore)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: Logger(label: "systole.up")))
        try await group.run()
    }

    /// A process of its own.
    private struct Part {
        /// What it does, as `work --role` takes it.
        let work: String
        /// Who may do that, and nothing else.
        let role: String
        /// Whether it is a worker of jobs, which makes itself known.
        var hasJobs = true

        /// A private server asks for a password where there is no socket to see who asks.
        func canBeRole(_ server: ConnectionConfiguration) -> Bool {
            server["host"]?.hasPrefix("/") ?? false
        }
    }

    /// Training is kept apart from the rest, and what pulls data in from what sends webhooks out.
    private static let parts = [
        Part(work: "forecast,classify,schedule", role: "systole_worker"),
        Part(work: "train", role: "systole_worker"),
        Part(work: "ingest", role: "systole_ingest"),
        Part(work: "notify", role: "systole_notify", hasJobs: false),
    ]

    /// The flags that the workers need too.
    private var passedOn: [String] {
        var arguments: [String] = []
        if let config = database.config { arguments += ["--config", config] }
        if let folder = database.folder { arguments += ["--folder", folder] }
        if let migrations = database.migrations { arguments += ["--migrations", migrations] }
        return arguments
    }
}

/// Says `ready` once every process with jobs has made itself known in the database.
private struct Announcement: Service {
    let server: ConnectionConfiguration
    let children: [ChildProcess]

    func run() async throws {
        let pool = Pool(server, limits: PoolLimits(connectionsMaximum: 1))
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if (try? await isReady(pool)) == true {  // A refusal now may pass; asked again.
                    print("ready: workers \(children.map(\.name).joined(separator: " and ")) run")
                    try? Terminal.flush()  // Who cannot read this is served all the same.
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
