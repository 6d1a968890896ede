-- 0010_accuracy.sql: every forecast is marked when the truth arrives, and marked again when it is corrected.
-- Locks: systole.forecast is rewritten for a new column; forecasts wait meanwhile.
--
-- Sums of errors are kept per run and range of steps, so that accuracy over any set of runs is a sum of sums. New
-- observations add to them; late ones and corrections have the runs that they touch summed again.
SET LOCAL lock_timeout = '2s';

ALTER TABLE systole.forecast ADD COLUMN end_at timestamptz NOT NULL
    GENERATED ALWAYS AS (systole.instant_at(start_at, step_us, cardinality(value) - 1)) STORED;
-- Serves score_accuracy(), which looks for the runs of a series that reach into a stretch of new observations.
CREATE INDEX forecast_reach ON systole.forecast (series_id, end_at);

CREATE TABLE systole.accuracy_point (
    series_id         bigint           NOT NULL,
    forecast_id       bigint           NOT NULL,
    from_step         integer          NOT NULL,
    model_id          bigint           NOT NULL,
    points            integer          NOT NULL,
    absolute          double precision NOT NULL,
    squared           double precision NOT NULL,
    error             double precision NOT NULL,
    crps              double precision NOT NULL,
    crps_points       integer          NOT NULL,
    inside_80         integer          NOT NULL,
    bounded_80        integer          NOT NULL,
    inside_95         integer          NOT NULL,
    bounded_95        integer          NOT NULL,
    naive_absolute    double precision NOT NULL,
    compared_absolute double precision NOT NULL,
    naive_points      integer          NOT NULL,
    revision          integer          NOT NULL DEFAULT 0,
    scored_at         timestamptz      NOT NULL DEFAULT now(),

    -- Also serves systole.accuracy, which is read by series.
    CONSTRAINT accuracy_point_pkey PRIMARY KEY (series_id, forecast_id, from_step),
    CONSTRAINT accuracy_point_counts CHECK (points > 0 AND inside_80 <= bounded_80
        AND inside_95 <= bounded_95 AND bounded_80 <= points AND bounded_95 <= points AND naive_points <= points)
) WITH (fillfactor = 80);
COMMENT ON TABLE systole.accuracy_point IS
    'Sums of the errors of one run over one range of steps, in the unit of the series. Read systole.accuracy instead.';
COMMENT ON COLUMN systole.accuracy_point.compared_absolute IS 'Sum of absolute errors where seasonal naive had a value too.';
COMMENT ON COLUMN systole.accuracy_point.revision IS
    'How often the sums were made anew, since observations came late or were corrected.';

