import Crypto

/// CRC-32C (Castagnoli), eight bytes at a time.
///
/// - Source: RFC 3720, appendix B.4; the slicing is Kounavis and Berry, 2005.
struct CRC32C {
    private var remainder: UInt32 = 0xFFFF_FFFF

    /// The checksum of everything taken in so far.
    var value: UInt32 { ~remainder }

    /// Takes in four bytes, least significant first.
    mutating func update(littleEndian word: UInt32) {
        let x = remainder ^ word
        remainder =
            Self.tables[3 << 8 | Int(x & 0xFF)] ^ Self.tables[2 << 8 | Int(x >> 8 & 0xFF)]
            ^ Self.tables[1 << 8 | Int(x >> 16 & 0xFF)] ^ Self.tables[Int(x >> 24)]
    }

    /// Takes in words of four bytes, the least significant byte of each first.
    mutating func update(littleEndian words: [Int32]) {
        var remainder = remainder
        // Every index is below eight times 256, the length of the tables.
        unsafe Self.tables.withUnsafeBufferPointer { tables in
            var index = 0
            while index + 1 < words.count {
                let a = remainder ^ UInt32(bitPattern: words[index])
                let b = UInt32(bitPattern: words[index + 1])
                let first =
                    unsafe tables[7 << 8 | Int(a & 0xFF)] ^ tables[6 << 8 | Int(a >> 8 & 0xFF)]
                    ^ tables[5 << 8 | Int(a >> 16 & 0xFF)] ^ tables[4 << 8 | Int(a >> 24)]
                let second =
                    unsafe tables[3 << 8 | Int(b & 0xFF)] ^ tables[2 << 8 | Int(b >> 8 & 0xFF)]
                    ^ tables[1 << 8 | Int(b >> 16 & 0xFF)] ^ tables[Int(b >> 24)]
                remainder = first ^ second
                index += 2
            }
        }
        self.remainder = remainder
        if words.count % 2 == 1, let last = words.last {
            update(littleEndian: UInt32(bitPattern: last))
        }
    }

    /// Eight tables of 256: the remainder of a byte followed by 0 to 7 zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 << 8)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
            }
            tables[byte] = remainder
        }
        for slice in 1..<8 {
            for byte in 0..<256 {
                let before = tables[(slice - 1) << 8 | byte]
                tables[slice << 8 | byte] = before >> 8 ^ tables[Int(before & 0xFF)]
            }
        }
        return tables
    }()
}

/// The SHA-256 of `bytes`.
package func digest(of bytes: [UInt8]) -> [UInt8] {
    Array(SHA256.hash(data: bytes))
}
