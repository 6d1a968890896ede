/// One transaction's view of a connection, or that of one statement on its own.
///
/// Not copyable and only ever lent, so that it cannot outlive its closure: storing it does not
/// compile. Synchronous, so that an open transaction waits for nothing but the database.
package struct Session: ~Copyable {
    let link: Link
    let token: UInt64

    init(_ link: Link, token: UInt64) {
        self.link = link
        self.token = token
    }

    /// Runs one statement.
    ///
    /// - Parameters:
    ///   - sql: The statement with its bound values.
    ///   - format: How the server sends the result; `binary` for many numbers.
    /// - Returns: Its rows, or none.
    /// - Throws: What the server refused; 57014 if the task was cancelled.
    @discardableResult
    package borrowing func run(
        _ sql: SQL, format: ResultFormat = .text
    ) throws(PostgresError) -> Rows {
        try link.canceller.check(token)
        return try link.execute(sql, format: format)
    }

    /// Runs a statement that is run again and again: planned once on this connection, where the server
    /// keeps it.
    ///
    /// - Parameters:
    ///   - sql: The statement; only its bound values change from run to run.
    ///   - format: How the server sends the result.
    /// - Returns: Its rows, or none.
    /// - Throws: What the server refused; 57014 if the task was cancelled.
    @discardableResult
    package borrowing func runPrepared(
        _ sql: SQL, format: ResultFormat = .text
    ) throws(PostgresError) -> Rows {
        try link.canceller.check(token)
        return try link.executePrepared(sql, format: format)
    }

    /// Whether a transaction is open and no statement in it has failed.
    package borrowing func isInTransaction() -> Bool { link.isInTransaction }

    /// Runs a text of many statements without parameters, such as a migration file.
    package borrowing func runScript(_ text: String) throws(PostgresError) {
        try link.canceller.check(token)
        try link.script(text)
    }

    /// Runs `body` so that its failure undoes only what it did itself.
    ///
    /// - Parameter body: Statements of the same transaction.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; the transaction is still usable then.
    @discardableResult
    package borrowing func savepoint<T>(_ body: (borrowing Session) throws -> T) throws -> T {
        try runScript("SAVEPOINT systole_savepoint")
        do {
            let value = try body(self)
            try runScript("RELEASE SAVEPOINT systole_savepoint")
            return value
        } catch {
            // Past the cancellation check: the outer transaction must be told either way. If this
            // fails, the transaction is aborted and its COMMIT will say so.
            _ = try? link.script(
                "ROLLBACK TO SAVEPOINT systole_savepoint; RELEASE SAVEPOINT systole_savepoint")
            throw error
        }
    }
}
