import Foundation
import Signals
import Testing

@Suite struct TSFReaderTests {
    static let text = """
        # A comment, with a byte that is no UTF-8 below
        @relation Made
        @attribute series_name string
        @attribute start_timestamp date
        @frequency monthly
        @horizon 3
        @missing true
        @data
        T1:1979-01-01 00-00-00:1149.87,1053.8,-2,4e2
        T2:1980-01-01 00-00-00:1,?,3

        """

    static func read(_ text: String) throws(TSFError) -> TSFSet {
        try TSFReader.read(Array(text.utf8), name: "made.tsf")
    }

    @Test func `header and series are read, a question mark is missing`() throws {
        let set = try Self.read(Self.text)
        #expect(set.name == "made" && set.frequency == "monthly" && set.horizon == 3)
        #expect(set.series.map(\.name) == ["T1", "T2"])
        #expect(set.series[0].values == [1149.87, 1053.8, -2, 400])
        #expect(set.series[1].values.map(\.isNaN) == [false, true, false])
    }

    @Test func `comments may hold any bytes, and lines may end as on Windows`() throws {
        var bytes = Array("# ".utf8) + [0x96, 0xFF, 10]
        bytes += Array(Self.text.replacing("\n", with: "\r\n").utf8)
        #expect(try TSFReader.read(bytes, name: "made.tsf").series.count == 2)
    }

    struct Refused: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let from: String
        let to: String
        let line: Int?
        let reason: TSFError.Reason
    }

    @Test(arguments: [
        Refused(
            testDescription: "a horizon of zero", from: "@horizon 3", to: "@horizon 0", line: 6,
            reason: .horizon(found: "0")),
        Refused(
            testDescription: "an attribute short", from: "T2:1980-01-01 00-00-00:", to: "T2:",
            line: 10, reason: .attributes(found: 1, needed: 2)),
        Refused(
            testDescription: "a word", from: "-2,4e2", to: "-2,four", line: 9,
            reason: .value(place: 4)),
        Refused(
            testDescription: "an empty value", from: "-2,4e2", to: ",4e2", line: 9,
            reason: .value(place: 3)),
        Refused(
            testDescription: "an infinity", from: "4e2", to: "4e999", line: 9,
            reason: .value(place: 4)),
        Refused(
            testDescription: "no data", from: "@data", to: "# data", line: nil, reason: .noData),
    ])
    func `what cannot be read is named`(_ c: Refused) throws {
        let text = Self.text.replacing(c.from, with: c.to)
        if c.reason == .noData {
            // The series then stand in the header, where they mean nothing.
            #expect(throws: TSFError(file: "made.tsf", line: nil, reason: .noData)) {
                try Self.read(text)
            }
            return
        }
        #expect(throws: TSFError(file: "made.tsf", line: c.line, reason: c.reason)) {
            try Self.read(text)
        }
    }

    @Test func `a packed file is refused with the way to unpack it`() throws {
        let error = #expect(throws: TSFError.self) {
            try TSFReader.read([0x1F, 0x8B, 8, 0], name: "made.tsf.gz")
        }
        #expect(error?.description.contains("gunzip -k") == true)
    }

    @Test func `a file that is not there is an error`() {
        #expect(throws: TSFError.self) { try TSFReader.read(file: "/nowhere/made.tsf") }
    }

    @Test func `any bytes give a set or an error`() {
        var bytes = Array(Self.text.utf8)
        var state: UInt64 = 7
        for _ in 0..<500 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
            do throws(TSFError) {
                let set = try TSFReader.read(bytes, name: "made.tsf")
                #expect(!set.series.isEmpty)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }
}
