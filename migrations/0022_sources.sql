-- 0022_sources.sql: what each source brought and what is wrong with it; sources in SQL; waveforms zoomed out.
-- Locks: waveform_chunk and retention, for a moment.
--
-- Error codes of this file: SY038 a source that makes no sense, or is not there.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Figures
-- ---------------------------------------------------------------------------------------------------

CREATE TABLE systole.source_figures (
    source_id      bigint           NOT NULL REFERENCES systole.source ON DELETE CASCADE,
    stored         bigint           NOT NULL DEFAULT 0,
    duplicates     bigint           NOT NULL DEFAULT 0,
    conflicts      bigint           NOT NULL DEFAULT 0,
    revised        bigint           NOT NULL DEFAULT 0,
    parked         bigint           NOT NULL DEFAULT 0,
    missing        bigint           NOT NULL DEFAULT 0,
    samples        bigint           NOT NULL DEFAULT 0,
    gaps           bigint           NOT NULL DEFAULT 0,
    gap_seconds    double precision NOT NULL DEFAULT 0,
    rejected       jsonb            NOT NULL DEFAULT '{}',
    buffered_bytes bigint           NOT NULL DEFAULT 0,
    data_until     timestamptz,
    stored_at      timestamptz,
    pulled_at      timestamptz,
    pull_seconds   double precision,
    pulls          bigint           NOT NULL DEFAULT 0,
    trouble        text,
    trouble_at     timestamptz,

    CONSTRAINT source_figures_pkey PRIMARY KEY (source_id),
    CONSTRAINT source_figures_rejected_object CHECK (jsonb_typeof(rejected) = 'object')
) WITH (fillfactor = 70);
COMMENT ON TABLE systole.source_figures IS
    'What each source brought, counted in the transaction that stored it; systole.sources shows it.';
COMMENT ON COLUMN systole.source_figures.trouble IS
    'Why the newest pull failed or had to wait, in one sentence without values; NULL where it did not.';

CREATE FUNCTION systole.add_counts(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(key, n), '{}') FROM (
        SELECT key, sum(value::bigint) AS n
        FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) both_of (key, value)
        GROUP BY key) s
$$;
COMMENT ON FUNCTION systole.add_counts IS 'Two objects of counts, added name by name.';

CREATE VIEW systole.sources AS
SELECT s.name, s.kind,
    CASE WHEN s.paused_at IS NOT NULL THEN 'paused'
        WHEN f.trouble IS NOT NULL THEN 'troubled'
        WHEN f.pulled_at IS NULL AND f.stored_at IS NULL THEN 'new' ELSE 'well' END AS state,
    c.every, c.next_fire_at AS next_pull, f.data_until, now() - f.data_until AS lag,
    (SELECT count(*) FROM systole.source_cursor p WHERE p.source_id = s.source_id) AS parts,
    coalesce(f.stored, 0) AS stored, coalesce(f.samples, 0) AS samples, coalesce(f.duplicates, 0) AS duplicates,
    coalesce(f.conflicts, 0) AS conflicts, coalesce(f.revised, 0) AS revised, coalesce(f.parked, 0) AS parked,
    coalesce(f.missing, 0) AS missing,
    coalesce((SELECT sum(r.value::bigint) FROM jsonb_each_text(f.rejected) r), 0)::bigint AS rejected,
    coalesce(f.gaps, 0) AS gaps, coalesce(f.gap_seconds, 0) AS gap_seconds,
    coalesce(f.buffered_bytes, 0) AS buffered_bytes,
    f.stored_at, f.pulled_at, f.pull_seconds, coalesce(f.pulls, 0) AS pulls, f.trouble, f.trouble_at,
    s.revisable, s.paused_at, s.created_at, s.source_id
FROM systole.source s
LEFT JOIN systole.source_figures f USING (source_id)
LEFT JOIN systole.schedules c ON c.name = 'ingest ' || s.name;
COMMENT ON VIEW systole.sources IS
    'Every source with what it brought: stored counts observations, samples those of waveforms, lag is how old the newest observation is.';
