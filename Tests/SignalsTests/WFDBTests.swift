import Series
import Testing

@testable import Signals

/// A record of one signal file from its header and bytes.
private func record(_ header: String, _ bytes: [UInt8]) throws(WFDBError) -> Recording {
    let parsed = try WFDBHeader(parsing: header, file: "x.hea")
    return try WFDBReader().recording(parsed, headerFile: "x.hea") { _ throws(WFDBError) in bytes }
}

private struct FormatCase: CustomTestStringConvertible, Sendable {
    let format: Int
    let bytes: [UInt8]
    /// Worked out by hand from signal(5); nil where missing.
    let samples: [Int32?]
    var testDescription: String { "format \(format)" }
}

private let formatCases = [
    // 10, then differences +5, −3, −128.
    FormatCase(format: 8, bytes: [0, 5, 0xFD, 0x80], samples: [10, 15, 12, -116]),
    FormatCase(
        format: 16, bytes: [1, 0, 0xFF, 0xFF, 0, 0x80, 0xFF, 0x7F], samples: [1, -1, nil, 32767]),
    FormatCase(
        format: 61, bytes: [0, 1, 0xFF, 0xFF, 0x80, 0, 0x7F, 0xFF], samples: [1, -1, nil, 32767]),
    FormatCase(format: 24, bytes: [1, 0, 0, 0xFE, 0xFF, 0xFF, 0, 0, 0x80], samples: [1, -2, nil]),
    FormatCase(
        format: 32, bytes: [1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0x80],
        samples: [1, -2, nil]),
    FormatCase(format: 80, bytes: [128, 129, 0, 255], samples: [0, 1, nil, 127]),
    FormatCase(
        format: 160, bytes: [0, 0x80, 1, 0x80, 0, 0, 0xFF, 0xFF], samples: [0, 1, nil, 32767]),
    // 0x801 = −2047 and 0x7FF = 2047: low bytes outside, high nibbles in the middle byte.
    FormatCase(
        format: 212, bytes: [0x01, 0x78, 0xFF, 0x00, 0x08], samples: [-2047, 2047, nil]),
    // Words w0 = s0·2 + (s2 low five bits)·2^11, w1 = s1·2 + (s2 high five bits)·2^11,
    // for s0 = 1, s1 = −1 (0x3FF), s2 = 0x155 = 341: w0 = 2 + 21·2048, w1 = 2046 + 10·2048.
    FormatCase(format: 310, bytes: [0x02, 0xA8, 0xFE, 0x57], samples: [1, -1, 341]),
    // One word of 32 bits: s0 + s1·2^10 + s2·2^20 with 1, −1, −512.
    FormatCase(format: 311, bytes: [0x01, 0xFC, 0x0F, 0x20], samples: [1, -1, nil]),
]

@Suite struct WFDBTests {
    @Test(arguments: formatCases)
    fileprivate func `samples worked out by hand are read`(_ c: FormatCase) throws {
        let recording = try record(
            "x 1 100\nx.dat \(c.format) 200(0)/mV 12 0 10\n", c.bytes)
        let signal = recording.signals[0]
        #expect((0..<signal.declaredCount).map { signal[$0] } == c.samples)
    }

    @Test func `gain, baseline and unit are read in this order`() throws {
        let recording = try record(
            "x 4 360 1\nx.dat 16 200(1024)/uV 11 0 0 1024 0 a b\nx.dat 16 100/mmHg 11 5\n"
                + "x.dat 16\nx.dat 16 -2.5e1(-7)\n", [0, 4, 105, 0, 200, 0, 0, 0])
        #expect(recording.signals.map(\.gain) == [200, 100, 200, -25])
        #expect(recording.signals.map(\.baseline) == [1024, 5, 0, -7])
        #expect(recording.signals.map(\.channel.unit.symbol) == ["uV", "mmHg", "mV", "mV"])
        #expect(recording.signals.map(\.channel.name) == ["a b", "signal2", "signal3", "signal4"])
        #expect(recording.signals.map { $0.physical(0) } == [0, 1, 1, -0.28])
        #expect(recording.findings == [.uncalibrated(channel: 2)])
    }

    @Test func `several samples per frame, skew and byte offset`() throws {
        let values: [Int16] = [1, 10, 11, 2, 20, 21, 3, 30, 31]
        let bytes: [UInt8] = values.reduce(into: [9, 9, 9]) { $0 += [UInt8($1), 0] }
        let recording = try record(
            "x 2 62.4725/999 3\nx.dat 16:1+3 100 16 0\nx.dat 16x2+3 100 16 0\n", bytes)
        #expect(recording.signals[0].samples == [2, 3])
        #expect(recording.signals[0].declaredCount == 3)
        #expect(recording.signals[1].samples == [10, 11, 20, 21, 30, 31])
        #expect(recording.signals[0].rate == SamplingRate(24989, per: 400))
        #expect(recording.signals[1].rate == SamplingRate(24989, per: 200))
        #expect(recording.findings == [])
    }

