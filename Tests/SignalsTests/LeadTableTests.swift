import Foundation
import Series
import Testing

@testable import Signals

@Suite struct LeadTableTests {
    static func read(_ text: String, rate: Int64? = nil) throws -> Recording {
        try CSVReader().recording(
            Array(text.utf8), name: "ward.csv", rate: rate.map { SamplingRate($0) }, unit: "mV")
    }

    @Test func `a table of times is a recording at their rate`() throws {
        let rows = (0..<20).map { "\(Double($0) / 500),0.12\($0 % 10),-1.5" }
        let recording = try Self.read("time,I,II [uV]\n" + rows.joined(separator: "\n") + "\n")
        #expect(recording.name == "ward")
        #expect(recording.signals.map(\.channel.name) == ["I", "II"])
        #expect(recording.signals.map(\.channel.unit.symbol) == ["mV", "uV"])
        #expect(recording.signals[0].rate == SamplingRate(500))
        #expect(recording.signals[0].gain == 1000)
        #expect(recording.physical(0).prefix(3) == [0.12, 0.121, 0.122])
        #expect(recording.physical(1).allSatisfy { $0 == -1.5 })
    }

    @Test func `a table without times needs the rate, and keeps what is missing missing`() throws {
        let text = "I,II,V1\n1,2,NaN\n-3,,4\n5,6,inf\n"
        #expect(throws: CSVError.self) { try Self.read(text) }
        let recording = try Self.read(text, rate: 250)
        #expect(recording.signals.map(\.rate) == [250, 250, 250].map { SamplingRate($0) })
        #expect(recording.signals.map(\.missingCount) == [0, 1, 2])
        #expect((0..<3).map { recording.signals[0][$0] } == [1, -3, 5])
    }

    struct Wrong: CustomTestStringConvertible, Sendable {
        let text: String
        let says: String
        var testDescription: String { says }
    }

    @Test(arguments: [
        Wrong(text: "I,II\n1,2\n1\n", says: "line 3: found 1 field where the header has 2"),
        Wrong(text: "I,II\n1,2x\n", says: "column II holds \"2x\""),
        Wrong(text: "", says: "empty"),
    ])
    func `a table that is none is refused with its line`(_ wrong: Wrong) throws {
        let error = #expect(throws: CSVError.self) { try Self.read(wrong.text, rate: 100) }
        #expect(error?.description.contains(wrong.says) == true, "\(String(describing: error))")
    }

    @Test func `huge numbers lose digits, not their size`() throws {
        let recording = try Self.read("I\n1e300\n-1e300\n0\n", rate: 100)
        let found = recording.physical(0)
        #expect(abs(found[0] / 1e300 - 1) < 1e-6)
        #expect(found[1] == -found[0] && found[2] == 0)
    }

    @Test(arguments: [
        "timestamp,y\n1700000000000,1\n170000000310,2\n91700000000040,3\n",
        "timestamp,y\n3700000000000,1\n1700000000020,2\n1703.141592653589793,3\n",
    ])
    func `milliseconds from thousands of years are off the grid or too many`(rows: String) throws {
        #expect(throws: CSVError.self) {
            try CSVReader().recording(Array(rows.utf8), name: "x.csv")
        }
    }

    @Test func `one wild time does not make a recording of days`() throws {
        let rows = "time,I,II\n1700000000,1,2\n1700000060,1,2\n170000,1,2\n"
        let error = #expect(throws: CSVError.self) {
            try CSVReader().recording(Array(rows.utf8), name: "x.csv")
        }
        #expect(
            error?.reason
                == .gridTooLarge(channel: "I", instants: 28_330_501 + 1, accepted: 1 << 16))
    }
}
