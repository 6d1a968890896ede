import ArgumentParser
import Foundation
import Postgres

/// `systole doctor`: what is wrong here, and what to do about it.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks this machine, the configuration and the database.",
        discussion: """
            Says what to do about each thing that is wrong; writes nothing. Exit code 1 if
            something is wrong, so that a monitor can ask. With --invariants it asks instead whether
            the service has kept its promises about jobs, schedules, forecasts and incidents in this
            database: none lost, none twice. That reads whole tables.

            Example:
              systole doctor --json
              systole doctor --invariants
            """)

    @Flag(help: "Check the promises of the service against all that is stored.")
    var invariants = false

    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let findings = invariants ? try await broken() : await examined()
        try report(findings)
        if findings.contains(where: { $0.state == .wrong }) { throw ExitCode(1) }
    }

    /// One finding a promise, as `systole.invariants()` judges it.
    private func broken() async throws -> [Finding] {
        try await database.withPool { pool in
            try await pool.run("SELECT promise, violations, examples FROM systole.invariants()")
                .map { row in
                    let (promise, count) = (try row.text("promise"), try row.int64("violations"))
                    guard count > 0 else { return Finding(promise, .fine, "kept") }
                    let examples = try row.optionalText("examples") ?? ""
                    return Finding(
                        promise, .wrong, "broken \(count) times: \(examples)",
                        advice: "please report it, with the log of the workers")
                }
        }
    }

    private func examined() async -> [Finding] {
        var findings = MachineExamination.findings()
        do {
            let configuration = try database.resolved()
            findings.append(Finding("configuration", .fine, "it is understood as a whole"))
            findings += MachineExamination.disk(of: configuration.folder)
            findings += await ServerExamination(configuration: configuration).findings()
        } catch {
            findings.append(
                Finding(
                    "configuration", .wrong, Failure.sentence(for: error),
                    advice: "correct it; `systole config` shows every setting"))
        }
        return findings
    }

    private func report(_ findings: [Finding]) throws {
        if json { return try Terminal.json(findings) }
        for finding in findings {
            let mark =
                switch finding.state {
                case .fine: "fine "
                case .note: "note "
                case .wrong: "WRONG"
                }
            print("\(mark)  \(finding.topic): \(finding.found)")
            if let advice = finding.advice { print("       \(advice)") }
        }
        let wrong = findings.filter { $0.state == .wrong }.count
        print(wrong == 0 ? "Nothing is wrong." : "\(wrong) of \(findings.count) are wrong.")
    }
}
