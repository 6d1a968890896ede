/// Brings a database to the schema of a folder of migration files.
///
/// The migrator itself makes the schema `systole` and its table `systole.schema_migration` where
/// they are missing; everything else is in the files. Each file runs in one transaction together
/// with its record, so that a failed one leaves nothing. One process migrates at a time.
package struct Migrator: Sendable {
    /// The files in order.
    package let files: [MigrationFile]
    /// How long a statement of a file may wait for a lock.
    package var lockWaitMaximum = Duration.seconds(3)
    /// How long a statement of a file may run.
    package var statementMaximum = Duration.seconds(600)
    /// How often a file that met a lock is tried.
    package var attemptsMaximum = 5
    /// How long to wait for another process that is migrating.
    package var turnWaitMaximum = Duration.seconds(120)

    /// "systole" in the eight bytes of an advisory lock.
    static let lockKey: Int64 = 0x7379_7374_6F6C_65

    /// - Parameter folder: The folder with `NNNN_name.sql`.
    /// - Throws: A `MigrationError` about the folder.
    package init(folder: String) throws(MigrationError) {
        files = try MigrationFile.all(in: folder)
    }

    /// What a database has and lacks.
    package struct Status: Equatable, Sendable {
        /// File names in order of application.
        package let applied: [String]
        /// File names that would be applied next.
        package let pending: [String]
    }

    /// Compares the folder with a database; writes nothing.
    ///
    /// - Parameter connection: A connection to the database.
    /// - Returns: What is applied and what is pending.
    /// - Throws: `MigrationError.databaseNewer`, `.changed` or `.database`.
    package func status(_ connection: Connection) async throws -> Status {
        let files = files
        return try await Self.translating {
            let applied = try await connection.withSession { db in
                try Self.applied(db, files: files)
            }
            return Status(
                applied: files.prefix(applied).map(\.name),
                pending: files.dropFirst(applied).map(\.name))
        }
    }

    /// - Throws: `MigrationError.pending` if the database lacks a migration, and all of `status`.
    package func requireCurrent(_ connection: Connection) async throws {
        let status = try await status(connection)
        guard let first = status.pending.first else { return }
        throw MigrationError.pending(count: status.pending.count, first: first)
    }

    /// Applies what is pending.
    ///
    /// - Parameters:
    ///   - connection: A connection of the schema's owner.
    ///   - progress: Told the name of each file once it is applied.
    /// - Returns: The names of the files that were applied now.
    /// - Throws: `MigrationError`; nothing was written if it is about the folder or a mismatch.
    @discardableResult
    package func apply(
        to connection: Connection, progress: @Sendable (String) -> Void = { _ in }
    ) async throws -> [String] {
        let files = files
        return try await Self.translating {
            // Before the lock, so that a wrong folder is refused even while another one migrates.
            _ = try await connection.withSession { db in try Self.applied(db, files: files) }
            try await takeTurn(connection)
            do {
                let names = try await applyPending(connection, progress)
                try await endTurn(connection)
                return names
            } catch {
                // The first error counts; a lost connection has given the lock back by itself.
                try? await endTurn(connection)
                throw error
            }
        }
    }

    // MARK: - Steps

    private func applyPending(
        _ connection: Connection, _ progress: @Sendable (String) -> Void
    ) async throws -> [String] {
        let files = files
        let applied = try await connection.withSession { db in try Self.applied(db, files: files) }
        guard applied < files.count else { return [] }
        try await connection.transaction { db in try Self.makeRecordTable(db) }
        var names: [String] = []
        for file in files.dropFirst(applied) {
            try await applyWithRetry(file, connection)
            names.append(file.name)
            progress(file.name)
        }
        return names
    }

    private func applyWithRetry(_ file: MigrationFile, _ connection: Connection) async throws {
        for attempt in 1...attemptsMaximum {
            do {
                try await connection.transaction { db in try applyOnce(file, db) }
                return
            } catch let error as PostgresError {
                let isRetried = ["55P03", "40P01"].contains(error.sqlState)
                guard isRetried, attempt < attemptsMaximum else {
                    throw MigrationError.failed(file: file.name, error)
                }
                // Others get their turn at the table before we queue for its lock again.
                try await ContinuousClock().sleep(for: .milliseconds(100 << attempt))
            }
        }
    }

    private func applyOnce(_ file: MigrationFile, _ db: borrowing Session) throws {
        try db.runScript(
            """
            SET LOCAL lock_timeout = \(lockWaitMaximum.wholeMilliseconds);
            SET LOCAL statement_timeout = \(statementMaximum.wholeMilliseconds);
            SET LOCAL search_path = pg_catalog;
            """)
        let transaction = try db.run("SELECT pg_current_xact_id() AS id").only().int64("id")
        try db.runScript(file.script)
        guard db.isInTransaction(),
            try db.run("SELECT pg_current_xact_id() AS id").only().int64("id") == transaction
        else { throw MigrationError.endsTransaction(file.name) }
        try db.run(
            """
            INSERT INTO systole.schema_migration (number, name, sha256)
            VALUES (\(file.number), \(file.name), \(file.digest))
            """)
    }

    private static func makeRecordTable(_ db: borrowing Session) throws {
        try db.runScript(
            """
            CREATE SCHEMA IF NOT EXISTS systole;
            CREATE TABLE IF NOT EXISTS systole.schema_migration (
                number     integer     PRIMARY KEY,
                name       text        NOT NULL,
                sha256     text        NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            );
            COMMENT ON TABLE systole.schema_migration IS
                'The migration files that this database has applied, with their SHA-256.';
            """)
    }

    /// How many of `files` the database has; they are the first ones.
    private static func applied(
        _ db: borrowing Session, files: [MigrationFile]
    ) throws -> Int {
        let exists = try db.run(
            "SELECT to_regclass('systole.schema_migration') IS NOT NULL AS there"
        ).only().bool("there")
        guard exists else { return 0 }
        let rows = try db.run(
            "SELECT number, name, sha256 FROM systole.schema_migration ORDER BY number")
        for (index, row) in rows.enumerated() {
            let (number, name) = (try row.int("number"), try row.text("name"))
            guard let file = files.first(where: { $0.number == number }) else {
                throw MigrationError.databaseNewer(name: name)
            }
            guard number == index + 1 else {
                throw MigrationError.gap(missing: index + 1, found: name)
            }
            guard try row.text("sha256") == file.digest else {
                throw MigrationError.changed(file.name)
            }
        }
        return rows.count
    }

    // MARK: - One at a time

    private func takeTurn(_ connection: Connection) async throws {
        do {
            let wait = turnWaitMaximum.wholeMilliseconds
            try await connection.withSession { db in
                try db.runScript("SET lock_timeout = \(wait); SET statement_timeout = 0")
                try db.run("SELECT pg_advisory_lock(\(Self.lockKey)::bigint)")
            }
        } catch let error as PostgresError where error.sqlState == "55P03" {
            throw MigrationError.busy
        }
    }

    private func endTurn(_ connection: Connection) async throws {
        try await connection.run("SELECT pg_advisory_unlock(\(Self.lockKey)::bigint)")
        try await connection.restoreSettings()
    }

    private static func translating<T>(
        _ work: () async throws -> T
    ) async throws -> T {
        do {
            return try await work()
        } catch let error as PostgresError {
            throw MigrationError.database(error)
        }
    }
}
