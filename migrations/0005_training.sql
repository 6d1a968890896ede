-- 0005_training.sql: trainings that go on after a kill, their losses, and rolling a model back.
-- Locks: new objects, and functions and one view replaced in place; a running service notices nothing.
--
-- Errors: SY016 unusable setting of a training, SY017 there is no model to roll back to.
SET LOCAL lock_timeout = '2s';

-- What a training job learns from and with, pinned by its first run: another worker that goes on with
-- the job finds the same rows and the same seed, whatever has arrived since.
CREATE TABLE systole.training (
    job_id     bigint        NOT NULL,
    series_id  bigint        NOT NULL REFERENCES systole.series,
    data_until timestamptz   NOT NULL,
    seed       numeric(20,0) NOT NULL,
    began_at   timestamptz   NOT NULL DEFAULT now(),
    outcome    text,
    ended_at   timestamptz,

    CONSTRAINT training_pkey PRIMARY KEY (job_id),
    CONSTRAINT training_outcome_known CHECK (outcome IN ('done', 'dead', 'cancelled')),
    CONSTRAINT training_ended_with_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CONSTRAINT training_seed_range CHECK (seed BETWEEN 0 AND 18446744073709551615)
);
COMMENT ON TABLE systole.training IS
    'Training jobs: the rows and the seed that every run of one uses, and how it ended.';

