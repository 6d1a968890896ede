import Threads

/// How a transaction is opened.
package struct TransactionOptions: Sendable {
    /// What the transaction may see of others.
    package enum Isolation: String, Sendable {
        case readCommitted = "READ COMMITTED"
        case repeatableRead = "REPEATABLE READ"
        case serializable = "SERIALIZABLE"
    }

    /// What the transaction may see of others.
    package var isolation: Isolation
    /// Whether writing is refused.
    package var isReadOnly: Bool

    package init(isolation: Isolation = .readCommitted, isReadOnly: Bool = false) {
        self.isolation = isolation
        self.isReadOnly = isReadOnly
    }

    var statement: String {
        "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(isReadOnly ? " READ ONLY" : "")"
    }
}

/// One connection to PostgreSQL on a thread of its own.
///
/// Its calls block that thread and no other. A task that is cancelled cancels its statement.
package actor Connection {
    private let executor: ThreadExecutor
    private let configuration: ConnectionConfiguration
    private var link: Link?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe executor.asUnownedSerialExecutor()
    }

    private init(_ configuration: ConnectionConfiguration) {
        self.configuration = configuration
        executor = ThreadExecutor(name: "postgres")
    }

    /// Connects.
    ///
    /// - Parameter configuration: Where to and as whom.
    /// - Returns: An open connection.
    /// - Throws: SQLSTATE of class 08, 28, 3D, 53 or 57.
    package static func open(
        _ configuration: ConnectionConfiguration
    ) async throws(PostgresError) -> Connection {
        let connection = Connection(configuration)
        try await connection.connect()
        return connection
    }

    private func connect() throws(PostgresError) {
        link = try Link(connecting: configuration)
    }

    /// Closes the connection; every later call throws 08003.
    package func close() {
        link = nil
    }

    /// Whether the connection can take another statement: it is open, outside any transaction,
    /// and the server has not hung up.
    package var isUsable: Bool {
        guard let link else { return false }
        return link.isConnected && link.isIdle
    }

    /// The server process behind this connection, as in `pg_stat_activity.pid`.
    package var backendProcess: Int32? { link?.backendProcess }

    /// The server's version, such as 150020.
    package var serverVersion: Int32? { link?.serverVersion }

    /// Gives the session the settings it began with.
    func restoreSettings() throws(PostgresError) {
        guard let link else { throw PostgresError.closed }
        try link.script(configuration.sessionSettings)
    }

    // MARK: - Work

    /// Runs one statement in a transaction of its own.
    ///
    /// - Parameters:
    ///   - sql: The statement with its bound values.
    ///   - format: How the server sends the result.
    /// - Returns: Its rows, or none.
    /// - Throws: `PostgresError`, or `CancellationError` if the task was cancelled.
    @discardableResult
    package nonisolated func run(_ sql: SQL, format: ResultFormat = .text) async throws -> Rows {
        try await cancellable { link, token in
            try Session(link, token: token).run(sql, format: format)
        }
    }

    /// Runs `body` outside any transaction, each statement on its own: for statements such as
    /// CREATE DATABASE that refuse to be in one.
    ///
    /// - Parameter body: Gets the session; must not keep it.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, or `CancellationError` if the task was cancelled.
    package nonisolated func withSession<T: Sendable>(
        _ body: @Sendable (borrowing Session) throws -> T
    ) async throws -> T {
        try await cancellable { link, token in
            // By name: one made within the call crashes the optimiser of Swift 6.3.1.
            let session = Session(link, token: token)
            return try body(session)
        }
    }

    /// Runs `body` in one transaction: committed if it returns, rolled back if it throws.
    ///
    /// - Parameters:
    ///   - options: How the transaction is opened.
    ///   - body: Gets the session; cannot keep it, and cannot wait for anything but it.
    /// - Returns: What `body` returns, once COMMIT has succeeded.
    /// - Throws: What `body` throws, what COMMIT fails with, or `CancellationError`.
    package nonisolated func transaction<T: Sendable>(
        _ options: TransactionOptions = TransactionOptions(),
        _ body: @Sendable (borrowing Session) throws -> T
    ) async throws -> T {
        try await cancellable { link, token in
            let value: T
            do {
                try link.script(options.statement)
                let session = Session(link, token: token)
                value = try body(session)
                try link.canceller.check(token)
            } catch {
                link.canceller.end(token)
                link.rollback()
                throw error
            }
            // A COMMIT under way is never cancelled: nobody would know whether it happened.
            link.canceller.end(token)
            do {
                try link.commit()
            } catch {
                link.rollback()
                throw error
            }
            return value
        }
    }

    /// Runs `operation` on this connection's thread and cancels it when the task is cancelled.
    ///
    /// Not itself isolated: a closure handed to `withTaskCancellationHandler` runs on the shared
    /// pool even when it is written inside an actor, so that the blocking call would sit there.
    /// `perform` is a synchronous method of the actor and can run nowhere else.
    nonisolated func cancellable<T: Sendable>(
        _ operation: @Sendable (Link, UInt64) throws -> T
    ) async throws -> T {
        let ticket = Ticket()
        do {
            return try await withTaskCancellationHandler {
                try await perform(ticket, operation)
            } onCancel: {
                ticket.cancel()
            }
        } catch let error as PostgresError where error.isCancellation && Task.isCancelled {
            throw CancellationError()
        }
    }

    private func perform<T>(
        _ ticket: Ticket, _ operation: (Link, UInt64) throws -> T
    ) throws -> T {
        guard let link else { throw PostgresError.closed }
        let token = link.canceller.begin()
        defer { link.canceller.end(token) }
        guard ticket.attach(link.canceller, token) else { throw CancellationError() }
        return try operation(link, token)
    }

    private func onThisThread<T: Sendable>(
        _ operation: (Link, UInt64) throws -> T, _ link: Link, _ token: UInt64
    ) throws -> T {
        try operation(link, token)
    }
}
