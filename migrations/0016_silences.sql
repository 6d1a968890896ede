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

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_api', 'silence', 'EXECUTE'), ('systole_api', 'end_silence', 'EXECUTE'),
    ('systole_api', 'silences', 'SELECT'), ('systole_reader', 'silences', 'SELECT'),
    ('systole_api', 'label_incident', 'EXECUTE'),
    ('systole_worker', 'tell_incident', 'EXECUTE'), ('systole_worker', 'tell_after_silence', 'EXECUTE'),
    ('systole_worker', 'training_masks', 'EXECUTE'), ('systole_api', 'training_masks', 'EXECUTE');
SELECT systole.apply_privileges();
