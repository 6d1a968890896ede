import Postgres

// MARK: - The service's own tables

extension HealthExamination {
    /// What can be asked once the schema is ours.
    static let ofService: [HealthExamination] = [
        deadRows, workers, leader, waitingJobs, stuckJobs, deadJobs, lateSchedules, lateEvents,
        sources, lateRows, derivations, waitingDeliveries, disabledWebhooks, openSecrets,
    ]

    private static let deadRows = count(
        "dead rows",
        """
        SELECT count(*) AS n, string_agg(relname || ' (' || n_dead_tup || ')', ', ') AS names
        FROM pg_stat_user_tables
        WHERE schemaname = 'systole' AND n_dead_tup > 20000 AND n_dead_tup > 2 * n_live_tup
            AND relname IN ('job', 'worker', 'leader', 'schedule', 'outbox_cursor',
                'webhook_delivery', 'webhook_endpoint', 'source_cursor')
        """,
        fine: "the hot tables are clean", .wrong, some: "hot tables are full of dead rows",
        advice: "look for held snapshots above, then VACUUM them")

    private static let sources = count(
        "sources",
        """
        SELECT count(*) AS n, string_agg(name || ' (' || trouble || ')', ', ' ORDER BY name) AS names
        FROM systole.sources WHERE state = 'troubled'
        """,
        fine: "none is in trouble", .note, some: "in trouble",
        advice: "see `systole source show NAME`")

    /// A worker is dead 30 seconds after its last heartbeat.
    private static let workers = HealthExamination(
        topic: "workers",
        query: """
            SELECT count(*) AS n,
                count(*) FILTER (WHERE version <> \(Systole.version)::text) AS others,
                (SELECT count(*) FROM systole.job WHERE state = 'ready') AS waiting
            FROM systole.worker
            WHERE beat_at >= now() - interval '30 seconds' AND draining_at IS NULL
            """
    ) { row in
        let (count, others) = (try row.int64("n"), try row.int64("others"))
        if count == 0 {
            let waiting = try row.int64("waiting")
            return Finding(
                "workers", waiting > 0 ? .wrong : .note, "none runs, and \(waiting) jobs wait",
                advice: "start them: `systole up`, or `systole work --role forecast`")
        }
        guard others == 0 else {
            return Finding(
                "workers", .note, "\(count) run, \(others) of them of another version than this",
                advice: "restart them once all machines have the new executable")
        }
        return Finding("workers", .fine, "\(count) run")
    }

    private static let leader = HealthExamination(
        topic: "leader",
        query: """
            SELECT count(*) FILTER (WHERE expires_at >= now()) AS n,
                (SELECT count(*) FROM systole.schedule
                 WHERE paused_at IS NULL AND next_fire_at IS NOT NULL) AS schedules
            FROM systole.leader
            """
    ) { row in
        if try row.int64("n") > 0 { return Finding("leader", .fine, "there is one") }
        let schedules = try row.int64("schedules")
        return Finding(
            "leader", schedules > 0 ? .wrong : .note,
            "none, so that \(schedules) schedules do not fire and dead workers' jobs stay",
            advice: "start one: `systole up`, or `systole work --role schedule`")
    }

    private static let waitingJobs = count(
        "waiting jobs",
        """
        SELECT coalesce(sum(n), 0)::bigint AS n, string_agg(kind || ' (' || n || ')', ', ') AS names
        FROM (SELECT kind, count(*) AS n FROM systole.job
              WHERE state = 'ready' AND run_at < now() - interval '10 minutes'
                  AND kind NOT IN (SELECT kind FROM systole.queue_control WHERE paused_at IS NOT NULL)
              GROUP BY kind) AS q
        """,
        fine: "none has been ready for more than ten minutes", .wrong,
        some: "have been ready for more than ten minutes",
        advice: "start more workers of that role: `systole work --role …`")

    private static let stuckJobs = count(
        "stuck jobs",
        """
        SELECT count(*) AS n, string_agg(kind || ' ' || job_id, ', ') AS names
        FROM (SELECT kind, job_id FROM systole.job AS j
              WHERE state = 'running' AND (deadline_at < now() - interval '1 minute'
                  OR NOT EXISTS (SELECT FROM systole.worker AS w WHERE w.worker_id = j.worker_id
                      AND w.beat_at >= now() - interval '1 minute'))
              LIMIT 20) AS q
        """,
        fine: "every running job has a living worker", .wrong,
        some: "are held by a dead worker or beyond their time limit",
        advice: "a worker with the role schedule takes them back within seconds; start one")

