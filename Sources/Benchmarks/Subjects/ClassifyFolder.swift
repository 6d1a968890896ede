import Classification
import Foundation
import Ingestion
import Signals
import Tensors
import Workflows

/// A folder of recordings from file to finding: twelve leads, ten seconds at 500 Hz, in formats 16 and
/// 212, in EDF and as tables. The model is the one that ships.
///
/// Limit: arithmetic; a recording has 120 kilobytes.
enum ClassifyFolder {
    /// Recordings of each format.
    static let recordings = 8
    static let leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]

    static let benchmark = Benchmark("classify.folder", threads: .many) { setting in
        let model = "Sources/Classification/Default/ecg-default.safetensors"
        guard let bytes = FileManager.default.contents(atPath: model) else {
            throw BenchmarkError("classify.folder: there is no \(model) here")
        }
        let classifier = try RecordingClassifier(decoding: [UInt8](bytes))
        for number in 0..<recordings { try write(number, setting.folder) }
        let files = RecordingScan([setting.folder.path]).compactMap { found in
            if case .recording(let file) = found, file.path.contains("/ecg-") { file } else { nil }
        }
        guard files.count == 4 * recordings else {
            throw BenchmarkError("classify.folder: \(files.count) files were found")
        }
        let threads = setting.threads
        let work: @Sendable (RecordingFile) -> ClassifiedRecording? = { file in
            // A refused file is told by the check below.
            guard let recording = try? file.read(RecordingOptions()) else { return nil }
            return classifier.classify(recording)
        }
        guard files.allSatisfy({ work($0)?.refusal == nil }) else {
            throw BenchmarkError("classify.folder: a recording was refused")
        }
        return Contest(
            what: "\(files.count) recordings of 12 leads, 10 s at 500 Hz, in four formats",
            work: Work(files.count, "recordings"),
            ours: Contestant("RecordingScan, readers, RecordingClassifier") {
                keep(ParallelMap.map(files.count, threads: threads) { work(files[$0]) })
            },
            opponents: [
                .present(
                    Contestant("the same, reading only") {
                        keep(
                            ParallelMap.map(files.count, threads: threads) {
                                // Every file was read above without an error.
                                try? files[$0].read(RecordingOptions())
                            })
                    })
            ])
    }

    /// One recording in every format.
    private static func write(_ number: Int, _ folder: ScratchFolder) throws {
        let signals = beats(number)
        for format in [16, 212] {
            _ = try WFDBRead.write(
                signals, format: format, rate: 500, names: leads, name: "ecg-\(format)-\(number)",
                folder)
        }
        _ = try folder.write(
            EDFRead.file(signals, names: leads, rate: 500), to: "ecg-edf-\(number).edf")
        var table = "time," + leads.map { "\($0) [mV]" }.joined(separator: ",") + "\n"
        for index in 0..<5000 {
            table += "\(Double(index) / 500)"
            for signal in signals { table += ",\(Double(signal[index]) / 200)" }
            table += "\n"
        }
        _ = try folder.write(Array(table.utf8), to: "ecg-csv-\(number).csv")
    }

    /// Twelve leads of beats in two hundredths of a millivolt; the limb leads agree.
    private static func beats(_ number: Int) -> [[Int16]] {
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
        return leads.map { lead in lead.map { Int16(($0 * 200).rounded()) } }
    }
}
