import Tensors

/// The inputs of a parser: good ones, broken at random.
struct RandomStreamOfInputs {
    private let base: RandomStream
    /// The longest input, unless a good one is longer.
    static let bytesMaximum = 1 << 16

    init(seed: UInt64) { base = RandomStream(seed: seed) }

    /// Input number `input`, which depends on the seed, the corpus and the number alone.
    func mutated(_ corpus: [[UInt8]], input: Int) -> [UInt8] {
        var chance = base.stream(UInt64(input))
        var bytes = corpus[chance.integer(below: corpus.count)]
        // Most inputs stay nearly right, so that they get past the first check.
        let rounds = 1 + chance.integer(below: 1 + chance.integer(below: 8))
        for _ in 0..<rounds { Self.mutate(&bytes, corpus, &chance) }
        let longest = max(Self.bytesMaximum, corpus.reduce(0) { max($0, $1.count) })
        if bytes.count > longest { bytes.removeLast(bytes.count - longest) }
        return bytes
    }

    private static func mutate(
        _ bytes: inout [UInt8], _ corpus: [[UInt8]], _ chance: inout RandomStream
    ) {
        guard !bytes.isEmpty else {
            bytes = (0..<chance.integer(below: 64)).map { _ in
                UInt8(truncatingIfNeeded: chance.next())
            }
            return
        }
        let place = chance.integer(below: bytes.count)
        // Text and headers stand at the beginning: half of all changes do too.
        let early = chance.integer(below: min(bytes.count, 512))
        let at = chance.integer(below: 2) == 0 ? early : place
        switch chance.integer(below: 10) {
        case 0: bytes[at] ^= 1 << UInt8(chance.integer(below: 8))
        case 1: bytes[at] = UInt8(truncatingIfNeeded: chance.next())
        case 2: bytes[at] = odd[chance.integer(below: odd.count)]
        case 3: bytes.removeLast(bytes.count - at)
        case 4:
            let end = min(bytes.count, at + 1 + chance.integer(below: 40))
            bytes.removeSubrange(at..<end)
        case 5:
            let end = min(bytes.count, at + 1 + chance.integer(below: 40))
            bytes.insert(contentsOf: bytes[at..<end], at: chance.integer(below: bytes.count))
        case 6, 7: replaceNumber(&bytes, from: at, &chance)
        case 8:
            let word = UInt64(
                truncatingIfNeeded: interesting[chance.integer(below: interesting.count)])
            for i in 0..<min(1 << chance.integer(below: 4), bytes.count - at) {
                bytes[at + i] = UInt8(truncatingIfNeeded: word >> (8 * UInt64(i)))
            }
        default:
            let other = corpus[chance.integer(below: corpus.count)]
            let cut = chance.integer(below: other.count + 1)
            bytes = Array(bytes[..<at]) + other[cut...]
        }
    }

    /// Puts another number where one is written in digits, at `start` or behind it.
    private static func replaceNumber(
        _ bytes: inout [UInt8], from start: Int, _ chance: inout RandomStream
    ) {
        let isDigit = { (byte: UInt8) in (48...57).contains(byte) }
        guard let first = bytes[start...].prefix(200).firstIndex(where: isDigit) else {
            bytes[start] = 48
            return
        }
        let end = bytes[first...].firstIndex { !isDigit($0) } ?? bytes.count
        let text = numbers[chance.integer(below: numbers.count)]
        bytes.replaceSubrange(first..<end, with: Array(text.utf8))
    }

    private static let odd: [UInt8] = [
        0, 1, 9, 10, 13, 32, 34, 35, 40, 41, 43, 44, 45, 46, 47, 48, 57, 58, 63, 64, 91, 92, 123,
        125,
        126, 127, 128, 255,
    ]
    private static let interesting: [Int64] = [
        0, 1, -1, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 1 << 24, 2_147_483_647,
        2_147_483_648, 4_294_967_295, 4_294_967_296, .max, .min,
    ]
    private static let numbers = [
        "", "0", "00", "1", "-1", "+1", "2", "7", "8", "12", "16", "24", "61", "80", "160", "212",
        "310",
        "508", "524", "100", "999", "1000", "4096", "4097", "65536", "99999", "100000", "100001",
        "999999",
        "1000000", "16777216", "2147483647", "2147483648", "4294967296", "999999999", "9999999999",
        "1099511627775", "1099511627776", "9223372036854775807", "9223372036854775808",
        "99999999999999999999999", "0.1", "1e308", "1e-308", "1e400", "1e-400", "-0", "0x10", "NaN",
        "inf",
        "1.7976931348623157e308", "0.000001", "0.0000001", "3.141592653589793238462643",
    ]
}
