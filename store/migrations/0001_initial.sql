-- Ids and times are made in Python; documents are JSON text; times are UTC. No column defaults, no foreign keys, no
-- secondary indexes: the same statements run in a DuckDB file and in an attached PostgreSQL database.

CREATE TABLE projects (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL UNIQUE,
    overlap INTEGER NOT NULL CHECK (overlap >= 1),
    holdout_share DOUBLE PRECISION NOT NULL CHECK (holdout_share >= 0 AND holdout_share <= 0.5),
    salt VARCHAR NOT NULL,
    lease_seconds INTEGER NOT NULL,
    minimum_dwell_ms INTEGER NOT NULL,
    rate_rubric VARCHAR NOT NULL,
    compare_rubric VARCHAR NOT NULL,
    guideline VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- The seal: the first assignment of a group stands for good.
CREATE TABLE group_splits (
    project_id VARCHAR NOT NULL,
    group_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL CHECK (split IN ('train', 'holdout')),
    reason VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (project_id, group_id)
);

CREATE TABLE examples (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    import_id VARCHAR NOT NULL,
    group_id VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    messages VARCHAR NOT NULL,
    external_id VARCHAR,
    tree VARCHAR,
    category VARCHAR,
    metadata VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE candidates (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    example_id VARCHAR NOT NULL,
    origin VARCHAR NOT NULL CHECK (origin IN ('demonstration', 'import', 'person', 'model')),
    text VARCHAR NOT NULL,
    model VARCHAR,
    run_id VARCHAR,
    judgement_id VARCHAR,
    parent_id VARCHAR,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE tasks (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    example_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    candidate_ids VARCHAR NOT NULL,
    overlap INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    batch VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);

-- One row a slot. A lease has leased_until; a submitted slot has NULL and is taken for good.
CREATE TABLE assignments (
    task_id VARCHAR NOT NULL,
    slot INTEGER NOT NULL,
    project_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    token VARCHAR NOT NULL,
    shown VARCHAR NOT NULL,
    claimed_at TIMESTAMP NOT NULL,
    leased_until TIMESTAMP,
    PRIMARY KEY (task_id, slot),
    UNIQUE (task_id, annotator)
);

CREATE TABLE drafts (
    task_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    body VARCHAR NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (task_id, annotator)
);

-- Append-only. `entry` is made by the store at acceptance and gives the order; `id` is made by the client before its
-- first try, so that a repeat is recognised.
CREATE TABLE judgements (
    id VARCHAR PRIMARY KEY,
    entry VARCHAR NOT NULL,
    project_id VARCHAR NOT NULL,
    task_id VARCHAR NOT NULL,
    example_id VARCHAR NOT NULL,
    annotator VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('submitted', 'skipped', 'retracted')),
    value VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    shown VARCHAR NOT NULL,
    seconds DOUBLE PRECISION,
    rubric_hash VARCHAR,
    guideline_hash VARCHAR,
    supersedes VARCHAR,
    source VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE decisions (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    target_id VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL CHECK (verdict IN ('keep', 'drop')),
    rule VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE snapshots (
    id VARCHAR NOT NULL,
    project_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    folder VARCHAR NOT NULL,
    counts VARCHAR NOT NULL,
    rows_hash VARCHAR NOT NULL,
    recipe_hash VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (project_id, name)
);

CREATE TABLE snapshot_rows (
    snapshot_id VARCHAR NOT NULL,
    row_id VARCHAR NOT NULL,
    row_kind VARCHAR NOT NULL,
    example_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    candidate_ids VARCHAR NOT NULL,
    judgement_ids VARCHAR NOT NULL,
    PRIMARY KEY (snapshot_id, row_id)
);

CREATE TABLE runs (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('train', 'evaluate', 'generate')),
    method VARCHAR,
    snapshot_id VARCHAR,
    parent_run_id VARCHAR,
    folder VARCHAR NOT NULL,
    manifest_sha256 VARCHAR NOT NULL,
    summary VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE run_rows (
    run_id VARCHAR NOT NULL,
    row_id VARCHAR NOT NULL,
    PRIMARY KEY (run_id, row_id)
);

CREATE TABLE imports (
    id VARCHAR PRIMARY KEY,
    project_id VARCHAR NOT NULL,
    file_name VARCHAR NOT NULL,
    file_sha256 VARCHAR NOT NULL,
    format VARCHAR NOT NULL,
    counts VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE annotators (
    name VARCHAR PRIMARY KEY,
    role VARCHAR NOT NULL CHECK (role IN ('annotator', 'curator', 'engineer', 'lead')),
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE sessions (
    id VARCHAR PRIMARY KEY,
    annotator VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP
);

CREATE TABLE events (
    id VARCHAR PRIMARY KEY,
    actor VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    created_at TIMESTAMP NOT NULL
);
