import ArgumentParser
import Foundation
import Tensors

/// The measuring tool: runs benchmarks against their opponents and reports.
@main struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures Systole's parts, each beside an opponent that does the same work.",
        discussion: """
            Every benchmark and its opponents run in turn within one process, A B A B …, so that \
            whatever disturbs the machine disturbs all of them. Example:
              ops/bench --only sgemm,csv.read --seconds 5
            A ratio is the opponent's median time divided by ours: above one, ours is faster. \
            The spread is (90th − 10th percentile) ÷ median.
            """)

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Flag(help: "Print the names of the benchmarks and end.")
    var list = false

    @Option(help: "Comma-separated names, or beginnings of names that end in a dot.")
    var only: String?

    @Option(
        help: """
            Threads for those that can use several, ours and the opponent's alike; \
            without it they are measured with one and with every core.
            """)
    var threads: Int?

    @Option(help: "Rounds for each benchmark, instead of as many as fit into the time.")
    var runs: Int?

    @Option(help: "Time for each benchmark in seconds; at least five rounds are run.")
    var seconds: Double = 4

    @Option(help: "An earlier report in JSON; ends with 1 if a benchmark became slower.")
    var compare: String?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads): from 1 to 1024 are accepted")
        }
        if let runs, !(1...Trial.roundsMaximum).contains(runs) {
            throw ValidationError("--runs \(runs): 1 to \(Trial.roundsMaximum) are accepted")
        }
        guard seconds > 0, seconds <= 3600 else {
            throw ValidationError("--seconds \(seconds): above 0 and up to 3600 are accepted")
        }
        _ = try selected()
    }

    func run() async throws {
        if list {
            for benchmark in Catalogue.all { print(benchmark.name) }
            return
        }
        ProcessRestart.withFastLinearAlgebra()
        // As the commands do that read files one after the other.
        ProcessorSetup.keepFreedMemory()
        // A peer that has ended is an error of the write, not the end of this process.
        signal(SIGPIPE, SIG_IGN)
        let before = try compare.map(Comparison.load)
        let environment = ProcessInfo.processInfo.environment
        let runner = Runner(
            trial: Trial(rounds: runs, seconds: seconds), threads: threads,
            peers: Peers(
                python: environment["SYSTOLE_PYTHON"] ?? "python3",
                reference: environment["SYSTOLE_REFERENCE"] ?? "../shared/reference"),
            databases: Databases(server: environment["SYSTOLE_TEST_SERVER"]))
        let benchmarks = try selected()
        let work = Task { try await runner.run(benchmarks) }
        let interrupts = Interrupts { work.cancel() }
        let report = try await work.value
        interrupts.end()
        if work.isCancelled { throw ExitCode(130) }
        if json {
            print(try report.json())
        } else {
            print(
                [
                    Table(report).text, Table.stages(report), Table.notes(report),
                    Table.machine(report),
                ].filter { !$0.isEmpty }.joined(separator: "\n\n"))
        }
        for failure in report.failures {
            Progress.say("\(failure.name) could not be measured: \(failure.reason)")
        }
        let comparison = before.map { Comparison(before: $0, now: report) }
        // Beside the report, not in it: what reads the JSON gets one object.
        if let comparison { Progress.say(comparison.text) }
        if comparison?.slower.isEmpty == false || !report.failures.isEmpty { throw ExitCode(1) }
    }

    /// The benchmarks that `--only` names, in the order of the catalogue.
    private func selected() throws -> [Benchmark] {
        guard let only else { return Catalogue.all }
        let wanted = only.split(separator: ",").map { $0.trimmingPrefix(" ") }
        for name in wanted where !Catalogue.all.contains(where: { Self.matches($0, name) }) {
            throw ValidationError(
                "there is no benchmark \(name); there are "
                    + Catalogue.all.map(\.name).joined(separator: ", "))
        }
        return Catalogue.all.filter { benchmark in
            wanted.contains { Self.matches(benchmark, $0) }
        }
    }

    private static func matches(_ benchmark: Benchmark, _ name: Substring) -> Bool {
        benchmark.name == name || (name.hasSuffix(".") && benchmark.name.hasPrefix(name))
    }
}
