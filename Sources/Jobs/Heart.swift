import Dispatch
import Foundation
import Logging
import Postgres
import Synchronization

/// Says that a worker lives, and brings back which of its runs must stop.
///
/// Its loop runs synchronously on the thread of a connection of its own, so that handlers which
/// keep every thread of the shared pool busy cannot make the worker look dead.
final class Heart: Sendable {
    private let identity: WorkerIdentity
    private let kinds: [String]
    private let options: WorkerOptions
    private let configuration: ConnectionConfiguration
    private let registry: RunRegistry
    private let logger: Logger
    private let isStopped = Mutex(false)
    private let wake = DispatchSemaphore(value: 0)
    private let hasBeaten = Bell()

    init(
        _ identity: WorkerIdentity, kinds: [String], options: WorkerOptions,
        configuration: ConnectionConfiguration, registry: RunRegistry, logger: Logger
    ) {
        self.identity = identity
        self.kinds = kinds
        self.options = options
        var configuration = configuration
        configuration.applicationName += " heartbeat"
        configuration.statementMaximum = .seconds(5)
        self.configuration = configuration
        self.registry = registry
        self.logger = logger
    }

    /// Beats now instead of at the next interval.
    func beatNow() {
        wake.signal()
    }

    /// Waits for the first beat. Only from then on is the heart independent of the shared pool, which
    /// the first jobs may keep busy.
    func waitForFirstBeat() async {
        await hasBeaten.wait(atMost: .seconds(10))
    }

    /// Lets `run()` give unfinished runs back, forget the worker and return.
    func stop() {
        isStopped.withLock { $0 = true }
        wake.signal()
    }

    private var hasStopped: Bool { isStopped.withLock { $0 } }

    /// Makes the worker known, so that it may claim.
    func register(_ db: borrowing Session) throws(PostgresError) {
        try db.run(
            """
            SELECT systole.register_worker(\(identity.id.uuidString)::uuid, \(identity.host),
                \(Int64(identity.process))::bigint, \(identity.version), \(kinds)::text[],
                \(options.slots)::integer)
            """)
    }

    /// Beats until it is stopped, over as many connections as that takes.
    func run() async {
        await withTaskCancellationHandler {
            var isTroubled = false
            repeat {
                do {
                    try await beatOnOneConnection()
                } catch {
                    guard !hasStopped, !Task.isCancelled else { return }
                    // Once for a row of failures: the database may be gone for hours.
                    if !isTroubled || !(error is PostgresError) {
                        logger.warning("the heartbeat failed", metadata: ["error": "\(error)"])
                    }
                    isTroubled = true
                    // Cancellation ends the wait early, and the loop with it.
                    try? await Task.sleep(for: .seconds(1))
                }
            } while !hasStopped && !Task.isCancelled
        } onCancel: {
            stop()
        }
    }

    private func beatOnOneConnection() async throws {
        let connection = try await Connection.open(configuration)
        do {
            try await connection.withSession { [self] db in
                while !hasStopped {
                    try beat(db)
                    hasBeaten.ring()
                    _ = wake.wait(timeout: .now() + options.beatInterval.inSeconds)
                }
                try db.run(
                    "SELECT systole.release_worker_jobs(\(identity.id.uuidString)::uuid)")
            }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// One heartbeat; registers again if others took the worker for dead meanwhile.
    func beat(_ db: borrowing Session) throws(PostgresError) {
        let runs = registry.all
        let rows: Rows
        do {
            rows = try heartbeat(runs, db)
        } catch  where error.sqlState == "SY026" {
            logger.warning("the worker was taken for dead and registers again")
            try register(db)
            rows = try heartbeat(runs, db)
        }
        for row in rows {
            let jobID = try row.int64("job_id")
            let number = try row.int64("lease_no")
            guard let reason = StopReason(rawValue: try row.text("verdict")) else { continue }
            for run in runs where run.lease.jobID == jobID && run.lease.number == number {
                run.control.stop(reason)
            }
        }
    }

    private func heartbeat(
        _ runs: [(lease: Lease, control: RunControl)], _ db: borrowing Session
    ) throws(PostgresError) -> Rows {
        try db.run(
            """
            SELECT job_id, lease_no, verdict FROM systole.heartbeat(
                \(identity.id.uuidString)::uuid, \(runs.map(\.lease.jobID))::bigint[],
                \(runs.map(\.lease.number))::bigint[],
                \(runs.map(\.control.progress?.json))::jsonb[])
            """)
    }
}

extension Duration {
    /// In seconds, for the clocks of other libraries.
    var inSeconds: Double {
        let parts = components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
}
