import ArgumentParser
import Classification
import Foundation
import Signals
import Store
import Tensors

/// `systole train ecg`: fits a classifier to a folder of labelled recordings, and writes it with its
/// model card.
struct TrainECGCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ecg",
        abstract: "Fits a classifier to a folder of labelled 12-lead recordings.",
        discussion: """
            The folder has labels.csv (columns record, source, archive, patient, scp, superclass,
            unified), unified_classes.csv (class, description, snomed_codes), and the recordings as
            ARCHIVE/RECORD.hea. Every figure of the card is on recordings left out, with patients
            kept apart. Recordings without labels (--unlabelled) teach networks to measure before
            they learn to diagnose. The same data, seed and program give the same bytes.

            Example:
              systole train ecg --data ecg12 --recordings unpacked --out ecg.safetensors
              systole train ecg --data ecg12 --unlabelled code15 ludb --out ecg.safetensors
            """)

    @Option(help: "The folder with labels.csv and unified_classes.csv.") var data: String
    @Option(help: "The folder with the recordings, one folder an archive; --data unless given.")
    var recordings: String?
    @Option(
        parsing: .upToNextOption,
        help: "Folders with more 12-lead WFDB recordings; their labels, if any, are not looked at.")
    var unlabelled: [String] = []
    @Option(help: "The file that gets the classifier; its card goes beside it, as .md.")
    var out: String
    @Option(
        help: """
            \(ClassifierFamily.allCases.map(\.rawValue).joined(separator: ", ")).
            """)
    var family = ClassifierFamily.ensemble
    @Option(
        parsing: .upToNextOption,
        help:
            "The families that an ensemble is made of; ecg-rocket ecg-linear ecg-kernel ecg-resnet ecg-mamba unless given."
    )
    var members: [ClassifierFamily] = []
    @Option(help: "Parts of the recordings, each left out once to judge by; from 3 to 20.")
    var folds = 5
    @Option(help: "Seed of training: the same seed gives the same model.") var seed: UInt64 = 0
    @Option(help: "Cores to use, from 1 to 256; all of them unless given.") var threads: Int?
    @Option(help: "The title of the model card.") var title = ""
    @Option(help: "Whose data it is, and under which licence; for the model card.") var licence = ""
    @Option(help: "A sentence about what the model is not good for; may be repeated.")
    var limit: [String] = []
    @Flag(help: "Print the card as JSON.") var json = false

    func validate() throws {
        guard (3...20).contains(folds) else {
            throw ValidationError("--folds \(folds) is outside 3 to 20")
        }
        if members.contains(.ensemble) || (!members.isEmpty && family != .ensemble) {
            throw ValidationError("--members names the families of an ecg-ensemble")
        }
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads \(threads) is outside 1 to 256")
        }
    }

    func run() async throws {
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        let labels = try text("labels.csv")
        let classes = try text("unified_classes.csv")
        let folder = try ECGFolder(labels: labels, classes: classes)
        let preparation = ECGPreparation()
        let line = ProgressLine()
        defer { line.end() }
        let read = LabelledFolder.read(
            folder, at: recordings ?? data, preparation, threads: threads)
        for refusal in read.refusals { Terminal.complain("systole: left out: \(refusal)") }
        let more = try UnlabelledFolders.read(unlabelled, preparation, threads: threads)
        var options = ClassifierTraining.Options()
        options.family = family
        if !members.isEmpty { options.parts = members }
        options.folds = folds
        options.seed = seed
        options.threads = threads
        options.title = title
        options.licence = licence
        options.dataDigest = read.digest(of: labels + classes, more.digests)
        options.codeVersion = Systole.build
        options.software = Systole.software
        options.limits = limit
        let training = ClassifierTraining(
            classes: folder.classes, preparation: preparation, options: options)
        let fitted = try training.train(
            read.recordings, unlabelled: more.recordings, refused: read.refused
        ) { progress in
            line.show("\(Int((100 * progress.fraction).rounded())) %, \(progress.step)")
        }
        try OutputFile.write(fitted.encoded(), to: out)
        let card = out.replacing(/\.safetensors$/, with: "") + ".md"
        try OutputFile.write(fitted.markdown, to: card)
        if json { return try Terminal.json(fitted.card) }
        for summary in fitted.card.summaries {
            let (value, low, high) = (
                summary.estimate.value, summary.estimate.low, summary.estimate.high
            )
            print(
                "\(summary.name): \(Terminal.number(value)) "
                    + "(\(Terminal.number(low)) to \(Terminal.number(high)))")
        }
        print("model: \(out)\ncard: \(card)")
    }

    private func text(_ name: String) throws -> String {
        try String(
            contentsOf: URL(filePath: data, directoryHint: .isDirectory).appending(path: name),
            encoding: .utf8)
    }
}

