-- 0004_webhooks.sql: endpoints that are told about events, what is owed to them, and every attempt.
-- Locks: new objects only; a running service notices nothing.
-- Roles come in a later migration; until then nothing here is open to PUBLIC, and the secrets are
-- in webhook_endpoint alone, which no view repeats.
--
-- Errors: SY004 unusable webhook address, SY030 unknown webhook endpoint or delivery,
--         SY031 unusable webhook setting.
SET LOCAL lock_timeout = '2s';

-- What can be told -------------------------------------------------------------------------------

CREATE TABLE systole.webhook_event_type (
    type        text NOT NULL,
    description text NOT NULL,

    CONSTRAINT webhook_event_type_pkey PRIMARY KEY (type)
);
INSERT INTO systole.webhook_event_type (type, description) VALUES
    ('anomaly.opened', 'An incident began: a series left what was expected of it.'),
    ('anomaly.updated', 'An open incident changed.'),
    ('anomaly.resolved', 'An incident ended.'),
    ('forecast.completed', 'A forecast was issued.'),
    ('forecast.failed', 'A forecast job failed for good.'),
    ('model.promoted', 'Another model of a series went live.'),
    ('recording.damaged', 'A recording could be stored in part only.'),
    ('series.extended', 'Observations were stored.'),
    ('data.gap', 'A series stopped delivering.'),
    ('data.resumed', 'A series delivers again.'),
    ('endpoint.disabled', 'A webhook endpoint was disabled, with the reason.');
COMMENT ON TABLE systole.webhook_event_type IS
    'The event types a webhook may be registered for; ping goes to one endpoint, by test_webhook.';

CREATE TABLE systole.webhook_endpoint (
    endpoint_id           bigint      GENERATED ALWAYS AS IDENTITY,
    url                   text        NOT NULL,
    description           text,
    events                text[]      NOT NULL,
    payload               text        NOT NULL DEFAULT 'thin',
    secret                text        NOT NULL,
    secret_previous       text,
    secret_previous_until timestamptz,
    state                 text        NOT NULL DEFAULT 'enabled',
    disabled_reason       text,
    failures_consecutive  integer     NOT NULL DEFAULT 0,
    failing_since         timestamptz,
    paused_until          timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (endpoint_id),
    CONSTRAINT webhook_endpoint_url_short CHECK (length(url) BETWEEN 1 AND 2048),
    CONSTRAINT webhook_endpoint_description_short CHECK (length(description) <= 1000),
    CONSTRAINT webhook_endpoint_payload_known CHECK (payload IN ('thin', 'full')),
    CONSTRAINT webhook_endpoint_state_known CHECK (state IN ('enabled', 'disabled', 'removed')),
    CONSTRAINT webhook_endpoint_reason_when_disabled
        CHECK ((disabled_reason IS NOT NULL) = (state = 'disabled')),
    CONSTRAINT webhook_endpoint_rotation_has_end
        CHECK ((secret_previous IS NULL) = (secret_previous_until IS NULL)),
    CONSTRAINT webhook_endpoint_failing_counted
        CHECK ((failing_since IS NOT NULL) = (failures_consecutive > 0))
);
COMMENT ON TABLE systole.webhook_endpoint IS
    'Receivers of webhooks, with their signing secrets. Read systole.webhooks instead.';
COMMENT ON COLUMN systole.webhook_endpoint.payload IS
    'thin: identifiers, states and times, by systole.webhook_thin; full: all of the event''s data.';
COMMENT ON COLUMN systole.webhook_endpoint.paused_until IS
    'No delivery is attempted before: the endpoint failed 20 times in a row, or asked for a pause.';

