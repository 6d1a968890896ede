import ArgumentParser
import Classification
import Foundation
import Ingestion
import Series
import Tensors
import Workflows

/// `systole classify`: what is found in recordings, with a calibrated probability or a reason why not.
struct ClassifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classify",
        abstract:
            "Classifies electrocardiograms: WFDB, EDF, BDF and CSV files, or folders of them.",
        discussion: """
            Every recording gets its quality, and either a calibrated probability for each class or
            the reason why the classifier abstains. A bad file costs its own row, never the others;
            the exit code is 1 only where no file at all could be read. The answers depend on the
            bytes and the model alone: not on the threads, nor on what else is in the folder.

            --out writes results.csv (a row a class) or results.jsonl (an object a recording). The
            file appears when it is whole; until then its rows are in results.csv.part-…, and the
            same command goes on from there after an interruption.

            --store writes recordings and findings into the database, read there by
            systole.ecg_findings; what is there already is not done twice.

            For research only; this is not a medical device.

            Example:
              systole classify ward3/ --out results.csv
              systole classify ward3/0001.hea --explain --plot charts/
              systole classify ward3/ --store && psql -c "SELECT * FROM systole.ecg_findings"
            """)

    @Argument(help: "Files, or folders that are searched through.") var paths: [String] = []
    @Option(help: "Where the findings go: a .csv or .jsonl file.") var out: String?
    @Flag(help: "Store recordings and findings in the database.") var store = false
    @Flag(help: "With --store: a recording under the same key with other samples is replaced.")
    var revisable = false
    @Flag(help: "Tell how much each second of each lead speaks for what was found.")
    var explain = false
    @Option(help: "A folder for one SVG a recording: the ECG on its grid, with the findings.")
    var plot: String?
    @Option(help: "The classifier; the one that ships unless given.") var model: String?
    @Flag(help: "Print what is known of the classifier, and classify nothing.") var card = false
    @Option(help: "Samples a second of tables without a column of times.") var rate: String?
    @Option(help: "The unit of tables whose headers have none, such as mV.") var unit: String?
    @Option(help: "Cores to use.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print JSON: an object a recording, or with --out or --store a summary.")
    var json = false
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard card || !paths.isEmpty else { throw ValidationError("give files or folders") }
        guard (1...256).contains(threads) else {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
        if let out, FindingFormat(fileName: out) == nil {
            throw ValidationError("--out \(out): accepted are names that end in .csv or .jsonl")
        }
        if revisable && !store { throw ValidationError("--revisable is for --store") }
        _ = try recordingOptions()
    }

    func run() async throws {
        ProcessorSetup.keepFreedMemory()
        let classifier = try ClassifierFile.load(model)
        if card { return try ClassifierCardReport.show(classifier, json: json) }
        var plan = ClassifyPlan(classifier: classifier, options: try recordingOptions())
        plan.threads = threads
        plan.explains = explain
        plan.plotFolder = plot
        let run = ClassifyRun(
            plan: plan, paths: paths, sink: try sink(classifier), interrupts: Interrupts())
        if store {
            try await database.withPool { [revisable] pool in
                let store = try await FindingFiling(pool, plan: plan, isRevisable: revisable)
                try finish(try await run.run(filing: store))
            }
        } else {
            try finish(try await run.run(filing: nil))
        }
    }

    private func recordingOptions() throws -> RecordingOptions {
        var options = RecordingOptions()
        if let rate {
            guard let hertz = Double(rate), (1...100_000).contains(hertz) else {
                throw ValidationError("--rate \(rate): accepted are 1 to 100000 samples a second")
            }
            options.rate = SamplingRate(Int64((hertz * 1000).rounded()), per: 1000)
        }
        options.unit = unit
        return options
    }

    private func sink(_ classifier: RecordingClassifier) throws -> FindingSink {
        guard let out, let format = FindingFormat(fileName: out) else {
            return json ? .jsonLines : store ? .nothing : .lines
        }
        let command = [
            "classify 1", classifier.digest, format.rawValue, "\(explain)", rate ?? "", unit ?? "",
            "\(store)",
        ].joined(separator: "\n")
        return .file(try ResultFile(path: out, command: command, format: format), format)
    }

    /// Says what was done; fails where nothing could be read.
    private func finish(_ summary: ClassifySummary) throws {
        if summary.isInterrupted {
            Terminal.complain(
                "systole: interrupted after \(summary.recordings) recordings; "
                    + (out == nil ? "" : "the same command goes on from there"))
            throw ExitCode.failure
        }
        guard summary.recordings > 0 else {
            throw NoRecordings(paths: paths)
        }
        if out != nil || store {
            if json { try Terminal.json(summary) } else { print(summary.sentence(out: out)) }
        }
        if summary.failed == summary.recordings { throw ExitCode.failure }
    }

    /// Nothing to read.
    struct NoRecordings: Error, CustomStringConvertible {
        let paths: [String]
        var description: String {
            "\(paths.joined(separator: ", ")): no WFDB header, EDF, BDF or CSV file is there"
        }
    }
}
