-- 0017_scoring.sql: watched series scored many at a time, streams that stop, and intervals that drift.
-- Locks: systole.watch and systole.incident get columns with constant defaults, which takes no time.
-- Errors: SY011 also for a minimum effect, hits or a patience that cannot be.
SET LOCAL lock_timeout = '2s';

-- Watches ------------------------------------------------------------------------------------------

ALTER TABLE systole.watch
    ADD COLUMN minimum_effect double precision NOT NULL DEFAULT 0,
    ADD COLUMN hits smallint NOT NULL DEFAULT 2,
    ADD COLUMN among smallint NOT NULL DEFAULT 3,
    ADD COLUMN no_data_after interval,
    ADD COLUMN model_id bigint,
    ADD COLUMN arrived_at timestamptz,
    ADD COLUMN arrivals bigint NOT NULL DEFAULT 0,
    ADD COLUMN arrival_gap interval NOT NULL DEFAULT '0',
    ADD COLUMN trouble text,
    ADD CONSTRAINT watch_effect_range CHECK (minimum_effect >= 0 AND minimum_effect < 'Infinity'),
    ADD CONSTRAINT watch_hits_range CHECK (hits BETWEEN 1 AND among AND among <= 1000),
    ADD CONSTRAINT watch_patience_positive CHECK (no_data_after > '0');
-- Every scoring writes a row.
ALTER TABLE systole.watch SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON COLUMN systole.watch.minimum_effect IS 'The least distance of observed and expected that counts, in the unit of the series.';
COMMENT ON COLUMN systole.watch.hits IS 'Scores above the threshold, among the last "among", that open an incident.';
COMMENT ON COLUMN systole.watch.no_data_after IS 'How long nothing may come; NULL for what follows from the step and from how it came so far.';
COMMENT ON COLUMN systole.watch.model_id IS 'The model that scored last, could not, or was asked to.';
COMMENT ON COLUMN systole.watch.arrived_at IS 'When observations were last scored, by the clock of the server.';
COMMENT ON COLUMN systole.watch.arrival_gap IS 'The longest time between two arrivals of late, worn off by a tenth with each.';
COMMENT ON COLUMN systole.watch.trouble IS 'Why the series could not be scored last; NULL where it was.';

