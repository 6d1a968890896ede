import CLibPQ
import Foundation

/// Where a database is, as whom to enter, and the limits of each session.
///
/// What is absent takes libpq's own default (its `PG*` environment, then the local socket).
package struct ConnectionConfiguration: Equatable, Sendable {
    /// libpq's keywords, such as `host`, `port`, `user`, `dbname`, `sslmode`.
    package private(set) var parameters: [String: String]

    /// Shown in `pg_stat_activity`: the role of this process.
    package var applicationName = "systole"
    /// How long a transaction may sit between two statements.
    package var idleInTransactionMaximum = Duration.seconds(10)
    /// How long a statement may wait for a lock.
    package var lockWaitMaximum = Duration.seconds(2)
    /// How long a statement may run; zero means for ever.
    package var statementMaximum = Duration.seconds(60)
    /// How long connecting may take.
    package var connectMaximum = Duration.seconds(10)

    /// The version of libpq, such as `15.8`.
    package static var libraryVersion: String {
        let number = PQlibVersion()
        return "\(number / 10_000).\(number % 10_000)"
    }

    /// Reads `postgresql://user@host:port/name?…` or `host=… port=…`.
    ///
    /// - Parameter text: Either form; empty means libpq's defaults.
    /// - Throws: SQLSTATE 08001 without quoting `text`, which may hold a password.
    package init(_ text: String) throws(PostgresError) {
        guard let parsed = Self.parse(text) else {
            throw PostgresError(
                sqlState: "08001",
                message: "the connection text could not be read",
                hint: "Write postgresql://user@host:5432/name, or host=… port=… user=… dbname=….")
        }
        parameters = parsed
    }

    /// - Parameter parameters: libpq's keywords and their values.
    package init(parameters: [String: String]) {
        self.parameters = parameters
    }

    /// The value of one of libpq's keywords.
    package subscript(keyword: String) -> String? {
        get { parameters[keyword] }
        set { parameters[keyword] = newValue }
    }

    /// The database's name, where one was given.
    package var database: String? {
        get { parameters["dbname"] }
        set { parameters["dbname"] = newValue }
    }

    var password: String? { parameters["password"] }

    /// Whether every host is a socket or a loopback address.
    package var isLocal: Bool {
        let hosts = parameters["host"] ?? Self.defaultValue(of: "host") ?? ""
        let addresses = parameters["hostaddr"] ?? Self.defaultValue(of: "hostaddr") ?? ""
        let all = (hosts + "," + addresses).split(separator: ",")
        return all.allSatisfy { host in
            host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost"
                || host.hasPrefix("127.") || host == "::1"
        }
    }

    /// What libpq gets: the given keywords, and ours where none was given.
    var keywords: [(String, String)] {
        var all: [String: String] = [
            "application_name": applicationName,
            "client_encoding": "UTF8",
            "connect_timeout": String(Swift.max(2, connectMaximum.components.seconds)),
            "keepalives_idle": "30",
            "keepalives_interval": "10",
            "keepalives_count": "3",
            "tcp_user_timeout": "30000",
        ]
        if !isLocal { all["sslmode"] = "verify-full" }
        let hosts = (parameters["host"] ?? "").split(separator: ",").count
        if hosts > 1 { all["target_session_attrs"] = "read-write" }
        all.merge(parameters) { _, given in given }
        if all["sslmode"]?.hasPrefix("verify") == true, all["sslrootcert"] == nil,
            let store = Self.systemRoots
        {
            all["sslrootcert"] = store
        }
        return all.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The statements that a fresh session begins with. Ours are short and come often: to compile them takes
    /// the server longer than to run them, and it would for those whose cost it overestimates.
    var sessionSettings: String {
        """
        SET timezone = 'UTC';
        SET datestyle = 'ISO, MDY';
        SET intervalstyle = 'postgres';
        SET jit = off;
        SET idle_in_transaction_session_timeout = \(idleInTransactionMaximum.wholeMilliseconds);
        SET lock_timeout = \(lockWaitMaximum.wholeMilliseconds);
        SET statement_timeout = \(statementMaximum.wholeMilliseconds);
        """
    }

    // MARK: - libpq's own parsing

    private static func parse(_ text: String) -> [String: String]? {
        guard !text.utf8.contains(0) else { return nil }
        var message: UnsafeMutablePointer<CChar>?
        let options = unsafe PQconninfoParse(text, &message)
        if let message = unsafe message { unsafe PQfreemem(message) }
        guard let options = unsafe options else { return nil }
        defer { unsafe PQconninfoFree(options) }
        return unsafe given(options)
    }

    private static func defaultValue(of keyword: String) -> String? {
        guard let options = unsafe PQconndefaults() else { return nil }
        defer { unsafe PQconninfoFree(options) }
        return unsafe given(options)[keyword]
    }

    private static func given(
        _ options: UnsafeMutablePointer<PQconninfoOption>
    ) -> [String: String] {
        var found: [String: String] = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe found[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return found
    }

    /// The system's certificate store; libpq 15 would look in the home folder only.
    private static var systemRoots: String? {
        guard defaultValue(of: "sslrootcert") == nil,
            !FileManager.default.fileExists(
                atPath: NSHomeDirectory() + "/.postgresql/root.crt")
        else { return nil }
        return ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
            .first { FileManager.default.fileExists(atPath: $0) }
    }
}

extension ConnectionConfiguration: CustomStringConvertible {
    /// `host=… port=…` with the password replaced by dots.
    package var description: String {
        parameters.sorted { $0.key < $1.key }
            .map { key, value in
                Self.secrets.contains(key) ? "\(key)=…" : "\(key)=\(Self.quoted(value))"
            }
            .joined(separator: " ")
    }

    private static let secrets: Set<String> = ["password", "sslpassword"]

    private static func quoted(_ value: String) -> String {
        guard value.isEmpty || value.contains(where: { " '\\".contains($0) }) else { return value }
        return "'"
            + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
}

extension Duration {
    /// For PostgreSQL's time limits, in which zero stands for none.
    var wholeMilliseconds: Int64 {
        let parts = components
        return parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
    }
}