    private static let deadJobs = count(
        "failed jobs",
        """
        SELECT coalesce(sum(n), 0)::bigint AS n, string_agg(kind || ' (' || n || ')', ', ') AS names
        FROM (SELECT kind, count(*) AS n FROM systole.job_history
              WHERE state = 'dead' AND finished_at > now() - interval '1 day' GROUP BY kind) AS q
        """,
        fine: "none gave up within a day", .note, some: "gave up within a day",
        advice: "see them: `systole job list --state dead`; retry: `systole job retry ID`")

    private static let lateSchedules = count(
        "late schedules",
        """
        SELECT count(*) AS n, string_agg(name, ', ' ORDER BY name) AS names
        FROM (SELECT name FROM systole.schedule
              WHERE paused_at IS NULL AND next_fire_at < now() - interval '2 minutes'
              LIMIT 20) AS q
        """,
        fine: "every schedule fires in time", .wrong, some: "are more than two minutes late",
        advice: "start a worker with the role schedule")

    /// Readers take committed events only, so that a long transaction of anybody holds them up.
    private static let lateEvents = count(
        "events",
        """
        SELECT count(*) AS n, string_agg(consumer, ', ' ORDER BY consumer) AS names
        FROM systole.outbox_cursor AS c
        WHERE EXISTS (SELECT FROM systole.outbox AS o
            WHERE (o.xid, o.event_id) > (c.xid, c.event_id) AND o.at < now() - interval '5 minutes')
        """,
        fine: "every reader has read up to the last five minutes", .wrong,
        some: "readers of events are more than five minutes behind",
        advice: "start workers with the roles schedule and notify; look for held snapshots above")

    private static let lateRows = count(
        "late observations",
        "SELECT count(*) AS n, NULL::text AS names FROM systole.late_observation",
        fine: "none waits to be merged", .note, some: "wait to be merged",
        advice: "the leader merges them; or SELECT systole.merge_late_observations()")

    private static let derivations = count(
        "derived series",
        """
        SELECT count(*) AS n, string_agg(output || ' (' || trouble || ')', ', ' ORDER BY output) AS names
        FROM (SELECT output, trouble FROM systole.derivations
              WHERE trouble IS NOT NULL AND dropped_at IS NULL LIMIT 20) AS q
        """,
        fine: "all are derived", .wrong, some: "are not derived",
        advice: "promote a version that can be used: `systole derive models`; or remove them")

    private static let waitingDeliveries = count(
        "webhooks",
        """
        SELECT count(*) AS n, string_agg(DISTINCT endpoint_id::text, ', ') AS names
        FROM systole.webhook_delivery JOIN systole.webhook_endpoint AS e USING (endpoint_id)
        WHERE webhook_delivery.state = 'waiting' AND next_try_at < now() - interval '5 minutes'
            AND e.state = 'enabled' AND coalesce(e.paused_until, '-infinity') < now()
        """,
        fine: "none is overdue", .wrong, some: "deliveries are overdue, to endpoints",
        advice: "start a worker with the role notify")

    private static let disabledWebhooks = count(
        "webhook endpoints",
        """
        SELECT count(*) AS n,
            string_agg(endpoint_id || coalesce(' (' || disabled_reason || ')', ''), ', ') AS names
        FROM systole.webhook_endpoint
        WHERE state = 'disabled' OR (state = 'enabled' AND paused_until > now())
        """,
        fine: "none is disabled", .note, some: "are disabled or paused",
        advice: "see `systole webhook list`; SELECT systole.enable_webhook(ID) when it is repaired")

    private static let openSecrets = count(
        "webhook secrets",
        """
        SELECT count(*) AS n, string_agg(endpoint_id::text, ', ') AS names
        FROM systole.webhooks WHERE NOT is_sealed
        """,
        fine: "none lies open in the database", .note, some: "endpoints' secrets lie open",
        advice: "give notifiers a webhooks.key_file: `openssl rand -base64 32 > FILE`")
}