extension ClassifierFamily: ExpressibleByArgument {}

/// The recordings of a folder that could be read, and why others could not.
private struct LabelledFolder {
    /// In the order of the table.
    let recordings: [LabelledECG]
    /// One sentence a recording.
    let refusals: [String]
    /// How many of each source.
    let refused: [String: Int]
    /// The samples' digests, in the order of the table.
    private let digests: [[UInt8]]

    private enum Outcome: Sendable {
        case read(LabelledECG, digest: [UInt8])
        case refused(source: String, sentence: String)
    }

    /// Reads and prepares every recording, several at once.
    static func read(
        _ folder: ECGFolder, at root: String, _ preparation: ECGPreparation, threads: Int
    ) -> LabelledFolder {
        let outcomes = ParallelMap.map(folder.entries.count, threads: threads) { index in
            outcome(folder.entries[index], root, preparation)
        }
        var recordings: [LabelledECG] = []
        var (refusals, refused, digests) = ([String](), [String: Int](), [[UInt8]]())
        for outcome in outcomes {
            switch outcome {
            case .read(let recording, let digest):
                recordings.append(recording)
                digests.append(digest)
            case .refused(let source, let sentence):
                refusals.append(sentence)
                refused[source, default: 0] += 1
            }
        }
        return LabelledFolder(
            recordings: recordings, refusals: refusals, refused: refused, digests: digests)
    }

    private static func outcome(
        _ entry: ECGFolder.Entry, _ root: String, _ preparation: ECGPreparation
    ) -> Outcome {
        do {
            let recording = try WFDBReader().read(header: root + "/" + entry.path)
            let prepared = try preparation.prepare(Electrocardiogram(recording))
            let labelled = LabelledECG(
                name: entry.record, source: entry.source, patient: entry.patient,
                labels: entry.labels, prepared: prepared)
            return .read(labelled, digest: recording.digest)
        } catch {
            return .refused(source: entry.source, sentence: "\(entry.record): \(error)")
        }
    }

    /// The SHA-256 of the tables and of all samples that were read, here and elsewhere.
    func digest(of tables: String, _ more: [[UInt8]]) -> String {
        Store.digest(of: Array(tables.utf8) + (digests + more).joined()).map {
            String(format: "%02x", $0)
        }
        .joined()
    }
}

/// Recordings that are only measured.
private struct UnlabelledFolders {
    /// By folder, then by name; those that the preparation refuses are left out.
    let recordings: [PreparedECG]
    let digests: [[UInt8]]

    /// Reads and prepares the WFDB recordings of folders, several at once.
    static func read(
        _ folders: [String], _ preparation: ECGPreparation, threads: Int
    ) throws -> UnlabelledFolders {
        let paths = try folders.flatMap { folder in
            try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { $0.hasSuffix(".hea") }.sorted()
                .map { folder + "/" + $0.dropLast(".hea".count) }
        }
        let outcomes = ParallelMap.map(paths.count, threads: threads) { index in
            guard let recording = try? WFDBReader().read(header: paths[index]),
                let prepared = try? preparation.prepare(Electrocardiogram(recording))
            else { return nil as (PreparedECG, [UInt8])? }
            return (prepared, recording.digest)
        }.compactMap { $0 }
        if outcomes.count < paths.count {
            Terminal.complain(
                "systole: left out: \(paths.count - outcomes.count) of \(paths.count) recordings "
                    + "without labels")
        }
        return UnlabelledFolders(
            recordings: outcomes.map { $0.0 }, digests: outcomes.map { $0.1 })
    }
}

extension Recording {
    /// The SHA-256 of all samples.
    fileprivate var digest: [UInt8] {
        Store.digest(
            of: signals.flatMap { signal in
                signal.samples.flatMap { sample in
                    let word = UInt32(bitPattern: sample)
                    return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) }
                }
            })
    }
}
