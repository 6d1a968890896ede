-- 0011_groups.sql: forecasts of many series by their labels, in batches; one model for many series.
-- Locks: systole.job is rewritten (it holds live jobs only), and schedules, models and series wait while they get a column or
-- an index.
--
-- Errors: SY028 labels that cannot be used, or that no series has.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Labels
-- ---------------------------------------------------------------------------------------------------

-- Serves selectors: series whose labels contain others.
CREATE INDEX series_labels ON systole.series USING gin (labels jsonb_path_ops);

CREATE FUNCTION systole.label_series(series text, labels jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.series_id_of(series);
BEGIN
    PERFORM systole.check_labels(label_series.labels);
    UPDATE systole.series AS s SET labels = jsonb_strip_nulls(s.labels || label_series.labels)
    WHERE s.series_id = id RETURNING s.labels INTO labels;
    RETURN labels;
END $$;
COMMENT ON FUNCTION systole.label_series IS
    'Adds labels to a series, such as {"site": "a"}, by which many series are selected at once; a label that is null is taken '
    'away. Returns the labels that the series has now.';

CREATE FUNCTION systole.check_labels(labels jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF labels IS NULL OR jsonb_typeof(labels) <> 'object' THEN
        RAISE EXCEPTION 'Labels are a JSON object; found %.', coalesce(left(labels::text, 80), 'NULL')
            USING ERRCODE = 'SY028', HINT = 'Write for example ''{"site": "a"}''; {} selects every series.';
    END IF;
END $$;

CREATE FUNCTION systole.raise_nothing_selected(labels jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'No series has the labels %.', left(labels::text, 200) USING ERRCODE = 'SY028',
        HINT = 'The labels of all series: SELECT series, labels FROM systole.series_list;';
END $$;

-- ---------------------------------------------------------------------------------------------------
-- One model for many series
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.model
    ADD COLUMN shared_from bigint,
    ALTER COLUMN weights DROP NOT NULL,
    ADD CONSTRAINT model_shared_from FOREIGN KEY (shared_from) REFERENCES systole.model,
    ADD CONSTRAINT model_weights_or_shared CHECK ((weights IS NULL) = (shared_from IS NOT NULL));
-- Serves the foreign key, and systole.models, which counts the series that share a model.
CREATE INDEX model_shared ON systole.model (shared_from) WHERE shared_from IS NOT NULL;
COMMENT ON COLUMN systole.model.shared_from IS
    'The model of another series whose weights this one has; always one with weights of its own.';

CREATE OR REPLACE VIEW systole.models AS
SELECT m.model_id, s.key AS series, m.family, m.version, m.stage, m.reason, w.metrics, w.config,
    m.data_from, m.data_until, m.season_steps, m.steps_maximum,
    octet_length(w.weights) AS weight_bytes, encode(m.weights_sha256, 'hex') AS weights_sha256,
    m.created_at, m.promoted_at, m.retired_at, m.job_id,
    (w.metrics->>'validationMSE')::double precision AS validation_mse,
    (w.metrics->>'validationMAE')::double precision AS validation_mae,
    (w.metrics->>'parameterCount')::bigint AS parameters,
    (w.metrics->>'trainSeconds')::double precision AS training_seconds,
    (w.metrics->>'seed')::numeric AS seed, encode(m.data_digest, 'hex') AS data_sha256,
    w.metrics->>'codeVersion' AS code_version,
    m.shared_from, (SELECT count(*) FROM systole.model c
        WHERE c.shared_from = m.model_id AND c.stage = 'live') AS shared_with
FROM systole.model AS m
JOIN systole.series AS s USING (series_id)
JOIN systole.model AS w ON w.model_id = coalesce(m.shared_from, m.model_id);
COMMENT ON COLUMN systole.models.shared_from IS
    'The model of another series that this one is: the same weights, in the scale of this series (share_model).';
COMMENT ON COLUMN systole.models.shared_with IS 'How many other series forecast with the weights of this model.';

-- Many events of one type in one go; they tell what a transaction that calls this has made true.
CREATE FUNCTION systole.emit_all(type text, subjects text[], data jsonb[]) RETURNS bigint LANGUAGE sql AS $$
    WITH told AS (
        INSERT INTO systole.outbox (type, subject, data)
        SELECT emit_all.type, u.subject, u.data FROM unnest(subjects, data) AS u (subject, data)
        RETURNING 1)
    SELECT count(*) FROM told
$$;
COMMENT ON FUNCTION systole.emit_all IS 'Appends events of one type to the outbox; returns how many.';

-- The planner takes a hundred thousand chosen series for a hundred, and a table that grows meanwhile for an empty one.
CREATE FUNCTION systole.share_model(id bigint, labels jsonb, replace_own boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql SET enable_nestloop = off SET enable_seqscan = off AS $$
DECLARE
    root   systole.model;
    source systole.series;
    others text;
    chosen   bigint[];
    previous bigint[];
    shared   bigint;
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
    -- Promotions of a series take turns. A row that was waited for is seen as it is now by the next statement.
    PERFORM FROM systole.series s WHERE s.labels @> share_model.labels
    ORDER BY s.series_id FOR NO KEY UPDATE;
    SELECT array_agg(s.series_id), array_agg(live.model_id) INTO chosen, previous
    FROM systole.series s
    LEFT JOIN systole.model live ON live.series_id = s.series_id AND live.stage = 'live'
    WHERE s.labels @> share_model.labels AND s.series_id <> root.series_id
        AND live.shared_from IS DISTINCT FROM root.model_id
        AND (live.model_id IS NULL OR live.shared_from IS NOT NULL OR replace_own);
    UPDATE systole.model m SET stage = 'retired', retired_at = now() WHERE m.model_id = ANY (previous);
    WITH made AS (
        INSERT INTO systole.model AS m (series_id, family, version, stage, reason, data_digest, data_from,
            data_until, season_steps, steps_maximum, weights_sha256, shared_from, promoted_at)
        SELECT c.series_id, root.family, 1 + coalesce((SELECT max(v.version) FROM systole.model v
                WHERE v.series_id = c.series_id AND v.family = root.family), 0),
            'live', format('Shares the weights of model %s, of series %L.', root.model_id, source.key),
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
COMMENT ON FUNCTION systole.share_model IS
    'Lets every series with these labels forecast with the weights of one model, each in its own scale, and returns how many '
    'now do that did not before. A series that has a live model of its own keeps it, unless replace_own. Call it again for series '
    'that came later; promote_model and rollback_model take one series back.';

-- ---------------------------------------------------------------------------------------------------
-- Batches
-- ---------------------------------------------------------------------------------------------------

-- The arguments of the jobs that forecast all series with some labels: batches of series that share a model, then batches of
-- series with models of their own, then one job for each series that needs its baselines fitted first. What cannot be
-- forecast at all goes with the batches, which say so.
CREATE FUNCTION systole.forecast_batches(labels jsonb, horizon_us bigint) RETURNS SETOF jsonb
LANGUAGE sql STABLE AS $$
    WITH chosen AS (
        SELECT s.series_id, w.weights_of, w.steps,
            coalesce((m.model_id IS NULL OR w.steps > m.steps_maximum) AND w.steps <= 10000, false) AS is_fitted_first,
            count(*) OVER (PARTITION BY w.weights_of) > 1 AND w.weights_of IS NOT NULL AS is_shared
        FROM systole.series s
        LEFT JOIN systole.model m ON m.series_id = s.series_id AND m.stage = 'live'
        CROSS JOIN LATERAL (
            SELECT coalesce(m.shared_from, m.model_id) AS weights_of, (horizon_us + s.step_us - 1) / s.step_us AS steps) w
        WHERE s.labels @> forecast_batches.labels),
    placed AS (
        SELECT c.series_id, c.is_shared, CASE WHEN c.is_shared THEN c.weights_of END AS weights_of,
            -- Weights of a batch are in memory together: fewer where each series has its own.
            (row_number() OVER (PARTITION BY c.is_shared, CASE WHEN c.is_shared THEN c.weights_of END
                ORDER BY c.series_id) - 1) / CASE WHEN c.is_shared THEN 500 ELSE 50 END AS place
        FROM chosen c WHERE NOT c.is_fitted_first)
    SELECT j.args FROM (
        SELECT 0 AS turn, NOT p.is_shared AS own, min(p.series_id) AS first, jsonb_build_object(
            'series_ids', jsonb_agg(p.series_id ORDER BY p.series_id), 'horizon_us', horizon_us) AS args
        FROM placed p GROUP BY p.is_shared, p.weights_of, p.place
        UNION ALL
        SELECT 1, true, c.series_id, jsonb_build_object('series_id', c.series_id, 'steps', c.steps)
        FROM chosen c WHERE c.is_fitted_first) j
    ORDER BY j.turn, j.own, j.first
$$;

-- What the jobs of a fire are told: one job, or those of a selector, with the time of a backfill.
CREATE FUNCTION systole.fire_args(kind text, args jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF fire_args.kind = 'forecast' AND fire_args.args ? 'labels' THEN
        RETURN QUERY SELECT b || jsonb_strip_nulls(jsonb_build_object('as_of', fire_args.args->'as_of'))
        FROM systole.forecast_batches(fire_args.args->'labels', (fire_args.args->>'horizon_us')::bigint) AS b;
    ELSE
        RETURN NEXT fire_args.args;
    END IF;
END $$;

-- Raises what is wrong with a forecast of all series with some labels; returns the horizon in microseconds.
CREATE FUNCTION systole.check_forecasts(labels jsonb, horizon interval) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    us    numeric := extract(epoch FROM horizon) * 1000000;
    worst text;
BEGIN
    PERFORM systole.check_labels(labels);
    -- The series that reaches least far says what is accepted; without a known step none is.
    SELECT s.key INTO worst FROM systole.series s
    LEFT JOIN systole.model m ON m.series_id = s.series_id AND m.stage = 'live'
    WHERE s.labels @> check_forecasts.labels
    ORDER BY s.step_us * coalesce(m.steps_maximum, 10000), s.key LIMIT 1;
    IF worst IS NULL THEN
        PERFORM systole.raise_nothing_selected(labels);
    END IF;
    PERFORM systole.horizon_steps(worst, horizon);
    RETURN ceil(us)::bigint;
END $$;

CREATE FUNCTION systole.request_forecasts(labels jsonb, horizon interval) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY INSERT INTO systole.job AS j (kind, args, state, behind_us)
    SELECT 'forecast', b.args, 'ready', systole.behind_us(b.place)
    FROM systole.forecast_batches(labels, systole.check_forecasts(labels, horizon))
        WITH ORDINALITY AS b (args, place)
    ORDER BY b.place RETURNING j.job_id;
    PERFORM pg_notify('systole_wake', 'forecast');
END $$;
COMMENT ON FUNCTION systole.request_forecasts IS
    'Asks for one forecast of every series with these labels ({} for all); returns the numbers of the jobs, each of which '
    'forecasts up to 500 series.';

CREATE FUNCTION systole.schedule_forecasts(
    labels jsonb, horizon interval, every interval DEFAULT NULL, cron text DEFAULT NULL,
    time_zone text DEFAULT 'UTC', name text DEFAULT NULL, catchup text DEFAULT 'latest',
    overlap text DEFAULT 'skip', jitter interval DEFAULT '0', pause_on_failure boolean DEFAULT false)
RETURNS bigint LANGUAGE sql AS $$
    SELECT systole.create_schedule(
        name => coalesce($6, left(format('forecasts %s %s', $1, $2), 200)),
        kind => 'forecast',
        args => jsonb_build_object('labels', $1, 'horizon_us', systole.check_forecasts($1, $2)),
        every => $3, cron => $4, time_zone => $5, catchup => $7, overlap => $8, jitter => $9,
        pause_on_failure => $10)
$$;
COMMENT ON FUNCTION systole.schedule_forecasts IS
    'Forecasts every series with these labels ({} for all) again and again. Each fire looks anew which series have them and '
    'makes one job for up to 500 series that share a model (share_model). The rest as in schedule_forecast().';

-- ---------------------------------------------------------------------------------------------------
-- Turns: the batches of a fire come one after the other
-- ---------------------------------------------------------------------------------------------------

-- All are ready at once, and run at once where nobody else waits; but a schedule that fires a second later waits for those
-- batches only that had their turn by then, however many there are.
CREATE FUNCTION systole.behind_us(place bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (place - 1) * 100000;

ALTER TABLE systole.job DROP COLUMN turn_us, ADD COLUMN behind_us bigint NOT NULL DEFAULT 0;
ALTER TABLE systole.job ADD COLUMN turn_us bigint GENERATED ALWAYS AS (
    CASE WHEN isfinite(run_at) THEN systole.epoch_us(run_at) + priority * 6000000::bigint + behind_us
        WHEN run_at > '2000-01-01 00:00:00+00' THEN 9223372036854775807
        ELSE -9223372036854775807 END) STORED;
-- Serves claim_jobs(), which takes the first ready jobs of a kind in this order.
CREATE INDEX job_ready ON systole.job (kind, turn_us, job_id) WHERE state = 'ready';
COMMENT ON COLUMN systole.job.behind_us IS
    'How far the turn of a job comes after the time at which it may run: the batches of one fire come a tenth of a second apart.';

-- ---------------------------------------------------------------------------------------------------
-- Fires with many jobs, or none
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.schedule_fire
    ADD COLUMN jobs integer,
    DROP CONSTRAINT schedule_fire_decision_known,
    ADD CONSTRAINT schedule_fire_decision_known CHECK (decision IN ('fired', 'triggered', 'queued',
        'backfilled', 'skipped_overlap', 'skipped_catchup', 'skipped_paused', 'skipped_empty'));
UPDATE systole.schedule_fire SET jobs = 1 WHERE job_id IS NOT NULL;
ALTER TABLE systole.schedule_fire
    ADD CONSTRAINT schedule_fire_jobs_counted CHECK ((jobs IS NULL) = (job_id IS NULL) AND jobs >= 1);

DROP FUNCTION systole.enqueue_fire(systole.schedule, timestamptz);
CREATE FUNCTION systole.enqueue_fire(s systole.schedule, fire_at timestamptz, OUT first_id bigint, OUT jobs integer)
LANGUAGE plpgsql AS $$
DECLARE
    start_at timestamptz := CASE WHEN s.jitter = interval '0' THEN now() ELSE greatest(now(),
        enqueue_fire.fire_at + s.jitter * systole.jitter_share(s.schedule_id, enqueue_fire.fire_at)) END;
BEGIN
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

DROP FUNCTION systole.record_fire(bigint, timestamptz, text, bigint);
CREATE FUNCTION systole.record_fire(
    id bigint, at timestamptz, decision text, job_id bigint DEFAULT NULL, jobs integer DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision, job_id, jobs)
    VALUES (id, at, at, decision, record_fire.job_id, record_fire.jobs)
$$;

-- Somebody who triggers a schedule wants its jobs now: without jitter.
CREATE OR REPLACE FUNCTION systole.trigger_schedule(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    s    systole.schedule := systole.find_schedule(name);
    at   timestamptz := clock_timestamp();
    made record;
BEGIN
    s.jitter := '0';
    made := systole.enqueue_fire(s, at);
    IF made.jobs = 0 THEN
        PERFORM systole.raise_nothing_selected(s.args->'labels');
    END IF;
    PERFORM systole.record_fire(s.schedule_id, at, 'triggered', made.first_id, made.jobs);
    RETURN made.first_id;
END $$;

CREATE OR REPLACE FUNCTION systole.backfill_schedule(
    name text, from_at timestamptz, to_at timestamptz, priority smallint DEFAULT 200)
RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    s     systole.schedule := systole.find_schedule(name);
    rule  systole.cron_rule := systole.rule_of(s);
    at    timestamptz := from_at - interval '1 microsecond';
    fires integer := 0;
    fired integer := 0;
    made  record;
BEGIN
    IF from_at IS NULL OR to_at IS NULL OR NOT isfinite(from_at) OR from_at > to_at OR to_at > now() THEN
        RAISE EXCEPTION 'A backfill goes from an instant to a later one that has passed; found % to %.',
            coalesce(from_at::text, 'NULL'), coalesce(to_at::text, 'NULL') USING ERRCODE = 'SY027';
    END IF;
    -- One backfill of a schedule at a time, and none while its times are decided.
    PERFORM FROM systole.schedule t WHERE t.schedule_id = s.schedule_id FOR NO KEY UPDATE;
    s.priority := priority;
    s.jitter := '0';
    LOOP
        at := systole.next_fire(s.every, rule, s.time_zone, at);
        EXIT WHEN at IS NULL OR at > to_at;
        fires := fires + 1;
        IF fires > 10000 THEN
            RAISE EXCEPTION 'Schedule % fires more than 10000 times from % to %.', quote_literal(name), from_at, to_at
                USING ERRCODE = 'SY027', HINT = 'Backfill it in stretches.';
        END IF;
        CONTINUE WHEN EXISTS (SELECT FROM systole.schedule_fire f WHERE f.schedule_id = s.schedule_id
            AND f.fire_at = at AND f.decision IN ('fired', 'backfilled'));
        s.args := jsonb_set(s.args, '{as_of}', to_jsonb(systole.iso8601(at)));
        made := systole.enqueue_fire(s, at);
        CONTINUE WHEN made.jobs = 0;
        PERFORM systole.record_fire(s.schedule_id, at, 'backfilled', made.first_id, made.jobs);
        fired := fired + made.jobs;
    END LOOP;
    RETURN fired;
END $$;

CREATE OR REPLACE FUNCTION systole.decide_fire(s systole.schedule, at timestamptz, OUT queued timestamptz, OUT fired boolean)
LANGUAGE plpgsql AS $$
DECLARE
    made record;
BEGIN
    queued := s.queued_fire_at;
    fired := false;
    IF (s.catchup = 'skip' AND at < now() - interval '1 minute') OR at < now() - s.catchup_window THEN
        PERFORM systole.record_fire(s.schedule_id, at, 'skipped_catchup');
    ELSIF s.overlap = 'allow' OR NOT systole.schedule_is_busy(s.schedule_id) AND queued IS NULL THEN
        made := systole.enqueue_fire(s, at);
        fired := made.jobs > 0;
        PERFORM systole.record_fire(s.schedule_id, at, CASE WHEN fired THEN 'fired' ELSE 'skipped_empty' END,
            made.first_id, nullif(made.jobs, 0));
    ELSIF s.overlap = 'cancel_running' THEN
        -- The newest fire is the one that matters: it takes the place of one that still waits.
        UPDATE systole.schedule_fire f SET decision = 'skipped_overlap'
        WHERE f.schedule_id = s.schedule_id AND f.fire_at = queued AND f.decision = 'queued';
        PERFORM systole.cancel_fires(s.schedule_id);
        PERFORM systole.record_fire(s.schedule_id, at, 'queued');
        queued := at;
    ELSIF s.overlap = 'queue_one' AND queued IS NULL THEN
        PERFORM systole.record_fire(s.schedule_id, at, 'queued');
        queued := at;
    ELSE
        PERFORM systole.record_fire(s.schedule_id, at, 'skipped_overlap');
    END IF;
END $$;

-- Fires what waited for the previous jobs to end, if they have; the caller has locked the row. Returns whether it is decided.
CREATE OR REPLACE FUNCTION systole.fire_queued(s systole.schedule) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    made record;
BEGIN
    IF systole.schedule_is_busy(s.schedule_id) THEN
        IF s.overlap = 'cancel_running' THEN
            PERFORM systole.cancel_fires(s.schedule_id);
        END IF;
        RETURN false;
    END IF;
    made := systole.enqueue_fire(s, s.queued_fire_at);
    UPDATE systole.schedule_fire f
    SET decision = CASE WHEN made.jobs > 0 THEN 'fired' ELSE 'skipped_empty' END, job_id = made.first_id,
        jobs = nullif(made.jobs, 0)
    WHERE f.schedule_id = s.schedule_id AND f.fire_at = s.queued_fire_at AND f.decision = 'queued';
    UPDATE systole.schedule t
    SET queued_fire_at = NULL, last_fire_at = greatest(t.last_fire_at, s.queued_fire_at)
    WHERE t.schedule_id = s.schedule_id;
    RETURN true;
END $$;

CREATE OR REPLACE VIEW systole.schedule_fires AS
SELECT s.name AS schedule, f.fire_at, f.through_at, f.decision, f.job_id, f.decided_at, f.schedule_id, f.jobs
FROM systole.schedule_fire f
JOIN systole.schedule s USING (schedule_id);
COMMENT ON COLUMN systole.schedule_fires.job_id IS
    'The first of its jobs; the others have the same schedule and fire_at in systole.jobs.';
COMMENT ON COLUMN systole.schedule_fires.jobs IS 'How many jobs it made: one, or a batch for up to 500 series each.';
COMMENT ON VIEW systole.schedules IS
    'All schedules, when they fire next, and what was decided last (fired, triggered, queued, skipped_overlap, '
    'skipped_catchup, skipped_paused, skipped_empty: no series had its labels). state: active, paused or ended.';

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, 'EXECUTE'
FROM (VALUES
    ('systole_api', '{label_series,share_model,request_forecasts,schedule_forecasts}'::text[]),
    ('systole_ingest', '{label_series}'), ('systole_worker', '{emit_all}')) AS given (role, objects),
    unnest(objects) AS object;
SELECT systole.apply_privileges();
