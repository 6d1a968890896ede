import Foundation
import Series
import Testing

@testable import Signals

/// What `ops/fixtures/signals.py` gave to the writers of one recording.
private struct Golden: Decodable {
    let start: String
    let rate: [Int64]
    let names: [String]
    let units: [String]
    let gains: [Double]
    let baselines: [Double]
    /// −10⁹ where missing.
    let samples: [[Int]]

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures")

    static func load(_ file: String) throws -> (golden: Golden, path: String) {
        let data = try Data(contentsOf: folder.appending(path: "expected.json"))
        let all = try JSONDecoder().decode([String: Golden].self, from: data)
        return (try #require(all[file]), folder.appending(path: file).path)
    }
}

@Suite struct GoldenRecordingTests {
    @Test(arguments: [
        "golden16.hea", "golden24.hea", "golden32.hea", "golden80.hea", "golden212.hea",
        "golden508.hea", "golden516.hea", "golden524.hea", "golden.edf", "golden.bdf",
    ])
    func `what independent writers wrote is read back`(file: String) throws {
        let (golden, path) = try Golden.load(file)
        let recording =
            try file.hasSuffix(".hea")
            ? WFDBReader().read(header: path) : EDFReader().read(file: path)
        #expect(recording.start?.description == golden.start)
        #expect(recording.signals.map(\.channel.name) == golden.names)
        #expect(
            recording.signals.map(\.channel.unit)
                == golden.units.map(PhysicalUnit.init(spelled:)))
        #expect(recording.signals.map(\.rate) == golden.rate.map { SamplingRate($0) })
        for (signal, (gain, baseline)) in zip(
            recording.signals, zip(golden.gains, golden.baselines))
        {
            #expect(abs(signal.gain - gain) <= abs(gain) * 1e-12)
            #expect(abs(signal.baseline - baseline) <= 1e-6)
        }
        for (signal, samples) in zip(recording.signals, golden.samples) {
            #expect(signal.declaredCount == samples.count)
            #expect(
                signal.samples == samples.map { $0 == -1_000_000_000 ? .min : Int32($0) })
        }
        let odd = recording.findings.filter {
            if case .annotationsLeftAside = $0 { false } else { true }
        }
        #expect(odd == [])
    }

    @Test func `header and suffix are found, comments kept`() throws {
        let (_, path) = try Golden.load("golden212.hea")
        let recording = try WFDBReader().read(header: String(path.dropLast(4)))
        #expect(recording.name == "golden212")
        #expect(recording.comments == ["made by ops/fixtures/signals.py", "second line"])
    }
}
