package import Logging
package import Postgres
import ServiceLifecycle
import Store

/// Sees to it that what is new of watched series is scored, and derived from: adds the jobs, as soon as it hears of
/// news and at every look.
///
/// Any number may run: a lane of series has one job at a time, whoever adds it.
package struct NewsRouter: Service {
    /// How long news may lie that nobody heard of.
    static let interval = Duration.milliseconds(200)
    /// How long news of what is to be derived wait for others: a job for each would cost more than it does.
    static let settling = Duration.milliseconds(100)
    /// The least time between two looks, so that many small transactions are one job.
    static let pause = Duration.milliseconds(10)

    private let pool: Pool
    private let logger: Logger

    /// - Parameters:
    ///   - pool: Where news are read and jobs added; it listens on a connection of its own.
    ///   - logger: Told when the database refuses.
    package init(pool: Pool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Works until it is asked to stop.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    let connection = try await Connection.open(pool.configuration)
                    do {
                        try await route(hearing: connection)
                    } catch {
                        await connection.close()
                        throw error
                    }
                } catch {
                    if Task.isCancelled { return }
                    logger.warning("routing news failed", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .seconds(1))  // Ends early only when cancelled.
                }
            }
        }
    }

    /// Routes whenever the connection hears of news, and at every interval.
    private func route(hearing connection: Connection) async throws {
        try await connection.listen("systole_news")
        while true {
            try await connection.withSession { db in
                _ = try WatchNews.route(settled: Self.settling, in: db)
            }
            try await Task.sleep(for: Self.pause)
            var hasHeard = try await connection.waitForNotification(timeout: Self.interval) != nil
            while hasHeard {
                hasHeard = try await connection.waitForNotification(timeout: .zero) != nil
            }
        }
    }
}
