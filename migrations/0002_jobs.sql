-- 0002_jobs.sql: the job queue, its history, workers, leader and schedules.
-- Locks: new objects only; a running service notices nothing.
--
-- The promise: at-least-once execution, exactly-once effects in this database. A run is identified by
-- (job_id, lease_no); lease_no only ever grows, and every write a worker makes about a job matches both.
-- Only the server's now() is compared; workers' clocks decide nothing.
--
-- Error codes of this file: SY003 bad schedule, SY020 unknown job, SY021 the job's state forbids it,
-- SY022 unknown schedule, SY023 the lease was lost, SY024 bad job argument, SY025 the schedule exists,
-- SY026 unknown worker.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Tables
-- ---------------------------------------------------------------------------------------------------

CREATE TABLE systole.worker (
    worker_id   uuid        PRIMARY KEY,
    host        text        NOT NULL,
    pid         bigint      NOT NULL,
    version     text        NOT NULL,
    kinds       text[]      NOT NULL,
    slots       integer     NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    beat_at     timestamptz NOT NULL DEFAULT now(),
    draining_at timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE systole.leader (
    name       text        PRIMARY KEY,
    holder     uuid        NOT NULL,
    term       bigint      NOT NULL,
    elected_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE systole.queue_control (
    kind      text        PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE systole.schedule (
    schedule_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text        NOT NULL,
    kind             text        NOT NULL,
    args             jsonb       NOT NULL,
    every            interval,
    cron             text,
    time_zone        text        NOT NULL,
    priority         smallint    NOT NULL,
    attempts_maximum integer     NOT NULL,
    time_limit       interval    NOT NULL,
    catchup          text        NOT NULL,
    catchup_maximum  integer     NOT NULL,
    overlap          text        NOT NULL,
    start_at         timestamptz,
    end_at           timestamptz,
    paused_at        timestamptz,
    pause_reason     text,
    next_fire_at     timestamptz,
    last_fire_at     timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT schedule_name_unique UNIQUE (name),
    CONSTRAINT schedule_every_or_cron CHECK ((every IS NULL) <> (cron IS NULL)),
    CONSTRAINT schedule_catchup_known CHECK (catchup IN ('skip', 'latest', 'all')),
    CONSTRAINT schedule_catchup_maximum_range CHECK (catchup_maximum BETWEEN 1 AND 1000),
    CONSTRAINT schedule_overlap_known CHECK (overlap IN ('allow', 'skip'))
) WITH (fillfactor = 70);

-- Serves fire_due_schedules(), which looks every second for schedules that are due.
CREATE INDEX schedule_due ON systole.schedule (next_fire_at)
    WHERE paused_at IS NULL AND next_fire_at IS NOT NULL;

CREATE TABLE systole.job (
    job_id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind             text        NOT NULL,
    args             jsonb       NOT NULL DEFAULT '{}',
    state            text        NOT NULL,
    priority         smallint    NOT NULL DEFAULT 100,
    run_at           timestamptz NOT NULL DEFAULT now(),
    unique_key       text,
    again_args       jsonb,
    attempt          integer     NOT NULL DEFAULT 0,
    attempts_maximum integer     NOT NULL DEFAULT 8,
    worker_losses    smallint    NOT NULL DEFAULT 0,
    retry_delay      interval,
    time_limit       interval    NOT NULL DEFAULT '1 hour',
    lease_no         bigint      NOT NULL DEFAULT 0,
    worker_id        uuid,
    started_at       timestamptz,
    deadline_at      timestamptz,
    cancel_at        timestamptz,
    progress         jsonb,
    error_class      text,
    error            text,
    schedule_id      bigint,
    fire_at          timestamptz,
    retry_of         bigint,
    created_at       timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT job_state_known CHECK (state IN ('scheduled', 'ready', 'running')),
    CONSTRAINT job_running_has_lease CHECK ((state = 'running')
        = (worker_id IS NOT NULL AND started_at IS NOT NULL AND deadline_at IS NOT NULL)),
    CONSTRAINT job_attempts_range CHECK (attempt >= 0 AND attempts_maximum BETWEEN 1 AND 1000),
    CONSTRAINT job_args_object CHECK (jsonb_typeof(args) = 'object')
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
        autovacuum_vacuum_cost_delay = 0);

-- Serves claim_jobs(), which takes the first ready jobs of a kind in this order.
CREATE INDEX job_ready ON systole.job (kind, priority, run_at, job_id) WHERE state = 'ready';
-- Serves promote_due(), which makes scheduled jobs ready when their time has come.
CREATE INDEX job_scheduled ON systole.job (run_at) WHERE state = 'scheduled';
-- Serves rescue_lost_jobs() and release_worker_jobs(), which ask for the running jobs of a worker.
CREATE INDEX job_running ON systole.job (worker_id) WHERE state = 'running';
-- Serves rescue_lost_jobs(), which looks for runs that exceeded their time limit.
CREATE INDEX job_deadline ON systole.job (deadline_at) WHERE state = 'running';
-- Keeps at most one live job per kind and unique key; serves enqueue()'s conflict check.
CREATE UNIQUE INDEX job_unique_key ON systole.job (kind, unique_key) WHERE unique_key IS NOT NULL;
-- Serves the overlap policy of schedules, which asks whether an earlier fire still lives.
CREATE INDEX job_schedule ON systole.job (schedule_id) WHERE schedule_id IS NOT NULL;

-- Append-only; a finished job moves here from systole.job in one statement and never changes again.
CREATE TABLE systole.job_history (
    job_id           bigint      NOT NULL,
    finished_at      timestamptz NOT NULL,
    state            text        NOT NULL,
    kind             text        NOT NULL,
    args             jsonb       NOT NULL,
    priority         smallint    NOT NULL,
    run_at           timestamptz NOT NULL,
    unique_key       text,
    attempt          integer     NOT NULL,
    attempts_maximum integer     NOT NULL,
    time_limit       interval    NOT NULL,
    lease_no         bigint      NOT NULL,
    worker_id        uuid,
    started_at       timestamptz,
    progress         jsonb,
    result           jsonb,
    error_class      text,
    error            text,
    schedule_id      bigint,
    fire_at          timestamptz,
    retry_of         bigint,
    created_at       timestamptz NOT NULL,

    -- Also serves look-ups of one finished job.
    CONSTRAINT job_history_pkey PRIMARY KEY (job_id, finished_at),
    CONSTRAINT job_history_state_known CHECK (state IN ('done', 'dead', 'cancelled'))
) PARTITION BY RANGE (finished_at);

-- Serves systole.jobs and pruning, which ask for a recent stretch of time; costs next to nothing to keep.
CREATE INDEX job_history_finished ON systole.job_history USING brin (finished_at);

-- One row for every decision about a schedule: what fired and what did not, and why. A skipped stretch
-- is one row, from fire_at through through_at (its last skipped fire), so that the rows of a schedule
-- tile the time since it was created without holes or doubles.
CREATE TABLE systole.schedule_fire (
    schedule_id bigint      NOT NULL,
    fire_at     timestamptz NOT NULL,
    through_at  timestamptz NOT NULL,
    decision    text        NOT NULL,
    job_id      bigint,
    decided_at  timestamptz NOT NULL DEFAULT clock_timestamp(),

    -- Guarantees one decision per schedule and time, whoever schedules.
    CONSTRAINT schedule_fire_pkey PRIMARY KEY (schedule_id, fire_at),
    CONSTRAINT schedule_fire_schedule FOREIGN KEY (schedule_id)
        REFERENCES systole.schedule ON DELETE CASCADE,
    CONSTRAINT schedule_fire_decision_known CHECK (decision IN
        ('fired', 'triggered', 'skipped_overlap', 'skipped_catchup', 'skipped_paused')),
    CONSTRAINT schedule_fire_job_when_fired
        CHECK ((job_id IS NOT NULL) = (decision IN ('fired', 'triggered')))
);

-- ---------------------------------------------------------------------------------------------------
-- History partitions, by month in UTC, created ahead
-- ---------------------------------------------------------------------------------------------------

-- LIKE + ATTACH instead of PARTITION OF: attaching takes a lock that completions do not notice.
CREATE FUNCTION systole.ensure_job_history("from" timestamptz, "to" timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month timestamp := date_trunc('month', "from" AT TIME ZONE 'UTC');
    last  timestamp := date_trunc('month', "to" AT TIME ZONE 'UTC');
    part  text;
    made  integer := 0;
BEGIN
    WHILE month <= last LOOP
        part := 'job_history_' || to_char(month, '"y"YYYY"m"MM');
        IF to_regclass('systole.' || part) IS NULL THEN
            -- Two completions in the first second of a month that nobody prepared meet here.
            PERFORM pg_advisory_xact_lock(hashtextextended('systole.job_history', 0));
            -- Not to_regclass() again: its cache does not see what the other has just committed.
            IF NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = part
                AND c.relnamespace = 'systole'::regnamespace) THEN
                EXECUTE format('CREATE TABLE systole.%I (LIKE systole.job_history INCLUDING ALL)', part);
                EXECUTE format(
                    'ALTER TABLE systole.job_history ATTACH PARTITION systole.%I '
                    'FOR VALUES FROM (%L) TO (%L)', part,
                    to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00',
                    to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
                made := made + 1;
            END IF;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION systole.ensure_job_history IS
    'Creates the monthly partitions of the job history that cover a stretch of time; returns how many were missing.';

CREATE FUNCTION systole.prune_job_history(keep interval DEFAULT '90 days') RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    part    regclass;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'systole.job_history'::regclass
            AND to_date(right(c.relname, 8), '"y"YYYY"m"MM') + interval '1 month'
                <= (now() - keep) AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format('DROP TABLE %s', part);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM systole.schedule_fire f WHERE f.through_at < now() - keep;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION systole.prune_job_history IS
    'Drops whole months of job history, and schedule decisions, that are older than the given interval.';

-- A finished job must never fail to finish because nobody prepared its month.
CREATE FUNCTION systole.prepare_job_history() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('systole.job_history_' || to_char(now() AT TIME ZONE 'UTC', '"y"YYYY"m"MM')) IS NULL THEN
        PERFORM systole.ensure_job_history(now(), now());
    END IF;
END $$;

SELECT systole.ensure_job_history(now(), now() + interval '2 months');

-- ---------------------------------------------------------------------------------------------------
-- Enqueue
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.check_job(kind text, args jsonb, attempts_maximum integer, time_limit interval)
RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF kind IS NULL OR kind !~ '^[a-z][a-z0-9_.-]{0,62}$' THEN
        RAISE EXCEPTION 'A job kind is a lower-case word of at most 63 letters, digits, ".", "_" or "-"; found %.',
            coalesce(quote_literal(left(kind, 80)), 'NULL') USING ERRCODE = 'SY024';
    END IF;
    IF args IS NULL OR jsonb_typeof(args) <> 'object' THEN
        RAISE EXCEPTION 'The arguments of a job are a JSON object; found %.',
            coalesce(jsonb_typeof(args), 'NULL') USING ERRCODE = 'SY024',
            HINT = 'Write for example ''{"series_id": 1}''.';
    END IF;
    IF attempts_maximum IS NULL OR attempts_maximum NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'attempts_maximum is 1 to 1000; found %.', coalesce(attempts_maximum::text, 'NULL')
            USING ERRCODE = 'SY024';
    END IF;
    IF time_limit IS NULL OR time_limit NOT BETWEEN interval '1 second' AND interval '30 days' THEN
        RAISE EXCEPTION 'time_limit is 1 second to 30 days; found %.', coalesce(time_limit::text, 'NULL')
            USING ERRCODE = 'SY024';
    END IF;
END $$;

CREATE FUNCTION systole.enqueue(
    kind text,
    args jsonb DEFAULT '{}',
    unique_key text DEFAULT NULL,
    run_at timestamptz DEFAULT now(),
    priority smallint DEFAULT 100,
    attempts_maximum integer DEFAULT 8,
    time_limit interval DEFAULT '1 hour',
    on_conflict text DEFAULT 'skip')
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    id bigint;
BEGIN
    PERFORM systole.check_job(enqueue.kind, enqueue.args, enqueue.attempts_maximum, enqueue.time_limit);
    IF enqueue.run_at IS NULL OR enqueue.priority IS NULL THEN
        RAISE EXCEPTION 'run_at and priority of a job must not be NULL.' USING ERRCODE = 'SY024';
    END IF;
    IF enqueue.on_conflict IS NULL OR enqueue.on_conflict NOT IN ('skip', 'replace') THEN
        RAISE EXCEPTION 'on_conflict is ''skip'' or ''replace''; found %.',
            coalesce(quote_literal(enqueue.on_conflict), 'NULL') USING ERRCODE = 'SY024';
    END IF;
    LOOP
        INSERT INTO systole.job AS j
            (kind, args, unique_key, run_at, priority, attempts_maximum, time_limit, state)
        VALUES (enqueue.kind, enqueue.args, enqueue.unique_key, enqueue.run_at, enqueue.priority,
            enqueue.attempts_maximum, enqueue.time_limit,
            CASE WHEN enqueue.run_at > now() THEN 'scheduled' ELSE 'ready' END)
        ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
        RETURNING j.job_id INTO id;
        EXIT WHEN FOUND;

        IF enqueue.on_conflict = 'skip' THEN
            SELECT j.job_id INTO id FROM systole.job j
            WHERE j.kind = enqueue.kind AND j.unique_key = enqueue.unique_key;
            IF FOUND THEN RETURN id; END IF;
        ELSE
            UPDATE systole.job j SET
                again_args = CASE WHEN j.state = 'running' THEN enqueue.args END,
                args = CASE WHEN j.state = 'running' THEN j.args ELSE enqueue.args END
            WHERE j.kind = enqueue.kind AND j.unique_key = enqueue.unique_key
            RETURNING j.job_id INTO id;
            IF FOUND THEN RETURN id; END IF;
        END IF;
        -- The job that was in the way has finished in between: try again.
    END LOOP;
    IF enqueue.run_at <= now() THEN
        PERFORM pg_notify('systole_wake', enqueue.kind);
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.enqueue IS
    'Adds a job and returns its id; it becomes visible when your transaction commits. Lower priority numbers run '
    'first. While a job with the same kind and unique_key lives, on_conflict => ''skip'' returns that job''s id, and '
    '''replace'' also gives it the new arguments; if it is already running, it runs once more with them afterwards.';

CREATE FUNCTION systole.enqueue_batch(
    kind text, args jsonb[], priority smallint DEFAULT 100, attempts_maximum integer DEFAULT 8,
    time_limit interval DEFAULT '1 hour')
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    added bigint;
BEGIN
    PERFORM systole.check_job(enqueue_batch.kind, '{}', enqueue_batch.attempts_maximum,
        enqueue_batch.time_limit);
    INSERT INTO systole.job (kind, args, priority, attempts_maximum, time_limit, state)
    SELECT enqueue_batch.kind, a, enqueue_batch.priority, enqueue_batch.attempts_maximum,
        enqueue_batch.time_limit, 'ready'
    FROM unnest(enqueue_batch.args) WITH ORDINALITY AS u(a, i) ORDER BY i;
    GET DIAGNOSTICS added = ROW_COUNT;
    PERFORM pg_notify('systole_wake', enqueue_batch.kind);
    RETURN added;
END $$;
COMMENT ON FUNCTION systole.enqueue_batch IS
    'Adds one ready job for each set of arguments, in one statement and with one wake-up; returns how many.';

-- ---------------------------------------------------------------------------------------------------
-- Claim, finish, fail: what workers call
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.promote_due(n integer DEFAULT 1000) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    promoted integer;
BEGIN
    WITH due AS MATERIALIZED (
        SELECT job_id FROM systole.job
        WHERE state = 'scheduled' AND run_at <= now()
        ORDER BY run_at LIMIT n
        FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE systole.job j SET state = 'ready'
    FROM due WHERE j.job_id = due.job_id AND j.state = 'scheduled';
    GET DIAGNOSTICS promoted = ROW_COUNT;
    RETURN promoted;
END $$;
COMMENT ON FUNCTION systole.promote_due IS
    'Makes scheduled jobs whose time has come ready; claim_jobs() calls it, so nobody has to.';

-- First how many of each kind the best n would take, without locks; then that many of each kind are locked, skipping
-- what others hold. So the order over several kinds is kept, each kind is one ordered index scan however long the queues
-- of other kinds are, and no row is locked that is not claimed. MATERIALIZED keeps the planner from re-running a locking
-- scan; the outer test of the state closes the gap between choosing and locking. The array, rather than a join, keeps it
-- from walking all jobs: it cannot know that few are picked.
-- The two settings: statistics taken from an empty queue must not make a full one be sorted at every claim.
CREATE FUNCTION systole.claim_jobs(worker uuid, kinds text[], n integer)
RETURNS TABLE (job_id bigint, lease_no bigint, kind text, args jsonb, attempt integer,
    attempts_maximum integer, time_limit interval, deadline_at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    -- A worker that was away for so long that others took it for dead must beat before it claims.
    IF n < 1 OR NOT EXISTS (SELECT FROM systole.worker w WHERE w.worker_id = claim_jobs.worker
        AND w.draining_at IS NULL AND w.beat_at >= now() - interval '30 seconds') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM systole.job WHERE state = 'scheduled' AND run_at <= now()) THEN
        PERFORM systole.promote_due();
    END IF;
    RETURN QUERY
    WITH quota AS MATERIALIZED (
        SELECT best.kind, count(*) AS share
        FROM (
            SELECT head.kind
            FROM unnest(kinds) AS k(kind)
            CROSS JOIN LATERAL (
                SELECT j.kind, j.priority, j.run_at, j.job_id FROM systole.job j
                WHERE j.state = 'ready' AND j.kind = k.kind
                ORDER BY j.priority, j.run_at, j.job_id LIMIT n) head
            WHERE NOT EXISTS (SELECT FROM systole.queue_control q WHERE q.kind = k.kind)
            ORDER BY head.priority, head.run_at, head.job_id LIMIT n) best
        GROUP BY best.kind),
    pick AS MATERIALIZED (
        SELECT taken.job_id
        FROM quota
        CROSS JOIN LATERAL (
            SELECT j.job_id FROM systole.job j
            WHERE j.state = 'ready' AND j.kind = quota.kind
            ORDER BY j.priority, j.run_at, j.job_id LIMIT quota.share
            FOR NO KEY UPDATE SKIP LOCKED) taken)
    UPDATE systole.job j
    SET state = 'running', lease_no = j.lease_no + 1, attempt = j.attempt + 1,
        worker_id = claim_jobs.worker, started_at = now(), deadline_at = now() + j.time_limit,
        progress = NULL
    WHERE j.job_id = ANY (ARRAY(SELECT pick.job_id FROM pick)) AND j.state = 'ready'
    RETURNING j.job_id, j.lease_no, j.kind, j.args, j.attempt, j.attempts_maximum, j.time_limit,
        j.deadline_at;
END $$;
COMMENT ON FUNCTION systole.claim_jobs IS
    'Hands at most n ready jobs of the given kinds to a live worker; (job_id, lease_no) is the identity of each run.';

-- Moves live jobs to the history; those with again_args return at once as new jobs.
CREATE FUNCTION systole.archive_job(
    id bigint, final_state text, result jsonb, error_class text, error text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    old systole.job;
BEGIN
    PERFORM systole.prepare_job_history();
    DELETE FROM systole.job j WHERE j.job_id = id RETURNING j.* INTO STRICT old;
    INSERT INTO systole.job_history
        (job_id, finished_at, state, kind, args, priority, run_at, unique_key, attempt,
        attempts_maximum, time_limit, lease_no, worker_id, started_at, progress, result, error_class,
        error, schedule_id, fire_at, retry_of, created_at)
    VALUES (old.job_id, now(), final_state, old.kind, old.args, old.priority, old.run_at,
        old.unique_key, old.attempt, old.attempts_maximum, old.time_limit, old.lease_no,
        old.worker_id, old.started_at, old.progress, archive_job.result,
        coalesce(archive_job.error_class, old.error_class), coalesce(archive_job.error, old.error),
        old.schedule_id, old.fire_at, old.retry_of, old.created_at);
    IF old.again_args IS NOT NULL AND final_state <> 'cancelled' THEN
        PERFORM systole.enqueue(old.kind, old.again_args, old.unique_key, now(), old.priority,
            old.attempts_maximum, old.time_limit);
    END IF;
END $$;

CREATE FUNCTION systole.complete_jobs(job_ids bigint[], lease_nos bigint[]) RETURNS bigint[]
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    completed bigint[];
    again     record;
BEGIN
    PERFORM systole.prepare_job_history();
    FOR again IN
        WITH gone AS (
            DELETE FROM systole.job j
            USING unnest(job_ids, lease_nos) AS l(job_id, lease_no)
            WHERE j.job_id = l.job_id AND j.lease_no = l.lease_no AND j.state = 'running'
            RETURNING j.*),
        kept AS (
            INSERT INTO systole.job_history
                (job_id, finished_at, state, kind, args, priority, run_at, unique_key, attempt,
                attempts_maximum, time_limit, lease_no, worker_id, started_at, progress,
                schedule_id, fire_at, retry_of, created_at)
            SELECT job_id, now(), 'done', kind, args, priority, run_at, unique_key, attempt,
                attempts_maximum, time_limit, lease_no, worker_id, started_at, progress,
                schedule_id, fire_at, retry_of, created_at
            FROM gone)
        SELECT array_agg(job_id) AS ids, kind, again_args, unique_key, priority, attempts_maximum, time_limit
        FROM gone
        GROUP BY again_args IS NULL, CASE WHEN again_args IS NOT NULL THEN job_id END, kind, again_args,
            unique_key, priority, attempts_maximum, time_limit
    LOOP
        completed := completed || again.ids;
        IF again.again_args IS NOT NULL THEN
            PERFORM systole.enqueue(again.kind, again.again_args, again.unique_key, now(),
                again.priority, again.attempts_maximum, again.time_limit);
        END IF;
    END LOOP;
    RETURN coalesce(completed, '{}');
END $$;
COMMENT ON FUNCTION systole.complete_jobs IS
    'Completes runs that have no effects of their own; returns the ids that were completed, the others had lost their lease.';

CREATE FUNCTION systole.raise_lease_lost(id bigint, lease bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Lease % of job % was lost: the job was handed on, cancelled or finished.', lease, id
        USING ERRCODE = 'SY023', HINT = 'Roll back: this run must leave no effects.';
END $$;

CREATE FUNCTION systole.complete_job(job_id bigint, lease_no bigint, result jsonb DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM systole.job j
    WHERE j.job_id = complete_job.job_id AND j.lease_no = complete_job.lease_no
        AND j.state = 'running'
    FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM systole.raise_lease_lost(complete_job.job_id, complete_job.lease_no);
    END IF;
    PERFORM systole.archive_job(complete_job.job_id, 'done', complete_job.result, NULL, NULL);
END $$;
COMMENT ON FUNCTION systole.complete_job IS
    'Completes a run. Call it in the transaction that stores the run''s results: it raises SY023, and so undoes them, '
    'when the run was replaced.';

CREATE FUNCTION systole.fail_job(
    job_id bigint, lease_no bigint, error_class text, error text, permanent boolean DEFAULT false,
    delay_base interval DEFAULT '2 seconds', delay_maximum interval DEFAULT '10 minutes')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    old   systole.job;
    delay interval;
BEGIN
    SELECT j.* INTO old FROM systole.job j
    WHERE j.job_id = fail_job.job_id AND j.lease_no = fail_job.lease_no AND j.state = 'running'
    FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM systole.raise_lease_lost(fail_job.job_id, fail_job.lease_no);
    END IF;
    IF old.cancel_at IS NOT NULL THEN
        PERFORM systole.archive_job(old.job_id, 'cancelled', NULL, 'cancelled', NULL);
        RETURN 'cancelled';
    END IF;
    IF permanent OR old.attempt >= old.attempts_maximum THEN
        PERFORM systole.archive_job(old.job_id, 'dead', NULL, fail_job.error_class,
            left(fail_job.error, 500));
        RETURN 'dead';
    END IF;
    -- Decorrelated jitter (M. Brooker, "Exponential Backoff And Jitter", 2015): between the base and three times the last.
    delay := least(delay_maximum,
        delay_base + random() * greatest(interval '0', 3 * coalesce(old.retry_delay, delay_base) - delay_base));
    UPDATE systole.job j
    SET state = 'scheduled', run_at = now() + delay, retry_delay = delay, worker_losses = 0,
        worker_id = NULL, started_at = NULL, deadline_at = NULL,
        args = coalesce(old.again_args, old.args), again_args = NULL,
        error_class = fail_job.error_class, error = left(fail_job.error, 500)
    WHERE j.job_id = old.job_id;
    RETURN 'scheduled';
END $$;
COMMENT ON FUNCTION systole.fail_job IS
    'Ends a run that failed: the job waits for its next attempt with decorrelated jitter, or is dead when the error is '
    'permanent or the attempts are spent. Returns the new state; raises SY023 when the run was replaced.';

-- ---------------------------------------------------------------------------------------------------
-- Workers: registration, heartbeat, drain, rescue
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.register_worker(
    worker_id uuid, host text, pid bigint, version text, kinds text[], slots integer)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO systole.worker AS w (worker_id, host, pid, version, kinds, slots)
    VALUES (worker_id, host, pid, version, kinds, slots)
    ON CONFLICT (worker_id) DO UPDATE SET beat_at = now();
$$;
COMMENT ON FUNCTION systole.register_worker IS
    'Makes a worker known; its id is new for every process start, since a reused identity would hide orphans.';

CREATE FUNCTION systole.heartbeat(
    worker uuid, job_ids bigint[] DEFAULT '{}', lease_nos bigint[] DEFAULT '{}',
    progress jsonb[] DEFAULT '{}')
RETURNS TABLE (job_id bigint, lease_no bigint, verdict text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    UPDATE systole.worker w SET beat_at = now() WHERE w.worker_id = heartbeat.worker;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Worker % is not registered.', heartbeat.worker USING ERRCODE = 'SY026',
            HINT = 'It was taken for dead, or has drained: register it again.';
    END IF;
    -- A claim whose answer never arrived leaves runs that nobody runs: they go back without spending an attempt.
    UPDATE systole.job j
    SET state = 'ready', attempt = greatest(0, j.attempt - 1), worker_id = NULL, started_at = NULL,
        deadline_at = NULL
    WHERE j.worker_id = heartbeat.worker AND j.state = 'running' AND j.job_id <> ALL (heartbeat.job_ids)
        AND j.started_at < now() - interval '30 seconds';
    UPDATE systole.job j SET progress = l.progress
    FROM unnest(heartbeat.job_ids, heartbeat.lease_nos, heartbeat.progress) AS l(job_id, lease_no, progress)
    WHERE j.job_id = l.job_id AND j.lease_no = l.lease_no AND j.state = 'running'
        AND l.progress IS NOT NULL AND l.progress IS DISTINCT FROM j.progress;
    RETURN QUERY
    SELECT l.job_id, l.lease_no,
        CASE WHEN j.job_id IS NULL THEN 'lost'
            WHEN j.cancel_at IS NOT NULL THEN 'cancelled'
            ELSE 'deadline' END
    FROM unnest(heartbeat.job_ids, heartbeat.lease_nos) AS l(job_id, lease_no)
    LEFT JOIN systole.job j
        ON j.job_id = l.job_id AND j.lease_no = l.lease_no AND j.state = 'running'
    WHERE j.job_id IS NULL OR j.cancel_at IS NOT NULL OR j.deadline_at < now();
END $$;
COMMENT ON FUNCTION systole.heartbeat IS
    'Says that a worker lives and names all its runs; stores their progress, and returns those that must stop: lost, '
    'cancelled or past their deadline.';

CREATE FUNCTION systole.drain_worker(worker uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE systole.worker w SET draining_at = now()
    WHERE w.worker_id = worker AND w.draining_at IS NULL;
$$;
COMMENT ON FUNCTION systole.drain_worker IS
    'The start of a drain: the worker finishes what it runs and is handed nothing more.';

CREATE FUNCTION systole.release_jobs(job_ids bigint[], lease_nos bigint[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    released integer;
BEGIN
    UPDATE systole.job j
    SET state = 'ready', attempt = greatest(0, j.attempt - 1), worker_id = NULL, started_at = NULL,
        deadline_at = NULL, args = coalesce(j.again_args, j.args), again_args = NULL
    FROM unnest(job_ids, lease_nos) AS l(job_id, lease_no)
    WHERE j.job_id = l.job_id AND j.lease_no = l.lease_no AND j.state = 'running';
    GET DIAGNOSTICS released = ROW_COUNT;
    IF released > 0 THEN
        PERFORM pg_notify('systole_wake', 'released');
    END IF;
    RETURN released;
END $$;
COMMENT ON FUNCTION systole.release_jobs IS
    'Gives runs back without spending an attempt; the next claim gets a new lease_no.';

CREATE FUNCTION systole.release_worker_jobs(worker uuid) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    released integer;
BEGIN
    SELECT systole.release_jobs(coalesce(array_agg(j.job_id), '{}'), coalesce(array_agg(j.lease_no), '{}'))
    INTO released
    FROM systole.job j WHERE j.worker_id = release_worker_jobs.worker AND j.state = 'running';
    DELETE FROM systole.worker w WHERE w.worker_id = release_worker_jobs.worker;
    RETURN released;
END $$;
COMMENT ON FUNCTION systole.release_worker_jobs IS
    'The end of a drain: gives the worker''s unfinished runs back without spending an attempt, and forgets the worker.';

CREATE FUNCTION systole.rescue_lost_jobs(n integer DEFAULT 500) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    lost    systole.job;
    rescued integer := 0;
BEGIN
    FOR lost IN
        SELECT j.* FROM systole.job j
        WHERE j.state = 'running' AND NOT EXISTS (
            SELECT FROM systole.worker w
            WHERE w.worker_id = j.worker_id AND w.beat_at >= now() - interval '30 seconds')
        ORDER BY j.started_at LIMIT n
        FOR NO KEY UPDATE OF j SKIP LOCKED
    LOOP
        rescued := rescued + 1;
        IF lost.cancel_at IS NOT NULL THEN
            PERFORM systole.archive_job(lost.job_id, 'cancelled', NULL, 'cancelled', NULL);
        ELSIF lost.worker_losses >= 2 THEN
            PERFORM systole.archive_job(lost.job_id, 'dead', NULL, 'worker_lost',
                'Three workers in a row were lost while they ran this job.');
        ELSE
            -- The attempt is given back: it was the worker that failed, and the limit of three guards the others.
            UPDATE systole.job j
            SET state = 'ready', attempt = greatest(0, lost.attempt - 1),
                worker_losses = lost.worker_losses + 1, worker_id = NULL, started_at = NULL,
                deadline_at = NULL, args = coalesce(lost.again_args, lost.args), again_args = NULL,
                error_class = 'worker_lost', error = 'The worker stopped beating.'
            WHERE j.job_id = lost.job_id AND j.lease_no = lost.lease_no AND j.state = 'running';
            PERFORM pg_notify('systole_wake', lost.kind);
        END IF;
    END LOOP;

    -- Live workers stop such runs themselves at their next heartbeat; ten seconds later they are taken from them.
    FOR lost IN
        SELECT j.* FROM systole.job j
        WHERE j.state = 'running' AND j.deadline_at < now() - interval '10 seconds'
        ORDER BY j.deadline_at LIMIT n
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        rescued := rescued + 1;
        PERFORM systole.fail_job(lost.job_id, lost.lease_no, 'deadline',
            'The run exceeded its time limit of ' || lost.time_limit || '.');
    END LOOP;

    DELETE FROM systole.worker w
    WHERE w.beat_at < now() - interval '60 seconds'
        AND NOT EXISTS (SELECT FROM systole.job j
            WHERE j.worker_id = w.worker_id AND j.state = 'running');
    RETURN rescued;
END $$;
COMMENT ON FUNCTION systole.rescue_lost_jobs IS
    'Takes jobs back from workers that have not beaten for 30 seconds, and from runs past their deadline; a job that lost '
    'three workers in a row is dead. The leader calls it every five seconds; returns how many were taken back.';

-- ---------------------------------------------------------------------------------------------------
-- Leader
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.lead(
    name text, holder uuid, time_to_live interval DEFAULT '15 seconds')
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO systole.leader AS l (name, holder, term, elected_at, expires_at)
    VALUES (name, holder, 1, now(), now() + time_to_live)
    ON CONFLICT ON CONSTRAINT leader_pkey DO UPDATE
    SET term = l.term + (l.holder <> excluded.holder OR l.expires_at < now())::int,
        elected_at = CASE WHEN l.holder = excluded.holder AND l.expires_at >= now()
            THEN l.elected_at ELSE now() END,
        holder = excluded.holder, expires_at = excluded.expires_at
    WHERE l.holder = excluded.holder OR l.expires_at < now()
    RETURNING l.term;
$$;
COMMENT ON FUNCTION systole.lead IS
    'Takes or renews leadership; returns the term, or NULL while another holder leads. Everything a leader does is a '
    'compare-and-set, so two of them would do no harm.';

CREATE FUNCTION systole.resign(name text, holder uuid) RETURNS boolean LANGUAGE sql AS $$
    UPDATE systole.leader l SET expires_at = '-infinity'
    WHERE l.name = resign.name AND l.holder = resign.holder AND l.expires_at >= now()
    RETURNING true;
$$;
COMMENT ON FUNCTION systole.resign IS 'Gives leadership up, so that another can take it at once.';

-- ---------------------------------------------------------------------------------------------------
-- What operators call: cancel, retry, pause a kind
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.raise_unknown_job(id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'There is no job %.', coalesce(id::text, 'NULL') USING ERRCODE = 'SY020',
        HINT = 'SELECT job_id, kind, state FROM systole.jobs; lists them.';
END $$;

CREATE FUNCTION systole.cancel_job(job_id bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    live     systole.job;
    finished text;
BEGIN
    SELECT j.* INTO live FROM systole.job j WHERE j.job_id = cancel_job.job_id FOR UPDATE;
    IF NOT FOUND THEN
        SELECT h.state INTO finished FROM systole.job_history h WHERE h.job_id = cancel_job.job_id;
        IF NOT FOUND THEN
            PERFORM systole.raise_unknown_job(cancel_job.job_id);
        END IF;
        RAISE EXCEPTION 'Job % is already %.', cancel_job.job_id, finished USING ERRCODE = 'SY021';
    END IF;
    IF live.state <> 'running' THEN
        PERFORM systole.archive_job(live.job_id, 'cancelled', NULL, 'cancelled', NULL);
        RETURN 'cancelled';
    END IF;
    UPDATE systole.job j SET cancel_at = coalesce(j.cancel_at, now()), again_args = NULL
    WHERE j.job_id = live.job_id;
    PERFORM pg_notify('systole_wake', 'cancel');
    RETURN 'cancelling';
END $$;
COMMENT ON FUNCTION systole.cancel_job IS
    'Cancels a job: a waiting one at once (''cancelled''), a running one as soon as its worker notices (''cancelling'').';

CREATE FUNCTION systole.retry_job(job_id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    live systole.job;
    old  systole.job_history;
    id   bigint;
BEGIN
    SELECT j.* INTO live FROM systole.job j WHERE j.job_id = retry_job.job_id FOR UPDATE;
    IF FOUND THEN
        IF live.state = 'running' THEN
            RAISE EXCEPTION 'Job % is running.', retry_job.job_id USING ERRCODE = 'SY021',
                HINT = 'Cancel it first.';
        END IF;
        UPDATE systole.job j SET state = 'ready', run_at = now() WHERE j.job_id = live.job_id;
        PERFORM pg_notify('systole_wake', live.kind);
        RETURN live.job_id;
    END IF;
    SELECT h.* INTO old FROM systole.job_history h WHERE h.job_id = retry_job.job_id;
    IF NOT FOUND THEN
        PERFORM systole.raise_unknown_job(retry_job.job_id);
    END IF;
    IF old.state = 'done' THEN
        RAISE EXCEPTION 'Job % is done: there is nothing to retry.', retry_job.job_id
            USING ERRCODE = 'SY021', HINT = 'To do it again, enqueue a new job.';
    END IF;
    id := systole.enqueue(old.kind, old.args, old.unique_key, now(), old.priority,
        old.attempts_maximum, old.time_limit);
    UPDATE systole.job j SET retry_of = old.job_id WHERE j.job_id = id AND j.retry_of IS NULL;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.retry_job IS
    'Retries a job now: one that waits runs at once under its own id; a dead or cancelled one gets a new job, whose id is '
    'returned (its retry_of names the old one).';

CREATE FUNCTION systole.pause_kind(kind text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO systole.queue_control AS q (kind) VALUES (kind)
    ON CONFLICT ON CONSTRAINT queue_control_pkey DO NOTHING;
$$;
COMMENT ON FUNCTION systole.pause_kind IS
    'Stops the claiming of jobs of one kind; what runs finishes, what comes waits.';

CREATE FUNCTION systole.resume_kind(kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM systole.queue_control q WHERE q.kind = resume_kind.kind;
    PERFORM pg_notify('systole_wake', resume_kind.kind);
END $$;
COMMENT ON FUNCTION systole.resume_kind IS 'Lets jobs of a paused kind be claimed again.';

-- ---------------------------------------------------------------------------------------------------
-- Cron: parsing
-- ---------------------------------------------------------------------------------------------------

-- A parsed cron expression. days_any and weekdays_any say that the field began with a star, which decides whether the two
-- day fields are joined by AND or, as in Vixie cron, by OR.
CREATE TYPE systole.cron_rule AS (
    minutes      integer[],
    hours        integer[],
    days         integer[],
    last_day     boolean,
    months       integer[],
    weekdays     integer[],
    days_any     boolean,
    weekdays_any boolean
);

CREATE FUNCTION systole.raise_bad_schedule(message text, hint text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'SY003', HINT = coalesce(hint,
        'A cron expression has five fields: minute hour day-of-month month day-of-week, such as ''30 6 * * MON-FRI''.');
END $$;

CREATE FUNCTION systole.cron_number(
    word text, what text, lowest integer, highest integer, names text[])
RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    named integer := array_position(names, upper(word));
BEGIN
    IF named IS NOT NULL THEN
        RETURN named - 1 + lowest;
    END IF;
    IF word !~ '^[0-9]{1,4}$' OR word::integer NOT BETWEEN lowest AND highest THEN
        PERFORM systole.raise_bad_schedule(format(
            'The %s of a cron expression is %s to %s%s; found %L.', what, lowest, highest,
            CASE WHEN names IS NULL THEN '' ELSE format(' or %s to %s', names[1], names[cardinality(names)]) END,
            left(word, 40)));
    END IF;
    RETURN word::integer;
END $$;

CREATE FUNCTION systole.cron_field(
    field text, what text, lowest integer, highest integer, names text[] DEFAULT NULL)
RETURNS integer[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    part   text;
    span   text;
    low    integer;
    high   integer;
    step   integer;
    values integer[] := '{}';
BEGIN
    FOREACH part IN ARRAY string_to_array(field, ',') LOOP
        span := split_part(part, '/', 1);
        step := 1;
        IF part LIKE '%/%' THEN
            IF part !~ '^[^/]+/[0-9]{1,4}$' OR (span <> '*' AND span NOT LIKE '%-%') THEN
                PERFORM systole.raise_bad_schedule(format(
                    'A step in the %s of a cron expression follows a star or a range; found %L.',
                    what, left(part, 40)), 'Write */15 or 10-50/20.');
            END IF;
            step := split_part(part, '/', 2)::integer;
        END IF;
        IF span = '*' THEN
            low := lowest;
            high := CASE WHEN what = 'day of week' THEN 6 ELSE highest END;
        ELSIF span LIKE '%-%' THEN
            low := systole.cron_number(split_part(span, '-', 1), what, lowest, highest, names);
            high := systole.cron_number(substr(span, strpos(span, '-') + 1), what, lowest, highest, names);
            IF what = 'day of week' AND high = 0 AND low > 0 THEN
                high := 7;
            END IF;
            IF low > high THEN
                PERFORM systole.raise_bad_schedule(format(
                    'A range in the %s of a cron expression runs upwards; found %L.', what, left(part, 40)),
                    format('Write two ranges: %s-%s,%s-%s.', low, highest, lowest, high));
            END IF;
        ELSE
            low := systole.cron_number(span, what, lowest, highest, names);
            high := low;
        END IF;
        IF step < 1 OR (part LIKE '%/%' AND step > high - low) THEN
            PERFORM systole.raise_bad_schedule(format(
                'A step in the %s of a cron expression is at least 1 and fits its range; found %L.',
                what, left(part, 40)), 'For intervals that do not divide the hour or day use every => ''90 minutes''.');
        END IF;
        values := values || ARRAY(SELECT CASE WHEN what = 'day of week' THEN v % 7 ELSE v END
            FROM generate_series(low, high, step) v);
    END LOOP;
    RETURN ARRAY(SELECT DISTINCT v FROM unnest(values) v ORDER BY v);
END $$;

CREATE FUNCTION systole.cron_parse(cron text) RETURNS systole.cron_rule
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    text_in text := lower(btrim(cron, E' \t'));
    fields  text[];
    days    text[];
    rule    systole.cron_rule;
    lengths CONSTANT integer[] := '{31,29,31,30,31,30,31,31,30,31,30,31}';
BEGIN
    text_in := CASE text_in
        WHEN '@yearly' THEN '0 0 1 1 *' WHEN '@annually' THEN '0 0 1 1 *'
        WHEN '@monthly' THEN '0 0 1 * *' WHEN '@weekly' THEN '0 0 * * 0'
        WHEN '@daily' THEN '0 0 * * *' WHEN '@midnight' THEN '0 0 * * *'
        WHEN '@hourly' THEN '0 * * * *' ELSE text_in END;
    fields := regexp_split_to_array(text_in, '[ \t]+');
    IF text_in IS NULL OR cardinality(fields) <> 5 OR text_in LIKE '@%' THEN
        PERFORM systole.raise_bad_schedule(format('A cron expression has five fields; found %s in %s.',
            CASE WHEN text_in = '' THEN 0 ELSE coalesce(cardinality(fields), 0) END,
            coalesce(quote_literal(left(cron, 80)), 'NULL')),
            'Seconds are not accepted; for less than a minute use every => ''10 seconds''. '
            'Nicknames are @hourly, @daily, @weekly, @monthly and @yearly.');
    END IF;
    rule.minutes := systole.cron_field(fields[1], 'minute', 0, 59);
    rule.hours := systole.cron_field(fields[2], 'hour', 0, 23);
    rule.months := systole.cron_field(fields[4], 'month', 1, 12,
        '{JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC}');
    rule.weekdays := systole.cron_field(fields[5], 'day of week', 0, 7, '{SUN,MON,TUE,WED,THU,FRI,SAT}');
    days := string_to_array(fields[3], ',');
    rule.last_day := 'l' = ANY (days) OR '$' = ANY (days);
    days := array_remove(array_remove(days, 'l'), '$');
    rule.days := CASE WHEN cardinality(days) = 0 AND rule.last_day THEN '{}'::integer[]
        ELSE systole.cron_field(array_to_string(days, ','), 'day of month', 1, 31) END;
    rule.days_any := fields[3] LIKE '*%';
    rule.weekdays_any := fields[5] LIKE '*%';

    IF (rule.days_any OR rule.weekdays_any) AND NOT rule.last_day AND NOT EXISTS (
        SELECT FROM unnest(rule.months) m, unnest(rule.days) d WHERE d <= lengths[m]) THEN
        PERFORM systole.raise_bad_schedule(format(
            'The cron expression %L names a date that no year has.', left(cron, 80)),
            'For the last day of a month write L as the day.');
    END IF;
    RETURN rule;
END $$;

-- ---------------------------------------------------------------------------------------------------
-- Cron: the next fire
-- ---------------------------------------------------------------------------------------------------

-- The zone's offset from UTC at an instant.
CREATE FUNCTION systole.zone_offset(at timestamptz, time_zone text) RETURNS interval
LANGUAGE sql STABLE AS $$
    SELECT (at AT TIME ZONE time_zone) - (at AT TIME ZONE 'UTC');
$$;

-- The instants at which clocks in a zone show a wall time, earliest first: one, or two where they are set back. A wall time
-- that is skipped when clocks are set forward is moved by the length of the gap (02:30 becomes 03:30).
CREATE FUNCTION systole.instants_of(wall timestamp, time_zone text) RETURNS timestamptz[]
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN hits IS NOT NULL THEN hits
        ELSE ARRAY[(wall - before) AT TIME ZONE 'UTC'] END
    FROM (
        SELECT systole.zone_offset((wall - interval '1 day') AT TIME ZONE 'UTC', time_zone) AS before,
            systole.zone_offset((wall + interval '1 day') AT TIME ZONE 'UTC', time_zone) AS after) o
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT t ORDER BY t) AS hits
        FROM unnest(ARRAY[(wall - before) AT TIME ZONE 'UTC', (wall - after) AT TIME ZONE 'UTC']) t
        WHERE t AT TIME ZONE time_zone = wall) h;
$$;

CREATE FUNCTION systole.cron_day_matches(rule systole.cron_rule, day date) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    by_date    boolean;
    by_weekday boolean;
BEGIN
    IF NOT extract(month FROM day)::integer = ANY (rule.months) THEN
        RETURN false;
    END IF;
    by_date := extract(day FROM day)::integer = ANY (rule.days)
        OR (rule.last_day AND extract(day FROM day + 1) = 1);
    by_weekday := extract(dow FROM day)::integer = ANY (rule.weekdays);
    IF rule.days_any OR rule.weekdays_any THEN
        RETURN by_date AND by_weekday;
    END IF;
    RETURN by_date OR by_weekday;
END $$;

-- Days are walked, and months that are not named are jumped over; minutes are never walked. Where the zone's offset does
-- not change nearby, an instant is the wall time less the offset; only around a change is every candidate looked at.
-- When clocks are set back, a wall time that comes twice fires the first time only, unless every hour is named: such a
-- schedule counts elapsed time, and would otherwise fall silent for an hour.
CREATE FUNCTION systole.cron_next(rule systole.cron_rule, time_zone text, after timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    day      date := (after AT TIME ZONE time_zone)::date - 1;
    horizon  date := (after AT TIME ZONE time_zone)::date + 366 * 41;
    shift    interval;
    passes   integer := CASE WHEN cardinality(rule.hours) = 24 THEN 2 ELSE 1 END;
    found    timestamptz;
BEGIN
    WHILE day <= horizon LOOP
        IF NOT extract(month FROM day)::integer = ANY (rule.months) THEN
            day := (date_trunc('month', day) + interval '1 month')::date;
            CONTINUE;
        END IF;
        IF systole.cron_day_matches(rule, day) THEN
            shift := systole.zone_offset((day - 1)::timestamp AT TIME ZONE 'UTC', time_zone);
            IF shift = systole.zone_offset((day + 2)::timestamp AT TIME ZONE 'UTC', time_zone) THEN
                SELECT min(day + make_interval(hours => h, mins => m)) INTO found
                FROM unnest(rule.hours) h, unnest(rule.minutes) m
                WHERE day + make_interval(hours => h, mins => m)
                    > (after AT TIME ZONE 'UTC') + shift;
                found := ((found AT TIME ZONE 'UTC') - shift);
            ELSE
                -- With the following day, since clocks that are set back at midnight make the two overlap. No change
                -- moves clocks by more than three hours; 400 candidates cover three hours before and after.
                SELECT min(t) INTO found
                FROM (
                    SELECT wall
                    FROM unnest(ARRAY[day, day + 1]) d, unnest(rule.hours) h, unnest(rule.minutes) m,
                        LATERAL (SELECT d + make_interval(hours => h, mins => m) AS wall) w
                    WHERE wall > (after AT TIME ZONE time_zone) - interval '3 hours'
                        AND systole.cron_day_matches(rule, d)
                    ORDER BY wall LIMIT 400) near,
                    unnest((systole.instants_of(wall, time_zone))[:passes]) t
                WHERE t > after;
            END IF;
            IF found IS NOT NULL THEN
                RETURN found;
            END IF;
        END IF;
        day := day + 1;
    END LOOP;
    RETURN NULL;
END $$;

-- ---------------------------------------------------------------------------------------------------
-- Schedules
-- ---------------------------------------------------------------------------------------------------

-- The first fire after an instant. Intervals count from the Unix epoch, so that they do not depend on when they were made.
CREATE FUNCTION systole.next_fire(
    every interval, rule systole.cron_rule, time_zone text, after timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    step bigint;
BEGIN
    IF every IS NULL THEN
        RETURN systole.cron_next(rule, time_zone, after);
    END IF;
    step := extract(epoch FROM every) * 1000000;
    RETURN timestamptz 'epoch' + interval '1 microsecond'
        * ((floor(extract(epoch FROM after) * 1000000 / step) + 1) * step)::bigint;
END $$;

CREATE FUNCTION systole.preview_cron(
    cron text, time_zone text DEFAULT 'UTC', n integer DEFAULT 5, after timestamptz DEFAULT now())
RETURNS TABLE (fire_at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule systole.cron_rule := systole.cron_parse(cron);
BEGIN
    PERFORM systole.check_time_zone(time_zone);
    fire_at := after;
    FOR i IN 1..least(n, 10000) LOOP
        fire_at := systole.cron_next(rule, time_zone, fire_at);
        EXIT WHEN fire_at IS NULL;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION systole.preview_cron IS
    'The next n times that a cron expression fires, without creating a schedule.';

CREATE FUNCTION systole.check_time_zone(time_zone text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- Names with a slash are IANA names; others are looked up, since PostgreSQL also takes POSIX
    -- rules ('UTC+2' means two hours west there) and abbreviations, which know no daylight saving.
    IF time_zone = 'UTC' OR (time_zone ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)+$'
        AND time_zone NOT ILIKE 'posix/%') THEN
        PERFORM now() AT TIME ZONE time_zone;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_timezone_names z
        WHERE z.name = time_zone AND z.name NOT LIKE 'posix%') THEN
        RETURN;
    END IF;
    RAISE invalid_parameter_value;
EXCEPTION WHEN invalid_parameter_value THEN
    PERFORM systole.raise_bad_schedule(format('There is no time zone %s.',
        coalesce(quote_literal(left(time_zone, 60)), 'NULL')),
        'Write an IANA name, such as ''Europe/Oslo'' or ''UTC''.');
END $$;

CREATE FUNCTION systole.check_schedule(
    name text, every interval, cron text, time_zone text, catchup text, catchup_maximum integer,
    overlap text, start_at timestamptz, end_at timestamptz)
RETURNS systole.cron_rule LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule systole.cron_rule;
BEGIN
    IF name IS NULL OR length(btrim(name)) = 0 OR length(name) > 200 THEN
        PERFORM systole.raise_bad_schedule('A schedule has a name of 1 to 200 characters.', 'Name it, for example, ''forecast plant.oil_temp''.');
    END IF;
    IF (every IS NULL) = (cron IS NULL) THEN
        PERFORM systole.raise_bad_schedule('A schedule has either an interval (every) or a cron expression.',
            'Write every => ''1 hour'' or cron => ''5 * * * *''.');
    END IF;
    PERFORM systole.check_time_zone(time_zone);
    IF cron IS NOT NULL THEN
        rule := systole.cron_parse(cron);
    ELSIF extract(year FROM every) <> 0 OR extract(month FROM every) <> 0 THEN
        PERFORM systole.raise_bad_schedule(format('Months and years differ in length; found every => %L.', every),
            'For calendar times use cron, such as cron => ''0 6 1 * *''.');
    ELSIF every NOT BETWEEN interval '1 second' AND interval '366 days' THEN
        PERFORM systole.raise_bad_schedule(format('every is 1 second to 366 days; found %L.', every),
            'Write for example every => ''1 hour''.');
    END IF;
    IF catchup IS NULL OR catchup NOT IN ('skip', 'latest', 'all') THEN
        PERFORM systole.raise_bad_schedule(format('catchup is ''skip'', ''latest'' or ''all''; found %L.', catchup),
            'It says what becomes of fires that were missed.');
    END IF;
    IF catchup_maximum IS NULL OR catchup_maximum NOT BETWEEN 1 AND 1000 THEN
        PERFORM systole.raise_bad_schedule(format('catchup_maximum is 1 to 1000; found %L.', catchup_maximum),
            'It limits how many missed fires catchup => ''all'' makes good.');
    END IF;
    IF overlap IS NULL OR overlap NOT IN ('allow', 'skip') THEN
        PERFORM systole.raise_bad_schedule(format('overlap is ''allow'' or ''skip''; found %L.', overlap),
            'It says whether to fire while the job of an earlier fire is still waiting or running.');
    END IF;
    IF end_at <= coalesce(start_at, now()) THEN
        PERFORM systole.raise_bad_schedule('A schedule ends after it starts, and in the future.',
            'Leave end_at out for a schedule without an end.');
    END IF;
    RETURN rule;
END $$;

CREATE FUNCTION systole.create_schedule(
    name text,
    kind text,
    args jsonb DEFAULT '{}',
    every interval DEFAULT NULL,
    cron text DEFAULT NULL,
    time_zone text DEFAULT 'UTC',
    catchup text DEFAULT 'latest',
    overlap text DEFAULT 'skip',
    catchup_maximum integer DEFAULT 10,
    start_at timestamptz DEFAULT NULL,
    end_at timestamptz DEFAULT NULL,
    priority smallint DEFAULT 100,
    attempts_maximum integer DEFAULT 8,
    time_limit interval DEFAULT '1 hour',
    replace_existing boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    rule  systole.cron_rule := systole.check_schedule(name, every, cron, time_zone, catchup,
        catchup_maximum, overlap, start_at, end_at);
    first timestamptz := systole.next_fire(every, rule, time_zone,
        greatest(now(), start_at - interval '1 microsecond'));
    id    bigint;
BEGIN
    PERFORM systole.check_job(kind, args, attempts_maximum, time_limit);
    IF first > end_at THEN
        first := NULL;
    END IF;
    -- Taking the row's lock first keeps a scheduler that is deciding this schedule out of the way.
    SELECT s.schedule_id INTO id FROM systole.schedule s WHERE s.name = create_schedule.name FOR UPDATE;
    IF FOUND AND replace_existing THEN
        UPDATE systole.schedule s SET (kind, args, every, cron, time_zone, catchup, catchup_maximum,
            overlap, start_at, end_at, priority, attempts_maximum, time_limit, next_fire_at)
            = ROW (kind, args, every, cron, time_zone, catchup, catchup_maximum,
            overlap, start_at, end_at, priority, attempts_maximum, time_limit, first)
        WHERE s.schedule_id = id;
        RETURN id;
    END IF;
    INSERT INTO systole.schedule AS s (name, kind, args, every, cron, time_zone, catchup, catchup_maximum,
        overlap, start_at, end_at, priority, attempts_maximum, time_limit, next_fire_at)
    VALUES (name, kind, args, every, cron, time_zone, catchup, catchup_maximum,
        overlap, start_at, end_at, priority, attempts_maximum, time_limit, first)
    ON CONFLICT ON CONSTRAINT schedule_name_unique DO NOTHING
    RETURNING s.schedule_id INTO id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is already a schedule %.', quote_literal(name) USING ERRCODE = 'SY025',
            HINT = 'Delete it first, or call with replace_existing => true.';
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.create_schedule IS
    'Makes a schedule that enqueues a job at every fire, by interval (counted from the Unix epoch) or by cron in an IANA time '
    'zone. A wall time that is skipped in spring fires later by the length of the gap; one that comes twice in autumn '
    'fires the first time, unless all hours are named. catchup: what becomes of missed fires (skip, latest, all up to '
    'catchup_maximum); overlap: whether to fire while the previous job still lives (allow, skip). '
    'cron: five fields with *, lists, ranges, steps, names, 7 = Sunday, L = last day of the month, @hourly … @yearly.';

CREATE FUNCTION systole.find_schedule(name text) RETURNS systole.schedule LANGUAGE plpgsql AS $$
DECLARE
    s systole.schedule;
BEGIN
    SELECT t.* INTO s FROM systole.schedule t WHERE t.name = find_schedule.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no schedule %.', coalesce(quote_literal(left(name, 200)), 'NULL')
            USING ERRCODE = 'SY022', HINT = 'SELECT name FROM systole.schedules; lists them.';
    END IF;
    RETURN s;
END $$;

CREATE FUNCTION systole.pause_schedule(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s systole.schedule := systole.find_schedule(name);
BEGIN
    UPDATE systole.schedule t SET paused_at = now()
    WHERE t.schedule_id = s.schedule_id AND t.paused_at IS NULL;
END $$;
COMMENT ON FUNCTION systole.pause_schedule IS
    'Stops a schedule from firing until resume_schedule(); jobs that it enqueued go on.';

CREATE FUNCTION systole.resume_schedule(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s    systole.schedule := systole.find_schedule(name);
    rule systole.cron_rule;
    next timestamptz;
    last timestamptz;
BEGIN
    SELECT t.* INTO s FROM systole.schedule t WHERE t.schedule_id = s.schedule_id FOR UPDATE;
    IF s.paused_at IS NULL THEN
        RETURN;
    END IF;
    rule := CASE WHEN s.cron IS NOT NULL THEN systole.cron_parse(s.cron) END;
    IF s.next_fire_at <= now() THEN
        last := systole.last_fires(s, rule, now(), 1);
        INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision)
        VALUES (s.schedule_id, s.next_fire_at, last, 'skipped_paused');
        next := systole.next_fire(s.every, rule, s.time_zone, now());
        s.next_fire_at := CASE WHEN next > s.end_at THEN NULL ELSE next END;
    END IF;
    UPDATE systole.schedule t SET paused_at = NULL, pause_reason = NULL, next_fire_at = s.next_fire_at
    WHERE t.schedule_id = s.schedule_id;
END $$;
COMMENT ON FUNCTION systole.resume_schedule IS
    'Lets a paused schedule fire again, from its next time on; what the pause swallowed is recorded, not made good.';

CREATE FUNCTION systole.delete_schedule(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s systole.schedule := systole.find_schedule(name);
BEGIN
    DELETE FROM systole.schedule t WHERE t.schedule_id = s.schedule_id;
END $$;
COMMENT ON FUNCTION systole.delete_schedule IS
    'Deletes a schedule and its record of decisions; jobs that it enqueued go on.';

CREATE FUNCTION systole.enqueue_fire(s systole.schedule, fire_at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    INSERT INTO systole.job AS j
        (kind, args, state, priority, attempts_maximum, time_limit, schedule_id, fire_at)
    VALUES (s.kind, s.args, 'ready', s.priority, s.attempts_maximum, s.time_limit, s.schedule_id,
        enqueue_fire.fire_at)
    RETURNING j.job_id INTO id;
    PERFORM pg_notify('systole_wake', s.kind);
    RETURN id;
END $$;

CREATE FUNCTION systole.trigger_schedule(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    s  systole.schedule := systole.find_schedule(name);
    id bigint := systole.enqueue_fire(s, clock_timestamp());
BEGIN
    INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision, job_id)
    SELECT s.schedule_id, j.fire_at, j.fire_at, 'triggered', id FROM systole.job j WHERE j.job_id = id;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.trigger_schedule IS
    'Fires a schedule once, now, whatever its pause and overlap policy say; returns the job''s id.';

CREATE FUNCTION systole.next_fires(name text, n integer DEFAULT 5)
RETURNS TABLE (fire_at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE
    s    systole.schedule;
    rule systole.cron_rule;
BEGIN
    s := systole.find_schedule(next_fires.name);
    rule := CASE WHEN s.cron IS NOT NULL THEN systole.cron_parse(s.cron) END;
    fire_at := s.next_fire_at;
    FOR i IN 1..least(n, 10000) LOOP
        EXIT WHEN fire_at IS NULL OR fire_at > s.end_at;
        RETURN NEXT;
        fire_at := systole.next_fire(s.every, rule, s.time_zone, fire_at);
    END LOOP;
END $$;
COMMENT ON FUNCTION systole.next_fires IS
    'The next n times at which a schedule will fire (or would, while it is paused).';

-- The last n undecided fires of a schedule up to an instant, ascending, from next_fire_at on. Looks back over a stretch
-- that grows until it holds enough, so that the cost depends on n and not on how long nobody scheduled.
CREATE FUNCTION systole.last_fires(
    s systole.schedule, rule systole.cron_rule, until timestamptz, n integer)
RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    span  interval := coalesce(s.every * n, interval '1 hour');
    at    timestamptz;
    fires timestamptz[];
BEGIN
    until := least(until, s.end_at);
    LOOP
        fires := '{}';
        at := greatest(s.next_fire_at, until - span) - interval '1 microsecond';
        LOOP
            at := systole.next_fire(s.every, rule, s.time_zone, at);
            EXIT WHEN at IS NULL OR at > until;
            fires := fires || at;
        END LOOP;
        EXIT WHEN cardinality(fires) >= n OR until - span <= s.next_fire_at;
        span := span * 4;
    END LOOP;
    RETURN QUERY SELECT f FROM unnest(fires[greatest(1, cardinality(fires) - n + 1):]) f;
END $$;

-- Decides everything that is due of one schedule, whose row the caller has locked; returns how many jobs it enqueued.
CREATE FUNCTION systole.decide_schedule(s systole.schedule) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    rule   systole.cron_rule := CASE WHEN s.cron IS NOT NULL THEN systole.cron_parse(s.cron) END;
    wanted integer := CASE s.catchup WHEN 'all' THEN s.catchup_maximum ELSE 1 END;
    fires  timestamptz[];
    at     timestamptz;
    next   timestamptz;
    fired  integer := 0;
BEGIN
    -- One more than wanted: the extra one, if there, is the end of the stretch that is skipped.
    fires := ARRAY(SELECT systole.last_fires(s, rule, now(), wanted + 1));
    IF cardinality(fires) > wanted THEN
        INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision)
        VALUES (s.schedule_id, s.next_fire_at, fires[1], 'skipped_catchup');
        fires := fires[2:];
    END IF;
    FOREACH at IN ARRAY fires LOOP
        IF s.catchup = 'skip' AND at < now() - interval '1 minute' THEN
            INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision)
            VALUES (s.schedule_id, at, at, 'skipped_catchup');
        ELSIF s.overlap = 'skip'
            AND EXISTS (SELECT FROM systole.job j WHERE j.schedule_id = s.schedule_id) THEN
            INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision)
            VALUES (s.schedule_id, at, at, 'skipped_overlap');
        ELSE
            INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision, job_id)
            VALUES (s.schedule_id, at, at, 'fired', systole.enqueue_fire(s, at));
            fired := fired + 1;
        END IF;
    END LOOP;
    -- After the last decision even if the server's clock went back, as it may after a failover.
    next := systole.next_fire(s.every, rule, s.time_zone, greatest(now(), fires[cardinality(fires)]));
    UPDATE systole.schedule t
    SET next_fire_at = CASE WHEN next > s.end_at THEN NULL ELSE next END,
        last_fire_at = CASE WHEN fired > 0 THEN fires[cardinality(fires)] ELSE t.last_fire_at END
    WHERE t.schedule_id = s.schedule_id AND t.next_fire_at = s.next_fire_at;
    RETURN fired;
END $$;

CREATE FUNCTION systole.fire_due_schedules(n integer DEFAULT 100) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    due   systole.schedule;
    fired integer := 0;
BEGIN
    FOR due IN
        SELECT s.* FROM systole.schedule s
        WHERE s.paused_at IS NULL AND s.next_fire_at <= now()
        ORDER BY s.next_fire_at LIMIT n
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        BEGIN
            fired := fired + systole.decide_schedule(due);
        EXCEPTION
            WHEN transaction_rollback OR lock_not_available OR insufficient_resources THEN
                RAISE;
            WHEN OTHERS THEN
                -- One schedule that cannot be decided must not silence the others.
                UPDATE systole.schedule t SET paused_at = now(), pause_reason = left(SQLERRM, 500)
                WHERE t.schedule_id = due.schedule_id;
        END;
    END LOOP;
    RETURN fired;
END $$;
COMMENT ON FUNCTION systole.fire_due_schedules IS
    'Decides all schedules that are due and enqueues their jobs; each (schedule, time) is decided once, whoever calls and how '
    'often. The leader calls it every second; returns how many jobs it enqueued.';

-- ---------------------------------------------------------------------------------------------------
-- What users see
-- ---------------------------------------------------------------------------------------------------

CREATE VIEW systole.jobs AS
SELECT j.job_id, j.kind,
    CASE WHEN j.state = 'running' AND j.cancel_at IS NOT NULL THEN 'cancelling'
        WHEN j.state = 'scheduled' AND j.attempt > 0 THEN 'retrying'
        ELSE j.state END AS state,
    j.args, j.priority, j.attempt, j.attempts_maximum, j.run_at, j.started_at,
    NULL::timestamptz AS finished_at, j.progress, NULL::jsonb AS result, j.error_class, j.error,
    s.name AS schedule, j.fire_at, j.unique_key, w.host AS worker_host, w.pid AS worker_pid,
    j.retry_of, j.created_at
FROM systole.job j
LEFT JOIN systole.schedule s ON s.schedule_id = j.schedule_id
LEFT JOIN systole.worker w ON w.worker_id = j.worker_id
UNION ALL
SELECT h.job_id, h.kind, h.state, h.args, h.priority, h.attempt, h.attempts_maximum, h.run_at,
    h.started_at, h.finished_at, h.progress, h.result, h.error_class, h.error, s.name, h.fire_at,
    h.unique_key, NULL, NULL, h.retry_of, h.created_at
FROM systole.job_history h
LEFT JOIN systole.schedule s ON s.schedule_id = h.schedule_id
WHERE h.finished_at > now() - interval '30 days';
COMMENT ON VIEW systole.jobs IS
    'Jobs that wait or run, and those that finished in the last 30 days. state: scheduled, ready, running, cancelling, '
    'retrying, done, dead (gave up: see error) or cancelled.';
COMMENT ON COLUMN systole.jobs.attempt IS
    'Attempts begun; runs that were released by a drain or lost with their worker are not counted.';
COMMENT ON COLUMN systole.jobs.priority IS 'Lower runs first.';
COMMENT ON COLUMN systole.jobs.progress IS
    'What the run last said about itself: fraction (0 to 1) and note.';
COMMENT ON COLUMN systole.jobs.retry_of IS 'The dead or cancelled job that this one repeats.';

CREATE VIEW systole.schedules AS
SELECT s.schedule_id, s.name, s.kind, s.args, s.every, s.cron, s.time_zone,
    CASE WHEN s.paused_at IS NOT NULL THEN 'paused'
        WHEN s.next_fire_at IS NULL THEN 'ended'
        ELSE 'active' END AS state,
    s.pause_reason, CASE WHEN s.paused_at IS NULL THEN s.next_fire_at END AS next_fire_at,
    s.last_fire_at, last.decision AS last_decision, last.job_id AS last_job_id,
    s.catchup, s.overlap, s.start_at, s.end_at, s.created_at
FROM systole.schedule s
LEFT JOIN LATERAL (
    SELECT f.decision, f.job_id FROM systole.schedule_fire f
    WHERE f.schedule_id = s.schedule_id
    ORDER BY f.fire_at DESC LIMIT 1) last ON true;
COMMENT ON VIEW systole.schedules IS
    'All schedules, when they fire next, and what was decided last (fired, triggered, skipped_overlap, skipped_catchup, '
    'skipped_paused). state: active, paused or ended.';
COMMENT ON COLUMN systole.schedules.pause_reason IS
    'Why the service itself paused the schedule; empty when an operator did.';
