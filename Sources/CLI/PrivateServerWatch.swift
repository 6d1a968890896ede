import Logging
import Postgres
import ServiceLifecycle

/// Starts the private database again when its server is gone: one that was killed by the system for
/// want of memory, or stopped by hand.
///
/// The workers meanwhile wait as for any database that is away.
struct PrivateServerWatch: Service {
    private static let (lookEvery, pauseAfterFailure) = (Duration.seconds(1), Duration.seconds(10))

    let cluster: PrivateCluster
    private let logger = Logger(label: "systole.up")

    init(_ cluster: PrivateCluster) { self.cluster = cluster }

    func run() async throws {
        var pause = Self.lookEvery
        while !Task.isShuttingDownGracefully && !Task.isCancelled {
            await cancelWhenGracefulShutdown { [pause] in
                try? await Task.sleep(for: pause)  // Ends early only when cancelled.
            }
            pause = Self.lookEvery
            if Task.isShuttingDownGracefully || cluster.isRunning { continue }
            logger.error("the private database is gone and is started again")
            do {
                try await cluster.startAgain()
                for message in cluster.messages { logger.notice("\(message)") }
            } catch {
                // A full disk may be emptied.
                logger.error(
                    "the private database does not start", metadata: ["reason": "\(error)"])
                pause = Self.pauseAfterFailure
            }
        }
    }
}
