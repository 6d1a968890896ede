import Classification
import Foundation
import Learning
import Series
import Signals
import Tensors

/// A parser, and the good files that its inputs are made from.
struct Subject: Sendable {
    let name: String
    let corpus: @Sendable () throws -> [[UInt8]]
    /// Whether the bytes were read; a refusal is the parser's own error.
    let parse: @Sendable ([UInt8]) -> Bool

    static let all =
        [
            wfdbHeader, wfdbSignal, edf, csv, leadTable, tsf, safetensors, classifier,
            electrocardiogram,
        ] + feeds

    /// The most memory that a reader may take for one input.
    private static let bytesMaximum = 16 << 20

    private static let wfdbHeader = Subject(
        name: "wfdb-header",
        corpus: { try fixtures(ending: "hea") + Corpus.headers.map { Array($0.utf8) } },
        parse: { bytes in
            let signal = [UInt8](repeating: 0x5A, count: 600)
            return (try? wfdb(bytes) { _ in signal }) != nil
        })

    /// The first byte chooses the format; the rest is the signal file.
    private static let wfdbSignal = Subject(
        name: "wfdb-signal",
        corpus: {
            let flac = try (UInt8(10)...12).map { index in
                [index] + (try fixture("golden\(formats[Int(index)]).dat"))
            }
            return flac + (0..<10).map { [$0] + Corpus.noise(300) }
        },
        parse: { bytes in
            let format = formats[Int(bytes.first ?? 0) % formats.count]
            let body = Array(bytes.dropFirst())
            let lines = (0..<3).map { "s.dat \(format) 200/mV 12 0 0 0 0 L\($0)\n" }.joined()
            return (try? wfdb(Array("s 3 360 400\n\(lines)".utf8)) { _ in body }) != nil
        })

    private static let edf = Subject(
        name: "edf",
        corpus: {
            try fixtures(ending: "edf") + fixtures(ending: "bdf") + [Corpus.discontinuousEDF]
        },
        parse: { bytes in
            var reader = EDFReader()
            reader.bytesMaximum = bytesMaximum
            return (try? reader.read(bytes, name: "x.edf")) != nil
        })

    private static let csv = Subject(
        name: "csv", corpus: { Corpus.tables.map { Array($0.utf8) } },
        parse: { (try? CSVReader().read($0, name: "x.csv")) != nil })

    private static let leadTable = Subject(
        name: "lead-table",
        corpus: { (Corpus.tables + Corpus.leadTables).map { Array($0.utf8) } },
        parse: { bytes in
            let recording = try? CSVReader().recording(
                bytes, name: "x.csv", rate: SamplingRate(500), unit: "mV")
            return recording != nil
        })

    private static let tsf = Subject(
        name: "tsf", corpus: { Corpus.sets.map { Array($0.utf8) } },
        parse: { (try? TSFReader.read($0, name: "x.tsf")) != nil })

    private static let safetensors = Subject(
        name: "safetensors", corpus: { [Corpus.checkpoint] },
        parse: { (try? Checkpoint(decoding: $0)) != nil })

    /// The model that ships, and its description with as many of its tensors as are small.
    private static let classifier = Subject(
        name: "classifier",
        corpus: {
            let file = try Data(
                contentsOf: URL(filePath: "Sources/Classification/Default/ecg-default.safetensors"))
            let whole = try Checkpoint(decoding: [UInt8](file))
            let small = whole.tensors.filter { $0.value.values.count <= 256 }
            let head = Checkpoint(tensors: small, metadata: whole.metadata).encoded()
            // Most inputs are short and quick; one in 64 gets as far as the weights.
            return [[UInt8]](repeating: head, count: 63) + [[UInt8](file)]
        },
        parse: { (try? FittedClassifier(decoding: $0)) != nil })

    /// What is made of a recording that was read: standard leads, chunks, quality.
    private static let electrocardiogram = Subject(
        name: "electrocardiogram", corpus: { Corpus.headers.map { Array($0.utf8) } },
        parse: { bytes in
            let signal = Corpus.heartbeats
            guard let recording = try? wfdb(bytes, { _ in signal }),
                recording.signals.reduce(0, { $0 + $1.samples.count }) < 1 << 16
            else { return false }
            _ = recording.chunks()
            guard let ecg = try? Electrocardiogram(recording) else { return false }
            return SignalQuality(ecg).score >= 0
        })

    private static let formats = [8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524]

    private static func wfdb(
        _ header: [UInt8], _ load: (String) throws(WFDBError) -> [UInt8]
    ) throws(WFDBError) -> Recording {
        var reader = WFDBReader()
        reader.bytesMaximum = bytesMaximum
        return try reader.read(header: header, name: "x.hea", load: load)
    }

    /// The golden files of the tests; the tool runs in the package's folder.
    private static let folder = "Tests/SignalsTests/Fixtures"

    private static func fixture(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: "\(folder)/\(name)")))
    }

    private static func fixtures(ending: String) throws -> [[UInt8]] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return try names.filter { $0.hasSuffix(".\(ending)") }.sorted().map(fixture)
    }
}
