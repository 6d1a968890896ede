/// The run of a job that wrote a result: rows carry it, so that each can be traced to one lease.
package struct JobRun: Hashable, Sendable {
    package let jobID: Int64
    /// The lease under which the job ran.
    package let leaseNumber: Int64

    package init(jobID: Int64, leaseNumber: Int64) {
        self.jobID = jobID
        self.leaseNumber = leaseNumber
    }
}
