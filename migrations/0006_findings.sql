-- 0006_findings.sql: classifiers of recordings and what they found.
-- Locks: new objects, and one row in webhook_event_type; a running service notices nothing.
--
-- Errors: SY012 no such recording, SY018 unknown classifier.
SET LOCAL lock_timeout = '2s';

-- Classifiers --------------------------------------------------------------------------------------

-- A classifier is bytes with a digest: the same bytes are one row, whoever stores them, so that any
-- worker answers exactly as the one that stored them.
CREATE TABLE systole.classifier (
    classifier_id bigint      GENERATED ALWAYS AS IDENTITY,
    family        text        NOT NULL,
    stage         text        NOT NULL DEFAULT 'candidate',
    codes         text[]      NOT NULL,
    systems       text[]      NOT NULL,
    abbreviations text[]      NOT NULL,
    names         text[]      NOT NULL,
    card          jsonb       NOT NULL DEFAULT '{}',
    model         bytea       NOT NULL,
    model_sha256  bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    promoted_at   timestamptz,

    CONSTRAINT classifier_pkey PRIMARY KEY (classifier_id),
    CONSTRAINT classifier_model_once UNIQUE (model_sha256),
    CONSTRAINT classifier_model_matches_digest CHECK (sha256(model) = model_sha256),
    CONSTRAINT classifier_family_usable CHECK (family ~ '^[a-z][a-z0-9-]{0,40}$'),
    CONSTRAINT classifier_stage_known CHECK (stage IN ('candidate', 'live', 'retired')),
    CONSTRAINT classifier_card_object CHECK (jsonb_typeof(card) = 'object'),
    CONSTRAINT classifier_classes_fit CHECK (
        cardinality(codes) BETWEEN 1 AND 1000 AND cardinality(codes) = cardinality(systems)
        AND cardinality(codes) = cardinality(abbreviations) AND cardinality(codes) = cardinality(names))
);
-- Weights are noise to a compressor.
ALTER TABLE systole.classifier ALTER COLUMN model SET STORAGE EXTERNAL;
-- Keeps one live classifier, and serves the lookup of it.
CREATE UNIQUE INDEX classifier_one_live ON systole.classifier (stage) WHERE stage = 'live';
COMMENT ON TABLE systole.classifier IS
    'Classifiers of recordings. The four arrays name the classes by position; systems says whose codes they are.';

CREATE VIEW systole.classifiers AS
SELECT c.classifier_id, c.family, c.stage, left(encode(c.model_sha256, 'hex'), 12) AS version,
    cardinality(c.codes) AS classes, c.abbreviations, c.card, octet_length(c.model) AS model_bytes,
    encode(c.model_sha256, 'hex') AS model_sha256, c.created_at, c.promoted_at,
    'research_only' AS intended_use
FROM systole.classifier AS c;
COMMENT ON VIEW systole.classifiers IS
    'Every stored classifier of recordings with its card; the live one is what classify_recordings uses. For research '
    'only; this is not a medical device.';

