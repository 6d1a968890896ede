-- 0014_webhooks_complete.sql: sealed and asymmetric secrets, notices before an endpoint is disabled, replays of a range, one
-- number an event of an incident, and how long events are kept.
-- Locks: two tables of webhooks for a moment; a running notifier waits for it.
--
-- Errors: SY031 unusable webhook setting, as before.
SET LOCAL lock_timeout = '2s';

INSERT INTO systole.webhook_event_type (type, description) VALUES
    ('endpoint.failing', 'A webhook endpoint has failed for half, seven or nine tenths of the time after which it is disabled.');

ALTER TABLE systole.webhook_endpoint
    ADD COLUMN signature  text     NOT NULL DEFAULT 'v1',
    ADD COLUMN public_key text,
    ADD COLUMN notices    smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT webhook_endpoint_signature_known CHECK (signature IN ('v1', 'v1a')),
    ADD CONSTRAINT webhook_endpoint_public_key_when_asymmetric
        CHECK (public_key IS NULL OR (signature = 'v1a' AND public_key ~ '^whpk_[A-Za-z0-9+/]{43}=$'));
COMMENT ON COLUMN systole.webhook_endpoint.secret IS
    'whsec_ (v1) or whsk_ (v1a) and base64, or sealed:KEY:…, which only who holds the key of that id can open.';
COMMENT ON COLUMN systole.webhook_endpoint.notices IS 'How many of the three notices its present failure has brought.';

-- Every row is written three times and then kept for 30 days: without this, dead rows wait for a fifth of all of them.
ALTER TABLE systole.webhook_delivery SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE systole.webhook_endpoint SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- How many events of an incident were fanned out: its next one gets the next number. Kept for ever, as incidents are.
CREATE TABLE systole.webhook_incident (
    incident_id bigint NOT NULL,
    events      bigint NOT NULL,

    CONSTRAINT webhook_incident_pkey PRIMARY KEY (incident_id),
    CONSTRAINT webhook_incident_events_counted CHECK (events > 0)
);
COMMENT ON TABLE systole.webhook_incident IS
    'The number of the newest event of each incident (incident_seq in webhooks): 1 when it opened, without holes.';

-- Inside -----------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION systole.webhook_thin(data jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE
        WHEN jsonb_typeof(value) = 'string' AND length(value #>> '{}') > 1000 THEN to_jsonb(left(value #>> '{}', 1000))
        ELSE value END), '{}')
    FROM jsonb_each(data)
    WHERE jsonb_typeof(value) NOT IN ('object', 'array')
        AND key = ANY (ARRAY[
            'series', 'series_id', 'recording', 'recording_id', 'source_id', 'endpoint_id', 'job_id',
            'model_id', 'previous_model_id', 'forecast_id', 'incident_id', 'incident_seq',
            'family', 'version', 'stage', 'kind', 'state', 'direction', 'severity', 'score',
            'peak_at', 'peak_score', 'threshold', 'from', 'until', 'at', 'opened_at', 'resolved_at', 'issued_at',
            'data_until', 'horizon', 'steps', 'rows', 'attempt', 'reason', 'error_class', 'link',
            'failing_since', 'disabled_at', 'schema'])
$$;
COMMENT ON FUNCTION systole.webhook_thin IS
    'The part of an event''s data that a thin webhook carries: known identifiers, states, times and '
    'scores, texts up to 1000 characters. A field not listed here, a measured value above all, stays in the database.';

CREATE FUNCTION systole.webhook_full(data jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE jsonb_typeof(value)
        WHEN 'object' THEN systole.webhook_full(value) ELSE value END), '{}')
    FROM jsonb_each(data)
    WHERE lower(key) !~ '^(subject|patient|person)(_?(id|key|name|number))?$|^(mrn|medical_record_number|birth_?date|date_of_birth)$'
$$;
COMMENT ON FUNCTION systole.webhook_full IS
    'The part of an event''s data that a full webhook carries: all but what names a person.';

