-- 0025_corrections.sql: what a second look at sources and recordings found.
-- Locks: waveform_chunk for a moment, whatever its size: the new column has no default.
SET LOCAL lock_timeout = '2s';

ALTER TABLE systole.waveform_chunk ADD COLUMN present integer;
COMMENT ON COLUMN systole.waveform_chunk.present IS
    'How many samples are not missing; NULL where none is, and in chunks that were stored before this was counted.';

-- As in 0023; recordings whose first chunk is shorter, and samples that are missing, are told as they are.
CREATE OR REPLACE FUNCTION systole.waveform_envelope(
    recording text, lead text, from_second double precision DEFAULT 0, to_second double precision DEFAULT 'Infinity',
    points integer DEFAULT 1000)
RETURNS TABLE (at timestamptz, second double precision, seconds double precision, low double precision, mean double precision,
    high double precision, samples bigint, unit text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    c     systole.recording_channel := systole.recording_channel_of(recording, lead);
    hertz double precision := c.rate_numerator::double precision / c.rate_denominator;
    first bigint := greatest(ceil(least(greatest(from_second, 0), 1e12) * hertz), 0);
    past  bigint := greatest(first, least(
        greatest(c.sample_count, (SELECT l.head FROM systole.live_recording l WHERE l.recording_id = c.recording_id)),
        ceil(least(to_second, 1e12) * hertz)));
    width bigint;
BEGIN
    IF points IS NULL OR points NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'An envelope has 1 to 100000 points; found %.', coalesce(points::text, 'NULL') USING ERRCODE = 'SY038';
    END IF;
    width := greatest(1, ceil((past - first)::double precision / points));
    -- Chunks are not opened where at least four lie in every point: their ends are on no point's border, by less than a quarter.
    -- All chunks but the first, which may be shorter, and the last have one length.
    IF width >= 4 * (SELECT max(k.sample_count) FROM (
            SELECT w.sample_count FROM systole.waveform_chunk w
            WHERE w.recording_id = c.recording_id AND w.channel = c.channel ORDER BY w.first_sample LIMIT 2) k) THEN
        RETURN QUERY
        SELECT r.started_at + b.place * width / hertz * interval '1 second' + first / hertz * interval '1 second',
            (first + b.place * width) / hertz, width / hertz, min(w.vmin)::double precision,
            sum(w.vmean::double precision * w.n) / nullif(sum(w.n) FILTER (WHERE w.vmean IS NOT NULL), 0),
            max(w.vmax)::double precision, sum(w.n)::bigint, c.unit
        FROM (
            SELECT k.first_sample, coalesce(k.present, k.sample_count) AS n, k.vmin, k.vmax, k.vmean
            FROM systole.waveform_chunk k
            WHERE k.recording_id = c.recording_id AND k.channel = c.channel
                AND k.first_sample < past AND k.first_sample + k.sample_count > first
            UNION ALL
            SELECT t.first_sample, count(v.value), min(v.value), max(v.value), avg(v.value)
            FROM systole.waveform_newest(c.recording_id, c.channel, first, past) t
            CROSS JOIN LATERAL unnest(t.raw, t.physical) u (raw, real_value)
            CROSS JOIN LATERAL (SELECT coalesce((u.raw - t.baseline) / t.gain, u.real_value::double precision) AS value) v
            GROUP BY t.first_sample) w
        JOIN systole.recording r ON r.recording_id = c.recording_id
        CROSS JOIN LATERAL (SELECT greatest(w.first_sample - first, 0) / width AS place) b
        GROUP BY b.place, r.started_at HAVING sum(w.n) > 0 ORDER BY b.place;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT r.started_at + (first + b.place * width) / hertz * interval '1 second', (first + b.place * width) / hertz, width / hertz,
        b.low, b.mean, b.high, b.n, c.unit
    FROM systole.recording r CROSS JOIN LATERAL (
        SELECT (w.first_sample + u.place - 1 - first) / width AS place, min(v.value) AS low, avg(v.value) AS mean, max(v.value) AS high,
            count(v.value) AS n
        FROM systole.waveform_parts(c.recording_id, c.channel, first, past) w
        CROSS JOIN LATERAL unnest(w.raw, w.physical) WITH ORDINALITY u (raw, real_value, place)
        CROSS JOIN LATERAL (SELECT coalesce((u.raw - w.baseline) / w.gain, u.real_value::double precision) AS value) v
        WHERE w.first_sample + u.place - 1 >= first AND w.first_sample + u.place - 1 < past
        GROUP BY 1) b
    WHERE r.recording_id = c.recording_id AND b.n > 0
    ORDER BY b.place;
END $$;

CREATE FUNCTION systole.usable_points(points integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF points NOT BETWEEN 2 AND 1000000 THEN
        RAISE EXCEPTION 'A waveform is told in 2 to 1000000 points; found %.', points USING ERRCODE = 'SY038';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION systole.usable_points IS 'Refuses a number of points in which no waveform can be told; NULL stands for all samples.';

-- As in 0023; a number of points that makes no sense is refused.
CREATE OR REPLACE FUNCTION systole.waveform(
    recording text, lead text, from_second double precision DEFAULT 0, to_second double precision DEFAULT 'Infinity',
    points integer DEFAULT NULL)
RETURNS TABLE (
    at timestamptz, second double precision, value double precision,
    millivolts double precision, unit text)
LANGUAGE sql STABLE AS $$
    WITH sample AS (
        SELECT s.second, s.value, c.unit, r.started_at,
            -- Two samples of every stretch are kept, its lowest and its highest, where fewer points were asked for.
            CASE WHEN points IS NOT NULL THEN floor((s.second - from_second) * points / 2.0
                / nullif(least(to_second, greatest(c.sample_count, l.head) / hertz) - from_second, 0)) END AS stretch
        FROM systole.recording_channel_of(recording, lead) AS c
        JOIN systole.recording AS r ON r.recording_id = c.recording_id
        LEFT JOIN systole.live_recording AS l ON l.recording_id = c.recording_id
        CROSS JOIN LATERAL (
            SELECT c.rate_numerator::double precision / c.rate_denominator) AS rate (hertz)
        CROSS JOIN LATERAL systole.waveform_parts(
            c.recording_id, c.channel, from_second * hertz, to_second * hertz) AS w
        CROSS JOIN LATERAL unnest(w.raw, w.physical) WITH ORDINALITY AS u (raw, real_value, place)
        CROSS JOIN LATERAL (
            SELECT (w.first_sample + place - 1) / hertz,
                coalesce((u.raw - w.baseline) / w.gain, real_value::double precision)
        ) AS s (second, value)
        WHERE systole.usable_points(points) AND s.second >= from_second AND s.second < to_second
    ), kept AS (
        SELECT s.* FROM sample AS s WHERE points IS NULL
        UNION ALL
        SELECT s.second, s.value, s.unit, s.started_at, s.stretch
        FROM (
            SELECT s.*,
                row_number() OVER (PARTITION BY s.stretch ORDER BY s.value, s.second) AS up,
                row_number() OVER (PARTITION BY s.stretch ORDER BY s.value DESC, s.second) AS down
            FROM sample AS s WHERE points IS NOT NULL AND s.value IS NOT NULL) AS s
        WHERE s.up = 1 OR s.down = 1
    )
    SELECT k.started_at + k.second * interval '1 second', k.second, k.value,
        CASE lower(k.unit) WHEN 'mv' THEN k.value WHEN 'uv' THEN k.value / 1000 WHEN 'µv' THEN k.value / 1000
            WHEN 'v' THEN k.value * 1000 END,
        k.unit
    FROM kept AS k ORDER BY k.second
$$;

-- As in 0019; a fire is compared with its jobs only while its schedule is there.
CREATE OR REPLACE FUNCTION systole.work_invariants() RETURNS TABLE (promise text, violations bigint, examples text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT v.* FROM systole.violations('every result belongs to the run that finished its job', ARRAY(
        SELECT r.result FROM systole.job_result r
        LEFT JOIN systole.job_history h ON h.job_id = r.job_id
        WHERE (h.job_id IS NOT NULL AND (h.lease_no <> r.lease_no OR h.state <> 'done'))
            OR EXISTS (SELECT FROM systole.job j WHERE j.job_id = r.job_id))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no job left a result of one series twice', ARRAY(
        SELECT format('job %s, series %s', f.job_id, f.series_id) FROM systole.forecast f
        WHERE f.job_id IS NOT NULL GROUP BY f.job_id, f.series_id HAVING count(*) > 1)) v;
    RETURN QUERY SELECT v.* FROM systole.violations('every forecast that is done left its run', ARRAY(
        SELECT 'job ' || h.job_id FROM systole.job_history h
        WHERE h.kind = 'forecast' AND h.state = 'done' AND h.args ? 'series_id'
            AND NOT EXISTS (SELECT FROM systole.forecast f
                WHERE f.series_id = (h.args->>'series_id')::bigint AND f.job_id = h.job_id)
        UNION ALL
        -- A batch says how many of its series could not be forecast.
        SELECT 'job ' || h.job_id FROM systole.job_history h
        LEFT JOIN (SELECT f.job_id, count(*) AS runs FROM systole.forecast f GROUP BY f.job_id) r ON r.job_id = h.job_id
        WHERE h.kind = 'forecast' AND h.state = 'done' AND h.args ? 'series_ids'
            AND coalesce(r.runs, 0) + coalesce((h.result->>'failed')::bigint, 0)
                <> jsonb_array_length(h.args->'series_ids'))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no job ended twice, or lives on after its end', ARRAY(
        SELECT 'job ' || e.job_id FROM (
            SELECT h.job_id FROM systole.job_history h
            UNION ALL SELECT j.job_id FROM systole.job j) e
        GROUP BY e.job_id HAVING count(*) > 1)) v;
    RETURN QUERY SELECT v.* FROM systole.violations('the decisions of every schedule follow one another without holes or doubles', ARRAY(
        SELECT format('%s after %s', u.schedule, u.fire_at) FROM systole.untiled_fires() u)) v;
    RETURN QUERY SELECT v.* FROM systole.violations('every fire has its jobs, and every job of a schedule its fire', ARRAY(
        SELECT format('job %s', coalesce(f.first_id, j.first_id))
        FROM (
            SELECT d.schedule_id, d.fire_at, min(d.job_id) AS first_id, sum(d.jobs) AS jobs,
                max(d.decided_at) AS decided_at
            FROM systole.schedule_fire d WHERE d.job_id IS NOT NULL GROUP BY d.schedule_id, d.fire_at) f
        FULL JOIN (
            SELECT e.schedule_id, e.fire_at, min(e.job_id) AS first_id, count(*) AS jobs
            FROM (
                SELECT l.job_id, l.schedule_id, l.fire_at FROM systole.job l WHERE l.schedule_id IS NOT NULL
                UNION ALL
                SELECT h.job_id, h.schedule_id, h.fire_at FROM systole.job_history h
                WHERE h.schedule_id IS NOT NULL) e
            GROUP BY e.schedule_id, e.fire_at) j USING (schedule_id, fire_at)
        WHERE (f.jobs IS DISTINCT FROM j.jobs OR f.first_id <> j.first_id)
            -- What retention has taken from one of the two, and schedules that are gone, say nothing.
            AND coalesce(f.decided_at, j.fire_at) >= now() - interval '30 days'
            AND EXISTS (SELECT FROM systole.schedule s WHERE s.schedule_id = coalesce(f.schedule_id, j.schedule_id)))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no job runs without a living worker for more than 45 seconds', ARRAY(
        SELECT 'job ' || j.job_id FROM systole.job j
        WHERE j.state = 'running' AND j.started_at < now() - interval '45 seconds' AND NOT EXISTS (
            SELECT FROM systole.worker w
            WHERE w.worker_id = j.worker_id AND w.beat_at >= now() - interval '45 seconds'))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('every incident was told of once when it opened and once when it ended', ARRAY(
        SELECT 'incident ' || i.incident_id
        FROM systole.incident i
        LEFT JOIN (
            SELECT (o.data->>'incident_id')::bigint AS incident_id,
                count(*) FILTER (WHERE o.type = 'anomaly.opened') AS opened,
                count(*) FILTER (WHERE o.type = 'anomaly.resolved') AS resolved
            FROM systole.outbox o WHERE o.type IN ('anomaly.opened', 'anomaly.resolved') GROUP BY 1) e
            ON e.incident_id = i.incident_id
        -- Events are kept for a while; incidents are kept. Of what was kept back by a silence nothing is told.
        WHERE coalesce(i.told_at, i.detected_at) > coalesce((SELECT min(o.at) FROM systole.outbox o), 'infinity')
            AND (coalesce(e.opened, 0) <> (i.told_at IS NOT NULL)::integer
                OR coalesce(e.resolved, 0) <> (i.told_at IS NOT NULL AND i.state = 'resolved')::integer))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no incident is kept back a minute after its silence has ended', ARRAY(
        SELECT 'incident ' || i.incident_id FROM systole.incident i
        WHERE i.state = 'firing' AND i.told_at IS NULL AND i.detected_at < now() - interval '1 minute'
            AND NOT EXISTS (
                SELECT FROM systole.silences_of(i.series_id) s
                WHERE s.starts_at <= now() AND s.ends_at > now() - interval '1 minute' AND s.ends_at > s.starts_at))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('forecasts, scores and ended jobs never changed', ARRAY(
        SELECT format('%s: %s updates', t.relname, t.n_tup_upd) FROM pg_stat_user_tables t
        WHERE t.schemaname = 'systole' AND t.n_tup_upd > 0
            AND (t.relname IN ('forecast', 'anomaly_score', 'group_score', 'group_detector') OR t.relname LIKE 'job\_history\_%'))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no two incidents of one kind are open on one series', ARRAY(
        SELECT 'series ' || i.series_id FROM systole.incident i
        WHERE i.state = 'firing' GROUP BY i.series_id, i.kind, i.group_id HAVING count(*) > 1)) v;
END $$;

-- What is put aside is looked at by ON CONFLICT, which takes more than INSERT.
UPDATE systole.privilege SET rights = 'SELECT, INSERT'
WHERE object = 'late_observation' AND role IN ('systole_ingest', 'systole_worker');
SELECT systole.apply_privileges();
