import Foundation
import Series
import Testing

@testable import Signals

@Suite struct WaveformPieceTests {
    private func read(_ text: String, _ tail: [UInt8] = []) throws -> WaveformPiece {
        try WaveformPieceReader.read(Array(text.utf8) + tail)
    }

    private let head = #""recording": "r", "channels": ["I", "II"], "rate": 500, "first": 7"#

    @Test func `the forms of a piece say the same`() throws {
        let plain = try read("{\(head), \"samples\": [[1, 2, null], [-1, 300, 5]]}")
        #expect(plain.words == [1, 2, WaveformPiece.missing, -1, 300, 5])
        #expect(plain.count == 3)
        #expect(plain.first == 7)
        let turned = try read(
            "{\(head), \"interleaved\": true, \"samples\": [[1, -1], [2, 300], [null, 5]]}")
        #expect(turned == plain)
        let whole = try read("{\(head), \"samples\": [[1, 2], [-1, 300]]}")
        let bytes: [UInt8] = [1, 0, 2, 0, 255, 255, 44, 1]
        #expect(try read("{\(head), \"form\": \"int16\"}\n", bytes) == whole)
        let text = Data(bytes).base64EncodedString()
        #expect(try read("{\(head), \"form\": \"int16\", \"data\": \"\(text)\"}") == whole)
        let mixed: [UInt8] = [1, 0, 255, 255, 2, 0, 44, 1]
        #expect(
            try read("{\(head), \"form\": \"int16\", \"interleaved\": true}\n", mixed) == whole)
    }

    @Test func `reals keep their bits, and what is no number is missing`() throws {
        let values: [Float] = [1.5, .nan, -0.0, .infinity]
        let bytes = values.flatMap { value in
            [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt32($0)) }
        }
        let piece = try read("{\(head), \"form\": \"float32\"}\n", bytes)
        #expect(
            piece.words == [
                Int32(bitPattern: Float(1.5).bitPattern), WaveformPiece.missing, 0,
                WaveformPiece.missing,
            ])
        #expect(piece.form == .reals)
    }

    struct Flaw: Sendable, CustomTestStringConvertible {
        let text: String
        let error: WaveformPieceError
        var testDescription: String { text }
    }

    @Test(arguments: [
        Flaw(text: "", error: .noObject), Flaw(text: "[]", error: .noObject),
        Flaw(text: "{", error: .noObject), Flaw(text: "{}", error: .missing("channels")),
        Flaw(text: #"{"channels": 1}"#, error: .field("channels")),
        Flaw(text: #"{"channels": ["a"]}"#, error: .missing("rate")),
        Flaw(
            text:
                #"{"recording": "r", "channels": ["a", "a"], "rate": 5, "first": 1, "samples": [[1], [2]]}"#,
            error: .field("channels")),
        Flaw(
            text: #"{"recording": "r", "channels": ["a"], "rate": 5}"#, error: .missing("first")),
        Flaw(
            text: #"{"recording": "r", "channels": ["a"], "rate": 5, "first": 1}"#,
            error: .missing("samples")),
        Flaw(
            text: #"{"recording": " r", "channels": ["a"], "rate": 5, "first": 1}"#,
            error: .field("recording")),
        Flaw(
            text: #"{"recording": "r", "channels": ["a"], "rate": 0, "first": 1}"#,
            error: .field("rate")),
        Flaw(
            text: #"{"recording": "r", "channels": ["a"], "rate": 5, "first": -1}"#,
            error: .field("first")),
        Flaw(
            text:
                #"{"recording": "r", "channels": ["a"], "rate": 5, "first": 9223372036854775807}"#,
            error: .field("first")),
        Flaw(
            text: #"{"recording": "r", "channels": ["a"], "rate": 5, "at": "noon"}"#,
            error: .field("at")),
        Flaw(
            text: #"{"recording": "r", "channels": ["a"], "rate": 5, "first": 1, "gain": 0}"#,
            error: .field("gain")),
        Flaw(
            text:
                #"{"recording": "r", "channels": ["a", "b"], "rate": 5, "first": 1, "samples": [[1], []]}"#,
            error: .uneven),
        Flaw(
            text:
                #"{"recording": "r", "channels": ["a"], "rate": 5, "first": 1, "samples": [[1.5]]}"#,
            error: .field("samples")),
        Flaw(
            text: "{\"recording\": \"r\", \"channels\": [\"a\"], \"rate\": 5, \"first\": 1}\nxyz",
            error: .missing("form")),
        Flaw(
            text:
                "{\"recording\": \"r\", \"channels\": [\"a\"], \"rate\": 5, \"first\": 1, \"form\": \"int16\"}\nxyz",
            error: .uneven),
    ])
    func `a flaw is told by its field`(flaw: Flaw) {
        let error = #expect(throws: WaveformPieceError.self) { try read(flaw.text) }
        #expect(error == flaw.error)
    }

    @Test func `no bytes whatever make it trap`() throws {
        let seed = Array(
            "{\(head), \"at_us\": 1700000000000000, \"gain\": [2, 3], \"samples\": [[1], [2]]}\n"
                .utf8)
        var state: UInt64 = 5
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var taken = 0
        for _ in 0..<3000 {
            var bytes = seed
            for _ in 0...next(4) { bytes[next(bytes.count)] = UInt8(next(256)) }
            if (try? WaveformPieceReader.read(bytes)) != nil { taken += 1 }
        }
        #expect(taken > 0 && taken < 3000)
    }
}
