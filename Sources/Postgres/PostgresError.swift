import CLibPQ

/// What PostgreSQL, or the way to it, refused.
///
/// Carries neither DETAIL nor CONTEXT nor parameters, since those print row values. Messages of
/// class 22 quote the offending input, so that quotation is cut out of them.
package struct PostgresError: Error, Equatable, Sendable {
    /// The five characters of the SQL standard; class `08` where the connection itself failed.
    package let sqlState: String
    /// The primary message.
    package let message: String
    /// What the server advises to do.
    package let hint: String?
    /// The constraint that was violated, where one was.
    package let constraint: String?

    package init(
        sqlState: String, message: String, hint: String? = nil, constraint: String? = nil
    ) {
        self.sqlState = sqlState
        self.message = Self.withoutInput(message, sqlState: sqlState)
        self.hint = hint
        self.constraint = constraint
    }

    /// Whether the same work may succeed when it is tried again, on a new connection if need be.
    package var isTransient: Bool {
        isConnectionLoss || Self.transientStates.contains(sqlState)
    }

    /// Whether the connection is gone, so that nobody knows if a running COMMIT went through.
    package var isConnectionLoss: Bool {
        sqlState.hasPrefix("08") || Self.shutdownStates.contains(sqlState)
    }

    /// Whether a statement was stopped, by its time limit or by a cancel request.
    package var isCancellation: Bool { sqlState == "57014" }

    /// Whether a unique constraint was violated.
    package var isUniqueViolation: Bool { sqlState == "23505" }

    /// Whether what was to be stored is at fault, so that it will be refused again: exceptions of data,
    /// constraints, limits of a row. Every other error, such as a full disk, may pass.
    package var isOfData: Bool {
        ["22", "23", "54"].contains(String(sqlState.prefix(2)))
    }

    private static let shutdownStates: Set<String> = ["57P01", "57P02", "57P03", "57P05", "25P03"]

    private static let transientStates: Set<String> = [
        "40001",  // serialization_failure
        "40P01",  // deadlock_detected
        "53300",  // too_many_connections
        "55P03",  // lock_not_available
    ]

    /// Cuts the quoted input out of a data exception; 22023 names settings and time zones only.
    private static func withoutInput(_ message: String, sqlState: String) -> String {
        guard sqlState.hasPrefix("22"), sqlState != "22023" else { return message }
        var head = message
        if let colon = message.range(of: ": ") { head = String(message[..<colon.lowerBound]) }
        guard let first = head.firstIndex(of: "\""), let last = head.lastIndex(of: "\""),
            first < last
        else { return head }
        return head[...first] + "…" + head[last...]
    }
}

extension PostgresError: CustomStringConvertible {
    /// One sentence, with the hint where there is one.
    package var description: String {
        var text = "\(message) (SQLSTATE \(sqlState))"
        if let hint { text += ". \(hint)" }
        return text
    }
}

extension String {
    /// The first occurrence of `other`.
    fileprivate func range(of other: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) {
                return start..<index(start, offsetBy: other.count)
            }
            start = index(after: start)
        }
        return nil
    }
}

// MARK: - Errors made on this side

extension PostgresError {
    /// The text of a parameter holds a NUL, which PostgreSQL cannot store.
    static let nulInText = PostgresError(
        sqlState: "22021", message: "a text with a NUL character cannot be sent to PostgreSQL")

    static let cancelled = PostgresError(
        sqlState: "57014", message: "the work was cancelled before this statement")

    static let connectionLost = PostgresError(
        sqlState: "08006", message: "the connection to PostgreSQL was lost")

    static let closed = PostgresError(
        sqlState: "08003", message: "the connection to PostgreSQL is closed")

    static func tooManyParameters(_ count: Int) -> PostgresError {
        PostgresError(
            sqlState: "54023",
            message:
                "a statement takes at most \(Limits.parametersMaximum) parameters, not \(count)")
    }

    static func noColumn(_ name: String) -> PostgresError {
        PostgresError(sqlState: "42703", message: "the result has no column \"\(name)\"")
    }

    static func null(_ name: String) -> PostgresError {
        PostgresError(sqlState: "22002", message: "the column \(name) is null")
    }

    static func wrongType(_ name: String, wanted: String, oid: Oid) -> PostgresError {
        PostgresError(
            sqlState: "42804",
            message:
                "the column \(name) of type \(TypeID.name(of: oid)) is not readable as \(wanted)")
    }

    static func rowCount(_ count: Int) -> PostgresError {
        PostgresError(sqlState: "21000", message: "exactly one row was expected, not \(count)")
    }
}

/// Limits of the protocol.
enum Limits {
    /// The wire counts parameters in 16 bits.
    static let parametersMaximum = 65_535
}
