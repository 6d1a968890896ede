package import Foundation

/// Who a worker is, for operators and for the fence.
package struct WorkerIdentity: Equatable, Sendable {
    /// New for every process start: a reused identity would hide the orphans of its predecessor.
    package let id: UUID
    /// The machine's name.
    package let host: String
    /// The process on it.
    package let process: Int32
    /// The executable's version.
    package let version: String

    package init(id: UUID, host: String, process: Int32, version: String) {
        self.id = id
        self.host = host
        self.process = process
        self.version = version
    }
}

/// How a worker works; the defaults suit jobs of milliseconds to minutes.
package struct WorkerOptions: Equatable, Sendable {
    /// How many jobs run at once.
    package var slots = 2
    /// How many jobs one claim takes at most.
    package var claimMaximum = 100
    /// How often the queue is looked at when nobody announces work; ±20 % by the worker's id.
    package var pollInterval = Duration.seconds(1)
    /// How often the worker says that it lives; it is taken for dead after 30 s.
    package var beatInterval = Duration.seconds(5)
    /// How long running jobs may take to finish when the worker is asked to stop.
    package var drainMaximum = Duration.seconds(20)
    /// How often storing a finished run is tried when the database has a passing trouble.
    package var storeAttemptsMaximum = 4

    package init() {}
}
