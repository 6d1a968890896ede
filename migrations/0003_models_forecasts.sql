-- 0003_models_forecasts.sql: models, the forecast ledger, anomaly scores, watches and incidents.
-- Locks: new objects only; a running service notices nothing.
SET LOCAL lock_timeout = '2s';

-- Models -----------------------------------------------------------------------------------------

CREATE TABLE systole.model (
    model_id        bigint           GENERATED ALWAYS AS IDENTITY,
    series_id       bigint           NOT NULL REFERENCES systole.series,
    family          text             NOT NULL,
    version         bigint           NOT NULL,
    stage           text             NOT NULL DEFAULT 'candidate',
    reason          text             NOT NULL DEFAULT '',
    config          jsonb            NOT NULL DEFAULT '{}',
    metrics         jsonb            NOT NULL DEFAULT '{}',
    data_digest     bytea            NOT NULL,
    data_from       timestamptz      NOT NULL,
    data_until      timestamptz      NOT NULL,
    season_steps    integer,
    naive_mae       double precision,
    naive_rmse      double precision,
    steps_maximum   integer          NOT NULL DEFAULT 10000,
    weights         bytea            NOT NULL,
    weights_sha256  bytea            NOT NULL,
    job_id          bigint,
    lease_no        bigint,
    created_at      timestamptz      NOT NULL DEFAULT now(),
    promoted_at     timestamptz,
    retired_at      timestamptz,

    CONSTRAINT model_pkey PRIMARY KEY (model_id),
    CONSTRAINT model_version_once UNIQUE (series_id, family, version),
    -- A training job that runs again after a crash leaves no second model of a family.
    CONSTRAINT model_once_per_job UNIQUE (series_id, job_id, family),
    CONSTRAINT model_stage_known CHECK (stage IN ('candidate', 'live', 'retired')),
    CONSTRAINT model_family_usable CHECK (family ~ '^[a-z][a-z0-9-]{0,40}$'),
    CONSTRAINT model_numbers_positive CHECK (
        version > 0 AND season_steps > 0 AND naive_mae >= 0 AND naive_rmse >= 0
        AND steps_maximum BETWEEN 1 AND 10000),
    CONSTRAINT model_data_ordered CHECK (data_from <= data_until),
    CONSTRAINT model_data_digest_sha256 CHECK (octet_length(data_digest) = 32),
    CONSTRAINT model_weights_match_digest CHECK (sha256(weights) = weights_sha256),
    CONSTRAINT model_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
-- Weights are noise to a compressor.
ALTER TABLE systole.model ALTER COLUMN weights SET STORAGE EXTERNAL;
-- Keeps one live model a series, and serves the lookup of it.
CREATE UNIQUE INDEX model_one_live ON systole.model (series_id) WHERE stage = 'live';
COMMENT ON COLUMN systole.model.season_steps IS 'The season, in steps, that seasonal naive and MASE use; NULL without one.';
COMMENT ON COLUMN systole.model.naive_mae IS 'Mean absolute seasonal-naive error over the training data: what MASE divides by.';
COMMENT ON COLUMN systole.model.naive_rmse IS 'Root mean square of the same errors: what RMSSE divides by.';

CREATE VIEW systole.models AS
SELECT m.model_id, s.key AS series, m.family, m.version, m.stage, m.reason, m.metrics, m.config,
    m.data_from, m.data_until, m.season_steps, m.steps_maximum,
    octet_length(m.weights) AS weight_bytes, encode(m.weights_sha256, 'hex') AS weights_sha256,
    m.created_at, m.promoted_at, m.retired_at, m.job_id
FROM systole.model AS m
JOIN systole.series AS s USING (series_id);
COMMENT ON VIEW systole.models IS
    'Every model with its stage (candidate, live, retired), the reason for it and its validation '
    'metrics. One model a series is live.';

CREATE FUNCTION systole.promote_model(id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
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
COMMENT ON FUNCTION systole.promote_model IS
    'Makes a model the live one of its series and retires the one that was, in one step; returns the '
    'number of the latter, so that promote_model of that number rolls back.';

-- Forecasts --------------------------------------------------------------------------------------

CREATE FUNCTION systole.levels_usable(levels real[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(bool_and(level > 0 AND level < 1 AND (before IS NULL OR before < level)), true)
    FROM (SELECT level, lag(level) OVER (ORDER BY place) AS before
          FROM unnest(levels) WITH ORDINALITY AS u (level, place)) AS pairs
$$;
COMMENT ON FUNCTION systole.levels_usable IS 'Whether quantile levels lie between 0 and 1 and ascend.';

CREATE FUNCTION systole.quantiles_ascend(quantiles real[], steps integer) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Level-major: the quantile of the next level at the same step lies `steps` further on.
    SELECT coalesce(bool_and(
        lower > '-Infinity' AND lower < 'Infinity' AND (upper IS NULL OR lower <= upper)), true)
    FROM unnest(quantiles, quantiles[steps + 1:]) AS u (lower, upper)
$$;
COMMENT ON FUNCTION systole.quantiles_ascend IS
    'Whether quantiles, [levels x steps] level-major, are finite and do not cross at any step.';

-- One immutable row a run. Not partitioned: a run is one row, and the key that guarantees one run a
-- job has to hold over all time. UPDATE appears nowhere in the code, and a test keeps it so.
CREATE TABLE systole.forecast (
    forecast_id   bigint      GENERATED ALWAYS AS IDENTITY,
    series_id     bigint      NOT NULL,
    model_id      bigint      NOT NULL,
    family        text        NOT NULL,
    model_version bigint      NOT NULL,
    issued_at     timestamptz NOT NULL DEFAULT now(),
    data_until    timestamptz NOT NULL,
    start_at      timestamptz NOT NULL,
    step_us       bigint      NOT NULL,
    value         real[]      NOT NULL,
    levels        real[]      NOT NULL,
    quantiles     real[]      NOT NULL,
    job_id        bigint,
    lease_no      bigint,

    CONSTRAINT forecast_pkey PRIMARY KEY (series_id, forecast_id),
    -- A job that runs again after a crash leaves no second run.
    CONSTRAINT forecast_once_per_job UNIQUE (series_id, job_id),
    CONSTRAINT forecast_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL)),
    CONSTRAINT forecast_after_data CHECK (step_us > 0 AND start_at > data_until),
    CONSTRAINT forecast_arrays_fit CHECK (
        cardinality(value) BETWEEN 1 AND 10000
        AND cardinality(quantiles) = cardinality(levels) * cardinality(value)
        AND array_position(value, NULL) IS NULL AND array_position(levels, NULL) IS NULL
        AND array_position(quantiles, NULL) IS NULL),
    CONSTRAINT forecast_value_finite CHECK (
        'NaN' <> ALL (value) AND 'Infinity' <> ALL (value) AND '-Infinity' <> ALL (value)),
    CONSTRAINT forecast_levels_usable CHECK (systole.levels_usable(levels)),
    CONSTRAINT forecast_quantiles_ascend
        CHECK (systole.quantiles_ascend(quantiles, cardinality(value)))
);
-- Serves forecast and forecast_as_of: the newest run of a series before an instant.
CREATE INDEX forecast_newest ON systole.forecast (series_id, issued_at DESC, forecast_id DESC);
COMMENT ON TABLE systole.forecast IS
    'The forecast ledger: one row a run, never changed; a correction is a new run. quantiles is '
    '[levels x steps], level-major.';

CREATE VIEW systole.forecasts AS
SELECT s.key AS series, f.issued_at, f.data_until, f.family, f.model_version,
    cardinality(f.value) AS steps, f.step_us * interval '1 microsecond' AS step_length,
    f.start_at, systole.instant_at(f.start_at, f.step_us, cardinality(f.value) - 1) AS end_at,
    f.levels, f.model_id, f.job_id, f.forecast_id
FROM systole.forecast AS f
JOIN systole.series AS s USING (series_id);
COMMENT ON VIEW systole.forecasts IS 'Every forecast run, without its values.';

-- Slices and one unnest, since a subscript would unpack the whole array again for every step.
CREATE VIEW systole.forecast_points AS
SELECT f.series_id, f.forecast_id, f.issued_at, f.data_until, f.family, f.model_version, f.model_id,
    systole.instant_at(f.start_at, f.step_us, u.step - 1) AS at, u.step::integer AS step,
    u.value, u.lower_80, u.upper_80, u.lower_95, u.upper_95, f.step_us
FROM systole.forecast AS f
CROSS JOIN LATERAL (
    SELECT cardinality(f.value) AS n,
        array_position(f.levels, 0.1::real) AS l80, array_position(f.levels, 0.9::real) AS u80,
        array_position(f.levels, 0.025::real) AS l95, array_position(f.levels, 0.975::real) AS u95
) AS place
CROSS JOIN LATERAL unnest(
    f.value,
    f.quantiles[(l80 - 1) * n + 1:l80 * n], f.quantiles[(u80 - 1) * n + 1:u80 * n],
    f.quantiles[(l95 - 1) * n + 1:l95 * n], f.quantiles[(u95 - 1) * n + 1:u95 * n]
) WITH ORDINALITY AS u (value, lower_80, upper_80, lower_95, upper_95, step);
COMMENT ON VIEW systole.forecast_points IS
    'Every step of every forecast run; bounds are NULL where their level was not computed.';

CREATE FUNCTION systole.forecast_as_of(series text, at timestamptz)
RETURNS TABLE (
    at timestamptz, value real, lower_80 real, upper_80 real, lower_95 real, upper_95 real,
    step integer, issued_at timestamptz, data_until timestamptz, series text, family text,
    model_version bigint, model_id bigint, forecast_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT p.at, p.value, p.lower_80, p.upper_80, p.lower_95, p.upper_95, p.step, p.issued_at,
        p.data_until, $1, p.family, p.model_version, p.model_id, p.forecast_id
    FROM systole.series_id_of($1) AS wanted (series_id)
    CROSS JOIN LATERAL (
        SELECT f.forecast_id FROM systole.forecast AS f
        WHERE f.series_id = wanted.series_id AND f.issued_at <= $2
        ORDER BY f.issued_at DESC, f.forecast_id DESC LIMIT 1
    ) AS newest
    JOIN systole.forecast_points AS p
        ON p.series_id = wanted.series_id AND p.forecast_id = newest.forecast_id
    ORDER BY p.step
$$;
COMMENT ON FUNCTION systole.forecast_as_of IS
    'What was believed at an instant: the newest run issued by then, a row a step. No rows where '
    'there was none yet.';

CREATE FUNCTION systole.forecast(series text)
RETURNS TABLE (
    at timestamptz, value real, lower_80 real, upper_80 real, lower_95 real, upper_95 real,
    step integer, issued_at timestamptz, data_until timestamptz, series text, family text,
    model_version bigint, model_id bigint, forecast_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT * FROM systole.forecast_as_of($1, 'infinity')
$$;
COMMENT ON FUNCTION systole.forecast IS
    'The newest forecast of a series, a row a step, with its central 80 and 95 % intervals. No rows '
    'where there is none yet.';

-- Asking for forecasts ---------------------------------------------------------------------------

CREATE FUNCTION systole.set_step(series text, step interval) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.series_id_of(series);
    wanted bigint := extract(epoch FROM step) * 1000000;
BEGIN
    IF wanted IS NULL OR wanted <= 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY006',
            MESSAGE = format('A step of %s cannot be used.', coalesce(step::text, 'NULL')),
            HINT = 'Accepted: any interval above zero, such as ''1 hour''.';
    END IF;
    UPDATE systole.series AS s SET step_us = wanted
    WHERE s.series_id = id AND (
        s.step_us IS NULL OR s.step_us = wanted
        OR NOT EXISTS (SELECT FROM systole.model AS m WHERE m.series_id = id));
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY015',
            MESSAGE = format('The step of series %L cannot change: models were trained on it.', series),
            HINT = 'Store the data under another key.';
    END IF;
END $$;
COMMENT ON FUNCTION systole.set_step IS
    'States the time between two observations of a series; refused once models were trained with another.';

CREATE FUNCTION systole.horizon_steps(series text, horizon interval, ceiling integer DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    id bigint := systole.series_id_of(series);
    step bigint;
    allowed integer;
    steps numeric;
BEGIN
    SELECT s.step_us, coalesce(ceiling, m.steps_maximum, 10000) INTO step, allowed
    FROM systole.series AS s
    LEFT JOIN systole.model AS m ON m.series_id = s.series_id AND m.stage = 'live'
    WHERE s.series_id = id;
    IF step IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY006',
            MESSAGE = format('The step of series %L is not known.', series),
            HINT = 'Ingest more data, or state it: SELECT systole.set_step(…, ''1 hour'');';
    END IF;
    steps := ceil(extract(epoch FROM horizon) * 1000000 / step);
    IF horizon IS NULL OR steps < 1 OR steps > allowed THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY002',
            MESSAGE = format('A horizon of %s is outside the range of series %L.',
                coalesce(nullif(horizon::text, ''), 'NULL'), series),
            HINT = format('Accepted: above 0, up to %s (%s steps of %s).',
                justify_hours(allowed * (step * interval '1 microsecond')), allowed,
                justify_hours(step * interval '1 microsecond'));
    END IF;
    RETURN steps;
END $$;
COMMENT ON FUNCTION systole.horizon_steps IS
    'A horizon in steps of the series, rounded up; raises SY002 with the accepted range. A month '
    'counts 30 days, a year 365.25.';

CREATE FUNCTION systole.request_forecast(series text, horizon interval) RETURNS bigint
LANGUAGE sql AS $$
    SELECT systole.enqueue(kind => 'forecast', args => jsonb_build_object(
        'steps', systole.horizon_steps($1, $2), 'series_id', systole.series_id_of($1)))
$$;
COMMENT ON FUNCTION systole.request_forecast IS
    'Asks for one forecast; returns the number of the job. A horizon that is no multiple of the step '
    'is rounded up.';

CREATE FUNCTION systole.schedule_forecast(
    series text, horizon interval, every interval DEFAULT NULL, cron text DEFAULT NULL,
    time_zone text DEFAULT 'UTC', name text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    SELECT systole.create_schedule(
        name => coalesce($6, format('forecast %s %s', $1, $2)),
        kind => 'forecast',
        args => jsonb_build_object(
            'steps', systole.horizon_steps($1, $2), 'series_id', systole.series_id_of($1)),
        every => $3, cron => $4, time_zone => $5)
$$;
COMMENT ON FUNCTION systole.schedule_forecast IS
    'Forecasts a series again and again: every so often, or by cron in a time zone. Returns the number '
    'of the schedule; its name is the one given, or forecast, the key and the horizon.';

CREATE PROCEDURE systole.forecast_now(
    series text, horizon interval, patience interval DEFAULT '10 minutes')
LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.request_forecast(series, horizon);
    give_up_at timestamptz := clock_timestamp() + patience;
    pause double precision := 0.02;
    found record;
BEGIN
    -- Each COMMIT shows the job to the workers, or lets go of a snapshot that would hold up vacuum.
    COMMIT;
    LOOP
        SELECT j.state, j.error INTO found FROM systole.jobs AS j WHERE j.job_id = id;
        COMMIT;
        EXIT WHEN found.state = 'done';
        IF found.state IN ('dead', 'cancelled') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'SY008',
                MESSAGE = format('The forecast of series %L %s.', series,
                    CASE found.state WHEN 'dead' THEN 'failed' ELSE 'was cancelled' END),
                HINT = concat_ws(' ', found.error, format('Job %s.', id));
        END IF;
        IF clock_timestamp() >= give_up_at THEN
            RAISE EXCEPTION USING
                ERRCODE = 'SY009',
                MESSAGE = format('The forecast of series %L is not there after %s.', series, patience),
                HINT = format('Job %s goes on (%s). Is a worker running? SELECT * FROM systole.jobs '
                    'WHERE job_id = %s;', id, coalesce(found.state, 'unknown'), id);
        END IF;
        PERFORM pg_sleep(pause);
        pause := least(pause * 1.5, 0.5);
    END LOOP;
END $$;
COMMENT ON PROCEDURE systole.forecast_now IS
    'Asks for one forecast and waits until it is there. It commits, so CALL it outside a transaction. '
    'SY008 where the job failed, SY009 where patience ran out; the job then goes on.';

CREATE FUNCTION systole.train(
    series text, family text DEFAULT 'auto', horizon interval DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.series_id_of(series);
    step bigint;
    steps integer;
BEGIN
    IF family IS NULL OR family NOT IN ('auto', 'seasonal-naive', 'ridge', 'spacetime') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY010',
            MESSAGE = format('There is no model family %L.', family),
            HINT = 'Accepted: auto, seasonal-naive, ridge, spacetime.';
    END IF;
    SELECT s.step_us INTO step FROM systole.series AS s WHERE s.series_id = id;
    steps := systole.horizon_steps(series, coalesce(horizon,
        -- A week, but 24 to 720 steps.
        least(greatest(604800000000 / step, 24), 720) * step * interval '1 microsecond',
        interval '1 week'), ceiling => 10000);
    RETURN systole.enqueue(
        kind => 'train',
        args => jsonb_build_object('series_id', id, 'family', family, 'steps', steps),
        unique_key => format('train %s %s %s', id, family, steps),
        time_limit => '6 hours');
END $$;
COMMENT ON FUNCTION systole.train IS
    'Trains a model of a family (auto, seasonal-naive, ridge, spacetime) for a horizon (default: a week, '
    'but 24 to 720 steps); returns the number of the job, of the one that waits or runs where there is one.';

-- Forecasts against the truth --------------------------------------------------------------------

CREATE VIEW systole.forecast_vs_actual AS
SELECT s.key AS series, p.issued_at, p.at, p.step, p.value, o.value AS actual,
    p.value - o.value AS error, p.lower_80, p.upper_80, p.lower_95, p.upper_95,
    o.value BETWEEN p.lower_80 AND p.upper_80 AS inside_80,
    o.value BETWEEN p.lower_95 AND p.upper_95 AS inside_95,
    p.data_until, p.family, p.model_version, p.model_id, p.forecast_id, p.series_id, p.step_us
FROM systole.forecast_points AS p
JOIN systole.series AS s USING (series_id)
JOIN systole.observation AS o ON o.series_id = p.series_id AND o.at = p.at;
COMMENT ON VIEW systole.forecast_vs_actual IS
    'Every forecast step whose truth has arrived. error = value - actual: above zero, the forecast was '
    'too high. Steps whose truth is missing, or is still to come, have no row.';

CREATE FUNCTION systole.horizon_bucket(step integer) RETURNS int4range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN step <= 1 THEN '[1,2)'::int4range WHEN step <= 6 THEN '[2,7)' WHEN step <= 24 THEN '[7,25)'
    WHEN step <= 72 THEN '[25,73)' WHEN step <= 168 THEN '[73,169)' WHEN step <= 336 THEN '[169,337)'
    WHEN step <= 720 THEN '[337,721)' ELSE '[721,10001)' END;
COMMENT ON FUNCTION systole.horizon_bucket IS 'The range of steps that accuracy is gathered over.';

CREATE FUNCTION systole.pinball(level double precision, quantile double precision, actual double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN actual >= quantile THEN level * (actual - quantile)
    ELSE (1 - level) * (quantile - actual) END;
COMMENT ON FUNCTION systole.pinball IS 'The quantile loss of one forecast quantile.';

CREATE VIEW systole.accuracy AS
WITH point AS (
    SELECT v.series, v.family, v.model_version, v.model_id, systole.horizon_bucket(v.step) AS bucket,
        v.actual, v.error, v.inside_80, v.inside_95,
        -- The value of the same phase in the last whole season that was known at issue.
        v.actual - n.value AS naive_error,
        2 * (0.0625 * (systole.pinball(0.025, v.lower_95, v.actual)
                + systole.pinball(0.975, v.upper_95, v.actual))
            + 0.2375 * (systole.pinball(0.1, v.lower_80, v.actual)
                + systole.pinball(0.9, v.upper_80, v.actual))
            + 0.4 * systole.pinball(0.5, v.value, v.actual)) AS crps,
        m.naive_mae, m.naive_rmse
    FROM systole.forecast_vs_actual AS v
    JOIN systole.model AS m USING (model_id)
    LEFT JOIN systole.observation AS n
        ON n.series_id = v.series_id
        AND n.at = systole.instant_at(
            v.at, v.step_us, -((v.step + m.season_steps - 1) / m.season_steps * m.season_steps)::bigint)
)
SELECT series, family, model_version, lower(bucket) AS from_step, upper(bucket) - 1 AS to_step,
    count(*) AS points,
    avg(abs(error)) AS mae,
    sqrt(avg(error * error)) AS rmse,
    avg(error) AS bias,
    avg(abs(error)) / nullif(max(naive_mae), 0) AS mase,
    sqrt(avg(error * error)) / nullif(max(naive_rmse), 0) AS rmsse,
    avg(crps) AS crps,
    avg(inside_80::integer)::double precision AS coverage_80,
    avg(inside_95::integer)::double precision AS coverage_95,
    1 - sum(abs(error)) FILTER (WHERE naive_error IS NOT NULL)
        / nullif(sum(abs(naive_error)), 0) AS skill,
    count(naive_error) AS skill_points,
    model_id
FROM point
GROUP BY series, family, model_version, model_id, bucket;
COMMENT ON VIEW systole.accuracy IS
    'How good the issued forecasts were, per series, model and range of steps, over every step whose truth '
    'has arrived. Computed from forecasts and observations when it is read: filter by series.';
COMMENT ON COLUMN systole.accuracy.points IS 'Forecast steps that were compared; a target that several runs forecast counts for each.';
COMMENT ON COLUMN systole.accuracy.mae IS 'Mean absolute error, in the unit of the series.';
COMMENT ON COLUMN systole.accuracy.rmse IS 'Root mean square error, in the unit of the series.';
COMMENT ON COLUMN systole.accuracy.bias IS 'Mean of forecast minus actual: above zero, forecasts are too high.';
COMMENT ON COLUMN systole.accuracy.mase IS 'mae divided by the mean absolute seasonal-naive error over the training data; below 1 is better than that.';
COMMENT ON COLUMN systole.accuracy.rmsse IS 'rmse divided by the root mean square of the same errors.';
COMMENT ON COLUMN systole.accuracy.crps IS
    'Continuous ranked probability score, approximated by the weighted quantile loss at 2.5, 10, 50, 90 and 97.5 %, '
    'the value standing for the median; in the unit of the series. NULL without the 80 and 95 % intervals.';
COMMENT ON COLUMN systole.accuracy.coverage_80 IS 'Share of actual values inside the 80 % interval: 0.8 is right.';
COMMENT ON COLUMN systole.accuracy.coverage_95 IS 'Share of actual values inside the 95 % interval: 0.95 is right.';
COMMENT ON COLUMN systole.accuracy.skill IS
    '1 - sum of absolute errors / that of seasonal naive issued at the same time, over skill_points; above 0 is '
    'better than seasonal naive. NULL for a model without a season.';

-- Anomalies --------------------------------------------------------------------------------------

CREATE TABLE systole.watch (
    series_id       bigint           NOT NULL REFERENCES systole.series,
    alerts_per_week double precision NOT NULL,
    threshold       double precision,
    scored_until    timestamptz,
    machine         jsonb,
    paused_at       timestamptz,
    created_at      timestamptz      NOT NULL DEFAULT now(),

    CONSTRAINT watch_pkey PRIMARY KEY (series_id),
    CONSTRAINT watch_budget_range CHECK (alerts_per_week > 0 AND alerts_per_week <= 1000),
    CONSTRAINT watch_threshold_positive CHECK (threshold > 0 AND threshold < 'Infinity')
);
COMMENT ON COLUMN systole.watch.threshold IS 'The score at which a point is out of the ordinary, chosen from the alert budget.';
COMMENT ON COLUMN systole.watch.scored_until IS 'The newest observation that was scored; moves in the transaction that stores the scores.';
COMMENT ON COLUMN systole.watch.machine IS 'The state of the incident machine after scored_until; NULL at first.';

-- One immutable row a scored batch, like forecast. A missing observation has no score.
CREATE TABLE systole.anomaly_score (
    series_id  bigint             NOT NULL,
    first_us   bigint             NOT NULL,
    last_us    bigint             NOT NULL,
    model_id   bigint             NOT NULL,
    at_us      bigint[]           NOT NULL,
    observed   double precision[] NOT NULL,
    expected   double precision[] NOT NULL,
    p_value    double precision[] NOT NULL,
    score      double precision[] NOT NULL,
    job_id     bigint,
    lease_no   bigint,
    scored_at  timestamptz        NOT NULL DEFAULT now(),

    -- Also serves reads, which ask for the batches that end after an instant.
    CONSTRAINT anomaly_score_pkey PRIMARY KEY (series_id, last_us),
    CONSTRAINT anomaly_score_arrays_fit CHECK (
        cardinality(at_us) BETWEEN 1 AND 100000
        AND cardinality(observed) = cardinality(at_us) AND cardinality(expected) = cardinality(at_us)
        AND cardinality(p_value) = cardinality(at_us) AND cardinality(score) = cardinality(at_us)),
    CONSTRAINT anomaly_score_range CHECK (
        first_us <= last_us AND at_us[1] = first_us AND at_us[cardinality(at_us)] = last_us),
    CONSTRAINT anomaly_score_p_value_range CHECK (0 <= ALL (p_value) AND 1 >= ALL (p_value)),
    CONSTRAINT anomaly_score_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
COMMENT ON COLUMN systole.anomaly_score.at_us IS 'Microseconds since 1970, ascending.';

CREATE TABLE systole.incident (
    incident_id bigint           GENERATED ALWAYS AS IDENTITY,
    series_id   bigint           NOT NULL REFERENCES systole.series,
    seq         bigint           NOT NULL,
    kind        text             NOT NULL DEFAULT 'value',
    state       text             NOT NULL DEFAULT 'firing',
    opened_at   timestamptz      NOT NULL,
    detected_at timestamptz      NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    peak_at     timestamptz      NOT NULL,
    peak_score  double precision NOT NULL,
    observed    double precision,
    expected    double precision,
    p_value     double precision,
    threshold   double precision NOT NULL,
    model_id    bigint           NOT NULL,
    label       text,
    note        text,

    CONSTRAINT incident_pkey PRIMARY KEY (incident_id),
    -- The machine numbers the incidents of a series, so that a repeated batch opens none twice.
    -- Also serves the lookup of the incidents of a series.
    CONSTRAINT incident_once UNIQUE (series_id, seq),
    CONSTRAINT incident_kind_known CHECK (kind IN ('value', 'no-data', 'level-shift')),
    CONSTRAINT incident_state_known CHECK (state IN ('firing', 'resolved')),
    CONSTRAINT incident_resolved_at_when_resolved
        CHECK ((resolved_at IS NOT NULL) = (state = 'resolved')),
    CONSTRAINT incident_times_ordered CHECK (resolved_at >= opened_at),
    CONSTRAINT incident_observed_when_value
        CHECK (kind = 'no-data' OR num_nulls(observed, expected, p_value) = 0),
    CONSTRAINT incident_label_known CHECK (label IN ('true', 'false', 'maintenance'))
);
-- Keeps one open incident of a kind a series, and serves the list of those that fire.
CREATE UNIQUE INDEX incident_one_firing ON systole.incident (series_id, kind) WHERE state = 'firing';

CREATE FUNCTION systole.watch(series text, alerts_per_week double precision DEFAULT 2)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.series_id_of(series);
BEGIN
    IF alerts_per_week IS NULL OR NOT (alerts_per_week > 0 AND alerts_per_week <= 1000) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY011',
            MESSAGE = format('%s alerts a week cannot be aimed at.', coalesce(alerts_per_week::text, 'NULL')),
            HINT = 'Accepted: above 0, up to 1000.';
    END IF;
    INSERT INTO systole.watch AS w (series_id, alerts_per_week) VALUES (id, watch.alerts_per_week)
    ON CONFLICT ON CONSTRAINT watch_pkey DO UPDATE
        SET alerts_per_week = excluded.alerts_per_week, paused_at = NULL,
            -- Another budget asks for another threshold.
            threshold = CASE WHEN w.alerts_per_week = excluded.alerts_per_week THEN w.threshold END;
    RETURN systole.enqueue(
        kind => 'score', args => jsonb_build_object('series_id', id),
        unique_key => format('score %s', id));
END $$;
COMMENT ON FUNCTION systole.watch IS
    'Scores every new observation of a series and opens an incident where they leave the forecast, about so '
    'often a week on ordinary data; returns the number of the first scoring job. Call again to change the budget.';

CREATE FUNCTION systole.unwatch(series text) RETURNS void LANGUAGE sql AS $$
    UPDATE systole.watch SET paused_at = now()
    WHERE series_id = systole.series_id_of(series) AND paused_at IS NULL
$$;
COMMENT ON FUNCTION systole.unwatch IS 'Stops scoring a series; scores and incidents stay.';

CREATE VIEW systole.watches AS
SELECT s.key AS series, w.alerts_per_week, w.threshold, w.scored_until, w.paused_at, w.created_at,
    w.series_id
FROM systole.watch AS w
JOIN systole.series AS s USING (series_id);
COMMENT ON VIEW systole.watches IS 'Every watched series with its alert budget and how far it is scored.';

CREATE VIEW systole.anomalies AS
SELECT i.incident_id, s.key AS series, i.seq, i.kind, i.state, i.opened_at, i.resolved_at,
    i.peak_at, i.peak_score, i.observed, i.expected, i.p_value, i.threshold, s.unit,
    m.family, m.version AS model_version, i.model_id, i.detected_at, i.label, i.note
FROM systole.incident AS i
JOIN systole.series AS s USING (series_id)
JOIN systole.model AS m USING (model_id);
COMMENT ON VIEW systole.anomalies IS
    'Incidents. state: firing or resolved; kind: value, no-data or level-shift. opened_at, resolved_at and peak_at '
    'are times of the data, detected_at is when they were seen; observed and expected are those at the peak.';

CREATE FUNCTION systole.label_anomaly(id bigint, label text, note text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF label NOT IN ('true', 'false', 'maintenance') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY014',
            MESSAGE = format('There is no label %L.', label),
            HINT = 'Accepted: true, false, maintenance; NULL takes a label away.';
    END IF;
    UPDATE systole.incident AS i SET label = label_anomaly.label, note = label_anomaly.note
    WHERE i.incident_id = id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY014',
            MESSAGE = format('There is no anomaly %s.', coalesce(id::text, 'NULL')),
            HINT = 'All: SELECT incident_id, series, opened_at FROM systole.anomalies;';
    END IF;
END $$;
COMMENT ON FUNCTION systole.label_anomaly IS
    'Says what an anomaly was: true, false or maintenance.';

CREATE FUNCTION systole.anomaly_score(series text, since timestamptz DEFAULT '-infinity')
RETURNS TABLE (
    at timestamptz, observed double precision, expected double precision,
    p_value double precision, score double precision, model_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT at, u.observed, u.expected, u.p_value, u.score, b.model_id
    FROM systole.series_id_of($1) AS wanted (series_id)
    JOIN systole.anomaly_score AS b
        ON b.series_id = wanted.series_id
        AND b.last_us >= CASE WHEN isfinite($2) THEN systole.epoch_us($2)
            WHEN $2 > now() THEN 9223372036854775807 ELSE -9223372036854775807 END
    CROSS JOIN LATERAL unnest(b.at_us, b.observed, b.expected, b.p_value, b.score)
        AS u (at_us, observed, expected, p_value, score)
    CROSS JOIN LATERAL systole.instant_at('1970-01-01 00:00:00+00', u.at_us, 1) AS at
    WHERE at >= $2
    ORDER BY at
$$;
COMMENT ON FUNCTION systole.anomaly_score IS
    'The score of every observation since an instant. p_value: probability of a value at least as far out under the '
    'forecast; score = -log10 of it. A missing observation has no score.';
