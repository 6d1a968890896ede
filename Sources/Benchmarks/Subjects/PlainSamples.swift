import Foundation

/// The least that reading samples takes: no header, no channels, no checks, one loop.
enum PlainSamples {
    /// Format 16 and EDF: two bytes a sample, the low one first.
    static func words(_ path: String, from offset: Int) throws -> [Int32] {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        var samples = [Int32](repeating: 0, count: (bytes.count - offset) / 2)
        for index in samples.indices {
            let place = offset + 2 * index
            let word = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
            samples[index] = Int32(Int16(bitPattern: word))
        }
        return samples
    }

    /// Format 212: two samples of twelve bits in three bytes.
    static func pairs(_ path: String) throws -> [Int32] {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        var samples = [Int32](repeating: 0, count: bytes.count / 3 * 2)
        for index in 0..<bytes.count / 3 {
            let (a, b, c) = (bytes[3 * index], bytes[3 * index + 1], bytes[3 * index + 2])
            // Up to the top and back down, so that the sign comes along.
            let first = (UInt32(a) | UInt32(b & 15) << 8) << 20
            let second = (UInt32(c) | UInt32(b >> 4) << 8) << 20
            samples[2 * index] = Int32(bitPattern: first) >> 20
            samples[2 * index + 1] = Int32(bitPattern: second) >> 20
        }
        return samples
    }
}
