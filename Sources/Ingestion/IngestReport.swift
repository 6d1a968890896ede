import Signals
import Store

/// What one pull from a source did. Counts add up over its files.
package struct IngestReport: Sendable, Equatable, Codable {
    /// A file that was not stored, or not whole, and why.
    package struct Rejection: Sendable, Equatable, Codable {
        package let file: String
        /// One sentence with line, found and accepted where there are any.
        package let reason: String

        package init(file: String, reason: String) {
            self.file = file
            self.reason = reason
        }
    }

    /// The most rejections and bad rows of which the reason is kept.
    package static let reasonsMaximum = 100

    /// Files that were looked at.
    package var files = 0
    /// Of these, the ones with nothing new in them.
    package var filesUnchanged = 0
    /// Of these, the ones that somebody may still be writing; a later pull takes them.
    package var filesWaiting = 0
    /// Rows of tables that were read.
    package var rows = 0
    /// Rows that could not be read.
    package var badRows = 0
    /// New observations.
    package var stored = 0
    /// Observations that were there already.
    package var duplicates = 0
    /// Observations that differ from a stored one, which stays.
    package var conflicts = 0
    /// Observations that replaced a stored one.
    package var revised = 0
    /// Observations too early or too late to be stored now; put aside.
    package var parked = 0
    /// Values that the files have as missing.
    package var missing = 0
    /// Recordings that were stored.
    package var recordings = 0
    /// Files that were rejected.
    package var rejected = 0
    /// Of these, the ones that an earlier pull rejected, and that have not changed.
    package var rejectedBefore = 0
    /// Files that were rejected, and the first bad rows, with reasons.
    package var rejections: [Rejection] = []
    /// The first file that was rejected and why, without anything that stands in it.
    package var fault: String?
    /// What is odd about files that were stored.
    package var findings: [Rejection] = []

    /// What the pull had to leave for the next one and why, in one sentence without values.
    package var trouble: String?

    package init() {}

    /// Keeps the first reason why a file was rejected; one without anything that stands in the file.
    mutating func keep(_ reason: String, of file: String) {
        // A reader's own sentence names the file already.
        fault = fault ?? (reason.hasPrefix(file) ? reason : "\(file): \(reason)")
    }

    /// What to keep of the files that were rejected, in one sentence; nil where there is none.
    var faultSentence: String? {
        guard let fault else { return nil }
        return rejected <= 1 ? fault : "\(rejected) files cannot be stored; the first is \(fault)"
    }

    /// Whether the pull changed anything in the database besides its cursors.
    package var changedAnything: Bool { stored + revised + parked + recordings > 0 }

    /// A few words for logs and progress lines.
    package var summary: String {
        var parts = ["\(files) file\(files == 1 ? "" : "s")"]
        let counts: [(Int, String)] = [
            (filesUnchanged, "unchanged"), (filesWaiting, "waiting"), (rows, "rows"),
            (badRows, "bad rows"), (stored, "stored"), (duplicates, "duplicates"),
            (conflicts, "conflicts"), (revised, "revised"), (parked, "parked"),
            (missing, "missing"), (recordings, "recordings"), (rejected, "rejected"),
        ]
        parts += counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return parts.joined(separator: ", ")
    }

    /// Counts a piece of a table that was stored.
    mutating func count(_ counts: FilingCounts, _ read: CSVReport, of file: String) {
        stored += counts.appended.inserted
        duplicates += counts.appended.duplicate + read.duplicates
        conflicts += counts.appended.conflicting + read.conflicts
        revised += counts.appended.revised
        parked += counts.appended.parked
        rows += read.rows
        badRows += read.badRows
        missing += read.missing
        for error in read.badRowReasons { note(file, error.description) }
    }

    /// Adds the report of another part of the pull.
    static func += (a: inout IngestReport, b: IngestReport) {
        let counts: [WritableKeyPath<IngestReport, Int>] = [
            \.files, \.filesUnchanged, \.filesWaiting, \.rows, \.badRows, \.stored, \.duplicates,
            \.conflicts, \.revised, \.parked, \.missing, \.recordings, \.rejected,
            \.rejectedBefore,
        ]
        for count in counts { a[keyPath: count] += b[keyPath: count] }
        a.rejections += b.rejections.prefix(reasonsMaximum - a.rejections.count)
        a.findings += b.findings.prefix(reasonsMaximum - a.findings.count)
        a.trouble = a.trouble ?? b.trouble
        a.fault = a.fault ?? b.fault
    }

    mutating func reject(_ file: String, _ reason: String) {
        rejected += 1
        note(file, reason)
    }

    /// Keeps a reason without counting a file.
    mutating func note(_ file: String, _ reason: String) {
        if rejections.count < Self.reasonsMaximum {
            rejections.append(Rejection(file: file, reason: reason))
        }
    }

    mutating func find(_ file: String, _ finding: String) {
        if findings.count < Self.reasonsMaximum {
            findings.append(Rejection(file: file, reason: finding))
        }
    }
}
