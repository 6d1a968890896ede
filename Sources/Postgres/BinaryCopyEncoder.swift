/// Writes rows in the binary COPY format and passes them on in blocks.
///
/// The column's type decides the call: binary COPY converts nothing, so that a `real` column takes
/// a `Float` and a `bigint` column an `Int64`. Every row is `startRow(columns:)` and then exactly
/// that many `append`s; anything else traps.
///
/// - Source: PostgreSQL 15 documentation, COPY, "Binary Format".
package struct BinaryCopyEncoder: ~Copyable {
    private var buffer: [UInt8]
    private var columnsLeft = 0
    private let send: ([UInt8]) throws(PostgresError) -> Void

    /// A block is passed on once it is this long.
    static let blockBytes = 1 << 18

    /// Signature, flags, length of the header's extension.
    static let header: [UInt8] =
        Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [0, 0, 0, 0] + [0, 0, 0, 0]

    init(send: @escaping ([UInt8]) throws(PostgresError) -> Void) {
        self.send = send
        buffer = Self.header
        buffer.reserveCapacity(Self.blockBytes + (1 << 14))
    }

    /// Begins a row; the one before must be complete.
    package mutating func startRow(columns: Int) throws(PostgresError) {
        precondition(columnsLeft == 0, "BinaryCopyEncoder: \(columnsLeft) columns are missing")
        precondition(columns > 0 && columns < 1 << 15, "BinaryCopyEncoder: \(columns) columns")
        if buffer.count >= Self.blockBytes {
            try send(buffer)
            buffer.removeAll(keepingCapacity: true)
        }
        put(Int16(columns))
        columnsLeft = columns
    }

    /// NULL of any type.
    package mutating func appendNull() {
        takeColumn()
        put(Int32(-1))
    }

    /// `smallint`.
    package mutating func append(_ value: Int16) {
        startField(bytes: 2)
        put(value)
    }

    /// `integer`.
    package mutating func append(_ value: Int32) {
        startField(bytes: 4)
        put(value)
    }

    /// `bigint`.
    package mutating func append(_ value: Int64) {
        startField(bytes: 8)
        put(value)
    }

    /// `real`.
    package mutating func append(_ value: Float) {
        startField(bytes: 4)
        put(value.bitPattern)
    }

    /// `double precision`.
    package mutating func append(_ value: Double) {
        startField(bytes: 8)
        put(value.bitPattern)
    }

    /// `double precision`, NULL for nil.
    package mutating func append(_ value: Double?) {
        if let value { append(value) } else { appendNull() }
    }

    /// `bigint`, NULL for nil.
    package mutating func append(_ value: Int64?) {
        if let value { append(value) } else { appendNull() }
    }

    /// `text`, NULL for nil.
    package mutating func append(_ value: String?) {
        if let value { append(value) } else { appendNull() }
    }

    /// `boolean`.
    package mutating func append(_ value: Bool) {
        startField(bytes: 1)
        buffer.append(value ? 1 : 0)
    }

    /// `text`, `varchar` or `json`.
    package mutating func append(_ value: String) {
        startField(bytes: value.utf8.count)
        buffer.append(contentsOf: value.utf8)
    }

    /// `jsonb`.
    package mutating func append(jsonb value: String) {
        startField(bytes: value.utf8.count + 1)
        buffer.append(1)
        buffer.append(contentsOf: value.utf8)
    }

    /// `bytea`.
    package mutating func append(bytes value: [UInt8]) {
        startField(bytes: value.count)
        buffer.append(contentsOf: value)
    }

    /// `timestamptz`, given in microseconds since 1970.
    package mutating func append(epochMicroseconds value: Int64) {
        append(value - PostgresEpoch.microseconds)
    }

    // MARK: - Arrays

    /// `smallint[]`.
    package mutating func append(_ values: [Int16]) {
        startArray(of: UInt32(TypeID.int2), count: values.count, elementBytes: 2)
        for value in values {
            put(Int32(2))
            put(value)
        }
    }

    /// `integer[]`.
    package mutating func append(_ values: [Int32]) {
        startArray(of: UInt32(TypeID.int4), count: values.count, elementBytes: 4)
        for value in values {
            put(Int32(4))
            put(value)
        }
    }

    /// `bigint[]`.
    package mutating func append(_ values: [Int64]) {
        startArray(of: UInt32(TypeID.int8), count: values.count, elementBytes: 8)
        for value in values {
            put(Int32(8))
            put(value)
        }
    }

    /// `real[]`.
    package mutating func append(_ values: [Float]) {
        startArray(of: UInt32(TypeID.float4), count: values.count, elementBytes: 4)
        for value in values {
            put(Int32(4))
            put(value.bitPattern)
        }
    }

    /// `double precision[]`.
    package mutating func append(_ values: [Double]) {
        startArray(of: UInt32(TypeID.float8), count: values.count, elementBytes: 8)
        for value in values {
            put(Int32(8))
            put(value.bitPattern)
        }
    }

    // MARK: - End and parts

    /// Writes the trailer and passes on what is left.
    mutating func finish() throws(PostgresError) {
        precondition(columnsLeft == 0, "BinaryCopyEncoder: \(columnsLeft) columns are missing")
        put(Int16(-1))
        try send(buffer)
        buffer.removeAll()
    }

    /// Dimensions, NULL flag, element type, size, lower bound; an empty array has no dimension.
    private mutating func startArray(of type: UInt32, count: Int, elementBytes: Int) {
        startField(bytes: count == 0 ? 12 : 20 + count * (4 + elementBytes))
        put(Int32(count == 0 ? 0 : 1))
        put(Int32(0))
        put(type)
        guard count > 0 else { return }
        put(Int32(count))
        put(Int32(1))
    }

    private mutating func startField(bytes: Int) {
        precondition(bytes <= Int32.max, "BinaryCopyEncoder: a field of \(bytes) bytes")
        takeColumn()
        put(Int32(bytes))
    }

    private mutating func takeColumn() {
        precondition(columnsLeft > 0, "BinaryCopyEncoder: a value beyond the row's columns")
        columnsLeft -= 1
    }

    private mutating func put<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
            buffer.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }
}
