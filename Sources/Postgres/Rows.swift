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
        var values: [Int64] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.epochMicroseconds(column)) }
        return values
    }

    /// A whole column of integers.
    package func allInt64s(_ column: String) throws(PostgresError) -> [Int64] {
        var values: [Int64] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.int64(column)) }
        return values
    }

    /// A whole column of numbers; NULL becomes NaN.
    package func allDoubles(_ column: String) throws(PostgresError) -> [Double] {
        var values: [Double] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.optionalDouble(column) ?? .nan) }
        return values
    }

    /// A whole column of texts.
    package func allTexts(_ column: String) throws(PostgresError) -> [String] {
        var values: [String] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.text(column)) }
        return values
    }
}
