import Postgres

/// Why a run failed, as it is stored with the job: a class to count by and a sentence to read.
package struct JobFailure: Equatable, Sendable {
    /// The error's type, or `deadline`.
    package let errorClass: String
    /// One sentence without sample values, parameters or payloads.
    package let message: String
    /// Whether no retry can mend it.
    package let isPermanent: Bool

    package init(errorClass: String, message: String, isPermanent: Bool = false) {
        self.errorClass = errorClass
        self.message = message
        self.isPermanent = isPermanent
    }

    /// The failure that an error means.
    ///
    /// Only errors that describe themselves are quoted: Swift's default description would print
    /// whatever an error carries.
    package init(_ error: any Error) {
        errorClass = String(describing: type(of: error))
        switch error {
        case let error as any CustomStringConvertible: message = error.description
        default: message = "The run failed with \(errorClass)."
        }
        // Class SY: the SQL contract refuses the request itself.
        let isRefused = (error as? PostgresError)?.sqlState.hasPrefix("SY") ?? false
        isPermanent = error is PermanentJobError || isRefused
    }

    static func deadline(_ limit: Duration) -> JobFailure {
        JobFailure(
            errorClass: "deadline",
            message: "The run exceeded its time limit of \(limit.components.seconds) s.")
    }
}
