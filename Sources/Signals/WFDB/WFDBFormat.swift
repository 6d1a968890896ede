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
    /// FLAC of 8, 16 and 24 bits.
    case flac8 = 508
    case flac16 = 516
    case flac24 = 524

    /// Whether the file is a FLAC stream, with a channel a signal.
    var isFLAC: Bool { rawValue > 500 }

    /// The raw value that means "no sample": the lowest one of the width.
    var invalid: Int32? {
        switch self {
        case .differences8: nil
        case .offset80, .flac8: -128
        case .packed310, .packed311: -512
        case .packed212: -2048
        case .little16, .big16, .offset160, .flac16: -32_768
        case .little24, .flac24: -8_388_608
        case .little32: .min
        }
    }

    /// How many whole samples `bytes` bytes hold; 0 for a FLAC stream, whose bytes do not tell.
    func sampleCount(bytes: Int) -> Int {
        switch self {
        case .flac8, .flac16, .flac24: 0
        case .differences8, .offset80: bytes
        case .little16, .big16, .offset160: bytes / 2
        case .little24: bytes / 3
        case .little32: bytes / 4
        case .packed212: bytes / 3 * 2 + (bytes % 3 == 2 ? 1 : 0)
        case .packed310: bytes / 4 * 3 + (bytes % 4 >= 2 ? 1 : 0)
        case .packed311: bytes / 4 * 3 + max(0, bytes % 4 - 1)
        }
    }

    /// Samples that end on a byte in every format.
    static let wholeSamples = 12

    /// How many bytes `count` samples take, a multiple of `wholeSamples`.
    func byteCount(samples count: Int) -> Int {
        switch self {
        case .flac8, .flac16, .flac24: 0
        case .differences8, .offset80: count
        case .little16, .big16, .offset160: count * 2
        case .little24: count * 3
        case .little32: count * 4
        case .packed212: count / 2 * 3
        case .packed310, .packed311: count / 3 * 4
        }
    }

    /// Decodes the first `count` samples; differences stay differences. Not for FLAC.
    ///
    /// - Parameters:
    ///   - bytes: At least as many as `count` samples take.
    ///   - count: At most `sampleCount(bytes:)`.
    ///   - out: Takes `count` samples.
    func decode(_ bytes: Span<UInt8>, count: Int, into out: inout MutableSpan<Int32>) {
        precondition(
            count <= sampleCount(bytes: bytes.count) && count <= out.count,
            "decode: \(count) samples")
        switch self {
        case .flac8, .flac16, .flac24: break
        case .differences8:
            for i in 0..<count { out[at: i] = Int32(Int8(bitPattern: bytes[at: i])) }
        case .offset80:
            for i in 0..<count { out[at: i] = Int32(bytes[at: i]) - 128 }
        case .little16:
            for i in 0..<count { out[at: i] = bytes.word16(at: 2 * i) }
        case .big16:
            for i in 0..<count {
                let bits = UInt16(bytes[at: 2 * i]) << 8 | UInt16(bytes[at: 2 * i + 1])
                out[at: i] = Int32(Int16(bitPattern: bits))
            }
        case .offset160:
            for i in 0..<count {
                out[at: i] = Int32(UInt16(truncatingIfNeeded: bytes.word16(at: 2 * i))) - 32_768
            }
        case .little24:
            for i in 0..<count {
                let low = UInt32(bytes[at: 3 * i]) << 8 | UInt32(bytes[at: 3 * i + 1]) << 16
                out[at: i] = Int32(bitPattern: low | UInt32(bytes[at: 3 * i + 2]) << 24) >> 8
            }
        case .little32:
            for i in 0..<count {
                let low = UInt32(truncatingIfNeeded: bytes.word16(at: 4 * i)) & 0xFFFF
                let high = UInt32(truncatingIfNeeded: bytes.word16(at: 4 * i + 2)) << 16
                out[at: i] = Int32(bitPattern: low | high)
            }
        case .packed212: Self.decode212(bytes, count, &out)
        case .packed310: Self.decode310(bytes, count, &out)
        case .packed311: Self.decode311(bytes, count, &out)
        }
    }

    private static func decode212(
        _ bytes: Span<UInt8>, _ count: Int, _ out: inout MutableSpan<Int32>
    ) {
        func signed(_ low: UInt8, _ high: UInt8) -> Int32 {
            Int32(bitPattern: (UInt32(low) | UInt32(high) << 8) << 20) >> 20
        }
        // Four samples lie in six bytes; eight are read at once as long as there are so many.
        let quads = bytes.count < 8 ? 0 : min(count / 4, (bytes.count - 8) / 6 + 1)
        for quad in 0..<quads {
            let bits = bytes.word64(at: 6 * quad)
            for (place, pair) in [(0, bits), (2, bits >> 24)] {
                let low = UInt32(truncatingIfNeeded: pair)
                out[at: 4 * quad + place] = Int32(bitPattern: low << 20) >> 20
                let swapped = (low >> 16) & 0xFF | (low >> 4) & 0xF00
                out[at: 4 * quad + place + 1] = Int32(bitPattern: swapped << 20) >> 20
            }
        }
        for pair in 2 * quads..<count / 2 {
            let middle = bytes[at: 3 * pair + 1]
            out[at: 2 * pair] = signed(bytes[at: 3 * pair], middle & 0x0F)
            out[at: 2 * pair + 1] = signed(bytes[at: 3 * pair + 2], middle >> 4)
        }
        if count % 2 == 1 {
            let last = count / 2 * 3
            out[at: count - 1] = signed(bytes[at: last], bytes[at: last + 1] & 0x0F)
        }
    }

    private static func decode310(
        _ bytes: Span<UInt8>, _ count: Int, _ out: inout MutableSpan<Int32>
    ) {
        for i in 0..<count {
            let base = i / 3 * 4
            let low = UInt32(bitPattern: bytes.word16(at: base)) & 0xFFFF
            guard i % 3 != 0 else {
                out[at: i] = signed10(low >> 1)
                continue
            }
            let high = UInt32(bitPattern: bytes.word16(at: base + 2)) & 0xFFFF
            out[at: i] = signed10(i % 3 == 1 ? high >> 1 : low >> 11 | (high >> 11) << 5)
        }
    }

    private static func decode311(
        _ bytes: Span<UInt8>, _ count: Int, _ out: inout MutableSpan<Int32>
    ) {
        for i in 0..<count {
            // Bits 10·k to 10·k+9 of the group lie in the bytes k and k + 1.
            let k = i % 3
            let pair = UInt32(bitPattern: bytes.word16(at: i / 3 * 4 + k)) & 0xFFFF
            out[at: i] = signed10(pair >> (2 * UInt32(k)))
        }
    }

    @inline(__always)
    private static func signed10(_ bits: UInt32) -> Int32 { Int32(bitPattern: bits << 22) >> 22 }
}

// No checks of their own: `decode` has checked the whole.

extension Span<UInt8> {
    @inline(__always)
    fileprivate subscript(at index: Int) -> UInt8 { unsafe self[unchecked: index] }

    /// Eight bytes as a number, the lowest one first.
    @inline(__always)
    fileprivate func word64(at index: Int) -> UInt64 {
        UInt64(
            littleEndian: unsafe bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index, as: UInt64.self))
    }

    /// Two bytes as a signed number, the low one first.
    @inline(__always)
    fileprivate func word16(at index: Int) -> Int32 {
        Int32(Int16(bitPattern: UInt16(self[at: index]) | UInt16(self[at: index &+ 1]) << 8))
    }
}

extension MutableSpan<Int32> {
    @inline(__always)
    fileprivate subscript(at index: Int) -> Int32 {
        get { unsafe self[unchecked: index] }
        set { unsafe self[unchecked: index] = newValue }
    }
}