-- One row for each network that a job trains; the state is there only while the job lives.
CREATE TABLE systole.training_state (
    job_id         bigint           NOT NULL REFERENCES systole.training ON DELETE CASCADE,
    fingerprint    text             NOT NULL,
    lease_no       bigint           NOT NULL,
    family         text             NOT NULL,
    step           bigint           NOT NULL,
    steps_maximum  bigint           NOT NULL,
    epochs_maximum integer          NOT NULL,
    seconds        double precision NOT NULL,
    record         jsonb            NOT NULL,
    state          bytea,
    began_at       timestamptz      NOT NULL DEFAULT now(),
    updated_at     timestamptz      NOT NULL DEFAULT now(),

    CONSTRAINT training_state_pkey PRIMARY KEY (job_id, fingerprint),
    CONSTRAINT training_state_fingerprint_usable CHECK (fingerprint ~ '^[0-9a-f]{16}$'),
    CONSTRAINT training_state_numbers CHECK (
        step BETWEEN 0 AND steps_maximum AND epochs_maximum > 0 AND seconds >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50);
-- States are noise to a compressor.
ALTER TABLE systole.training_state ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE systole.training_state IS
    'Networks in training, as they stood less than a minute ago: what a worker that takes over goes on from.';

-- Locks the job of a run, so that it can neither end nor be handed on before this transaction does.
CREATE FUNCTION systole.hold_lease(job_id bigint, lease_no bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM systole.job AS j
    WHERE j.job_id = hold_lease.job_id AND j.lease_no = hold_lease.lease_no AND j.state = 'running'
    FOR SHARE;
    IF NOT FOUND THEN
        PERFORM systole.raise_lease_lost(hold_lease.job_id, hold_lease.lease_no);
    END IF;
END $$;
COMMENT ON FUNCTION systole.hold_lease IS
    'Raises SY023 unless a run still has its lease, and keeps it until the transaction ends.';

CREATE FUNCTION systole.begin_training(
    job_id bigint, lease_no bigint, series_id bigint, data_until timestamptz, seed numeric)
RETURNS SETOF systole.training LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM systole.hold_lease(begin_training.job_id, begin_training.lease_no);
    INSERT INTO systole.training (job_id, series_id, data_until, seed)
    VALUES (begin_training.job_id, begin_training.series_id, begin_training.data_until,
        begin_training.seed)
    ON CONFLICT ON CONSTRAINT training_pkey DO NOTHING;
    RETURN QUERY SELECT t.* FROM systole.training AS t WHERE t.job_id = begin_training.job_id;
END $$;
COMMENT ON FUNCTION systole.begin_training IS
    'Pins what a training job uses, or returns what an earlier run of it pinned; raises SY023 when the run was replaced.';

CREATE FUNCTION systole.keep_training_state(
    job_id bigint, lease_no bigint, fingerprint text, family text, step bigint, steps_maximum bigint,
    epochs_maximum integer, seconds double precision, record jsonb, state bytea)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM systole.hold_lease(keep_training_state.job_id, keep_training_state.lease_no);
    INSERT INTO systole.training_state AS kept
        (job_id, fingerprint, lease_no, family, step, steps_maximum, epochs_maximum, seconds, record, state)
    VALUES (keep_training_state.job_id, keep_training_state.fingerprint, keep_training_state.lease_no,
        keep_training_state.family, keep_training_state.step, keep_training_state.steps_maximum,
        keep_training_state.epochs_maximum, keep_training_state.seconds, keep_training_state.record,
        keep_training_state.state)
    ON CONFLICT ON CONSTRAINT training_state_pkey DO UPDATE
    SET lease_no = excluded.lease_no, step = excluded.step, steps_maximum = excluded.steps_maximum,
        epochs_maximum = excluded.epochs_maximum, seconds = excluded.seconds, record = excluded.record,
        state = excluded.state, updated_at = now();
    -- Three lost workers in a row make a job dead; one that gets on between them is no poison.
    UPDATE systole.job AS j SET worker_losses = 0
    WHERE j.job_id = keep_training_state.job_id AND j.worker_losses > 0;
END $$;
COMMENT ON FUNCTION systole.keep_training_state IS
    'Keeps the state of a network in training, and forgets the workers that its job has lost; raises SY023, and keeps '
    'nothing, when the run was replaced.';

-- Jobs end --------------------------------------------------------------------------------------------

-- As in 0002, and a training's states go with its job.
CREATE OR REPLACE FUNCTION systole.archive_job(
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
    IF old.kind = 'train' THEN
        UPDATE systole.training t SET outcome = final_state, ended_at = now() WHERE t.job_id = id;
        UPDATE systole.training_state s SET state = NULL WHERE s.job_id = id AND s.state IS NOT NULL;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION systole.prune_job_history(keep interval DEFAULT '90 days') RETURNS integer
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
    DELETE FROM systole.training t WHERE t.ended_at < now() - keep;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION systole.prune_job_history IS
    'Drops whole months of job history, and schedule decisions and records of trainings, that are older than the given '
    'interval; the record of a training that gave a model stays with the model.';

-- A worker tells of a forecast that it gives up; of one whose workers died, only the rescue can.
CREATE FUNCTION systole.tell_of_dead_job(dead systole.job, reason text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF dead.kind = 'forecast' THEN
        PERFORM systole.emit('forecast.failed', s.key, jsonb_build_object(
            'series_id', s.series_id, 'series', s.key, 'job_id', dead.job_id, 'reason', reason))
        FROM systole.series AS s WHERE s.series_id::text = dead.args->>'series_id';
    END IF;
END $$;

-- As in 0002, and forecasts that are dead thereby are told of.
CREATE OR REPLACE FUNCTION systole.rescue_lost_jobs(n integer DEFAULT 500) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    lost    systole.job;
    reason  text;
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
    WHERE w.beat_at < now() - interval '60 seconds'
        AND NOT EXISTS (SELECT FROM systole.job j
            WHERE j.worker_id = w.worker_id AND j.state = 'running');
    RETURN rescued;
END $$;

-- What users call -----------------------------------------------------------------------------------

DROP FUNCTION systole.train(text, text, interval);
CREATE FUNCTION systole.train(
    series text, family text DEFAULT 'auto', horizon interval DEFAULT NULL,
    seed bigint DEFAULT NULL, threads integer DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.series_id_of(series);
    known CONSTANT text[] := '{seasonal-naive,ets,ridge,spacetime,ensemble}';
    names text[] := array(SELECT DISTINCT trim(n) FROM unnest(string_to_array(family, ',')) AS n);
    unknown text;
    step bigint;
    steps integer;
BEGIN
    SELECT n INTO unknown FROM unnest(names) AS n WHERE n <> ALL (known) AND names <> '{auto}' LIMIT 1;
    IF family IS NULL OR names = '{}' OR unknown IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY010',
            MESSAGE = format('There is no model family %L.', coalesce(unknown, family)),
            HINT = format('Accepted: auto, or one or several of %s, separated by commas.',
                array_to_string(known, ', '));
    END IF;
    IF seed < 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY016',
            MESSAGE = format('A seed of %s is below 0.', seed),
            HINT = 'Accepted: 0 and above; leave it out for the seed of the worker.';
    END IF;
    IF threads NOT BETWEEN 1 AND 256 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY016',
            MESSAGE = format('%s threads are outside 1 to 256.', threads),
            HINT = 'Leave it out for as many as the worker allows; no training gets more than that.';
    END IF;
    SELECT s.step_us INTO step FROM systole.series AS s WHERE s.series_id = id;
    steps := systole.horizon_steps(series, coalesce(horizon,
        -- A week, but 24 to 720 steps.
        least(greatest(604800000000 / step, 24), 720) * step * interval '1 microsecond',
        interval '1 week'), ceiling => 10000);
    family := array_to_string(names, ',');
    RETURN systole.enqueue(
        kind => 'train',
        args => jsonb_strip_nulls(jsonb_build_object('series_id', id, 'family', family, 'steps', steps,
            'seed', seed, 'threads', threads)),
        unique_key => concat_ws(' ', 'train', id, family, steps, 'seed ' || seed),
        time_limit => '6 hours');
END $$;
COMMENT ON FUNCTION systole.train IS
    'Trains models of a family (auto, or of seasonal-naive, ets, ridge, spacetime, ensemble, several separated by commas) for a '
    'horizon (default: a week, but 24 to 720 steps); the same seed gives the same model. The best on validation goes '
    'live if it is better than the live model on the same rows. Returns the number of the job, of the one that '
    'waits or runs where there is one; systole.trainings shows how it goes.';

CREATE FUNCTION systole.rollback_model(series text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.series_id_of(series);
    before systole.model;
    live systole.model;
BEGIN
    -- Promotions of one series take turns.
    PERFORM FROM systole.series AS s WHERE s.series_id = id FOR NO KEY UPDATE;
    SELECT m.* INTO live FROM systole.model AS m WHERE m.series_id = id AND m.stage = 'live';
    SELECT m.* INTO before FROM systole.model AS m
    WHERE m.series_id = id AND m.stage = 'retired' ORDER BY m.retired_at DESC, m.model_id DESC LIMIT 1;
    IF before.model_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY017',
            MESSAGE = format('No model of series %L was live before.', series),
            HINT = 'All models: SELECT model_id, family, version, stage FROM systole.models;';
    END IF;
    PERFORM systole.promote_model(before.model_id);
    UPDATE systole.model AS m SET reason = format('Rolled back to from model %s.', live.model_id)
    WHERE m.model_id = before.model_id;
    RETURN before.model_id;
END $$;
COMMENT ON FUNCTION systole.rollback_model IS
    'Makes the model live again that was live before the one that is; returns its number. Called twice, it changes '
    'nothing; promote_model goes to any model.';

-- What users see --------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW systole.models AS
SELECT m.model_id, s.key AS series, m.family, m.version, m.stage, m.reason, m.metrics, m.config,
    m.data_from, m.data_until, m.season_steps, m.steps_maximum,
    octet_length(m.weights) AS weight_bytes, encode(m.weights_sha256, 'hex') AS weights_sha256,
    m.created_at, m.promoted_at, m.retired_at, m.job_id,
    (m.metrics->>'validationMSE')::double precision AS validation_mse,
    (m.metrics->>'validationMAE')::double precision AS validation_mae,
    (m.metrics->>'parameterCount')::bigint AS parameters,
    (m.metrics->>'trainSeconds')::double precision AS training_seconds,
    (m.metrics->>'seed')::numeric AS seed, encode(m.data_digest, 'hex') AS data_sha256,
    m.metrics->>'codeVersion' AS code_version
FROM systole.model AS m
JOIN systole.series AS s USING (series_id);
COMMENT ON VIEW systole.models IS
    'Every model with its stage (candidate, live, retired), the reason for it and its validation '
    'metrics. One model a series is live. metrics is the whole record of the fit: what is needed to do it again.';
COMMENT ON COLUMN systole.models.validation_mse IS
    'Mean squared error on the validation windows, in units of the squared standard deviation of the training rows.';

-- The networks of running and ended training jobs, and those of models whose jobs are forgotten.
CREATE VIEW systole.trainings AS
SELECT t.job_id, s.key AS series, n.family,
    (row_number() OVER (PARTITION BY t.job_id ORDER BY n.began_at, n.fingerprint))::integer AS network,
    coalesce(t.outcome, CASE WHEN j.state = 'running' THEN 'running' ELSE 'waiting' END) AS state,
    jsonb_array_length(n.record->'epochs') AS epochs, n.epochs_maximum, n.step, n.steps_maximum,
    (n.record->'epochs'->-1->>'trainLoss')::double precision AS training_loss,
    (n.record->'epochs'->-1->>'validationError')::double precision AS validation_error,
    nullif((n.record->>'bestEpoch')::integer, 0) AS best_epoch,
    CASE WHEN (n.record->>'bestEpoch')::integer > 0
        THEN (n.record->>'bestError')::double precision END AS best_error,
    n.seconds,
    CASE WHEN t.outcome IS NULL AND n.step > 0
        THEN n.seconds / n.step * (n.steps_maximum - n.step) END AS seconds_left,
    n.began_at, n.updated_at, t.ended_at, m.model_id, n.record
FROM systole.training AS t
JOIN systole.training_state AS n USING (job_id)
JOIN systole.series AS s USING (series_id)
LEFT JOIN systole.job AS j USING (job_id)
LEFT JOIN systole.model AS m
    ON m.series_id = t.series_id AND m.job_id = t.job_id AND m.family = n.family
UNION ALL
SELECT m.job_id, s.key, m.family, place::integer, 'done', jsonb_array_length(n->'record'->'epochs'),
    (n->'options'->>'epochsMaximum')::integer, NULL, NULL,
    (n->'record'->'epochs'->-1->>'trainLoss')::double precision,
    (n->'record'->'epochs'->-1->>'validationError')::double precision,
    (n->'record'->>'bestEpoch')::integer, (n->'record'->>'bestError')::double precision,
    (n->'record'->>'seconds')::double precision, NULL, NULL, m.created_at, m.created_at, m.model_id,
    n->'record'
FROM systole.model AS m
JOIN systole.series AS s USING (series_id)
CROSS JOIN LATERAL jsonb_array_elements(m.metrics->'trainings') WITH ORDINALITY AS u (n, place)
WHERE jsonb_typeof(m.metrics->'trainings') = 'array' AND NOT EXISTS (
    SELECT FROM systole.training_state AS k WHERE k.job_id = m.job_id AND k.family = m.family);
COMMENT ON VIEW systole.trainings IS
    'Networks in training and trained: how far, how well, and for how long still. state: running, waiting (for a worker that '
    'goes on), done, dead or cancelled. Losses by epoch: systole.training_epochs.';
COMMENT ON COLUMN systole.trainings.network IS
    'From 1 within the job: a job trains variants of a network and keeps the best. Once the job is forgotten, those of '
    'the model are left.';
COMMENT ON COLUMN systole.trainings.training_loss IS
    'Mean loss of the steps of the last whole epoch: of batches, and for some networks with auxiliary terms.';
COMMENT ON COLUMN systole.trainings.validation_error IS
    'Mean squared error over all validation windows after the last whole epoch, in scaled units.';
COMMENT ON COLUMN systole.trainings.seconds IS 'Time spent so far, over all runs of the job.';
COMMENT ON COLUMN systole.trainings.seconds_left IS
    'If no epoch is saved by stopping early, as of updated_at.';

CREATE VIEW systole.training_epochs AS
SELECT t.job_id, t.series, t.family, t.network, t.state, t.model_id, e.number::integer AS epoch,
    (e.value->>'trainLoss')::double precision AS training_loss,
    (e.value->>'validationError')::double precision AS validation_error,
    (e.value->>'seconds')::double precision AS seconds,
    e.number = t.best_epoch AS is_best
FROM systole.trainings AS t
CROSS JOIN LATERAL jsonb_array_elements(t.record->'epochs') WITH ORDINALITY AS e (value, number);
COMMENT ON VIEW systole.training_epochs IS
    'The losses of every epoch of every training; is_best marks the one whose weights were kept.';

COMMENT ON COLUMN systole.jobs.progress IS
    'What the run last said about itself: fraction (0 to 1) and note; trainings add epoch, epochs_maximum, training_loss, '
    'validation_error and seconds_left.';
