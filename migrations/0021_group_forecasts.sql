-- 0021_group_forecasts.sql: models of groups, and their forecasts of all members in one transaction.
-- Locks: systole.model for a moment, for a constraint that is checked later; a running service waits for it.
--
-- Errors: SY036 a group that cannot be, or is not there. Others as before: SY002 a horizon out of its range, SY003 a schedule
-- that makes no sense, SY016 an unusable setting of a training.
SET LOCAL lock_timeout = '2s';

-- A version is what the members' rows in systole.model have in common: the first member's row has the weights, the others
-- share them.
CREATE TABLE systole.group_model (
    group_model_id bigint      GENERATED ALWAYS AS IDENTITY,
    group_id       bigint      NOT NULL,
    version        bigint      NOT NULL,
    stage          text        NOT NULL,
    reason         text        NOT NULL,
    members        bigint[]    NOT NULL,
    model_ids      bigint[]    NOT NULL,
    lag            integer     NOT NULL,
    steps          integer     NOT NULL,
    metrics        jsonb       NOT NULL,
    job_id         bigint,
    lease_no       bigint,
    created_at     timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT group_model_pkey PRIMARY KEY (group_model_id),
    -- Also serves the lookup of the newest.
    CONSTRAINT group_model_version_once UNIQUE (group_id, version),
    CONSTRAINT group_model_once_per_job UNIQUE (group_id, job_id),
    CONSTRAINT group_model_group FOREIGN KEY (group_id) REFERENCES systole.series_group ON DELETE CASCADE,
    CONSTRAINT group_model_stage_known CHECK (stage IN ('candidate', 'live', 'retired')),
    CONSTRAINT group_model_numbers_positive CHECK (version > 0 AND lag > 0 AND steps BETWEEN 1 AND 10000),
    CONSTRAINT group_model_members_counted
        CHECK (cardinality(members) BETWEEN 1 AND 1000 AND cardinality(model_ids) = cardinality(members)),
    CONSTRAINT group_model_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
CREATE UNIQUE INDEX group_model_one_live ON systole.group_model (group_id) WHERE stage = 'live';
COMMENT ON TABLE systole.group_model IS
    'Models trained on groups: which members, in which order, and the rows of systole.model that their forecasts are told by.';

-- One immutable row a run: what was forecast together, and how much it rested on whose past.
CREATE TABLE systole.group_forecast (
    group_forecast_id bigint      GENERATED ALWAYS AS IDENTITY,
    group_id          bigint      NOT NULL,
    group_model_id    bigint      NOT NULL,
    issued_at         timestamptz NOT NULL DEFAULT now(),
    data_until        timestamptz NOT NULL,
    steps             integer     NOT NULL,
    members           bigint[]    NOT NULL,
    left_out          bigint[]    NOT NULL,
    weight            real,
    influences        real[],
    job_id            bigint,
    lease_no          bigint,

    CONSTRAINT group_forecast_pkey PRIMARY KEY (group_forecast_id),
    CONSTRAINT group_forecast_once_per_job UNIQUE (group_id, job_id),
    CONSTRAINT group_forecast_group FOREIGN KEY (group_id) REFERENCES systole.series_group ON DELETE CASCADE,
    CONSTRAINT group_forecast_influences_square CHECK (
        num_nulls(weight, influences) IN (0, 2)
        AND (influences IS NULL OR cardinality(influences) = cardinality(members) * cardinality(members))),
    CONSTRAINT group_forecast_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
CREATE INDEX group_forecast_newest ON systole.group_forecast (group_id, group_forecast_id DESC);
COMMENT ON COLUMN systole.group_forecast.members IS 'The members of the model, in its order.';
COMMENT ON COLUMN systole.group_forecast.left_out IS 'Those of them that had no observation to look back on, or are gone: there is no forecast of them.';
COMMENT ON COLUMN systole.group_forecast.influences IS
    '[members forecast x members known], row-major: how far the forecast moves, in standard deviations of the member forecast; '
    'NULL where nothing is mixed.';

-- A model of a group is no model of one series.
ALTER TABLE systole.model ADD CONSTRAINT model_of_a_group_never_live CHECK (family <> 'group' OR stage <> 'live') NOT VALID;

CREATE OR REPLACE FUNCTION systole.promote_model(id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    chosen record;
    previous bigint;
BEGIN
    SELECT m.series_id, m.family, m.version, s.key INTO chosen
    FROM systole.model AS m JOIN systole.series AS s USING (series_id) WHERE m.model_id = id;
    IF chosen IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY005',
            MESSAGE = format('There is no model %s.', coalesce(id::text, 'NULL')),
            HINT = 'All models: SELECT model_id, series, family, version, stage FROM systole.models;';
    END IF;
    IF chosen.family = 'group' THEN
        RAISE EXCEPTION 'Model % is that of a group, and forecasts its members together only.', id
            USING ERRCODE = 'SY036', HINT = 'Forecast the group: SELECT systole.request_group_forecast(…);';
    END IF;
    -- Promotions of one series take turns; ingest and forecasts go on.
    PERFORM FROM systole.series WHERE series_id = chosen.series_id FOR NO KEY UPDATE;
    SELECT m.model_id INTO previous FROM systole.model AS m
    WHERE m.series_id = chosen.series_id AND m.stage = 'live';
    IF previous = id THEN RETURN previous; END IF;
    UPDATE systole.model SET stage = 'retired', retired_at = now() WHERE model_id = previous;
    UPDATE systole.model SET stage = 'live', promoted_at = now(), retired_at = NULL
    WHERE model_id = id;
    PERFORM systole.emit('model.promoted', chosen.key, jsonb_build_object(
        'series_id', chosen.series_id, 'series', chosen.key, 'model_id', id,
        'family', chosen.family, 'version', chosen.version, 'previous_model_id', previous));
    RETURN previous;
END $$;

-- The steps of a horizon on the grid of a group.
CREATE FUNCTION systole.group_horizon_steps(of_group bigint, horizon interval) RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
    step  bigint;
    steps numeric;
BEGIN
    SELECT g.step_us INTO step FROM systole.series_group g WHERE g.group_id = of_group;
    steps := CASE WHEN horizon IS NULL THEN least(greatest(604800000000 / step, 24), 720)
        ELSE ceil(extract(epoch FROM horizon) * 1000000 / step) END;
    IF steps NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'A horizon of % is % steps of this group.', horizon, steps
            USING ERRCODE = 'SY002', HINT = format('Accepted: 1 to 10000 steps of %s.', step * interval '1 microsecond');
    END IF;
    RETURN steps;
END $$;

CREATE FUNCTION systole.train_group(
    name text, family text DEFAULT 'auto', horizon interval DEFAULT NULL, seed bigint DEFAULT NULL, threads integer DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id      bigint := systole.group_id_of(name);
    steps   integer := systole.group_horizon_steps(systole.group_id_of(name), horizon);
    known   CONSTANT text[] := '{ridge,tsm2,tsm2-unmixed}';
    names   text[] := array(SELECT DISTINCT trim(n) FROM unnest(string_to_array(family, ',')) AS n ORDER BY 1);
    unknown text;
BEGIN
    SELECT n INTO unknown FROM unnest(names) AS n WHERE n <> ALL (known) AND names <> '{auto}' LIMIT 1;
    IF family IS NULL OR names = '{}' OR unknown IS NOT NULL THEN
        RAISE EXCEPTION 'Groups have no model family %.', coalesce(quote_literal(coalesce(unknown, family)), 'NULL')
            USING ERRCODE = 'SY010', HINT = format('Accepted: auto, or one or several of %s, separated by commas.',
                array_to_string(known, ', '));
    END IF;
    IF seed < 0 OR threads NOT BETWEEN 1 AND 256 THEN
        RAISE EXCEPTION 'A training cannot have the seed % and % threads.', coalesce(seed::text, 'of the worker'),
            coalesce(threads::text, 'its') USING ERRCODE = 'SY016', HINT = 'Accepted: seeds from 0, 1 to 256 threads.';
    END IF;
    RETURN systole.enqueue(
        kind => 'train-group',
        args => jsonb_strip_nulls(jsonb_build_object('group_id', id, 'family', array_to_string(names, ','), 'steps', steps,
            'seed', seed, 'threads', threads)),
        unique_key => concat_ws(' ', 'train-group', id, array_to_string(names, ','), steps, 'seed ' || seed), time_limit => '6 hours');
END $$;
COMMENT ON FUNCTION systole.train_group IS
    'Trains models of all members of a group together (auto: ridge, TSM2, TSM2 without mixing, and a combination of them; or of '
    'ridge, tsm2, tsm2-unmixed those that are named, separated by commas), for a horizon (default: a week, but 24 to 720 steps). What is best on validation goes live if it is better there than repeating the last '
    'value. Returns the number of the job.';

CREATE FUNCTION systole.request_group_forecast(name text, horizon interval DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id    bigint := systole.group_id_of(name);
    steps integer := CASE WHEN horizon IS NOT NULL THEN systole.group_horizon_steps(systole.group_id_of(name), horizon) END;
BEGIN
    RETURN systole.enqueue(
        kind => 'forecast-group', args => jsonb_strip_nulls(jsonb_build_object('group_id', id, 'steps', steps)),
        unique_key => concat_ws(' ', 'forecast-group', id, steps));
END $$;
COMMENT ON FUNCTION systole.request_group_forecast IS
    'Forecasts all members of a group once, by its live model and in one transaction; the forecasts are then those of the members '
    '(systole.forecast). The horizon is that of the model, or less. Returns the number of the job.';

CREATE FUNCTION systole.schedule_group_forecast(
    name text, horizon interval DEFAULT NULL, every interval DEFAULT NULL, cron text DEFAULT NULL, time_zone text DEFAULT 'UTC',
    schedule text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    SELECT systole.create_schedule(
        name => coalesce($6, left(format('forecast group %s', $1), 200)), kind => 'forecast-group',
        args => jsonb_strip_nulls(jsonb_build_object('group_id', systole.group_id_of($1),
            'steps', CASE WHEN $2 IS NOT NULL THEN systole.group_horizon_steps(systole.group_id_of($1), $2) END)),
        every => $3, cron => $4, time_zone => $5)
$$;
COMMENT ON FUNCTION systole.schedule_group_forecast IS
    'Forecasts all members of a group again and again, as request_group_forecast does once: every => ''1 hour'' or cron => ''5 * * * *''.';

CREATE VIEW systole.group_models AS
SELECT g.name, m.version, m.stage, m.reason,
    ARRAY(SELECT s.key FROM unnest(m.members) WITH ORDINALITY u (series_id, place) JOIN systole.series s USING (series_id)
        ORDER BY u.place) AS series,
    m.lag, m.steps, m.steps * g.step_us * interval '1 microsecond' AS horizon,
    (m.metrics->>'validationMSE')::double precision AS validation_mse,
    (m.metrics->>'repeatLastMSE')::double precision AS repeat_last_mse,
    (m.metrics->>'trainSeconds')::double precision AS training_seconds, m.metrics, m.created_at, m.job_id, m.group_model_id
FROM systole.group_model m JOIN systole.series_group g USING (group_id);
COMMENT ON VIEW systole.group_models IS
    'Every model of every group: what was taken and why, and its validation errors in standard deviations of the members. One a group is live.';

CREATE FUNCTION systole.group_influence(name text)
RETURNS TABLE (series text, rests_on text, share double precision, change double precision, weight double precision,
    issued_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT f.key, k.key, i.change / nullif(sum(i.change) OVER (PARTITION BY f.key), 0), i.change, r.weight, r.issued_at
    FROM (
        SELECT g.* FROM systole.group_forecast g
        WHERE g.group_id = systole.group_id_of($1) AND g.influences IS NOT NULL
        ORDER BY g.group_forecast_id DESC LIMIT 1) r
    CROSS JOIN LATERAL unnest(r.influences) WITH ORDINALITY u (raw, place)
    CROSS JOIN LATERAL (SELECT u.raw::double precision AS change, (u.place - 1) / cardinality(r.members) + 1 AS forecast,
        (u.place - 1) % cardinality(r.members) + 1 AS known) i
    JOIN systole.series f ON f.series_id = r.members[i.forecast]
    JOIN systole.series k ON k.series_id = r.members[i.known]
    ORDER BY 1, 4 DESC, 2
$$;
COMMENT ON FUNCTION systole.group_influence IS
    'Whose past the newest forecast of a group rests on: for every member (series) every member (rests_on) with the change that it '
    'makes, in standard deviations of the former, and its share of all. weight is that of the mixing model in what was issued. '
    'No rows where nothing is mixed.';

CREATE OR REPLACE VIEW systole.job_result AS
SELECT 'forecast ' || forecast_id AS result, job_id, lease_no FROM systole.forecast WHERE job_id IS NOT NULL
UNION ALL
SELECT 'model ' || model_id, job_id, lease_no FROM systole.model WHERE job_id IS NOT NULL
UNION ALL
SELECT 'score ' || series_id || '/' || last_us, job_id, lease_no FROM systole.anomaly_score
WHERE job_id IS NOT NULL
UNION ALL
SELECT 'group detector ' || detector_id, job_id, lease_no FROM systole.group_detector WHERE job_id IS NOT NULL
UNION ALL
SELECT 'group score ' || group_id || '/' || last_us, job_id, lease_no FROM systole.group_score WHERE job_id IS NOT NULL
UNION ALL
SELECT 'group model ' || group_model_id, job_id, lease_no FROM systole.group_model WHERE job_id IS NOT NULL
UNION ALL
SELECT 'group forecast ' || group_forecast_id, job_id, lease_no FROM systole.group_forecast WHERE job_id IS NOT NULL;

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, rights
FROM (VALUES
    ('{systole_api}'::text[], 'EXECUTE', '{train_group,request_group_forecast,schedule_group_forecast}'::text[]),
    ('{systole_api,systole_worker,systole_reader}', 'EXECUTE', '{group_influence}'),
    ('{systole_api,systole_worker,systole_reader}', 'SELECT', '{group_models}'),
    ('{systole_worker}', 'SELECT, INSERT, UPDATE', '{group_model}'),
    ('{systole_worker}', 'SELECT, INSERT', '{group_forecast}')
) AS given (roles, rights, objects), unnest(roles) AS role, unnest(objects) AS object;
SELECT systole.apply_privileges();
