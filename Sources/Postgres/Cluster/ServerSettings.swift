import Foundation

/// The settings of a private server: small beside the workers, and silent about values.
struct ServerSettings {
    let port: UInt16
    let sockets: String?
    let memoryBytes: UInt64

    /// `postgresql.conf`, written anew at each start.
    var configuration: String {
        let megabytes = memoryBytes >> 20
        let shared = min(1024, max(64, megabytes / 8))
        return """
            # Written by systole at each start; changes are lost. Use ALTER SYSTEM instead.
            listen_addresses = '127.0.0.1'
            port = \(port)
            unix_socket_directories = '\(sockets ?? "")'
            max_connections = 100
            password_encryption = 'scram-sha-256'
            timezone = 'UTC'
            log_timezone = 'UTC'
            lc_messages = 'C.UTF-8'
            shared_buffers = \(shared)MB
            effective_cache_size = \(max(128, megabytes / 2))MB
            work_mem = 16MB
            maintenance_work_mem = 128MB
            max_wal_size = 2GB
            checkpoint_completion_target = 0.9
            wal_compression = on
            random_page_cost = 1.1
            jit = off
            # Health data stays out of the log: no DETAIL, no statements, no parameters.
            log_error_verbosity = terse
            log_min_error_statement = panic
            log_parameter_max_length = 0
            log_parameter_max_length_on_error = 0
            log_checkpoints = off

            """
    }

    /// `pg_hba.conf`: by operating-system user on the socket, by password on loopback.
    static var access: String {
        """
        # Written by systole at each start; changes are lost.
        local all systole,\(roles.joined(separator: ",")) peer map=systole
        local all all scram-sha-256
        host all all 127.0.0.1/32 scram-sha-256

        """
    }

    /// `pg_ident.conf`.
    ///
    /// - Parameter users: The operating-system users that may be `systole` and its roles.
    /// - Returns: The file's text.
    static func identities(_ users: Set<String>) -> String {
        users.sorted().flatMap { user in
            (["systole"] + roles).map { "systole \"\(user)\" \($0)\n" }
        }.joined()
    }

    /// Who may do one part of the work each, as migration 0009 says.
    static let roles = [
        "systole_ingest", "systole_worker", "systole_notify", "systole_api", "systole_reader",
    ]
}
