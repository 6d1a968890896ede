-- 0020_derived_series.sql: sensor models, and series that they derive from others.
-- Locks: new objects only; a running service notices nothing.
--
-- Errors: SY037 a derivation or sensor model that cannot be, or is not there. Others as before: SY001 unknown series,
-- SY006 a series without a step.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Sensor models
-- ---------------------------------------------------------------------------------------------------

-- What was trained, never changed but for its stage; a training is a new version.
CREATE TABLE systole.sensor_model (
    sensor_model_id bigint      GENERATED ALWAYS AS IDENTITY,
    name            text        NOT NULL,
    version         bigint      NOT NULL,
    family          text        NOT NULL,
    stage           text        NOT NULL DEFAULT 'candidate',
    reason          text        NOT NULL DEFAULT '',
    inputs          text[]      NOT NULL,
    outputs         text[]      NOT NULL,
    units           text[]      NOT NULL,
    step_us         bigint      NOT NULL,
    ratio           integer     NOT NULL,
    memory          bigint      NOT NULL,
    card            jsonb       NOT NULL DEFAULT '{}',
    weights         bytea       NOT NULL,
    weights_sha256  bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    promoted_at     timestamptz,
    retired_at      timestamptz,

    CONSTRAINT sensor_model_pkey PRIMARY KEY (sensor_model_id),
    -- Also serves the lookup by name.
    CONSTRAINT sensor_model_version_once UNIQUE (name, version),
    CONSTRAINT sensor_model_name_usable
        CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]' AND name <> 'spacetime'),
    CONSTRAINT sensor_model_family_known CHECK (family IN ('hiss')),
    CONSTRAINT sensor_model_stage_known CHECK (stage IN ('candidate', 'live', 'retired')),
    CONSTRAINT sensor_model_numbers_positive CHECK (version > 0 AND step_us > 0 AND ratio > 0 AND memory > 0),
    CONSTRAINT sensor_model_channels CHECK (
        cardinality(inputs) BETWEEN 1 AND 4096 AND cardinality(outputs) BETWEEN 1 AND 4096
        AND cardinality(units) = cardinality(outputs)
        AND array_position(inputs, NULL) IS NULL AND array_position(outputs, NULL) IS NULL),
    CONSTRAINT sensor_model_weights_match_digest CHECK (sha256(weights) = weights_sha256)
);
-- Weights are noise to a compressor.
ALTER TABLE systole.sensor_model ALTER COLUMN weights SET STORAGE EXTERNAL;
-- Keeps one live version a name, and serves the lookup of it.
CREATE UNIQUE INDEX sensor_model_one_live ON systole.sensor_model (name) WHERE stage = 'live';
COMMENT ON TABLE systole.sensor_model IS
    'Models that read some channels and give others: inputs and outputs by name, microseconds between two samples, samples for '
    'each output, and how many samples they look back.';

CREATE FUNCTION systole.add_sensor_model(
    name text, family text, inputs text[], outputs text[], units text[], step_us bigint, ratio integer, memory bigint,
    card jsonb, weights bytea, sha256 bytea)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before systole.sensor_model;
    id     bigint;
BEGIN
    -- One at a time, so that versions are counted.
    PERFORM pg_advisory_xact_lock(hashtextextended('systole.sensor_model ' || add_sensor_model.name, 0));
    SELECT * INTO before FROM systole.sensor_model m WHERE m.name = add_sensor_model.name ORDER BY m.version DESC LIMIT 1;
    IF before.weights_sha256 = sha256 THEN
        RETURN before.sensor_model_id;
    END IF;
    IF before.sensor_model_id IS NOT NULL AND (before.inputs, before.outputs, before.step_us, before.ratio)
        IS DISTINCT FROM (add_sensor_model.inputs, add_sensor_model.outputs, add_sensor_model.step_us, add_sensor_model.ratio) THEN
        RAISE EXCEPTION 'The versions of a sensor model read and give the same channels at the same rates; % has others.',
            quote_literal(add_sensor_model.name)
            USING ERRCODE = 'SY037', HINT = format('Version %s reads %s every %s and gives %s for every %s samples. Choose another name.',
                before.version, array_to_string(before.inputs, ', '), before.step_us * interval '1 microsecond',
                array_to_string(before.outputs, ', '), before.ratio);
    END IF;
    INSERT INTO systole.sensor_model (name, version, family, inputs, outputs, units, step_us, ratio, memory, card, weights,
        weights_sha256)
    VALUES (add_sensor_model.name, 1 + coalesce(before.version, 0), add_sensor_model.family, add_sensor_model.inputs,
        add_sensor_model.outputs, add_sensor_model.units, add_sensor_model.step_us, add_sensor_model.ratio,
        add_sensor_model.memory, add_sensor_model.card, add_sensor_model.weights, sha256)
    RETURNING sensor_model_id INTO id;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.add_sensor_model IS
    'Stores a version of a sensor model as a candidate; the same bytes again change nothing. Returns its number, for '
    'promote_sensor_model.';

