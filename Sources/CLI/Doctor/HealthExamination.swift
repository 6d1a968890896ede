import Postgres

/// One question to the database and what its answer means.
struct HealthExamination: Sendable {
    let topic: String
    /// Gives exactly one row.
    let query: SQL
    let judge: @Sendable (Row) throws -> Finding

    /// Asks; a refusal is a note, since a role may not see everything.
    func run(_ connection: Connection) async -> Finding {
        do {
            return try judge(try await connection.run(query).only())
        } catch {
            return Finding(
                topic, .note, "this could not be examined: \(Failure.sentence(for: error))")
        }
    }

    /// An examination that counts what should not be there.
    ///
    /// - Parameters:
    ///   - topic: What is looked at.
    ///   - query: Gives `n` and, where something can be named, `names`.
    ///   - fine: The sentence for none.
    ///   - state: What some mean.
    ///   - some: The sentence for some, behind the number.
    ///   - advice: What to do then.
    /// - Returns: The examination.
    static func count(
        _ topic: String, _ query: SQL, fine: String, _ state: Finding.State, some: String,
        advice: String
    ) -> HealthExamination {
        HealthExamination(topic: topic, query: query) { row in
            let count = try row.int64("n")
            guard count > 0 else { return Finding(topic, .fine, fine) }
            let names = try row.optionalText("names").map { ": \($0)" } ?? ""
            return Finding(topic, state, "\(count) \(some)\(names)", advice: advice)
        }
    }
}

// MARK: - Any PostgreSQL

extension HealthExamination {
    /// What can be asked before the schema is there.
    static let ofServer: [HealthExamination] = [
        .count(
            "durability",
            """
            SELECT count(*) AS n, string_agg(name, ', ' ORDER BY name) AS names FROM pg_settings
            WHERE name IN ('fsync', 'full_page_writes', 'autovacuum') AND setting = 'off'
            """,
            fine: "nothing that protects the data is switched off", .wrong,
            some: "settings that protect the data are off",
            advice: "switch them on in postgresql.conf"),
        .count(
            "held snapshots",
            """
            SELECT count(*) AS n, string_agg(DISTINCT holder, ', ') AS names
            FROM (
                SELECT 'process ' || pid || ' (' || application_name || ')' AS holder
                FROM pg_stat_activity
                WHERE backend_xmin IS NOT NULL AND xact_start < now() - interval '10 minutes'
                    AND backend_type = 'client backend'
                UNION ALL
                SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE NOT active
                UNION ALL
                SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
                WHERE prepared < now() - interval '10 minutes'
            ) AS held
            """,
            fine: "nothing older than ten minutes keeps dead rows alive", .wrong,
            some: "hold an old snapshot, so that dead rows pile up",
            advice: "end them: pg_terminate_backend, pg_drop_replication_slot, ROLLBACK PREPARED"),
        .count(
            "invalid indexes",
            """
            SELECT count(*) AS n, string_agg(indexrelid::regclass::text, ', ') AS names
            FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE NOT indisvalid AND relnamespace = to_regnamespace('systole')
            """,
            fine: "every index is valid", .wrong, some: "are not used but maintained",
            advice: "REINDEX INDEX CONCURRENTLY each of them"),
        HealthExamination(
            topic: "connections",
            query: """
                SELECT (SELECT count(*) FROM pg_stat_activity
                        WHERE backend_type = 'client backend') AS n,
                    current_setting('max_connections')::bigint AS most
                """
        ) { row in
            let (count, most) = (try row.int64("n"), try row.int64("most"))
            let found = "\(count) of \(most) are in use"
            guard count * 10 >= most * 8 else { return Finding("connections", .fine, found) }
            return Finding(
                "connections", .wrong, found, advice: "raise max_connections, or use a pooler")
        },
        HealthExamination(
            topic: "transaction numbers",
            query: "SELECT max(age(datfrozenxid))::bigint AS age FROM pg_database"
        ) { row in
            let age = try row.int64("age")
            guard age > 1_000_000_000 else {
                return Finding("transaction numbers", .fine, "the oldest is \(age) behind")
            }
            return Finding(
                "transaction numbers", .wrong,
                "the oldest is \(age) behind, of two thousand million",
                advice: "VACUUM (FREEZE), and find out what stops autovacuum")
        },
    ]
}
