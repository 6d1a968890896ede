import Postgres
import TestSupport
import Testing
import Series
import Store

/// Each role can do its work and nothing more, by what the server itself says about every object.
@Suite struct RoleTests {
    static let roles = [
        "systole_ingest", "systole_worker", "systole_notify", "systole_api", "systole_reader",
    ]

    private func lines(_ sql: SQL, _ pool: Pool) async throws -> [String] {
        try await pool.run(sql).allTexts("line")
    }

    @Test func `every right that somebody has is in the table of privileges, and the reverse`()
        async throws
    {
        try await withTestDatabase { database in
            // pg_class's own list of rights, for every role but the owner; schema_migration is for all.
            let relations = try await lines(
                """
                WITH held AS (
                    SELECT coalesce(r.rolname, 'PUBLIC') AS role, c.relname AS object,
                        string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS rights
                    FROM pg_class c, aclexplode(c.relacl) a
                    LEFT JOIN pg_roles r ON r.oid = a.grantee
                    WHERE c.relnamespace = 'systole'::regnamespace AND a.grantee <> c.relowner
                        AND c.relname <> 'schema_migration' GROUP BY 1, 2),
                stated AS (
                    SELECT role, object, (SELECT string_agg(x, ', ' ORDER BY x)
                        FROM unnest(string_to_array(rights, ', ')) x) AS rights
                    FROM systole.privilege WHERE rights <> 'EXECUTE')
                SELECT concat_ws(' ', coalesce(h.role, s.role), coalesce(h.object, s.object), 'has',
                    h.rights, 'instead of', s.rights) AS line
                FROM held h FULL JOIN stated s USING (role, object)
                WHERE h.rights IS DISTINCT FROM s.rights
                """, database.pool)
            #expect(relations.isEmpty)
            let functions = try await lines(
                """
                SELECT concat_ws(' ', coalesce(r.rolname, 'PUBLIC'), f.oid::regprocedure) AS line
                FROM pg_proc f
                CROSS JOIN aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
                LEFT JOIN pg_roles r ON r.oid = a.grantee
                WHERE f.pronamespace = 'systole'::regnamespace AND a.grantee <> f.proowner
                    AND f.provolatile <> 'i'
                    AND NOT EXISTS (SELECT FROM systole.privilege p WHERE p.role = r.rolname
                        AND p.object = f.proname AND p.rights = 'EXECUTE')
                """, database.pool)
            #expect(functions.isEmpty)
            let misspelt = try await lines(
                """
                SELECT p.role || ' ' || p.object AS line FROM systole.privilege p
                WHERE CASE p.rights WHEN 'EXECUTE' THEN NOT EXISTS (SELECT FROM pg_proc f
                    WHERE f.pronamespace = 'systole'::regnamespace AND f.proname = p.object)
                    ELSE to_regclass('systole.' || p.object) IS NULL END
                """, database.pool)
            #expect(misspelt.isEmpty)
        }
    }

    @Test func `whatever may be called runs as the owner with a fixed path`() async throws {
        try await withTestDatabase { database in
            let open = try await lines(
                """
                SELECT DISTINCT f.oid::regprocedure::text AS line
                FROM pg_proc f JOIN systole.privilege p ON p.object = f.proname
                WHERE p.rights = 'EXECUTE' AND f.pronamespace = 'systole'::regnamespace
                    AND f.prokind = 'f' AND f.provolatile <> 'i'
                    AND NOT (f.prosecdef
                        AND 'search_path=pg_catalog, pg_temp' = ANY (coalesce(f.proconfig, '{}')))
                """, database.pool)
            #expect(open.isEmpty)
            let strangers = try await lines(
                """
                SELECT relname::text AS line FROM pg_class
                WHERE relnamespace = 'systole'::regnamespace AND relkind IN ('r', 'p', 'v')
                    AND relowner <> 'systole_owner'::regrole
                UNION ALL
                SELECT proname FROM pg_proc
                WHERE pronamespace = 'systole'::regnamespace AND proowner <> 'systole_owner'::regrole
                """, database.pool)
            #expect(strangers.isEmpty)
            let power = try await lines(
                """
                SELECT rolname::text AS line FROM pg_roles WHERE rolname LIKE 'systole\\_%'
                    AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)
                """, database.pool)
            #expect(power.isEmpty)
        }
    }

