import CLibPQ

/// The statements that one connection has prepared, by their text.
struct PreparedStatements {
    /// How many are kept; what comes later is run unprepared.
    static let countMaximum = 32

    private var names: [String: String] = [:]
    /// Whether the server keeps what is prepared: a pooler that hands the next statement to another
    /// session does not.
    private(set) var areKept = true

    /// The name of a statement that was prepared before.
    subscript(text: String) -> String? { names[text] }

    /// A name for one that was not; nil where no more are kept.
    var nextName: String? {
        areKept && names.count < Self.countMaximum ? "systole_\(names.count + 1)" : nil
    }

    /// Remembers a statement that the server has prepared.
    mutating func add(_ text: String, as name: String) { names[text] = name }

    /// From now on nothing is prepared.
    mutating func giveUp() {
        areKept = false
        names = [:]
    }
}

extension Link {
    /// Runs a statement that this connection prepares at its first run.
    ///
    /// - Parameters:
    ///   - sql: The statement; its text is the same each time.
    ///   - format: How the server sends the result.
    /// - Returns: Its rows.
    /// - Throws: What the server refused.
    func executePrepared(_ sql: SQL, format: ResultFormat) throws(PostgresError) -> Rows {
        do {
            guard let name = try prepare(sql.text) else { return try execute(sql, format: format) }
            let bound = try BoundParameters(sql.parameters)
            let result = unsafe bound.withPointers { count, values, lengths, formats in
                unsafe PQexecPrepared(
                    connection, name, count, values, lengths, formats, format.rawValue)
            }
            return try Rows(unsafe received(result))
        } catch  where Self.tellsOfPreparation(error) {
            prepared.giveUp()
            // A transaction is lost by now: its repetition is run unprepared.
            guard isIdle else { throw error }
            return try execute(sql, format: format)
        }
    }

    /// 26000: another session than the one that prepared it; 42P05: another one prepared it here;
    /// 0A000: the result has other columns since.
    private static func tellsOfPreparation(_ error: PostgresError) -> Bool {
        ["26000", "42P05", "0A000"].contains(error.sqlState)
    }

    private func prepare(_ text: String) throws(PostgresError) -> String? {
        if let name = prepared[text] { return name }
        guard !text.utf8.contains(0) else { throw PostgresError.nulInText }
        guard let name = prepared.nextName else { return nil }
        _ = try unsafe received(PQprepare(connection, name, text, 0, nil))
        prepared.add(text, as: name)
        return name
    }
}
