package import Postgres
package import Series
package import Store

/// Brings what an outside source has into the database, each part of it once.
package protocol Connector: Sendable {
    /// Takes what is new. Doing it again changes nothing; being stopped half way loses nothing.
    ///
    /// - Parameters:
    ///   - source: The registered source.
    ///   - pool: The database.
    ///   - now: The time on this machine's clock, as the source's files are stamped with it.
    ///   - progress: Told after every part; throws to stop between two of them.
    /// - Returns: What was done. A part that cannot be used is a rejection in it.
    /// - Throws: What keeps the pull as a whole from being done: the database, or `progress`.
    func pull(
        _ source: Source, into pool: Pool, now: Timestamp,
        progress: @Sendable (IngestReport) throws -> Void
    ) async throws -> IngestReport
}
