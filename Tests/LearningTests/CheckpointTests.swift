import Learning
import Tensors
import Testing

@Suite struct CheckpointTests {
    static let sample = Checkpoint(
        tensors: [
            "a": .init(shape: [2, 2], values: .float([1, -2, .infinity, 0.5])),
            "b/c": .init(shape: [], values: .double([.pi])),
            "empty": .init(shape: [0, 3], values: .float([])),
            "n": .init(shape: [3], values: .integer([.min, 0, .max])),
        ],
        metadata: ["config": "{\"d\":64}", "note": "a \"quoted\" text / ü"])

    @Test func `what is written is read`() throws {
        let read = try Checkpoint(decoding: Self.sample.encoded())
        #expect(read == Self.sample)
        #expect(try Checkpoint(decoding: Checkpoint().encoded()) == Checkpoint())
    }

    @Test func `the same checkpoint gives the same bytes`() throws {
        let again = try Checkpoint(decoding: Self.sample.encoded())
        #expect(again.encoded() == Self.sample.encoded())
    }

    @Test func `a tensor is read in the precision that is asked for`() throws {
        let tensor = try Self.sample.tensor("a", of: Double.self)
        #expect(tensor == Tensor([2, 2], [1, -2, .infinity, 0.5]))
        #expect(try Self.sample.integers("n") == [.min, 0, .max])
        #expect(throws: CheckpointError.missing("b")) {
            try Self.sample.tensor("b", of: Float.self)
        }
        #expect(throws: CheckpointError.missing("a")) { try Self.sample.integers("a") }
    }

    struct Malformed: CustomTestStringConvertible, Sendable {
        let name: String
        let header: String
        var data: Int = 0
        let error: CheckpointError
        var testDescription: String { name }
    }

    @Test(arguments: [
        Malformed(name: "no JSON", header: "{", error: .header),
        Malformed(name: "an array", header: "[]", error: .header),
        Malformed(
            name: "metadata that is no text", header: #"{"__metadata__":{"a":1}}"#, error: .header),
        Malformed(
            name: "an unknown type",
            header: #"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}"#,
            data: 2, error: .type(tensor: "a", found: "F16")),
        Malformed(
            name: "a negative extent",
            header: #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
            data: 4, error: .layout(tensor: "a")),
        Malformed(
            name: "a size beyond 64 bits",
            header: #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#,
            data: 4, error: .layout(tensor: "a")),
        Malformed(
            name: "offsets that do not fit the shape",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
            data: 8, error: .layout(tensor: "a")),
        Malformed(
            name: "offsets that overflow",
            header:
                #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,-9223372036854775808]}}"#,
            data: 8, error: .layout(tensor: "a")),
        Malformed(
            name: "a hole before the data",
            header: #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            data: 8, error: .layout(tensor: "a")),
        Malformed(
            name: "two tensors on one place",
            header:
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            data: 4, error: .layout(tensor: "b")),
        Malformed(
            name: "too little data",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            data: 7, error: .truncated),
        Malformed(
            name: "too much data",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            data: 9, error: .surplus),
    ])
    func `malformed files are refused with their reason`(_ c: Malformed) {
        let header = [UInt8](c.header.utf8)
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes[0] = UInt8(header.count & 255)
        bytes[1] = UInt8(header.count >> 8)
        bytes += header + [UInt8](repeating: 0, count: c.data)
        #expect(throws: c.error) { try Checkpoint(decoding: bytes) }
    }

    @Test func `every cut of a file is refused`() {
        let bytes = Self.sample.encoded()
        for count in 0..<bytes.count {
            #expect(throws: CheckpointError.self) {
                try Checkpoint(decoding: Array(bytes[..<count]))
            }
        }
    }

    @Test func `a header length beyond the limit is refused before anything is read`() {
        let bytes = [UInt8](repeating: 255, count: 64)
        #expect(throws: CheckpointError.header) { try Checkpoint(decoding: bytes) }
    }
}