CREATE VIEW systole.sensor_models AS
SELECT m.sensor_model_id, m.name, m.version, m.family, m.stage, m.reason, m.inputs, m.outputs, m.units,
    m.step_us * interval '1 microsecond' AS input_step, m.step_us * m.ratio * interval '1 microsecond' AS output_step,
    m.step_us * m.memory * interval '1 microsecond' AS memory, m.card, octet_length(m.weights) AS weight_bytes,
    encode(m.weights_sha256, 'hex') AS weights_sha256, m.created_at, m.promoted_at, m.retired_at
FROM systole.sensor_model m;
COMMENT ON VIEW systole.sensor_models IS
    'Every version of every sensor model: what it reads and gives, how fast, how far it looks back, and how well it did on what '
    'it had not seen (card). One version of a name is live.';
COMMENT ON COLUMN systole.sensor_models.memory IS 'The longest stretch the training showed it at once: behind a longer gap its past counts for nothing.';

-- ---------------------------------------------------------------------------------------------------
-- Derivations
-- ---------------------------------------------------------------------------------------------------

CREATE TABLE systole.derivation (
    derivation_id bigint      GENERATED ALWAYS AS IDENTITY,
    output        text        NOT NULL,
    source        text        NOT NULL,
    model         text        NOT NULL,
    outputs       bigint[]    NOT NULL,
    step_us       bigint      NOT NULL,
    merged        integer     NOT NULL,
    ratio         integer     NOT NULL,
    lateness_us   bigint      NOT NULL,
    since         timestamptz NOT NULL,
    phase_us      bigint,
    derived_until timestamptz,
    state         bytea,
    state_model   text,
    late          bigint      NOT NULL DEFAULT 0,
    trouble       text,
    paused_at     timestamptz,
    dropped_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT derivation_pkey PRIMARY KEY (derivation_id),
    CONSTRAINT derivation_numbers_positive
        CHECK (step_us > 0 AND merged > 0 AND ratio > 0 AND lateness_us >= 0 AND late >= 0),
    CONSTRAINT derivation_phase_in_step CHECK (phase_us >= 0 AND phase_us < step_us),
    CONSTRAINT derivation_state_of_a_model
        CHECK (num_nulls(state, state_model) IN (0, 2) AND (state IS NULL OR derived_until IS NOT NULL)),
    CONSTRAINT derivation_trouble_length CHECK (length(trouble) <= 1000)
) WITH (fillfactor = 50);
-- States are noise to a compressor, and written all the time.
ALTER TABLE systole.derivation ALTER COLUMN state SET STORAGE EXTERNAL;
-- Keeps one derivation an output.
CREATE UNIQUE INDEX derivation_one_output ON systole.derivation (output) WHERE dropped_at IS NULL;
COMMENT ON COLUMN systole.derivation.merged IS 'Rows of the inputs that one sample of the model is the mean of.';
COMMENT ON COLUMN systole.derivation.ratio IS 'Samples of the model for each output.';
COMMENT ON COLUMN systole.derivation.phase_us IS
    'Rows of the inputs lie at phase_us plus whole multiples of step_us after 1970; NULL until the first of them came.';
COMMENT ON COLUMN systole.derivation.derived_until IS
    'The end of what was taken in; moves in the transaction that stores what follows from it, and so does state.';
COMMENT ON COLUMN systole.derivation.state_model IS 'Which stored model the state belongs to: its kind and number.';
COMMENT ON COLUMN systole.derivation.dropped_at IS 'Since when nothing more is derived; the row says where the values came from.';

