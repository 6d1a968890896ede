-- 0023_live.sql: recordings that are still coming in.
-- Locks: new objects only; a running service notices nothing.
SET LOCAL lock_timeout = '2s';

-- One row a recording that was or is fed in pieces; locked by who appends to it.
CREATE TABLE systole.live_recording (
    recording_id  bigint             NOT NULL REFERENCES systole.recording ON DELETE CASCADE,
    source_id     bigint,
    form          text               NOT NULL,
    gains         double precision[] NOT NULL,
    baselines     double precision[] NOT NULL,
    head          bigint             NOT NULL DEFAULT 0,
    stored        bigint             NOT NULL DEFAULT 0,
    pieces        bigint             NOT NULL DEFAULT 0,
    duplicates    bigint             NOT NULL DEFAULT 0,
    conflicts     bigint             NOT NULL DEFAULT 0,
    revised       bigint             NOT NULL DEFAULT 0,
    opened_at     timestamptz        NOT NULL,
    received_at   timestamptz        NOT NULL,
    offset_at_us  bigint[]           NOT NULL DEFAULT '{}',
    offset_us     bigint[]           NOT NULL DEFAULT '{}',
    first_offset_at_us bigint,
    first_offset_us bigint,
    closed_at     timestamptz,
    close_reason  text,

    CONSTRAINT live_recording_pkey PRIMARY KEY (recording_id),
    CONSTRAINT live_recording_form_known CHECK (form IN ('integers', 'reals')),
    CONSTRAINT live_recording_channels
        CHECK (cardinality(gains) BETWEEN 1 AND 1000 AND cardinality(baselines) = cardinality(gains)),
    CONSTRAINT live_recording_counted
        CHECK (least(head, stored, pieces, duplicates, conflicts, revised) >= 0),
    CONSTRAINT live_recording_offsets
        CHECK (cardinality(offset_at_us) = cardinality(offset_us) AND cardinality(offset_us) <= 64),
    CONSTRAINT live_recording_closed_with_reason CHECK ((closed_at IS NULL) = (close_reason IS NULL)),
    CONSTRAINT live_recording_close_reason_known CHECK (close_reason IN ('ended', 'silent'))
);
-- Serves the search for recordings that have fallen silent, which looks at all that are open.
CREATE INDEX live_recording_open ON systole.live_recording (recording_id) WHERE closed_at IS NULL;
-- Every batch updates the rows it appends to: room for that in the page, and no index on what changes then.
ALTER TABLE systole.live_recording SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000);
COMMENT ON COLUMN systole.live_recording.head IS 'Samples of a channel up to the newest one, gaps included.';
COMMENT ON COLUMN systole.live_recording.stored IS 'Samples of all channels that are not missing.';
COMMENT ON COLUMN systole.live_recording.offset_us IS
    'Receive time less device time of pieces, in microseconds, one every ten seconds, the newest 64, received at offset_at_us; '
    'first_offset_us is the median of the first eight.';

-- What a recording has beyond its last whole chunk, as it came: a row a batch, all channels one after the other. Rows
-- go when their ten seconds are complete and become a chunk a channel. The primary key serves every read.
CREATE TABLE systole.waveform_tail (
    recording_id bigint  NOT NULL,
    first_sample bigint  NOT NULL,
    sample_count integer NOT NULL,
    samples      smallint[],
    wide         integer[],
    physical     real[],

    CONSTRAINT waveform_tail_pkey PRIMARY KEY (recording_id, first_sample),
    CONSTRAINT waveform_tail_one_form CHECK (num_nonnulls(samples, wide, physical) = 1),
    CONSTRAINT waveform_tail_counted CHECK (first_sample >= 0 AND sample_count > 0)
);
-- Nobody asks where a sample lies among all others, and ANALYZE would open every array that it draws: seconds of a core,
-- again and again while recordings grow.
ALTER TABLE systole.waveform_tail
    ALTER COLUMN samples SET STATISTICS 0, ALTER COLUMN wide SET STATISTICS 0, ALTER COLUMN physical SET STATISTICS 0;
ALTER TABLE systole.waveform_chunk
    ALTER COLUMN samples SET STATISTICS 0, ALTER COLUMN wide SET STATISTICS 0, ALTER COLUMN physical SET STATISTICS 0;

-- Rows live for seconds: vacuumed when so many are dead, whatever the size of the table.
ALTER TABLE systole.waveform_tail SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0);
-- In the row itself, where it fits: a TOAST table would have to be written and cleaned as well.
ALTER TABLE systole.waveform_tail ALTER COLUMN samples SET STORAGE MAIN, ALTER COLUMN wide SET STORAGE MAIN,
    ALTER COLUMN physical SET STORAGE MAIN;
