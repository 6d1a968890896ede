import ArgumentParser
import Foundation

/// The fuzzing tool: feeds broken files to the parsers, in one process and at full speed.
@main struct Main: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Feeds mutated files to the parsers until one crashes, hangs, or all is done.",
        discussion: """
            Input n of a parser depends on the seed and on n alone, so that what was found once is \
            found again: the end of a run that failed names the command. Example:
              ops/fuzz --parser edf,tsf --inputs 10000000
            """)

    @Option(help: "Parsers, separated by commas; all of them unless given.")
    var parser: String?
    @Option(help: "Inputs for each parser.") var inputs = 100_000
    @Option(help: "The first input.") var from = 0
    @Option(help: "Seed of the mutations.") var seed: UInt64 = 0
    @Option(help: "The longest time for one input, in seconds.") var limit = 2.0
    @Option(help: "The most memory of the process, in megabytes.") var memory = 4096
    @Option(help: "Writes the last input to this file; for one input, with --from and --inputs 1.")
    var save: String?
    @Flag(help: "Print the names of the parsers and end.") var list = false
    @Option(
        help: "Instead: write the samples of all files in this folder; for ops/compare-readers.")
    var samples: String?

    func validate() throws {
        guard inputs > 0, from >= 0 else { throw ValidationError("--inputs and --from: from 0 on") }
        guard limit > 0, limit <= 3600 else {
            throw ValidationError("--limit \(limit): above 0 and up to 3600 are accepted")
        }
        _ = try selected()
    }

    func run() throws {
        if let samples { return try SampleStream(folder: samples).write() }
        if list { return print(Subject.all.map(\.name).joined(separator: "\n")) }
        // Set under a sanitiser, which maps terabytes of its own, to 0.
        if memory > 0 { Watch.limitMemory(to: memory << 20) }
        let watch = Watch(limit: limit)
        for subject in try selected() {
            watch.begin(subject.name, seed: seed)
            let tally = try Trial(subject, seed: seed).run(
                from: from, count: inputs, watch: watch, save: save)
            print("\(subject.name): \(tally)")
            fflush(nil)
        }
    }

    private func selected() throws -> [Subject] {
        guard let parser else { return Subject.all }
        return try parser.split(separator: ",").map { name in
            guard let subject = Subject.all.first(where: { $0.name == name }) else {
                throw ValidationError(
                    "--parser \(name): accepted are "
                        + Subject.all.map(\.name).joined(separator: ", "))
            }
            return subject
        }
    }
}

/// Runs one parser on its inputs.
struct Trial {
    private let subject: Subject
    private let corpus: [[UInt8]]
    private let stream: RandomStreamOfInputs

    init(_ subject: Subject, seed: UInt64) throws {
        self.subject = subject
        corpus = try subject.corpus()
        stream = RandomStreamOfInputs(seed: seed)
    }

    /// What happened.
    struct Tally: CustomStringConvertible {
        var accepted = 0
        var refused = 0
        var seconds = 0.0
        var slowest = (input: 0, seconds: 0.0)

        var description: String {
            let count = accepted + refused
            return "\(count) inputs in \(format(seconds, 1)) s, \(Int(Double(count) / seconds)) a "
                + "second; \(accepted) read, \(refused) refused; the slowest, \(slowest.input), took "
                + "\(format(slowest.seconds * 1e3, 1)) ms; \(Watch.peakMegabytes) MB at most"
        }

        private func format(_ value: Double, _ digits: Int) -> String {
            String(format: "%.\(digits)f", value)
        }
    }

    func run(from: Int, count: Int, watch: Watch, save: String?) throws -> Tally {
        var tally = Tally()
        let start = ContinuousClock.now
        var now = start
        for input in from..<from + count {
            let bytes = stream.mutated(corpus, input: input)
            watch.enter(input)
            if let save, input == from + count - 1 {
                try Data(bytes).write(to: URL(filePath: save))
            }
            if subject.parse(bytes) { tally.accepted += 1 } else { tally.refused += 1 }
            let end = ContinuousClock.now
            let seconds = (end - now) / .seconds(1)
            if seconds > tally.slowest.seconds { tally.slowest = (input, seconds) }
            now = end
        }
        watch.leave()
        tally.seconds = (now - start) / .seconds(1)
        return tally
    }
}
