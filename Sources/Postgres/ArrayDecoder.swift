import CLibPQ

/// Reads one-dimensional arrays in both formats; nil for NULL elements and other shapes.
enum ArrayDecoder {
    static func floats(_ bytes: Span<UInt8>, _ type: CellType) -> [Float]? {
        switch type.oid {
        case TypeID.float4Array:
            elements(bytes, type, TypeID.float4) { element, type in
                if type.isBinary {
                    return element.count == 4
                        ? Float(bitPattern: UInt32(element.bigEndian)) : nil
                }
                return Float(CellDecoder.string(element))
            }
        case TypeID.float8Array:
            elements(bytes, type, TypeID.float8) { element, type in
                CellDecoder.double(element, type).map { Float($0) }
            }
        default: nil
        }
    }

    static func doubles(_ bytes: Span<UInt8>, _ type: CellType) -> [Double]? {
        switch type.oid {
        case TypeID.float8Array: elements(bytes, type, TypeID.float8, CellDecoder.double)
        case TypeID.float4Array: elements(bytes, type, TypeID.float4, CellDecoder.double)
        default: nil
        }
    }

    static func int64s(_ bytes: Span<UInt8>, _ type: CellType) -> [Int64]? {
        switch type.oid {
        case TypeID.int8Array: elements(bytes, type, TypeID.int8, CellDecoder.int64)
        case TypeID.int4Array: elements(bytes, type, TypeID.int4, CellDecoder.int64)
        case TypeID.int2Array: elements(bytes, type, TypeID.int2, CellDecoder.int64)
        default: nil
        }
    }

    static func int32s(_ bytes: Span<UInt8>, _ type: CellType) -> [Int32]? {
        switch type.oid {
        case TypeID.int4Array: elements(bytes, type, TypeID.int4, narrow)
        case TypeID.int2Array: elements(bytes, type, TypeID.int2, narrow)
        default: nil
        }
    }

    static func int16s(_ bytes: Span<UInt8>, _ type: CellType) -> [Int16]? {
        guard type.oid == TypeID.int2Array else { return nil }
        return elements(bytes, type, TypeID.int2, narrow)
    }

    static func texts(_ bytes: Span<UInt8>, _ type: CellType) -> [String]? {
        switch type.oid {
        case TypeID.textArray: elements(bytes, type, TypeID.text, CellDecoder.text)
        case TypeID.varcharArray: elements(bytes, type, TypeID.varchar, CellDecoder.text)
        case TypeID.nameArray: elements(bytes, type, TypeID.name, CellDecoder.text)
        default: nil
        }
    }

    private static func narrow<T: FixedWidthInteger>(
        _ bytes: Span<UInt8>, _ type: CellType
    ) -> T? {
        CellDecoder.int64(bytes, type).flatMap { T(exactly: $0) }
    }

    private static func elements<T>(
        _ bytes: Span<UInt8>, _ type: CellType, _ element: Oid,
        _ decode: (Span<UInt8>, CellType) -> T?
    ) -> [T]? {
        let elementType = CellType(oid: element, isBinary: type.isBinary)
        return type.isBinary
            ? binaryElements(bytes, elementType, decode) : textElements(bytes, elementType, decode)
    }

    // MARK: - The two layouts

    /// Dimensions, NULL flag, element type, then (size, lower bound), then (length, bytes) each.
    private static func binaryElements<T>(
        _ bytes: Span<UInt8>, _ type: CellType, _ decode: (Span<UInt8>, CellType) -> T?
    ) -> [T]? {
        guard bytes.count >= 12 else { return nil }
        let dimensions = bytes.extracting(0..<4).bigEndian
        if dimensions == 0 { return [] }
        guard dimensions == 1, bytes.count >= 20 else { return nil }
        let count = Int(bytes.extracting(12..<16).bigEndian)
        guard count <= (bytes.count - 20) / 4 else { return nil }
        var values: [T] = []
        values.reserveCapacity(count)
        var index = 20
        for _ in 0..<count {
            guard index + 4 <= bytes.count else { return nil }
            let length = Int(bytes.extracting(index..<index + 4).bigEndian)
            index += 4
            // A NULL is the length -1, which is beyond the end when read without a sign.
            guard index + length <= bytes.count,
                let value = decode(bytes.extracting(index..<index + length), type)
            else { return nil }
            values.append(value)
            index += length
        }
        return index == bytes.count ? values : nil
    }

    /// `{1,2.5,"quo\"ted"}`.
    private static func textElements<T>(
        _ bytes: Span<UInt8>, _ type: CellType, _ decode: (Span<UInt8>, CellType) -> T?
    ) -> [T]? {
        guard bytes.count >= 2, bytes[0] == UInt8(ascii: "{"),
            bytes[bytes.count - 1] == UInt8(ascii: "}")
        else { return nil }
        var values: [T] = []
        var index = 1
        let end = bytes.count - 1
        while index < end {
            let value: T?
            if bytes[index] == UInt8(ascii: "\"") {
                guard let unquoted = unquote(bytes, &index, end) else { return nil }
                value = decode(unquoted.span, type)
            } else {
                let start = index
                while index < end, bytes[index] != UInt8(ascii: ",") {
                    // An inner brace would be a second dimension.
                    guard bytes[index] != UInt8(ascii: "{") else { return nil }
                    index += 1
                }
                let element = bytes.extracting(start..<index)
                guard !isNull(element) else { return nil }
                value = decode(element, type)
            }
            guard let value else { return nil }
            values.append(value)
            if index < end {
                guard bytes[index] == UInt8(ascii: ",") else { return nil }
                index += 1
            }
        }
        return values
    }

    private static func isNull(_ element: Span<UInt8>) -> Bool {
        guard element.count == 4 else { return false }
        return element.bigEndian == 0x4E55_4C4C  // "NULL"
    }

    /// Leaves `index` behind the closing quote.
    private static func unquote(_ bytes: Span<UInt8>, _ index: inout Int, _ end: Int) -> [UInt8]? {
        var text: [UInt8] = []
        index += 1
        while index < end {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                return text
            case UInt8(ascii: "\\"):
                guard index + 1 < end else { return nil }
                text.append(bytes[index + 1])
                index += 2
            default:
                text.append(bytes[index])
                index += 1
            }
        }
        return nil
    }
}
