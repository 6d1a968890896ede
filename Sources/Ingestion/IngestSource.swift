import Foundation
package import Jobs
package import Logging
package import Postgres
package import Series
import Store
import Synchronization

/// The job that pulls once from a registered source: kind `ingest`, or `ingest-stream` for sources
/// that are listened to for minutes, `{"source_id": …}`.
///
/// It stores as it goes, each part with its cursor in one transaction, so that a run that is
/// replaced half way does no harm: what it stored is not stored again.
package struct IngestSource: JobHandler {
    /// The kind of jobs for sources that are listened to. Workers have places of their own for them:
    /// a few would otherwise keep all that is fetched waiting.
    package static let streamKind = "ingest-stream"

    package let kind: String
    package let hasEffects = false

    private let pool: Pool
    private let connectors: [String: any Connector]
    private let now: @Sendable () -> Timestamp
    private let logger: Logger

    /// - Parameters:
    ///   - kind: `ingest`, or `streamKind`.
    ///   - pool: The database.
    ///   - connectors: By the kind of source they read.
    ///   - now: This machine's clock.
    ///   - logger: Told about rejected files.
    package init(
        kind: String = "ingest", pool: Pool,
        connectors: [String: any Connector] = [
            FolderConnector.kind: FolderConnector(), MQTTConnector.kind: MQTTConnector(),
        ],
        now: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.kind = kind
        self.pool = pool
        self.connectors = connectors
        self.now = now
        self.logger = logger
    }

    private struct Arguments: Decodable {
        let sourceID: Int64

        enum CodingKeys: String, CodingKey { case sourceID = "source_id" }
    }

    /// Pulls once; a source that is paused is left alone.
    package func run(_ lease: Lease, _ context: JobContext) async throws -> Effects {
        let arguments: Arguments
        do {
            arguments = try JSONDecoder().decode(Arguments.self, from: Data(lease.arguments.utf8))
        } catch {
            throw PermanentJobError("The arguments of an ingest job are {\"source_id\": number}.")
        }
        let source: Source
        do {
            source = try await pool.transaction { db in
                try SourceStore.find(arguments.sourceID, in: db)
            }
        } catch let error as StoreError {
            throw PermanentJobError("Nothing to ingest: \(error.description).")
        }
        if source.isPaused { return { _ in } }
        let start = ContinuousClock.now
        guard let connector = connectors[source.kind] else {
            await tell("no connector reads sources of this kind", of: source, since: start)
            throw PermanentJobError(
                "Source \"\(source.name)\" is of kind \"\(source.kind)\", which no connector reads."
            )
        }
        let report: IngestReport
        do {
            report = try await pull(source, by: connector, context)
        } catch is SourcePaused {
            await tell(nil, of: source, since: start)
            return { _ in }
        } catch {
            // What a pull met after its source was dropped is nobody's trouble.
            if await look(at: source.id) == .gone { return { _ in } }
            if context.stopReason == nil {
                let trouble = IngestError.sentence(for: error, otherwise: "the pull failed")
                await tell(trouble, of: source, since: start)
            }
            throw error
        }
        await tell(report.trouble, of: source, since: start)
        log(report, of: source)
        return { _ in }
    }

    /// The source was paused or dropped while it was pulled.
    private struct SourcePaused: Error {}

    /// How often a source is looked at while it is pulled.
    private static let lookEvery = Duration.seconds(2)

    /// Pulls until there is no more, or the source is paused.
    ///
    /// - Throws: `SourcePaused` between two parts; what the connector throws.
    private func pull(
        _ source: Source, by connector: any Connector, _ context: JobContext
    ) async throws -> IngestReport {
        let isPaused = Flag()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while await look(at: source.id) == .wanted {
                    try await ContinuousClock().sleep(for: Self.lookEvery)
                }
                isPaused.set()
            }
            defer { group.cancelAll() }
            return try await connector.pull(source, into: pool, now: now()) { report in
                context.report(fraction: nil, note: report.summary)
                try context.checkStopped()
                if isPaused.isSet { throw SourcePaused() }
            }
        }
    }

    /// What users have said of a source.
    private enum Standing { case wanted, paused, gone }

    /// How a source stands now; `.wanted` while the database is away.
    private func look(at id: Int64) async -> Standing {
        do {
            let source = try await pool.transaction { db in try SourceStore.find(id, in: db) }
            return source.isPaused ? .paused : .wanted
        } catch StoreError.unknownSource {
            return .gone
        } catch {
            return .wanted
        }
    }

    /// Keeps how the pull went among the source's figures. What was pulled is stored whether or not
    /// this succeeds.
    private func tell(
        _ trouble: String?, of source: Source, since start: ContinuousClock.Instant
    ) async {
        let seconds = start.duration(to: .now) / .seconds(1)
        do {
            try await pool.transaction { db in
                try SourceFigures.pulled(
                    source: source.id, seconds: seconds, trouble: trouble, in: db)
            }
        } catch {
            logger.debug("figures not kept", metadata: ["source": "\(source.name)"])
        }
    }

    private func log(_ report: IngestReport, of source: Source) {
        let level: Logger.Level =
            report.rejected > report.rejectedBefore || report.badRows > 0
            ? .warning : report.changedAnything ? .info : .debug
        logger.log(
            level: level, "ingested",
            metadata: ["source": "\(source.name)", "report": "\(report.summary)"])
        for finding in report.findings {
            logger.info(
                "odd", metadata: ["file": "\(finding.file)", "finding": "\(finding.reason)"])
        }
        // Reasons may quote what stands in a file, so they are for those who ask for them.
        for rejection in report.rejections {
            logger.debug(
                "rejected",
                metadata: ["file": "\(rejection.file)", "reason": "\(rejection.reason)"])
        }
    }
}

/// Something that one task tells another once.
private final class Flag: Sendable {
    private let state = Mutex(false)

    var isSet: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}
