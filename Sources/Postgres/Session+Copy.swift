import CLibPQ

extension Session {
    /// Loads rows by binary COPY.
    ///
    /// - Parameters:
    ///   - target: Table and columns, such as `systole.observation (series_id, at, value)`; names
    ///     that we made ourselves.
    ///   - write: Writes the rows; what it throws makes the server forget them all.
    /// - Returns: How many rows the table took.
    /// - Throws: What `write` throws or the server refused; the transaction is aborted then.
    @discardableResult
    package borrowing func copyIn(
        _ target: String, _ write: (inout BinaryCopyEncoder) throws -> Void
    ) throws -> Int {
        try link.canceller.check(token)
        let (link, token) = (link, token)
        let opened = try link.script("COPY \(target) FROM STDIN (FORMAT binary)")
        guard opened.status == PGRES_COPY_IN else {
            throw PostgresError(sqlState: "42601", message: "COPY did not ask for data")
        }
        var encoder = BinaryCopyEncoder { (block: [UInt8]) throws(PostgresError) in
            try link.canceller.check(token)
            try link.putCopy(block)
        }
        do {
            try write(&encoder)
            try encoder.finish()
        } catch {
            // The server's own reason is better than "we stopped", if it had one first.
            throw link.abandonCopy() ?? error
        }
        return try link.endCopy()
    }
}

extension Link {
    fileprivate func putCopy(_ block: [UInt8]) throws(PostgresError) {
        let sent = unsafe block.withUnsafeBytes { bytes in
            unsafe PQputCopyData(
                connection, bytes.assumingMemoryBound(to: CChar.self).baseAddress,
                Int32(bytes.count))
        }
        guard sent == 1 else { throw PostgresError.connectionLost }
    }

    fileprivate func endCopy() throws(PostgresError) -> Int {
        guard unsafe PQputCopyEnd(connection, nil) == 1 else { throw PostgresError.connectionLost }
        return try copyResult().affected
    }

    /// Makes the server forget the COPY.
    ///
    /// - Returns: The server's reason, where it had refused before we stopped.
    fileprivate func abandonCopy() -> PostgresError? {
        guard unsafe PQputCopyEnd(connection, "abandoned by the client") == 1 else {
            return .connectionLost
        }
        do throws(PostgresError) {
            _ = try copyResult()
            return nil
        } catch {
            // 57014 is the server's echo of our own message.
            return error.isCancellation ? nil : error
        }
    }

    /// Takes all results up to the end of the statement; the first failure is the answer.
    private func copyResult() throws(PostgresError) -> ResultStorage {
        guard let first = unsafe PQgetResult(connection) else { throw PostgresError.connectionLost }
        let storage = unsafe ResultStorage(owning: first)
        while let further = unsafe PQgetResult(connection) { unsafe PQclear(further) }
        guard storage.status == PGRES_COMMAND_OK else { throw storage.failure }
        return storage
    }
}
