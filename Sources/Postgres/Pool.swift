import Dispatch
import Synchronization

/// How many connections a pool opens, and how long callers may wait.
package struct PoolLimits: Sendable {
    /// How many connections there are at most.
    package var connectionsMaximum: Int
    /// How many callers may wait for one; the next is refused.
    package var waitersMaximum: Int
    /// How long a caller waits.
    package var waitMaximum: Duration

    package init(
        connectionsMaximum: Int = 8, waitersMaximum: Int = 256,
        waitMaximum: Duration = .seconds(30)
    ) {
        precondition(connectionsMaximum > 0, "PoolLimits: \(connectionsMaximum) connections")
        self.connectionsMaximum = connectionsMaximum
        self.waitersMaximum = waitersMaximum
        self.waitMaximum = waitMaximum
    }
}

/// A bounded set of connections to one database, opened on demand and shared by many tasks.
///
/// A connection that broke is thrown away. After a refused connection attempt the next attempts
/// wait, from 0.1 s up to 5 s, so that a database that is down is not hammered.
package final class Pool: Sendable {
    /// Where the connections go.
    package let configuration: ConnectionConfiguration
    private let limits: PoolLimits
    private let state = Mutex(PoolState())

    package init(
        _ configuration: ConnectionConfiguration, limits: PoolLimits = PoolLimits()
    ) {
        self.configuration = configuration
        self.limits = limits
    }

    /// Runs one statement in a transaction of its own.
    ///
    /// - Parameters:
    ///   - sql: The statement with its bound values.
    ///   - format: How the server sends the result.
    /// - Returns: Its rows, or none.
    /// - Throws: `PostgresError`, `PoolError`, or `CancellationError` if the task was cancelled.
    @discardableResult
    package func run(_ sql: SQL, format: ResultFormat = .text) async throws -> Rows {
        try await withConnection { try await $0.run(sql, format: format) }
    }

    /// Runs `body` in one transaction: committed if it returns, rolled back if it throws.
    ///
    /// - Parameters:
    ///   - options: How the transaction is opened.
    ///   - body: Gets the session; cannot keep it.
    /// - Returns: What `body` returns, once COMMIT has succeeded.
    /// - Throws: What `body` throws, `PostgresError`, `PoolError` or `CancellationError`.
    package func transaction<T: Sendable>(
        _ options: TransactionOptions = TransactionOptions(),
        _ body: @Sendable (borrowing Session) throws -> T
    ) async throws -> T {
        try await withConnection { try await $0.transaction(options, body) }
    }

    /// Lends one connection for the time of `body`.
    ///
    /// - Parameter body: Must not keep the connection.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws, `PostgresError`, `PoolError` or `CancellationError`.
    package func withConnection<T: Sendable>(
        _ body: (Connection) async throws -> T
    ) async throws -> T {
        let connection = try await acquire()
        do {
            let value = try await body(connection)
            await giveBack(connection)
            return value
        } catch {
            await giveBack(connection)
            throw error
        }
    }

    /// Closes idle connections and refuses new callers; lent connections close on their return.
    package func close() async {
        let (idle, waiters) = state.withLock { $0.close() }
        for waiter in waiters { waiter.resume(throwing: PoolError.closed) }
        for connection in idle { await connection.close() }
    }

    // MARK: - Lending

    private func acquire() async throws -> Connection {
        while true {
            switch try await grant() {
            case .connection(let connection):
                if await connection.isUsable { return connection }
                // The server hung up while the connection lay idle: the permit is still ours.
                await connection.close()
                return try await open()
            case .permit:
                return try await open()
            }
        }
    }

    private func grant() async throws -> PoolState.Grant {
        try Task.checkCancellation()
        let number = state.withLock { $0.nextNumber() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let decision = state.withLock {
                    $0.request(number, continuation, limits, isCancelled: Task.isCancelled)
                }
                switch decision {
                case .granted(let grant): continuation.resume(returning: grant)
                case .refused(let error): continuation.resume(throwing: error)
                case .waits: expireLater(number)
                }
            }
        } onCancel: {
            state.withLock { $0.remove(number) }?.resume(throwing: CancellationError())
        }
    }

    private func expireLater(_ number: UInt64) {
        let milliseconds = Int(clamping: limits.waitMaximum.wholeMilliseconds)
        // Weakly: a pool that nobody holds any more has no waiters.
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
            [weak self] in
            guard let self else { return }
            let waiter = state.withLock { $0.remove(number) }
            waiter?.resume(throwing: PoolError.waitedTooLong(limits.waitMaximum))
        }
    }

    /// Opens a connection with a permit in hand; the permit goes back if that fails.
    private func open() async throws -> Connection {
        do {
            if let instant = state.withLock({ $0.retryInstant }) {
                try await ContinuousClock().sleep(until: instant)
            }
            let connection = try await Connection.open(configuration)
            state.withLock { $0.connected() }
            return connection
        } catch {
            let isRefusal = error is PostgresError
            let next = state.withLock { state in
                if isRefusal { state.refused(at: .now) }
                return state.returnPermit()
            }
            next?.resume(returning: .permit)
            throw error
        }
    }

    private func giveBack(_ connection: Connection) async {
        guard await connection.isUsable, !state.withLock({ $0.isClosed }) else {
            await connection.close()
            state.withLock { $0.returnPermit() }?.resume(returning: .permit)
            return
        }
        state.withLock { $0.returnConnection(connection) }?
            .resume(returning: .connection(connection))
    }
}

