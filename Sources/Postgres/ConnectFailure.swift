/// Gives a refused connection its SQLSTATE, which libpq keeps to itself.
enum ConnectFailure {
    private static let states: [(words: String, state: String)] = [
        ("password authentication failed", "28P01"),
        ("no password supplied", "28P01"),
        ("no pg_hba.conf entry", "28000"),
        ("authentication failed", "28000"),
        ("is starting up", "57P03"),
        ("is shutting down", "57P03"),
        ("not yet accepting connections", "57P03"),
        ("is in recovery mode", "57P03"),
        ("too many clients", "53300"),
        ("too many connections", "53300"),
        ("remaining connection slots", "53300"),
    ]

    /// - Parameters:
    ///   - text: libpq's message, perhaps of several lines (one per address tried).
    ///   - password: Cut out of the message, should it be there.
    /// - Returns: The error to throw.
    static func error(_ text: String, hiding password: String?) -> PostgresError {
        var message = text.split(separator: "\n").map { line in
            String(line).trimmed
        }.joined(separator: "; ")
        if let password, !password.isEmpty {
            message = message.replacing(password, with: "…")
        }
        return PostgresError(
            sqlState: state(of: message),
            message: message.isEmpty ? "PostgreSQL could not be reached" : message)
    }

    private static func state(of message: String) -> String {
        for (words, state) in states where message.contains(words) { return state }
        guard message.contains("does not exist") else { return "08001" }
        if message.contains("FATAL:  database") { return "3D000" }
        return message.contains("FATAL:  role") ? "28000" : "08001"
    }
}

extension String {
    /// Without white space at both ends.
    fileprivate var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest = rest.dropFirst() }
        while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
        return String(rest)
    }
}
