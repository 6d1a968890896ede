-- 0018_delivery_promises.sql: what is promised about webhooks, among the other promises that anybody may check.
-- Locks: systole.webhook_endpoint and webhook_delivery for a moment; no row is read or rewritten.
SET LOCAL lock_timeout = '2s';

-- Whoever was made by an older transaction than an event was there when that was fanned out: events wait for every older
-- transaction. What time a row bears says less, since it may be committed long after. Endpoints of today count as made now.
ALTER TABLE systole.webhook_endpoint ADD COLUMN created_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
COMMENT ON COLUMN systole.webhook_endpoint.created_xid IS
    'The transaction that made it: it is told of the events of this one and of later ones.';

-- The same rule, for a fraction of the time: a bound of repetitions costs 15 µs, at every write of a row. Rows of before kept it.
ALTER TABLE systole.webhook_delivery
    DROP CONSTRAINT webhook_delivery_message_id_safe,
    ADD CONSTRAINT webhook_delivery_message_id_safe
        CHECK (length(message_id) BETWEEN 1 AND 64 AND message_id !~ '[^A-Za-z0-9_-]') NOT VALID;

CREATE TABLE systole.webhook_retention (
    is_the_row   boolean     NOT NULL DEFAULT true,
    pruned_until timestamptz NOT NULL,

    CONSTRAINT webhook_retention_pkey PRIMARY KEY (is_the_row),
    CONSTRAINT webhook_retention_one_row CHECK (is_the_row)
);
COMMENT ON TABLE systole.webhook_retention IS
    'Deliveries that ended later were all kept so far; of older events nobody can say any more who was told.';
INSERT INTO systole.webhook_retention (pruned_until) VALUES ('-infinity');
REVOKE ALL ON systole.webhook_retention FROM PUBLIC;

CREATE OR REPLACE FUNCTION systole.prune_webhooks(keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM systole.webhook_delivery AS d
    WHERE d.finished_at < now() - keep
        OR (d.state = 'waiting' AND d.created_at < now() - keep AND d.endpoint_id IN (
            SELECT e.endpoint_id FROM systole.webhook_endpoint AS e WHERE e.state = 'disabled'));
    GET DIAGNOSTICS pruned = ROW_COUNT;
    IF pruned > 0 THEN
        UPDATE systole.webhook_retention SET pruned_until = greatest(pruned_until, now() - keep);
    END IF;
    RETURN pruned;
END $$;

CREATE FUNCTION systole.webhook_invariants() RETURNS TABLE (promise text, violations bigint, examples text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT v.* FROM systole.violations('every event that was fanned out is owed once to everybody who asked for it, and to nobody else', ARRAY(
        SELECT format('event %s, endpoint %s', o.event_id, e.endpoint_id)
        FROM systole.outbox_cursor c
        JOIN systole.outbox o ON (o.xid, o.event_id) <= (c.xid, c.event_id)
        JOIN systole.webhook_endpoint e ON e.state <> 'removed' AND e.created_xid <= o.xid
            AND CASE o.type WHEN 'ping' THEN e.endpoint_id::text = o.data->>'endpoint_id' ELSE o.type = ANY (e.events) END
        WHERE c.consumer = 'notify' AND o.at > (SELECT r.pruned_until FROM systole.webhook_retention r)
            -- That there is no second one is a constraint.
            AND NOT EXISTS (SELECT FROM systole.webhook_delivery d
                WHERE d.event_id = o.event_id AND d.endpoint_id = e.endpoint_id)
        UNION ALL
        SELECT 'delivery ' || d.delivery_id
        FROM systole.webhook_delivery d JOIN systole.webhook_endpoint e USING (endpoint_id)
        WHERE d.event_type <> ALL (e.events || 'ping'::text) OR (d.event_type = 'ping' AND EXISTS (
            SELECT FROM systole.outbox o
            WHERE o.event_id = d.event_id AND o.data->>'endpoint_id' <> d.endpoint_id::text)))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('every webhook that was accepted has an attempt that was answered with 2xx', ARRAY(
        SELECT 'delivery ' || d.delivery_id FROM systole.webhook_delivery d
        WHERE d.state = 'accepted' AND NOT EXISTS (
            SELECT FROM systole.webhook_attempt a
            WHERE a.delivery_id = d.delivery_id AND a.status BETWEEN 200 AND 299))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('an event has one webhook-id for everybody, and another one than every other event', ARRAY(
        SELECT 'event ' || d.event_id FROM systole.webhook_delivery d
        GROUP BY d.event_id HAVING min(d.message_id) <> max(d.message_id)
        UNION ALL
        SELECT 'events ' || min(d.event_id) || ' and ' || max(d.event_id) FROM systole.webhook_delivery d
        GROUP BY d.message_id HAVING min(d.event_id) <> max(d.event_id))) v;
END $$;
COMMENT ON FUNCTION systole.webhook_invariants IS 'The promises about webhooks; systole.invariants() asks them with the others.';

-- The promises by part, so that a further part does not repeat all of them.
ALTER FUNCTION systole.invariants() RENAME TO work_invariants;
COMMENT ON FUNCTION systole.work_invariants IS
    'The promises about jobs, schedules, results and incidents; systole.invariants() asks them with the others.';
CREATE FUNCTION systole.invariants() RETURNS TABLE (promise text, violations bigint, examples text)
LANGUAGE sql STABLE AS $$
    SELECT w.* FROM systole.work_invariants() w
    UNION ALL
    SELECT w.* FROM systole.webhook_invariants() w
$$;
COMMENT ON FUNCTION systole.invariants IS
    'What the service promises about its jobs, schedules, forecasts, incidents and webhooks, and how often each promise is '
    'broken: 0 everywhere, whatever was killed. Reads whole tables: run it after an accident, not every minute.';

SELECT systole.apply_privileges();