-- Health data: the body is what was decided when the event happened and the exact bytes that are
-- signed. No foreign key to outbox, whose rows go at an age of their own.
CREATE TABLE systole.webhook_delivery (
    delivery_id   bigint      GENERATED ALWAYS AS IDENTITY,
    endpoint_id   bigint      NOT NULL,
    event_id      bigint      NOT NULL,
    event_type    text        NOT NULL,
    message_id    text        NOT NULL,
    body          bytea       NOT NULL,
    state         text        NOT NULL DEFAULT 'waiting',
    attempts      smallint    NOT NULL DEFAULT 0,
    next_try_at   timestamptz NOT NULL DEFAULT now(),
    lease_no      integer     NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    finished_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (delivery_id),
    CONSTRAINT webhook_delivery_once UNIQUE (event_id, endpoint_id),
    CONSTRAINT webhook_delivery_endpoint_known
        FOREIGN KEY (endpoint_id) REFERENCES systole.webhook_endpoint,
    -- A dot would make the signed content ambiguous.
    CONSTRAINT webhook_delivery_message_id_safe CHECK (message_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    CONSTRAINT webhook_delivery_state_known
        CHECK (state IN ('waiting', 'running', 'accepted', 'exhausted')),
    CONSTRAINT webhook_delivery_lease_when_running
        CHECK ((lease_until IS NOT NULL) = (state = 'running')),
    CONSTRAINT webhook_delivery_finished_when_final
        CHECK ((finished_at IS NOT NULL) = (state IN ('accepted', 'exhausted')))
);
-- Serves the claim in DeliveryStore, which takes an endpoint's due rows in this order.
CREATE INDEX webhook_delivery_due
    ON systole.webhook_delivery (endpoint_id, next_try_at, delivery_id) WHERE state = 'waiting';
-- Serves the count of an endpoint's running deliveries and the search for leases that ran out.
CREATE INDEX webhook_delivery_running
    ON systole.webhook_delivery (endpoint_id, lease_until) WHERE state = 'running';
-- Serves prune_webhooks and replay_webhooks, which look at an endpoint's finished deliveries by age.
CREATE INDEX webhook_delivery_finished
    ON systole.webhook_delivery (endpoint_id, finished_at) WHERE finished_at IS NOT NULL;
COMMENT ON COLUMN systole.webhook_delivery.attempts IS
    'Attempts ended since the delivery was made or last replayed; ten are made in all.';
COMMENT ON COLUMN systole.webhook_delivery.lease_no IS
    'Counts the claims: whoever holds an older number records nothing.';

CREATE TABLE systole.webhook_attempt (
    delivery_id    bigint      NOT NULL,
    attempt        integer     NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    status         integer,
    error_class    text,
    reason         text,
    milliseconds   integer,
    remote_address text,
    answer_bytes   integer,
    answer_head    bytea,

    CONSTRAINT webhook_attempt_pkey PRIMARY KEY (delivery_id, attempt),
    CONSTRAINT webhook_attempt_delivery_known
        FOREIGN KEY (delivery_id) REFERENCES systole.webhook_delivery ON DELETE CASCADE,
    CONSTRAINT webhook_attempt_says_something
        CHECK (status IS NOT NULL OR error_class IS NOT NULL),
    CONSTRAINT webhook_attempt_head_short CHECK (octet_length(answer_head) <= 4096)
);
COMMENT ON COLUMN systole.webhook_attempt.error_class IS
    'Why there was no usable answer, in one word; lost where the sender died and nobody knows.';
COMMENT ON COLUMN systole.webhook_attempt.attempt IS 'The lease number under which it was made.';
COMMENT ON COLUMN systole.webhook_attempt.answer_head IS
    'The first 4 kB that the receiver answered, kept for refusals only.';

-- Inside -----------------------------------------------------------------------------------------

CREATE FUNCTION systole.webhook_url_fault(url text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    scheme    text := lower(substring(url FROM '^([A-Za-z][A-Za-z0-9+.-]*)://'));
    authority text := substring(url FROM '^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)');
    host      text := lower(substring(authority FROM '^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?$'));
    port      integer := substring(authority FROM ':([0-9]{1,5})$');
BEGIN
    RETURN CASE
        WHEN url IS NULL OR url = '' THEN 'the webhook address is empty'
        WHEN length(url) > 2048 THEN
            format('the webhook address has %s characters; accepted: up to 2048', length(url))
        -- A backslash is a slash to some readers of URLs and a letter to others.
        WHEN url ~ '[^\x21-\x5b\x5d-\x7e]' THEN
            'the webhook address has a space, a backslash, a control character or one outside ASCII'
        WHEN scheme IS NULL THEN 'the webhook address has no scheme'
        WHEN scheme NOT IN ('https', 'http') THEN
            format('the webhook address starts with %s://', scheme)
        WHEN authority LIKE '%@%' THEN 'the webhook address carries a user name or password'
        WHEN host IS NULL THEN 'the webhook address names no usable host'
        WHEN port NOT BETWEEN 1 AND 65535 THEN
            format('the webhook address names port %s', port)
        WHEN scheme = 'http' AND host <> 'localhost' AND host <> '[::1]'
            AND host !~ '^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$' THEN
            format('the webhook address starts with http:// and leaves this machine, to %s', host)
    END;
END $$;
COMMENT ON FUNCTION systole.webhook_url_fault IS
    'What is wrong with a webhook address; NULL where nothing is. Never repeats its path, which may be a secret.';

-- The entropy comes from gen_random_uuid, whose 122 random bits are of the server's strong random
-- source (core has no function for random bytes): four of them give 488 bits, which SHA-256 condenses
-- to the 256 of the secret.
CREATE FUNCTION systole.webhook_secret_new() RETURNS text
LANGUAGE sql VOLATILE AS $$
    SELECT 'whsec_' || encode(
        sha256(
            uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
            || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
        'base64')
$$;
COMMENT ON FUNCTION systole.webhook_secret_new IS
    'A new signing secret: 32 random bytes as whsec_ and base64 (Standard Webhooks 1.0.0).';

CREATE FUNCTION systole.webhook_endpoint_of(endpoint_id bigint) RETURNS systole.webhook_endpoint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found systole.webhook_endpoint;
BEGIN
    SELECT e.* INTO found FROM systole.webhook_endpoint AS e
    WHERE e.endpoint_id = webhook_endpoint_of.endpoint_id AND e.state <> 'removed'
    FOR UPDATE;
    IF found.endpoint_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY030',
            MESSAGE = format('there is no webhook endpoint %s', coalesce(endpoint_id::text, 'NULL')),
            HINT = 'All endpoints: SELECT * FROM systole.webhooks;';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION systole.webhook_endpoint_of IS
    'Locks and returns an endpoint that was not removed; raises SY030 where there is none.';

CREATE FUNCTION systole.webhook_thin(data jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, value), '{}')
    FROM jsonb_each(data)
    WHERE jsonb_typeof(value) NOT IN ('object', 'array')
        AND key = ANY (ARRAY[
            'series', 'series_id', 'recording', 'recording_id', 'source_id', 'endpoint_id', 'job_id',
            'model_id', 'previous_model_id', 'forecast_id', 'incident_id', 'incident_seq',
            'family', 'version', 'stage', 'kind', 'state', 'direction', 'severity', 'score',
            'peak_at', 'peak_score', 'threshold', 'from', 'until', 'at', 'opened_at', 'resolved_at', 'issued_at',
            'data_until', 'horizon', 'steps', 'rows', 'attempt', 'reason', 'error_class', 'link',
            'schema'])
$$;
COMMENT ON FUNCTION systole.webhook_thin IS
    'The part of an event''s data that a thin webhook carries: known identifiers, states, times and '
    'scores. A field not listed here, a measured value above all, stays in the database.';

-- The contract -----------------------------------------------------------------------------------

CREATE FUNCTION systole.add_webhook(
    url text, events text[] DEFAULT '{anomaly.opened,anomaly.resolved}',
    description text DEFAULT NULL, payload text DEFAULT 'thin')
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    fault   text := systole.webhook_url_fault(url);
    unknown text;
    secret  text := systole.webhook_secret_new();
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
    INSERT INTO systole.webhook_endpoint (url, events, description, payload, secret)
    VALUES (
        url, ARRAY(SELECT DISTINCT e FROM unnest(events) AS e ORDER BY e), left(description, 1000),
        payload, secret);
    RETURN secret;
END $$;
COMMENT ON FUNCTION systole.add_webhook IS
    'Registers a receiver for events and returns its signing secret, which is not shown again. '
    'Bodies are signed by Standard Webhooks 1.0.0. Example: '
    'SELECT systole.add_webhook(''https://example.org/hook'', events => ''{anomaly.opened}'');';

CREATE FUNCTION systole.test_webhook(endpoint_id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
BEGIN
    RETURN systole.emit(
        'ping', endpoint.endpoint_id::text,
        jsonb_build_object('endpoint_id', endpoint.endpoint_id));
END $$;
COMMENT ON FUNCTION systole.test_webhook IS
    'Sends a ping to one endpoint and returns the number of its event; see systole.webhook_log for the answer.';

CREATE FUNCTION systole.disable_webhook(endpoint_id bigint, reason text DEFAULT 'disabled by hand')
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
BEGIN
    UPDATE systole.webhook_endpoint AS e
    SET state = 'disabled', disabled_reason = left(coalesce(reason, 'disabled by hand'), 1000)
    WHERE e.endpoint_id = endpoint.endpoint_id;
END $$;
COMMENT ON FUNCTION systole.disable_webhook IS
    'Stops sending to an endpoint. Its events are kept and sent once it is enabled again.';

CREATE FUNCTION systole.enable_webhook(endpoint_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
BEGIN
    UPDATE systole.webhook_endpoint AS e
    SET state = 'enabled', disabled_reason = NULL, failures_consecutive = 0, failing_since = NULL,
        paused_until = NULL
    WHERE e.endpoint_id = endpoint.endpoint_id;
END $$;
COMMENT ON FUNCTION systole.enable_webhook IS
    'Sends to an endpoint again, what was kept meanwhile first; forgets its failures.';

CREATE FUNCTION systole.remove_webhook(endpoint_id bigint) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
BEGIN
    UPDATE systole.webhook_endpoint AS e
    SET state = 'removed', disabled_reason = NULL, secret = '', secret_previous = NULL,
        secret_previous_until = NULL
    WHERE e.endpoint_id = endpoint.endpoint_id;
    UPDATE systole.webhook_delivery AS d
    SET state = 'exhausted', lease_until = NULL, finished_at = now()
    WHERE d.endpoint_id = endpoint.endpoint_id AND d.state IN ('waiting', 'running');
END $$;
COMMENT ON FUNCTION systole.remove_webhook IS
    'Removes an endpoint and forgets its secret; what it was still owed is given up. Its log stays.';

CREATE FUNCTION systole.rotate_webhook(endpoint_id bigint, overlap interval DEFAULT '24 hours')
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    endpoint systole.webhook_endpoint := systole.webhook_endpoint_of(endpoint_id);
    renewed  text := systole.webhook_secret_new();
BEGIN
    IF overlap IS NULL OR overlap < interval '0' OR overlap > interval '7 days' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY031', MESSAGE = format('two secrets cannot overlap for %s', coalesce(overlap::text, 'NULL')),
            HINT = 'Accepted: from 0 to 7 days.';
    END IF;
    UPDATE systole.webhook_endpoint AS e
    SET secret = renewed,
        secret_previous = CASE WHEN overlap > interval '0' THEN endpoint.secret END,
        secret_previous_until = CASE WHEN overlap > interval '0' THEN now() + overlap END
    WHERE e.endpoint_id = endpoint.endpoint_id;
    RETURN renewed;
END $$;
COMMENT ON FUNCTION systole.rotate_webhook IS
    'Gives an endpoint a new secret and returns it, once. Until the overlap ends every webhook carries '
    'a signature by each of the two, so that the receiver can change over without losing one.';

CREATE FUNCTION systole.replay_webhook(delivery_id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found systole.webhook_delivery;
BEGIN
    SELECT d.* INTO found FROM systole.webhook_delivery AS d
    WHERE d.delivery_id = replay_webhook.delivery_id
        AND d.endpoint_id IN (
            SELECT e.endpoint_id FROM systole.webhook_endpoint AS e WHERE e.state <> 'removed')
    FOR UPDATE;
    IF found.delivery_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY030',
            MESSAGE = format(
                'there is no webhook delivery %s', coalesce(replay_webhook.delivery_id::text, 'NULL')),
            HINT = 'All deliveries: SELECT * FROM systole.webhook_log;';
    END IF;
    IF found.state <> 'running' THEN
        UPDATE systole.webhook_delivery AS d
        SET state = 'waiting', attempts = 0, next_try_at = now(), finished_at = NULL
        WHERE d.delivery_id = found.delivery_id;
    END IF;
    RETURN found.delivery_id;
END $$;
COMMENT ON FUNCTION systole.replay_webhook IS
    'Sends a delivery again, with the same message id and body; one that is being sent is left alone.';

CREATE FUNCTION systole.replay_webhooks(endpoint_id bigint, since timestamptz DEFAULT NULL)
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
    UPDATE systole.webhook_delivery AS d
    SET state = 'waiting', attempts = 0, next_try_at = now(), finished_at = NULL
    WHERE d.endpoint_id = endpoint.endpoint_id AND d.state = 'exhausted'
        AND d.finished_at >= begin_at;
    GET DIAGNOSTICS replayed = ROW_COUNT;
    RETURN replayed;
END $$;
COMMENT ON FUNCTION systole.replay_webhooks IS
    'Sends again what an endpoint did not get: everything given up since a time, or since its last '
    'success. Returns how many deliveries that are.';

CREATE FUNCTION systole.prune_webhooks(keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM systole.webhook_delivery AS d
    WHERE d.finished_at < now() - keep
        OR (d.state = 'waiting' AND d.created_at < now() - keep AND d.endpoint_id IN (
            SELECT e.endpoint_id FROM systole.webhook_endpoint AS e WHERE e.state = 'disabled'));
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$;
COMMENT ON FUNCTION systole.prune_webhooks IS
    'Deletes deliveries that ended longer ago than keep, and those that a disabled endpoint has been '
    'owed for longer; returns how many. The notifier calls it every hour.';

CREATE VIEW systole.webhooks AS
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
    e.created_at
FROM systole.webhook_endpoint AS e
WHERE e.state <> 'removed';
COMMENT ON VIEW systole.webhooks IS
    'Every webhook endpoint without its secrets. paused_until: nothing is attempted before. '
    'disabled_at: when it is disabled unless an attempt succeeds, five days after the first failure.';

CREATE VIEW systole.webhook_log AS
SELECT d.delivery_id, d.endpoint_id, e.url, d.event_type, d.message_id, d.state, d.attempts,
    d.finished_at, a.attempt, a.at, a.status, a.error_class, a.reason, a.milliseconds, a.remote_address, a.answer_bytes,
    encode(a.answer_head, 'escape') AS answer_head,
    CASE WHEN d.state = 'waiting' THEN d.next_try_at END AS next_try_at,
    d.event_id, d.created_at
FROM systole.webhook_delivery AS d
JOIN systole.webhook_endpoint AS e USING (endpoint_id)
LEFT JOIN systole.webhook_attempt AS a USING (delivery_id);
COMMENT ON VIEW systole.webhook_log IS
    'Every delivery and its attempts, one row an attempt; attempt is NULL where none was made yet. '
    'state: waiting, running, accepted (answered 2xx) or exhausted (given up). attempts counts those '
    'of the delivery since it was made or replayed; the columns from attempt on are one attempt''s.';

REVOKE ALL ON
    systole.webhook_endpoint, systole.webhook_delivery, systole.webhook_attempt,
    systole.webhook_event_type, systole.webhooks, systole.webhook_log
FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION
    systole.webhook_url_fault, systole.webhook_secret_new, systole.webhook_endpoint_of,
    systole.webhook_thin, systole.add_webhook, systole.test_webhook, systole.disable_webhook,
    systole.enable_webhook, systole.remove_webhook, systole.rotate_webhook, systole.replay_webhook,
    systole.replay_webhooks, systole.prune_webhooks
FROM PUBLIC;
