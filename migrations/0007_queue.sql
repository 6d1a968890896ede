-- 0007_queue.sql: ageing, limits and dead letters for jobs; more policies for schedules.
-- Locks: systole.job is rewritten (it holds live jobs only), and completions wait while an index over the retries in
-- systole.job_history is built.
--
-- Error codes of this file: those of 0002, and SY027 a limit or a stretch of time that makes no sense.
SET LOCAL lock_timeout = '2s';

-- ---------------------------------------------------------------------------------------------------
-- Order of the queue: priority with ageing
-- ---------------------------------------------------------------------------------------------------

-- A point of priority is a head start of six seconds. So the order of any two jobs never changes, one index serves it, and
-- no job starves: after ten minutes one of priority 100 goes before a fresh one of priority 0.
ALTER TABLE systole.job ADD COLUMN turn_us bigint GENERATED ALWAYS AS (
    CASE WHEN isfinite(run_at) THEN systole.epoch_us(run_at) + priority * 6000000::bigint
        WHEN run_at > '2000-01-01 00:00:00+00' THEN 9223372036854775807
        ELSE -9223372036854775807 END) STORED;
DROP INDEX systole.job_ready;
-- Serves claim_jobs(), which takes the first ready jobs of a kind in this order.
CREATE INDEX job_ready ON systole.job (kind, turn_us, job_id) WHERE state = 'ready';

-- ---------------------------------------------------------------------------------------------------
-- Limits of a kind
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.queue_control
    ALTER COLUMN paused_at DROP NOT NULL,
    ALTER COLUMN paused_at DROP DEFAULT,
    ADD COLUMN running_maximum integer,
    ADD COLUMN time_limit interval,
    ADD CONSTRAINT queue_control_running_range CHECK (running_maximum >= 1),
    ADD CONSTRAINT queue_control_time_range CHECK (time_limit >= interval '1 second');

