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

    /// Four tables of 256: the remainder of a byte followed by 0, 1, 2 and 3 zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 4 << 8)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
            }
            tables[byte] = remainder
        }
        for slice in 1..<4 {
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