CREATE FUNCTION systole.promote_classifier(id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    previous bigint;
BEGIN
    -- Promotions take turns.
    PERFORM pg_advisory_xact_lock(hashtextextended('systole.promote_classifier', 0));
    IF NOT EXISTS (SELECT FROM systole.classifier AS c WHERE c.classifier_id = id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY018',
            MESSAGE = format('There is no classifier %s.', coalesce(id::text, 'NULL')),
            HINT = 'All classifiers: SELECT classifier_id, family, version, stage FROM systole.classifiers;';
    END IF;
    SELECT c.classifier_id INTO previous FROM systole.classifier AS c WHERE c.stage = 'live';
    IF previous = id THEN RETURN previous; END IF;
    UPDATE systole.classifier AS c SET stage = 'retired' WHERE c.classifier_id = previous;
    UPDATE systole.classifier AS c SET stage = 'live', promoted_at = now() WHERE c.classifier_id = id;
    RETURN previous;
END $$;
COMMENT ON FUNCTION systole.promote_classifier IS
    'Makes a classifier the live one and retires the one that was; returns the number of the latter, so that '
    'promote_classifier of that number rolls back. What was found before stays.';

-- Findings -----------------------------------------------------------------------------------------

-- One immutable row a recording, its content and the classifier: the same bytes and the same model are
-- the same row. No foreign key to recording, as for waveform_chunk.
CREATE TABLE systole.classification (
    recording_id  bigint      NOT NULL,
    classifier_id bigint      NOT NULL REFERENCES systole.classifier,
    content       bytea       NOT NULL,
    quality       real,
    abstained     text,
    reason        text,
    notes         text[]      NOT NULL DEFAULT '{}',
    class         smallint[]  NOT NULL DEFAULT '{}',
    probability   real[]      NOT NULL DEFAULT '{}',
    threshold     real[]      NOT NULL DEFAULT '{}',
    positive      boolean[]   NOT NULL DEFAULT '{}',
    job_id        bigint,
    lease_no      bigint,
    classified_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT classification_pkey PRIMARY KEY (recording_id, classifier_id, content),
    CONSTRAINT classification_content_sha256 CHECK (octet_length(content) = 32),
    CONSTRAINT classification_quality_range CHECK (quality BETWEEN 0 AND 1),
    CONSTRAINT classification_abstains_with_reason CHECK ((abstained IS NULL) = (reason IS NULL)),
    -- Either a refusal or findings, never both, never neither.
    CONSTRAINT classification_answers CHECK ((abstained IS NULL) = (cardinality(class) > 0)),
    CONSTRAINT classification_arrays_fit CHECK (
        cardinality(class) = cardinality(probability) AND cardinality(class) = cardinality(threshold)
        AND cardinality(class) = cardinality(positive)),
    CONSTRAINT classification_probability_range CHECK (
        0 <= ALL (probability) AND 1 >= ALL (probability) AND 0 <= ALL (threshold) AND 1 >= ALL (threshold)
        AND 1 <= ALL (class)),
    CONSTRAINT classification_job_with_lease CHECK ((job_id IS NULL) = (lease_no IS NULL))
);
COMMENT ON TABLE systole.classification IS
    'What a classifier said of a recording with a certain content: never changed. class counts from 1 into the arrays '
    'of the classifier. Findings of a content that was replaced stay, and the views leave them out.';

CREATE VIEW systole.ecg_classifications AS
SELECT r.key AS recording, m.family AS model_family,
    left(encode(m.model_sha256, 'hex'), 12) AS model_version, k.quality, k.abstained, k.reason, k.notes,
    (SELECT coalesce(array_agg(m.abbreviations[u.class] ORDER BY u.probability DESC), '{}')
     FROM unnest(k.class, k.probability, k.positive) AS u (class, probability, positive)
     WHERE u.positive) AS positive,
    k.classified_at, 'research_only' AS intended_use, k.recording_id, k.classifier_id, k.job_id
FROM systole.classification AS k
JOIN systole.recording AS r ON r.recording_id = k.recording_id AND r.content = k.content
JOIN systole.classifier AS m USING (classifier_id);
COMMENT ON VIEW systole.ecg_classifications IS
    'Every answer about a recording as it is stored now, one row a classifier: quality, the classes found, or why the '
    'classifier abstained. For research only; this is not a medical device.';

CREATE VIEW systole.ecg_findings AS
SELECT r.key AS recording, m.codes[u.class] AS code, m.systems[u.class] AS system,
    m.abbreviations[u.class] AS abbreviation, m.names[u.class] AS name, u.probability, u.threshold,
    u.positive, k.quality, k.abstained, k.reason, k.notes, m.family AS model_family,
    left(encode(m.model_sha256, 'hex'), 12) AS model_version, k.classified_at,
    'research_only' AS intended_use, k.recording_id, k.classifier_id
FROM systole.recording AS r
CROSS JOIN LATERAL (
    SELECT * FROM systole.classification AS c
    WHERE c.recording_id = r.recording_id AND c.content = r.content
    ORDER BY c.classified_at DESC, c.classifier_id DESC LIMIT 1
) AS k
JOIN systole.classifier AS m USING (classifier_id)
LEFT JOIN LATERAL unnest(k.class, k.probability, k.threshold, k.positive)
    AS u (class, probability, threshold, positive) ON true;
COMMENT ON VIEW systole.ecg_findings IS
    'What was found in every recording by its newest classification: a row a class, or one row without a class and '
    'with the reason where the classifier abstained. For research only; this is not a medical device.';
COMMENT ON COLUMN systole.ecg_findings.code IS 'In the terms of system: SNOMED CT, for most.';
COMMENT ON COLUMN systole.ecg_findings.probability IS 'Calibrated on recordings that the model was not trained on.';
COMMENT ON COLUMN systole.ecg_findings.positive IS 'Whether the probability reaches the threshold of the class.';
COMMENT ON COLUMN systole.ecg_findings.abstained IS
    'Why there is no finding, as a word that stays the same; NULL where there are findings. reason is the sentence.';

-- What users call ------------------------------------------------------------------------------------

-- Many recordings a job: a claim, a commit and a model are shared by them.
CREATE FUNCTION systole.classify_recordings(
    key_like text DEFAULT '%', classifier bigint DEFAULT NULL, OUT recordings bigint, OUT jobs bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    chosen bigint := coalesce(classifier,
        (SELECT c.classifier_id FROM systole.classifier AS c WHERE c.stage = 'live'));
    batch bigint[];
BEGIN
    IF classifier IS NOT NULL
        AND NOT EXISTS (SELECT FROM systole.classifier AS c WHERE c.classifier_id = chosen) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY018',
            MESSAGE = format('There is no classifier %s.', chosen),
            HINT = 'All classifiers: SELECT classifier_id, family, version, stage FROM systole.classifiers;';
    END IF;
    IF NOT EXISTS (SELECT FROM systole.recording AS r WHERE r.key LIKE key_like) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'SY012',
            MESSAGE = format('No recording has a key like %L.', key_like),
            HINT = '% stands for anything: ''ward3/%''. All recordings: SELECT * FROM systole.recordings;';
    END IF;
    recordings := 0;
    jobs := 0;
    FOR batch IN
        SELECT array_agg(due.recording_id ORDER BY due.recording_id) FROM (
            SELECT r.recording_id, (row_number() OVER (ORDER BY r.recording_id) - 1) / 128 AS part
            FROM systole.recording AS r
            WHERE r.key LIKE key_like AND NOT EXISTS (
                SELECT FROM systole.classification AS k
                WHERE k.recording_id = r.recording_id AND k.classifier_id = chosen
                    AND k.content = r.content)
        ) AS due
        GROUP BY due.part ORDER BY due.part
    LOOP
        PERFORM systole.enqueue(
            kind => 'classify',
            args => jsonb_strip_nulls(jsonb_build_object('recordings', batch, 'classifier_id', chosen)),
            unique_key => concat_ws(' ', 'classify', coalesce(chosen::text, 'live'), md5(batch::text)));
        recordings := recordings + cardinality(batch);
        jobs := jobs + 1;
    END LOOP;
END $$;
COMMENT ON FUNCTION systole.classify_recordings IS
    'Asks for the classification of all recordings whose keys are LIKE a pattern by the live classifier (or the one '
    'given), 128 a job; returns how many recordings and jobs. What is classified already is left out.';

INSERT INTO systole.webhook_event_type (type, description) VALUES
    ('recording.classified', 'A recording was classified, or the classifier abstained; findings are read in SQL.');
