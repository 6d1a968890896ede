-- 0015_coverage.sql: how often intervals were right, as the truth arrives; those that are issued next follow it.
-- Locks: systole.forecast gets columns without a default, which takes no time.
SET LOCAL lock_timeout = '2s';

ALTER TABLE systole.forecast
    ADD COLUMN interval_method text,
    ADD COLUMN achieved_80 real,
    ADD COLUMN achieved_95 real,
    ADD CONSTRAINT forecast_interval_method CHECK (interval_method IN ('split', 'adaptive')) NOT VALID,
    ADD CONSTRAINT forecast_achieved CHECK (achieved_80 BETWEEN 0 AND 1 AND achieved_95 BETWEEN 0 AND 1) NOT VALID;
COMMENT ON COLUMN systole.forecast.interval_method IS
    'split: as wide as at the fit. adaptive: wider or narrower by what became of the intervals that the model issued before. '
    'NULL before this was stored.';
COMMENT ON COLUMN systole.forecast.achieved_80 IS
    'Share of truths inside the 80 % intervals that this model had issued for this series, when this run was issued; NULL where '
    'none had arrived.';
COMMENT ON COLUMN systole.forecast.achieved_95 IS 'The same of the 95 % intervals.';

CREATE OR REPLACE VIEW systole.forecasts AS
SELECT s.key AS series, f.issued_at, f.data_until, f.family, f.model_version,
    cardinality(f.value) AS steps, f.step_us * interval '1 microsecond' AS step_length,
    f.start_at, systole.instant_at(f.start_at, f.step_us, cardinality(f.value) - 1) AS end_at,
    f.levels, f.model_id, f.job_id, f.forecast_id,
    f.interval_method, f.achieved_80, f.achieved_95
FROM systole.forecast AS f
JOIN systole.series AS s USING (series_id);

COMMENT ON COLUMN systole.forecasts.interval_method IS
    'split: intervals as wide as at the fit. adaptive: wider or narrower by what became of those before. NULL before this was stored.';
COMMENT ON COLUMN systole.forecasts.achieved_80 IS
    'Share of truths inside the 80 % intervals of this model for this series, as known when the run was issued.';
COMMENT ON COLUMN systole.forecasts.achieved_95 IS 'The same of the 95 % intervals.';

CREATE TABLE systole.coverage_sum (
    series_id  bigint      NOT NULL,
    model_id   bigint      NOT NULL,
    from_step  integer     NOT NULL,
    bounded_80 bigint      NOT NULL,
    inside_80  bigint      NOT NULL,
    bounded_95 bigint      NOT NULL,
    inside_95  bigint      NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),

    -- Also serves the forecast jobs, which read the sums of a model for its series.
    CONSTRAINT coverage_sum_pkey PRIMARY KEY (series_id, model_id, from_step)
    -- No CHECK of the counts: it would look at the difference that a correction adds, which may be below zero.
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE systole.coverage_sum IS
    'Over all runs of a model for a series and one range of steps: truths that have arrived, and those that lay inside. Sums of '
    'systole.accuracy_point, kept when runs are deleted. Read systole.coverage instead.';

INSERT INTO systole.coverage_sum (series_id, model_id, from_step, bounded_80, inside_80, bounded_95, inside_95)
SELECT series_id, model_id, from_step, sum(bounded_80), sum(inside_80), sum(bounded_95), sum(inside_95)
FROM systole.accuracy_point GROUP BY series_id, model_id, from_step;

CREATE FUNCTION systole.achieved_coverage(
    of_series bigint, of_model bigint, OUT achieved_80 real, OUT achieved_95 real) LANGUAGE sql STABLE AS $$
    SELECT (sum(inside_80) / nullif(sum(bounded_80), 0))::real, (sum(inside_95) / nullif(sum(bounded_95), 0))::real
    FROM systole.coverage_sum WHERE series_id = of_series AND model_id = of_model
$$;
COMMENT ON FUNCTION systole.achieved_coverage IS
    'Share of truths inside the 80 and the 95 % intervals that a model has issued for a series; NULL where none has arrived.';

