-- Curation: actions on many things at once, tags, saved slices and recipes, evaluation sets to compare with.

-- What a curator did at once to many examples or answers. Decisions, tags and tasks bear its id; while undone_at is set,
-- none of them counts.
CREATE TABLE actions (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('keep', 'drop', 'tag', 'untag', 'queue')),
    note VARCHAR NOT NULL,
    things BIGINT NOT NULL,
    -- What else is known, as JSON: the tag, or what was queued and for which examples.
    detail VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    undone_at TIMESTAMP,
    undone_by VARCHAR
);

-- NULL: a decision of its own, made before actions were known or outside of one.
ALTER TABLE decisions ADD COLUMN action_id VARCHAR;
-- NULL: not made by an action.
ALTER TABLE tasks ADD COLUMN action_id VARCHAR;

-- Append-only: of a target and a tag the latest row counts whose action is not undone (its kind says tag or untag).
CREATE TABLE tags (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    action_id VARCHAR NOT NULL,
    target_id VARCHAR NOT NULL,
    tag VARCHAR NOT NULL
);

-- A saved question to the data, as JSON: words, filters, SQL.
CREATE TABLE slices (
    project_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    question VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (project_id, name)
);

CREATE TABLE recipes (
    project_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    recipe VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (project_id, name)
);

-- Test items of other people, which no training row may contain.
CREATE TABLE evaluation_items (
    project_id VARCHAR NOT NULL,
    set_name VARCHAR NOT NULL,
    item_id VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (project_id, set_name, item_id)
);
