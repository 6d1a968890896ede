/// The sample formats that are read, by their WFDB numbers.
///
/// - Source: G. Moody, "WFDB Applications Guide", signal(5).
enum WFDBFormat: Int, CaseIterable, Sendable {
    /// First differences in one byte.
    case differences8 = 8
    case little16 = 16
    case little24 = 24
    case little32 = 32
    case big16 = 61
    /// One byte, offset by 128.
    case offset80 = 80
    /// Two bytes, offset by 32768.
    case offset160 = 160
    /// Two samples of 12 bits in three bytes.
    case packed212 = 212
    /// Three samples of 10 bits in four bytes, the third split over both halves.
    case packed310 = 310
    /// Three samples of 10 bits in four bytes, in order.
    case packed311 = 311

    /// The raw value that means "no sample": the lowest one of the width.
    var invalid: Int32? {
        switch self {
        case .differences8: nil
        case .offset80: -128
        case .packed310, .packed311: -512
        case .packed212: -2048
        case .little16, .big16, .offset160: -32_768
        case .little24: -8_388_608
        case .little32: .min
        }
    }

    /// How many whole samples `bytes` bytes hold.
    func sampleCount(bytes: Int) -> Int {
        switch self {
        case .differences8, .offset80: bytes
        case .little16, .big16, .offset160: bytes / 2
        case .little24: bytes / 3
        case .little32: bytes / 4
        case .packed212: bytes / 3 * 2 + (bytes % 3 == 2 ? 1 : 0)
        case .packed310: bytes / 4 * 3 + (bytes % 4 >= 2 ? 1 : 0)
        case .packed311: bytes / 4 * 3 + max(0, bytes % 4 - 1)
        }
    }

    /// Decodes the first `count` samples; differences stay differences.
    ///
    /// - Parameters:
    ///   - bytes: At least as many as `count` samples take.
    ///   - count: At most `sampleCount(bytes:)`.
    /// - Returns: `[count]`
    func decode(_ bytes: Span<UInt8>, count: Int) -> [Int32] {
        precondition(count <= sampleCount(bytes: bytes.count), "decode: \(count) samples")
        return [Int32](capacity: count) { out in
            switch self {
            case .differences8:
                for i in 0..<count { out.append(Int32(Int8(bitPattern: bytes[i]))) }
            case .offset80:
                for i in 0..<count { out.append(Int32(bytes[i]) - 128) }
            case .little16:
                for i in 0..<count { out.append(Self.signed16(bytes[2 * i], bytes[2 * i + 1])) }
            case .big16:
                for i in 0..<count { out.append(Self.signed16(bytes[2 * i + 1], bytes[2 * i])) }
            case .offset160:
                for i in 0..<count {
                    out.append(Int32(bytes[2 * i]) + Int32(bytes[2 * i + 1]) << 8 - 32_768)
                }
            case .little24:
                for i in 0..<count {
                    let low = UInt32(bytes[3 * i]) | UInt32(bytes[3 * i + 1]) << 8
                    out.append(Int32(bitPattern: (low | UInt32(bytes[3 * i + 2]) << 16) << 8) >> 8)
                }
            case .little32:
                for i in 0..<count {
                    let low = UInt32(bytes[4 * i]) | UInt32(bytes[4 * i + 1]) << 8
                    let high = UInt32(bytes[4 * i + 2]) | UInt32(bytes[4 * i + 3]) << 8
                    out.append(Int32(bitPattern: low | high << 16))
                }
            case .packed212: Self.decode212(bytes, count, &out)
            case .packed310: Self.decode310(bytes, count, &out)
            case .packed311: Self.decode311(bytes, count, &out)
            }
        }
    }

    @inline(__always)
    private static func signed16(_ low: UInt8, _ high: UInt8) -> Int32 {
        Int32(Int16(bitPattern: UInt16(low) | UInt16(high) << 8))
    }

    private static func decode212(
        _ bytes: Span<UInt8>, _ count: Int, _ out: inout OutputSpan<Int32>
    ) {
        func signed(_ low: UInt8, _ high: UInt8) -> Int32 {
            Int32(bitPattern: (UInt32(low) | UInt32(high) << 8) << 20) >> 20
        }
        for pair in 0..<count / 2 {
            let middle = bytes[3 * pair + 1]
            out.append(signed(bytes[3 * pair], middle & 0x0F))
            out.append(signed(bytes[3 * pair + 2], middle >> 4))
        }
        if count % 2 == 1 {
            let last = count / 2 * 3
            out.append(signed(bytes[last], bytes[last + 1] & 0x0F))
        }
    }

    private static func decode310(
        _ bytes: Span<UInt8>, _ count: Int, _ out: inout OutputSpan<Int32>
    ) {
        func word(_ i: Int) -> UInt32 { UInt32(bytes[i]) | UInt32(bytes[i + 1]) << 8 }
        for i in 0..<count {
            let base = i / 3 * 4
            switch i % 3 {
            case 0: out.append(signed10(word(base) >> 1))
            case 1: out.append(signed10(word(base + 2) >> 1))
            default: out.append(signed10(word(base) >> 11 | (word(base + 2) >> 11) << 5))
            }
        }
    }

    private static func decode311(
        _ bytes: Span<UInt8>, _ count: Int, _ out: inout OutputSpan<Int32>
    ) {
        for i in 0..<count {
            // Bits 10·k to 10·k+9 of the group lie in the bytes k and k + 1.
            let k = i % 3
            let base = i / 3 * 4 + k
            let pair = UInt32(bytes[base]) | UInt32(bytes[base + 1]) << 8
            out.append(signed10(pair >> (2 * UInt32(k))))
        }
    }

    @inline(__always)
    private static func signed10(_ bits: UInt32) -> Int32 { Int32(bitPattern: bits << 22) >> 22 }
}
