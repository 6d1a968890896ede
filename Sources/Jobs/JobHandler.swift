package import Postgres

/// What a run writes: executed in the one transaction that also completes the job, or not at all.
///
/// It may be executed again if that transaction fails for a passing reason.
package typealias Effects = @Sendable (borrowing Session) throws -> Void

/// Does the jobs of one kind.
package protocol JobHandler: Sendable {
    /// Which jobs it does.
    var kind: String { get }

    /// How long a failed job waits before it is tried again.
    var retry: RetryPolicy { get }

    /// Whether runs have something to store. Runs without are completed many at a time.
    var hasEffects: Bool { get }

    /// Does one job; may run again after a crash, so all writing belongs into the effects.
    ///
    /// - Parameters:
    ///   - lease: The job and its arguments.
    ///   - context: Takes progress, and tells when to stop.
    /// - Returns: What to write when the run is completed.
    /// - Throws: `PermanentJobError` for what no retry can mend; anything else is tried again.
    func run(_ lease: Lease, _ context: JobContext) async throws -> Effects

    /// What to write, in the transaction that gives a job up, when its last attempt has failed.
    func abandonment(of lease: Lease, because failure: JobFailure) -> Effects?
}

extension JobHandler {
    package var retry: RetryPolicy { RetryPolicy() }
    package var hasEffects: Bool { true }

    /// Nothing, unless a handler says otherwise.
    package func abandonment(of lease: Lease, because failure: JobFailure) -> Effects? { nil }
}

/// A failure that no retry can mend, such as arguments that make no sense.
package struct PermanentJobError: Error, Equatable, Sendable, CustomStringConvertible {
    /// One sentence without sample values, parameters or payloads.
    package let message: String

    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}
