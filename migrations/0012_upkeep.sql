-- 0012_upkeep.sql: how long things are kept, and who keeps dead rows alive.
-- Locks: new objects only; a running service notices nothing.
--
-- Error codes of this file: SY029 a retention that makes no sense.
SET LOCAL lock_timeout = '2s';

CREATE TABLE systole.retention (
    what text     NOT NULL,
    keep interval NOT NULL,

    CONSTRAINT retention_pkey PRIMARY KEY (what),
    CONSTRAINT retention_what_known CHECK (what IN ('observations', 'job_history')),
    CONSTRAINT retention_keep_positive CHECK (keep >= interval '1 day')
);
COMMENT ON TABLE systole.retention IS
    'How long things are kept; set_retention() changes it. Observations go by whole years and finished jobs by whole months, '
    'whose partitions are dropped. What is not here is kept for ever, as forecasts and scores are.';
INSERT INTO systole.retention VALUES ('job_history', '90 days');

CREATE FUNCTION systole.set_retention(what text, keep interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF what IS NULL OR what NOT IN ('observations', 'job_history') THEN
        RAISE EXCEPTION 'There is no retention of %.', coalesce(quote_literal(left(what, 80)), 'NULL')
            USING ERRCODE = 'SY029', HINT = 'Accepted: observations, job_history.';
    END IF;
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'Things are kept for a day at least; found %.', quote_literal(keep)
            USING ERRCODE = 'SY029', HINT = 'NULL keeps them for ever.';
    END IF;
    DELETE FROM systole.retention r WHERE r.what = set_retention.what;
    INSERT INTO systole.retention (what, keep)
    SELECT set_retention.what, set_retention.keep WHERE set_retention.keep IS NOT NULL;
END $$;
COMMENT ON FUNCTION systole.set_retention IS
    'Says how long observations or job_history are kept; NULL is for ever. The leader applies it every hour.';

CREATE FUNCTION systole.prune_observations(keep interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    part    regclass;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'systole.observation'::regclass
            AND make_timestamptz(right(c.relname, 4)::integer + 1, 1, 1, 0, 0, 0, 'UTC') <= now() - keep
    LOOP
        EXECUTE format('DROP TABLE %s', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION systole.prune_observations IS
    'Drops whole years of observations that are older than the given interval; returns how many.';

CREATE FUNCTION systole.apply_retention() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM systole.prune_observations(r.keep) FROM systole.retention r WHERE r.what = 'observations';
    PERFORM systole.prune_job_history(r.keep) FROM systole.retention r WHERE r.what = 'job_history';
END $$;
COMMENT ON FUNCTION systole.apply_retention IS 'Drops and deletes what retention no longer keeps; the leader calls it every hour.';

-- A function, since only what runs as the owner sees the sessions of others.
CREATE FUNCTION systole.snapshots() RETURNS TABLE (
    kind text, holder text, application_name text, role text, state text, held_for interval)
LANGUAGE sql STABLE AS $$
    SELECT 'session', 'process ' || a.pid, a.application_name, a.usename::text, a.state, now() - a.xact_start
    FROM pg_stat_activity a
    WHERE a.backend_xmin IS NOT NULL AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
    UNION ALL
    SELECT 'prepared transaction', p.gid, NULL, p.owner::text, NULL, now() - p.prepared FROM pg_prepared_xacts p
    UNION ALL
    SELECT 'replication slot', s.slot_name::text, s.plugin::text, NULL,
        CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL
    FROM pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
$$;
COMMENT ON FUNCTION systole.snapshots IS 'What systole.held_snapshots shows.';

CREATE VIEW systole.held_snapshots AS SELECT * FROM systole.snapshots();
COMMENT ON VIEW systole.held_snapshots IS
    'What keeps dead rows alive, so that the hot tables grow and slow down: sessions in a transaction, prepared transactions and '
    'replication slots. The leader warns of what is held for ten minutes.';
COMMENT ON COLUMN systole.held_snapshots.held_for IS 'How long the transaction is open; a slot does not say.';

DO $$
BEGIN
    -- Without it, a role sees its own sessions only.
    GRANT pg_read_all_stats TO systole_owner;
EXCEPTION
    WHEN insufficient_privilege OR undefined_object THEN
        RAISE WARNING 'Snapshots that other roles hold are not seen.'
            USING HINT = 'As an administrator: GRANT pg_read_all_stats TO systole_owner;';
END $$;

CREATE FUNCTION systole.longest_snapshot() RETURNS TABLE (holder text, application_name text, held_for interval)
LANGUAGE sql STABLE AS $$
    SELECT h.holder, h.application_name, h.held_for FROM systole.held_snapshots h
    WHERE h.held_for IS NOT NULL ORDER BY h.held_for DESC LIMIT 1
$$;
COMMENT ON FUNCTION systole.longest_snapshot IS 'The transaction that has kept dead rows alive for longest.';

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_api', 'set_retention', 'EXECUTE'), ('systole_api', 'held_snapshots', 'SELECT'),
    ('systole_api', 'snapshots', 'EXECUTE'), ('systole_worker', 'snapshots', 'EXECUTE'),
    ('systole_reader', 'snapshots', 'EXECUTE'),
    ('systole_worker', 'apply_retention', 'EXECUTE'), ('systole_worker', 'longest_snapshot', 'EXECUTE'),
    ('systole_worker', 'held_snapshots', 'SELECT'), ('systole_reader', 'held_snapshots', 'SELECT');
SELECT systole.apply_privileges();
