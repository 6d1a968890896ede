import Foundation
package import Jobs
package import Logging
package import Postgres
package import Series
import Store

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
        guard let connector = connectors[source.kind] else {
            throw PermanentJobError(
                "Source \"\(source.name)\" is of kind \"\(source.kind)\", which no connector reads."
            )
        }
        let start = ContinuousClock.now
        let report: IngestReport
        do {
            report = try await connector.pull(source, into: pool, now: now()) { report in
                context.report(fraction: nil, note: report.summary)
                try context.checkStopped()
            }
        } catch {
            if context.stopReason == nil {
                await tell(Self.sentence(for: error), of: source, since: start)
            }
            throw error
        }
        await tell(report.trouble, of: source, since: start)
        log(report, of: source)
        return { _ in }
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

    private static func sentence(for error: any Error) -> String {
        switch error {
        case let error as PostgresError: "the database refused it (\(error.sqlState))"
        case let error as any CustomStringConvertible where !(error is NSError): error.description
        default: "the pull failed"
        }
    }

    private func log(_ report: IngestReport, of source: Source) {
        let level: Logger.Level =
            report.rejected + report.badRows > 0
            ? .warning : report.changedAnything ? .info : .debug
        logger.log(
            level: level, "ingested",
            metadata: ["source": "\(source.name)", "report": "\(report.summary)"])
        // Reasons may quote what stands in a file, so they are for those who ask for them.
        for rejection in report.rejections {
            logger.debug(
                "rejected",
                metadata: ["file": "\(rejection.file)", "reason": "\(rejection.reason)"])
        }
    }
}
