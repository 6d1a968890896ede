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
            something is wrong, so that a monitor can ask.

            Example:
              systole doctor --json
            """)

    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
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
        try report(findings)
        if findings.contains(where: { $0.state == .wrong }) { throw ExitCode(1) }
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