-- As in 0010, and what is added to the sums of runs is added to those of their models.
CREATE OR REPLACE FUNCTION systole.score_accuracy(n integer DEFAULT 200) RETURNS integer LANGUAGE plpgsql AS $$
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
    WITH fresh AS MATERIALIZED (
        SELECT (systole.sum_errors(runs.ids, runs.forecasts, runs.first, runs.last)).*),
    summed AS (
        INSERT INTO systole.accuracy_point AS p SELECT * FROM fresh
        ON CONFLICT ON CONSTRAINT accuracy_point_pkey DO UPDATE SET
            points = p.points + excluded.points, absolute = p.absolute + excluded.absolute,
            squared = p.squared + excluded.squared, error = p.error + excluded.error,
            crps = p.crps + excluded.crps, crps_points = p.crps_points + excluded.crps_points,
            inside_80 = p.inside_80 + excluded.inside_80, bounded_80 = p.bounded_80 + excluded.bounded_80,
            inside_95 = p.inside_95 + excluded.inside_95, bounded_95 = p.bounded_95 + excluded.bounded_95,
            naive_absolute = p.naive_absolute + excluded.naive_absolute,
            compared_absolute = p.compared_absolute + excluded.compared_absolute,
            naive_points = p.naive_points + excluded.naive_points, scored_at = excluded.scored_at)
    INSERT INTO systole.coverage_sum AS c (series_id, model_id, from_step, bounded_80, inside_80, bounded_95, inside_95)
    SELECT series_id, model_id, from_step, sum(bounded_80), sum(inside_80), sum(bounded_95), sum(inside_95)
    FROM fresh GROUP BY series_id, model_id, from_step ORDER BY series_id, model_id, from_step
    ON CONFLICT ON CONSTRAINT coverage_sum_pkey DO UPDATE SET
        bounded_80 = c.bounded_80 + excluded.bounded_80, inside_80 = c.inside_80 + excluded.inside_80,
        bounded_95 = c.bounded_95 + excluded.bounded_95, inside_95 = c.inside_95 + excluded.inside_95,
        changed_at = now();

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
    WITH fresh AS MATERIALIZED (
        SELECT (systole.sum_errors(runs.ids, runs.forecasts, runs.first, runs.last)).*),
    before AS MATERIALIZED (
        SELECT p.* FROM fresh f JOIN systole.accuracy_point p USING (series_id, forecast_id, from_step)),
    summed AS (
        INSERT INTO systole.accuracy_point AS p SELECT * FROM fresh
        ON CONFLICT ON CONSTRAINT accuracy_point_pkey DO UPDATE SET
            points = excluded.points, absolute = excluded.absolute, squared = excluded.squared,
            error = excluded.error, crps = excluded.crps, crps_points = excluded.crps_points,
            inside_80 = excluded.inside_80, bounded_80 = excluded.bounded_80, inside_95 = excluded.inside_95,
            bounded_95 = excluded.bounded_95, naive_absolute = excluded.naive_absolute,
            compared_absolute = excluded.compared_absolute, naive_points = excluded.naive_points,
            revision = p.revision + 1, scored_at = excluded.scored_at)
    -- What is summed for the first time is inserted; of the rest only the difference counts.
    INSERT INTO systole.coverage_sum AS c (series_id, model_id, from_step, bounded_80, inside_80, bounded_95, inside_95)
    SELECT series_id, model_id, from_step, sum(bounded_80), sum(inside_80), sum(bounded_95), sum(inside_95)
    FROM (
        SELECT series_id, model_id, from_step, bounded_80, inside_80, bounded_95, inside_95 FROM fresh
        UNION ALL
        SELECT series_id, model_id, from_step, -bounded_80, -inside_80, -bounded_95, -inside_95 FROM before) AS change
    GROUP BY series_id, model_id, from_step ORDER BY series_id, model_id, from_step
    ON CONFLICT ON CONSTRAINT coverage_sum_pkey DO UPDATE SET
        bounded_80 = c.bounded_80 + excluded.bounded_80, inside_80 = c.inside_80 + excluded.inside_80,
        bounded_95 = c.bounded_95 + excluded.bounded_95, inside_95 = c.inside_95 + excluded.inside_95,
        changed_at = now();
    RETURN due.n;
END $$;

CREATE VIEW systole.coverage AS
SELECT s.key AS series, m.family, m.version AS model_version, c.from_step,
    upper(systole.horizon_bucket(c.from_step)) - 1 AS to_step,
    i.nominal, i.inside / nullif(i.bounded, 0)::double precision AS achieved, i.bounded AS points,
    c.changed_at, c.model_id
FROM systole.coverage_sum AS c
JOIN systole.series AS s USING (series_id)
JOIN systole.model AS m USING (model_id)
CROSS JOIN LATERAL (VALUES
    (0.8::double precision, c.inside_80, c.bounded_80),
    (0.95::double precision, c.inside_95, c.bounded_95)) AS i (nominal, inside, bounded)
WHERE i.bounded > 0;
COMMENT ON VIEW systole.coverage IS
    'How often the truth lay inside the intervals of a model, beside how often it should have: per series, model and range of '
    'steps, over all its runs. Later runs are issued with intervals that are wider where it was too seldom, and narrower where it '
    'was too often.';
COMMENT ON COLUMN systole.coverage.points IS 'Forecast steps whose truth has arrived; a target that several runs forecast counts for each.';

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_worker', 'coverage_sum', 'SELECT'), ('systole_worker', 'achieved_coverage', 'EXECUTE'), ('systole_reader', 'coverage', 'SELECT'),
    ('systole_api', 'coverage', 'SELECT'), ('systole_worker', 'coverage', 'SELECT');

SELECT systole.apply_privileges();