DO $$ BEGIN
    ALTER TABLE systole.waveform_tail ALTER COLUMN samples SET COMPRESSION lz4,
        ALTER COLUMN wide SET COMPRESSION lz4, ALTER COLUMN physical SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
COMMENT ON TABLE systole.waveform_tail IS
    'The newest samples of recordings that are still coming in: sample_count of the first channel, then of the second, …; '
    'raw with the gains of live_recording, or physical, NULL where missing.';

CREATE FUNCTION systole.waveform_newest(
    recording bigint, channel integer, from_sample double precision, to_sample double precision)
RETURNS TABLE (
    first_sample bigint, sample_count integer, gain double precision, baseline double precision,
    raw integer[], physical real[])
LANGUAGE sql STABLE AS $$
    SELECT t.first_sample, t.sample_count, l.gains[waveform_newest.channel + 1],
        l.baselines[waveform_newest.channel + 1],
        coalesce(t.samples[place.low:place.high]::integer[], t.wide[place.low:place.high]),
        t.physical[place.low:place.high]
    FROM systole.live_recording AS l
    JOIN systole.waveform_tail AS t ON t.recording_id = l.recording_id
    CROSS JOIN LATERAL (
        SELECT waveform_newest.channel * t.sample_count + 1, (waveform_newest.channel + 1) * t.sample_count
    ) AS place (low, high)
    WHERE l.recording_id = waveform_newest.recording
        AND t.first_sample < waveform_newest.to_sample
        AND t.first_sample + t.sample_count > waveform_newest.from_sample
$$;
COMMENT ON FUNCTION systole.waveform_newest IS
    'What has come in of a channel behind its last whole chunk, between two samples, whole rows, in no order. A sample is '
    '(raw - baseline) / gain, or physical.';

CREATE FUNCTION systole.waveform_parts(
    recording bigint, channel integer, from_sample double precision, to_sample double precision)
RETURNS TABLE (
    first_sample bigint, sample_count integer, gain double precision, baseline double precision,
    raw integer[], physical real[])
LANGUAGE sql STABLE AS $$
    SELECT w.first_sample, w.sample_count, w.gain, w.baseline, coalesce(w.samples::integer[], w.wide), w.physical
    FROM systole.waveform_chunk AS w
    WHERE w.recording_id = waveform_parts.recording AND w.channel = waveform_parts.channel
        AND w.first_sample < waveform_parts.to_sample
        AND w.first_sample + w.sample_count > waveform_parts.from_sample
    UNION ALL
    SELECT n.first_sample, n.sample_count, n.gain, n.baseline, n.raw, n.physical
    FROM systole.waveform_newest(waveform_parts.recording, waveform_parts.channel, waveform_parts.from_sample,
        waveform_parts.to_sample) AS n
$$;
COMMENT ON FUNCTION systole.waveform_parts IS
    'What is stored of a channel between two samples, whole rows, in no order: chunks, and behind them what has just come in. '
    'A sample is (raw - baseline) / gain, or physical.';

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
        WHERE s.second >= from_second AND s.second < to_second
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
    IF width >= 4 * (SELECT max(w.sample_count) FROM systole.waveform_chunk w
            WHERE w.recording_id = c.recording_id AND w.channel = c.channel AND w.first_sample = 0) THEN
        RETURN QUERY
        SELECT r.started_at + b.place * width / hertz * interval '1 second' + first / hertz * interval '1 second',
            (first + b.place * width) / hertz, width / hertz, min(w.vmin)::double precision,
            sum(w.vmean::double precision * w.sample_count) / nullif(sum(w.sample_count) FILTER (WHERE w.vmean IS NOT NULL), 0),
            max(w.vmax)::double precision, sum(w.sample_count)::bigint, c.unit
        FROM (
            SELECT k.first_sample, k.sample_count, k.vmin, k.vmax, k.vmean FROM systole.waveform_chunk k
            WHERE k.recording_id = c.recording_id AND k.channel = c.channel
                AND k.first_sample < past AND k.first_sample + k.sample_count > first
            UNION ALL
            SELECT t.first_sample, t.sample_count, min(v.value), max(v.value), avg(v.value)
            FROM systole.waveform_newest(c.recording_id, c.channel, first, past) t
            CROSS JOIN LATERAL unnest(t.raw, t.physical) u (raw, real_value)
            CROSS JOIN LATERAL (SELECT coalesce((u.raw - t.baseline) / t.gain, u.real_value::double precision) AS value) v
            GROUP BY t.first_sample, t.sample_count) w
        JOIN systole.recording r ON r.recording_id = c.recording_id
        CROSS JOIN LATERAL (SELECT greatest(w.first_sample - first, 0) / width AS place) b
        GROUP BY b.place, r.started_at ORDER BY b.place;
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

