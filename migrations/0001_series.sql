-- 0001_series.sql: series and their observations, recordings and their waveforms, sources, events.
-- Locks: new objects only; a running service notices nothing.
--
-- Errors that users meet carry a stable SQLSTATE of class SY, a sentence, and a HINT:
--   SY001 unknown series               SY009 the job is not done in time
--   SY002 horizon outside its range    SY010 unknown model family
--   SY003 unusable schedule            SY011 alert budget outside its range
--   SY004 unusable webhook address     SY012 unknown recording or lead
--   SY005 unknown model                SY013 time range that cannot be stored
--   SY006 series without a known step  SY014 unknown anomaly or label
--   SY008 the job failed               SY015 the step of a series cannot change
--   SY020 to SY029 jobs and schedules: 0002_jobs.sql    SY030, SY031 webhooks: 0004_webhooks.sql
SET LOCAL lock_timeout = '2s';

CREATE SCHEMA IF NOT EXISTS systole;
COMMENT ON SCHEMA systole IS
    'Systole: forecasts, anomalies and findings. Views and functions are the contract; tables are internals.';

-- Series and observations ------------------------------------------------------------------------

CREATE TABLE systole.series (
    series_id   bigint      GENERATED ALWAYS AS IDENTITY,
    key         text        NOT NULL,
    unit        text        NOT NULL DEFAULT '',
    step_us     bigint,
    labels      jsonb       NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT series_pkey PRIMARY KEY (series_id),
    CONSTRAINT series_key_once UNIQUE (key),
    CONSTRAINT series_key_usable
        CHECK (key = btrim(key) AND length(key) BETWEEN 1 AND 400 AND key !~ '[[:cntrl:]]'),
    CONSTRAINT series_step_positive CHECK (step_us > 0),
    CONSTRAINT series_labels_object CHECK (jsonb_typeof(labels) = 'object')
);
COMMENT ON COLUMN systole.series.step_us IS
    'Microseconds between two observations of a regular series; NULL while unknown.';

-- No foreign key to series: its trigger would fire for every row of the largest table.
-- The primary key serves every read: a series is read by time range. A missing value is no row.
CREATE TABLE systole.observation (
    series_id   bigint           NOT NULL,
    at          timestamptz      NOT NULL,
    value       double precision NOT NULL,

    CONSTRAINT observation_pkey PRIMARY KEY (series_id, at),
    -- NaN sorts above infinity, so that this refuses it too.
    CONSTRAINT observation_value_finite CHECK (value > '-Infinity' AND value < 'Infinity')
) PARTITION BY RANGE (at);

-- Rows that have no place in observation yet: kept with the reason, never dropped.
CREATE TABLE systole.late_observation (
    series_id   bigint           NOT NULL,
    at          timestamptz      NOT NULL,
    value       double precision NOT NULL,
    reason      text             NOT NULL,
    received_at timestamptz      NOT NULL DEFAULT now(),

    CONSTRAINT late_observation_pkey PRIMARY KEY (series_id, at),
    CONSTRAINT late_observation_value_finite CHECK (value > '-Infinity' AND value < 'Infinity'),
    CONSTRAINT late_observation_reason_known CHECK (reason IN ('before-1900', 'future'))
);
-- Serves merge_late_observations, which takes the rows whose time has come.
CREATE INDEX late_observation_due ON systole.late_observation (at) WHERE reason = 'future';

CREATE FUNCTION systole.instant_at(start_at timestamptz, step_us bigint, steps bigint)
RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Exact below 2^53 microseconds, 285 years.
RETURN start_at + (step_us * steps) * interval '1 microsecond';
COMMENT ON FUNCTION systole.instant_at IS 'The instant a number of steps after a start.';