    @Test func `a truncated file gives what it has`() throws {
        let recording = try record(
            "x 2 250 4\nx.dat 16 200 16 0\nx.dat 16 200 16 0\n", [1, 0, 2, 0, 3, 0, 4])
        #expect(recording.signals.map(\.samples) == [[1, 3], [2]])
        #expect(recording.signals.map(\.missingCount) == [2, 3])
        #expect(recording.signals[0][3] == nil)
        #expect(
            recording.findings == [
                .truncated(channel: 0, declared: 4, found: 2),
                .truncated(channel: 1, declared: 4, found: 1),
            ])
    }

    @Test func `a promise of a trillion samples costs no memory`() throws {
        let recording = try record("x 1 250 1000000000000\nx.dat 16 200 16 0\n", [1, 0])
        #expect(recording.signals[0].declaredCount == 1_000_000_000_000)
        #expect(recording.chunks().count == 1)
    }

    @Test func `a wrong checksum is a finding`() throws {
        let right = try record("x 1 250 2\nx.dat 16 200 16 0 1 3\n", [1, 0, 2, 0])
        #expect(right.findings == [])
        let wrong = try record("x 1 250 2\nx.dat 16 200 16 0 1 4\n", [1, 0, 2, 0])
        #expect(wrong.findings == [.checksum(channel: 0, declared: 4, found: 3)])
    }

    @Test(arguments: [
        ("10:30:00 31/12/2016", "2016-12-31T10:30:00Z"),
        ("10:30:00.5 31/12/2016", "2016-12-31T10:30:00.500000Z"),
        ("31:51.982 9/10/2896", "2896-10-09T00:31:51.982000Z"),
        ("05-May-2020 14:50:55", "2020-05-05T14:50:55Z"), ("10:30:00", nil), ("", nil),
    ])
    func `the start is read in all its spellings`(text: String, start: String?) throws {
        let recording = try record("x 1 250 1 \(text)\nx.dat 16 200 16 0\n", [1, 0])
        #expect(recording.start?.description == start)
        #expect(recording.findings == [])
    }

    @Test func `a start that is no time costs the start only`() throws {
        let recording = try record("x 1 250 1 noon 31/12/2016\nx.dat 16 200 16 0\n", [1, 0])
        #expect(recording.start == nil)
        #expect(recording.findings == [.unreadableStart("noon 31/12/2016")])
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let header: String
        let line: Int?
        let reason: WFDBError.Reason
        var testDescription: String { "\(reason)" }
    }

    @Test(arguments: [
        Refusal(header: "", line: nil, reason: .empty),
        Refusal(header: "# only a comment\n", line: nil, reason: .empty),
        Refusal(header: "x two\n", line: 1, reason: .field(.signalCount, found: "two")),
        Refusal(header: "# c\nx\n", line: 2, reason: .field(.signalCount, found: "")),
        Refusal(header: "x 1 0\n", line: 1, reason: .field(.samplingRate, found: "0")),
        Refusal(header: "x 1 250 -3\n", line: 1, reason: .field(.sampleCount, found: "-3")),
        Refusal(
            header: "x/3 2 250\na 10\nb 10\n", line: nil,
            reason: .segmentCount(declared: 3, found: 2)),
        Refusal(header: "x/0 2 250\n", line: 1, reason: .field(.segmentCount, found: "0")),
        Refusal(
            header: "x/1 2 250\na -1\n", line: 2, reason: .field(.sampleCount, found: "-1")),
        Refusal(
            header: "x 9999 250\n", line: 1,
            reason: .tooManySignals(declared: 9999, accepted: 4096)),
        Refusal(
            header: "x 2 250\nx.dat 16\n", line: nil,
            reason: .signalCount(declared: 2, found: 1)),
        Refusal(header: "x 1\nx.dat 16y2\n", line: 2, reason: .field(.format, found: "16y2")),
        Refusal(header: "x 1\nx.dat 16x0\n", line: 2, reason: .field(.format, found: "16x0")),
        Refusal(header: "x 1\nx.dat\n", line: 2, reason: .field(.format, found: "")),
        Refusal(
            header: "x 1\nx.dat 16 200(a)/mV\n", line: 2,
            reason: .field(.gain, found: "200(a)/mV")),
        Refusal(
            header: "x 1\nx.dat 16 200 16 zero\n", line: 2, reason: .field(.zero, found: "zero")),
        Refusal(header: "x 1\nx.dat 517\n", line: nil, reason: .format(517)),
        Refusal(
            header: "x 2\nx.dat 16\nx.dat 212\n", line: nil,
            reason: .mixedFormats(first: 16, second: 212)),
        Refusal(header: "x 1\n../x.dat 16\n", line: nil, reason: .fileName("../x.dat")),
        Refusal(header: "x 1\nx.dat 16+9\n", line: nil, reason: .byteOffset(9, bytes: 2)),
    ])
    func `a bad header is one sentence with its place`(_ refusal: Refusal) {
        do {
            _ = try record(refusal.header, [0, 0])
            Issue.record("was read")
        } catch {
            #expect(error.reason == refusal.reason)
            #expect(error.line == refusal.line)
            #expect(error.description.hasSuffix(".") && !error.description.contains("\n"))
        }
    }

    @Test func `files that are not there are named`() {
        let error = #expect(throws: WFDBError.self) {
            try WFDBReader().read(header: "/nowhere/100")
        }
        #expect(error?.description == "100.hea: the file cannot be read (there is no such file).")
    }

    @Test(arguments: [
        ("360", 360, 1), ("62.4725", 24989, 400), ("0.0166666666667", 1, 60),
        ("999.56", 24989, 25), ("0.333333333333", 1, 3),
    ])
    func `rates are exact`(text: String, numerator: Int64, denominator: Int64) {
        #expect(SamplingRate(decimalHertz: text) == SamplingRate(numerator, per: denominator))
    }
}
