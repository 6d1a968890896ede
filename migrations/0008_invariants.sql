-- 0008_invariants.sql: the promises of the service as queries that anybody may run on their own database.
-- Locks: one new function; a running service notices nothing.
SET LOCAL lock_timeout = '2s';

-- Violations of one promise: how many, and a few of them by name.
CREATE FUNCTION systole.violations(promise text, found text[], OUT promised text, OUT violations bigint, OUT examples text)
LANGUAGE sql IMMUTABLE AS $$
    SELECT promise, coalesce(cardinality(found), 0)::bigint, nullif(array_to_string(found[:5], ', '), '')
$$;

-- Every result that a job left, with the run that left it.
CREATE VIEW systole.job_result AS
SELECT 'forecast ' || forecast_id AS result, job_id, lease_no FROM systole.forecast WHERE job_id IS NOT NULL
UNION ALL
SELECT 'model ' || model_id, job_id, lease_no FROM systole.model WHERE job_id IS NOT NULL
UNION ALL
SELECT 'score ' || series_id || '/' || last_us, job_id, lease_no FROM systole.anomaly_score
WHERE job_id IS NOT NULL;
COMMENT ON VIEW systole.job_result IS
    'Every forecast, model and batch of scores that a job left, with the run (job_id, lease_no) that left it.';

-- A decision of the schedule and the time that must be decided next after it, by the schedule's own rule.
CREATE FUNCTION systole.untiled_fires() RETURNS TABLE (schedule text, fire_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT s.name, f.fire_at
    FROM systole.schedule s
    CROSS JOIN LATERAL (
        SELECT f.fire_at, f.through_at,
            coalesce(lead(f.fire_at) OVER (ORDER BY f.fire_at), s.next_fire_at) AS followed_by
        FROM systole.schedule_fire f
        WHERE f.schedule_id = s.schedule_id AND f.decision NOT IN ('triggered', 'backfilled')
            AND f.fire_at >= s.rule_since) f
    WHERE f.followed_by IS DISTINCT FROM (
        SELECT CASE WHEN n > s.end_at THEN NULL ELSE n END
        FROM systole.next_fire(s.every, systole.rule_of(s), s.time_zone, f.through_at) AS n)
$$;

-- A fire may have many jobs, and a forecast many series, from 0011 on.
CREATE FUNCTION systole.invariants() RETURNS TABLE (promise text, violations bigint, examples text)
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
        -- Events are kept for a while; incidents are kept.
        WHERE i.detected_at > coalesce((SELECT min(o.at) FROM systole.outbox o), 'infinity')
            AND (coalesce(e.opened, 0) <> 1 OR coalesce(e.resolved, 0) <> (i.state = 'resolved')::integer))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('forecasts, scores and ended jobs never changed', ARRAY(
        SELECT format('%s: %s updates', t.relname, t.n_tup_upd) FROM pg_stat_user_tables t
        WHERE t.schemaname = 'systole' AND t.n_tup_upd > 0
            AND (t.relname IN ('forecast', 'anomaly_score') OR t.relname LIKE 'job\_history\_%'))) v;
    RETURN QUERY SELECT v.* FROM systole.violations('no two incidents of one kind are open on one series', ARRAY(
        SELECT 'series ' || i.series_id FROM systole.incident i
        WHERE i.state = 'firing' GROUP BY i.series_id, i.kind HAVING count(*) > 1)) v;
END $$;
COMMENT ON FUNCTION systole.invariants IS
    'What the service promises about its jobs, schedules, forecasts and incidents, and how often each promise is broken: 0 '
    'everywhere, whatever was killed. Reads whole tables: run it after an accident, not every minute.';
