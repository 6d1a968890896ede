import Logging
import Postgres

/// Hears that there may be work, on a connection of its own. A hint: the poll is the truth.
struct Listener: Sendable {
    let kinds: Set<String>
    let configuration: ConnectionConfiguration
    let logger: Logger
    /// Called when jobs may have become ready, and after every (re)connection.
    let onWork: @Sendable () -> Void
    /// Called when a running job may have been cancelled.
    let onCancel: @Sendable () -> Void

    /// Listens until its task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                let connection = try await Connection.open(configuration)
                do {
                    try await listen(connection)
                } catch {
                    await connection.close()
                    throw error
                }
            } catch is CancellationError {
                return
            } catch {
                logger.warning("listening for jobs failed", metadata: ["error": "\(error)"])
                // Cancellation ends the wait early, and the loop with it.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func listen(_ connection: Connection) async throws {
        try await connection.listen("systole_wake")
        onWork()  // What was announced while nobody listened.
        while true {
            guard
                let notification = try await connection.waitForNotification(timeout: .seconds(60))
            else { continue }
            switch notification.payload {
            case "cancel": onCancel()
            case "released": onWork()
            case let kind where kinds.contains(kind): onWork()
            default: break
            }
        }
    }
}
