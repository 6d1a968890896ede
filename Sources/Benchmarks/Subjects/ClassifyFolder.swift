import Classification
import Foundation
import Ingestion
import Signals
import Tensors
import Workflows

/// Recordings from file to finding, a benchmark a format and one of all formats together: twelve leads,
/// ten seconds at 500 Hz. The model is the one that ships.
///
/// Limit: arithmetic; a recording has 120 kilobytes.
enum ClassifyFolder {
    /// Recordings of each format.
    static let recordings = 16
    /// Those of the mixed folder, which has every one of its formats.
    private static let mixed = ["wfdb-16", "wfdb-212", "edf", "csv"]

    static let benchmarks =
        [benchmark("folder", mixed)]
        + ClassifyFormat.all.map { benchmark($0.name, [$0.name]) }

    private static func benchmark(_ name: String, _ formats: [String]) -> Benchmark {
        Benchmark("classify.\(name)", threads: .many) { setting in
            let trial = try ClassifyTrial(formats, setting)
            return Contest(
                what: "\(trial.files.count) recordings of 12 leads, 10 s at 500 Hz, in "
                    + formats.joined(separator: ", "),
                work: Work(trial.files.count, "recordings"),
                ours: Contestant("RecordingScan, readers, RecordingClassifier") { trial.all() },
                opponents: [],
                stages: [
                    Contestant("read and hash") { trial.read() },
                    Contestant("check and prepare") { trial.prepare() },
                    Contestant("models") { trial.classify() },
                ])
        }
    }
}

/// Files, and what becomes of them on the way.
private struct ClassifyTrial {
    let files: [RecordingFile]
    private let classifier: RecordingClassifier
    private let threads: Int
    private let recordings: [Recording]
    private let prepared: [PreparedECG]

    init(_ formats: [String], _ setting: Setting) throws {
        let model = "Sources/Classification/Default/ecg-default.safetensors"
        guard let bytes = FileManager.default.contents(atPath: model) else {
            throw BenchmarkError("classify: there is no \(model) here")
        }
        classifier = try RecordingClassifier(decoding: [UInt8](bytes))
        threads = setting.threads
        let name = "classify-" + formats.joined(separator: "-")
        let folder = try setting.folder.subfolder("\(name)-\(threads)")
        let count = ClassifyFolder.recordings / formats.count
        for format in ClassifyFormat.all where formats.contains(format.name) {
            for number in 0..<count {
                try format.write(MadeUpLeads(number).samples, "\(format.name)-\(number)", folder)
            }
        }
        files = RecordingScan([folder.path]).compactMap { found in
            if case .recording(let file) = found { file } else { nil }
        }
        guard files.count == count * formats.count else {
            throw BenchmarkError("\(name): \(files.count) files were found")
        }
        recordings = try files.map { try $0.read(RecordingOptions()) }
        let preparation = classifier.model.preparation
        prepared = try recordings.map { try preparation.prepare(Electrocardiogram($0)) }
    }

    func all() {
        keep(
            ParallelMap.map(files.count, threads: threads) { index in
                // Every file was read above without an error.
                keep(files[index].contentDigest(bytesMaximum: 1 << 28))
                return (try? files[index].read(RecordingOptions())).map { classifier.classify($0) }
            })
    }

    func read() {
        keep(
            ParallelMap.map(files.count, threads: threads) { index in
                keep(files[index].contentDigest(bytesMaximum: 1 << 28))
                return try? files[index].read(RecordingOptions())
            })
    }

    func prepare() {
        let preparation = classifier.model.preparation
        keep(
            ParallelMap.map(recordings.count, threads: threads) { index in
                // As above: each was prepared once.
                (try? Electrocardiogram(recordings[index])).map { try? preparation.prepare($0) }
            })
    }

    func classify() {
        keep(
            ParallelMap.map(prepared.count, threads: threads) { index in
                classifier.model.classify([prepared[index]], threads: 1)
            })
    }
}

/// Twelve leads of beats in two hundredths of a millivolt; the limb leads agree.
private struct MadeUpLeads {
    let samples: [[Int16]]

    init(_ number: Int) {
        func wave(_ size: Double) -> [Double] {
            (0..<5000).map { index in
                let time = Double(index) / 500
                let phase = (time + 0.1).truncatingRemainder(
                    dividingBy: 0.7 + 0.02 * Double(number))
                let beat = exp(-0.5 * pow((phase - 0.3) / 0.012, 2))
                let rest = 0.3 * exp(-0.5 * pow((phase - 0.5) / 0.05, 2))
                return size * (beat + rest) + 0.01 * sin(Double(index) * 12.9898)
            }
        }
        let (one, two) = (wave(0.7), wave(1.2))
        var leads = [one, two, zip(one, two).map { $1 - $0 }, zip(one, two).map { -($0 + $1) / 2 }]
        leads += [zip(one, two).map { $0 - $1 / 2 }, zip(one, two).map { $1 - $0 / 2 }]
        leads += [-0.8, -0.5, 0.8, 1.5, 1.3, 1].map(wave)
        samples = leads.map { lead in lead.map { Int16(($0 * 200).rounded()) } }
    }
}
