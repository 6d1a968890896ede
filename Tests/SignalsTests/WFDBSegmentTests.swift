import Foundation
import Series
import Testing

@testable import Signals

/// Files of a record in a folder of their own, which goes with them.
private final class RecordFolder {
    private let folder: URL

    init(_ files: [String: [UInt8]]) throws {
        folder = URL.temporaryDirectory.appending(path: "systole-segments-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, bytes) in files { try Data(bytes).write(to: folder.appending(path: name)) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    func read(_ name: String) throws(WFDBError) -> Recording {
        try WFDBReader().read(header: path(name))
    }
}

private func little16(_ values: Int16...) -> [UInt8] {
    values.flatMap { value in
        let bits = UInt16(bitPattern: value)
        return [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
    }
}

@Suite struct WFDBSegmentTests {
    @Test func `segments of a fixed layout follow each other, with gaps between them`() throws {
        let folder = try RecordFolder([
            "x.hea": Array("x/4 2 100 7 10:00:00 1/2/2020\na 2\n~ 1\nb 3\nc 1\n# seen\n".utf8),
            "a.hea": Array("a 2 100 2\na.dat 16 200 16 0\na.dat 16 100 16 0 0 0 0 P\n".utf8),
            "b.hea": Array("b 2 100 3\nb.dat 16 200 16 0\nb.dat 16 100 16 0 0 0 0 P\n".utf8),
            "c.hea": Array("c 2 100 1\nc.dat 16 200 16 0\nc.dat 16 100 16 0 0 0 0 P\n".utf8),
            "a.dat": little16(1, -1, 2, -2), "b.dat": little16(3, -3, 4, -4, 5),
            "c.dat": little16(6, -6),
        ])
        let recording = try folder.read("x")
        #expect(recording.name == "x")
        #expect(recording.start?.description == "2020-02-01T10:00:00Z")
        #expect(recording.comments == ["seen"])
        #expect(recording.signals.map(\.channel.name) == ["signal1", "P"])
        #expect((0..<7).map { recording.signals[0][$0] } == [1, 2, nil, 3, 4, 5, 6])
        #expect((0..<7).map { recording.signals[1][$0] } == [-1, -2, nil, -3, -4, nil, -6])
        #expect(
            recording.findings == [
                .gap(afterSeconds: 0.02, seconds: 0.01),
                .truncated(channel: 1, declared: 3, found: 2),
            ])
    }

    @Test func `signals of a variable layout come and go, in units of the finest gain`() throws {
        let folder = try RecordFolder([
            "x.hea": Array("x/3 2 250 4\nlay 0\na 2\nb 2\n".utf8),
            "lay.hea": Array(
                "lay 3 250 0\n~ 0 1/mV 0 0 0 0 0 I\n~ 0 2/mV 0 0 0 0 0 II\n~ 0 3/mmHg 0 0 0 0 0 ABP\n"
                    .utf8),
            "a.hea": Array("a 1 250 2\na.dat 16 100(10)/mV 16 0 0 0 0 II\n".utf8),
            "b.hea": Array(
                "b 2 250 2\nb.dat 16x2 5 16 0 0 0 0 I\nb.dat 16 400/mV 16 0 0 0 0 II\n".utf8),
            "a.dat": little16(110, -32768), "b.dat": little16(1, 2, 400, 3, 4, 800),
        ])
        let recording = try folder.read("x.hea")
        let (first, second, third) = (
            recording.signals[0], recording.signals[1], recording.signals[2]
        )
        #expect(first.rate == SamplingRate(500))
        #expect((0..<8).map { first[$0] } == [nil, nil, nil, nil, 1, 2, 3, 4])
        #expect(second.gain == 400)
        #expect((0..<4).map { second[$0] } == [400, nil, 400, 800])
        #expect(recording.physical(1).prefix(1) == [1])
        #expect(third.missingCount == 4)
        #expect(third.gain == 3)
        #expect(third.channel.unit.symbol == "mmHg")
        #expect(recording.findings == [.rescaled(channel: 1)])
    }

    @Test func `a segment that cannot be read is a gap`() throws {
        let folder = try RecordFolder([
            "x.hea": Array("x/3 1 10\nmissing 2\na 1\nbroken 1\n".utf8),
            "a.hea": Array("a 1 10 1\na.dat 16 200 16 0\n".utf8), "a.dat": little16(7),
            "broken.hea": Array("broken two\n".utf8),
        ])
        let recording = try folder.read("x")
        #expect((0..<4).map { recording.signals[0][$0] } == [nil, nil, 7, nil])
        #expect(recording.findings.contains(.segmentUnread("missing")))
        #expect(recording.findings.contains(.segmentUnread("broken")))
        #expect(
            try WFDBReader().files(ofRecord: folder.path("x")).map(\.lastPathPart).sorted()
                == ["a.dat", "a.hea", "x.hea"])
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let header: String
        let reason: WFDBError.Reason
        var testDescription: String { "\(reason)" }
    }

    @Test(arguments: [
        Refusal(header: "x/1 1 10\nx 5\n", reason: .nestedSegments),
        Refusal(header: "x/1 1 10\n../x 5\n", reason: .segmentName("../x")),
        Refusal(header: "x/1 1 10\nnone 5\n", reason: .unreadable("there is no such file")),
        Refusal(header: "x/1 1 10\n~ 5\n", reason: .noSegment(listed: 1)),
        Refusal(
            header: "x/2 1 10\na 1\n~ 1000000000000\n",
            reason: .tooLong(samples: 1_000_000_000_001, accepted: 1 << 30)),
    ])
    func `what cannot be put together is refused`(_ c: Refusal) throws {
        let folder = try RecordFolder([
            "x.hea": Array(c.header.utf8), "a.hea": Array("a 1 10 1\na.dat 16 200 16 0\n".utf8),
            "a.dat": little16(7),
        ])
        let error = #expect(throws: WFDBError.self) { try folder.read("x") }
        #expect(error?.reason == c.reason)
    }

    @Test func `a FLAC stream that is none, or is cut, gives what it has`() throws {
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures")
        let whole = [UInt8](try Data(contentsOf: golden.appending(path: "golden516.dat")))
        let header = "x 3 360 701\n" + String(repeating: "x.dat 516 200 16 0\n", count: 3)
        func read(_ header: String, _ bytes: [UInt8]) throws -> Recording {
            try RecordFolder(["x.hea": Array(header.utf8), "x.dat": bytes]).read("x")
        }
        #expect(try read(header, [1, 2, 3]).signals.map(\.samples) == [[], [], []])
        #expect(try read(header, Array(whole.dropLast(9))).signals[0].missingCount > 0)
        let two = "x 2 360 701\nx.dat 516 200 16 0\nx.dat 516 200 16 0\n"
        let error = #expect(throws: WFDBError.self) { try read(two, whole) }
        #expect(error?.reason == .flacChannels(declared: 2, found: 3))
        let uneven = "x 2 360 701\nx.dat 516x2 200 16 0\nx.dat 516 200 16 0\n"
        let other = #expect(throws: WFDBError.self) { try read(uneven, whole) }
        #expect(other?.reason == .flacFrames)
    }
}
