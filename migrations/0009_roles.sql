-- 0009_roles.sql: who may do what.
-- Locks: every object of the schema for a moment, to give it its owner; a running service waits for it.
--
-- Roles belong to the server, not to the database: they are made where they are missing. They can log in, but have no
-- password until you give them one (ALTER ROLE systole_reader PASSWORD …), or are granted to roles of your own.
-- Later migrations that add objects add their rows to systole.privilege and call systole.apply_privileges() again.
SET LOCAL lock_timeout = '2s';

CREATE TABLE systole.privilege (
    role   text NOT NULL,
    object text NOT NULL,
    rights text NOT NULL,

    CONSTRAINT privilege_role_known CHECK (role IN ('systole_ingest', 'systole_worker', 'systole_notify',
        'systole_api', 'systole_reader')),
    CONSTRAINT privilege_rights_known
        CHECK (rights ~ '^(EXECUTE|(SELECT|INSERT|UPDATE|DELETE)(, (SELECT|INSERT|UPDATE|DELETE))*)$')
);
-- A function may have the name of a table: forecast, watch and anomaly_score do.
CREATE UNIQUE INDEX privilege_once ON systole.privilege (role, object, (rights = 'EXECUTE'));
COMMENT ON TABLE systole.privilege IS
    'What each role may do, beside using the schema and reading schema_migration: rights on a table or view, or EXECUTE on all '
    'functions of a name. What is not here is not granted to anybody but the owner.';

-- Functions that answer or act for users run as the owner, so that nobody needs rights on tables to call them.
INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, 'EXECUTE'
FROM (VALUES
    -- Questions.
    ('{systole_reader,systole_api,systole_worker}'::text[],
        '{forecast,forecast_as_of,anomaly_score,waveform,next_fires,preview_cron,similar_series,
        series_id_of,horizon_steps,invariants}'::text[]),
    -- What users ask for.
    ('{systole_api}',
        '{request_forecast,schedule_forecast,forecast_now,train,rollback_model,promote_model,
        promote_classifier,watch,unwatch,label_anomaly,classify_recordings,set_step,create_schedule,
        pause_schedule,resume_schedule,delete_schedule,trigger_schedule,backfill_schedule,find_schedule,
        enqueue,enqueue_batch,cancel_job,retry_job,redrive_jobs,raise_unknown_job,pause_kind,resume_kind,
        limit_kind,add_webhook,test_webhook,disable_webhook,enable_webhook,remove_webhook,
        rotate_webhook,replay_webhook,replay_webhooks}'),
    -- The queue, as processes with job handlers use it.
    ('{systole_worker,systole_ingest}',
        '{register_worker,heartbeat,drain_worker,release_jobs,release_worker_jobs,claim_jobs,
        complete_job,complete_jobs,fail_job,emit,enqueue,observation_limits}'),
    -- The leader's duties, and what results bring with them.
    ('{systole_worker}',
        '{lead,resign,fire_due_schedules,rescue_lost_jobs,ensure_job_history,prune_job_history,
        prune_webhooks,merge_late_observations,enqueue_batch,cancel_job,retry_job,train,promote_model,
        promote_classifier,begin_training,keep_training_state,hold_lease,outbox_horizon}'),
    ('{systole_ingest}', '{ensure_partitions,create_schedule,delete_schedule}'),
    ('{systole_notify}', '{outbox_horizon,prune_webhooks,emit}')
) AS given (roles, objects), unnest(roles) AS role, unnest(objects) AS object;

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, rights
FROM (VALUES
    ('systole_worker', 'SELECT', '{series,observation,model,forecast,watch,anomaly_score,incident,
        recording,recording_channel,waveform_chunk,classifier,classification,training,training_state,
        outbox}'::text[]),
    ('systole_worker', 'SELECT, INSERT, UPDATE', '{outbox_cursor}'),
    ('systole_ingest', 'SELECT, INSERT, UPDATE', '{series,observation,source,source_cursor,recording,
        recording_channel}'),
    ('systole_ingest', 'INSERT', '{late_observation}'),
    ('systole_ingest', 'SELECT, INSERT, DELETE', '{waveform_chunk}'),
    ('systole_notify', 'SELECT', '{outbox,webhook_event_type}'),
    ('systole_notify', 'SELECT, INSERT, UPDATE', '{outbox_cursor,webhook_delivery,webhook_attempt}'),
    ('systole_notify', 'SELECT, UPDATE', '{webhook_endpoint}')
) AS given (role, rights, objects), unnest(objects) AS object;
UPDATE systole.privilege SET rights = 'SELECT, INSERT'
WHERE role = 'systole_worker' AND rights <> 'EXECUTE' AND object IN ('forecast', 'anomaly_score', 'classification', 'classifier');
-- To lock a series while its models change is to update it.
UPDATE systole.privilege SET rights = 'SELECT, INSERT, UPDATE'
WHERE role = 'systole_worker' AND rights <> 'EXECUTE' AND object IN ('model', 'incident');
UPDATE systole.privilege SET rights = 'SELECT, UPDATE'
WHERE role = 'systole_worker' AND rights <> 'EXECUTE' AND object IN ('watch', 'series');
UPDATE systole.privilege SET rights = 'SELECT, INSERT, UPDATE, DELETE'
WHERE role = 'systole_ingest' AND object IN ('source', 'recording_channel');

INSERT INTO systole.privilege (role, object, rights)
SELECT role, relname, 'SELECT'
FROM pg_class, unnest('{systole_reader,systole_api,systole_worker}'::text[]) AS role
WHERE relnamespace = 'systole'::regnamespace AND relkind = 'v'
    AND NOT (role = 'systole_reader' AND relname IN ('webhooks', 'webhook_log'))
