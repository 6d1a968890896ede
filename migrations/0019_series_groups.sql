-- 0019_series_groups.sql: groups of series, and watches on them.
-- Locks: systole.incident for a moment, for its new columns and constraints; it is small.
--
-- Errors: SY036 a group that cannot be, or is not there. Others as before: SY001 unknown series, SY006 a series without a step,
-- SY011 an alert budget out of its range, SY028 labels that cannot be used, or that no series has.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Groups
-- ---------------------------------------------------------------------------------------------------

CREATE TABLE systole.series_group (
    group_id     bigint      GENERATED ALWAYS AS IDENTITY,
    name         text        NOT NULL,
    labels       jsonb,
    step_us      bigint      NOT NULL,
    phase_us     bigint      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    refreshed_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT series_group_pkey PRIMARY KEY (group_id),
    CONSTRAINT series_group_name_once UNIQUE (name),
    CONSTRAINT series_group_name_usable
        CHECK (name = btrim(name) AND length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    CONSTRAINT series_group_labels_object CHECK (jsonb_typeof(labels) = 'object'),
    CONSTRAINT series_group_grid CHECK (step_us > 0 AND phase_us >= 0 AND phase_us < step_us)
);
COMMENT ON TABLE systole.series_group IS 'Groups of series that are looked at together; labels is NULL where the members were named.';
COMMENT ON COLUMN systole.series_group.phase_us IS
    'Rows of the group lie at phase_us plus whole multiples of step_us after 1970; an observation belongs to the nearest one.';

CREATE TABLE systole.series_group_member (
    group_id  bigint      NOT NULL,
    series_id bigint      NOT NULL,
    joined_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT series_group_member_pkey PRIMARY KEY (group_id, series_id),
    CONSTRAINT series_group_member_group FOREIGN KEY (group_id) REFERENCES systole.series_group ON DELETE CASCADE,
    CONSTRAINT series_group_member_series FOREIGN KEY (series_id) REFERENCES systole.series ON DELETE CASCADE
);
-- Serves the question which groups a series is in, and the foreign key.
CREATE INDEX series_group_member_series ON systole.series_group_member (series_id);

CREATE FUNCTION systole.group_id_of(name text) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    found bigint;
BEGIN
    SELECT g.group_id INTO found FROM systole.series_group g WHERE g.name = group_id_of.name;
    IF found IS NULL THEN
        RAISE EXCEPTION 'There is no group %.', coalesce(quote_literal(left(name, 200)), 'NULL')
            USING ERRCODE = 'SY036', HINT = 'All groups: SELECT name FROM systole.groups;';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION systole.group_id_of IS 'The number of a group; raises SY036 where there is none.';

-- Raises what keeps series from being a group; returns the step that they share.
CREATE FUNCTION systole.check_members(of_series bigint[]) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    first  systole.series;
    others text;
BEGIN
    IF coalesce(cardinality(of_series), 0) NOT BETWEEN 2 AND 1000 THEN
        RAISE EXCEPTION 'A group has 2 to 1000 members; found %.', coalesce(cardinality(of_series), 0)
            USING ERRCODE = 'SY036', HINT = 'Name more series, or labels that more of them have.';
    END IF;
    SELECT string_agg(quote_literal(o.key), ', ') INTO others FROM (
        SELECT s.key FROM systole.series s WHERE s.series_id = ANY (of_series) AND s.step_us IS NULL
        ORDER BY s.key LIMIT 3) o;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'The step of these series is not known: %.', others
            USING ERRCODE = 'SY006', HINT = 'Ingest more data, or state it: SELECT systole.set_step(…, ''1 hour'');';
    END IF;
    SELECT * INTO first FROM systole.series s WHERE s.series_id = ANY (of_series) ORDER BY s.series_id LIMIT 1;
    SELECT string_agg(quote_literal(o.key), ', ') INTO others FROM (
        SELECT s.key FROM systole.series s WHERE s.series_id = ANY (of_series) AND s.step_us <> first.step_us
        ORDER BY s.key LIMIT 3) o;
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'The members of a group share one step; % has %, and these have others: %.', quote_literal(first.key),
            first.step_us * interval '1 microsecond', others USING ERRCODE = 'SY036', HINT = 'Group series of one step.';
    END IF;
    RETURN first.step_us;
END $$;

CREATE FUNCTION systole.create_group(name text, labels jsonb DEFAULT NULL, series text[] DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    members bigint[];
    step    bigint;
    phase   bigint;
    id      bigint;
BEGIN
    IF name IS NULL OR name <> btrim(name) OR length(name) NOT BETWEEN 1 AND 200 OR name ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'A group cannot be called %.', coalesce(quote_literal(left(name, 200)), 'NULL')
            USING ERRCODE = 'SY036', HINT = 'Accepted: 1 to 200 characters, none of them a control, no space at either end.';
    END IF;
    IF num_nonnulls(labels, series) <> 1 THEN
        RAISE EXCEPTION 'A group is of named series, or of all that have given labels.'
            USING ERRCODE = 'SY036', HINT = 'Give labels or series, and not both.';
    END IF;
    IF labels IS NOT NULL THEN
        PERFORM systole.check_labels(labels);
        members := ARRAY(SELECT s.series_id FROM systole.series s WHERE s.labels @> create_group.labels ORDER BY 1);
        IF members = '{}' THEN
            PERFORM systole.raise_nothing_selected(labels);
        END IF;
    ELSE
        members := ARRAY(SELECT DISTINCT systole.series_id_of(u.key) FROM unnest(series) AS u (key) ORDER BY 1);
    END IF;
    step := systole.check_members(members);
    -- Rows lie where the newest observation of the first member that has one lies.
    SELECT systole.epoch_us(newest.at) % step INTO phase
    FROM unnest(members) WITH ORDINALITY AS m (series_id, place)
    CROSS JOIN LATERAL (
        SELECT o.at FROM systole.observation o WHERE o.series_id = m.series_id ORDER BY o.at DESC LIMIT 1) newest
    ORDER BY m.place LIMIT 1;
    INSERT INTO systole.series_group AS g (name, labels, step_us, phase_us)
    VALUES (create_group.name, create_group.labels, step, coalesce((phase + step) % step, 0))
    ON CONFLICT ON CONSTRAINT series_group_name_once DO NOTHING RETURNING g.group_id INTO id;
    IF id IS NULL THEN
        RAISE EXCEPTION 'There is a group % already.', quote_literal(name)
            USING ERRCODE = 'SY036', HINT = 'Choose another name, or remove it first: SELECT systole.drop_group(…);';
    END IF;
    INSERT INTO systole.series_group_member (group_id, series_id) SELECT id, unnest(members);
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.create_group IS
    'Makes a group of the series that have these labels now, or of named ones: create_group(''plant'', labels => ''{"plant": "a"}'') '
    'or create_group(''plant'', series => ''{a,b}''). 2 to 1000 members of one step. Series that get the labels later join when '
    'refresh_group is called. Returns its number.';

CREATE FUNCTION systole.refresh_group(name text, OUT joined bigint, OUT gone bigint) LANGUAGE plpgsql AS $$
DECLARE
    id      bigint := systole.group_id_of(name);
    g       systole.series_group;
    members bigint[];
BEGIN
    SELECT * INTO g FROM systole.series_group t WHERE t.group_id = id FOR NO KEY UPDATE;
    IF g.labels IS NULL THEN
        RAISE EXCEPTION 'The members of group % were named, and stay.', quote_literal(name)
            USING ERRCODE = 'SY036', HINT = 'Remove the group and make it anew: SELECT systole.drop_group(…);';
    END IF;
    members := ARRAY(SELECT s.series_id FROM systole.series s WHERE s.labels @> g.labels ORDER BY 1);
    PERFORM systole.check_members(members);
    DELETE FROM systole.series_group_member m WHERE m.group_id = id AND m.series_id <> ALL (members);
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO systole.series_group_member (group_id, series_id) SELECT id, unnest(members)
    ON CONFLICT ON CONSTRAINT series_group_member_pkey DO NOTHING;
    GET DIAGNOSTICS joined = ROW_COUNT;
    UPDATE systole.series_group t SET refreshed_at = now() WHERE t.group_id = id;
END $$;
COMMENT ON FUNCTION systole.refresh_group IS
    'Looks anew which series have the labels of a group; returns how many joined and how many are gone. A watch on it trains '
    'again where there were any.';

-- ---------------------------------------------------------------------------------------------------
-- Detectors, scores and watches
-- ---------------------------------------------------------------------------------------------------

-- What was trained, never changed; a training is a new version.
CREATE TABLE systole.group_detector (
    detector_id    bigint      GENERATED ALWAYS AS IDENTITY,
    group_id       bigint      NOT NULL,
    version        bigint      NOT NULL,
    family         text        NOT NULL,
    members        bigint[]    NOT NULL,
    data_from      timestamptz NOT NULL,
    data_until     timestamptz NOT NULL,
    metrics        jsonb       NOT NULL DEFAULT '{}',
    weights        bytea       NOT NULL,
    weights_sha256 bytea       NOT NULL,
    job_id         bigint,
    lease_no       bigint,
    created_at     timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT group_detector_pkey PRIMARY KEY (detector_id),
    -- Also serves the lookup of the newest.
    CONSTRAINT group_detector_version_once UNIQUE (group_id, version),
    CONSTRAINT group_detector_group FOREIGN KEY (group_id) REFERENCES systole.series_group ON DELETE CASCADE,
    CONSTRAINT group_detector_family_known CHECK (family IN ('stackvae')),
    CONSTRAINT group_detector_version_positive CHECK (version > 0),
    CONSTRAINT group_detector_members_counted CHECK (cardinality(members) BETWEEN 2 AND 1000),
    CONSTRAINT group_detector_data_ordered CHECK (data_from <= data_until),
    CONSTRAINT group_detector_weights_match_digest CHECK (sha256(weights) = weights_sha256),
    CONSTRAINT group_detector_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
-- Weights are noise to a compressor.
ALTER TABLE systole.group_detector ALTER COLUMN weights SET STORAGE EXTERNAL;
COMMENT ON TABLE systole.group_detector IS 'Detectors trained on groups: which members, on what data, and the weights with their digest.';
COMMENT ON COLUMN systole.group_detector.members IS 'The series it was trained on, in the order of its channels.';

CREATE TABLE systole.group_watch (
    group_id        bigint           NOT NULL,
    alerts_per_week double precision NOT NULL,
    share           double precision NOT NULL,
    lateness_us     bigint           NOT NULL,
    threshold       double precision,
    scored_until    timestamptz,
    detector_id     bigint,
    machine         jsonb,
    note            text,
    paused_at       timestamptz,
    created_at      timestamptz      NOT NULL DEFAULT now(),

    CONSTRAINT group_watch_pkey PRIMARY KEY (group_id),
    CONSTRAINT group_watch_group FOREIGN KEY (group_id) REFERENCES systole.series_group ON DELETE CASCADE,
    CONSTRAINT group_watch_budget_range CHECK (alerts_per_week > 0 AND alerts_per_week <= 1000),
    CONSTRAINT group_watch_share_range CHECK (share > 0 AND share <= 1),
    CONSTRAINT group_watch_lateness_positive CHECK (lateness_us >= 0),
    CONSTRAINT group_watch_threshold_positive CHECK (threshold > 0 AND threshold < 'Infinity'),
    CONSTRAINT group_watch_note_length CHECK (length(note) <= 1000)
);
COMMENT ON COLUMN systole.group_watch.scored_until IS 'The newest row that was scored; moves in the transaction that stores the scores.';
COMMENT ON COLUMN systole.group_watch.machine IS 'The state of the incident machine after scored_until; NULL at first.';
COMMENT ON COLUMN systole.group_watch.note IS 'Why nothing is scored, where that is so.';

-- One immutable row a scored batch, like anomaly_score.
CREATE TABLE systole.group_score (
    group_id    bigint             NOT NULL,
    first_us    bigint             NOT NULL,
    last_us     bigint             NOT NULL,
    detector_id bigint             NOT NULL,
    members     bigint[]           NOT NULL,
    at_us       bigint[]           NOT NULL,
    p_value     double precision[] NOT NULL,
    score       double precision[] NOT NULL,
    surprises   real[]             NOT NULL,
    job_id      bigint,
    lease_no    bigint,
    scored_at   timestamptz        NOT NULL DEFAULT now(),

    -- Also serves reads, which ask for the batches that end after an instant.
    CONSTRAINT group_score_pkey PRIMARY KEY (group_id, last_us),
    CONSTRAINT group_score_group FOREIGN KEY (group_id) REFERENCES systole.series_group ON DELETE CASCADE,
    CONSTRAINT group_score_arrays_fit CHECK (
        cardinality(at_us) BETWEEN 1 AND 100000
        AND cardinality(p_value) = cardinality(at_us) AND cardinality(score) = cardinality(at_us)
        AND cardinality(surprises) = cardinality(at_us) * cardinality(members)),
    CONSTRAINT group_score_range CHECK (
        first_us <= last_us AND at_us[1] = first_us AND at_us[cardinality(at_us)] = last_us),
    CONSTRAINT group_score_p_value_range CHECK (0 <= ALL (p_value) AND 1 >= ALL (p_value)),
    CONSTRAINT group_score_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
COMMENT ON COLUMN systole.group_score.at_us IS 'Microseconds since 1970, ascending.';
COMMENT ON COLUMN systole.group_score.surprises IS
    '[rows x members], row-major: squared errors over what is usual for the member; NaN where it was missing or is not judged.';

CREATE FUNCTION systole.watch_group(
    name text, alerts_per_week double precision DEFAULT 2, share double precision DEFAULT 0.5,
    lateness interval DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id      bigint := systole.group_id_of(name);
    step    bigint;
    members bigint;
    late    numeric;
BEGIN
    IF alerts_per_week IS NULL OR NOT (alerts_per_week > 0 AND alerts_per_week <= 1000) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY011',
            MESSAGE = format('%s alerts a week cannot be aimed at.', coalesce(alerts_per_week::text, 'NULL')),
            HINT = 'Accepted: above 0, up to 1000.';
    END IF;
    IF share IS NULL OR NOT (share > 0 AND share <= 1) THEN
        RAISE EXCEPTION 'Rows cannot wait for a share of % of the members.', coalesce(share::text, 'NULL')
            USING ERRCODE = 'SY036', HINT = 'Accepted: above 0, up to 1.';
    END IF;
    SELECT g.step_us, (SELECT count(*) FROM systole.series_group_member m WHERE m.group_id = id)
    INTO step, members FROM systole.series_group g WHERE g.group_id = id;
    IF members NOT BETWEEN 2 AND 200 THEN
        RAISE EXCEPTION 'A group that is watched has 2 to 200 members; % has %.', quote_literal(name), members
            USING ERRCODE = 'SY036', HINT = 'Make smaller groups, by a label more.';
    END IF;
    late := coalesce(extract(epoch FROM lateness) * 1000000, greatest(3 * step, 3600000000));
    IF late < 0 OR late > 366 * 86400000000 THEN
        RAISE EXCEPTION 'Members cannot be % late.', lateness
            USING ERRCODE = 'SY036', HINT = 'Accepted: from 0 to 366 days; three steps, but an hour at least, unless given.';
    END IF;
    INSERT INTO systole.group_watch AS w (group_id, alerts_per_week, share, lateness_us)
    VALUES (id, watch_group.alerts_per_week, watch_group.share, late)
    ON CONFLICT ON CONSTRAINT group_watch_pkey DO UPDATE
        SET alerts_per_week = excluded.alerts_per_week, share = excluded.share, lateness_us = excluded.lateness_us,
            paused_at = NULL,
            -- Another budget asks for another threshold.
            threshold = CASE WHEN w.alerts_per_week = excluded.alerts_per_week THEN w.threshold END;
    RETURN systole.enqueue(
        kind => 'score-group', args => jsonb_build_object('group_id', id), unique_key => format('score-group %s', id),
        on_conflict => 'replace');
END $$;
COMMENT ON FUNCTION systole.watch_group IS
    'Scores every new row of a group and opens an incident where its members do not go together as they used to, about so '
    'often a week on ordinary data; returns the number of the first scoring job. A row is scored when all members have reported '
    'it; members that are lateness behind the share of members that reported most are waited for no longer. Where members '
    'arrive in files of a day, one after the other, give lateness => ''1 day''. Call again to change any of it.';

CREATE FUNCTION systole.unwatch_group(name text) RETURNS void LANGUAGE sql AS $$
    UPDATE systole.group_watch SET paused_at = now()
    WHERE group_id = systole.group_id_of(name) AND paused_at IS NULL
$$;
COMMENT ON FUNCTION systole.unwatch_group IS 'Stops scoring a group; its detectors, scores and incidents stay.';

-- What is new of watched groups: a row for each group that a transaction brought something of, as watch_news for series.
CREATE TABLE systole.group_news (
    news_id  bigint GENERATED ALWAYS AS IDENTITY,
    group_id bigint NOT NULL,

    CONSTRAINT group_news_pkey PRIMARY KEY (news_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- As in 0017, and watched groups are to be scored.
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
    IF has_news OR FOUND THEN
        PERFORM pg_notify('systole_news', '');
    END IF;
END $$;

-- As in 0017, and the jobs of groups.
CREATE OR REPLACE FUNCTION systole.route_news() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    of_series integer;
    of_groups integer;
BEGIN
    SELECT count(systole.enqueue('score', jsonb_build_object('lane', l.lane), priority => 50::smallint,
        unique_key => format('score lane %s', l.lane), on_conflict => 'replace'))::integer INTO of_series
    FROM generate_series(0, 7) AS l (lane)
    WHERE EXISTS (SELECT FROM systole.watch_news n WHERE n.lane = l.lane)
        -- One that waits or runs looks again before it ends.
        AND NOT EXISTS (SELECT FROM systole.job j WHERE j.kind = 'score' AND j.unique_key = format('score lane %s', l.lane));
    WITH taken AS (
        DELETE FROM systole.group_news n
        -- Of a group that is being scored they wait, since its run may have read before they came.
        WHERE NOT EXISTS (
            SELECT FROM systole.job j
            WHERE j.kind = 'score-group' AND j.unique_key = format('score-group %s', n.group_id) AND j.state = 'running')
        RETURNING n.group_id)
    SELECT count(systole.enqueue(
        kind => 'score-group', args => jsonb_build_object('group_id', g.group_id),
        unique_key => format('score-group %s', g.group_id), priority => 50::smallint, on_conflict => 'replace'))::integer
    INTO of_groups
    FROM (
        SELECT DISTINCT t.group_id FROM taken t
        JOIN systole.group_watch w USING (group_id) WHERE w.paused_at IS NULL ORDER BY 1) g;
    RETURN of_series + of_groups;
END $$;
COMMENT ON FUNCTION systole.route_news IS
    'Adds the jobs that score what is new of watched series and groups, where they are not there; returns how many.';

-- ---------------------------------------------------------------------------------------------------
-- Incidents of groups
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.incident
    ADD COLUMN group_id bigint,
    ADD COLUMN group_name text,
    ADD COLUMN detector_id bigint,
    ADD COLUMN contributions jsonb,
    ALTER COLUMN model_id DROP NOT NULL,
    DROP CONSTRAINT incident_kind_known,
    ADD CONSTRAINT incident_kind_known CHECK (kind IN ('value', 'no-data', 'level-shift', 'group')),
    DROP CONSTRAINT incident_observed_when_value,
    ADD CONSTRAINT incident_observed_when_value
        CHECK (kind IN ('no-data', 'group') OR num_nulls(observed, expected, p_value) = 0),
    ADD CONSTRAINT incident_of_a_group CHECK (
        CASE kind WHEN 'group' THEN num_nulls(group_id, group_name, detector_id, contributions) = 0
            ELSE num_nonnulls(group_id, group_name, detector_id, contributions) = 0 AND model_id IS NOT NULL END),
    ADD CONSTRAINT incident_contributions_array CHECK (jsonb_typeof(contributions) = 'array');
COMMENT ON COLUMN systole.incident.contributions IS
    'Of an incident of a group: members and their shares of the surprise at the peak, the largest first.';
DROP INDEX systole.incident_one_firing;
-- Keeps one open incident of a kind a series, or a group, and serves the list of those that fire.
CREATE UNIQUE INDEX incident_one_firing ON systole.incident (series_id, kind, coalesce(group_id, 0)) WHERE state = 'firing';
-- Keeps one open incident a group, and serves drop_group.
CREATE UNIQUE INDEX incident_one_firing_group ON systole.incident (group_id) WHERE state = 'firing' AND kind = 'group';

CREATE FUNCTION systole.drop_group(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id   bigint := systole.group_id_of(name);
    open bigint;
BEGIN
    -- A run that scores the group waits, and finds nothing then.
    PERFORM FROM systole.group_watch w WHERE w.group_id = id FOR UPDATE;
    -- Nobody would ever end what fires.
    UPDATE systole.incident i
    SET state = 'resolved', resolved_at = greatest(i.opened_at, i.peak_at, (
        SELECT w.scored_until FROM systole.group_watch w WHERE w.group_id = id))
    WHERE i.group_id = id AND i.state = 'firing' RETURNING i.incident_id INTO open;
    IF open IS NOT NULL THEN
        PERFORM systole.tell_incident('anomaly.resolved', open);
    END IF;
    DELETE FROM systole.series_group g WHERE g.group_id = id;
END $$;
COMMENT ON FUNCTION systole.drop_group IS
    'Removes a group with its watch, detectors and scores; the series stay, and so do its incidents. One that fires is resolved.';

-- Tells of a transition: an opened incident, unless its series is silenced; a resolved one, if its opening was told.
CREATE OR REPLACE FUNCTION systole.tell_incident(type text, id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
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
    -- Times, scores, shares and the model, but no sample: events travel to webhooks.
    PERFORM systole.emit(type, s.key, jsonb_build_object(
            'incident_id', i.incident_id, 'series_id', i.series_id, 'series', s.key,
            'kind', i.kind, 'state', i.state,
            'opened_at', systole.iso8601(i.opened_at),
            'resolved_at', systole.iso8601(i.resolved_at),
            'peak_at', systole.iso8601(i.peak_at), 'peak_score', i.peak_score,
            'threshold', i.threshold, 'model_id', i.model_id)
            || CASE WHEN i.kind = 'group' THEN jsonb_build_object('group_id', i.group_id, 'group', i.group_name,
                'contributions', i.contributions) ELSE '{}' END,
        concat_ws(':', type, i.series_id, i.seq))
    FROM systole.series s WHERE s.series_id = i.series_id;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION systole.webhook_thin(data jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE
        WHEN jsonb_typeof(value) = 'string' AND length(value #>> '{}') > 1000 THEN to_jsonb(left(value #>> '{}', 1000))
        ELSE value END), '{}')
    FROM (
        SELECT key, CASE
            -- Which members, and their shares; whatever else an element might carry stays in the database.
            WHEN key = 'contributions' AND jsonb_typeof(value) = 'array' THEN (
                SELECT jsonb_agg(jsonb_build_object('series', left(c ->> 'series', 400), 'share', c -> 'share'))
                FROM jsonb_array_elements(value) c WHERE jsonb_typeof(c -> 'share') = 'number')
            WHEN jsonb_typeof(value) NOT IN ('object', 'array') THEN value END AS value
        FROM jsonb_each(data)) fields
    WHERE value IS NOT NULL
        AND key = ANY (ARRAY[
            'series', 'series_id', 'recording', 'recording_id', 'source_id', 'endpoint_id', 'job_id',
            'model_id', 'previous_model_id', 'forecast_id', 'incident_id', 'incident_seq', 'group', 'group_id', 'contributions',
            'family', 'version', 'stage', 'kind', 'state', 'direction', 'severity', 'score',
            'peak_at', 'peak_score', 'threshold', 'from', 'until', 'at', 'opened_at', 'resolved_at', 'issued_at',
            'data_until', 'horizon', 'steps', 'rows', 'attempt', 'reason', 'error_class', 'link',
            'failing_since', 'disabled_at', 'schema', 'nominal', 'achieved', 'runs'])
$$;

CREATE OR REPLACE VIEW systole.anomalies AS
SELECT i.incident_id, s.key AS series, i.seq, i.kind, i.state, i.opened_at, i.resolved_at,
    i.peak_at, i.peak_score, i.observed, i.expected, i.p_value, i.threshold, s.unit,
    coalesce(m.family, d.family) AS family, coalesce(m.version, d.version) AS model_version, i.model_id, i.detected_at,
    i.label, i.note, i.told_at, i.group_name, i.contributions
FROM systole.incident AS i
JOIN systole.series AS s USING (series_id)
LEFT JOIN systole.model AS m USING (model_id)
LEFT JOIN systole.group_detector AS d ON d.detector_id = i.detector_id;
COMMENT ON VIEW systole.anomalies IS
    'Incidents. state: firing or resolved; kind: value, no-data, level-shift where the new level has become the normal, or group. '
    'opened_at, resolved_at and peak_at are times of the data, detected_at is when they were seen; observed and expected are those '
    'at the peak. One of kind no-data has score and threshold 0. One of a group is told of the member that had the largest share in '
    'it when it opened.';
COMMENT ON COLUMN systole.anomalies.group_name IS 'The group whose members did not go together; NULL for an incident of a series alone.';
COMMENT ON COLUMN systole.anomalies.contributions IS
    'Of an incident of a group: members and their shares of the surprise at the peak, the largest first, ten at most.';

-- ---------------------------------------------------------------------------------------------------
-- What users see
-- ---------------------------------------------------------------------------------------------------

CREATE VIEW systole.groups AS
SELECT g.name, (SELECT count(*) FROM systole.series_group_member m WHERE m.group_id = g.group_id) AS members,
    ARRAY(SELECT s.key FROM systole.series_group_member m JOIN systole.series s USING (series_id)
        WHERE m.group_id = g.group_id ORDER BY s.key) AS series,
    g.labels, g.step_us * interval '1 microsecond' AS step, g.created_at, g.refreshed_at, g.group_id
FROM systole.series_group g;
COMMENT ON VIEW systole.groups IS
    'Groups of series: members, the step of their common rows, since when. labels is NULL where the members were named.';
COMMENT ON COLUMN systole.groups.refreshed_at IS 'When it was looked last which series have the labels (refresh_group).';

CREATE VIEW systole.group_watches AS
SELECT g.name, w.alerts_per_week, w.share, w.lateness_us * interval '1 microsecond' AS lateness, w.threshold, w.scored_until,
    d.version AS detector_version, d.data_until AS trained_until, d.metrics, w.note, w.paused_at, w.created_at, w.group_id
FROM systole.group_watch w
JOIN systole.series_group g USING (group_id)
LEFT JOIN systole.group_detector d ON d.detector_id = w.detector_id;
COMMENT ON VIEW systole.group_watches IS
    'Every watched group with its alert budget, how far it is scored and by which detector.';
COMMENT ON COLUMN systole.group_watches.note IS 'Why nothing is scored, where that is so.';
COMMENT ON COLUMN systole.group_watches.metrics IS 'What the detector was trained on, and how long that took.';

-- The batches of a group from an instant on, unpacked to rows.
CREATE FUNCTION systole.group_score_rows(of_group bigint, since timestamptz)
RETURNS TABLE (at timestamptz, p_value double precision, score double precision, members bigint[], surprises real[],
    detector_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT at, u.p_value, u.score, b.members,
        b.surprises[(u.place - 1) * cardinality(b.members) + 1:u.place * cardinality(b.members)], b.detector_id
    FROM systole.group_score b
    CROSS JOIN LATERAL unnest(b.at_us, b.p_value, b.score) WITH ORDINALITY AS u (at_us, p_value, score, place)
    CROSS JOIN LATERAL systole.instant_at('1970-01-01 00:00:00+00', u.at_us, 1) AS at
    WHERE b.group_id = of_group AND at >= since
        AND b.last_us >= CASE WHEN isfinite(since) THEN systole.epoch_us(since)
            WHEN since > now() THEN 9223372036854775807 ELSE -9223372036854775807 END
$$;

CREATE FUNCTION systole.group_score(name text, since timestamptz DEFAULT '-infinity')
RETURNS TABLE (at timestamptz, series text, contribution double precision, surprise double precision,
    p_value double precision, score double precision, detector_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT r.at, s.key, coalesce(u.surprise / nullif(sum(u.surprise) OVER (PARTITION BY r.at), 0), 0), u.surprise,
        r.p_value, r.score, r.detector_id
    FROM systole.group_id_of($1) AS wanted (group_id)
    CROSS JOIN LATERAL systole.group_score_rows(wanted.group_id, $2) AS r
    CROSS JOIN LATERAL unnest(r.members, r.surprises) AS m (series_id, stored)
    CROSS JOIN LATERAL (SELECT nullif(m.stored, 'NaN')::double precision) AS u (surprise)
    JOIN systole.series s ON s.series_id = m.series_id
    WHERE u.surprise IS NOT NULL
    ORDER BY r.at, 3 DESC, s.key
$$;
COMMENT ON FUNCTION systole.group_score IS
    'Every scored row of a group since an instant, member by member: contribution is its share of the surprise, from 0 to 1, '
    'surprise its squared error in units of what is usual for it. p_value and score are those of the row. A member that was '
    'missing, or that never varied in training, has none.';

CREATE FUNCTION systole.group_scores(name text, since timestamptz DEFAULT '-infinity')
RETURNS TABLE (at timestamptz, p_value double precision, score double precision, series text,
    contribution double precision, detector_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (s.at) s.at, s.p_value, s.score, s.series, s.contribution, s.detector_id
    FROM systole.group_score($1, $2) s ORDER BY s.at, s.contribution DESC, s.series
$$;
COMMENT ON FUNCTION systole.group_scores IS
    'The score of every row of a group since an instant, with the member that has the largest share in it. p_value: probability of '
    'a row at least as surprising; score = -log10 of it.';

-- ---------------------------------------------------------------------------------------------------
-- Promises, and who may do what
-- ---------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW systole.job_result AS
SELECT 'forecast ' || forecast_id AS result, job_id, lease_no FROM systole.forecast WHERE job_id IS NOT NULL
UNION ALL
SELECT 'model ' || model_id, job_id, lease_no FROM systole.model WHERE job_id IS NOT NULL
UNION ALL
SELECT 'score ' || series_id || '/' || last_us, job_id, lease_no FROM systole.anomaly_score
WHERE job_id IS NOT NULL
UNION ALL
SELECT 'group detector ' || detector_id, job_id, lease_no FROM systole.group_detector WHERE job_id IS NOT NULL
UNION ALL
SELECT 'group score ' || group_id || '/' || last_us, job_id, lease_no FROM systole.group_score WHERE job_id IS NOT NULL;
COMMENT ON VIEW systole.job_result IS
    'Every forecast, model, detector of a group and batch of scores that a job left, with the run (job_id, lease_no) that left it.';

-- As in 0016, and scores of groups never change; two groups may each have an incident open on one series.
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
            AND (t.relname IN ('forecast', 'anomaly_score', 'group_score', 'group_detector') OR t.relname LIKE 'job\_history\_%'))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no two incidents of one kind are open on one series', ARRAY(
        SELECT 'series ' || i.series_id FROM systole.incident i
        WHERE i.state = 'firing' GROUP BY i.series_id, i.kind, i.group_id HAVING count(*) > 1)) v;
END $$;

INSERT INTO systole.privilege (role, object, rights)
SELECT role, object, rights
FROM (VALUES
    ('{systole_api}'::text[], 'EXECUTE', '{create_group,refresh_group,drop_group,watch_group,unwatch_group}'::text[]),
    ('{systole_api,systole_worker,systole_reader}', 'EXECUTE', '{group_score,group_scores,group_id_of}'),
    ('{systole_api,systole_worker,systole_reader}', 'SELECT', '{groups,group_watches}'),
    ('{systole_worker}', 'SELECT', '{series_group,series_group_member}'),
    ('{systole_worker}', 'SELECT, UPDATE', '{group_watch}'),
    ('{systole_worker}', 'SELECT, INSERT', '{group_detector,group_score}'),
    ('{systole_worker}', 'SELECT, DELETE', '{group_news}')
) AS given (roles, rights, objects), unnest(roles) AS role, unnest(objects) AS object;
SELECT systole.apply_privileges();
