import Series

/// The samples of a chunk in the forms that storing them takes.
struct ChunkField {
    /// Stands for a missing sample where there is no NULL. A raw sample of this value is not
    /// stored as such: no format that we read has one.
    static let missing = Int32.min

    let chunk: WaveformChunk
    /// Smallest and largest raw sample; nil where all are missing.
    private let extent: ClosedRange<Int32>?
    /// How many samples are not missing.
    private let present: Int
    /// Mean raw sample; nil where all are missing.
    private let mean: Double?
    /// CRC-32C over the raw samples as little-endian 32-bit integers, `missing` where missing.
    let checksum: UInt32

    init(_ chunk: WaveformChunk) {
        self.chunk = chunk
        let words = Self.words(chunk)
        var crc = CRC32C()
        crc.update(littleEndian: words)
        checksum = crc.value
        var (low, high) = (Int32.max, Int32.min)
        var (sum, count): (Int64, Int64) = (0, 0)
        for word in words {
            let isPresent = word != Self.missing
            low = min(low, isPresent ? word : Int32.max)
            high = max(high, word)
            sum += isPresent ? Int64(word) : 0
            count += isPresent ? 1 : 0
        }
        present = Int(count)
        precondition(
            present == chunk.samples.count(where: { $0 != nil }),
            "WaveformChunk: a raw sample of \(Self.missing)")
        extent = count > 0 ? low...high : nil
        mean = count > 0 ? Double(sum) / Double(count) : nil
    }

    private static func words(_ chunk: WaveformChunk) -> [Int32] {
        chunk.samples.map { $0 ?? missing }
    }

    /// How many samples are not missing; nil where none is.
    var presentCount: Int32? { present < chunk.samples.count ? Int32(present) : nil }

    /// Whether a sample needs more than 16 bits.
    var isWide: Bool {
        guard let extent else { return false }
        return extent.lowerBound < Int16.min || extent.upperBound > Int16.max
    }

    /// Smallest physical value; nil where all are missing.
    var physicalMinimum: Float? { physicalExtent.map { Float($0.lowerBound) } }
    /// Largest physical value; nil where all are missing.
    var physicalMaximum: Float? { physicalExtent.map { Float($0.upperBound) } }

    /// Mean physical value of the samples that are there; nil where all are missing.
    var physicalMean: Float? { mean.map { Float(($0 - chunk.baseline) / chunk.gain) } }

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
        let isWide = isWide
        let head: [Int32] = [1, hasMissing ? 1 : 0, isWide ? 23 : 21, Int32(samples.count), 1]
        // An element of two bytes is written as eight, of which the next one covers the last two.
        let capacity = head.count * 4 + samples.count * 8 + 8
        return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { bytes, count in
            let start = UnsafeMutableRawBufferPointer(bytes)
            var place = 0
            for word in head {
                unsafe start.storeBytes(of: word.bigEndian, toByteOffset: place, as: Int32.self)
                place += 4
            }
            for sample in samples {
                guard let sample else {
                    unsafe start.storeBytes(of: -1, toByteOffset: place, as: Int32.self)
                    place += 4
                    continue
                }
                let length: UInt64 = isWide ? 4 : 2
                let value = isWide ? UInt32(bitPattern: sample) : UInt32(bitPattern: sample) << 16
                let element = (length << 32 | UInt64(value)).bigEndian
                unsafe start.storeBytes(of: element, toByteOffset: place, as: UInt64.self)
                place += 4 + Int(length)
            }
            count = place
        }
    }

    /// Passes on the samples as little-endian 32-bit integers, `missing` where missing.
    func withRawBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        let words = chunk.samples.map { ($0 ?? Self.missing).littleEndian }
        unsafe words.withUnsafeBytes { bytes in unsafe body(bytes) }
    }
}
