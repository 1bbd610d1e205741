-- The workbench: more kinds of task, a queue with rules, flags, gold answers, suggestions. New columns are NULL in rows
-- made before; NULL means "as it was".

-- What a task is judged by: the name of a rubric, or of a screen for tasks of the kind screen. NULL: the project's.
ALTER TABLE tasks ADD COLUMN rubric VARCHAR;
-- The language or skill that its annotators must have. NULL: none.
ALTER TABLE tasks ADD COLUMN skill VARCHAR;
-- NULL ordinary work, else 'gold' (calibration, too, is made of these) or 'repeat'.
ALTER TABLE tasks ADD COLUMN purpose VARCHAR;
-- Of a repeat: the task that it asks again, and of whom.
ALTER TABLE tasks ADD COLUMN repeat_of VARCHAR;
ALTER TABLE tasks ADD COLUMN only_for VARCHAR;
-- Rules of the queue as JSON, see records.QueueRules.
ALTER TABLE projects ADD COLUMN queue_rules VARCHAR;
-- JSON list of languages and skills.
ALTER TABLE annotators ADD COLUMN skills VARCHAR;
-- When their access was taken away. NULL: they may sign in.
ALTER TABLE annotators ADD COLUMN revoked_at TIMESTAMP;
-- What else is known of a judgement, as JSON: the suggestion that was shown, the edit distance, what was done again,
-- and of an adjudication (source 'adjudication') the judgements that it decides between.
ALTER TABLE judgements ADD COLUMN detail VARCHAR;

-- The order of the answers on the screen that the draft speaks of: it is shown again with its draft.
ALTER TABLE drafts ADD COLUMN shown VARCHAR;

-- Known answers. The value is in the order of the task's candidates.
CREATE TABLE gold_answers (
    task_id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    explanation VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- One row for each annotator in a project: what they saw of the guideline last, and whether they are paused.
CREATE TABLE standings (
    project_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    seen_guideline VARCHAR,
    seen_at TIMESTAMP,
    paused_reason VARCHAR,
    paused_at TIMESTAMP,
    -- Known answers judged before this do not count against them any more: a lead let them go on.
    gold_since TIMESTAMP,
    -- Entry of their latest skip, kept where several studios share the tables, so that the others hear of it.
    latest_skip VARCHAR,
    PRIMARY KEY (project_id, annotator)
);

-- Flags and comments to the curator. A flag that was taken back or dealt with has closed_at.
CREATE TABLE flags (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('flag', 'comment')),
    words VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    closed_at TIMESTAMP,
    closed_by VARCHAR
);

-- What their annotator did with flags, in the order of `entry` and thus among their judgements: append-only, for undo.
CREATE TABLE flag_log (
    entry VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    flag_id VARCHAR NOT NULL,
    action VARCHAR NOT NULL CHECK (action IN ('raise', 'undo', 'redo')),
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE suggestions (
    task_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    score DOUBLE PRECISION,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (task_id, source)
);

-- The text behind each hash of a rubric, screen or guideline that was on a screen, so that a changed clause can be shown
-- and the judgements made before it be found.
CREATE TABLE prompt_versions (
    hash VARCHAR PRIMARY KEY,
    shelf VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    seen_at TIMESTAMP NOT NULL
);

-- Judgements that a curator asks for anew, because the guideline changed. The queue gives the task back to its annotator
-- and sets reopened_at; the judgement counts until then.
CREATE TABLE asked_again (
    judgement_id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    words VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    reopened_at TIMESTAMP
);
