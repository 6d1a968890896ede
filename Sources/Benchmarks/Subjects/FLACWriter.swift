/// Writes FLAC streams: blocks with the second differences of every channel in Rice's code, which a
/// decoder takes about as long over as over those of the usual encoder.
///
/// - Source: RFC 9639, "Free Lossless Audio Codec (FLAC)", 2024.
enum FLACWriter {
    static let blockCount = 4096

    /// - Parameters:
    ///   - channels: One to eight, of one length.
    ///   - bits: Of a sample, 4 to 32.
    ///   - rate: Samples per second.
    /// - Returns: The stream.
    static func stream(_ channels: [[Int32]], bits: Int, rate: Int) -> [UInt8] {
        let count = channels[0].count
        var head = BitWriter()
        for byte in "fLaC".utf8 { head.put(UInt64(byte), 8) }
        head.put(0x80, 8)  // The last block of metadata: STREAMINFO, of 34 bytes.
        head.put(34, 24)
        head.put(UInt64(blockCount), 16)
        head.put(UInt64(blockCount), 16)
        head.put(0, 48)  // Sizes of frames that are not told.
        head.put(UInt64(rate), 20)
        head.put(UInt64(channels.count - 1), 3)
        head.put(UInt64(bits - 1), 5)
        head.put(UInt64(count), 36)
        for _ in 0..<16 { head.put(0, 8) }  // A digest that is not told.
        var bytes = head.bytes
        for (number, first) in stride(from: 0, to: count, by: blockCount).enumerated() {
            let block = first..<min(count, first + blockCount)
            bytes += frame(channels.map { $0[block] }, number: number, bits: bits)
        }
        return bytes
    }

    private static func frame(
        _ channels: [ArraySlice<Int32>], number: Int, bits: Int
    ) -> [UInt8] {
        precondition(number < 128, "FLACWriter: frame \(number)")
        var frame = BitWriter()
        frame.put(0xFFF8, 16)
        frame.put(0x70, 8)  // A length of 16 bits below; the rate as in the head.
        frame.put(UInt64(channels.count - 1) << 4, 8)
        frame.put(UInt64(number), 8)
        frame.put(UInt64(channels[0].count - 1), 16)
        frame.put(remainder(frame.bytes, polynomial: 0x07, width: 8), 8)
        for channel in channels {
            let values = Array(channel)
            let order = min(2, values.count)
            frame.put(0b0001_0000 | UInt64(order) << 1, 8)
            for value in values.prefix(order) {
                frame.put(UInt64(truncatingIfNeeded: value) & (1 << bits - 1), bits)
            }
            let folded = (order..<values.count).map { i -> UInt64 in
                let difference: Int64 =
                    Int64(values[i]) - 2 * Int64(values[i - 1]) + Int64(values[i - 2])
                return UInt64(bitPattern: (difference << 1) ^ (difference >> 63))
            }
            let mean = folded.reduce(0, +) / UInt64(max(1, folded.count))
            let parameter = min(14, max(0, 63 - (mean | 1).leadingZeroBitCount))
            frame.put(0, 6)  // Parameters of four bits, one partition.
            frame.put(UInt64(parameter), 4)
            for value in folded {
                for _ in 0..<value >> parameter { frame.put(0, 1) }
                frame.put(1, 1)
                frame.put(value & (1 << parameter - 1), parameter)
            }
        }
        frame.align()
        frame.put(remainder(frame.bytes, polynomial: 0x8005, width: 16), 16)
        return frame.bytes
    }

    /// A cyclic redundancy check of 8 or 16 bits.
    private static func remainder(
        _ bytes: [UInt8], polynomial: UInt64, width: Int
    ) -> UInt64 {
        let top = UInt64(1) << (width - 1)
        return bytes.reduce(0) { sum, byte in
            var sum = sum ^ UInt64(byte) << (width - 8)
            for _ in 0..<8 {
                sum = (sum & top == 0 ? sum << 1 : sum << 1 ^ polynomial) & (top << 1 - 1)
            }
            return sum
        }
    }
}

/// Bits one after the other, the highest of each number first.
private struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var free = 0

    mutating func put(_ value: UInt64, _ count: Int) {
        for place in stride(from: count - 1, through: 0, by: -1) {
            if free == 0 {
                bytes.append(0)
                free = 8
            }
            free -= 1
            bytes[bytes.count - 1] |= UInt8(value >> place & 1) << free
        }
    }

    /// Zeros up to the next byte.
    mutating func align() { free = 0 }
}
