import ArgumentParser
import Forecasting
import Foundation

/// `systole evaluate groups`: how often a group watch finds and names faults, and how often it cries
/// wolf.
struct EvaluateGroupsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups",
        abstract: "Counts what a group watch finds in made-up plants, and its false alarms.",
        discussion: """
            Every seed is a plant of its own: hourly channels made of two rhythms and two loads that
            wander, each with noise of its own. The watch begins after the history; then come weeks
            without faults, and then faults of twelve hours in one channel every four days: offset (two
            deviations higher), stuck, detached (its own past, 131 hours before) and noisy. A fault is
            found if an incident opens in it or in the six hours after, and named if that incident is
            on its channel. Training is the first one, and scoring that of the rows of the
            history.

            Example:
              systole evaluate groups --seeds 20
            """)

    @Option(help: "How many plants.") var seeds = 20
    @Option(help: "The first seed; the others follow it.") var first: UInt64 = 1000
    @Option(help: "Channels of a plant, from 2 to 200.") var channels = 8
    @Option(help: "Hours that are known when the watch begins, from 200.") var history = 3_000
    @Option(help: "Weeks without faults after that.") var weeks = 12
    @Option(help: "Faults after those.") var faults = 12
    @Option(name: .customLong("alerts-per-week"), help: "The alert budget.")
    var alertsPerWeek = 2.0
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (1...10_000).contains(seeds), (2...200).contains(channels),
            (200...100_000).contains(history), (0...520).contains(weeks),
            (0...10_000).contains(faults)
        else {
            throw ValidationError("a number is outside its range; see --help")
        }
        guard alertsPerWeek > 0, alertsPerWeek <= 1_000 else {
            throw ValidationError("--alerts-per-week \(alertsPerWeek) is outside 0 to 1000")
        }
    }

    func run() throws {
        var trial = GroupTrial()
        trial.channels = channels
        trial.history = history
        trial.quiet = weeks * 168
        trial.episodes = faults
        trial.alertsPerWeek = alertsPerWeek
        let line = ProgressLine()
        defer { line.end() }
        var results: [GroupTrial.Result] = []
        for seed in first..<first + UInt64(seeds) {
            line.show("plant \(results.count + 1) of \(seeds)")
            results.append(try trial.run(seed: seed))
        }
        line.end()
        json ? try Terminal.json(["results": results]) : show(results)
    }

    private func show(_ results: [GroupTrial.Result]) {
        Terminal.table(
            ["seed", "false alarms", "found", "named", "faults", "training", "scoring"],
            results.map { result in
                [
                    String(result.seed), String(result.falseAlarms), String(result.found),
                    String(result.named), String(result.faults),
                    String(format: "%.1f s", result.trainSeconds),
                    String(format: "%.2f s", result.scoreSeconds),
                ]
            })
        let all = results.reduce(0) { $0 + $1.faults }
        let (found, named) = (
            results.reduce(0) { $0 + $1.found }, results.reduce(0) { $0 + $1.named }
        )
        let quiet = results.reduce(0.0) { $0 + $1.quietWeeks }
        let alarms = results.reduce(0) { $0 + $1.falseAlarms }
        if quiet > 0 {
            let rate = String(format: "%.2f", Double(alarms) / quiet)
            print("false alarms a week: \(rate) of \(alertsPerWeek) allowed")
        }
        guard all > 0 else { return }
        print("found \(found) and named \(named) of \(all) faults; named by kind:")
        var kinds: [String: [Int]] = [:]
        for result in results {
            for (kind, counts) in result.byFault {
                kinds[kind] = zip(kinds[kind] ?? [0, 0], counts).map { $0 + $1 }
            }
        }
        for (kind, counts) in kinds.sorted(by: { $0.key < $1.key }) {
            print("  \(kind): \(counts[0]) of \(counts[1])")
        }
    }
}
