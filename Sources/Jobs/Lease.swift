/// One run of one job: what a worker was handed, until it finishes or is replaced.
package struct Lease: Hashable, Sendable {
    /// The job.
    package let jobID: Int64
    /// The fence: grows with every run of the job and is matched by every write about it.
    package let number: Int64
    /// Which handler runs it.
    package let kind: String
    /// The arguments, a JSON object as text.
    package let arguments: String
    /// Which attempt this is, from 1.
    package let attempt: Int
    /// How many attempts there are.
    package let attemptsMaximum: Int
    /// How long the run may take.
    package let timeLimit: Duration

    package init(
        jobID: Int64, number: Int64, kind: String, arguments: String, attempt: Int = 1,
        attemptsMaximum: Int = 8, timeLimit: Duration = .seconds(3600)
    ) {
        self.jobID = jobID
        self.number = number
        self.kind = kind
        self.arguments = arguments
        self.attempt = attempt
        self.attemptsMaximum = attemptsMaximum
        self.timeLimit = timeLimit
    }
}

/// The run was replaced: another worker has the job, or it was cancelled or finished.
///
/// Thrown out of the transaction that would have stored the run's effects, so that they roll back.
package struct LeaseLost: Error, Equatable, Sendable {
    /// The job whose run was replaced.
    package let jobID: Int64
    /// The run that was replaced.
    package let number: Int64

    package init(jobID: Int64, number: Int64) {
        self.jobID = jobID
        self.number = number
    }
}