    /// What each role is refused that would harm somebody.
    @Test(arguments: [
        ("systole_reader", "SELECT systole.request_forecast('plant.a', '1 day')"),
        ("systole_reader", "SELECT * FROM systole.observation"),
        ("systole_reader", "SELECT * FROM systole.webhooks"),
        ("systole_reader", "SELECT systole.add_webhook('https://example.org', '{anomaly.opened}')"),
        ("systole_reader", "CREATE TABLE systole.mine (n integer)"),
        ("systole_reader", "SELECT systole.archive_job(1, 'dead', NULL, NULL, NULL)"),
        ("systole_api", "SELECT * FROM systole.webhook_endpoint"),
        ("systole_api", "UPDATE systole.job SET state = 'ready'"),
        ("systole_api", "SELECT systole.claim_jobs(gen_random_uuid(), '{forecast}', 1)"),
        ("systole_api", "SELECT systole.emit('anomaly.opened', 'a', '{}')"),
        ("systole_api", "DELETE FROM systole.forecast"),
        ("systole_ingest", "SELECT * FROM systole.webhook_endpoint"),
        ("systole_ingest", "SELECT * FROM systole.model"),
        ("systole_ingest", "INSERT INTO systole.forecast DEFAULT VALUES"),
        ("systole_ingest", "DELETE FROM systole.observation"),
        ("systole_ingest", "SELECT systole.add_webhook('https://example.org', '{anomaly.opened}')"),
        ("systole_worker", "SELECT * FROM systole.webhook_endpoint"),
        ("systole_worker", "UPDATE systole.forecast SET value = '{}'"),
        ("systole_worker", "DELETE FROM systole.forecast"),
        ("systole_worker", "UPDATE systole.anomaly_score SET score = '{}'"),
        ("systole_worker", "DELETE FROM systole.job"),
        ("systole_worker", "UPDATE systole.observation SET value = 0"),
        ("systole_worker", "SELECT systole.derive('a', 'b', 'c')"),
        ("systole_reader", "SELECT systole.derive('a', 'b', 'c')"),
        ("systole_reader", "SELECT state FROM systole.derivation"),
        ("systole_worker", "SELECT systole.pause_kind('forecast')"),
        ("systole_worker", "SELECT systole.schedule_forecasts('{}', '1 day')"),
        ("systole_worker", "SELECT systole.share_model(1, '{}')"),
        ("systole_worker", "SELECT systole.unshare_model('{}')"),
        ("systole_worker", "SELECT systole.adopt_shared_models('{}')"),
        ("systole_reader", "SELECT systole.complete_and_claim(gen_random_uuid(), '{forecast}', 1)"),
        ("systole_reader", "SELECT systole.request_forecasts('{}', '1 day')"),
        ("systole_api", "SELECT systole.emit_all('forecast.failed', '{a}', '{}')"),
        ("systole_notify", "SELECT * FROM systole.observation"),
        ("systole_notify", "SELECT * FROM systole.recordings"),
        ("systole_notify", "SELECT * FROM systole.forecast"),
        ("systole_notify", "SELECT systole.promote_model(1)"),
        ("systole_notify", "DELETE FROM systole.webhook_delivery"),
    ])
    func `a role is refused what is not its work`(role: String, statement: String) async throws {
        try await withTestDatabase { database in
            var configuration = database.configuration
            configuration["user"] = role
            let connection = try await Connection.open(configuration)
            let error = await #expect(throws: PostgresError.self) {
                _ = try await connection.run("\(raw: statement)")
            }
            #expect(error?.sqlState == "42501")
            await connection.close()
        }
    }

    @Test func `a reader writes nothing and waits no longer than its limit`() async throws {
        try await withTestDatabase { database in
            // The limits are the database's, which this one does not have from its template.
            _ = try await database.pool.run("SELECT systole.apply_privileges()")
            var configuration = database.configuration
            configuration["user"] = "systole_reader"
            let connection = try await Connection.open(configuration)
            // What the server gives a session of any client; ours asks for limits of its own.
            let settings = try await database.pool.run(
                """
                SELECT array_to_string(setconfig, ' ') AS line FROM pg_db_role_setting
                WHERE setrole = 'systole_reader'::regrole
                    AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                """)
            #expect(
                try settings.only().text("line")
                    == "default_transaction_read_only=on statement_timeout=30s")
            for question: SQL in [
                "SELECT count(*) FROM systole.invariants()", "SELECT * FROM systole.accuracy",
                "SELECT * FROM systole.ecg_findings", "SELECT * FROM systole.jobs",
                "SELECT * FROM systole.privileges", "SELECT * FROM systole.forecast_vs_actual",
                "SELECT * FROM systole.preview_cron('0 6 * * *', 'Europe/Oslo')",
            ] {
                _ = try await connection.run(question)
            }
            await connection.close()
        }
    }

    @Test func `who calls for users may ask for forecasts by labels`() async throws {
        try await withTestDatabase { database in
            try await database.pool.transaction { db in _ = try Fixture.series(in: db) }
            var configuration = database.configuration
            configuration["user"] = "systole_api"
            let connection = try await Connection.open(configuration)
            for question: SQL in [
                "SELECT systole.label_series('plant.oil_temp', '{\"site\": \"a\"}')",
                "SELECT systole.request_forecasts('{\"site\": \"a\"}', '1 day')",
                "SELECT systole.schedule_forecasts('{\"site\": \"a\"}', '1 day', every => '1 hour')",
            ] {
                _ = try await connection.run(question)
            }
            await connection.close()
        }
    }

    @Test(arguments: ["systole_ingest", "systole_worker"])
    func `who stores observations may also put them aside`(role: String) async throws {
        try await withTestDatabase { database in
            let id = try await database.pool.transaction { db in
                try SeriesStore.ensure(key: "plant.a", in: db).id
            }
            var configuration = database.configuration
            configuration["user"] = role
            let pool = Pool(configuration)
            let counts = try await pool.transaction { db in
                try SeriesStore.append(
                    [
                        Observation(at: Timestamp(unixSeconds: 4_000_000_000), value: 1),
                        Observation(at: Timestamp(unixSeconds: -3_000_000_000), value: 2),
                    ], to: id, in: db)
            }
            #expect(counts == AppendCounts(parked: 2))
            await pool.close()
        }
    }
}