-- One row a series, whether it has been forecast or not: a forecast that is being written meets an observation that is
-- being stored here, and one of them waits for the other. What is due is a stretch of time whose observations are new or changed.
CREATE TABLE systole.accuracy_state (
    series_id     bigint      NOT NULL,
    counted_until timestamptz,
    due_from      timestamptz,
    due_until     timestamptz,
    due_since     timestamptz,

    CONSTRAINT accuracy_state_pkey PRIMARY KEY (series_id),
    CONSTRAINT accuracy_state_due_whole CHECK (num_nulls(due_from, due_until, due_since) IN (0, 3))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
-- Serves score_accuracy(), which takes the series that have waited longest.
CREATE INDEX accuracy_state_due ON systole.accuracy_state (due_since) WHERE due_from IS NOT NULL;

CREATE FUNCTION systole.mark_observed(series_ids bigint[], from_at timestamptz[], until_at timestamptz[])
RETURNS void LANGUAGE sql AS $$
    INSERT INTO systole.accuracy_state AS s (series_id, due_from, due_until, due_since)
    SELECT series_id, min(first), max(last), clock_timestamp()
    FROM unnest(series_ids, from_at, until_at) AS u (series_id, first, last)
    GROUP BY series_id ORDER BY series_id
    ON CONFLICT ON CONSTRAINT accuracy_state_pkey DO UPDATE
    SET due_from = least(s.due_from, excluded.due_from), due_until = greatest(s.due_until, excluded.due_until),
        due_since = coalesce(s.due_since, excluded.due_since)
$$;
COMMENT ON FUNCTION systole.mark_observed IS
    'Says that observations of these series in these stretches of time are new or changed, so that forecasts of them are marked. '
    'Called in the transaction that stores them.';

-- The sums of errors of runs over the targets in a stretch of time each.
CREATE FUNCTION systole.sum_errors(
    series_ids bigint[], forecast_ids bigint[], from_at timestamptz[], until_at timestamptz[])
RETURNS SETOF systole.accuracy_point LANGUAGE sql STABLE AS $$
    SELECT e.series_id, e.forecast_id, lower(e.bucket), e.model_id, count(*)::integer, sum(abs(e.error)),
        sum(e.error * e.error), sum(e.error), coalesce(sum(e.crps), 0), count(e.crps)::integer,
        count(*) FILTER (WHERE e.inside_80)::integer, count(e.inside_80)::integer,
        count(*) FILTER (WHERE e.inside_95)::integer, count(e.inside_95)::integer,
        coalesce(sum(abs(e.naive_error)), 0),
        coalesce(sum(abs(e.error)) FILTER (WHERE e.naive_error IS NOT NULL), 0),
        count(e.naive_error)::integer, 0, now()
    FROM (
        SELECT f.series_id, f.forecast_id, f.model_id, systole.horizon_bucket(t.step) AS bucket,
            u.value - o.value AS error, o.value - n.value AS naive_error,
            o.value BETWEEN u.lower_80 AND u.upper_80 AS inside_80,
            o.value BETWEEN u.lower_95 AND u.upper_95 AS inside_95,
            2 * (0.0625 * (systole.pinball(0.025, u.lower_95, o.value) + systole.pinball(0.975, u.upper_95, o.value))
                + 0.2375 * (systole.pinball(0.1, u.lower_80, o.value) + systole.pinball(0.9, u.upper_80, o.value))
                + 0.4 * systole.pinball(0.5, u.value, o.value)) AS crps
        FROM unnest(series_ids, forecast_ids, from_at, until_at) AS r (series_id, forecast_id, first, last)
        JOIN systole.forecast f ON f.series_id = r.series_id AND f.forecast_id = r.forecast_id
        JOIN systole.model m ON m.model_id = f.model_id
        CROSS JOIN LATERAL (
            SELECT cardinality(f.value) AS n,
                greatest(0, ceil((systole.epoch_us(r.first) - systole.epoch_us(f.start_at))::numeric / f.step_us))::integer AS skip,
                least(cardinality(f.value), 1 + floor((systole.epoch_us(r.last) - systole.epoch_us(f.start_at))::numeric / f.step_us))::integer AS last,
                array_position(f.levels, 0.1::real) AS l80, array_position(f.levels, 0.9::real) AS u80,
                array_position(f.levels, 0.025::real) AS l95, array_position(f.levels, 0.975::real) AS u95) AS p
        -- Slices, since a subscript would unpack the whole array again for every step.
        CROSS JOIN LATERAL unnest(
            f.value[p.skip + 1:p.last],
            f.quantiles[(l80 - 1) * p.n + p.skip + 1:(l80 - 1) * p.n + p.last],
            f.quantiles[(u80 - 1) * p.n + p.skip + 1:(u80 - 1) * p.n + p.last],
            f.quantiles[(l95 - 1) * p.n + p.skip + 1:(l95 - 1) * p.n + p.last],
            f.quantiles[(u95 - 1) * p.n + p.skip + 1:(u95 - 1) * p.n + p.last]
        ) WITH ORDINALITY AS u (value, lower_80, upper_80, lower_95, upper_95, place)
        CROSS JOIN LATERAL (
            SELECT p.skip + u.place::integer AS step,
                systole.instant_at(f.start_at, f.step_us, p.skip + u.place - 1) AS at) AS t
        JOIN systole.observation o ON o.series_id = f.series_id AND o.at = t.at
        -- The value of the same phase in the last whole season that was known at issue.
        LEFT JOIN systole.observation n ON n.series_id = f.series_id AND n.at = systole.instant_at(
            t.at, f.step_us, -((t.step + m.season_steps - 1) / m.season_steps * m.season_steps)::bigint)) AS e
    GROUP BY e.series_id, e.forecast_id, e.model_id, e.bucket
$$;

CREATE FUNCTION systole.score_accuracy(n integer DEFAULT 200) RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    due    record;
    runs   record;
BEGIN
    -- In two steps, so that the second sees what was committed before the rows could be locked.
    WITH taken AS MATERIALIZED (
        SELECT s.* FROM systole.accuracy_state s WHERE s.due_from IS NOT NULL
        ORDER BY s.due_since LIMIT n FOR UPDATE SKIP LOCKED),
    cleared AS (
        UPDATE systole.accuracy_state s
        SET counted_until = greatest(s.counted_until, t.due_until), due_from = NULL, due_until = NULL,
            due_since = NULL
        FROM taken t WHERE s.series_id = t.series_id)
    SELECT array_agg(t.series_id) AS ids, array_agg(t.counted_until) AS counted,
        array_agg(t.due_from) AS first, array_agg(t.due_until) AS last, count(*)::integer AS n
    INTO due FROM taken t;
    IF due.n = 0 THEN
        RETURN 0;
    END IF;

    -- Observations after all that were counted add to the sums of the runs that they reach.
    SELECT array_agg(f.series_id) AS ids, array_agg(f.forecast_id) AS forecasts,
        array_agg(d.first) AS first, array_agg(d.last) AS last
    INTO runs
    FROM unnest(due.ids, due.counted, due.first, due.last) AS d (series_id, counted, first, last)
    JOIN systole.forecast f ON f.series_id = d.series_id AND f.end_at >= d.first AND f.start_at <= d.last
    WHERE d.first > d.counted;
    INSERT INTO systole.accuracy_point AS p
    SELECT (systole.sum_errors(runs.ids, runs.forecasts, runs.first, runs.last)).*
    ON CONFLICT ON CONSTRAINT accuracy_point_pkey DO UPDATE SET
        points = p.points + excluded.points, absolute = p.absolute + excluded.absolute,
        squared = p.squared + excluded.squared, error = p.error + excluded.error,
        crps = p.crps + excluded.crps, crps_points = p.crps_points + excluded.crps_points,
        inside_80 = p.inside_80 + excluded.inside_80, bounded_80 = p.bounded_80 + excluded.bounded_80,
        inside_95 = p.inside_95 + excluded.inside_95, bounded_95 = p.bounded_95 + excluded.bounded_95,
        naive_absolute = p.naive_absolute + excluded.naive_absolute,
        compared_absolute = p.compared_absolute + excluded.compared_absolute,
        naive_points = p.naive_points + excluded.naive_points, scored_at = excluded.scored_at;

    -- Others may have changed what was summed, or what seasonal naive would have said: the runs that begin within a season
    -- after them are summed anew.
    SELECT array_agg(f.series_id) AS ids, array_agg(f.forecast_id) AS forecasts,
        array_agg(f.start_at) AS first, array_agg(greatest(d.last, d.counted)) AS last
    INTO runs
    FROM unnest(due.ids, due.counted, due.first, due.last) AS d (series_id, counted, first, last)
    JOIN systole.forecast f ON f.series_id = d.series_id AND f.end_at >= d.first
    JOIN systole.model m ON m.model_id = f.model_id
    WHERE (d.counted IS NULL OR d.first <= d.counted)
        AND f.start_at <= systole.instant_at(d.last, f.step_us, coalesce(m.season_steps, 0))
        AND f.start_at <= greatest(d.last, d.counted);
    INSERT INTO systole.accuracy_point AS p
    SELECT (systole.sum_errors(runs.ids, runs.forecasts, runs.first, runs.last)).*
    ON CONFLICT ON CONSTRAINT accuracy_point_pkey DO UPDATE SET
        points = excluded.points, absolute = excluded.absolute, squared = excluded.squared,
        error = excluded.error, crps = excluded.crps, crps_points = excluded.crps_points,
        inside_80 = excluded.inside_80, bounded_80 = excluded.bounded_80, inside_95 = excluded.inside_95,
        bounded_95 = excluded.bounded_95, naive_absolute = excluded.naive_absolute,
        compared_absolute = excluded.compared_absolute, naive_points = excluded.naive_points,
        revision = p.revision + 1, scored_at = excluded.scored_at;
    RETURN due.n;
END $$;
COMMENT ON FUNCTION systole.score_accuracy IS
    'Marks the forecasts of series that have new or corrected observations, at most n series, those that waited longest first; '
    'returns how many. The leader calls it every two seconds.';

-- What is there when this file is applied has not been marked.
INSERT INTO systole.accuracy_state (series_id, counted_until, due_from, due_until, due_since)
SELECT s.series_id, now(), min(f.start_at), greatest(min(f.start_at), least(max(f.end_at), now())),
    CASE WHEN count(f.start_at) > 0 THEN now() END
FROM systole.series s LEFT JOIN systole.forecast f USING (series_id) GROUP BY s.series_id;

-- As in 0001, and forecasts of what is merged are marked.
CREATE OR REPLACE FUNCTION systole.merge_late_observations() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    due_from timestamptz;
    due_to timestamptz;
    moved bigint;
BEGIN
    SELECT min(at), max(at) INTO due_from, due_to FROM systole.late_observation
    WHERE reason = 'future' AND at <= now();
    IF due_from IS NULL THEN RETURN 0; END IF;
    -- Like every writer of a series, so that none is surprised by a row it did not see.
    PERFORM FROM systole.series WHERE series_id IN (
        SELECT l.series_id FROM systole.late_observation AS l
        WHERE l.reason = 'future' AND l.at BETWEEN due_from AND due_to)
    ORDER BY series_id FOR NO KEY UPDATE;
    PERFORM systole.ensure_partitions(due_from, due_to);
    WITH due AS (
        DELETE FROM systole.late_observation
        WHERE reason = 'future' AND at BETWEEN due_from AND due_to
        RETURNING series_id, at, value
    ), stored AS (
        INSERT INTO systole.observation (series_id, at, value)
        SELECT series_id, at, value FROM due
        ON CONFLICT (series_id, at) DO NOTHING
        RETURNING series_id, at
    ), marked AS (
        SELECT systole.mark_observed(array_agg(series_id), array_agg(at), array_agg(at)) FROM stored
    )
    SELECT (SELECT count(*) FROM stored) INTO moved FROM marked;
    RETURN moved;
END $$;

CREATE OR REPLACE VIEW systole.accuracy AS
SELECT s.key AS series, m.family, m.version AS model_version, p.from_step,
    upper(systole.horizon_bucket(p.from_step)) - 1 AS to_step,
    sum(p.points)::bigint AS points,
    sum(p.absolute) / sum(p.points) AS mae,
    sqrt(sum(p.squared) / sum(p.points)) AS rmse,
    sum(p.error) / sum(p.points) AS bias,
    sum(p.absolute) / sum(p.points) / nullif(max(m.naive_mae), 0) AS mase,
    sqrt(sum(p.squared) / sum(p.points)) / nullif(max(m.naive_rmse), 0) AS rmsse,
    sum(p.crps) / nullif(sum(p.crps_points), 0) AS crps,
    sum(p.inside_80) / nullif(sum(p.bounded_80), 0)::double precision AS coverage_80,
    sum(p.inside_95) / nullif(sum(p.bounded_95), 0)::double precision AS coverage_95,
    1 - sum(p.compared_absolute) / nullif(sum(p.naive_absolute), 0) AS skill,
    sum(p.naive_points)::bigint AS skill_points,
    p.model_id,
    count(*) AS runs, max(p.revision) AS revisions, max(p.scored_at) AS scored_at
FROM systole.accuracy_point AS p
JOIN systole.series AS s USING (series_id)
JOIN systole.model AS m USING (model_id)
GROUP BY s.key, m.family, m.version, p.model_id, p.from_step;
COMMENT ON VIEW systole.accuracy IS
    'How good the issued forecasts were, per series, model and range of steps, over every step whose truth '
    'has arrived. Marked within seconds of new observations, and again where they are corrected or come late.';
COMMENT ON COLUMN systole.accuracy.runs IS 'Forecast runs with at least one step in the range whose truth has arrived.';
COMMENT ON COLUMN systole.accuracy.revisions IS 'The most often that a run was summed anew after late or corrected observations.';

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_ingest', 'mark_observed', 'EXECUTE'), ('systole_worker', 'mark_observed', 'EXECUTE'),
    ('systole_worker', 'score_accuracy', 'EXECUTE'), ('systole_worker', 'ensure_partitions', 'EXECUTE'),
    ('systole_worker', 'accuracy_state', 'SELECT, UPDATE');

SELECT systole.apply_privileges();
