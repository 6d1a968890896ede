import Logging
import Postgres
import ServiceLifecycle

/// Starts the private database again when its server is gone: one that was killed by the system for
/// want of memory, or stopped by hand.
///
/// The workers meanwhile wait as for any database that is away.
struct PrivateServerWatch: Service {
    /// The server that is started again has another number, at which no worker looks for it.
    private struct Moved: Error, CustomStringConvertible {
        let (before, after): (String, String)
        var description: String {
            "the port of the private database was taken: it is \(after) now and was \(before), "
                + "so that everything has to be started again"
        }
    }

    private static let (lookEvery, pauseAfterFailure) = (Duration.seconds(1), Duration.seconds(10))

    let cluster: PrivateCluster
    /// How everybody connects to it.
    let server: ConnectionConfiguration
    private let logger = Logger(label: "systole.up")

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
                let found = try await cluster.startAgain()
                for message in cluster.messages { logger.notice("\(message)") }
                if found["port"] != server["port"] {
                    throw Moved(before: server["port"] ?? "", after: found["port"] ?? "")
                }
            } catch let error as ClusterError {
                // A full disk may be emptied.
                logger.error(
                    "the private database does not start", metadata: ["reason": "\(error)"])
                pause = Self.pauseAfterFailure
            }
        }
    }
}