CREATE TABLE systole.derivation_input (
    derivation_id bigint  NOT NULL,
    place         integer NOT NULL,
    series_id     bigint  NOT NULL,

    CONSTRAINT derivation_input_pkey PRIMARY KEY (derivation_id, place),
    CONSTRAINT derivation_input_derivation FOREIGN KEY (derivation_id) REFERENCES systole.derivation ON DELETE CASCADE
);
-- Serves the question what is derived from a series.
CREATE INDEX derivation_input_series ON systole.derivation_input (series_id);
COMMENT ON TABLE systole.derivation_input IS 'The series that a derivation reads, in the order of the channels of its model.';

-- What is new of the inputs of derivations: a row for each that a transaction brought something of, as watch_news for watches.
CREATE TABLE systole.derivation_news (
    news_id       bigint      GENERATED ALWAYS AS IDENTITY,
    derivation_id bigint      NOT NULL,
    first_at      timestamptz NOT NULL,
    lane          smallint    NOT NULL GENERATED ALWAYS AS ((derivation_id % 4)::smallint) STORED,
    told_at       timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT derivation_news_pkey PRIMARY KEY (lane, news_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE systole.derivation_news IS 'Derivations whose inputs have grown since they were looked at; rows are added and deleted.';

CREATE TABLE systole.derivation_note (
    note_id       bigint      GENERATED ALWAYS AS IDENTITY,
    derivation_id bigint      NOT NULL,
    kind          text        NOT NULL,
    at            timestamptz NOT NULL,
    detail        text        NOT NULL,
    times         bigint      NOT NULL DEFAULT 1,
    last_at       timestamptz NOT NULL,
    noted_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT derivation_note_pkey PRIMARY KEY (note_id),
    CONSTRAINT derivation_note_derivation FOREIGN KEY (derivation_id) REFERENCES systole.derivation ON DELETE CASCADE,
    CONSTRAINT derivation_note_kind_known CHECK (kind IN ('began', 'lapsed', 'late', 'model', 'state')),
    CONSTRAINT derivation_note_detail_length CHECK (length(detail) BETWEEN 1 AND 1000)
);
-- Serves the notes of one derivation, and the newest of them.
CREATE INDEX derivation_note_newest ON systole.derivation_note (derivation_id, note_id DESC);

-- Writes notes; one that repeats the newest of its derivation within the hour is counted there.
CREATE FUNCTION systole.note_derivations(ids bigint[], kinds text[], instants timestamptz[], details text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    told   record;
    newest systole.derivation_note;
BEGIN
    FOR told IN SELECT * FROM unnest(ids, kinds, instants, details) AS u (derivation_id, kind, at, detail) LOOP
        SELECT * INTO newest FROM systole.derivation_note n
        WHERE n.derivation_id = told.derivation_id ORDER BY n.note_id DESC LIMIT 1;
        IF newest.kind = told.kind AND newest.detail = told.detail AND newest.noted_at > now() - interval '1 hour' THEN
            UPDATE systole.derivation_note n SET times = n.times + 1, last_at = greatest(n.last_at, told.at)
            WHERE n.note_id = newest.note_id;
        ELSE
            INSERT INTO systole.derivation_note (derivation_id, kind, at, detail, last_at)
            VALUES (told.derivation_id, told.kind, told.at, told.detail, told.at);
        END IF;
    END LOOP;
END $$;

COMMENT ON FUNCTION systole.note_derivations IS
    'Writes what readers of derived values should know; the same again within the hour is counted.';

CREATE FUNCTION systole.tell_derivations(ids bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO systole.derivation_news (derivation_id, first_at) SELECT unnest(ids), 'infinity';
    SELECT pg_notify('systole_news', '');
$$;
COMMENT ON FUNCTION systole.tell_derivations IS 'Asks that derivations be looked at.';

-- The derivation that an output has now.
CREATE FUNCTION systole.derivation_id_of(output text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    found bigint;
BEGIN
    SELECT d.derivation_id INTO found FROM systole.derivation d
    WHERE d.output = derivation_id_of.output AND d.dropped_at IS NULL;
    IF found IS NULL THEN
        RAISE EXCEPTION 'Nothing derives %.', coalesce(quote_literal(left(output, 400)), 'NULL')
            USING ERRCODE = 'SY037', HINT = 'All that is derived: SELECT output, source, model FROM systole.derivations;';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION systole.derivation_id_of IS 'The number of the derivation that makes an output; raises SY037 where there is none.';

-- The series that stand for the channels of a model, in their order; NULL where one is not there.
CREATE FUNCTION systole.derivation_inputs(source text, channels text[]) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(coalesce(
        (SELECT s.series_id FROM systole.series s WHERE s.key = source || '.' || c.name),
        (SELECT min(s.series_id) FROM systole.series_group g
            JOIN systole.series_group_member m USING (group_id) JOIN systole.series s USING (series_id)
            WHERE g.name = source AND (s.key = c.name OR right(s.key, length(c.name) + 1) = '.' || c.name)
            HAVING count(*) = 1),
        CASE WHEN cardinality(channels) = 1 THEN (SELECT s.series_id FROM systole.series s WHERE s.key = source) END)
        ORDER BY c.place)
    FROM unnest(channels) WITH ORDINALITY AS c (name, place)
$$;

CREATE FUNCTION systole.derive(
    source text, model text, output text, inputs text[] DEFAULT NULL, since timestamptz DEFAULT '-infinity',
    lateness interval DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    sensor   systole.sensor_model;
    channels text[];
    names    text[];
    units    text[];
    wanted   bigint;
    ratio    integer := 1;
    members  bigint[];
    odd      text;
    step     bigint;
    merged   bigint;
    keys     text[];
    made     bigint[] := '{}';
    id       bigint;
    one      record;
    stored   systole.series;
BEGIN
    IF output IS NULL OR output <> btrim(output) OR length(output) NOT BETWEEN 1 AND 400 OR output ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'A series cannot be called %.', coalesce(quote_literal(left(output, 400)), 'NULL')
            USING ERRCODE = 'SY037', HINT = 'Accepted: 1 to 400 characters, none of them a control, no space at either end.';
    END IF;
    -- What it is made by.
    IF model = 'spacetime' THEN
        PERFORM systole.series_id_of(coalesce(inputs[1], source));
        SELECT m.series_id, ARRAY[s.key], ARRAY['value'], ARRAY[s.unit], s.step_us INTO one
        FROM systole.model m JOIN systole.series s USING (series_id)
        WHERE s.key = coalesce(inputs[1], source) AND m.family = 'spacetime' LIMIT 1;
        IF one IS NULL THEN
            RAISE EXCEPTION 'Series % has no model of the family spacetime.', quote_literal(coalesce(inputs[1], source))
                USING ERRCODE = 'SY037', HINT = 'Train one: SELECT systole.train(…, family => ''spacetime'');';
        END IF;
        SELECT ARRAY[s.key], ARRAY['value'], ARRAY[s.unit], s.step_us INTO channels, names, units, wanted
        FROM systole.series s WHERE s.series_id = one.series_id;
    ELSE
        SELECT * INTO sensor FROM systole.sensor_model m WHERE m.name = derive.model
        ORDER BY m.stage = 'live' DESC, m.version DESC LIMIT 1;
        IF sensor.stage IS DISTINCT FROM 'live' THEN
            RAISE EXCEPTION 'There is no live sensor model %.', coalesce(quote_literal(left(model, 200)), 'NULL')
                USING ERRCODE = 'SY037', HINT = CASE WHEN sensor.name IS NULL
                    THEN 'All of them: SELECT name, version, stage FROM systole.sensor_models; or ''spacetime'' for that of the series.'
                    ELSE format('Version %s is %s%s. Promote it: SELECT systole.promote_sensor_model(%s);', sensor.version,
                        sensor.stage, coalesce(': ' || nullif(sensor.reason, ''), ''), sensor.sensor_model_id) END;
        END IF;
        SELECT sensor.inputs, sensor.outputs, sensor.units, sensor.step_us, sensor.ratio
        INTO channels, names, units, wanted, ratio;
    END IF;
    -- What it is made from.
    IF inputs IS NULL THEN
        members := systole.derivation_inputs(source, channels);
        SELECT string_agg(quote_literal(c.name), ', ') INTO odd
        FROM unnest(channels, members) AS c (name, series_id) WHERE c.series_id IS NULL;
        IF odd IS NOT NULL THEN
            RAISE EXCEPTION '% lacks channels that model % reads: %.', quote_literal(left(source, 400)), quote_literal(model), odd
                USING ERRCODE = 'SY037', HINT = format('Looked for series such as %L, and in the group %L; or name them all: inputs => ''{…}''.',
                    source || '.' || channels[1], source);
        END IF;
    ELSIF cardinality(inputs) <> cardinality(channels) THEN
        RAISE EXCEPTION 'Model % reads % channels, and % are given.', quote_literal(model), cardinality(channels), cardinality(inputs)
            USING ERRCODE = 'SY037', HINT = 'In this order: ' || array_to_string(channels, ', ');
    ELSE
        members := ARRAY(SELECT systole.series_id_of(u.key) FROM unnest(inputs) WITH ORDINALITY AS u (key, place) ORDER BY u.place);
    END IF;
    SELECT string_agg(quote_literal(s.key), ', ') INTO odd FROM systole.series s
    WHERE s.series_id = ANY (members) AND s.step_us IS NULL;
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION 'The step of these series is not known: %.', odd
            USING ERRCODE = 'SY006', HINT = 'Ingest more data, or state it: SELECT systole.set_step(…, ''10 ms'');';
    END IF;
    SELECT s.step_us INTO step FROM systole.series s WHERE s.series_id = members[1];
    SELECT string_agg(quote_literal(s.key), ', ') INTO odd FROM systole.series s
    WHERE s.series_id = ANY (members) AND s.step_us <> step;
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION 'The channels have to share one step; the first has %, and these have others: %.',
            step * interval '1 microsecond', odd USING ERRCODE = 'SY037', HINT = 'Derive from series of one step.';
    END IF;
    merged := greatest(1, round(wanted::numeric / step));
    IF abs(merged * step - wanted) * 1000 > wanted THEN
        RAISE EXCEPTION 'Model % reads a sample every %, and the series have one every %.', quote_literal(model),
            wanted * interval '1 microsecond', step * interval '1 microsecond'
            USING ERRCODE = 'SY037', HINT = 'Accepted: the step of the model, or a whole fraction of it, of which means are taken.';
    END IF;
    IF merged > 1 THEN
        RAISE NOTICE 'The model reads means of % observations.', merged;
    END IF;
    IF lateness < interval '0' THEN
        RAISE EXCEPTION 'Channels cannot be waited for during %.', lateness
            USING ERRCODE = 'SY037', HINT = 'Accepted: 0 or more.';
    END IF;
    -- What it makes.
    IF EXISTS (SELECT FROM systole.derivation d WHERE d.output = derive.output AND d.dropped_at IS NULL) THEN
        RAISE EXCEPTION '% is derived already.', quote_literal(output)
            USING ERRCODE = 'SY037', HINT = 'Choose another name, or end it first: SELECT systole.drop_derivation(…);';
    END IF;
    keys := CASE WHEN cardinality(names) = 1 THEN ARRAY[output]
        ELSE ARRAY(SELECT output || '.' || n.name FROM unnest(names) WITH ORDINALITY AS n (name, place) ORDER BY n.place) END;
    FOR one IN SELECT u.key, u.unit FROM unnest(keys, units) WITH ORDINALITY AS u (key, unit, place) ORDER BY u.place LOOP
        INSERT INTO systole.series (key, unit, step_us) VALUES (one.key, one.unit, merged * step * ratio)
        ON CONFLICT ON CONSTRAINT series_key_once DO NOTHING;
        SELECT * INTO stored FROM systole.series s WHERE s.key = one.key;
        -- One that another derivation made goes on; measured values and derived ones do not mix.
        IF stored.series_id = ANY (members) OR stored.step_us IS DISTINCT FROM merged * step * ratio OR stored.unit <> one.unit
            OR EXISTS (SELECT FROM systole.derivation d WHERE d.dropped_at IS NULL AND stored.series_id = ANY (d.outputs))
            OR (EXISTS (SELECT FROM systole.observation o WHERE o.series_id = stored.series_id)
                AND NOT EXISTS (SELECT FROM systole.derivation d WHERE stored.series_id = ANY (d.outputs)))
        THEN
            RAISE EXCEPTION 'Series % is there already, and is something else.', quote_literal(one.key)
                USING ERRCODE = 'SY037', HINT = format('A derived series is new, or was derived before, with a step of %s and the unit %L.',
                    merged * step * ratio * interval '1 microsecond', one.unit);
        END IF;
        made := made || stored.series_id;
    END LOOP;
    IF EXISTS (
        WITH RECURSIVE above (series_id) AS (
            SELECT unnest(members)
            UNION
            SELECT i.series_id FROM above a
            JOIN systole.derivation d ON d.dropped_at IS NULL AND a.series_id = ANY (d.outputs)
            JOIN systole.derivation_input i USING (derivation_id))
        SELECT FROM above a WHERE a.series_id = ANY (made))
    THEN
        RAISE EXCEPTION '% cannot be derived from itself.', quote_literal(output)
            USING ERRCODE = 'SY037', HINT = 'Choose another name for what is derived.';
    END IF;
    INSERT INTO systole.derivation AS d (output, source, model, outputs, step_us, merged, ratio, lateness_us, since)
    VALUES (derive.output, coalesce(derive.source, ''), derive.model, made, step, merged, ratio,
        coalesce(systole.epoch_us(timestamptz 'epoch' + lateness), greatest(2 * merged * step * ratio, 1000000)),
        -- What is stored of it already stays.
        greatest(derive.since, (SELECT max(o.at) FROM systole.observation o WHERE o.series_id = ANY (made))))
    RETURNING d.derivation_id INTO id;
    INSERT INTO systole.derivation_input (derivation_id, place, series_id)
    SELECT id, u.place, u.series_id FROM unnest(members) WITH ORDINALITY AS u (series_id, place);
    PERFORM systole.tell_derivations(ARRAY[id]);
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.derive IS
    'Makes a series of what a model reads from others, as samples come: derive(''wrist.imu'', model => ''hiss-wrist'', output => ''wrist.speed'') '
    'reads the series wrist.imu.CHANNEL, or the members of the group wrist.imu; inputs names them in the order of the model instead. '
    'model => ''spacetime'' makes what the newest SpaceTime model of a series expects next. since: nothing before that instant; '
    'lateness: how long a channel is waited for when others are ahead (two outputs, a second at least). Several outputs are '
    'OUTPUT.NAME each. Returns its number.';

CREATE FUNCTION systole.drop_derivation(output text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id bigint := systole.derivation_id_of(output);
BEGIN
    UPDATE systole.derivation d SET dropped_at = now(), state = NULL, state_model = NULL WHERE d.derivation_id = id;
    DELETE FROM systole.derivation_news n WHERE n.derivation_id = id;
END $$;
COMMENT ON FUNCTION systole.drop_derivation IS 'Ends a derivation; what it made stays, and so does the row that says how.';

CREATE FUNCTION systole.pause_derivation(output text) RETURNS void LANGUAGE sql AS $$
    UPDATE systole.derivation d SET paused_at = coalesce(d.paused_at, now())
    WHERE d.derivation_id = systole.derivation_id_of($1)
$$;
COMMENT ON FUNCTION systole.pause_derivation IS 'Derives nothing more until resume_derivation; what comes meanwhile is then caught up.';

CREATE FUNCTION systole.resume_derivation(output text) RETURNS void LANGUAGE sql AS $$
    UPDATE systole.derivation d SET paused_at = NULL WHERE d.derivation_id = systole.derivation_id_of($1);
    SELECT systole.tell_derivations(ARRAY[systole.derivation_id_of($1)]);
$$;
COMMENT ON FUNCTION systole.resume_derivation IS 'Goes on with a derivation where it was paused.';

CREATE FUNCTION systole.promote_sensor_model(id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    chosen   systole.sensor_model;
    previous bigint;
BEGIN
    SELECT * INTO chosen FROM systole.sensor_model m WHERE m.sensor_model_id = id;
    IF chosen.sensor_model_id IS NULL THEN
        RAISE EXCEPTION 'There is no sensor model %.', coalesce(id::text, 'NULL')
            USING ERRCODE = 'SY037', HINT = 'All of them: SELECT sensor_model_id, name, version, stage FROM systole.sensor_models;';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('systole.sensor_model ' || chosen.name, 0));
    SELECT m.sensor_model_id INTO previous FROM systole.sensor_model m WHERE m.name = chosen.name AND m.stage = 'live';
    IF previous = id THEN
        RETURN previous;
    END IF;
    UPDATE systole.sensor_model m SET stage = 'retired', retired_at = now() WHERE m.sensor_model_id = previous;
    UPDATE systole.sensor_model m SET stage = 'live', promoted_at = now(), retired_at = NULL WHERE m.sensor_model_id = id;
    PERFORM systole.tell_derivations(ARRAY(
        SELECT d.derivation_id FROM systole.derivation d WHERE d.model = chosen.name AND d.dropped_at IS NULL));
    RETURN previous;
END $$;
COMMENT ON FUNCTION systole.promote_sensor_model IS
    'Makes a version of a sensor model the live one: what is derived by that name goes on with it, from a state of its own. '
    'Returns the number of the one that was.';

CREATE FUNCTION systole.judge_sensor_model(id bigint, reason text, is_better boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE systole.sensor_model m SET reason = left(judge_sensor_model.reason, 1000) WHERE m.sensor_model_id = id;
    IF is_better THEN
        PERFORM systole.promote_sensor_model(id);
    END IF;
END $$;
COMMENT ON FUNCTION systole.judge_sensor_model IS
    'Says how a version of a sensor model did beside the mean and the live version, and promotes it where it is better.';

CREATE VIEW systole.derivations AS
SELECT d.output, d.source, d.model, l.version AS model_version,
    ARRAY(SELECT s.key FROM systole.derivation_input i JOIN systole.series s USING (series_id)
        WHERE i.derivation_id = d.derivation_id ORDER BY i.place) AS inputs,
    ARRAY(SELECT s.key FROM unnest(d.outputs) WITH ORDINALITY AS o (series_id, place) JOIN systole.series s USING (series_id)
        ORDER BY o.place) AS series,
    d.step_us * interval '1 microsecond' AS input_step,
    d.step_us * d.merged * d.ratio * interval '1 microsecond' AS output_step,
    CASE WHEN d.merged > 1 THEN format('means of %s observations', d.merged) ELSE 'none' END AS resampling,
    d.derived_until, d.lateness_us * interval '1 microsecond' AS lateness, d.late, d.trouble, d.since, d.paused_at, d.dropped_at,
    d.created_at, octet_length(d.state) AS state_bytes, d.derivation_id
FROM systole.derivation d
LEFT JOIN systole.sensor_model l ON l.name = d.model AND l.stage = 'live';
COMMENT ON VIEW systole.derivations IS
    'Everything that is derived, or was: from which series, by which model, how far. late counts the times that observations came '
    'for a stretch that was derived already: they change nothing there.';
COMMENT ON COLUMN systole.derivations.model_version IS 'The live version of the sensor model; which values came of which version is in derivation_notes.';
COMMENT ON COLUMN systole.derivations.trouble IS 'Why nothing is derived, where that is so.';

CREATE VIEW systole.derivation_notes AS
SELECT d.output, n.kind, n.at, n.detail, n.times, n.last_at, n.noted_at, n.derivation_id, n.note_id
FROM systole.derivation_note n
JOIN systole.derivation d USING (derivation_id);
COMMENT ON VIEW systole.derivation_notes IS
    'What readers of derived values should know. kind: began (from here on, without a past), lapsed (a channel was silent for '
    'longer than the model remembers; nothing is derived until all are back), late (observations came for what was derived '
    'already), model (another version from here on), state (the stored state could not be used). at is a time of the data; '
    'the same again within the hour is counted in times.';

-- As in 0019, and what is derived.
CREATE OR REPLACE FUNCTION systole.mark_observed(series_ids bigint[], from_at timestamptz[], until_at timestamptz[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    has_news boolean;
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
    has_news := FOUND;
    INSERT INTO systole.group_news (group_id)
    SELECT DISTINCT m.group_id
    FROM systole.series_group_member m
    JOIN systole.group_watch w USING (group_id)
    WHERE m.series_id = ANY (series_ids) AND w.paused_at IS NULL;
    has_news := has_news OR FOUND;
    INSERT INTO systole.derivation_news (derivation_id, first_at)
    SELECT d.derivation_id, min(u.first)
    FROM unnest(series_ids, from_at) AS u (series_id, first)
    JOIN systole.derivation_input i USING (series_id)
    JOIN systole.derivation d USING (derivation_id)
    WHERE num_nonnulls(d.paused_at, d.dropped_at) = 0 GROUP BY d.derivation_id;
    IF has_news OR FOUND THEN
        PERFORM pg_notify('systole_news', '');
    END IF;
END $$;

-- The jobs of 0019, and those that derive.
ALTER FUNCTION systole.route_news() RENAME TO route_score_news;
COMMENT ON FUNCTION systole.route_score_news IS 'Adds the jobs that score; systole.route_news() adds the others as well.';
CREATE FUNCTION systole.route_news(settled interval DEFAULT '0') RETURNS integer LANGUAGE sql AS $$
    SELECT systole.route_score_news() + count(systole.enqueue('derive', jsonb_build_object('lane', l.lane),
        priority => 50::smallint, unique_key => format('derive lane %s', l.lane), on_conflict => 'replace'))::integer
    FROM generate_series(0, 3) AS l (lane)
    WHERE EXISTS (
            SELECT FROM systole.derivation_news n WHERE n.lane = l.lane AND n.told_at <= clock_timestamp() - settled)
        -- One that waits or runs looks again before it ends.
        AND NOT EXISTS (SELECT FROM systole.job j WHERE j.kind = 'derive' AND j.unique_key = format('derive lane %s', l.lane))
$$;
COMMENT ON FUNCTION systole.route_news IS
    'Adds the jobs that score what is new of watched series and groups, and those that derive series, where they are not there; '
    'what is to be derived waits until it is settled for so long, so that many streams are one job. Returns how many.';

-- ---------------------------------------------------------------------------------------------------
-- Promises, and who may do what
-- ---------------------------------------------------------------------------------------------------

CREATE FUNCTION systole.derivation_invariants() RETURNS TABLE (promise text, violations bigint, examples text)
LANGUAGE sql STABLE AS $$
    SELECT v.* FROM systole.violations('nothing is derived beyond what the state of its stream has seen', ARRAY(
        SELECT 'derivation ' || d.derivation_id FROM systole.derivation d
        WHERE d.dropped_at IS NULL AND EXISTS (
            SELECT FROM systole.observation o
            WHERE o.series_id = ANY (d.outputs) AND o.at > greatest(d.since, coalesce(d.derived_until, '-infinity')
                + CASE d.model WHEN 'spacetime' THEN d.step_us * d.merged ELSE 0 END * interval '1 microsecond')))) v
$$;
COMMENT ON FUNCTION systole.derivation_invariants IS
    'The promises about derived series; systole.invariants() asks them with the others.';
CREATE OR REPLACE FUNCTION systole.invariants() RETURNS TABLE (promise text, violations bigint, examples text)
LANGUAGE sql STABLE AS $$
    SELECT w.* FROM systole.work_invariants() w
    UNION ALL
    SELECT w.* FROM systole.webhook_invariants() w
    UNION ALL
    SELECT w.* FROM systole.derivation_invariants() w
$$;

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, rights
FROM (VALUES
    ('{systole_api}'::text[], 'EXECUTE', '{derive,drop_derivation,pause_derivation,resume_derivation,add_sensor_model,
        promote_sensor_model,judge_sensor_model}'::text[]),
    ('{systole_worker}', 'EXECUTE', '{note_derivations,tell_derivations}'),
    ('{systole_api,systole_worker,systole_reader}', 'SELECT', '{derivations,derivation_notes,sensor_models}'),
    ('{systole_worker}', 'SELECT', '{sensor_model,derivation_input}'),
    ('{systole_worker}', 'SELECT, UPDATE', '{derivation}'),
    ('{systole_worker}', 'SELECT, DELETE', '{derivation_news}'),
    ('{systole_worker}', 'INSERT', '{late_observation}')
) AS given (roles, rights, objects), unnest(roles) AS role, unnest(objects) AS object;
-- What is derived is stored as what is measured.
UPDATE systole.privilege SET rights = 'SELECT, INSERT'
WHERE role = 'systole_worker' AND object = 'observation' AND rights <> 'EXECUTE';
SELECT systole.apply_privileges();
