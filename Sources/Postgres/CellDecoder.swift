import CLibPQ

/// Reads single values in both formats; nil where the type does not fit or the bytes are malformed.
enum CellDecoder {
    static func text(_ bytes: Span<UInt8>, _ type: CellType) -> String? {
        guard type.isBinary else { return string(bytes) }
        switch type.oid {
        case TypeID.text, TypeID.varchar, TypeID.bpchar, TypeID.name, TypeID.json:
            return string(bytes)
        case TypeID.jsonb:
            // A version byte, then the text.
            guard bytes.count > 0, bytes[0] == 1 else { return nil }
            return string(bytes.extracting(1...))
        default: return nil
        }
    }

    static func int64(_ bytes: Span<UInt8>, _ type: CellType) -> Int64? {
        switch type.oid {
        case TypeID.int2, TypeID.int4, TypeID.int8, TypeID.oid, TypeID.xid8: break
        default: return nil
        }
        guard type.isBinary else { return integer(bytes) }
        switch (type.oid, bytes.count) {
        case (TypeID.int2, 2): return Int64(Int16(truncatingIfNeeded: bytes.bigEndian))
        case (TypeID.int4, 4): return Int64(Int32(truncatingIfNeeded: bytes.bigEndian))
        case (TypeID.oid, 4): return Int64(bytes.bigEndian)
        case (TypeID.int8, 8): return Int64(bitPattern: bytes.bigEndian)
        case (TypeID.xid8, 8): return Int64(exactly: bytes.bigEndian)
        default: return nil
        }
    }

    static func double(_ bytes: Span<UInt8>, _ type: CellType) -> Double? {
        switch type.oid {
        case TypeID.float8:
            guard type.isBinary else { return Double(string(bytes)) }
            guard bytes.count == 8 else { return nil }
            return Double(bitPattern: bytes.bigEndian)
        case TypeID.float4:
            guard type.isBinary else { return Double(string(bytes)) }
            guard bytes.count == 4 else { return nil }
            return Double(Float(bitPattern: UInt32(bytes.bigEndian)))
        case TypeID.numeric:
            return type.isBinary ? nil : Double(string(bytes))
        case TypeID.int2, TypeID.int4, TypeID.int8:
            return int64(bytes, type).map { Double($0) }
        default: return nil
        }
    }

    static func bool(_ bytes: Span<UInt8>, _ type: CellType) -> Bool? {
        guard type.oid == TypeID.bool, bytes.count == 1 else { return nil }
        return type.isBinary ? bytes[0] != 0 : bytes[0] == UInt8(ascii: "t")
    }

    /// `bytea`: raw, or `\x` and two hexadecimal digits a byte.
    static func bytes(_ bytes: Span<UInt8>, _ type: CellType) -> [UInt8]? {
        guard type.oid == TypeID.bytea else { return nil }
        if type.isBinary {
            return unsafe [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
                for index in bytes.indices { unsafe target[index] = bytes[index] }
                count = bytes.count
            }
        }
        guard bytes.count >= 2, bytes.count.isMultiple(of: 2), bytes[0] == UInt8(ascii: "\\"),
            bytes[1] == UInt8(ascii: "x")
        else { return nil }
        var values: [UInt8] = []
        values.reserveCapacity(bytes.count / 2 - 1)
        for index in stride(from: 2, to: bytes.count, by: 2) {
            guard let high = nibble(bytes[index]), let low = nibble(bytes[index + 1])
            else { return nil }
            values.append(high << 4 | low)
        }
        return values
    }

    /// Both time types are sent as microseconds since 2000-01-01, or as ISO text in our session.
    static func epochMicroseconds(_ bytes: Span<UInt8>, _ type: CellType) -> Int64? {
        guard type.oid == TypeID.timestamptz || type.oid == TypeID.timestamp else { return nil }
        guard type.isBinary else { return TimestampText.epochMicroseconds(bytes) }
        guard bytes.count == 8 else { return nil }
        let value = Int64(bitPattern: bytes.bigEndian)
        // The two ends stand for ±infinity, which is no instant.
        guard value != .max, value != .min else { return nil }
        let (sum, isTooLate) = value.addingReportingOverflow(PostgresEpoch.microseconds)
        return isTooLate ? nil : sum
    }

    // MARK: - Parts

    static func string(_ bytes: Span<UInt8>) -> String {
        unsafe String(unsafeUninitializedCapacity: bytes.count) { target in
            for index in bytes.indices { unsafe target[index] = bytes[index] }
            return bytes.count
        }
    }

    static func integer(_ bytes: Span<UInt8>) -> Int64? {
        var index = 0
        var isNegative = false
        if bytes.count > 0, bytes[0] == UInt8(ascii: "-") {
            isNegative = true
            index = 1
        }
        guard index < bytes.count else { return nil }
        var value: Int64 = 0
        while index < bytes.count {
            guard (48...57).contains(bytes[index]) else { return nil }
            let digit = Int64(bytes[index] - 48)
            let (scaled, overflowed) = value.multipliedReportingOverflow(by: 10)
            // Downwards, since the lowest integer has no positive twin.
            let (sum, alsoOverflowed) = scaled.subtractingReportingOverflow(digit)
            guard !overflowed, !alsoOverflowed else { return nil }
            value = sum
            index += 1
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    private static func nibble(_ character: UInt8) -> UInt8? {
        switch character {
        case 48...57: character - 48
        case 97...102: character - 87
        case 65...70: character - 55
        default: nil
        }
    }
}

/// The zero of PostgreSQL's binary times.
enum PostgresEpoch {
    /// 2000-01-01T00:00:00Z in microseconds since 1970.
    static let microseconds: Int64 = 946_684_800_000_000
}

extension Span<UInt8> {
    /// Up to eight bytes as one number, the most significant first.
    var bigEndian: UInt64 {
        var value: UInt64 = 0
        for index in indices { value = value << 8 | UInt64(self[index]) }
        return value
    }
}
