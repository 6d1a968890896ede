internal import Foundation

extension Checkpoint {
    /// The longest header that is read, in bytes.
    package static let headerBytesMaximum = 16 << 20

    /// This checkpoint as a safetensors file; the same checkpoint always gives the same bytes.
    ///
    /// Wide numbers come first, so that every tensor lies aligned.
    package func encoded() -> [UInt8] {
        let order = tensors.sorted { a, b in
            let (wideA, wideB) = (a.value.values.elementBytes, b.value.values.elementBytes)
            return wideA == wideB ? a.key < b.key : wideA > wideB
        }
        var fields: [String: HeaderField] = [:]
        var offset = 0
        for (name, entry) in order {
            let end = offset + entry.values.count * entry.values.elementBytes
            fields[name] = .tensor(
                HeaderTensor(
                    dtype: entry.values.typeName, shape: entry.shape, offsets: [offset, end]))
            offset = end
        }
        if !metadata.isEmpty { fields[HeaderField.metadataKey] = .metadata(metadata) }
        var header = HeaderField.encoded(fields)
        header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + header.count + offset)
        bytes.appendLittleEndian(UInt64(header.count))
        bytes += header
        for (_, entry) in order { entry.values.append(to: &bytes) }
        return bytes
    }

    /// Reads a safetensors file with tensors of F32, F64 and I64.
    ///
    /// - Throws: `CheckpointError`; the bytes may be anything at all.
    package init(decoding bytes: [UInt8]) throws(CheckpointError) {
        guard bytes.count >= 8 else { throw .truncated }
        let headerCount = bytes.littleEndian(at: 0, as: UInt64.self)
        guard headerCount <= UInt64(Self.headerBytesMaximum) else { throw .header }
        let dataStart = 8 + Int(headerCount)
        guard bytes.count >= dataStart else { throw .truncated }
        let fields = try HeaderField.decoded(bytes[8..<dataStart])
        var places: [(name: String, tensor: HeaderTensor)] = []
        var metadata: [String: String] = [:]
        for (name, field) in fields {
            switch field {
            case .tensor(let tensor): places.append((name, tensor))
            case .metadata(let texts) where name == HeaderField.metadataKey: metadata = texts
            case .metadata: throw .header
            }
        }
        var tensors: [String: Entry] = [:]
        var position = 0
        places.sort { a, b in
            a.tensor.offsets == b.tensor.offsets
                ? a.name < b.name : a.tensor.offsets.lexicographicallyPrecedes(b.tensor.offsets)
        }
        for (name, tensor) in places {
            let range = try tensor.range(named: name, from: position)
            guard dataStart + range.upperBound <= bytes.count else { throw .truncated }
            let values = try Values(
                tensor, named: name,
                bytes[dataStart + range.lowerBound..<dataStart + range.upperBound])
            tensors[name] = Entry(shape: tensor.shape, values: values)
            position = range.upperBound
        }
        guard bytes.count == dataStart + position else { throw .surplus }
        self.init(tensors: tensors, metadata: metadata)
    }
}

/// Where one tensor lies in a file, spelled as the format spells it.
private struct HeaderTensor: Codable {
    let dtype: String
    let shape: [Int]
    let offsets: [Int]

    private enum CodingKeys: String, CodingKey {
        case dtype, shape
        case offsets = "data_offsets"
    }

    /// The bytes of this tensor, which must start at `position` and fit its shape.
    func range(named name: String, from position: Int) throws(CheckpointError) -> Range<Int> {
        guard let width = ["F32": 4, "F64": 8, "I64": 8][dtype] else {
            throw .type(tensor: name, found: dtype)
        }
        var count = width
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow else { throw .layout(tensor: name) }
            count = product
        }
        guard offsets.count == 2, offsets[0] == position,
            offsets[1].subtractingReportingOverflow(position) == (count, false)
        else { throw .layout(tensor: name) }
        return position..<position + count
    }
}

/// One member of the JSON header: a tensor, or the free texts.
private enum HeaderField: Codable {
    case tensor(HeaderTensor)
    case metadata([String: String])

    static let metadataKey = "__metadata__"

    init(from decoder: any Decoder) throws {
        if decoder.codingPath.last?.stringValue == Self.metadataKey {
            self = .metadata(try [String: String](from: decoder))
        } else {
            self = .tensor(try HeaderTensor(from: decoder))
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .tensor(let tensor): try tensor.encode(to: encoder)
        case .metadata(let texts): try texts.encode(to: encoder)
        }
    }

    static func encoded(_ fields: [String: HeaderField]) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(fields) else {  // Texts and integers always encode.
            preconditionFailure("Checkpoint: a header that JSON cannot express")
        }
        return [UInt8](data)
    }

    static func decoded(_ bytes: ArraySlice<UInt8>) throws(CheckpointError) -> [String: HeaderField]
    {
        do {
            return try JSONDecoder().decode([String: HeaderField].self, from: Data(bytes))
        } catch {
            throw .header
        }
    }
}

extension Checkpoint.Values {
    fileprivate var typeName: String {
        switch self {
        case .float: "F32"
        case .double: "F64"
        case .integer: "I64"
        }
    }

    fileprivate var elementBytes: Int {
        switch self {
        case .float: 4
        case .double, .integer: 8
        }
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        switch self {
        case .float(let values): for v in values { bytes.appendLittleEndian(v.bitPattern) }
        case .double(let values): for v in values { bytes.appendLittleEndian(v.bitPattern) }
        case .integer(let values):
            for v in values { bytes.appendLittleEndian(UInt64(bitPattern: v)) }
        }
    }

    fileprivate init(_ tensor: HeaderTensor, named name: String, _ bytes: ArraySlice<UInt8>)
        throws(CheckpointError)
    {
        let start = bytes.startIndex
        switch tensor.dtype {
        case "F32":
            self = .float(
                (0..<bytes.count / 4).map {
                    Float(bitPattern: bytes.littleEndian(at: start + 4 * $0, as: UInt32.self))
                })
        case "F64":
            self = .double(
                (0..<bytes.count / 8).map {
                    Double(bitPattern: bytes.littleEndian(at: start + 8 * $0, as: UInt64.self))
                })
        case "I64":
            self = .integer(
                (0..<bytes.count / 8).map {
                    Int64(bitPattern: bytes.littleEndian(at: start + 8 * $0, as: UInt64.self))
                })
        default: throw .type(tensor: name, found: tensor.dtype)
        }
    }
}

extension Array<UInt8> {
    fileprivate mutating func appendLittleEndian<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: 0, to: T.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    fileprivate func littleEndian<T: FixedWidthInteger>(at index: Int, as: T.Type) -> T {
        self[index...].littleEndian(at: index, as: T.self)
    }
}

extension ArraySlice<UInt8> {
    fileprivate func littleEndian<T: FixedWidthInteger>(at index: Int, as: T.Type) -> T {
        var value: T = 0
        for k in 0..<T.bitWidth / 8 {
            value |= T(truncatingIfNeeded: self[index + k]) << T(8 * k)
        }
        return value
    }
}
