import Series

/// The samples of a chunk in the forms that storing them takes.
struct ChunkField {
    /// Stands for a missing sample where there is no NULL. A raw sample of this value is not
    /// stored as such: no format that we read has one.
    static let missing = Int32.min

    let chunk: WaveformChunk
    /// Smallest and largest raw sample; nil where all are missing.
    private let extent: ClosedRange<Int32>?
    /// CRC-32C over the raw samples as little-endian 32-bit integers, `missing` where missing.
    let checksum: UInt32

    init(_ chunk: WaveformChunk) {
        self.chunk = chunk
        var crc = CRC32C()
        var (low, high) = (Int32.max, Int32.min)
        for sample in chunk.samples {
            crc.update(littleEndian: UInt32(bitPattern: sample ?? Self.missing))
            guard let sample else { continue }
            precondition(sample != Self.missing, "WaveformChunk: a raw sample of \(sample)")
            low = min(low, sample)
            high = max(high, sample)
        }
        extent = low <= high ? low...high : nil
        checksum = crc.value
    }

    /// Whether a sample needs more than 16 bits.
    var isWide: Bool {
        guard let extent else { return false }
        return extent.lowerBound < Int16.min || extent.upperBound > Int16.max
    }

    /// Smallest physical value; nil where all are missing.
    var physicalMinimum: Float? { physicalExtent.map { Float($0.lowerBound) } }
    /// Largest physical value; nil where all are missing.
    var physicalMaximum: Float? { physicalExtent.map { Float($0.upperBound) } }

    private var physicalExtent: ClosedRange<Double>? {
        guard let extent else { return nil }
        let a = (Double(extent.lowerBound) - chunk.baseline) / chunk.gain
        let b = (Double(extent.upperBound) - chunk.baseline) / chunk.gain
        return min(a, b)...max(a, b)
    }

    /// The samples as a `smallint[]`, or as an `integer[]` if one is wide, in the binary form of
    /// PostgreSQL: dimensions, NULL flag, element type, length, lower bound, then length and value
    /// of each element, length −1 for NULL.
    func arrayBytes() -> [UInt8] {
        let samples = chunk.samples
        let hasMissing = samples.contains(nil)
        let width: Int32 = isWide ? 4 : 2
        let elementType: Int32 = isWide ? 23 : 21
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + samples.count * Int(4 + width))
        for word in [1, hasMissing ? 1 : 0, elementType, Int32(samples.count), 1] {
            Self.put(word, into: &bytes)
        }
        for sample in samples {
            guard let sample else {
                Self.put(-1, into: &bytes)
                continue
            }
            if width == 4 {
                Self.put(4, into: &bytes)
                Self.put(sample, into: &bytes)
            } else {
                let value = UInt16(truncatingIfNeeded: sample)
                bytes.append(contentsOf: [
                    0, 0, 0, 2, UInt8(truncatingIfNeeded: value >> 8),
                    UInt8(truncatingIfNeeded: value),
                ])
            }
        }
        return bytes
    }

    /// The samples as little-endian 32-bit integers.
    func rawBytes() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(chunk.samples.count * 4)
        for sample in chunk.samples {
            let word = UInt32(bitPattern: sample ?? Self.missing)
            for shift: UInt32 in [0, 8, 16, 24] {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return bytes
    }

    private static func put(_ word: Int32, into bytes: inout [UInt8]) {
        for shift: Int32 in [24, 16, 8, 0] {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }
}
