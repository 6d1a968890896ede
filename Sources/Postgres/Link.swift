import CLibPQ
import Glibc

/// Owns one `PGconn` and makes every call on it.
///
/// `@unchecked Sendable` because only the `Connection` actor that made it calls its methods, all on
/// that actor's own queue, and because `PQfinish` runs once, when nobody holds it any more.
@safe final class Link: @unchecked Sendable {
    let connection: OpaquePointer
    let canceller: Canceller
    /// What this connection does with statements that are run again and again.
    var prepared = PreparedStatements()

    /// Connects and applies the settings of the session; blocks.
    ///
    /// - Parameter configuration: Where to and as whom.
    /// - Throws: SQLSTATE of class 08, 28, 3D, 53 or 57.
    init(connecting configuration: ConnectionConfiguration) throws(PostgresError) {
        guard let connection = unsafe Self.connect(configuration.keywords) else {
            throw PostgresError.connectionLost
        }
        guard unsafe PQstatus(connection) == CONNECTION_OK,
            let canceller = unsafe Canceller(connection)
        else {
            let text = unsafe String(cString: PQerrorMessage(connection))
            unsafe PQfinish(connection)
            throw ConnectFailure.error(text, hiding: configuration.password)
        }
        // Notices may quote values; libpq's own receiver would print them on the standard error.
        unsafe PQsetNoticeReceiver(connection, { _, _ in }, nil)
        unsafe self.connection = unsafe connection
        self.canceller = canceller
        _ = try script(configuration.sessionSettings)
    }

    deinit {
        unsafe PQfinish(connection)
    }

    private static func connect(_ keywords: [(String, String)]) -> OpaquePointer? {
        var arena: [CChar] = []
        var offsets: [Int] = []
        for text in keywords.flatMap({ [$0.0, $0.1] }) {
            offsets.append(arena.count)
            arena.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
            arena.append(0)
        }
        return unsafe arena.withUnsafeBufferPointer { arena -> OpaquePointer? in
            let texts = unsafe offsets.map { offset in
                unsafe arena.baseAddress.map { unsafe $0 + offset }
            }
            var names: [UnsafePointer<CChar>?] = unsafe []
            var values: [UnsafePointer<CChar>?] = unsafe []
            for index in stride(from: 0, to: offsets.count, by: 2) {
                unsafe names.append(texts[index])
                unsafe values.append(texts[index + 1])
            }
            unsafe names.append(nil)
            unsafe values.append(nil)
            return unsafe PQconnectdbParams(names, values, 0)
        }
    }

    // MARK: - State

    /// Whether the connection is up and outside any transaction.
    var isIdle: Bool {
        unsafe PQstatus(connection) == CONNECTION_OK
            && PQtransactionStatus(connection) == PQTRANS_IDLE
    }

    /// Whether a transaction is open and has not failed.
    var isInTransaction: Bool {
        unsafe PQtransactionStatus(connection) == PQTRANS_INTRANS
    }

    /// The server process behind this connection.
    var backendProcess: Int32 {
        unsafe PQbackendPID(connection)
    }

    /// The server's version, such as 150020.
    var serverVersion: Int32 {
        unsafe PQserverVersion(connection)
    }

    /// Takes in what has arrived, without waiting.
    ///
    /// - Returns: false if the connection is gone.
    func takeInput() -> Bool {
        unsafe PQconsumeInput(connection) == 1 && PQstatus(connection) == CONNECTION_OK
    }

    /// Whether the server has not hung up; its last words come before the end of the stream, so
    /// that one look is not enough.
    var isConnected: Bool {
        var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&descriptor, 1, 0) > 0 {
            guard takeInput() else { return false }
        }
        return unsafe PQstatus(connection) == CONNECTION_OK
    }

    var socket: Int32 {
        unsafe PQsocket(connection)
    }

    // MARK: - Statements

    /// Runs one statement with its parameters.
    func execute(_ sql: SQL, format: ResultFormat) throws(PostgresError) -> Rows {
        let text = sql.text
        guard !text.utf8.contains(0) else { throw PostgresError.nulInText }
        let bound = try BoundParameters(sql.parameters)
        let result = unsafe bound.withPointers { count, values, lengths, formats in
            unsafe PQexecParams(
                connection, text, count, nil, values, lengths, formats, format.rawValue)
        }
        return try Rows(unsafe received(result))
    }

    /// Runs a text of one or more statements without parameters; the last one's result comes back.
    @discardableResult
    func script(_ text: String) throws(PostgresError) -> ResultStorage {
        guard !text.utf8.contains(0) else { throw PostgresError.nulInText }
        return try unsafe received(PQexec(connection, text))
    }

    /// Takes over a result, or turns it into the error it is.
    func received(_ result: OpaquePointer?) throws(PostgresError) -> ResultStorage {
        guard let result = unsafe result else { throw PostgresError.connectionLost }
        let storage = unsafe ResultStorage(owning: result)
        switch storage.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_COPY_IN:
            return storage
        case PGRES_COPY_OUT, PGRES_COPY_BOTH:
            throw PostgresError(
                sqlState: "0A000", message: "COPY to the client is not supported here")
        default:
            throw storage.failure
        }
    }

    /// Ends a transaction that failed, as far as the connection still allows.
    func rollback() {
        // A connection on which not even ROLLBACK works is not idle, so nobody uses it again.
        _ = try? script("ROLLBACK")
    }

    /// - Throws: What COMMIT failed with, or 25P02 where the server rolled back instead.
    func commit() throws(PostgresError) {
        let result = try script("COMMIT")
        // A transaction with a failed statement answers COMMIT with ROLLBACK, and no error.
        guard result.commandTag == "COMMIT" else {
            throw PostgresError(
                sqlState: "25P02",
                message: "the transaction was rolled back because a statement in it had failed")
        }
    }
}

/// In which form the server sends values.
package enum ResultFormat: Int32, Sendable {
    /// As text: every type is readable.
    case text = 0
    /// As the type's own bytes: faster for numbers, times, `bytea` and arrays of numbers, but
    /// `text` reads text types only, and `numeric` is not readable.
    case binary = 1
}
