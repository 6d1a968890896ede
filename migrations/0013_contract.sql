-- 0013_contract.sql: completions and claims in one statement, clocks that go back, models for series that come later.
-- Locks: new objects and functions only; a running service notices nothing.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Complete and claim
-- ---------------------------------------------------------------------------------------------------

-- The claim and the completion of 0007 in fewer statements: what they cost at a small batch is their number, and at any batch
-- their commit. Leases are matched as before. One look tells whether the worker lives, what is due, and where the ready jobs
-- of each kind begin. Where one kind has ready jobs and no limit, its first n are locked and updated by their place in the
-- table; a job that somebody changes in that very moment stays for the next claim.
CREATE FUNCTION systole.complete_and_claim(
    worker uuid, kinds text[], n integer, job_ids bigint[] DEFAULT '{}', lease_nos bigint[] DEFAULT '{}')
RETURNS TABLE (job_id bigint, lease_no bigint, kind text, args jsonb, attempt integer,
    attempts_maximum integer, time_limit interval, deadline_at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    completed bigint[];
    again     systole.job[];
    job       systole.job;
    alive     boolean;
    due       boolean;
    found     text[];
    firsts    bigint[];
    limited   boolean;
    longest   interval;
    noted     jsonb := nullif(current_setting('systole.ready_from', true), '');
    known     jsonb;
    since     timestamptz;
    took      interval;
BEGIN
    IF job_ids <> '{}' THEN
        IF to_regclass('systole.job_history_' || to_char(now() AT TIME ZONE 'UTC', '"y"YYYY"m"MM')) IS NULL THEN
            PERFORM systole.prepare_job_history();
        END IF;
        WITH gone AS (
            DELETE FROM systole.job j
            WHERE j.job_id = ANY (job_ids) AND j.worker_id IS NOT NULL
                AND ((j.job_id, j.lease_no) IN (
                    SELECT l.job_id, l.lease_no FROM unnest(job_ids, lease_nos) AS l(job_id, lease_no))) IS TRUE
            RETURNING j.job_id, j.kind, j.args, j.priority, j.run_at, j.unique_key, j.attempt, j.attempts_maximum,
                j.time_limit, j.lease_no, j.worker_id, j.started_at, j.progress, j.schedule_id, j.fire_at,
                j.retry_of, j.created_at, CASE WHEN j.again_args IS NOT NULL THEN j END AS again),
        kept AS (
            INSERT INTO systole.job_history
                (job_id, finished_at, state, kind, args, priority, run_at, unique_key, attempt,
                attempts_maximum, time_limit, lease_no, worker_id, started_at, progress,
                schedule_id, fire_at, retry_of, created_at)
            SELECT g.job_id, now(), 'done', g.kind, g.args, g.priority, g.run_at, g.unique_key, g.attempt,
                g.attempts_maximum, g.time_limit, g.lease_no, g.worker_id, g.started_at, g.progress,
                g.schedule_id, g.fire_at, g.retry_of, g.created_at
            FROM gone g)
        SELECT coalesce(array_agg(g.job_id), '{}'), array_agg(g.again) FILTER (WHERE (g.again).job_id IS NOT NULL)
        INTO completed, again
        FROM gone g;
        FOREACH job IN ARRAY coalesce(again, '{}') LOOP
            PERFORM systole.enqueue(job.kind, job.again_args, job.unique_key, now(), job.priority,
                job.attempts_maximum, job.time_limit);
        END LOOP;
        IF cardinality(completed) <> cardinality(job_ids) THEN
            RETURN QUERY
            SELECT l.job_id, l.lease_no, NULL::text, NULL::jsonb, NULL::integer, NULL::integer, NULL::interval,
                NULL::timestamptz
            FROM unnest(job_ids, lease_nos) AS l(job_id, lease_no) WHERE l.job_id <> ALL (completed);
        END IF;
    END IF;
    IF n IS NULL OR n < 1 THEN
        RETURN;
    END IF;
    since := clock_timestamp();
    IF (noted->>'until')::timestamptz > since THEN
        known := noted;
    END IF;
    FOR look IN 1..2 LOOP
        -- A worker that was away for so long that others took it for dead must beat before it claims.
        SELECT EXISTS (SELECT FROM systole.worker w WHERE w.worker_id = complete_and_claim.worker
                AND w.draining_at IS NULL AND w.beat_at >= now() - interval '30 seconds'),
            EXISTS (SELECT FROM systole.job j WHERE j.state = 'scheduled' AND j.run_at <= now()),
            array_agg(k.kind), array_agg(head.turn_us), bool_or(q.running_maximum IS NOT NULL), min(q.time_limit)
        INTO alive, due, found, firsts, limited, longest
        FROM unnest(kinds) AS k(kind)
        LEFT JOIN systole.queue_control q ON q.kind = k.kind
        CROSS JOIN LATERAL (
            SELECT j.turn_us FROM systole.job j
            WHERE j.state = 'ready' AND j.kind = k.kind
                AND j.turn_us >= coalesce((known->'turns'->>k.kind)::bigint, -9223372036854775808)
            ORDER BY j.turn_us, j.job_id LIMIT 1) head
        WHERE q.paused_at IS NULL;
        EXIT WHEN look = 2 OR NOT due OR NOT alive;
        PERFORM systole.promote_due();
        since := clock_timestamp();
        known := NULL;
    END LOOP;
    IF NOT alive THEN
        RETURN;
    END IF;
    took := clock_timestamp() - since;
    IF known IS NOT NULL AND took > interval '300 microseconds' THEN
        PERFORM systole.remember_ready(kinds, found, firsts, (known->>'until')::timestamptz);
    ELSIF known IS NULL AND took > interval '2 milliseconds' THEN
        -- Once may be the machine; twice in a row is the index.
        PERFORM systole.remember_ready(kinds, found, firsts,
            CASE WHEN noted IS NULL THEN since ELSE since + greatest(took * 20, interval '1 second') END);
    ELSIF known IS NULL AND noted IS NOT NULL THEN
        PERFORM set_config('systole.ready_from', '', false);
    END IF;
    IF found IS NULL THEN
        RETURN;
    END IF;
    IF cardinality(found) = 1 AND NOT limited THEN
        RETURN QUERY
        UPDATE systole.job j
        SET state = 'running', lease_no = j.lease_no + 1, attempt = j.attempt + 1,
            worker_id = complete_and_claim.worker, started_at = now(), progress = NULL,
            deadline_at = now() + least(j.time_limit, longest)
        WHERE j.state IS NOT DISTINCT FROM 'ready' AND j.ctid = ANY (ARRAY(
            SELECT p.ctid FROM systole.job p
            WHERE p.state = 'ready' AND p.kind = found[1] AND p.turn_us >= firsts[1]
            ORDER BY p.turn_us, p.job_id LIMIT n
            FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING j.job_id, j.lease_no, j.kind, j.args, j.attempt, j.attempts_maximum,
            j.deadline_at - j.started_at, j.deadline_at;
        RETURN;
    END IF;
    PERFORM FROM systole.queue_control q
    WHERE q.kind = ANY (found) AND q.running_maximum IS NOT NULL
    ORDER BY q.kind FOR NO KEY UPDATE;
    RETURN QUERY
    WITH quota AS MATERIALIZED (
        SELECT best.kind, best.first, count(*) AS share
        FROM (
            SELECT head.kind, k.first
            FROM unnest(found, firsts) AS k(kind, first)
            LEFT JOIN systole.queue_control q ON q.kind = k.kind
            CROSS JOIN LATERAL (
                SELECT j.kind, j.turn_us, j.job_id FROM systole.job j
                WHERE j.state = 'ready' AND j.kind = k.kind AND j.turn_us >= k.first
                ORDER BY j.turn_us, j.job_id
                LIMIT CASE WHEN q.paused_at IS NOT NULL THEN 0
                    WHEN q.running_maximum IS NULL THEN n
                    ELSE least(n, q.running_maximum - least(q.running_maximum,
                        (SELECT count(*) FROM systole.job r WHERE r.state = 'running' AND r.kind = q.kind)))
                    END) head
            ORDER BY head.turn_us, head.job_id LIMIT n) best
        GROUP BY best.kind, best.first),
    pick AS MATERIALIZED (
        SELECT taken.job_id
        FROM quota
        CROSS JOIN LATERAL (
            SELECT j.job_id FROM systole.job j
            WHERE j.state = 'ready' AND j.kind = quota.kind AND j.turn_us >= quota.first
            ORDER BY j.turn_us, j.job_id LIMIT quota.share
            FOR NO KEY UPDATE SKIP LOCKED) taken)
    UPDATE systole.job j
    SET state = 'running', lease_no = j.lease_no + 1, attempt = j.attempt + 1,
        worker_id = complete_and_claim.worker, started_at = now(), progress = NULL,
        deadline_at = now() + least(j.time_limit,
            (SELECT q.time_limit FROM systole.queue_control q WHERE q.kind = j.kind))
    WHERE j.job_id = ANY (ARRAY(SELECT pick.job_id FROM pick)) AND j.state IS NOT DISTINCT FROM 'ready'
    RETURNING j.job_id, j.lease_no, j.kind, j.args, j.attempt, j.attempts_maximum,
        j.deadline_at - j.started_at, j.deadline_at;
END $$;
COMMENT ON FUNCTION systole.complete_and_claim IS
    'What complete_jobs() and claim_jobs() do, in one transaction: completes runs that have no effects of their own, then hands '
    'at most n ready jobs to the worker. A row without a kind is a run that was not completed, since it had lost its lease.';

-- As in 0002, whatever statistics say: taken from a queue without waiting jobs, they had all that are due sorted at each call.
CREATE OR REPLACE FUNCTION systole.promote_due(n integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    promoted integer;
BEGIN
    UPDATE systole.job j SET state = 'ready'
    WHERE j.state IS NOT DISTINCT FROM 'scheduled' AND j.job_id = ANY (ARRAY(
        SELECT p.job_id FROM systole.job p
        WHERE p.state = 'scheduled' AND p.run_at <= now()
        ORDER BY p.run_at LIMIT n
        FOR NO KEY UPDATE SKIP LOCKED));
    GET DIAGNOSTICS promoted = ROW_COUNT;
    RETURN promoted;
END $$;

CREATE OR REPLACE FUNCTION systole.claim_jobs(worker uuid, kinds text[], n integer)
RETURNS TABLE (job_id bigint, lease_no bigint, kind text, args jsonb, attempt integer,
    attempts_maximum integer, time_limit interval, deadline_at timestamptz)
LANGUAGE sql AS $$
    SELECT * FROM systole.complete_and_claim(worker, kinds, n)
$$;

CREATE OR REPLACE FUNCTION systole.complete_jobs(job_ids bigint[], lease_nos bigint[]) RETURNS bigint[]
LANGUAGE sql AS $$
    SELECT coalesce(array_agg(d.job_id), '{}') FROM unnest(job_ids) AS d(job_id)
    WHERE d.job_id NOT IN (
        SELECT lost.job_id FROM systole.complete_and_claim(NULL, '{}', 0, job_ids, lease_nos) AS lost)
$$;

-- ---------------------------------------------------------------------------------------------------
-- Clocks that go back
-- ---------------------------------------------------------------------------------------------------

-- As in 0002. A lead that lasts longer than it can have been granted for was granted by a server whose clock was ahead, as
-- that of a failed one may have been: nobody need wait for its end.
CREATE OR REPLACE FUNCTION systole.lead(
    name text, holder uuid, time_to_live interval DEFAULT '15 seconds')
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO systole.leader AS l (name, holder, term, elected_at, expires_at)
    VALUES (name, holder, 1, now(), now() + time_to_live)
    ON CONFLICT ON CONSTRAINT leader_pkey DO UPDATE
    SET term = l.term + (l.holder <> excluded.holder OR l.expires_at < now())::int,
        elected_at = CASE WHEN l.holder = excluded.holder AND l.expires_at >= now()
            THEN l.elected_at ELSE now() END,
        holder = excluded.holder, expires_at = excluded.expires_at
    WHERE l.holder = excluded.holder OR l.expires_at < now() OR l.expires_at > now() + 2 * time_to_live
    RETURNING l.term;
$$;

-- As in 0005, and a beat from the future is no sign of life: whoever lives beats again within seconds.
CREATE OR REPLACE FUNCTION systole.rescue_lost_jobs(n integer DEFAULT 500) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    lost    systole.job;
    reason  text;
    rescued integer := 0;
BEGIN
    FOR lost IN
        SELECT j.* FROM systole.job j
        WHERE j.state = 'running' AND NOT EXISTS (
            SELECT FROM systole.worker w WHERE w.worker_id = j.worker_id
                AND w.beat_at BETWEEN now() - interval '30 seconds' AND now() + interval '30 seconds')
        ORDER BY j.started_at LIMIT n
        FOR NO KEY UPDATE OF j SKIP LOCKED
    LOOP
        rescued := rescued + 1;
        IF lost.cancel_at IS NOT NULL THEN
            PERFORM systole.archive_job(lost.job_id, 'cancelled', NULL, 'cancelled', NULL);
        ELSIF lost.worker_losses >= 2 THEN
            reason := 'Three workers in a row were lost while they ran this job.';
            PERFORM systole.archive_job(lost.job_id, 'dead', NULL, 'worker_lost', reason);
            PERFORM systole.tell_of_dead_job(lost, reason);
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
        reason := 'The run exceeded its time limit of ' || lost.time_limit || '.';
        IF systole.fail_job(lost.job_id, lost.lease_no, 'deadline', reason) = 'dead' THEN
            PERFORM systole.tell_of_dead_job(lost, reason);
        END IF;
    END LOOP;

    DELETE FROM systole.worker w
    WHERE w.beat_at NOT BETWEEN now() - interval '60 seconds' AND now() + interval '60 seconds'
        AND NOT EXISTS (SELECT FROM systole.job j
            WHERE j.worker_id = w.worker_id AND j.state = 'running');
    RETURN rescued;
END $$;

-- As in 0005, and the series of a batch are told of too.
CREATE OR REPLACE FUNCTION systole.tell_of_dead_job(dead systole.job, reason text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF dead.kind = 'forecast' THEN
        PERFORM systole.emit('forecast.failed', s.key, jsonb_build_object(
            'series_id', s.series_id, 'series', s.key, 'job_id', dead.job_id, 'reason', reason))
        FROM systole.series AS s
        WHERE s.series_id IN (
            SELECT id::bigint FROM jsonb_array_elements_text(
                coalesce(dead.args->'series_ids', jsonb_build_array(dead.args->'series_id'))) AS a (id));
    END IF;
END $$;

-- ---------------------------------------------------------------------------------------------------
-- One model for many series, those that come later too
-- ---------------------------------------------------------------------------------------------------

-- What share_model() was told last for some labels.
CREATE TABLE systole.model_share (
    labels   jsonb       NOT NULL,
    model_id bigint      NOT NULL,
    since    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT model_share_pkey PRIMARY KEY (labels),
    CONSTRAINT model_share_model FOREIGN KEY (model_id) REFERENCES systole.model
);
COMMENT ON TABLE systole.model_share IS
    'Which model the series with some labels share, those that come later included: share_model(), unshare_model().';

-- Gives the chosen series the weights of one model, as a live model of their own; their live models, in the same order, retire.
CREATE FUNCTION systole.adopt_model(root systole.model, chosen bigint[], previous bigint[]) RETURNS bigint
LANGUAGE plpgsql SET enable_nestloop = off SET enable_seqscan = off AS $$
DECLARE
    source text := (SELECT s.key FROM systole.series s WHERE s.series_id = root.series_id);
    shared bigint;
BEGIN
    UPDATE systole.model m SET stage = 'retired', retired_at = now() WHERE m.model_id = ANY (previous);
    WITH made AS (
        INSERT INTO systole.model AS m (series_id, family, version, stage, reason, data_digest, data_from,
            data_until, season_steps, steps_maximum, weights_sha256, shared_from, promoted_at)
        SELECT c.series_id, root.family, 1 + coalesce((SELECT max(v.version) FROM systole.model v
                WHERE v.series_id = c.series_id AND v.family = root.family), 0),
            'live', format('Shares the weights of model %s, of series %L.', root.model_id, source),
            root.data_digest, root.data_from, root.data_until, root.season_steps, root.steps_maximum,
            root.weights_sha256, root.model_id, now()
        FROM unnest(chosen) AS c (series_id)
        RETURNING m.model_id, m.series_id, m.version)
    SELECT systole.emit_all('model.promoted', array_agg(s.key), array_agg(jsonb_build_object(
            'series_id', s.series_id, 'series', s.key, 'model_id', made.model_id, 'family', root.family,
            'version', made.version, 'previous_model_id', p.model_id)))
    INTO shared
    FROM made
    JOIN systole.series s USING (series_id)
    JOIN unnest(chosen, previous) AS p (series_id, model_id) USING (series_id);
    RETURN shared;
END $$;

DROP FUNCTION systole.share_model(bigint, jsonb, boolean);
-- The planner takes a hundred thousand chosen series for a hundred, and a table that grows meanwhile for an empty one.
CREATE FUNCTION systole.share_model(
    id bigint, labels jsonb, replace_own boolean DEFAULT false, later boolean DEFAULT true)
RETURNS bigint LANGUAGE plpgsql SET enable_nestloop = off SET enable_seqscan = off AS $$
DECLARE
    root     systole.model;
    source   systole.series;
    others   text;
    chosen   bigint[];
    previous bigint[];
BEGIN
    PERFORM systole.check_labels(labels);
    SELECT o.* INTO root FROM systole.model m
    JOIN systole.model o ON o.model_id = coalesce(m.shared_from, m.model_id) WHERE m.model_id = id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no model %.', coalesce(id::text, 'NULL') USING ERRCODE = 'SY005',
            HINT = 'All models: SELECT model_id, series, family, version, stage FROM systole.models;';
    END IF;
    SELECT s.* INTO source FROM systole.series s WHERE s.series_id = root.series_id;
    IF NOT EXISTS (SELECT FROM systole.series s WHERE s.labels @> share_model.labels) THEN
        PERFORM systole.raise_nothing_selected(labels);
    END IF;
    SELECT string_agg(quote_literal(o.key), ', ') INTO others FROM (
        SELECT s.key FROM systole.series s
        WHERE s.labels @> share_model.labels AND s.step_us IS DISTINCT FROM source.step_us
        ORDER BY s.key LIMIT 3) o;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'Model % forecasts in steps of %, and these series do not have it: %.', root.model_id,
            source.step_us * interval '1 microsecond', others
            USING ERRCODE = 'SY028', HINT = 'Select more narrowly, or state their step: SELECT systole.set_step(…);';
    END IF;
    IF later THEN
        INSERT INTO systole.model_share AS r (labels, model_id) VALUES (share_model.labels, root.model_id)
        ON CONFLICT ON CONSTRAINT model_share_pkey DO UPDATE SET model_id = excluded.model_id, since = now();
    END IF;
    -- Promotions of a series take turns. A row that was waited for is seen as it is now by the next statement.
    PERFORM FROM systole.series s WHERE s.labels @> share_model.labels
    ORDER BY s.series_id FOR NO KEY UPDATE;
    SELECT array_agg(s.series_id), array_agg(live.model_id) INTO chosen, previous
    FROM systole.series s
    LEFT JOIN systole.model live ON live.series_id = s.series_id AND live.stage = 'live'
    WHERE s.labels @> share_model.labels AND s.series_id <> root.series_id
        AND live.shared_from IS DISTINCT FROM root.model_id
        AND (live.model_id IS NULL OR live.shared_from IS NOT NULL OR replace_own);
    RETURN systole.adopt_model(root, chosen, previous);
END $$;
COMMENT ON FUNCTION systole.share_model IS
    'Lets every series with these labels forecast with the weights of one model, each in its own scale, and returns how many '
    'now do that did not before. A series that has a live model of its own keeps it, unless replace_own. Series that come later '
    'are given the model when forecasts by labels are made, if they have its step and no live model, unless later is '
    'false; unshare_model ends that. promote_model and rollback_model take one series back.';

CREATE FUNCTION systole.unshare_model(labels jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM systole.check_labels(labels);
    DELETE FROM systole.model_share r WHERE r.labels = unshare_model.labels;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No model is shared with series that come later by the labels %.', left(labels::text, 200)
            USING ERRCODE = 'SY028', HINT = 'Those that are: SELECT labels, model_id FROM systole.shared_models;';
    END IF;
END $$;
COMMENT ON FUNCTION systole.unshare_model IS
    'Series with these labels that come later get no shared model any more; those that have it keep it.';

CREATE VIEW systole.shared_models AS
SELECT r.labels, r.model_id, s.key AS series, m.family, m.version, r.since,
    (SELECT count(*) FROM systole.model c WHERE c.shared_from = r.model_id AND c.stage = 'live') AS shared_with
FROM systole.model_share r
JOIN systole.model m USING (model_id)
JOIN systole.series s USING (series_id);
COMMENT ON VIEW systole.shared_models IS
    'Which model the series with some labels share, those that come later included (share_model, unshare_model).';
COMMENT ON COLUMN systole.shared_models.series IS 'The series that the model was fitted on.';
COMMENT ON COLUMN systole.shared_models.shared_with IS 'How many other series forecast with its weights now.';

-- Gives series that came after share_model() the model of their labels; where several fit, the one that was told last. Only
-- series with the selector's labels are looked at. Locks nothing while there is no such series.
CREATE FUNCTION systole.adopt_shared_models(labels jsonb) RETURNS bigint
LANGUAGE plpgsql SET enable_nestloop = off SET enable_seqscan = off AS $$
DECLARE
    rule    record;
    chosen  bigint[];
    adopted bigint := 0;
BEGIN
    FOR rule IN
        SELECT r.labels, s.step_us, m AS root
        FROM systole.model_share r
        JOIN systole.model m USING (model_id)
        JOIN systole.series s USING (series_id)
        ORDER BY r.since DESC
    LOOP
        -- Unlocked first: at nearly every fire nobody is new.
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM systole.series s
            WHERE s.labels @> rule.labels AND s.labels @> adopt_shared_models.labels AND s.step_us = rule.step_us
                AND NOT EXISTS (SELECT FROM systole.model live
                    WHERE live.series_id = s.series_id AND live.stage = 'live'));
        PERFORM FROM systole.series s
        WHERE s.labels @> rule.labels AND s.labels @> adopt_shared_models.labels AND s.step_us = rule.step_us
            AND NOT EXISTS (SELECT FROM systole.model live
                WHERE live.series_id = s.series_id AND live.stage = 'live')
        ORDER BY s.series_id FOR NO KEY UPDATE;
        SELECT array_agg(s.series_id) INTO chosen
        FROM systole.series s
        WHERE s.labels @> rule.labels AND s.labels @> adopt_shared_models.labels AND s.step_us = rule.step_us
            AND NOT EXISTS (SELECT FROM systole.model live
                WHERE live.series_id = s.series_id AND live.stage = 'live');
        IF chosen IS NOT NULL THEN
            adopted := adopted + systole.adopt_model(rule.root, chosen,
                array_fill(NULL::bigint, ARRAY[cardinality(chosen)]));
        END IF;
    END LOOP;
    RETURN adopted;
END $$;

-- As in 0011, after series that are new have been given the model that they share.
CREATE OR REPLACE FUNCTION systole.request_forecasts(labels jsonb, horizon interval) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM systole.check_labels(labels);
    PERFORM systole.adopt_shared_models(labels);
    RETURN QUERY INSERT INTO systole.job AS j (kind, args, state, behind_us)
    SELECT 'forecast', b.args, 'ready', systole.behind_us(b.place)
    FROM systole.forecast_batches(labels, systole.check_forecasts(labels, horizon))
        WITH ORDINALITY AS b (args, place)
    ORDER BY b.place RETURNING j.job_id;
    PERFORM pg_notify('systole_wake', 'forecast');
END $$;

CREATE OR REPLACE FUNCTION systole.enqueue_fire(
    s systole.schedule, fire_at timestamptz, OUT first_id bigint, OUT jobs integer)
LANGUAGE plpgsql AS $$
DECLARE
    start_at timestamptz := CASE WHEN s.jitter = interval '0' THEN now() ELSE greatest(now(),
        enqueue_fire.fire_at + s.jitter * systole.jitter_share(s.schedule_id, enqueue_fire.fire_at)) END;
BEGIN
    IF s.kind = 'forecast' AND s.args ? 'labels' THEN
        PERFORM systole.adopt_shared_models(s.args->'labels');
    END IF;
    WITH added AS (
        INSERT INTO systole.job AS j (kind, args, state, run_at, behind_us, priority, attempts_maximum,
            time_limit, schedule_id, fire_at)
        SELECT s.kind, a.args, CASE WHEN start_at > now() THEN 'scheduled' ELSE 'ready' END, start_at,
            systole.behind_us(a.place), s.priority, s.attempts_maximum, s.time_limit, s.schedule_id,
            enqueue_fire.fire_at
        FROM systole.fire_args(s.kind, s.args) WITH ORDINALITY AS a (args, place)
        ORDER BY a.place RETURNING j.job_id)
    SELECT min(added.job_id), count(*) INTO first_id, jobs FROM added;
    PERFORM pg_notify('systole_wake', s.kind);
END $$;

-- ---------------------------------------------------------------------------------------------------
-- Arguments that were not refused
-- ---------------------------------------------------------------------------------------------------

-- As in 0002; walking the days after infinity never ended.
CREATE OR REPLACE FUNCTION systole.next_fire(
    every interval, rule systole.cron_rule, time_zone text, after timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    step bigint;
BEGIN
    IF NOT isfinite(after) THEN
        PERFORM systole.raise_bad_schedule(format('A schedule starts at an instant; found %s.', after),
            'Leave start_at out to start now.');
    END IF;
    IF every IS NULL THEN
        RETURN systole.cron_next(rule, time_zone, after);
    END IF;
    step := extract(epoch FROM every) * 1000000;
    RETURN timestamptz 'epoch' + interval '1 microsecond'
        * ((floor(extract(epoch FROM after) * 1000000 / step) + 1) * step)::bigint;
END $$;

CREATE OR REPLACE FUNCTION systole.preview_cron(
    cron text, time_zone text DEFAULT 'UTC', n integer DEFAULT 5, after timestamptz DEFAULT now())
RETURNS TABLE (fire_at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule systole.cron_rule := systole.cron_parse(cron);
BEGIN
    PERFORM systole.check_time_zone(time_zone);
    fire_at := after;
    FOR i IN 1..least(n, 10000) LOOP
        fire_at := systole.next_fire(NULL, rule, time_zone, fire_at);
        EXIT WHEN fire_at IS NULL;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION systole.enqueue_batch(
    kind text, args jsonb[], priority smallint DEFAULT 100, attempts_maximum integer DEFAULT 8,
    time_limit interval DEFAULT '1 hour')
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    added bigint;
BEGIN
    PERFORM systole.check_job(enqueue_batch.kind, '{}', enqueue_batch.attempts_maximum,
        enqueue_batch.time_limit);
    IF enqueue_batch.args IS NULL OR enqueue_batch.priority IS NULL THEN
        RAISE EXCEPTION 'args and priority of a batch of jobs must not be NULL.' USING ERRCODE = 'SY024';
    END IF;
    -- The first that is no object says what is accepted.
    PERFORM systole.check_job(enqueue_batch.kind, a, 1, enqueue_batch.time_limit)
    FROM unnest(enqueue_batch.args) AS a WHERE jsonb_typeof(a) IS DISTINCT FROM 'object' LIMIT 1;
    INSERT INTO systole.job (kind, args, priority, attempts_maximum, time_limit, state)
    SELECT enqueue_batch.kind, a, enqueue_batch.priority, enqueue_batch.attempts_maximum,
        enqueue_batch.time_limit, 'ready'
    FROM unnest(enqueue_batch.args) WITH ORDINALITY AS u(a, i) ORDER BY i;
    GET DIAGNOSTICS added = ROW_COUNT;
    PERFORM pg_notify('systole_wake', enqueue_batch.kind);
    RETURN added;
END $$;

-- ---------------------------------------------------------------------------------------------------
-- What \d+ says of the columns of the views that users read first
-- ---------------------------------------------------------------------------------------------------

COMMENT ON COLUMN systole.accuracy.family IS 'The family of the model.';
COMMENT ON COLUMN systole.accuracy.from_step IS 'The first step of the range.';
COMMENT ON COLUMN systole.accuracy.model_id IS 'The model: systole.models.';
COMMENT ON COLUMN systole.accuracy.model_version IS 'The version of the model in its family, of its series.';
COMMENT ON COLUMN systole.accuracy.scored_at IS 'When the last of them was marked.';
COMMENT ON COLUMN systole.accuracy.series IS 'The key of the series.';
COMMENT ON COLUMN systole.accuracy.skill_points IS 'Points where seasonal naive had a value too: those that skill compares.';
COMMENT ON COLUMN systole.accuracy.to_step IS 'The last step of the range.';
COMMENT ON COLUMN systole.anomalies.detected_at IS 'When the service noticed.';
COMMENT ON COLUMN systole.anomalies.expected IS 'What was expected there.';
COMMENT ON COLUMN systole.anomalies.family IS 'The family of the model.';
COMMENT ON COLUMN systole.anomalies.incident_id IS 'Its number, which label_anomaly() takes.';
COMMENT ON COLUMN systole.anomalies.kind IS 'value, no-data or level-shift.';
COMMENT ON COLUMN systole.anomalies.label IS 'What somebody said of it: true, false or maintenance (label_anomaly).';
COMMENT ON COLUMN systole.anomalies.model_id IS 'The model: systole.models.';
COMMENT ON COLUMN systole.anomalies.model_version IS 'The version of the model in its family, of its series.';
COMMENT ON COLUMN systole.anomalies.note IS 'What they added.';
COMMENT ON COLUMN systole.anomalies.observed IS 'What was observed at the peak.';
COMMENT ON COLUMN systole.anomalies.opened_at IS 'The observation with which it began.';
COMMENT ON COLUMN systole.anomalies.p_value IS 'How likely something as extreme was.';
COMMENT ON COLUMN systole.anomalies.peak_at IS 'The observation with the highest score.';
COMMENT ON COLUMN systole.anomalies.peak_score IS 'The highest score: -log10 of p_value.';
COMMENT ON COLUMN systole.anomalies.resolved_at IS 'The observation with which it ended.';
COMMENT ON COLUMN systole.anomalies.seq IS 'Its number within the series.';
COMMENT ON COLUMN systole.anomalies.series IS 'The key of the series.';
COMMENT ON COLUMN systole.anomalies.state IS 'firing, or resolved.';
COMMENT ON COLUMN systole.anomalies.threshold IS 'The score above which it fires; it follows from the alert budget.';
COMMENT ON COLUMN systole.anomalies.unit IS 'The unit of observed and expected.';
COMMENT ON COLUMN systole.ecg_findings.abbreviation IS 'The short name of the class.';
COMMENT ON COLUMN systole.ecg_findings.classified_at IS 'When it was classified.';
COMMENT ON COLUMN systole.ecg_findings.classifier_id IS 'The classifier: systole.classifiers.';
COMMENT ON COLUMN systole.ecg_findings.intended_use IS 'What the answer may be used for.';
COMMENT ON COLUMN systole.ecg_findings.model_family IS 'The family of the classifier.';
COMMENT ON COLUMN systole.ecg_findings.model_version IS 'The version of the classifier.';
COMMENT ON COLUMN systole.ecg_findings.name IS 'The name of the class.';
COMMENT ON COLUMN systole.ecg_findings.notes IS 'What was noticed of the recording.';
COMMENT ON COLUMN systole.ecg_findings.quality IS 'How usable the signal is.';
COMMENT ON COLUMN systole.ecg_findings.reason IS 'Why there is no finding, as a sentence.';
COMMENT ON COLUMN systole.ecg_findings.recording IS 'The key of the recording.';
COMMENT ON COLUMN systole.ecg_findings.recording_id IS 'The number of the recording.';
COMMENT ON COLUMN systole.ecg_findings.system IS 'The system of codes, as a URI.';
COMMENT ON COLUMN systole.ecg_findings.threshold IS 'The probability from which on it is positive.';
COMMENT ON COLUMN systole.forecast_vs_actual.actual IS 'What was observed.';
COMMENT ON COLUMN systole.forecast_vs_actual.at IS 'The time that was forecast.';
COMMENT ON COLUMN systole.forecast_vs_actual.data_until IS 'The newest observation that was known then.';
COMMENT ON COLUMN systole.forecast_vs_actual.error IS 'value - actual.';
COMMENT ON COLUMN systole.forecast_vs_actual.family IS 'The family of the model.';
COMMENT ON COLUMN systole.forecast_vs_actual.forecast_id IS 'The run: systole.forecasts.';
COMMENT ON COLUMN systole.forecast_vs_actual.inside_80 IS 'Whether actual lies in the 80 % interval.';
COMMENT ON COLUMN systole.forecast_vs_actual.inside_95 IS 'Whether actual lies in the 95 % interval.';
COMMENT ON COLUMN systole.forecast_vs_actual.issued_at IS 'When the forecast was issued.';
COMMENT ON COLUMN systole.forecast_vs_actual.lower_80 IS 'Lower end of the 80 % interval.';
COMMENT ON COLUMN systole.forecast_vs_actual.lower_95 IS 'Lower end of the 95 % interval.';
COMMENT ON COLUMN systole.forecast_vs_actual.model_id IS 'The model: systole.models.';
COMMENT ON COLUMN systole.forecast_vs_actual.model_version IS 'The version of the model in its family, of its series.';
COMMENT ON COLUMN systole.forecast_vs_actual.series IS 'The key of the series.';
COMMENT ON COLUMN systole.forecast_vs_actual.series_id IS 'The number of the series.';
COMMENT ON COLUMN systole.forecast_vs_actual.step IS 'Which step of the run, from 1.';
COMMENT ON COLUMN systole.forecast_vs_actual.step_us IS 'Microseconds from step to step.';
COMMENT ON COLUMN systole.forecast_vs_actual.upper_80 IS 'Upper end of the 80 % interval.';
COMMENT ON COLUMN systole.forecast_vs_actual.upper_95 IS 'Upper end of the 95 % interval.';
COMMENT ON COLUMN systole.forecast_vs_actual.value IS 'What was forecast: the median.';
COMMENT ON COLUMN systole.jobs.args IS 'What it is told, a JSON object.';
COMMENT ON COLUMN systole.jobs.attempts_maximum IS 'How many runs may fail.';
COMMENT ON COLUMN systole.jobs.created_at IS 'When it was added.';
COMMENT ON COLUMN systole.jobs.error IS 'The last error, as a sentence.';
COMMENT ON COLUMN systole.jobs.error_class IS 'The class of the last error, to count by.';
COMMENT ON COLUMN systole.jobs.finished_at IS 'When it ended.';
COMMENT ON COLUMN systole.jobs.fire_at IS 'The fire of the schedule that it belongs to.';
COMMENT ON COLUMN systole.jobs.job_id IS 'Its number, which cancel_job() and retry_job() take.';
COMMENT ON COLUMN systole.jobs.kind IS 'Which handler does it.';
COMMENT ON COLUMN systole.jobs.result IS 'What its last run stated.';
COMMENT ON COLUMN systole.jobs.run_at IS 'When it may run.';
COMMENT ON COLUMN systole.jobs.schedule IS 'The schedule that enqueued it.';
COMMENT ON COLUMN systole.jobs.started_at IS 'When its last run began.';
COMMENT ON COLUMN systole.jobs.state IS 'scheduled, ready, running, cancelling, retrying, done, dead (gave up: see error) or cancelled.';
COMMENT ON COLUMN systole.jobs.unique_key IS 'No other job of its kind with this key lives at the same time.';
COMMENT ON COLUMN systole.jobs.worker_host IS 'The machine that runs it.';
COMMENT ON COLUMN systole.jobs.worker_pid IS 'The process that runs it.';
COMMENT ON COLUMN systole.models.code_version IS 'Which code fitted it.';
COMMENT ON COLUMN systole.models.config IS 'With what it was fitted.';
COMMENT ON COLUMN systole.models.created_at IS 'When it was added.';
COMMENT ON COLUMN systole.models.data_from IS 'The oldest observation it was fitted on.';
COMMENT ON COLUMN systole.models.data_sha256 IS 'SHA-256 of the observations it was fitted on.';
COMMENT ON COLUMN systole.models.data_until IS 'The newest observation it was fitted on.';
COMMENT ON COLUMN systole.models.family IS 'The family of the model.';
COMMENT ON COLUMN systole.models.job_id IS 'The training that left it.';
COMMENT ON COLUMN systole.models.metrics IS 'What was measured on the validation windows, the coverage of the intervals included.';
COMMENT ON COLUMN systole.models.model_id IS 'Its number, which promote_model() and share_model() take.';
COMMENT ON COLUMN systole.models.parameters IS 'How many numbers were fitted.';
COMMENT ON COLUMN systole.models.promoted_at IS 'When it went live last.';
COMMENT ON COLUMN systole.models.reason IS 'Why it is in this stage.';
COMMENT ON COLUMN systole.models.retired_at IS 'When another took its place.';
COMMENT ON COLUMN systole.models.season_steps IS 'The season, in steps, that seasonal naive and MASE use; NULL without one.';
COMMENT ON COLUMN systole.models.seed IS 'The seed of the fit.';
COMMENT ON COLUMN systole.models.series IS 'The key of the series.';
COMMENT ON COLUMN systole.models.stage IS 'candidate, live or retired.';
COMMENT ON COLUMN systole.models.steps_maximum IS 'How many steps it forecasts at most.';
COMMENT ON COLUMN systole.models.training_seconds IS 'How long the fit took.';
COMMENT ON COLUMN systole.models.validation_mae IS 'Mean absolute error on the validation windows, in standard deviations of the training rows.';
COMMENT ON COLUMN systole.models.version IS 'Its version in its family, of its series.';
COMMENT ON COLUMN systole.models.weight_bytes IS 'How large its weights are.';
COMMENT ON COLUMN systole.models.weights_sha256 IS 'SHA-256 of its weights.';
COMMENT ON COLUMN systole.schedules.args IS 'What it is told, a JSON object.';
COMMENT ON COLUMN systole.schedules.catchup IS 'What becomes of missed fires: skip, latest or all.';
COMMENT ON COLUMN systole.schedules.catchup_maximum IS 'How many missed fires catchup all makes good at most.';
COMMENT ON COLUMN systole.schedules.catchup_window IS 'How late a missed fire may still be made good; NULL is no limit.';
COMMENT ON COLUMN systole.schedules.created_at IS 'When it was added.';
COMMENT ON COLUMN systole.schedules.cron IS 'The cron expression; or every.';
COMMENT ON COLUMN systole.schedules.dst_gap IS 'What becomes of a wall time that is skipped in spring: shift or skip.';
COMMENT ON COLUMN systole.schedules.dst_overlap IS 'When to fire at a wall time that comes twice in autumn: first, last or both.';
COMMENT ON COLUMN systole.schedules.end_at IS 'After this nothing fires.';
COMMENT ON COLUMN systole.schedules.every IS 'The interval, counted from the Unix epoch; or cron.';
COMMENT ON COLUMN systole.schedules.jitter IS 'Jobs start up to so much after their fire.';
COMMENT ON COLUMN systole.schedules.kind IS 'Which handler does it.';
COMMENT ON COLUMN systole.schedules.last_decided_at IS 'When that was decided: a scheduler that lives has decided lately.';
COMMENT ON COLUMN systole.schedules.last_decision IS 'What was decided last; a row of systole.schedule_fires.';
COMMENT ON COLUMN systole.schedules.last_fire_at IS 'The last time that fired.';
COMMENT ON COLUMN systole.schedules.last_job_id IS 'The (first) job of that decision.';
COMMENT ON COLUMN systole.schedules.name IS 'Its name, which pause_schedule() and others take.';
COMMENT ON COLUMN systole.schedules.next_fire_at IS 'When it fires next; NULL while it is paused.';
COMMENT ON COLUMN systole.schedules.overlap IS 'What to do while the previous job lives: allow, skip, queue_one or cancel_running.';
COMMENT ON COLUMN systole.schedules.pause_on_failure IS 'Whether a job that is given up pauses it.';
COMMENT ON COLUMN systole.schedules.schedule_id IS 'Its number.';
COMMENT ON COLUMN systole.schedules.start_at IS 'Before this nothing fires.';
COMMENT ON COLUMN systole.schedules.state IS 'active, paused or ended.';
COMMENT ON COLUMN systole.schedules.time_zone IS 'The zone of cron.';
COMMENT ON FUNCTION systole.find_schedule IS 'The schedule of a name; raises SY022 where there is none.';
COMMENT ON FUNCTION systole.raise_unknown_job IS 'Raises SY020: there is no such job.';

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_worker', 'complete_and_claim', 'EXECUTE'), ('systole_ingest', 'complete_and_claim', 'EXECUTE'),
    ('systole_api', 'unshare_model', 'EXECUTE'), ('systole_api', 'shared_models', 'SELECT'),
    ('systole_worker', 'shared_models', 'SELECT'), ('systole_reader', 'shared_models', 'SELECT');
SELECT systole.apply_privileges();