CREATE FUNCTION systole.epoch_us(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (extract(epoch FROM at) * 1000000)::bigint;
COMMENT ON FUNCTION systole.epoch_us IS 'Whole microseconds since 1970-01-01 UTC.';

CREATE FUNCTION systole.iso8601(at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
COMMENT ON FUNCTION systole.iso8601 IS 'A time as events and JSON carry it, in UTC.';

CREATE FUNCTION systole.observation_limits(OUT earliest timestamptz, OUT latest timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT timestamptz '1900-01-01 00:00:00+00', now() + interval '5 minutes'
$$;
COMMENT ON FUNCTION systole.observation_limits IS
    'The range of time that is stored at once; earlier and later rows are parked in late_observation.';

-- One partition a UTC calendar year. CREATE TABLE … PARTITION OF would lock out every reader and
-- writer of observation; CREATE and ATTACH lets them go on. The advisory lock makes two sessions
-- that need the same year take turns; it is only asked for when a year is missing.
CREATE FUNCTION systole.ensure_partitions(from_at timestamptz, to_at timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    limits record;
    first_year integer;
    last_year integer;
    wanted integer;
    created integer := 0;
BEGIN
    SELECT * INTO limits FROM systole.observation_limits();
    IF from_at IS NULL OR to_at IS NULL OR from_at > to_at
        OR from_at < limits.earliest OR to_at > limits.latest + interval '2 years' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY013',
            MESSAGE = format('Observations from %s to %s cannot be stored.', from_at, to_at),
            HINT = format('Accepted: from %s, to two years ahead.', limits.earliest);
    END IF;
    first_year := extract(year FROM from_at AT TIME ZONE 'UTC');
    last_year := extract(year FROM to_at AT TIME ZONE 'UTC');
    FOR wanted IN first_year..last_year LOOP
        CONTINUE WHEN to_regclass(format('systole.observation_%s', wanted)) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtextextended('systole.ensure_partitions', 0));
        -- Not to_regclass again: it remembers what it did not find until a relation is locked.
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_class AS c
            WHERE c.relname = format('observation_%s', wanted)
                AND c.relnamespace = 'systole'::regnamespace);
        EXECUTE format(
            'CREATE TABLE systole.observation_%s'
            ' (LIKE systole.observation INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', wanted);
        EXECUTE format(
            'ALTER TABLE systole.observation ATTACH PARTITION systole.observation_%s'
            ' FOR VALUES FROM (%L) TO (%L)', wanted,
            make_timestamptz(wanted, 1, 1, 0, 0, 0, 'UTC'),
            make_timestamptz(wanted + 1, 1, 1, 0, 0, 0, 'UTC'));
        created := created + 1;
    END LOOP;
    RETURN created;
END $$;
COMMENT ON FUNCTION systole.ensure_partitions IS
    'Creates the yearly partitions of observation that a range of time needs; returns how many were missing.';

CREATE FUNCTION systole.merge_late_observations() RETURNS bigint LANGUAGE plpgsql AS $$
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
        RETURNING 1
    )
    SELECT count(*) INTO moved FROM stored;
    RETURN moved;
END $$;
COMMENT ON FUNCTION systole.merge_late_observations IS
    'Stores parked observations whose time has come; returns how many. A value stored meanwhile stays.';

-- Looking up by key ------------------------------------------------------------------------------

CREATE FUNCTION systole.trigrams(word text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT substr(padded, i, 3))
    FROM (SELECT '  ' || lower(word) || ' ') AS p (padded), generate_series(1, length(padded) - 2) AS i
$$;
COMMENT ON FUNCTION systole.trigrams IS 'The three-letter pieces of a word, to compare spellings by.';

CREATE FUNCTION systole.similar_series(wanted text) RETURNS text
LANGUAGE sql STABLE AS $$
    -- Runs on the way to an error only; at most 10,000 keys are compared.
    SELECT string_agg(key, ', ' ORDER BY alike DESC, key) FROM (
        SELECT key, alike
        FROM (SELECT key FROM systole.series ORDER BY series_id LIMIT 10000) AS known,
            LATERAL (
                SELECT count(*) FILTER (WHERE t = ANY (systole.trigrams(wanted)))::real
                    / (count(*) + cardinality(systole.trigrams(wanted))) AS alike
                FROM unnest(systole.trigrams(key)) AS t
            ) AS compared
        WHERE alike > 0.1
        ORDER BY alike DESC, key
        LIMIT 3
    ) AS best
$$;
COMMENT ON FUNCTION systole.similar_series IS 'Up to three series keys spelled like the one asked for.';

CREATE FUNCTION systole.series_id_of(series text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found bigint;
BEGIN
    SELECT s.series_id INTO found FROM systole.series AS s WHERE s.key = series;
    IF found IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY001',
            MESSAGE = format('There is no series %L.', series),
            HINT = coalesce(
                'Similar: ' || systole.similar_series(series) || '. All: SELECT * FROM systole.series_list;',
                'All series: SELECT * FROM systole.series_list;');
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION systole.series_id_of IS
    'The number of a series; raises SY001 with similar keys where there is none.';

CREATE VIEW systole.observations AS
SELECT s.key AS series, o.at, o.value, s.unit, o.series_id
FROM systole.observation AS o
JOIN systole.series AS s USING (series_id);
COMMENT ON VIEW systole.observations IS
    'Every stored observation. A missing value is no row. Filter by series, and by at where you can.';

CREATE VIEW systole.series_list AS
SELECT s.key AS series, s.unit, s.step_us * interval '1 microsecond' AS step,
    (SELECT min(o.at) FROM systole.observation AS o WHERE o.series_id = s.series_id) AS first_at,
    (SELECT max(o.at) FROM systole.observation AS o WHERE o.series_id = s.series_id) AS last_at,
    s.labels, s.created_at, s.series_id
FROM systole.series AS s;
COMMENT ON VIEW systole.series_list IS 'Every series with its unit, its step and the range it covers.';

-- Recordings and waveforms -----------------------------------------------------------------------

CREATE TABLE systole.recording (
    recording_id bigint      GENERATED ALWAYS AS IDENTITY,
    key          text        NOT NULL,
    started_at   timestamptz,
    content      bytea       NOT NULL,
    labels       jsonb       NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT recording_pkey PRIMARY KEY (recording_id),
    CONSTRAINT recording_key_once UNIQUE (key),
    CONSTRAINT recording_key_usable
        CHECK (key = btrim(key) AND length(key) BETWEEN 1 AND 400 AND key !~ '[[:cntrl:]]'),
    CONSTRAINT recording_content_sha256 CHECK (octet_length(content) = 32),
    CONSTRAINT recording_labels_object CHECK (jsonb_typeof(labels) = 'object')
);
COMMENT ON COLUMN systole.recording.started_at IS 'NULL where the file does not say.';
COMMENT ON COLUMN systole.recording.content IS 'SHA-256 over channels and samples: equal content is stored once.';

CREATE TABLE systole.recording_channel (
    recording_id     bigint  NOT NULL REFERENCES systole.recording ON DELETE CASCADE,
    channel          integer NOT NULL,
    name             text    NOT NULL,
    unit             text    NOT NULL DEFAULT '',
    rate_numerator   bigint  NOT NULL,
    rate_denominator bigint  NOT NULL,
    sample_count     bigint  NOT NULL,

    CONSTRAINT recording_channel_pkey PRIMARY KEY (recording_id, channel),
    CONSTRAINT recording_channel_rate_positive CHECK (rate_numerator > 0 AND rate_denominator > 0),
    CONSTRAINT recording_channel_counted CHECK (channel >= 0 AND sample_count >= 0)
);

-- Ten seconds of one channel a row. The primary key serves every read: a channel is read by sample
-- range. No foreign key, as for observation. Not partitioned by time: a recording need not have one.
CREATE TABLE systole.waveform_chunk (
    recording_id bigint           NOT NULL,
    channel      integer          NOT NULL,
    first_sample bigint           NOT NULL,
    sample_count integer          NOT NULL,
    gain         double precision NOT NULL,
    baseline     double precision NOT NULL,
    samples      smallint[],
    wide         integer[],
    physical     real[],
    vmin         real,
    vmax         real,
    crc32c       bigint           NOT NULL,

    CONSTRAINT waveform_chunk_pkey PRIMARY KEY (recording_id, channel, first_sample),
    CONSTRAINT waveform_chunk_one_form CHECK (num_nonnulls(samples, wide, physical) = 1),
    CONSTRAINT waveform_chunk_counted CHECK (
        first_sample >= 0 AND sample_count BETWEEN 1 AND 1000000
        AND sample_count = coalesce(cardinality(samples), cardinality(wide), cardinality(physical))),
    CONSTRAINT waveform_chunk_gain_usable CHECK (gain <> 0 AND gain > '-Infinity' AND gain < 'Infinity'),
    CONSTRAINT waveform_chunk_range_ordered CHECK (vmin <= vmax),
    CONSTRAINT waveform_chunk_crc32c_range CHECK (crc32c BETWEEN 0 AND 4294967295)
);
-- Real ECG takes 1.48 bytes a sample with lz4, 1.51 with the server's default pglz, which loads at 0.6
-- of the speed. A server that was built without lz4 keeps its default.
DO $$ BEGIN
    ALTER TABLE systole.waveform_chunk
        ALTER COLUMN samples SET COMPRESSION lz4, ALTER COLUMN wide SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
COMMENT ON TABLE systole.waveform_chunk IS
    'Raw samples as the file gave them, NULL where missing; physical value = (raw - baseline) / gain. '
    'crc32c covers the raw samples as little-endian 32-bit integers, -2147483648 where missing.';
COMMENT ON COLUMN systole.waveform_chunk.vmin IS 'Smallest physical value; NULL where all samples are missing.';
COMMENT ON COLUMN systole.waveform_chunk.vmax IS 'Largest physical value; NULL where all samples are missing.';

CREATE FUNCTION systole.recording_channel_of(recording text, lead text)
RETURNS systole.recording_channel LANGUAGE plpgsql STABLE AS $$
DECLARE
    found systole.recording_channel;
    id bigint;
BEGIN
    SELECT r.recording_id INTO id FROM systole.recording AS r WHERE r.key = recording;
    IF id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY012',
            MESSAGE = format('There is no recording %L.', recording),
            HINT = 'All recordings: SELECT * FROM systole.recordings;';
    END IF;
    SELECT c.* INTO found FROM systole.recording_channel AS c
    WHERE c.recording_id = id AND lower(c.name) = lower(lead)
    ORDER BY c.channel LIMIT 1;
    IF found.recording_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY012',
            MESSAGE = format('Recording %L has no lead %L.', recording, lead),
            HINT = 'It has: ' || coalesce(
                (SELECT string_agg(c.name, ', ' ORDER BY c.channel)
                 FROM systole.recording_channel AS c WHERE c.recording_id = id), 'none') || '.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION systole.recording_channel_of IS
    'A lead of a recording by name; raises SY012 with the names there are.';

CREATE FUNCTION systole.waveform(
    recording text, lead text, from_second double precision DEFAULT 0,
    to_second double precision DEFAULT 'Infinity')
RETURNS TABLE (
    at timestamptz, second double precision, value double precision,
    millivolts double precision, unit text)
LANGUAGE sql STABLE AS $$
    SELECT r.started_at + second * interval '1 second', second, value,
        CASE lower(c.unit) WHEN 'mv' THEN value WHEN 'uv' THEN value / 1000 WHEN 'µv' THEN value / 1000
            WHEN 'v' THEN value * 1000 END,
        c.unit
    FROM systole.recording_channel_of(recording, lead) AS c
    JOIN systole.recording AS r ON r.recording_id = c.recording_id
    CROSS JOIN LATERAL (
        SELECT c.rate_numerator::double precision / c.rate_denominator) AS rate (hertz)
    JOIN systole.waveform_chunk AS w
        ON w.recording_id = c.recording_id AND w.channel = c.channel
        AND w.first_sample < to_second * hertz
        AND w.first_sample + w.sample_count > from_second * hertz
    CROSS JOIN LATERAL unnest(coalesce(w.samples::integer[], w.wide), w.physical)
        WITH ORDINALITY AS u (raw, real_value, place)
    CROSS JOIN LATERAL (
        SELECT (w.first_sample + place - 1) / hertz,
            coalesce((raw - w.baseline) / w.gain, real_value::double precision)
    ) AS sample (second, value)
    WHERE second >= from_second AND second < to_second
    ORDER BY second
$$;
COMMENT ON FUNCTION systole.waveform IS
    'One lead of a recording, a row a sample; value is NULL where the recording has none. at is NULL '
    'where the recording does not say when it began; millivolts is NULL where the unit is no voltage.';

CREATE VIEW systole.recordings AS
SELECT r.key AS recording, r.started_at, c.channels,
    c.seconds, r.labels, r.created_at, r.recording_id
FROM systole.recording AS r
CROSS JOIN LATERAL (
    SELECT array_agg(name ORDER BY channel) AS channels,
        max(sample_count * rate_denominator / rate_numerator::double precision) AS seconds
    FROM systole.recording_channel WHERE recording_id = r.recording_id
) AS c;
COMMENT ON VIEW systole.recordings IS 'Every stored recording with the names of its channels and its length.';

-- Sources ----------------------------------------------------------------------------------------

CREATE TABLE systole.source (
    source_id   bigint      GENERATED ALWAYS AS IDENTITY,
    name        text        NOT NULL,
    kind        text        NOT NULL,
    settings    jsonb       NOT NULL DEFAULT '{}',
    revisable   boolean     NOT NULL DEFAULT false,
    paused_at   timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT source_pkey PRIMARY KEY (source_id),
    CONSTRAINT source_name_once UNIQUE (name),
    CONSTRAINT source_name_usable
        CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 400 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT source_settings_object CHECK (jsonb_typeof(settings) = 'object')
);
COMMENT ON COLUMN systole.source.revisable IS
    'Whether a conflicting value replaces the stored one; otherwise it is counted and the stored one stays.';

CREATE TABLE systole.source_cursor (
    source_id   bigint      NOT NULL REFERENCES systole.source ON DELETE CASCADE,
    part        text        NOT NULL,
    position    jsonb       NOT NULL,
    moved_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT source_cursor_pkey PRIMARY KEY (source_id, part)
);
COMMENT ON TABLE systole.source_cursor IS
    'How far each part of a source (a file, a topic partition) is stored; moves in the transaction that stores it.';

-- Events -----------------------------------------------------------------------------------------

CREATE TABLE systole.outbox (
    event_id    bigint      GENERATED ALWAYS AS IDENTITY,
    xid         xid8        NOT NULL DEFAULT pg_current_xact_id(),
    type        text        NOT NULL,
    subject     text        NOT NULL,
    data        jsonb       NOT NULL,
    dedupe_key  text,
    at          timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT outbox_pkey PRIMARY KEY (event_id),
    CONSTRAINT outbox_dedupe_key_once UNIQUE (dedupe_key),
    CONSTRAINT outbox_type_usable CHECK (type ~ '^[a-z]+(\.[a-z]+)*$'),
    CONSTRAINT outbox_data_object CHECK (jsonb_typeof(data) = 'object')
);
-- Serves the readers, who take committed events in this order.
CREATE INDEX outbox_order ON systole.outbox (xid, event_id);
COMMENT ON TABLE systole.outbox IS
    'Append-only events. Identity order is not commit order: readers take events of transactions that '
    'are older than every running one (xid < outbox_horizon()), in (xid, event_id) order, and skip none.';

CREATE TABLE systole.outbox_cursor (
    consumer    text        NOT NULL,
    xid         xid8        NOT NULL DEFAULT '0',
    event_id    bigint      NOT NULL DEFAULT 0,
    moved_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT outbox_cursor_pkey PRIMARY KEY (consumer)
);

-- pg_snapshot_xmin would do, but it also waits for writers in every other database of the server.
-- Only a transaction that is positively seen to belong to another database is passed over; one that
-- ended since the snapshot was taken, or was prepared, still counts.
CREATE FUNCTION systole.outbox_horizon() RETURNS xid8 LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT running FROM pg_snapshot_xip(pg_current_snapshot()) AS running
         WHERE NOT EXISTS (
            SELECT FROM pg_stat_activity AS a
            WHERE a.datname <> current_database()
                AND a.backend_xid::text::bigint = (running::text::numeric % 4294967296)::bigint)
         ORDER BY running LIMIT 1),
        pg_snapshot_xmax(pg_current_snapshot()))
$$;
COMMENT ON FUNCTION systole.outbox_horizon IS
    'The oldest transaction that may still append events to the outbox; those before it are complete.';

CREATE FUNCTION systole.emit(
    type text, subject text, data jsonb, dedupe_key text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO systole.outbox (type, subject, data, dedupe_key)
    VALUES (type, subject, data, dedupe_key)
    ON CONFLICT ON CONSTRAINT outbox_dedupe_key_once DO NOTHING
    RETURNING event_id
$$;
COMMENT ON FUNCTION systole.emit IS
    'Appends an event in this transaction; NULL where one with the same dedupe key is there already.';