UNION ALL
SELECT 'systole_ingest', unnest('{series_list,observations,recordings,schedules,queues}'::text[]), 'SELECT'
UNION ALL
SELECT 'systole_notify', unnest('{webhooks,webhook_log}'::text[]), 'SELECT';

CREATE VIEW systole.privileges AS
SELECT p.role, p.object, p.rights,
    coalesce(obj_description(to_regclass('systole.' || quote_ident(p.object)), 'pg_class'), (
        SELECT obj_description(f.oid, 'pg_proc') FROM pg_proc f
        WHERE f.pronamespace = 'systole'::regnamespace AND f.proname = p.object LIMIT 1)) AS description
FROM systole.privilege p;
COMMENT ON VIEW systole.privileges IS
    'What each role of the service may do in this database: systole_ingest stores data, systole_worker runs jobs and '
    'schedules, systole_notify sends webhooks, systole_api calls what users call, systole_reader reads views.';
INSERT INTO systole.privilege VALUES
    ('systole_reader', 'privileges', 'SELECT'), ('systole_api', 'privileges', 'SELECT'),
    ('systole_worker', 'privileges', 'SELECT');

CREATE FUNCTION systole.apply_privileges() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wanted text;
    object record;
BEGIN
    FOREACH wanted IN ARRAY '{systole_owner,systole_ingest,systole_worker,systole_notify,systole_api,systole_reader}'::text[] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I %s', wanted,
                    CASE wanted WHEN 'systole_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
            END IF;
        EXCEPTION
            -- Another database of the server was faster.
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE WARNING 'The roles of Systole are missing, and % may not make them: everybody but the owner is refused.',
                    current_user USING HINT = 'As a role with CREATEROLE: SELECT systole.apply_privileges();';
                RETURN;
        END;
    END LOOP;
    IF NOT pg_has_role(current_user, 'systole_owner', 'USAGE') THEN
        EXECUTE format('GRANT systole_owner TO %I', current_user);
    END IF;

    -- One owner who is no superuser, since functions below run as the owner.
    ALTER SCHEMA systole OWNER TO systole_owner;
    FOR object IN
        SELECT c.oid::regclass::text AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END AS kind
        FROM pg_class c
        WHERE c.relnamespace = 'systole'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'c')
            AND c.relowner <> 'systole_owner'::regrole
        UNION ALL
        SELECT f.oid::regprocedure::text, 'ROUTINE' FROM pg_proc f
        WHERE f.pronamespace = 'systole'::regnamespace AND f.proowner <> 'systole_owner'::regrole
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO systole_owner', object.kind, object.name);
    END LOOP;

    -- What may be called runs as the owner, with a path that nobody can bend; the rest runs as who calls it, and nobody but
    -- those may. A procedure that commits cannot; it calls functions that do.
    FOR object IN
        SELECT f.oid::regprocedure AS name FROM pg_proc f
        WHERE f.pronamespace = 'systole'::regnamespace AND f.prokind = 'f' AND NOT f.prosecdef
            AND f.provolatile <> 'i' AND EXISTS (
                SELECT FROM systole.privilege p WHERE p.object = f.proname AND p.rights = 'EXECUTE')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', object.name);
    END LOOP;

    REVOKE ALL ON ALL TABLES IN SCHEMA systole FROM PUBLIC, systole_ingest, systole_worker, systole_notify, systole_api, systole_reader;
    REVOKE ALL ON ALL ROUTINES IN SCHEMA systole FROM PUBLIC, systole_ingest, systole_worker, systole_notify, systole_api, systole_reader;
    GRANT USAGE ON SCHEMA systole TO systole_ingest, systole_worker, systole_notify, systole_api, systole_reader;
    GRANT SELECT ON systole.schema_migration TO systole_ingest, systole_worker, systole_notify, systole_api, systole_reader;
    FOR object IN
        SELECT p.role, p.rights, c.oid::regclass::text AS name, 'TABLE' AS kind
        FROM systole.privilege p
        JOIN pg_class c ON c.relnamespace = 'systole'::regnamespace AND c.relname = p.object
        WHERE p.rights <> 'EXECUTE'
        UNION ALL
        SELECT p.role, p.rights, f.oid::regprocedure::text, 'ROUTINE'
        FROM systole.privilege p
        JOIN pg_proc f ON f.pronamespace = 'systole'::regnamespace AND f.proname = p.object
        WHERE p.rights = 'EXECUTE'
        UNION ALL
        -- Arithmetic, which views are made of: a view calls it as who reads it.
        SELECT r.role, 'EXECUTE', f.oid::regprocedure::text, 'ROUTINE'
        FROM pg_proc f, (SELECT DISTINCT p.role FROM systole.privilege p) r
        WHERE f.pronamespace = 'systole'::regnamespace AND f.provolatile = 'i'
    LOOP
        EXECUTE format('GRANT %s ON %s %s TO %I', object.rights, object.kind, object.name, object.role);
    END LOOP;

    -- A reader's forgotten query must not hold up the service.
    EXECUTE format('ALTER ROLE systole_reader IN DATABASE %I SET default_transaction_read_only = on', current_database());
    EXECUTE format('ALTER ROLE systole_reader IN DATABASE %I SET statement_timeout = %L', current_database(), '30s');
    EXECUTE format('ALTER ROLE systole_api IN DATABASE %I SET statement_timeout = %L', current_database(), '5min');
END $$;
COMMENT ON FUNCTION systole.apply_privileges IS
    'Makes the roles of the service where they are missing and gives them what systole.privileges says, and nothing else. '
    'Migrations call it; call it again after a restore into another server.';

SELECT systole.apply_privileges();
