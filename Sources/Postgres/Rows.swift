/// The rows of one result; a value that may outlive its transaction.
package struct Rows: Sendable {
    let storage: ResultStorage

    init(_ storage: ResultStorage) {
        self.storage = storage
    }

    /// How many rows an INSERT, UPDATE, DELETE, COPY or SELECT touched or returned.
    package var affected: Int { storage.affected }

    /// The names of the columns in order.
    package var columnNames: [String] { storage.columnNames }

    /// The single row of the result.
    ///
    /// - Returns: The row.
    /// - Throws: SQLSTATE 21000 if there is none, or more than one.
    package func only() throws(PostgresError) -> Row {
        guard count == 1 else { throw PostgresError.rowCount(count) }
        return self[0]
    }
}

extension Rows: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { storage.rowCount }

    package subscript(index: Int) -> Row {
        precondition(indices.contains(index), "Rows: row \(index) of \(count)")
        return Row(storage: storage, index: index)
    }
}

// MARK: - Whole columns

extension Rows {
    /// A whole column of `timestamptz` as microseconds since 1970.
    package func allEpochMicroseconds(_ column: String) throws(PostgresError) -> [Int64] {
        try storage.readAll(column, as: "a finite time", CellDecoder.epochMicroseconds)
    }

    /// A whole column of integers.
    package func allInt64s(_ column: String) throws(PostgresError) -> [Int64] {
        try storage.readAll(column, as: "an integer", CellDecoder.int64)
    }

    /// A whole column of numbers; NULL becomes NaN.
    package func allDoubles(_ column: String) throws(PostgresError) -> [Double] {
        try storage.readAll(column, as: "a number", null: .nan, CellDecoder.double)
    }

    /// A whole column of texts.
    package func allTexts(_ column: String) throws(PostgresError) -> [String] {
        try storage.readAll(column, as: "text", CellDecoder.text)
    }
}