CREATE FUNCTION systole.limit_kind(
    kind text, running_maximum integer DEFAULT NULL, time_limit interval DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM systole.check_job(limit_kind.kind, '{}', 1, coalesce(limit_kind.time_limit, '1 hour'));
    IF limit_kind.running_maximum < 1 THEN
        RAISE EXCEPTION 'running_maximum is 1 or more; found %.', limit_kind.running_maximum
            USING ERRCODE = 'SY027', HINT = 'To stop a kind: SELECT systole.pause_kind(…);';
    END IF;
    INSERT INTO systole.queue_control AS q (kind, running_maximum, time_limit)
    VALUES (limit_kind.kind, limit_kind.running_maximum, limit_kind.time_limit)
    ON CONFLICT ON CONSTRAINT queue_control_pkey DO UPDATE
    SET running_maximum = excluded.running_maximum, time_limit = excluded.time_limit;
    DELETE FROM systole.queue_control q
    WHERE q.kind = limit_kind.kind AND num_nonnulls(q.paused_at, q.running_maximum, q.time_limit) = 0;
    PERFORM pg_notify('systole_wake', limit_kind.kind);
END $$;
COMMENT ON FUNCTION systole.limit_kind IS
    'Limits how many jobs of a kind run at a time over all workers, and how long one run may last whatever the job says; '
    'NULL is no limit. Runs that have begun go on.';

CREATE OR REPLACE FUNCTION systole.pause_kind(kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM systole.check_job(pause_kind.kind, '{}', 1, '1 hour');
    INSERT INTO systole.queue_control AS q (kind, paused_at) VALUES (pause_kind.kind, now())
    ON CONFLICT ON CONSTRAINT queue_control_pkey DO UPDATE
    SET paused_at = coalesce(q.paused_at, excluded.paused_at);
END $$;

CREATE OR REPLACE FUNCTION systole.resume_kind(kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM systole.queue_control q
    WHERE q.kind = resume_kind.kind AND num_nonnulls(q.running_maximum, q.time_limit) = 0;
    UPDATE systole.queue_control q SET paused_at = NULL
    WHERE q.kind = resume_kind.kind AND q.paused_at IS NOT NULL;
    PERFORM pg_notify('systole_wake', resume_kind.kind);
END $$;

-- As in 0002, in the order of turns and within the limits of each kind. Claims of a limited kind take turns on the row of
-- its limit, so that two workers at once cannot both take the last place.
CREATE OR REPLACE FUNCTION systole.claim_jobs(worker uuid, kinds text[], n integer)
RETURNS TABLE (job_id bigint, lease_no bigint, kind text, args jsonb, attempt integer,
    attempts_maximum integer, time_limit interval, deadline_at timestamptz)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    -- A worker that was away for so long that others took it for dead must beat before it claims.
    IF n < 1 OR NOT EXISTS (SELECT FROM systole.worker w WHERE w.worker_id = claim_jobs.worker
        AND w.draining_at IS NULL AND w.beat_at >= now() - interval '30 seconds') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM systole.job WHERE state = 'scheduled' AND run_at <= now()) THEN
        PERFORM systole.promote_due();
    END IF;
    PERFORM FROM systole.queue_control q
    WHERE q.kind = ANY (kinds) AND q.running_maximum IS NOT NULL
    ORDER BY q.kind FOR NO KEY UPDATE;
    RETURN QUERY
    WITH quota AS MATERIALIZED (
        SELECT best.kind, count(*) AS share
        FROM (
            SELECT head.kind
            FROM unnest(kinds) AS k(kind)
            LEFT JOIN systole.queue_control q ON q.kind = k.kind
            CROSS JOIN LATERAL (
                SELECT j.kind, j.turn_us, j.job_id FROM systole.job j
                WHERE j.state = 'ready' AND j.kind = k.kind
                ORDER BY j.turn_us, j.job_id
                LIMIT CASE WHEN q.paused_at IS NOT NULL THEN 0
                    WHEN q.running_maximum IS NULL THEN n
                    ELSE least(n, q.running_maximum - least(q.running_maximum,
                        (SELECT count(*) FROM systole.job r WHERE r.state = 'running' AND r.kind = q.kind)))
                    END) head
            ORDER BY head.turn_us, head.job_id LIMIT n) best
        GROUP BY best.kind),
    pick AS MATERIALIZED (
        SELECT taken.job_id
        FROM quota
        CROSS JOIN LATERAL (
            SELECT j.job_id FROM systole.job j
            WHERE j.state = 'ready' AND j.kind = quota.kind
            ORDER BY j.turn_us, j.job_id LIMIT quota.share
            FOR NO KEY UPDATE SKIP LOCKED) taken)
    UPDATE systole.job j
    SET state = 'running', lease_no = j.lease_no + 1, attempt = j.attempt + 1,
        worker_id = claim_jobs.worker, started_at = now(), progress = NULL,
        deadline_at = now() + least(j.time_limit,
            (SELECT q.time_limit FROM systole.queue_control q WHERE q.kind = j.kind))
    WHERE j.job_id = ANY (ARRAY(SELECT pick.job_id FROM pick)) AND j.state = 'ready'
    RETURNING j.job_id, j.lease_no, j.kind, j.args, j.attempt, j.attempts_maximum,
        j.deadline_at - j.started_at, j.deadline_at;
END $$;

CREATE VIEW systole.queues AS
SELECT coalesce(j.kind, q.kind) AS kind,
    CASE WHEN q.paused_at IS NOT NULL THEN 'paused' ELSE 'active' END AS state,
    coalesce(j.ready, 0) AS ready, coalesce(j.running, 0) AS running,
    coalesce(j.retrying, 0) AS retrying, coalesce(j.scheduled, 0) AS scheduled,
    now() - j.ready_since AS oldest_wait, q.running_maximum, q.time_limit, q.paused_at
FROM (
    SELECT l.kind, count(*) FILTER (WHERE l.state = 'ready') AS ready,
        count(*) FILTER (WHERE l.state = 'running') AS running,
        count(*) FILTER (WHERE l.state = 'scheduled' AND l.attempt > 0) AS retrying,
        count(*) FILTER (WHERE l.state = 'scheduled' AND l.attempt = 0) AS scheduled,
        min(l.run_at) FILTER (WHERE l.state = 'ready' AND isfinite(l.run_at)) AS ready_since
    FROM systole.job l GROUP BY l.kind) j
FULL JOIN systole.queue_control q ON q.kind = j.kind;
COMMENT ON VIEW systole.queues IS
    'Jobs that wait and run, by kind, with the limits of the kind (limit_kind) and whether it is paused (pause_kind).';
COMMENT ON COLUMN systole.queues.oldest_wait IS 'For how long the oldest ready job could have run.';
COMMENT ON COLUMN systole.queues.retrying IS 'Jobs that failed and wait for their next attempt.';

COMMENT ON COLUMN systole.jobs.priority IS
    'Lower runs first; a point is a head start of six seconds, so that whatever waits long enough has its turn.';

-- ---------------------------------------------------------------------------------------------------
-- Unique jobs: a third answer to a conflict
-- ---------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION systole.enqueue(
    kind text,
    args jsonb DEFAULT '{}',
    unique_key text DEFAULT NULL,
    run_at timestamptz DEFAULT now(),
    priority smallint DEFAULT 100,
    attempts_maximum integer DEFAULT 8,
    time_limit interval DEFAULT '1 hour',
    on_conflict text DEFAULT 'skip')
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    id bigint;
BEGIN
    PERFORM systole.check_job(enqueue.kind, enqueue.args, enqueue.attempts_maximum, enqueue.time_limit);
    IF enqueue.run_at IS NULL OR enqueue.priority IS NULL THEN
        RAISE EXCEPTION 'run_at and priority of a job must not be NULL.' USING ERRCODE = 'SY024';
    END IF;
    IF enqueue.on_conflict IS NULL OR enqueue.on_conflict NOT IN ('skip', 'replace', 'postpone') THEN
        RAISE EXCEPTION 'on_conflict is ''skip'', ''replace'' or ''postpone''; found %.',
            coalesce(quote_literal(enqueue.on_conflict), 'NULL') USING ERRCODE = 'SY024';
    END IF;
    LOOP
        INSERT INTO systole.job AS j
            (kind, args, unique_key, run_at, priority, attempts_maximum, time_limit, state)
        VALUES (enqueue.kind, enqueue.args, enqueue.unique_key, enqueue.run_at, enqueue.priority,
            enqueue.attempts_maximum, enqueue.time_limit,
            CASE WHEN enqueue.run_at > now() THEN 'scheduled' ELSE 'ready' END)
        ON CONFLICT (kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
        RETURNING j.job_id INTO id;
        EXIT WHEN FOUND;

        IF enqueue.on_conflict = 'skip' THEN
            SELECT j.job_id INTO id FROM systole.job j
            WHERE j.kind = enqueue.kind AND j.unique_key = enqueue.unique_key;
            IF FOUND THEN RETURN id; END IF;
        ELSE
            UPDATE systole.job j SET
                again_args = CASE WHEN j.state = 'running' THEN enqueue.args END,
                args = CASE WHEN j.state = 'running' THEN j.args ELSE enqueue.args END
            WHERE j.kind = enqueue.kind AND j.unique_key = enqueue.unique_key
            RETURNING j.job_id INTO id;
            IF FOUND AND enqueue.on_conflict = 'postpone' THEN
                UPDATE systole.job j SET run_at = enqueue.run_at, priority = enqueue.priority,
                    state = CASE WHEN enqueue.run_at > now() THEN 'scheduled' ELSE 'ready' END
                WHERE j.job_id = id AND j.state <> 'running';
            END IF;
            IF id IS NOT NULL THEN RETURN id; END IF;
        END IF;
        -- The job that was in the way has finished in between: try again.
    END LOOP;
    IF enqueue.run_at <= now() THEN
        PERFORM pg_notify('systole_wake', enqueue.kind);
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.enqueue IS
    'Adds a job and returns its id; it becomes visible when your transaction commits. Lower priority numbers run '
    'first. While a job with the same kind and unique_key lives, on_conflict => ''skip'' returns that job''s id, '
    '''replace'' also gives it the new arguments, and ''postpone'' the new time and priority as well; if it is already '
    'running, it runs once more with the new arguments afterwards.';

-- ---------------------------------------------------------------------------------------------------
-- Dead letters
-- ---------------------------------------------------------------------------------------------------

-- Serves systole.dead_jobs, which asks whether a dead job was tried again.
CREATE INDEX job_history_retry_of ON systole.job_history (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX job_retry_of ON systole.job (retry_of) WHERE retry_of IS NOT NULL;
-- Serves systole.dead_jobs; as few rows as there are dead jobs.
CREATE INDEX job_history_dead ON systole.job_history (finished_at) WHERE state = 'dead';

CREATE VIEW systole.dead_jobs AS
SELECT h.job_id, h.kind, h.args, h.error_class, h.error, h.attempt AS attempts, h.finished_at,
    s.name AS schedule, h.fire_at, h.unique_key, h.retry_of, h.created_at
FROM systole.job_history h
LEFT JOIN systole.schedule s ON s.schedule_id = h.schedule_id
WHERE h.state = 'dead'
    AND NOT EXISTS (SELECT FROM systole.job j WHERE j.retry_of = h.job_id)
    AND NOT EXISTS (SELECT FROM systole.job_history r WHERE r.retry_of = h.job_id);
COMMENT ON VIEW systole.dead_jobs IS
    'Jobs that were given up and not tried again since, with the last error. retry_job() tries one again, redrive_jobs() many.';

CREATE FUNCTION systole.redrive_jobs(
    kind text DEFAULT NULL, error_class text DEFAULT NULL, since timestamptz DEFAULT NULL,
    n integer DEFAULT 1000)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    dead    bigint;
    driven  integer := 0;
BEGIN
    IF n IS NULL OR n NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'n is 1 to 100000; found %.', coalesce(n::text, 'NULL') USING ERRCODE = 'SY027';
    END IF;
    FOR dead IN
        SELECT d.job_id FROM systole.dead_jobs d
        WHERE (redrive_jobs.kind IS NULL OR d.kind = redrive_jobs.kind)
            AND (redrive_jobs.error_class IS NULL OR d.error_class = redrive_jobs.error_class)
            AND d.finished_at >= coalesce(since, '-infinity')
        ORDER BY d.finished_at, d.job_id LIMIT n
    LOOP
        PERFORM systole.retry_job(dead);
        driven := driven + 1;
    END LOOP;
    RETURN driven;
END $$;
COMMENT ON FUNCTION systole.redrive_jobs IS
    'Tries dead jobs again, oldest first: of one kind, with one class of error, dead since an instant, at most n; returns how '
    'many. Each becomes a new job that names the old one in retry_of; where a job with the same unique key lives, that '
    'one stands for it.';

-- ---------------------------------------------------------------------------------------------------
-- Schedules: overlap, jitter, catch-up window, pause on failure, daylight saving
-- ---------------------------------------------------------------------------------------------------

ALTER TABLE systole.schedule
    ADD COLUMN jitter interval NOT NULL DEFAULT '0',
    ADD COLUMN catchup_window interval,
    ADD COLUMN dst_gap text NOT NULL DEFAULT 'shift',
    ADD COLUMN dst_overlap text NOT NULL DEFAULT 'first',
    ADD COLUMN pause_on_failure boolean NOT NULL DEFAULT false,
    ADD COLUMN queued_fire_at timestamptz,
    ADD COLUMN rule_since timestamptz NOT NULL DEFAULT now(),
    DROP CONSTRAINT schedule_overlap_known,
    ADD CONSTRAINT schedule_overlap_known
        CHECK (overlap IN ('allow', 'skip', 'queue_one', 'cancel_running')),
    ADD CONSTRAINT schedule_dst_gap_known CHECK (dst_gap IN ('shift', 'skip')),
    ADD CONSTRAINT schedule_dst_overlap_known CHECK (dst_overlap IN ('first', 'last', 'both')),
    ADD CONSTRAINT schedule_jitter_range CHECK (jitter >= interval '0'),
    ADD CONSTRAINT schedule_catchup_window_range CHECK (catchup_window > interval '0');

COMMENT ON COLUMN systole.schedule.rule_since IS
    'When the times of the schedule were last stated: decisions from then on follow one another without holes or doubles.';

-- Serves fire_due_schedules(), which looks for fires that waited for the previous job to end.
CREATE INDEX schedule_queued ON systole.schedule (schedule_id) WHERE queued_fire_at IS NOT NULL;

-- A backfill decides again about times that were decided when they came; each of them once, too.
ALTER TABLE systole.schedule_fire
    DROP CONSTRAINT schedule_fire_decision_known,
    ADD CONSTRAINT schedule_fire_decision_known CHECK (decision IN ('fired', 'triggered', 'queued',
        'backfilled', 'skipped_overlap', 'skipped_catchup', 'skipped_paused')),
    DROP CONSTRAINT schedule_fire_job_when_fired,
    ADD CONSTRAINT schedule_fire_job_when_fired
        CHECK ((job_id IS NOT NULL) = (decision IN ('fired', 'triggered', 'backfilled'))),
    DROP CONSTRAINT schedule_fire_pkey;
-- Guarantee one decision per schedule and time, whoever schedules.
CREATE UNIQUE INDEX schedule_fire_once ON systole.schedule_fire (schedule_id, fire_at)
    WHERE decision <> 'backfilled';
CREATE UNIQUE INDEX schedule_fire_backfilled_once ON systole.schedule_fire (schedule_id, fire_at)
    WHERE decision = 'backfilled';

ALTER TYPE systole.cron_rule ADD ATTRIBUTE dst_gap text;
ALTER TYPE systole.cron_rule ADD ATTRIBUTE dst_overlap text;

-- The instants at which clocks in a zone show a wall time, earliest first: one, or two where they are set back. A wall time
-- that is skipped when clocks are set forward is moved by the length of the gap (02:30 becomes 03:30), or has none.
DROP FUNCTION systole.instants_of(timestamp, text);
CREATE FUNCTION systole.instants_of(wall timestamp, time_zone text, dst_gap text, dst_overlap text)
RETURNS timestamptz[] LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN hits IS NULL AND dst_gap = 'skip' THEN '{}'
        WHEN hits IS NULL THEN ARRAY[(wall - before) AT TIME ZONE 'UTC']
        WHEN dst_overlap = 'first' THEN hits[:1]
        WHEN dst_overlap = 'last' THEN hits[cardinality(hits):]
        ELSE hits END
    FROM (
        SELECT systole.zone_offset((wall - interval '1 day') AT TIME ZONE 'UTC', time_zone) AS before,
            systole.zone_offset((wall + interval '1 day') AT TIME ZONE 'UTC', time_zone) AS after) o
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT t ORDER BY t) AS hits
        FROM unnest(ARRAY[(wall - before) AT TIME ZONE 'UTC', (wall - after) AT TIME ZONE 'UTC']) t
        WHERE t AT TIME ZONE time_zone = wall) h;
$$;

-- As in 0002, with the rule's word on wall times that are skipped or come twice. Without one, a wall time that comes twice
-- fires the first time only, unless every hour is named: such a schedule counts elapsed time, and would otherwise fall
-- silent for an hour.
CREATE OR REPLACE FUNCTION systole.cron_next(rule systole.cron_rule, time_zone text, after timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    day      date := (after AT TIME ZONE time_zone)::date - 1;
    horizon  date := (after AT TIME ZONE time_zone)::date + 366 * 41;
    shift    interval;
    twice    text := CASE WHEN coalesce(rule.dst_overlap, 'first') = 'first'
        AND cardinality(rule.hours) = 24 THEN 'both' ELSE coalesce(rule.dst_overlap, 'first') END;
    found    timestamptz;
BEGIN
    WHILE day <= horizon LOOP
        IF NOT extract(month FROM day)::integer = ANY (rule.months) THEN
            day := (date_trunc('month', day) + interval '1 month')::date;
            CONTINUE;
        END IF;
        IF systole.cron_day_matches(rule, day) THEN
            shift := systole.zone_offset((day - 1)::timestamp AT TIME ZONE 'UTC', time_zone);
            IF shift = systole.zone_offset((day + 2)::timestamp AT TIME ZONE 'UTC', time_zone) THEN
                SELECT min(day + make_interval(hours => h, mins => m)) INTO found
                FROM unnest(rule.hours) h, unnest(rule.minutes) m
                WHERE day + make_interval(hours => h, mins => m)
                    > (after AT TIME ZONE 'UTC') + shift;
                found := ((found AT TIME ZONE 'UTC') - shift);
            ELSE
                -- With the following day, since clocks that are set back at midnight make the two overlap. No change
                -- moves clocks by more than three hours; 400 candidates cover three hours before and after.
                SELECT min(t) INTO found
                FROM (
                    SELECT wall
                    FROM unnest(ARRAY[day, day + 1]) d, unnest(rule.hours) h, unnest(rule.minutes) m,
                        LATERAL (SELECT d + make_interval(hours => h, mins => m) AS wall) w
                    WHERE wall > (after AT TIME ZONE time_zone) - interval '3 hours'
                        AND systole.cron_day_matches(rule, d)
                    ORDER BY wall LIMIT 400) near,
                    unnest(systole.instants_of(wall, time_zone, coalesce(rule.dst_gap, 'shift'), twice)) t
                WHERE t > after;
            END IF;
            IF found IS NOT NULL THEN
                RETURN found;
            END IF;
        END IF;
        day := day + 1;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION systole.rule_of(s systole.schedule) RETURNS systole.cron_rule LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule systole.cron_rule;
BEGIN
    IF s.cron IS NOT NULL THEN
        rule := systole.cron_parse(s.cron);
        rule.dst_gap := s.dst_gap;
        rule.dst_overlap := s.dst_overlap;
    END IF;
    RETURN rule;
END $$;

DROP FUNCTION systole.create_schedule(text, text, jsonb, interval, text, text, text, text, integer,
    timestamptz, timestamptz, smallint, integer, interval, boolean);
DROP FUNCTION systole.check_schedule(text, interval, text, text, text, integer, text, timestamptz, timestamptz);

-- Raises SY003 for a schedule that makes no sense.
CREATE FUNCTION systole.check_schedule(s systole.schedule) RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    choice record;
BEGIN
    IF s.name IS NULL OR length(btrim(s.name)) = 0 OR length(s.name) > 200 THEN
        PERFORM systole.raise_bad_schedule('A schedule has a name of 1 to 200 characters.',
            'Name it, for example, ''forecast plant.oil_temp''.');
    END IF;
    IF (s.every IS NULL) = (s.cron IS NULL) THEN
        PERFORM systole.raise_bad_schedule('A schedule has either an interval (every) or a cron expression.',
            'Write every => ''1 hour'' or cron => ''5 * * * *''.');
    END IF;
    PERFORM systole.check_time_zone(s.time_zone);
    IF s.cron IS NOT NULL THEN
        PERFORM systole.cron_parse(s.cron);
    ELSIF extract(year FROM s.every) <> 0 OR extract(month FROM s.every) <> 0 THEN
        PERFORM systole.raise_bad_schedule(
            format('Months and years differ in length; found every => %L.', s.every),
            'For calendar times use cron, such as cron => ''0 6 1 * *''.');
    ELSIF s.every NOT BETWEEN interval '1 second' AND interval '366 days' THEN
        PERFORM systole.raise_bad_schedule(format('every is 1 second to 366 days; found %L.', s.every),
            'Write for example every => ''1 hour''.');
    END IF;
    FOR choice IN
        SELECT * FROM (VALUES
            ('catchup', s.catchup, '{skip,latest,all}'::text[], 'what becomes of fires that were missed'),
            ('overlap', s.overlap, '{allow,skip,queue_one,cancel_running}',
                'what to do while the job of an earlier fire is still waiting or running'),
            ('dst_gap', s.dst_gap, '{shift,skip}', 'what becomes of a wall time that is skipped in spring'),
            ('dst_overlap', s.dst_overlap, '{first,last,both}',
                'when to fire at a wall time that comes twice in autumn')) c (name, chosen, known, meaning)
        WHERE chosen IS NULL OR chosen <> ALL (known)
    LOOP
        PERFORM systole.raise_bad_schedule(format('%s is %s; found %s.', choice.name,
            '''' || array_to_string(choice.known, ''', ''') || '''', coalesce(quote_literal(left(choice.chosen, 80)), 'NULL')),
            format('It says %s.', choice.meaning));
    END LOOP;
    IF s.catchup_maximum IS NULL OR s.catchup_maximum NOT BETWEEN 1 AND 1000 THEN
        PERFORM systole.raise_bad_schedule(
            format('catchup_maximum is 1 to 1000; found %s.', coalesce(s.catchup_maximum::text, 'NULL')),
            'It limits how many missed fires catchup => ''all'' makes good.');
    END IF;
    IF s.catchup_window <= interval '0' THEN
        PERFORM systole.raise_bad_schedule(
            format('catchup_window is more than 0; found %L.', s.catchup_window),
            'It says how late a missed fire may still be made good; NULL is no limit.');
    END IF;
    IF s.jitter IS NULL OR s.jitter NOT BETWEEN interval '0' AND interval '1 day' OR s.jitter > s.every THEN
        PERFORM systole.raise_bad_schedule(
            format('jitter is 0 to 1 day, and at most the interval; found %s.',
                coalesce(quote_literal(s.jitter), 'NULL')),
            'Jobs start up to so much after their fire, each fire by another delay.');
    END IF;
    IF s.end_at <= coalesce(s.start_at, now()) THEN
        PERFORM systole.raise_bad_schedule('A schedule ends after it starts, and in the future.',
            'Leave end_at out for a schedule without an end.');
    END IF;
END $$;

CREATE FUNCTION systole.create_schedule(
    name text,
    kind text,
    args jsonb DEFAULT '{}',
    every interval DEFAULT NULL,
    cron text DEFAULT NULL,
    time_zone text DEFAULT 'UTC',
    catchup text DEFAULT 'latest',
    overlap text DEFAULT 'skip',
    catchup_maximum integer DEFAULT 10,
    start_at timestamptz DEFAULT NULL,
    end_at timestamptz DEFAULT NULL,
    priority smallint DEFAULT 100,
    attempts_maximum integer DEFAULT 8,
    time_limit interval DEFAULT '1 hour',
    replace_existing boolean DEFAULT false,
    jitter interval DEFAULT '0',
    catchup_window interval DEFAULT NULL,
    dst_gap text DEFAULT 'shift',
    dst_overlap text DEFAULT 'first',
    pause_on_failure boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    s  systole.schedule;
    id bigint;
BEGIN
    s.name := name;
    s.kind := kind;
    s.args := args;
    s.every := every;
    s.cron := cron;
    s.time_zone := time_zone;
    s.catchup := catchup;
    s.overlap := overlap;
    s.catchup_maximum := catchup_maximum;
    s.start_at := start_at;
    s.end_at := end_at;
    s.priority := priority;
    s.attempts_maximum := attempts_maximum;
    s.time_limit := time_limit;
    s.jitter := jitter;
    s.catchup_window := catchup_window;
    s.dst_gap := dst_gap;
    s.dst_overlap := dst_overlap;
    s.pause_on_failure := coalesce(pause_on_failure, false);
    PERFORM systole.check_schedule(s);
    PERFORM systole.check_job(kind, args, attempts_maximum, time_limit);
    s.next_fire_at := systole.next_fire(every, systole.rule_of(s), time_zone,
        greatest(now(), start_at - interval '1 microsecond'));
    IF s.next_fire_at > end_at THEN
        s.next_fire_at := NULL;
    END IF;
    -- Taking the row's lock first keeps a scheduler that is deciding this schedule out of the way.
    SELECT t.schedule_id INTO id FROM systole.schedule t WHERE t.name = s.name FOR UPDATE;
    IF FOUND AND replace_existing THEN
        UPDATE systole.schedule t SET (kind, args, every, cron, time_zone, catchup, overlap, catchup_maximum,
            start_at, end_at, priority, attempts_maximum, time_limit, jitter, catchup_window, dst_gap,
            dst_overlap, pause_on_failure, next_fire_at, rule_since)
            = ROW (s.kind, s.args, s.every, s.cron, s.time_zone, s.catchup, s.overlap, s.catchup_maximum,
            s.start_at, s.end_at, s.priority, s.attempts_maximum, s.time_limit, s.jitter, s.catchup_window,
            s.dst_gap, s.dst_overlap, s.pause_on_failure, s.next_fire_at, now())
        WHERE t.schedule_id = id;
        RETURN id;
    END IF;
    INSERT INTO systole.schedule AS t (name, kind, args, every, cron, time_zone, catchup, overlap,
        catchup_maximum, start_at, end_at, priority, attempts_maximum, time_limit, jitter, catchup_window,
        dst_gap, dst_overlap, pause_on_failure, next_fire_at)
    VALUES (s.name, s.kind, s.args, s.every, s.cron, s.time_zone, s.catchup, s.overlap, s.catchup_maximum,
        s.start_at, s.end_at, s.priority, s.attempts_maximum, s.time_limit, s.jitter, s.catchup_window,
        s.dst_gap, s.dst_overlap, s.pause_on_failure, s.next_fire_at)
    ON CONFLICT ON CONSTRAINT schedule_name_unique DO NOTHING
    RETURNING t.schedule_id INTO id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is already a schedule %.', quote_literal(name) USING ERRCODE = 'SY025',
            HINT = 'Delete it first, or call with replace_existing => true.';
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION systole.create_schedule IS
    'Makes a schedule that enqueues a job at every fire, by interval (counted from the Unix epoch) or by cron in an IANA time '
    'zone. A wall time that is skipped in spring fires later by the length of the gap (dst_gap: shift, skip); one that comes '
    'twice in autumn fires the first time, unless all hours are named (dst_overlap: first, last, both). catchup: what '
    'becomes of missed fires (skip, latest, all up to catchup_maximum), none of them later than catchup_window; overlap: what '
    'to do while the previous job still lives (allow; skip; queue_one: fire once when it has ended; cancel_running: '
    'cancel it, then fire). jitter: jobs start up to so much later; pause_on_failure: a job that is given up pauses the '
    'schedule. cron: five fields with *, lists, ranges, steps, names, 7 = Sunday, L = last day of the month, @hourly … @yearly.';

CREATE OR REPLACE FUNCTION systole.resume_schedule(name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s    systole.schedule := systole.find_schedule(name);
    rule systole.cron_rule;
    next timestamptz;
    last timestamptz;
BEGIN
    SELECT t.* INTO s FROM systole.schedule t WHERE t.schedule_id = s.schedule_id FOR UPDATE;
    IF s.paused_at IS NULL THEN
        RETURN;
    END IF;
    rule := systole.rule_of(s);
    IF s.next_fire_at <= now() THEN
        last := systole.last_fires(s, rule, now(), 1);
        INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision)
        VALUES (s.schedule_id, s.next_fire_at, last, 'skipped_paused');
        next := systole.next_fire(s.every, rule, s.time_zone, now());
        s.next_fire_at := CASE WHEN next > s.end_at THEN NULL ELSE next END;
    END IF;
    UPDATE systole.schedule t SET paused_at = NULL, pause_reason = NULL, next_fire_at = s.next_fire_at
    WHERE t.schedule_id = s.schedule_id;
END $$;

-- The share of its jitter that a fire waits, from 0 to 1: the same whoever asks, another for every schedule and time.
CREATE FUNCTION systole.jitter_share(schedule_id bigint, fire_at timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashint8extended(systole.epoch_us(fire_at), schedule_id) & 1048575) / 1048576.0
$$;

CREATE OR REPLACE FUNCTION systole.enqueue_fire(s systole.schedule, fire_at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    id     bigint;
    run_at timestamptz := CASE WHEN s.jitter = interval '0' THEN now() ELSE greatest(now(),
        enqueue_fire.fire_at + s.jitter * systole.jitter_share(s.schedule_id, enqueue_fire.fire_at)) END;
BEGIN
    INSERT INTO systole.job AS j
        (kind, args, state, run_at, priority, attempts_maximum, time_limit, schedule_id, fire_at)
    VALUES (s.kind, s.args, CASE WHEN run_at > now() THEN 'scheduled' ELSE 'ready' END, run_at, s.priority,
        s.attempts_maximum, s.time_limit, s.schedule_id, enqueue_fire.fire_at)
    RETURNING j.job_id INTO id;
    PERFORM pg_notify('systole_wake', s.kind);
    RETURN id;
END $$;

-- Somebody who triggers a schedule wants its job now: without jitter.
CREATE OR REPLACE FUNCTION systole.trigger_schedule(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    s  systole.schedule := systole.find_schedule(name);
    id bigint;
BEGIN
    s.jitter := '0';
    id := systole.enqueue_fire(s, clock_timestamp());
    INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision, job_id)
    SELECT s.schedule_id, j.fire_at, j.fire_at, 'triggered', id FROM systole.job j WHERE j.job_id = id;
    RETURN id;
END $$;

CREATE OR REPLACE FUNCTION systole.next_fires(name text, n integer DEFAULT 5)
RETURNS TABLE (fire_at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE
    s    systole.schedule;
    rule systole.cron_rule;
BEGIN
    s := systole.find_schedule(next_fires.name);
    rule := systole.rule_of(s);
    fire_at := s.next_fire_at;
    FOR i IN 1..least(n, 10000) LOOP
        EXIT WHEN fire_at IS NULL OR fire_at > s.end_at;
        RETURN NEXT;
        fire_at := systole.next_fire(s.every, rule, s.time_zone, fire_at);
    END LOOP;
END $$;

CREATE FUNCTION systole.backfill_schedule(
    name text, from_at timestamptz, to_at timestamptz, priority smallint DEFAULT 200)
RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    s     systole.schedule := systole.find_schedule(name);
    rule  systole.cron_rule := systole.rule_of(s);
    at    timestamptz := from_at - interval '1 microsecond';
    fires integer := 0;
    fired integer := 0;
    id    bigint;
BEGIN
    IF from_at IS NULL OR to_at IS NULL OR NOT isfinite(from_at) OR from_at > to_at OR to_at > now() THEN
        RAISE EXCEPTION 'A backfill goes from an instant to a later one that has passed; found % to %.',
            coalesce(from_at::text, 'NULL'), coalesce(to_at::text, 'NULL') USING ERRCODE = 'SY027';
    END IF;
    -- One backfill of a schedule at a time, and none while its times are decided.
    PERFORM FROM systole.schedule t WHERE t.schedule_id = s.schedule_id FOR NO KEY UPDATE;
    s.priority := priority;
    s.jitter := '0';
    LOOP
        at := systole.next_fire(s.every, rule, s.time_zone, at);
        EXIT WHEN at IS NULL OR at > to_at;
        fires := fires + 1;
        IF fires > 10000 THEN
            RAISE EXCEPTION 'Schedule % fires more than 10000 times from % to %.', quote_literal(name), from_at, to_at
                USING ERRCODE = 'SY027', HINT = 'Backfill it in stretches.';
        END IF;
        CONTINUE WHEN EXISTS (SELECT FROM systole.schedule_fire f WHERE f.schedule_id = s.schedule_id
            AND f.fire_at = at AND f.decision IN ('fired', 'backfilled'));
        s.args := jsonb_set(s.args, '{as_of}', to_jsonb(systole.iso8601(at)));
        id := systole.enqueue_fire(s, at);
        INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision, job_id)
        VALUES (s.schedule_id, at, at, 'backfilled', id);
        fired := fired + 1;
    END LOOP;
    RETURN fired;
END $$;
COMMENT ON FUNCTION systole.backfill_schedule IS
    'Enqueues the jobs that a schedule would have enqueued from one instant through another, except where it did; returns how '
    'many. Their arguments carry the time as as_of: a forecast uses nothing newer. They run after live jobs (priority '
    '200), and pauses and overlap do not hold them up.';

-- Whether a job of the schedule is waiting or running; backfills do not count.
CREATE FUNCTION systole.schedule_is_busy(id bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM systole.job j WHERE j.schedule_id = id AND NOT j.args ? 'as_of')
$$;

-- Jobs that somebody holds are just ending; those that are left are cancelled at the next look.
CREATE FUNCTION systole.cancel_fires(id bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    live bigint;
BEGIN
    FOR live IN
        SELECT j.job_id FROM systole.job j
        WHERE j.schedule_id = id AND NOT j.args ? 'as_of' AND j.cancel_at IS NULL
        FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM systole.cancel_job(live);
    END LOOP;
END $$;

CREATE FUNCTION systole.record_fire(id bigint, at timestamptz, decision text, job_id bigint DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision, job_id)
    VALUES (id, at, at, decision, record_fire.job_id)
$$;

-- Decides one fire that has come; returns the time that waits for the previous job to end afterwards, if any.
CREATE FUNCTION systole.decide_fire(s systole.schedule, at timestamptz, OUT queued timestamptz, OUT fired boolean)
LANGUAGE plpgsql AS $$
BEGIN
    queued := s.queued_fire_at;
    fired := false;
    IF (s.catchup = 'skip' AND at < now() - interval '1 minute') OR at < now() - s.catchup_window THEN
        PERFORM systole.record_fire(s.schedule_id, at, 'skipped_catchup');
    ELSIF s.overlap = 'allow' OR NOT systole.schedule_is_busy(s.schedule_id) AND queued IS NULL THEN
        PERFORM systole.record_fire(s.schedule_id, at, 'fired', systole.enqueue_fire(s, at));
        fired := true;
    ELSIF s.overlap = 'cancel_running' THEN
        -- The newest fire is the one that matters: it takes the place of one that still waits.
        UPDATE systole.schedule_fire f SET decision = 'skipped_overlap'
        WHERE f.schedule_id = s.schedule_id AND f.fire_at = queued AND f.decision = 'queued';
        PERFORM systole.cancel_fires(s.schedule_id);
        PERFORM systole.record_fire(s.schedule_id, at, 'queued');
        queued := at;
    ELSIF s.overlap = 'queue_one' AND queued IS NULL THEN
        PERFORM systole.record_fire(s.schedule_id, at, 'queued');
        queued := at;
    ELSE
        PERFORM systole.record_fire(s.schedule_id, at, 'skipped_overlap');
    END IF;
END $$;

-- Fires what waited for the previous job to end, if it has; the caller has locked the row.
CREATE FUNCTION systole.fire_queued(s systole.schedule) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF systole.schedule_is_busy(s.schedule_id) THEN
        IF s.overlap = 'cancel_running' THEN
            PERFORM systole.cancel_fires(s.schedule_id);
        END IF;
        RETURN false;
    END IF;
    UPDATE systole.schedule_fire f
    SET decision = 'fired', job_id = systole.enqueue_fire(s, s.queued_fire_at)
    WHERE f.schedule_id = s.schedule_id AND f.fire_at = s.queued_fire_at AND f.decision = 'queued';
    UPDATE systole.schedule t
    SET queued_fire_at = NULL, last_fire_at = greatest(t.last_fire_at, s.queued_fire_at)
    WHERE t.schedule_id = s.schedule_id;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION systole.decide_schedule(s systole.schedule) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    rule     systole.cron_rule := systole.rule_of(s);
    wanted   integer := CASE s.catchup WHEN 'all' THEN s.catchup_maximum ELSE 1 END;
    fires    timestamptz[];
    at       timestamptz;
    next     timestamptz;
    last     timestamptz;
    decision record;
    fired    integer := 0;
BEGIN
    -- One more than wanted: the extra one, if there, is the end of the stretch that is skipped.
    fires := ARRAY(SELECT systole.last_fires(s, rule, now(), wanted + 1));
    IF cardinality(fires) > wanted THEN
        INSERT INTO systole.schedule_fire (schedule_id, fire_at, through_at, decision)
        VALUES (s.schedule_id, s.next_fire_at, fires[1], 'skipped_catchup');
        fires := fires[2:];
    END IF;
    FOREACH at IN ARRAY fires LOOP
        decision := systole.decide_fire(s, at);
        s.queued_fire_at := decision.queued;
        IF decision.fired THEN
            fired := fired + 1;
            last := at;
        END IF;
    END LOOP;
    -- After the last decision even if the server's clock went back, as it may after a failover.
    next := systole.next_fire(s.every, rule, s.time_zone, greatest(now(), fires[cardinality(fires)]));
    UPDATE systole.schedule t
    SET next_fire_at = CASE WHEN next > s.end_at THEN NULL ELSE next END,
        last_fire_at = coalesce(last, t.last_fire_at), queued_fire_at = s.queued_fire_at
    WHERE t.schedule_id = s.schedule_id AND t.next_fire_at = s.next_fire_at;
    RETURN fired;
END $$;

-- Decides what waits of a schedule, whose row the caller has locked; one that cannot be decided is paused with the reason,
-- and must not silence the others.
CREATE FUNCTION systole.decide_or_pause(s systole.schedule) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    fired integer := 0;
BEGIN
    IF s.queued_fire_at IS NOT NULL AND systole.fire_queued(s) THEN
        s.queued_fire_at := NULL;
        fired := 1;
    END IF;
    IF s.next_fire_at <= now() THEN
        fired := fired + systole.decide_schedule(s);
    END IF;
    RETURN fired;
EXCEPTION
    WHEN transaction_rollback OR lock_not_available OR insufficient_resources THEN
        RAISE;
    WHEN OTHERS THEN
        UPDATE systole.schedule t SET paused_at = now(), pause_reason = left(SQLERRM, 500)
        WHERE t.schedule_id = s.schedule_id;
        RETURN 0;
END $$;

CREATE OR REPLACE FUNCTION systole.fire_due_schedules(n integer DEFAULT 100) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    due   systole.schedule;
    fired integer := 0;
BEGIN
    FOR due IN
        SELECT s.* FROM systole.schedule s
        WHERE s.queued_fire_at IS NOT NULL AND s.paused_at IS NULL
            AND (s.overlap = 'cancel_running' OR NOT systole.schedule_is_busy(s.schedule_id))
        ORDER BY s.queued_fire_at LIMIT n
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        fired := fired + systole.decide_or_pause(due);
    END LOOP;
    FOR due IN
        SELECT s.* FROM systole.schedule s
        WHERE s.paused_at IS NULL AND s.next_fire_at <= now()
        ORDER BY s.next_fire_at LIMIT n
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        fired := fired + systole.decide_or_pause(due);
    END LOOP;
    RETURN fired;
END $$;

-- As in 0005, and a job that is given up pauses a schedule that asked for it.
CREATE OR REPLACE FUNCTION systole.archive_job(
    id bigint, final_state text, result jsonb, error_class text, error text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    old systole.job;
BEGIN
    PERFORM systole.prepare_job_history();
    DELETE FROM systole.job j WHERE j.job_id = id RETURNING j.* INTO STRICT old;
    INSERT INTO systole.job_history
        (job_id, finished_at, state, kind, args, priority, run_at, unique_key, attempt,
        attempts_maximum, time_limit, lease_no, worker_id, started_at, progress, result, error_class,
        error, schedule_id, fire_at, retry_of, created_at)
    VALUES (old.job_id, now(), final_state, old.kind, old.args, old.priority, old.run_at,
        old.unique_key, old.attempt, old.attempts_maximum, old.time_limit, old.lease_no,
        old.worker_id, old.started_at, old.progress, archive_job.result,
        coalesce(archive_job.error_class, old.error_class), coalesce(archive_job.error, old.error),
        old.schedule_id, old.fire_at, old.retry_of, old.created_at);
    IF old.again_args IS NOT NULL AND final_state <> 'cancelled' THEN
        PERFORM systole.enqueue(old.kind, old.again_args, old.unique_key, now(), old.priority,
            old.attempts_maximum, old.time_limit);
    END IF;
    IF old.kind = 'train' THEN
        UPDATE systole.training t SET outcome = final_state, ended_at = now() WHERE t.job_id = id;
        UPDATE systole.training_state s SET state = NULL WHERE s.job_id = id AND s.state IS NOT NULL;
    END IF;
    IF final_state = 'dead' AND old.schedule_id IS NOT NULL THEN
        UPDATE systole.schedule s
        SET paused_at = now(), pause_reason = format('Job %s was given up.', old.job_id)
        WHERE s.schedule_id = old.schedule_id AND s.pause_on_failure AND s.paused_at IS NULL;
    END IF;
END $$;

CREATE OR REPLACE VIEW systole.schedules AS
SELECT s.schedule_id, s.name, s.kind, s.args, s.every, s.cron, s.time_zone,
    CASE WHEN s.paused_at IS NOT NULL THEN 'paused'
        WHEN s.next_fire_at IS NULL THEN 'ended'
        ELSE 'active' END AS state,
    s.pause_reason, CASE WHEN s.paused_at IS NULL THEN s.next_fire_at END AS next_fire_at,
    s.last_fire_at, last.decision AS last_decision, last.job_id AS last_job_id,
    s.catchup, s.overlap, s.start_at, s.end_at, s.created_at,
    s.jitter, s.catchup_maximum, s.catchup_window, s.dst_gap, s.dst_overlap, s.pause_on_failure,
    s.queued_fire_at, last.decided_at AS last_decided_at
FROM systole.schedule s
LEFT JOIN LATERAL (
    SELECT f.decision, f.job_id, f.decided_at FROM systole.schedule_fire f
    WHERE f.schedule_id = s.schedule_id AND f.decision <> 'backfilled'
    ORDER BY f.fire_at DESC LIMIT 1) last ON true;
COMMENT ON VIEW systole.schedules IS
    'All schedules, when they fire next, and what was decided last (fired, triggered, queued, skipped_overlap, '
    'skipped_catchup, skipped_paused). state: active, paused or ended.';
COMMENT ON COLUMN systole.schedules.queued_fire_at IS
    'The fire that waits for the previous job to end (overlap queue_one and cancel_running).';

CREATE VIEW systole.schedule_fires AS
SELECT s.name AS schedule, f.fire_at, f.through_at, f.decision, f.job_id, f.decided_at, f.schedule_id
FROM systole.schedule_fire f
JOIN systole.schedule s USING (schedule_id);
COMMENT ON VIEW systole.schedule_fires IS
    'Every decision about every schedule. A stretch that was skipped is one row, from fire_at through through_at; together '
    'the rows of a schedule, triggered and backfilled ones aside, tile the time since it was made.';

DROP FUNCTION systole.schedule_forecast(text, interval, interval, text, text, text);
CREATE FUNCTION systole.schedule_forecast(
    series text, horizon interval, every interval DEFAULT NULL, cron text DEFAULT NULL,
    time_zone text DEFAULT 'UTC', name text DEFAULT NULL, catchup text DEFAULT 'latest',
    overlap text DEFAULT 'skip', jitter interval DEFAULT '0', pause_on_failure boolean DEFAULT false)
RETURNS bigint LANGUAGE sql AS $$
    SELECT systole.create_schedule(
        name => coalesce($6, format('forecast %s %s', $1, $2)),
        kind => 'forecast',
        args => jsonb_build_object(
            'steps', systole.horizon_steps($1, $2), 'series_id', systole.series_id_of($1)),
        every => $3, cron => $4, time_zone => $5, catchup => $7, overlap => $8, jitter => $9,
        pause_on_failure => $10)
$$;
COMMENT ON FUNCTION systole.schedule_forecast IS
    'Forecasts a series again and again: every so often, or by cron in a time zone. Returns the number '
    'of the schedule; its name is the one given, or forecast, the key and the horizon. The rest as in create_schedule().';
