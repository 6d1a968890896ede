import ArgumentParser
import Foundation
import Glibc
import Ingestion
import Jobs
import Logging
import Notifications
import Postgres
import Series
import ServiceLifecycle
import UnixSignals
import WebClient
import Workflows

/// `systole work`: the roles of the service, as many processes on as many machines as wanted.
struct WorkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "work",
        abstract: "Runs workers of the given roles until it is told to stop.",
        discussion: """
            SIGTERM or Ctrl-C: no new work is taken, what runs may end, the rest is given back.

            Example:
              systole work --role forecast,notify,schedule
            """)

    @Option(
        help: "Roles, separated by commas: ingest, forecast, classify, train, notify, schedule.")
    var role: String
    @Flag(help: .hidden) var withParent = false
    /// The database role to work as, where it asks for no password.
    @Option(help: .hidden) var roleName: String?
    @OptionGroup var database: DatabaseOptions

    /// What a process can be for.
    enum Role: String, CaseIterable {
        /// Pulls registered sources.
        case ingest
        /// Forecasts and scores.
        case forecast
        /// Classifies recordings.
        case classify
        /// Fits models.
        case train
        /// Sends webhooks.
        case notify
        /// Fires schedules, rescues jobs of dead workers, turns events into jobs.
        case schedule
    }

    func validate() throws {
        _ = try roles()
    }

    /// The roles asked for.
    func roles() throws -> Set<Role> {
        let names = role.split(separator: ",").map { $0.filter { $0 != " " } }
        let roles = try names.map { name in
            guard let role = Role(rawValue: name) else {
                let accepted = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--role \(name): accepted are \(accepted)")
            }
            return role
        }
        guard !roles.isEmpty else { throw ValidationError("--role is empty") }
        return Set(roles)
    }

    func run() async throws {
        let configuration = try database.resolved()
        var server = try Database.server(configuration)
        if let roleName { server["user"] = roleName }
        try await Database.requireSchema(of: configuration, on: server)
        LogFormat.start(level: configuration.logLevel)
        if withParent { Lifeline.hold() }
        let process = WorkerProcess(
            roles: try roles(), configuration: configuration, server: server)
        try await process.run()
    }
}

/// The services of one worker process, wired together.
struct WorkerProcess {
    let roles: Set<WorkCommand.Role>
    let configuration: Configuration
    let server: ConnectionConfiguration

    /// Runs until a signal says stop; services end in reverse order of their start.
    func run() async throws {
        let logger = Logger(label: "systole")
        var server = server
        server.applicationName =
            "systole-work/" + roles.map(\.rawValue).sorted().joined(separator: "+")
        let streams = roles.contains(.ingest) ? configuration.streams : 0
        let pool = Pool(
            server, limits: PoolLimits(connectionsMaximum: configuration.slots + streams + 4))
        let identity = Self.identity()
        var services: [any Service] = []
        if roles.contains(.schedule) {
            services.append(
                Leader(
                    holder: identity.id, pool: pool,
                    duties: [
                        Scheduler(), Rescuer(), Upkeep(), ForecastMarking(), ObservationUpkeep(),
                        IncidentNotices(), CoverageNotices(), SnapshotWatch(logger: logger),
                    ], logger: logger))
            services.append(NewsRouter(pool: pool, logger: logger))
        }
        if roles.contains(.notify) { services.append(try deliverer(pool, logger)) }
        let handlers = try handlers(pool, logger)
        if !handlers.isEmpty {
            var options = WorkerOptions()
            options.slots = configuration.slots
            services.append(
                Worker(
                    identity: identity, handlers: handlers, pool: pool, options: options,
                    logger: logger))
        }
        if streams > 0 {
            var options = WorkerOptions()
            options.slots = streams
            // Listening does not come to an end that could be waited for.
            options.drainMaximum = .zero
            services.append(
                Worker(
                    identity: Self.identity(),
                    handlers: [ingest(pool, logger, IngestSource.streamKind)], pool: pool,
                    options: options, logger: logger))
        }
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        await pool.close()
    }

    private static func identity() -> WorkerIdentity {
        WorkerIdentity(
            id: UUID(), host: ProcessInfo.processInfo.hostName,
            process: ProcessInfo.processInfo.processIdentifier, version: Systole.version)
    }

    private func handlers(_ pool: Pool, _ logger: Logger) throws -> [any JobHandler] {
        var fitting = FittingEnvironment(
            threads: configuration.threads, seed: configuration.seed, codeVersion: Systole.build)
        fitting.software = Systole.software
        fitting.checkpointInterval = configuration.checkpointInterval
        var handlers: [any JobHandler] = []
        if roles.contains(.forecast) {
            handlers.append(IssueForecast(pool: pool, environment: fitting))
            handlers.append(DetectAnomalies(pool: pool))
            handlers.append(ScoreGroup(pool: pool, environment: fitting))
            handlers.append(ForecastGroup(pool: pool))
            handlers.append(DeriveSeries(pool: pool))
        }
        if roles.contains(.classify) {
            let shipped = try ClassifierFile.shippedPath.map { try ClassifierFile.load($0) }
            handlers.append(
                ClassifyRecordings(
                    pool: pool, threads: configuration.threads, shipped: shipped))
        }
        if roles.contains(.train) {
            handlers.append(TrainModel(pool: pool, environment: fitting, logger: logger))
            handlers.append(TrainGroup(pool: pool, environment: fitting))
        }
        if roles.contains(.ingest) {
            handlers.append(ingest(pool, logger, "ingest"))
        }
        return handlers
    }

    private func ingest(_ pool: Pool, _ logger: Logger, _ kind: String) -> IngestSource {
        let now: @Sendable () -> Timestamp = {
            Timestamp(unixSeconds: Date().timeIntervalSince1970)
        }
        let connectors = Connectors(client: configuration.feedClient())
        return IngestSource(
            kind: kind, pool: pool, connectors: connectors.byKind, now: now, logger: logger)
    }

    private func deliverer(_ pool: Pool, _ logger: Logger) throws -> Deliverer {
        let files = OpenFiles.raise()
        var web = WebConfiguration(policy: configuration.webPolicy)
        web.authorities = configuration.webAuthorities
        web.connectionsMaximum = min(2048, max(64, files / 2))
        let options = DelivererOptions(
            concurrencyMaximum: min(1024, max(64, files / 4)),
            sealingKeys: try configuration.sealingKeys())
        return Deliverer(
            pool: pool, client: WebClient(web), options: options,
            chance: { Double.random(in: -1...1) }, logger: logger)
    }
}

/// How many files and sockets this process may have open.
enum OpenFiles {
    /// Raises the limit as far as the system lets us, up to 16,384.
    ///
    /// - Returns: The limit from now on.
    static func raise() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return 256 }
        var raised = limit
        raised.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 16_384))
        guard unsafe setrlimit(resource, &raised) == 0 else { return Int(clamping: limit.rlim_cur) }
        return Int(clamping: raised.rlim_cur)
    }
}