CREATE OR REPLACE FUNCTION systole.prune_recordings(keep interval, maximum integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    old bigint[] := ARRAY(
        SELECT r.recording_id FROM systole.recording r
        WHERE coalesce(r.started_at, r.created_at) + coalesce((
            SELECT max(c.sample_count * c.rate_denominator / c.rate_numerator::double precision) FROM systole.recording_channel c
            WHERE c.recording_id = r.recording_id), 0) * interval '1 second' < now() - keep
        ORDER BY r.recording_id LIMIT maximum FOR UPDATE SKIP LOCKED);
BEGIN
    DELETE FROM systole.waveform_tail t WHERE t.recording_id = ANY (old);
    DELETE FROM systole.waveform_chunk w WHERE w.recording_id = ANY (old);
    DELETE FROM systole.recording r WHERE r.recording_id = ANY (old);
    RETURN cardinality(old);
END $$;

CREATE OR REPLACE VIEW systole.recordings AS
SELECT r.key AS recording, r.started_at, c.channels,
    c.seconds, r.labels, r.created_at, r.recording_id
FROM systole.recording AS r
LEFT JOIN systole.live_recording AS l ON l.recording_id = r.recording_id
CROSS JOIN LATERAL (
    SELECT array_agg(name ORDER BY channel) AS channels,
        max(greatest(sample_count, l.head) * rate_denominator / rate_numerator::double precision) AS seconds
    FROM systole.recording_channel WHERE recording_id = r.recording_id
) AS c;

CREATE FUNCTION systole.median_us(offsets bigint[]) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY o)) FROM unnest(offsets) AS o
$$;
COMMENT ON FUNCTION systole.median_us IS 'The middle one of some numbers of microseconds.';

CREATE VIEW systole.live_recordings AS
SELECT r.key AS recording, s.name AS source, coalesce(l.close_reason, 'open') AS state, r.started_at,
    l.head / rate.hertz AS seconds,
    (l.head - l.stored / cardinality(l.gains)::double precision) / rate.hertz AS gap_seconds,
    now() - l.received_at AS silent_for, l.received_at, l.pieces, l.duplicates, l.conflicts, l.revised,
    clock.offset_us * interval '1 microsecond' AS clock_offset,
    r.started_at + clock.offset_us * interval '1 microsecond' AS corrected_start,
    clock.drift AS drift_seconds_per_hour,
    coalesce(abs(clock.drift) > 1, false) AS is_drifting,
    coalesce(r.started_at IS NOT NULL AND clock.offset_us < -300000000, false) AS is_ahead,
    l.opened_at, l.closed_at, l.recording_id
FROM systole.live_recording AS l
JOIN systole.recording AS r ON r.recording_id = l.recording_id
LEFT JOIN systole.source AS s ON s.source_id = l.source_id
CROSS JOIN LATERAL (
    SELECT rate_numerator::double precision / rate_denominator AS hertz
    FROM systole.recording_channel WHERE recording_id = l.recording_id AND channel = 0) AS rate
CROSS JOIN LATERAL (
    SELECT systole.median_us(l.offset_us) AS offset_us,
        -- From the beginning to the middle of the newest ones; five minutes at least.
        CASE WHEN l.offset_at_us[(cardinality(l.offset_at_us) + 1) / 2] - l.first_offset_at_us > 300000000 THEN
            (systole.median_us(l.offset_us) - l.first_offset_us) * 3600::double precision
            / (l.offset_at_us[(cardinality(l.offset_at_us) + 1) / 2] - l.first_offset_at_us)
        END AS drift) AS clock;
COMMENT ON VIEW systole.live_recordings IS
    'Recordings that are or were fed in pieces: how far they are, what is missing, when the newest piece came, and how far the '
    'device''s clock is off (receive time less device time, a slow median). Device time is stored as it came; corrected_start is '
    'the start by our clock. is_drifting: by more than a second an hour; is_ahead: by more than five minutes.';

INSERT INTO systole.webhook_event_type (type, description) VALUES
    ('recording.ended', 'A recording that came in pieces has ended, by its own word or because nothing came any more.');

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, rights
FROM (VALUES
    ('{systole_ingest}'::text[], 'SELECT, INSERT, UPDATE', '{live_recording}'::text[]),
    ('{systole_ingest}', 'SELECT, INSERT, DELETE', '{waveform_tail}'),
    ('{systole_worker}', 'SELECT', '{live_recording,waveform_tail}'),
    ('{systole_reader,systole_api,systole_worker,systole_ingest}', 'SELECT', '{live_recordings}')
) AS given (roles, rights, objects), unnest(roles) AS role, unnest(objects) AS object;
SELECT systole.apply_privileges();
