-- 0016_silences.sql: silences and maintenance windows, incidents that are told of when they end, and masks of training data.
-- Locks: systole.incident gets a column and is rewritten where incidents were told of; it is small.
-- Errors: SY032 a silence that cannot be, or is not there.
SET LOCAL lock_timeout = '2s';

ALTER TABLE systole.incident ADD COLUMN told_at timestamptz;
UPDATE systole.incident SET told_at = detected_at;
COMMENT ON COLUMN systole.incident.told_at IS 'When anomaly.opened was sent out; NULL while the series is silenced.';
-- Serves tell_after_silence(), which looks for incidents that nobody was told of.
CREATE INDEX incident_untold ON systole.incident (series_id) WHERE state = 'firing' AND told_at IS NULL;

CREATE TABLE systole.silence (
    silence_id     bigint      GENERATED ALWAYS AS IDENTITY,
    series_id      bigint      REFERENCES systole.series ON DELETE CASCADE,
    labels         jsonb,
    is_maintenance boolean     NOT NULL,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    author         text        NOT NULL DEFAULT session_user,
    reason         text,
    created_at     timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT silence_pkey PRIMARY KEY (silence_id),
    CONSTRAINT silence_of_a_series_or_labels CHECK (num_nonnulls(series_id, labels) = 1),
    CONSTRAINT silence_labels_object CHECK (jsonb_typeof(labels) = 'object'),
    CONSTRAINT silence_ends_after_start CHECK (ends_at >= starts_at),
    CONSTRAINT silence_reason_length CHECK (length(reason) <= 1000)
);
-- Serve the question whether a series is silenced now.
CREATE INDEX silence_of_series ON systole.silence (series_id, ends_at) WHERE series_id IS NOT NULL;
CREATE INDEX silence_of_labels ON systole.silence (ends_at) WHERE labels IS NOT NULL;

-- Silences of a series, by its key or by its labels.
CREATE FUNCTION systole.silences_of(of_series bigint) RETURNS SETOF systole.silence LANGUAGE sql STABLE AS $$
    SELECT i.* FROM systole.silence i WHERE i.series_id = of_series
    UNION ALL
    SELECT i.* FROM systole.series s JOIN systole.silence i ON s.labels @> i.labels WHERE s.series_id = of_series
$$;

CREATE FUNCTION systole.is_silenced(of_series bigint, at timestamptz DEFAULT now()) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM systole.silences_of(of_series) i WHERE i.starts_at <= is_silenced.at AND is_silenced.at < i.ends_at)
$$;
COMMENT ON FUNCTION systole.is_silenced IS 'Whether incidents of a series are kept back at an instant.';