/// Why a pool lent nothing.
package enum PoolError: Error, Equatable, Sendable, CustomStringConvertible {
    case closed
    case tooManyWaiters(Int)
    case waitedTooLong(Duration)

    package var description: String {
        switch self {
        case .closed: "the connection pool is closed"
        case .tooManyWaiters(let count):
            "\(count) tasks already wait for a database connection; try again later"
        case .waitedTooLong(let duration):
            "no database connection became free within \(duration)"
        }
    }
}

/// The pool's bookkeeping; pure, so that every change is one step under the lock.
private struct PoolState {
    enum Grant: Sendable {
        /// An idle connection.
        case connection(Connection)
        /// The right to open a new one.
        case permit
    }

    enum Decision {
        case granted(Grant)
        case refused(any Error)
        case waits
    }

    typealias Waiter = CheckedContinuation<Grant, any Error>

    private(set) var isClosed = false
    private var idle: [Connection] = []
    /// Connections that are lent or idle, and permits.
    private var count = 0
    private var waiters: [(number: UInt64, waiter: Waiter)] = []
    private var lastNumber: UInt64 = 0
    private var refusals = 0
    private(set) var retryInstant: ContinuousClock.Instant?

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    mutating func request(
        _ number: UInt64, _ waiter: Waiter, _ limits: PoolLimits, isCancelled: Bool
    ) -> Decision {
        if isCancelled { return .refused(CancellationError()) }
        if isClosed { return .refused(PoolError.closed) }
        // The most recent one: the others may be closed as idle by whoever counts connections.
        if let connection = idle.popLast() { return .granted(.connection(connection)) }
        if count < limits.connectionsMaximum {
            count += 1
            return .granted(.permit)
        }
        guard waiters.count < limits.waitersMaximum else {
            return .refused(PoolError.tooManyWaiters(waiters.count))
        }
        waiters.append((number, waiter))
        return .waits
    }

    mutating func remove(_ number: UInt64) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.number == number }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    mutating func returnConnection(_ connection: Connection) -> Waiter? {
        guard waiters.isEmpty else { return waiters.removeFirst().waiter }
        idle.append(connection)
        return nil
    }

    mutating func returnPermit() -> Waiter? {
        guard waiters.isEmpty else { return waiters.removeFirst().waiter }
        count -= 1
        return nil
    }

    mutating func refused(at now: ContinuousClock.Instant) {
        refusals = min(refusals + 1, 7)
        let wait = min(Duration.milliseconds(50 << refusals), .seconds(5))
        retryInstant = now.advanced(by: wait)
    }

    mutating func connected() {
        refusals = 0
        retryInstant = nil
    }

    mutating func close() -> (idle: [Connection], waiters: [Waiter]) {
        isClosed = true
        defer {
            count -= idle.count
            idle = []
            waiters = []
        }
        return (idle, waiters.map(\.waiter))
    }
}
