-- 0024_calendars.sql: more families of models of groups.
-- Locks: none; a function is replaced.
SET LOCAL lock_timeout = '2s';

CREATE OR REPLACE FUNCTION systole.train_group(
    name text, family text DEFAULT 'auto', horizon interval DEFAULT NULL, seed bigint DEFAULT NULL, threads integer DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    id      bigint := systole.group_id_of(name);
    steps   integer := systole.group_horizon_steps(systole.group_id_of(name), horizon);
    known   CONSTANT text[] := '{ridge,ridge-mean,tsm2,tsm2-calendar,tsm2-unmixed,spacetime}';
    names   text[] := array(SELECT DISTINCT trim(n) FROM unnest(string_to_array(family, ',')) AS n ORDER BY 1);
    unknown text;
BEGIN
    SELECT n INTO unknown FROM unnest(names) AS n WHERE n <> ALL (known) AND names <> '{auto}' LIMIT 1;
    IF family IS NULL OR names = '{}' OR unknown IS NOT NULL THEN
        RAISE EXCEPTION 'Groups have no model family %.', coalesce(quote_literal(coalesce(unknown, family)), 'NULL')
            USING ERRCODE = 'SY010', HINT = format('Accepted: auto, or one or several of %s, separated by commas.',
                array_to_string(known, ', '));
    END IF;
    IF seed < 0 OR threads NOT BETWEEN 1 AND 256 THEN
        RAISE EXCEPTION 'A training cannot have the seed % and % threads.', coalesce(seed::text, 'of the worker'),
            coalesce(threads::text, 'its') USING ERRCODE = 'SY016', HINT = 'Accepted: seeds from 0, 1 to 256 threads.';
    END IF;
    RETURN systole.enqueue(
        kind => 'train-group',
        args => jsonb_strip_nulls(jsonb_build_object('group_id', id, 'family', array_to_string(names, ','), 'steps', steps,
            'seed', seed, 'threads', threads)),
        unique_key => concat_ws(' ', 'train-group', id, array_to_string(names, ','), steps, 'seed ' || seed), time_limit => '6 hours');
END $$;
COMMENT ON FUNCTION systole.train_group IS
    'Trains models of all members of a group together (auto: all of ridge, ridge-mean, tsm2, tsm2-calendar, tsm2-unmixed and '
    'spacetime; or those of them that are named, separated by commas), for a horizon (default: a week, but 24 to 720 steps). A '
    'combination is taken where it gains, else the best on validation, and for single members what is better for them throughout. '
    'It goes live if it is better on validation than repeating the last value. Returns the number of the job.';

SELECT systole.apply_privileges();