CREATE FUNCTION systole.webhook_secret_fault(secret text, signature text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    prefix text := CASE signature WHEN 'v1a' THEN 'whsk_' ELSE 'whsec_' END;
    body   text := substring(secret FROM length(prefix) + 1);
    bytes  integer;
BEGIN
    IF secret ~ '^sealed:[0-9a-f]{16}:[A-Za-z0-9+/]+={0,2}$' THEN
        RETURN NULL;
    END IF;
    IF left(secret, length(prefix)) <> prefix THEN
        RETURN format('a webhook secret of %s starts with %s', signature, prefix);
    END IF;
    IF body !~ '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$' THEN
        RETURN format('behind %s a webhook secret is standard base64', prefix);
    END IF;
    bytes := octet_length(decode(body, 'base64'));
    RETURN CASE
        WHEN signature = 'v1' AND bytes NOT BETWEEN 24 AND 64 THEN
            format('a webhook secret of v1 has 24 to 64 bytes, not %s', bytes)
        WHEN signature = 'v1a' AND bytes NOT IN (32, 64) THEN
            format('a webhook key of v1a has 32 or 64 bytes, not %s', bytes)
    END;
END $$;
COMMENT ON FUNCTION systole.webhook_secret_fault IS
    'What is wrong with a signing secret; NULL where nothing is. Never repeats any of it.';

CREATE FUNCTION systole.check_webhook_secret(secret text, signature text, public_key text) RETURNS void
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    fault text := CASE
        WHEN signature IS NULL OR signature NOT IN ('v1', 'v1a') THEN format('there is no signature %L', signature)
        WHEN public_key IS NOT NULL AND (signature <> 'v1a' OR public_key !~ '^whpk_[A-Za-z0-9+/]{43}=$') THEN
            'a public key is whpk_ and 32 bytes in base64, and goes with v1a'
        ELSE systole.webhook_secret_fault(secret, signature)
    END;
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SY031', MESSAGE = fault,
            HINT = 'Accepted: v1 with whsec_…, v1a with whsk_…; without a secret one is made.';
    END IF;
END $$;
COMMENT ON FUNCTION systole.check_webhook_secret IS 'Raises SY031 unless these can sign webhooks together.';

-- The contract -----------------------------------------------------------------------------------

DROP FUNCTION systole.add_webhook(text, text[], text, text);
CREATE FUNCTION systole.add_webhook(
    url text, events text[] DEFAULT '{anomaly.opened,anomaly.resolved}',
    description text DEFAULT NULL, payload text DEFAULT 'thin', signature text DEFAULT 'v1',
    secret text DEFAULT NULL, public_key text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    fault   text := systole.webhook_url_fault(url);
    unknown text;
    made    text := CASE WHEN secret IS NULL THEN systole.webhook_secret_new() END;
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY004', MESSAGE = fault,
            HINT = 'Accepted: https://HOST/PATH; http:// only to 127.0.0.1, [::1] or localhost.';
    END IF;
    SELECT string_agg(DISTINCT coalesce(quote_literal(e), 'NULL'), ', ') INTO unknown
    FROM unnest(events) AS e
    WHERE NOT EXISTS (SELECT FROM systole.webhook_event_type AS t WHERE t.type = e);
    IF unknown IS NOT NULL OR coalesce(cardinality(events), 0) = 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY031',
            MESSAGE = coalesce('there is no event type ' || unknown, 'no event type is named'),
            HINT = 'Accepted: ' || (
                SELECT string_agg(t.type, ', ' ORDER BY t.type) FROM systole.webhook_event_type AS t
            ) || '.';
    END IF;
    IF payload IS NULL OR payload NOT IN ('thin', 'full') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY031', MESSAGE = format('there is no payload %L', payload),
            HINT = 'Accepted: thin, full.';
    END IF;
    IF signature = 'v1a' THEN
        made := replace(made, 'whsec_', 'whsk_');
    END IF;
    PERFORM systole.check_webhook_secret(coalesce(secret, made), signature, public_key);
    INSERT INTO systole.webhook_endpoint (url, events, description, payload, signature, secret, public_key)
    VALUES (
        url, ARRAY(SELECT DISTINCT e FROM unnest(events) AS e ORDER BY e), left(description, 1000),
        payload, signature, coalesce(secret, made), public_key);
    RETURN CASE signature WHEN 'v1a' THEN public_key ELSE made END;
END $$;
COMMENT ON FUNCTION systole.add_webhook IS
    'Registers a receiver for events and returns its signing secret, which is not shown again. '
    'Bodies are signed by Standard Webhooks 1.0.0. Example: '
    'SELECT systole.add_webhook(''https://example.org/hook'', events => ''{anomaly.opened}''); '
    'With signature => ''v1a'' receivers verify by a public key, which no one can sign with: systole.webhooks shows it once a '
    'notifier has derived it. secret brings one of your own, whsec_ or whsk_; nothing is returned for it.';

DROP FUNCTION systole.rotate_webhook(bigint, interval);
CREATE FUNCTION systole.rotate_webhook(
    endpoint_id bigint, overlap interval DEFAULT '24 hours', signature text DEFAULT NULL,
    secret text DEFAULT NULL, public_key text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
    scheme   text := coalesce(rotate_webhook.signature, endpoint.signature);
    made     text := CASE WHEN rotate_webhook.secret IS NULL THEN systole.webhook_secret_new() END;
BEGIN
    IF overlap IS NULL OR overlap < interval '0' OR overlap > interval '7 days' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY031', MESSAGE = format('two secrets cannot overlap for %s', coalesce(overlap::text, 'NULL')),
            HINT = 'Accepted: from 0 to 7 days.';
    END IF;
    IF scheme = 'v1a' THEN
        made := replace(made, 'whsec_', 'whsk_');
    END IF;
    PERFORM systole.check_webhook_secret(coalesce(rotate_webhook.secret, made), scheme, rotate_webhook.public_key);
    UPDATE systole.webhook_endpoint AS e
    SET secret = coalesce(rotate_webhook.secret, made), signature = scheme, public_key = rotate_webhook.public_key,
        secret_previous = CASE WHEN overlap > interval '0' THEN endpoint.secret END,
        secret_previous_until = CASE WHEN overlap > interval '0' THEN now() + overlap END
    WHERE e.endpoint_id = endpoint.endpoint_id;
    RETURN CASE scheme WHEN 'v1a' THEN rotate_webhook.public_key ELSE made END;
END $$;
COMMENT ON FUNCTION systole.rotate_webhook IS
    'Gives an endpoint a new secret and returns it, once. Until the overlap ends every webhook carries '
    'a signature by each of the two, so that the receiver can change over without losing one. '
    'signature changes between v1 and v1a in the same way; secret and public_key as in add_webhook.';

CREATE OR REPLACE FUNCTION systole.enable_webhook(endpoint_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
BEGIN
    UPDATE systole.webhook_endpoint AS e
    SET state = 'enabled', disabled_reason = NULL, failures_consecutive = 0, failing_since = NULL,
        paused_until = NULL, notices = 0
    WHERE e.endpoint_id = endpoint.endpoint_id;
END $$;

CREATE OR REPLACE FUNCTION systole.remove_webhook(endpoint_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
BEGIN
    UPDATE systole.webhook_endpoint AS e
    SET state = 'removed', disabled_reason = NULL, secret = '', secret_previous = NULL,
        secret_previous_until = NULL, public_key = NULL
    WHERE e.endpoint_id = endpoint.endpoint_id;
    UPDATE systole.webhook_delivery AS d
    SET state = 'exhausted', lease_until = NULL, finished_at = now()
    WHERE d.endpoint_id = endpoint.endpoint_id AND d.state IN ('waiting', 'running');
END $$;

DROP FUNCTION systole.replay_webhooks(bigint, timestamptz);
CREATE FUNCTION systole.replay_webhooks(
    endpoint_id bigint, since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    accepted boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
    begin_at timestamptz := coalesce(
        replay_webhooks.since,
        (SELECT max(d.finished_at) FROM systole.webhook_delivery AS d
         WHERE d.endpoint_id = endpoint.endpoint_id AND d.state = 'accepted'),
        '-infinity');
    replayed bigint;
BEGIN
    IF replay_webhooks.until < replay_webhooks.since THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY031', MESSAGE = format('nothing lies between %s and %s', since, until),
            HINT = 'Accepted: since before until.';
    END IF;
    IF replay_webhooks.accepted AND replay_webhooks.since IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY031', MESSAGE = 'what was accepted is sent again only from a time on',
            HINT = 'Give since, and until if you want.';
    END IF;
    UPDATE systole.webhook_delivery AS d
    SET state = 'waiting', attempts = 0, next_try_at = now(), finished_at = NULL
    WHERE d.endpoint_id = endpoint.endpoint_id
        AND (d.state = 'exhausted' OR (d.state = 'accepted' AND replay_webhooks.accepted))
        AND d.finished_at >= begin_at AND d.finished_at <= coalesce(replay_webhooks.until, 'infinity');
    GET DIAGNOSTICS replayed = ROW_COUNT;
    RETURN replayed;
END $$;
COMMENT ON FUNCTION systole.replay_webhooks IS
    'Sends again what an endpoint did not get: everything given up from since (or its last success) until a time (or now). '
    'With accepted => true also what it did get then, as after a receiver has lost its data. Message ids and bodies '
    'are those of before. Returns how many deliveries that are.';

CREATE FUNCTION systole.prune_outbox(keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM systole.outbox AS o
    WHERE o.event_id IN (
        SELECT old.event_id FROM systole.outbox AS old
        WHERE old.at < now() - keep AND NOT EXISTS (
            SELECT FROM systole.outbox_cursor AS c WHERE (c.xid, c.event_id) < (old.xid, old.event_id))
        ORDER BY old.event_id LIMIT 50000);
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
COMMENT ON FUNCTION systole.prune_outbox IS
    'Deletes up to 50000 events older than keep that every reader has passed; returns how many. The notifier calls it every hour.';

CREATE OR REPLACE VIEW systole.webhooks AS
SELECT e.endpoint_id, e.url, e.events, e.description, e.payload, e.state, e.disabled_reason,
    CASE WHEN e.paused_until > now() THEN e.paused_until END AS paused_until,
    e.failures_consecutive, e.failing_since,
    CASE WHEN e.state = 'enabled' THEN e.failing_since + interval '5 days' END AS disabled_at,
    (SELECT count(*) FROM systole.webhook_delivery AS d
     WHERE d.endpoint_id = e.endpoint_id AND d.state IN ('waiting', 'running')) AS owed,
    (SELECT max(d.finished_at) FROM systole.webhook_delivery AS d
     WHERE d.endpoint_id = e.endpoint_id AND d.state = 'accepted') AS accepted_last_at,
    CASE WHEN e.secret_previous_until > now() THEN e.secret_previous_until END
        AS secret_previous_until,
    e.created_at, e.signature, e.public_key, e.secret LIKE 'sealed:%' AS is_sealed
FROM systole.webhook_endpoint AS e
WHERE e.state <> 'removed';
COMMENT ON VIEW systole.webhooks IS
    'Every webhook endpoint without its secrets. paused_until: nothing is attempted before. '
    'disabled_at: when it is disabled unless an attempt succeeds, five days after the first failure; endpoint.failing tells of it '
    'at half, seven and nine tenths of that time. public_key: what receivers verify v1a with. is_sealed: whether the secret '
    'lies encrypted, under the notifier''s key.';

INSERT INTO systole.privilege (role, object, rights) VALUES
    ('systole_notify', 'webhook_incident', 'SELECT, INSERT, UPDATE'),
    ('systole_notify', 'prune_outbox', 'EXECUTE');
REVOKE ALL ON systole.webhook_incident FROM PUBLIC;
SELECT systole.apply_privileges();
