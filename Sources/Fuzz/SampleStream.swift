import Foundation
import Series
import Signals

/// The samples of files as our readers have them, so that other readers can be held against them.
///
/// Each file is a line of JSON, and then the samples of its signals one after the other, each as four
/// bytes, the low one first.
struct SampleStream {
    /// What stands before the samples of a file.
    private struct Head: Encodable {
        struct Signal: Encodable {
            let name: String
            let unit: String
            let hertz: Double
            let gain: Double
            let baseline: Double
            let count: Int
        }

        let path: String
        var signals: [Signal] = []
        var findings: [String] = []
        var refusal: String?
    }

    private let folder: String

    init(folder: String) { self.folder = folder }

    /// Writes every file below the folder to standard output, in the order of their paths.
    func write() throws {
        let output = FileHandle.standardOutput
        for path in try paths() {
            var head = Head(path: path)
            var samples = Data()
            do {
                let recording = try read(folder + "/" + path)
                head.findings = recording.findings.map { "\($0)" }
                for signal in recording.signals {
                    head.signals.append(
                        Head.Signal(
                            name: signal.channel.name, unit: signal.channel.unit.symbol,
                            hertz: signal.rate.hertz, gain: signal.gain,
                            baseline: signal.baseline, count: signal.samples.count))
                    unsafe signal.samples.withUnsafeBytes { unsafe samples.append(contentsOf: $0) }
                }
            } catch {
                head.refusal = "\(error)"
            }
            try output.write(contentsOf: try JSONEncoder().encode(head) + Data("\n".utf8))
            try output.write(contentsOf: samples)
        }
    }

    private func read(_ path: String) throws -> Recording {
        path.hasSuffix(".hea")
            ? try WFDBReader().read(header: path) : try EDFReader().read(file: path)
    }

    private func paths() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).filter { path in
            [".hea", ".edf", ".bdf"].contains { path.lowercased().hasSuffix($0) }
        }.sorted()
    }
}