CREATE FUNCTION systole.silence(
    series text DEFAULT NULL, lasting interval DEFAULT NULL, labels jsonb DEFAULT NULL,
    starts_at timestamptz DEFAULT now(), maintenance boolean DEFAULT false, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id bigint;
BEGIN
    IF num_nonnulls(series, labels) <> 1 THEN
        RAISE EXCEPTION 'A silence is of one series, or of all that have given labels.'
            USING ERRCODE = 'SY032', HINT = 'Give series or labels, and not both.';
    END IF;
    IF labels IS NOT NULL THEN
        PERFORM systole.check_labels(labels);
    END IF;
    IF lasting IS NULL OR NOT (lasting > interval '0' AND lasting <= interval '366 days') THEN
        RAISE EXCEPTION 'A silence cannot last %.', coalesce(lasting::text, 'NULL')
            USING ERRCODE = 'SY032', HINT = 'Accepted: above 0, up to 366 days, as in lasting => ''2 hours''.';
    END IF;
    IF starts_at IS NULL OR NOT isfinite(starts_at) THEN
        RAISE EXCEPTION 'A silence cannot start at %.', coalesce(starts_at::text, 'NULL') USING ERRCODE = 'SY032';
    END IF;
    INSERT INTO systole.silence AS i (series_id, labels, is_maintenance, starts_at, ends_at, reason)
    VALUES (CASE WHEN series IS NOT NULL THEN systole.series_id_of(series) END, silence.labels,
        coalesce(maintenance, false), silence.starts_at, silence.starts_at + lasting, silence.reason)
    RETURNING i.silence_id INTO id;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.silence IS
    'Keeps incidents of a series, or of all series with given labels, back for a while: they are recorded, but nobody is told '
    'until the silence ends; one that is over by then is not told of at all. With maintenance => true the data of that time are '
    'not trained on either. Returns the number of the silence.';

CREATE FUNCTION systole.end_silence(id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- What has begun keeps its past, by which training data are masked.
    UPDATE systole.silence i SET ends_at = greatest(i.starts_at, now()) WHERE i.silence_id = id AND i.ends_at > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no silence % that has not ended.', coalesce(id::text, 'NULL')
            USING ERRCODE = 'SY032', HINT = 'All: SELECT * FROM systole.silences;';
    END IF;
END $$;
COMMENT ON FUNCTION systole.end_silence IS 'Ends a silence now.';

CREATE VIEW systole.silences AS
SELECT i.silence_id, s.key AS series, i.labels,
    CASE WHEN now() >= i.ends_at OR i.ends_at = i.starts_at THEN 'ended' WHEN now() < i.starts_at THEN 'planned'
        ELSE 'active' END AS state,
    i.is_maintenance AS maintenance, i.starts_at, i.ends_at, i.author, i.reason, i.created_at
FROM systole.silence i LEFT JOIN systole.series s USING (series_id);
COMMENT ON VIEW systole.silences IS 'Silences and maintenance windows: of a series, or of all with the labels; planned, active or ended.';

-- Tells of a transition: an opened incident, unless its series is silenced; a resolved one, if its opening was told.
CREATE FUNCTION systole.tell_incident(type text, id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    i systole.incident;
BEGIN
    SELECT * INTO i FROM systole.incident WHERE incident_id = id FOR NO KEY UPDATE;
    IF type = 'anomaly.opened' THEN
        IF i.told_at IS NOT NULL OR systole.is_silenced(i.series_id) THEN
            RETURN false;
        END IF;
        UPDATE systole.incident SET told_at = now() WHERE incident_id = id;
    ELSIF i.told_at IS NULL THEN
        RETURN false;
    END IF;
    -- Times, scores and the model, but no sample: events travel to webhooks.
    PERFORM systole.emit(type, s.key, jsonb_build_object(
            'incident_id', i.incident_id, 'series_id', i.series_id, 'series', s.key,
            'kind', i.kind, 'state', i.state,
            'opened_at', systole.iso8601(i.opened_at),
            'resolved_at', systole.iso8601(i.resolved_at),
            'peak_at', systole.iso8601(i.peak_at), 'peak_score', i.peak_score,
            'threshold', i.threshold, 'model_id', i.model_id),
        concat_ws(':', type, i.series_id, i.seq))
    FROM systole.series s WHERE s.series_id = i.series_id;
    RETURN true;
END $$;

COMMENT ON FUNCTION systole.tell_incident IS
    'Tells of an incident that opened, unless its series is silenced, or that was resolved, if its opening was told; returns '
    'whether it did. Called in the transaction that opens or resolves it.';

CREATE FUNCTION systole.tell_after_silence(n integer DEFAULT 1000) RETURNS integer LANGUAGE sql AS $$
    SELECT count(*) FILTER (WHERE systole.tell_incident('anomaly.opened', due.incident_id))::integer
    FROM (
        SELECT i.incident_id FROM systole.incident i
        WHERE i.state = 'firing' AND i.told_at IS NULL AND NOT systole.is_silenced(i.series_id)
        ORDER BY i.incident_id LIMIT n) due
$$;
COMMENT ON FUNCTION systole.tell_after_silence IS
    'Tells of incidents that still fire after their silence has ended; returns how many. The leader calls it.';

CREATE OR REPLACE VIEW systole.anomalies AS
SELECT i.incident_id, s.key AS series, i.seq, i.kind, i.state, i.opened_at, i.resolved_at,
    i.peak_at, i.peak_score, i.observed, i.expected, i.p_value, i.threshold, s.unit,
    m.family, m.version AS model_version, i.model_id, i.detected_at, i.label, i.note, i.told_at
FROM systole.incident AS i
JOIN systole.series AS s USING (series_id)
JOIN systole.model AS m USING (model_id);
COMMENT ON COLUMN systole.anomalies.told_at IS 'When anomaly.opened was sent out; NULL while the series is silenced.';

CREATE FUNCTION systole.label_incident(id bigint, label text, note text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    SELECT systole.label_anomaly(id, label, note)
$$;
COMMENT ON FUNCTION systole.label_incident IS
    'Says what an incident was: true, false or maintenance; NULL takes the label away. What was true or maintenance is not '
    'trained on, and false is.';

CREATE FUNCTION systole.training_masks(of_series bigint)
RETURNS TABLE (from_at timestamptz, until_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT i.opened_at, coalesce(i.resolved_at, 'infinity') FROM systole.incident i
    WHERE i.series_id = of_series AND i.label IN ('true', 'maintenance')
    UNION ALL
    SELECT i.starts_at, i.ends_at FROM systole.silences_of(of_series) i WHERE i.is_maintenance AND i.starts_at <= now()
$$;
COMMENT ON FUNCTION systole.training_masks IS
    'The stretches of a series that are not trained on: incidents labelled true or maintenance, and maintenance windows.';

-- As in 0008, and incidents that a silence keeps back are not missed.
CREATE OR REPLACE FUNCTION systole.invariants() RETURNS TABLE (promise text, violations bigint, examples text)
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
            AND EXISTS (SELECT FROM systole.schedule s WHERE s.schedule_id = schedule_id))) v;
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
            AND (t.relname IN ('forecast', 'anomaly_score') OR t.relname LIKE 'job\_history\_%'))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no two incidents of one kind are open on one series', ARRAY(
        SELECT 'series ' || i.series_id FROM systole.incident i
        WHERE i.state = 'firing' GROUP BY i.series_id, i.kind HAVING count(*) > 1)) v;
END $$;

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_api', 'silence', 'EXECUTE'), ('systole_api', 'end_silence', 'EXECUTE'),
    ('systole_api', 'silences', 'SELECT'), ('systole_reader', 'silences', 'SELECT'),
    ('systole_api', 'label_incident', 'EXECUTE'),
    ('systole_worker', 'tell_incident', 'EXECUTE'), ('systole_worker', 'tell_after_silence', 'EXECUTE'),
    ('systole_worker', 'training_masks', 'EXECUTE'), ('systole_api', 'training_masks', 'EXECUTE');
SELECT systole.apply_privileges();
