import CLibPQ
import Glibc

/// A NOTIFY of another session.
package struct Notification: Equatable, Sendable {
    /// On which channel.
    package let channel: String
    /// What the sender said.
    package let payload: String
    /// The server process that sent it.
    package let sender: Int32
}

extension Connection {
    /// Subscribes to a channel; without a transaction, so that it holds from now on.
    package nonisolated func listen(_ channel: String) async throws {
        try await run("LISTEN \(identifier: channel)")
    }

    /// Waits on the connection's own thread for one notification.
    ///
    /// Other calls on this connection wait meanwhile; a cancelled task ends the wait at once.
    ///
    /// - Parameter timeout: How long to wait at most.
    /// - Returns: The notification, or nil when the time is over.
    /// - Throws: `PostgresError` when the connection is lost, or `CancellationError`.
    package nonisolated func waitForNotification(timeout: Duration) async throws -> Notification? {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        return try await cancellable { link, token in
            while true {
                try link.canceller.check(token)
                if let notification = link.nextNotification() { return notification }
                let rest = ContinuousClock.now.duration(to: deadline)
                guard rest > .zero else { return nil }
                // Rounded up, so that the last round does not spin.
                link.waitForInput(milliseconds: rest.wholeMilliseconds + 1)
                guard link.takeInput() else { throw PostgresError.connectionLost }
            }
        }
    }
}

extension Link {
    func nextNotification() -> Notification? {
        guard let notify = unsafe PQnotifies(connection) else { return nil }
        defer { unsafe PQfreemem(notify) }
        return unsafe Notification(
            channel: String(cString: notify.pointee.relname),
            payload: String(cString: notify.pointee.extra), sender: notify.pointee.be_pid)
    }

    /// Returns when there is input, when the operation is cancelled, or after the time.
    func waitForInput(milliseconds: Int64) {
        var descriptors = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
            pollfd(fd: canceller.wakeDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        // An interrupted poll is a short wait; the caller loops.
        _ = unsafe poll(&descriptors, 2, Int32(clamping: milliseconds))
    }
}