-- What is to be scored: a row for each series that a transaction brought something of. Rows are only added and deleted, so that
-- neither a writer of observations waits for the scorer nor the other way round.
CREATE TABLE systole.watch_news (
    news_id   bigint   GENERATED ALWAYS AS IDENTITY,
    series_id bigint   NOT NULL,
    lane      smallint NOT NULL GENERATED ALWAYS AS ((series_id % 8)::smallint) STORED,
    first_at  timestamptz NOT NULL,

    -- Serves the jobs, which take the news of a lane in their order.
    CONSTRAINT watch_news_pkey PRIMARY KEY (lane, news_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON COLUMN systole.watch_news.first_at IS 'The first instant that is new or changed.';

-- As in 0010, and watched series are to be scored.
CREATE OR REPLACE FUNCTION systole.mark_observed(series_ids bigint[], from_at timestamptz[], until_at timestamptz[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO systole.accuracy_state AS s (series_id, due_from, due_until, due_since)
    SELECT u.series_id, min(u.first), max(u.last), clock_timestamp()
    FROM unnest(series_ids, from_at, until_at) AS u (series_id, first, last)
    GROUP BY u.series_id ORDER BY u.series_id
    ON CONFLICT ON CONSTRAINT accuracy_state_pkey DO UPDATE
    SET due_from = least(s.due_from, excluded.due_from), due_until = greatest(s.due_until, excluded.due_until),
        due_since = coalesce(s.due_since, excluded.due_since);
    INSERT INTO systole.watch_news (series_id, first_at)
    SELECT w.series_id, min(u.first)
    FROM unnest(series_ids, from_at) AS u (series_id, first)
    JOIN systole.watch w USING (series_id)
    WHERE w.paused_at IS NULL GROUP BY w.series_id;
    IF FOUND THEN
        PERFORM pg_notify('systole_news', '');
    END IF;
END $$;
COMMENT ON FUNCTION systole.mark_observed IS
    'Says that observations of these series in these stretches of time are new or changed, so that forecasts of them are marked '
    'and watched ones are scored. Called in the transaction that stores them.';

CREATE FUNCTION systole.route_news() RETURNS integer LANGUAGE sql AS $$
    SELECT count(systole.enqueue('score', jsonb_build_object('lane', l.lane), priority => 50::smallint,
        unique_key => format('score lane %s', l.lane), on_conflict => 'replace'))::integer
    FROM generate_series(0, 7) AS l (lane)
    WHERE EXISTS (SELECT FROM systole.watch_news n WHERE n.lane = l.lane)
        -- One that waits or runs looks again before it ends.
        AND NOT EXISTS (SELECT FROM systole.job j WHERE j.kind = 'score' AND j.unique_key = format('score lane %s', l.lane))
$$;
COMMENT ON FUNCTION systole.route_news IS
    'Adds the jobs that score what is new of watched series, where they are not there; returns how many.';

-- As in 0003, with what counts as an anomaly.
DROP FUNCTION systole.watch(text, double precision);
CREATE FUNCTION systole.watch(
    series text, alerts_per_week double precision DEFAULT 2, minimum_effect double precision DEFAULT 0,
    hits integer DEFAULT 2, among integer DEFAULT 3, no_data_after interval DEFAULT NULL)
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
    IF minimum_effect IS NULL OR NOT (minimum_effect >= 0 AND minimum_effect < 'Infinity') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY011',
            MESSAGE = format('%s is no distance from the expected value.', coalesce(minimum_effect::text, 'NULL')),
            HINT = 'Accepted: 0 or more, in the unit of the series.';
    END IF;
    IF hits IS NULL OR among IS NULL OR NOT (hits BETWEEN 1 AND among AND among <= 1000) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY011',
            MESSAGE = format('%s hits among %s observations cannot be.', coalesce(hits::text, 'NULL'), coalesce(among::text, 'NULL')),
            HINT = 'Accepted: hits from 1 to among, and among up to 1000.';
    END IF;
    IF no_data_after <= interval '0' OR no_data_after > interval '366 days' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY011',
            MESSAGE = format('A stream cannot be missed after %s.', no_data_after),
            HINT = 'Accepted: above 0, up to 366 days; NULL for what follows from the series.';
    END IF;
    INSERT INTO systole.watch AS w (series_id, alerts_per_week, minimum_effect, hits, among, no_data_after)
    VALUES (id, watch.alerts_per_week, watch.minimum_effect, watch.hits, watch.among, watch.no_data_after)
    ON CONFLICT ON CONSTRAINT watch_pkey DO UPDATE
        SET alerts_per_week = excluded.alerts_per_week, minimum_effect = excluded.minimum_effect,
            hits = excluded.hits, among = excluded.among, no_data_after = excluded.no_data_after,
            -- Who comes back is missed only after new arrivals.
            arrivals = CASE WHEN w.paused_at IS NULL THEN w.arrivals ELSE 0 END, paused_at = NULL,
            -- Another budget asks for another threshold.
            threshold = CASE WHEN (w.alerts_per_week, w.minimum_effect, w.hits, w.among)
                = (excluded.alerts_per_week, excluded.minimum_effect, excluded.hits, excluded.among) THEN w.threshold END;
    IF NOT EXISTS (SELECT FROM systole.model m WHERE m.series_id = id AND m.stage = 'live') THEN
        UPDATE systole.watch w SET trouble = 'there is no model yet' WHERE w.series_id = id;
        -- A forecast fits one.
        PERFORM systole.enqueue(
            kind => 'forecast', args => jsonb_build_object('series_id', id, 'steps', 24), unique_key => format('watch %s', id))
        FROM systole.series s
        WHERE s.series_id = id AND s.step_us IS NOT NULL
            AND EXISTS (SELECT FROM systole.observation o WHERE o.series_id = id);
    END IF;
    RETURN systole.enqueue(
        kind => 'score', args => jsonb_build_object('series_id', id),
        unique_key => format('score %s', id));
END $$;
COMMENT ON FUNCTION systole.watch IS
    'Scores every new observation of a series and opens an incident where "hits" of the last "among" leave the forecast, by '
    'minimum_effect at least (in the unit of the series), about so often a week on ordinary data. Where nothing comes for '
    'no_data_after, that is an incident too; NULL: three times the longest pause of late, ten steps and a minute at least. '
    'A series without a model gets one, if it has observations. Returns the number of the first scoring job. Call again to change '
    'what is given.';

CREATE OR REPLACE VIEW systole.watches AS
SELECT s.key AS series, w.alerts_per_week, w.threshold, w.scored_until, w.paused_at, w.created_at,
    w.series_id, w.minimum_effect, w.hits::integer, w.among::integer, w.no_data_after, w.arrived_at, w.trouble
FROM systole.watch AS w
JOIN systole.series AS s USING (series_id);
COMMENT ON COLUMN systole.watches.minimum_effect IS 'The least distance of observed and expected that counts, in the unit of the series.';
COMMENT ON COLUMN systole.watches.hits IS 'Scores above the threshold, among the last "among", that open an incident.';
COMMENT ON COLUMN systole.watches.among IS 'How many observations are looked back on.';
COMMENT ON COLUMN systole.watches.no_data_after IS 'How long nothing may come; NULL for what follows from the series.';
COMMENT ON COLUMN systole.watches.arrived_at IS 'When observations were last scored, by the clock of the server.';
COMMENT ON COLUMN systole.watches.trouble IS 'Why the series could not be scored last; NULL where it was.';

-- Serves score_promoted(), which looks for series that nothing has scored yet.
CREATE INDEX watch_unscored ON systole.watch (series_id) WHERE scored_until IS NULL AND paused_at IS NULL;

CREATE FUNCTION systole.score_promoted(n integer DEFAULT 1000) RETURNS integer LANGUAGE sql AS $$
    WITH due AS (
        SELECT w.series_id, m.model_id FROM systole.watch w
        JOIN systole.model m ON m.series_id = w.series_id AND m.stage = 'live'
        WHERE w.scored_until IS NULL AND w.paused_at IS NULL AND w.model_id IS DISTINCT FROM m.model_id LIMIT n),
    asked AS (
        -- Once for each model, whatever becomes of it.
        UPDATE systole.watch w SET model_id = due.model_id FROM due WHERE w.series_id = due.series_id RETURNING w.series_id)
    SELECT count(systole.enqueue('score', jsonb_build_object('series_id', asked.series_id),
        unique_key => format('score %s', asked.series_id)))::integer
    FROM asked
$$;
COMMENT ON FUNCTION systole.score_promoted IS
    'Adds jobs for watched series that were never scored and have got a model; returns how many. The leader calls it.';

-- Scores -------------------------------------------------------------------------------------------

ALTER TABLE systole.anomaly_score
    ADD COLUMN ahead_step integer,
    ADD COLUMN ahead_expected double precision[],
    ADD COLUMN ahead_score double precision[],
    ADD CONSTRAINT anomaly_score_ahead_fits CHECK (
        num_nulls(ahead_step, ahead_expected, ahead_score) IN (0, 3)
        AND cardinality(ahead_expected) = cardinality(at_us) AND cardinality(ahead_score) = cardinality(at_us)) NOT VALID;
COMMENT ON COLUMN systole.anomaly_score.ahead_step IS 'Steps ahead of the further expectation; NULL where no row has one.';
COMMENT ON COLUMN systole.anomaly_score.ahead_expected IS 'What was expected so many steps before; NaN where nothing was.';

-- As in 0003, and what was expected further ahead.
DROP FUNCTION systole.anomaly_score(text, timestamptz);
CREATE FUNCTION systole.anomaly_score(series text, since timestamptz DEFAULT '-infinity')
RETURNS TABLE (
    at timestamptz, observed double precision, expected double precision,
    p_value double precision, score double precision, model_id bigint,
    ahead_step integer, ahead_expected double precision, ahead_score double precision)
LANGUAGE sql STABLE AS $$
    SELECT at, u.observed, u.expected, u.p_value, u.score, b.model_id,
        CASE WHEN u.ahead_score <> 'NaN' THEN b.ahead_step END, nullif(u.ahead_expected, 'NaN'), nullif(u.ahead_score, 'NaN')
    FROM systole.series_id_of($1) AS wanted (series_id)
    JOIN systole.anomaly_score AS b
        ON b.series_id = wanted.series_id
        AND b.last_us >= CASE WHEN isfinite($2) THEN systole.epoch_us($2)
            WHEN $2 > now() THEN 9223372036854775807 ELSE -9223372036854775807 END
    CROSS JOIN LATERAL unnest(b.at_us, b.observed, b.expected, b.p_value, b.score, b.ahead_expected, b.ahead_score)
        AS u (at_us, observed, expected, p_value, score, ahead_expected, ahead_score)
    CROSS JOIN LATERAL systole.instant_at('1970-01-01 00:00:00+00', u.at_us, 1) AS at
    WHERE at >= $2
    ORDER BY at
$$;
COMMENT ON FUNCTION systole.anomaly_score IS
    'The score of every observation since an instant. p_value: probability of a value at least as far out under the '
    'forecast one step before (more after a gap); score = -log10 of it; ahead_expected and ahead_score: the same of the forecast '
    'ahead_step steps before, which what drifts slowly is far from. Incidents go by the higher of the two, less 0.301 where there '
    'are two. A missing observation has no score.';

-- Incidents ----------------------------------------------------------------------------------------

CREATE FUNCTION systole.next_incident_seq(of_series bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time. Not by the row of the series, which an import may hold for long.
    PERFORM pg_advisory_xact_lock(hashtextextended('systole incidents of ' || of_series, 0));
    RETURN (SELECT coalesce(max(i.seq), 0) + 1 FROM systole.incident i WHERE i.series_id = of_series);
END $$;
COMMENT ON FUNCTION systole.next_incident_seq IS 'The next number of an incident of a series, kept for this transaction.';

CREATE FUNCTION systole.open_incident(
    of_series bigint, kind text, opened_at timestamptz, peak_at timestamptz, peak_score double precision,
    threshold double precision, model_id bigint, observed double precision DEFAULT NULL,
    expected double precision DEFAULT NULL, p_value double precision DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    id bigint;
BEGIN
    INSERT INTO systole.incident AS i (series_id, seq, kind, opened_at, peak_at, peak_score, observed, expected, p_value,
        threshold, model_id)
    VALUES (of_series, systole.next_incident_seq(of_series), kind, opened_at, peak_at, peak_score, observed, expected, p_value,
        threshold, model_id)
    RETURNING i.incident_id INTO id;
    PERFORM systole.tell_incident('anomaly.opened', id);
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.open_incident IS
    'Opens an incident of a series under the next number and tells of it, unless the series is silenced; returns its number. Fails '
    'while another of this kind fires.';

CREATE FUNCTION systole.close_incident(of_series bigint, of_kind text, at timestamptz, becomes text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    UPDATE systole.incident i SET state = 'resolved', resolved_at = greatest(i.opened_at, at), kind = coalesce(becomes, i.kind)
    WHERE i.series_id = of_series AND i.kind = of_kind AND i.state = 'firing'
    RETURNING i.incident_id INTO id;
    IF id IS NOT NULL THEN
        PERFORM systole.tell_incident('anomaly.resolved', id);
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.close_incident IS
    'Ends the incident of a series that fires, as another kind where becomes is given, and tells of it if its opening was told; '
    'returns its number, NULL where none fires.';

CREATE FUNCTION systole.patience(
    step_us bigint, arrival_gap interval, no_data_after interval) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(no_data_after, greatest(interval '1 minute', 3 * arrival_gap,
        coalesce(step_us, 0) * interval '10 microseconds'))
$$;
COMMENT ON FUNCTION systole.patience IS 'How long a watched stream may stay away before that is an incident.';

CREATE FUNCTION systole.open_no_data(n integer DEFAULT 1000) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    due record;
    opened integer := 0;
BEGIN
    FOR due IN
        SELECT w.series_id, w.scored_until + coalesce(s.step_us, 0) * interval '1 microsecond' AS missing_at, w.model_id
        FROM systole.watch w JOIN systole.series s USING (series_id)
        -- What came but three times has no habit that it could have left.
        WHERE w.paused_at IS NULL AND w.arrivals >= 3 AND w.model_id IS NOT NULL
            AND w.arrived_at + systole.patience(s.step_us, w.arrival_gap, w.no_data_after) < now()
            AND NOT EXISTS (SELECT FROM systole.watch_news o WHERE o.series_id = w.series_id AND o.lane = (w.series_id % 8)::smallint)
            AND NOT EXISTS (
                SELECT FROM systole.incident i
                WHERE i.series_id = w.series_id AND i.kind = 'no-data' AND i.state = 'firing')
        ORDER BY w.arrived_at LIMIT n
        FOR NO KEY UPDATE OF w SKIP LOCKED
    LOOP
        PERFORM systole.open_incident(due.series_id, 'no-data', due.missing_at, due.missing_at, 0, 0, due.model_id);
        opened := opened + 1;
    END LOOP;
    RETURN opened;
END $$;
COMMENT ON FUNCTION systole.open_no_data IS
    'Opens an incident of kind no-data for watched series that have stayed away for longer than their patience; it ends with the '
    'next observation. Returns how many. The leader calls it.';

COMMENT ON VIEW systole.anomalies IS
    'Incidents. state: firing or resolved; kind: value, no-data, or level-shift where the new level has become the normal. '
    'opened_at, resolved_at and peak_at are times of the data, detected_at is when they were seen; observed and expected are those '
    'at the peak. An incident of kind no-data has score and threshold 0.';

-- Coverage -----------------------------------------------------------------------------------------

INSERT INTO systole.webhook_event_type VALUES
    ('coverage.drifted', 'Intervals hold too few or too many truths.'),
    ('coverage.recovered', 'Intervals hold as many truths as they should again.');

CREATE TABLE systole.coverage_alarm (
    series_id    bigint           NOT NULL REFERENCES systole.series,
    model_id     bigint           NOT NULL,
    nominal      double precision NOT NULL,
    achieved     double precision NOT NULL,
    runs         integer          NOT NULL,
    points       bigint           NOT NULL,
    raised_at    timestamptz      NOT NULL DEFAULT now(),
    recovered_at timestamptz,

    CONSTRAINT coverage_alarm_once UNIQUE (series_id, model_id, nominal, raised_at)
);
-- One alarm at a time of a model and a probability.
CREATE UNIQUE INDEX coverage_alarm_one_open ON systole.coverage_alarm (series_id, model_id, nominal) WHERE recovered_at IS NULL;

CREATE FUNCTION systole.recent_coverage(
    of_series bigint, of_model bigint, of_runs integer DEFAULT 50,
    OUT runs integer, OUT points_80 bigint, OUT achieved_80 double precision, OUT points_95 bigint, OUT achieved_95 double precision)
LANGUAGE sql STABLE AS $$
    SELECT count(DISTINCT p.forecast_id)::integer, sum(p.bounded_80), sum(p.inside_80) / nullif(sum(p.bounded_80), 0)::double precision,
        sum(p.bounded_95), sum(p.inside_95) / nullif(sum(p.bounded_95), 0)::double precision
    FROM systole.accuracy_point p
    WHERE p.series_id = of_series AND p.model_id = of_model AND p.forecast_id >= coalesce((
        SELECT min(r.forecast_id) FROM (
            SELECT DISTINCT o.forecast_id FROM systole.accuracy_point o
            WHERE o.series_id = of_series AND o.model_id = of_model
            ORDER BY o.forecast_id DESC LIMIT of_runs) r), 0)
$$;
COMMENT ON FUNCTION systole.recent_coverage IS
    'Share of truths inside the intervals of the newest runs of a model for a series whose truth has begun to arrive.';

CREATE FUNCTION systole.tell_coverage(since timestamptz, n integer DEFAULT 10000) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    due record;
    told integer := 0;
BEGIN
    FOR due IN
        SELECT d.series_id, s.key, d.model_id, v.nominal, v.achieved, v.points, r.runs,
            -- Steps of one run err together: a run counts once. Three standard errors of as many draws, and no less than this.
            greatest(v.margin, 3 * sqrt(v.nominal * (1 - v.nominal) / greatest(r.runs, 1))) AS margin,
            a.raised_at
        FROM (
            SELECT DISTINCT c.series_id, c.model_id FROM systole.coverage_sum c
            JOIN systole.model m ON m.model_id = c.model_id AND m.stage = 'live'
            WHERE c.changed_at >= tell_coverage.since ORDER BY c.series_id LIMIT n) d
        JOIN systole.series s USING (series_id)
        CROSS JOIN LATERAL systole.recent_coverage(d.series_id, d.model_id) r
        CROSS JOIN LATERAL (VALUES (0.8::double precision, r.achieved_80, r.points_80, 0.1::double precision),
            (0.95::double precision, r.achieved_95, r.points_95, 0.05::double precision)) v (nominal, achieved, points, margin)
        LEFT JOIN systole.coverage_alarm a
            ON a.series_id = d.series_id AND a.model_id = d.model_id AND a.nominal = v.nominal AND a.recovered_at IS NULL
        WHERE r.runs >= 20 AND v.achieved IS NOT NULL
    LOOP
        IF due.raised_at IS NULL AND abs(due.achieved - due.nominal) > due.margin THEN
            INSERT INTO systole.coverage_alarm (series_id, model_id, nominal, achieved, runs, points)
            VALUES (due.series_id, due.model_id, due.nominal, due.achieved, due.runs, due.points);
        ELSIF due.raised_at IS NOT NULL AND abs(due.achieved - due.nominal) < due.margin / 2 THEN
            UPDATE systole.coverage_alarm a SET recovered_at = now()
            WHERE a.series_id = due.series_id AND a.model_id = due.model_id AND a.nominal = due.nominal AND a.recovered_at IS NULL;
        ELSE
            CONTINUE;
        END IF;
        PERFORM systole.emit(
            CASE WHEN due.raised_at IS NULL THEN 'coverage.drifted' ELSE 'coverage.recovered' END, due.key,
            jsonb_build_object('series_id', due.series_id, 'series', due.key, 'model_id', due.model_id, 'nominal', due.nominal,
                'achieved', round(due.achieved::numeric, 4), 'runs', due.runs));
        told := told + 1;
    END LOOP;
    RETURN told;
END $$;
COMMENT ON FUNCTION systole.tell_coverage IS
    'Tells of live models whose newest 50 runs hold too few or too many truths in their intervals, and of those that hold as many '
    'as they should again: off by 10 points of 80 %, 5 of 95 %, and by three standard errors. Looks at what was marked since an '
    'instant. Returns how many events. The leader calls it.';

CREATE VIEW systole.coverage_alarms AS
SELECT s.key AS series, m.family, m.version AS model_version, a.nominal, a.achieved, a.runs, a.points, a.raised_at,
    a.recovered_at, a.model_id
FROM systole.coverage_alarm a
JOIN systole.series s USING (series_id)
JOIN systole.model m USING (model_id);
COMMENT ON VIEW systole.coverage_alarms IS
    'When the intervals of a model held too few or too many truths, and when that was over.';
COMMENT ON COLUMN systole.coverage_alarms.achieved IS 'Share of truths inside the intervals of that probability, over the newest runs, when it was raised.';
COMMENT ON COLUMN systole.coverage_alarms.runs IS 'How many runs that were.';

-- The scoring jobs read their news from systole.watch_news now, not from events; a cursor that stands still would keep all events.
DELETE FROM systole.outbox_cursor WHERE consumer = 'workflows';

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_worker', 'watch_news', 'SELECT, INSERT, DELETE'),
    ('systole_worker', 'route_news', 'EXECUTE'), ('systole_worker', 'score_promoted', 'EXECUTE'),
    ('systole_worker', 'open_incident', 'EXECUTE'), ('systole_worker', 'next_incident_seq', 'EXECUTE'), ('systole_worker', 'close_incident', 'EXECUTE'),
    ('systole_worker', 'open_no_data', 'EXECUTE'), ('systole_worker', 'tell_coverage', 'EXECUTE'),
    ('systole_reader', 'coverage_alarms', 'SELECT'), ('systole_api', 'coverage_alarms', 'SELECT');
SELECT systole.apply_privileges();
