import Foundation
import Testing

@testable import Signals

@Suite struct DecimalScannerTests {
    private func read(_ text: String, mark: Character = ".") -> (value: Double?, taken: Int) {
        let bytes = Array(text.utf8)
        var position = 0
        let value = DecimalScanner(mark: mark.asciiValue ?? 0).scan(bytes.span, &position)
        return (value, position)
    }

    /// The C library's correctly rounded reader.
    private func reference(_ text: String) -> Double { unsafe strtod(text, nil) }

    @Test func `every way of writing gives the bits of strtod`() {
        var random = SplitMix(state: 42)
        var wrong: [String] = []
        for round in 0..<100_000 {
            let text = Self.number(round, &random)
            let found = read(text)
            let isRight =
                found.value?.bitPattern == reference(text).bitPattern
                && found.taken == text.utf8.count
            if !isRight { wrong.append(text) }
        }
        #expect(wrong == [])
    }

    private static func number(_ round: Int, _ random: inout SplitMix) -> String {
        switch round % 5 {
        case 0:  // Any finite double, in its shortest form.
            let value = Double(bitPattern: random.next())
            return value.isFinite ? "\(value)" : "0"
        case 1:  // Seventeen digits, as other tools write.
            return String(format: "%.17g", Double.random(in: -1000...1000, using: &random))
        case 2: return "\(random.next() / 2).\(random.next() % 10)"
        case 3:
            let digits = "\(random.next() % 9_999_999_999_999_999_999 + 1)"
            let cut = digits.index(
                digits.startIndex, offsetBy: Int(random.next() % UInt64(digits.count)))
            return digits[..<cut] + "." + digits[cut...]
        default:
            return "-\(random.next() % 1000)e\(Int(random.next() % 640) - 330)"
        }
    }

    @Test func `values half way between two doubles round to even`() {
        // 2^53 + 1 and its tenths lie half way; a sticky bit decides those just above.
        for text in [
            "9007199254740993", "900719925474099.3", "9007199254740993.0", "9007199254740993.1",
            "0.9007199254740993", "9007199254740992.99999", "4503599627370496.5",
            "4503599627370497.5", "4503599627370497.5000000000000000000001",
        ] {
            let expected = reference(text)
            #expect(read(text).value == expected, "\(text)")
        }
    }

    @Test(arguments: ["", "-", "+", ".", "e5", "-.", "1e", "1e+", "x1", " 1"])
    func `what is no number takes nothing`(text: String) {
        let found = read(text)
        #expect(found.value == nil)
        #expect(found.taken == 0)
    }

    @Test func `the mark can be a comma`() {
        #expect(read("-3,25;", mark: ",").value == -3.25)
        #expect(read("3.25", mark: ",").taken == 1)
        #expect(read("1,00000000000000000000001", mark: ",").value == 1)
    }

    @Test func `minus zero keeps its sign`() {
        #expect(read("-0.0").value?.sign == .minus)
    }
}

/// A reproducible stream of bits.
///
/// - Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators".
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