COMMENT ON COLUMN systole.sources.gaps IS
    'Stretches that its series left out when newer data came, gap_seconds long together; what comes later is not taken off.';
COMMENT ON COLUMN systole.sources.buffered_bytes IS 'What it holds in memory and has not stored, as of the newest batch.';

CREATE VIEW systole.source_rejections AS
SELECT s.name, r.key AS reason, r.value::bigint AS count
FROM systole.source s JOIN systole.source_figures f USING (source_id)
CROSS JOIN LATERAL jsonb_each_text(f.rejected) r;
COMMENT ON VIEW systole.source_rejections IS 'How much of each source could not be used, by reason.';

CREATE VIEW systole.source_cursors AS
SELECT s.name, c.part, c.position, c.moved_at FROM systole.source s JOIN systole.source_cursor c USING (source_id);
COMMENT ON VIEW systole.source_cursors IS
    'How far each part of a source is stored; moves in the transaction that stores it. reset_source() reads parts again.';

-- ---------------------------------------------------------------------------------------------------
-- Sources in SQL
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.source_id_of(name text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    id bigint;
BEGIN
    SELECT s.source_id INTO id FROM systole.source s WHERE s.name = source_id_of.name;
    IF id IS NULL THEN
        RAISE EXCEPTION 'There is no source %.', coalesce(quote_literal(left(name, 80)), 'NULL')
            USING ERRCODE = 'SY038', HINT = 'All sources: SELECT name, kind, state FROM systole.sources;';
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.source_id_of IS 'The number of a source; raises SY038.';

CREATE FUNCTION systole.add_source(
    name text, kind text, settings jsonb, every interval DEFAULT '1 minute', revisable boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    id bigint;
BEGIN
    IF name IS NULL OR name <> btrim(name) OR length(name) NOT BETWEEN 1 AND 400 OR name ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'A source is called by 1 to 400 characters without control characters or blanks at the ends; found %.',
            coalesce(quote_literal(left(name, 80)), 'NULL') USING ERRCODE = 'SY038';
    END IF;
    IF kind IS NULL OR kind !~ '^[a-z][a-z0-9-]{0,62}$' THEN
        RAISE EXCEPTION 'The kind of a source is a word of small letters; found %.', coalesce(quote_literal(left(kind, 80)), 'NULL')
            USING ERRCODE = 'SY038', HINT = 'For instance folder.';
    END IF;
    IF settings IS NULL OR jsonb_typeof(settings) <> 'object' THEN
        RAISE EXCEPTION 'The settings of a source are a JSON object.' USING ERRCODE = 'SY038';
    END IF;
    IF every IS NULL OR every NOT BETWEEN interval '1 second' AND interval '1 day' THEN
        RAISE EXCEPTION 'A source is pulled every second to every day; found %.', coalesce(quote_literal(every), 'NULL')
            USING ERRCODE = 'SY038';
    END IF;
    INSERT INTO systole.source (name, kind, settings, revisable) VALUES (name, kind, settings, coalesce(revisable, false))
    ON CONFLICT ON CONSTRAINT source_name_once DO NOTHING RETURNING source_id INTO id;
    IF id IS NULL THEN
        RAISE EXCEPTION 'There is a source % already.', quote_literal(left(name, 80)) USING ERRCODE = 'SY038',
            HINT = 'drop_source() forgets it and leaves what it brought.';
    END IF;
    PERFORM systole.create_schedule(
        -- What listens rather than fetches holds its place for minutes, and has places of its own.
        name => 'ingest ' || name, kind => CASE kind WHEN 'mqtt' THEN 'ingest-stream' ELSE 'ingest' END, args => jsonb_build_object('source_id', id), every => every);
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.add_source IS
    'Registers a place that the workers keep pulling from; settings are those of its kind, as `systole source show` prints them. Returns its number.';

CREATE FUNCTION systole.pause_source(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE systole.source s SET paused_at = coalesce(s.paused_at, now())
    WHERE s.source_id = systole.source_id_of(pause_source.name);
END $$;
COMMENT ON FUNCTION systole.pause_source IS 'Stops pulling from a source at the next part; its cursors stay.';

CREATE FUNCTION systole.resume_source(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE systole.source s SET paused_at = NULL WHERE s.source_id = systole.source_id_of(resume_source.name);
END $$;
COMMENT ON FUNCTION systole.resume_source IS 'Goes on pulling from a source where it was left.';

CREATE FUNCTION systole.drop_source(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM systole.source s WHERE s.source_id = systole.source_id_of(drop_source.name);
    PERFORM systole.delete_schedule(c.name) FROM systole.schedules c WHERE c.name = 'ingest ' || drop_source.name;
END $$;
COMMENT ON FUNCTION systole.drop_source IS 'Forgets a source, its cursors and its figures; what it brought stays.';

CREATE FUNCTION systole.reset_source(name text, part text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id    bigint := systole.source_id_of(name);
    moved bigint;
BEGIN
    DELETE FROM systole.source_cursor c WHERE c.source_id = id AND c.part = coalesce(reset_source.part, c.part);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved = 0 AND part IS NOT NULL THEN
        RAISE EXCEPTION 'Source % has no part %.', quote_literal(left(name, 80)), quote_literal(left(part, 80))
            USING ERRCODE = 'SY038', HINT = 'Its parts: SELECT part FROM systole.source_cursors;';
    END IF;
    RETURN moved;
END $$;
COMMENT ON FUNCTION systole.reset_source IS
    'Forgets how far a source, or one part of it, is stored, so that it is read again from the beginning: what is there already stays as it is. '
    'Returns of how many parts.';

-- ---------------------------------------------------------------------------------------------------
-- Waveforms zoomed out
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.waveform_chunk ADD COLUMN vmean real;
COMMENT ON COLUMN systole.waveform_chunk.vmean IS
    'Mean physical value of the samples that are there; NULL where all are missing, and in chunks stored before there was this column.';

CREATE FUNCTION systole.waveform_envelope(
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
    past  bigint := greatest(first, least(c.sample_count, ceil(least(to_second, 1e12) * hertz)));
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
        FROM systole.waveform_chunk w JOIN systole.recording r USING (recording_id)
        CROSS JOIN LATERAL (SELECT greatest(w.first_sample - first, 0) / width AS place) b
        WHERE w.recording_id = c.recording_id AND w.channel = c.channel
            AND w.first_sample < past AND w.first_sample + w.sample_count > first
        GROUP BY b.place, r.started_at ORDER BY b.place;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT r.started_at + (first + b.place * width) / hertz * interval '1 second', (first + b.place * width) / hertz, width / hertz,
        b.low, b.mean, b.high, b.n, c.unit
    FROM systole.recording r CROSS JOIN LATERAL (
        SELECT (w.first_sample + u.place - 1 - first) / width AS place, min(v.value) AS low, avg(v.value) AS mean, max(v.value) AS high,
            count(v.value) AS n
        FROM systole.waveform_chunk w
        CROSS JOIN LATERAL unnest(coalesce(w.samples::integer[], w.wide), w.physical) WITH ORDINALITY u (raw, real_value, place)
        CROSS JOIN LATERAL (SELECT coalesce((u.raw - w.baseline) / w.gain, u.real_value::double precision) AS value) v
        WHERE w.recording_id = c.recording_id AND w.channel = c.channel
            AND w.first_sample < past AND w.first_sample + w.sample_count > first
            AND w.first_sample + u.place - 1 >= first AND w.first_sample + u.place - 1 < past
        GROUP BY 1) b
    WHERE r.recording_id = c.recording_id AND b.n > 0
    ORDER BY b.place;
END $$;
COMMENT ON FUNCTION systole.waveform_envelope IS
    'One lead of a recording in at most so many points: lowest, mean and highest value of each stretch of seconds. Stretches of four chunks '
    'and more are told from the chunks without opening them. Stretches without a sample have no row.';

DROP FUNCTION systole.waveform(text, text, double precision, double precision);
CREATE FUNCTION systole.waveform(
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
                / nullif(least(to_second, c.sample_count / hertz) - from_second, 0)) END AS stretch
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
COMMENT ON FUNCTION systole.waveform IS
    'One lead of a recording, a row a sample; value is NULL where the recording has none. at is NULL '
    'where the recording does not say when it began; millivolts is NULL where the unit is no voltage. With points, at most about so many '
    'samples: the lowest and the highest of every stretch.';

-- ---------------------------------------------------------------------------------------------------
-- Retention of recordings
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.retention DROP CONSTRAINT retention_what_known,
    ADD CONSTRAINT retention_what_known CHECK (what IN ('observations', 'recordings', 'job_history'));
COMMENT ON TABLE systole.retention IS
    'How long things are kept; set_retention() changes it. Observations go by whole years and finished jobs by whole months, '
    'whose partitions are dropped; recordings one by one. What is not here is kept for ever, as forecasts and scores are.';

CREATE OR REPLACE FUNCTION systole.set_retention(what text, keep interval) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF what IS NULL OR what NOT IN ('observations', 'recordings', 'job_history') THEN
        RAISE EXCEPTION 'There is no retention of %.', coalesce(quote_literal(left(what, 80)), 'NULL')
            USING ERRCODE = 'SY029', HINT = 'Accepted: observations, recordings, job_history.';
    END IF;
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'Things are kept for a day at least; found %.', quote_literal(keep)
            USING ERRCODE = 'SY029', HINT = 'NULL keeps them for ever.';
    END IF;
    DELETE FROM systole.retention r WHERE r.what = set_retention.what;
    INSERT INTO systole.retention (what, keep)
    SELECT set_retention.what, set_retention.keep WHERE set_retention.keep IS NOT NULL;
END $$;
COMMENT ON FUNCTION systole.set_retention IS
    'Says how long observations, recordings or job_history are kept; NULL is for ever. The leader applies it every hour.';

CREATE FUNCTION systole.prune_recordings(keep interval, maximum integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    old bigint[] := ARRAY(
        SELECT r.recording_id FROM systole.recording r
        WHERE coalesce(r.started_at, r.created_at) + coalesce((
            SELECT max(c.sample_count * c.rate_denominator / c.rate_numerator::double precision) FROM systole.recording_channel c
            WHERE c.recording_id = r.recording_id), 0) * interval '1 second' < now() - keep
        ORDER BY r.recording_id LIMIT maximum FOR UPDATE SKIP LOCKED);
BEGIN
    DELETE FROM systole.waveform_chunk w WHERE w.recording_id = ANY (old);
    DELETE FROM systole.recording r WHERE r.recording_id = ANY (old);
    RETURN cardinality(old);
END $$;
COMMENT ON FUNCTION systole.prune_recordings IS
    'Deletes recordings that ended longer ago than the given interval, at most so many; returns how many. One that does not say when it '
    'began counts from when it was stored. What was found in them is never taken back, but views show findings of recordings that are there.';

CREATE OR REPLACE FUNCTION systole.apply_retention() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM systole.prune_observations(r.keep) FROM systole.retention r WHERE r.what = 'observations';
    PERFORM systole.prune_recordings(r.keep) FROM systole.retention r WHERE r.what = 'recordings';
    PERFORM systole.prune_job_history(r.keep) FROM systole.retention r WHERE r.what = 'job_history';
END $$;

-- ---------------------------------------------------------------------------------------------------
-- Who may do what
-- ---------------------------------------------------------------------------------------------------

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, rights
FROM (VALUES
    ('{systole_api}'::text[], 'EXECUTE', '{add_source,pause_source,resume_source,drop_source,reset_source}'::text[]),
    ('{systole_api,systole_ingest,systole_worker,systole_reader}', 'EXECUTE', '{waveform_envelope,source_id_of,add_counts}'),
    ('{systole_api,systole_ingest,systole_worker,systole_reader}', 'SELECT', '{sources,source_rejections,source_cursors}'),
    ('{systole_ingest}', 'SELECT, INSERT, UPDATE', '{source_figures}')
) AS given (roles, rights, objects), unnest(roles) AS role, unnest(objects) AS object;
SELECT systole.apply_privileges();
