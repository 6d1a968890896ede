/// One row; its getters name a column and throw for a wrong type, a NULL or an absent column.
///
/// - Throws: SQLSTATE 42703 for an absent column, 22002 for a NULL, 42804 for a wrong type.
package struct Row: Sendable {
    let storage: ResultStorage
    let index: Int

    /// Any type in its textual form (JSON, numbers, intervals …).
    package func text(_ column: String) throws(PostgresError) -> String {
        try require(column, optionalText(column))
    }

    /// `smallint`, `integer`, `bigint`, `oid` or `xid8`.
    package func int64(_ column: String) throws(PostgresError) -> Int64 {
        try require(column, optionalInt64(column))
    }

    /// An integer as Swift's `Int`.
    package func int(_ column: String) throws(PostgresError) -> Int {
        Int(try int64(column))
    }

    /// `real`, `double precision`, `numeric` or an integer.
    package func double(_ column: String) throws(PostgresError) -> Double {
        try require(column, optionalDouble(column))
    }

    /// `boolean`.
    package func bool(_ column: String) throws(PostgresError) -> Bool {
        try require(column, optionalBool(column))
    }

    /// `bytea`.
    package func bytes(_ column: String) throws(PostgresError) -> [UInt8] {
        try require(column, optionalBytes(column))
    }

    /// `timestamptz` or `timestamp` (read as UTC), in microseconds since 1970.
    package func epochMicroseconds(_ column: String) throws(PostgresError) -> Int64 {
        try require(column, optionalEpochMicroseconds(column))
    }

    /// `real[]` or `double precision[]` of one dimension without NULLs.
    package func floats(_ column: String) throws(PostgresError) -> [Float] {
        try require(column, optionalFloats(column))
    }

    /// `real[]` or `double precision[]` of one dimension without NULLs.
    package func doubles(_ column: String) throws(PostgresError) -> [Double] {
        try require(column, optionalDoubles(column))
    }

    /// `smallint[]`, `integer[]` or `bigint[]` of one dimension without NULLs.
    package func int64s(_ column: String) throws(PostgresError) -> [Int64] {
        try require(column, optionalInt64s(column))
    }

    /// `smallint[]` of one dimension without NULLs.
    package func int16s(_ column: String) throws(PostgresError) -> [Int16] {
        try require(column, optionalInt16s(column))
    }

    /// `integer[]` or `smallint[]` of one dimension without NULLs.
    package func int32s(_ column: String) throws(PostgresError) -> [Int32] {
        try require(column, optionalInt32s(column))
    }

    /// `text[]`, `varchar[]` or `name[]` of one dimension without NULLs.
    package func texts(_ column: String) throws(PostgresError) -> [String] {
        try require(column, optionalTexts(column))
    }

    private func require<T>(_ column: String, _ value: T?) throws(PostgresError) -> T {
        guard let value else { throw PostgresError.null(column) }
        return value
    }
}

// MARK: - NULL allowed

extension Row {
    /// Whether the column is NULL in this row.
    package func isNull(_ column: String) throws(PostgresError) -> Bool {
        storage.isNull(row: index, column: try storage.number(of: column))
    }

    /// As `text`, or nil for NULL.
    package func optionalText(_ column: String) throws(PostgresError) -> String? {
        try storage.read(column, index, as: "text", CellDecoder.text)
    }

    /// As `int64`, or nil for NULL.
    package func optionalInt64(_ column: String) throws(PostgresError) -> Int64? {
        try storage.read(column, index, as: "an integer", CellDecoder.int64)
    }

    /// As `int`, or nil for NULL.
    package func optionalInt(_ column: String) throws(PostgresError) -> Int? {
        try optionalInt64(column).map { Int($0) }
    }

    /// As `double`, or nil for NULL.
    package func optionalDouble(_ column: String) throws(PostgresError) -> Double? {
        try storage.read(column, index, as: "a number", CellDecoder.double)
    }

    /// As `bool`, or nil for NULL.
    package func optionalBool(_ column: String) throws(PostgresError) -> Bool? {
        try storage.read(column, index, as: "a boolean", CellDecoder.bool)
    }

    /// As `bytes`, or nil for NULL.
    package func optionalBytes(_ column: String) throws(PostgresError) -> [UInt8]? {
        try storage.read(column, index, as: "bytes", CellDecoder.bytes)
    }

    /// As `epochMicroseconds`, or nil for NULL.
    package func optionalEpochMicroseconds(_ column: String) throws(PostgresError) -> Int64? {
        try storage.read(column, index, as: "a finite time", CellDecoder.epochMicroseconds)
    }

    /// As `floats`, or nil for NULL.
    package func optionalFloats(_ column: String) throws(PostgresError) -> [Float]? {
        try storage.read(column, index, as: "an array of numbers", ArrayDecoder.floats)
    }

    /// As `doubles`, or nil for NULL.
    package func optionalDoubles(_ column: String) throws(PostgresError) -> [Double]? {
        try storage.read(column, index, as: "an array of numbers", ArrayDecoder.doubles)
    }

    /// As `int64s`, or nil for NULL.
    package func optionalInt64s(_ column: String) throws(PostgresError) -> [Int64]? {
        try storage.read(column, index, as: "an array of integers", ArrayDecoder.int64s)
    }

    /// As `int16s`, or nil for NULL.
    package func optionalInt16s(_ column: String) throws(PostgresError) -> [Int16]? {
        try storage.read(column, index, as: "an array of smallints", ArrayDecoder.int16s)
    }

    /// As `int32s`, or nil for NULL.
    package func optionalInt32s(_ column: String) throws(PostgresError) -> [Int32]? {
        try storage.read(column, index, as: "an array of integers", ArrayDecoder.int32s)
    }

    /// As `texts`, or nil for NULL.
    package func optionalTexts(_ column: String) throws(PostgresError) -> [String]? {
        try storage.read(column, index, as: "an array of texts", ArrayDecoder.texts)
    }
}
