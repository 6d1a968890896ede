import CLibPQ

/// Owns one `PGresult` and reads its cells.
///
/// `@unchecked Sendable` because a `PGresult` never changes once libpq has handed it over, and
/// libpq's readers of it touch nothing else; `PQclear` runs once, when nobody holds it any more.
@safe final class ResultStorage: @unchecked Sendable {
    private let result: OpaquePointer
    private let columns: [String: Int32]
    let columnNames: [String]
    let rowCount: Int

    /// - Parameter result: A result that nobody else will clear.
    init(owning result: OpaquePointer) {
        unsafe self.result = unsafe result
        rowCount = Int(unsafe PQntuples(result))
        var names: [String] = []
        var columns: [String: Int32] = [:]
        for number in 0..<(unsafe PQnfields(result)) {
            // A COPY has columns without names.
            let text: UnsafeMutablePointer<CChar>? = unsafe PQfname(result, number)
            let name = unsafe text.map { unsafe String(cString: $0) } ?? ""
            names.append(name)
            // As PQfnumber does, the first of two columns of one name wins.
            if columns[name] == nil { columns[name] = number }
        }
        columnNames = names
        self.columns = columns
    }

    deinit {
        unsafe PQclear(result)
    }

    var affected: Int {
        unsafe Int(String(cString: PQcmdTuples(result))) ?? 0
    }

    /// The command tag, such as `COMMIT` or `INSERT 0 1`.
    var commandTag: String {
        unsafe String(cString: PQcmdStatus(result))
    }

    var status: ExecStatusType {
        unsafe PQresultStatus(result)
    }

    /// The error in this result, without DETAIL and CONTEXT.
    var failure: PostgresError {
        guard let state = field(67) else { return .connectionLost }
        return PostgresError(
            sqlState: state, message: field(77) ?? "PostgreSQL gave no message",
            hint: field(72), constraint: field(110))
    }

    /// - Parameter code: One of `PG_DIAG_SQLSTATE` 'C', `_MESSAGE_PRIMARY` 'M', `_MESSAGE_HINT` 'H',
    ///   `_CONSTRAINT_NAME` 'n', which C spells as characters.
    /// - Returns: The field's text, where the error has it.
    private func field(_ code: Int32) -> String? {
        guard let text = unsafe PQresultErrorField(result, code) else { return nil }
        return unsafe String(cString: text)
    }

    func number(of column: String) throws(PostgresError) -> Int32 {
        guard let number = columns[column] else { throw PostgresError.noColumn(column) }
        return number
    }

    func isNull(row: Int, column: Int32) -> Bool {
        unsafe PQgetisnull(result, Int32(row), column) == 1
    }

    /// Decodes one cell.
    ///
    /// - Parameters:
    ///   - name: The column's name.
    ///   - row: The row's number.
    ///   - wanted: What the caller wants, in words, for the error.
    ///   - decode: Returns nil where the type does not fit or the bytes are not well-formed.
    /// - Returns: The value, or nil for NULL.
    /// - Throws: SQLSTATE 42703 or 42804.
    func read<T>(
        _ name: String, _ row: Int, as wanted: String, _ decode: (Span<UInt8>, CellType) -> T?
    ) throws(PostgresError) -> T? {
        try cell(Column(number: number(of: name), name: name, wanted: wanted), row, decode)
    }

    /// Decodes a whole column, its name looked up once.
    ///
    /// - Parameters:
    ///   - name: The column's name.
    ///   - wanted: What the caller wants, in words, for the error.
    ///   - null: Stands for NULL; nil where a NULL is refused.
    ///   - decode: Returns nil where the type does not fit or the bytes are not well-formed.
    /// - Returns: A value for each row.
    /// - Throws: SQLSTATE 42703, 42804 or 22002.
    func readAll<T>(
        _ name: String, as wanted: String, null: T? = nil,
        _ decode: (Span<UInt8>, CellType) -> T?
    ) throws(PostgresError) -> [T] {
        let column = Column(number: try number(of: name), name: name, wanted: wanted)
        var values: [T] = []
        values.reserveCapacity(rowCount)
        for row in 0..<rowCount {
            guard let value = try cell(column, row, decode) ?? null else {
                throw PostgresError.null(name)
            }
            values.append(value)
        }
        return values
    }

    private struct Column {
        let number: Int32
        let name: String
        let wanted: String
    }

    private func cell<T>(
        _ column: Column, _ row: Int, _ decode: (Span<UInt8>, CellType) -> T?
    ) throws(PostgresError) -> T? {
        guard !isNull(row: row, column: column.number) else { return nil }
        let type = unsafe PQftype(result, column.number)
        let length = Int(unsafe PQgetlength(result, Int32(row), column.number))
        let isBinary = unsafe PQfformat(result, column.number) == 1
        let decoded: T? =
            unsafe PQgetvalue(result, Int32(row), column.number)
            .withMemoryRebound(to: UInt8.self, capacity: length) { start in
                let bytes = unsafe UnsafeBufferPointer(start: start, count: length)
                return unsafe decode(bytes.span, CellType(oid: type, isBinary: isBinary))
            }
        guard let decoded else {
            throw PostgresError.wrongType(column.name, wanted: column.wanted, oid: type)
        }
        return decoded
    }
}

/// How the bytes of a cell are to be understood.
struct CellType {
    let oid: Oid
    let isBinary: Bool
}
