"""Fills the private engine of a catalogue from the store: what is read, and when it has changed.

What is read of the store are plain rows (the same statements in both homes); everything derived is made afterwards in
the private engine by `queries/catalogue.sql`. Decisions and tags are read apart: they change with every action of a
curator, and are put beside the rest by views.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import duckdb

from pitchpipe.store.curation.standing_marks import STANDING_DECISIONS, STANDING_TAGS
from pitchpipe.store.database import Store

TABLES = ("examples", "candidates", "tasks", "judgements", "decisions", "tags", "snapshot_rows")
"""What a curator's SELECT can ask."""
BASE_TABLES = ("example_facts", "candidate_facts", "tasks", "judgements", "snapshot_rows")
MARK_TABLES = ("decisions", "tags", "marks")

_COLUMNS = "id, entry, task_id, example_id, annotator, kind, value, reason, shown, seconds, source, created_at, status"
_EACH = "task_id, annotator, source = 'adjudication'"
# Hardly anybody judges a task twice, so the latest are sought only among those whose hash comes several times.
_LATEST = f"""
WITH ours AS (SELECT {_COLUMNS}, hash({_EACH}) AS place FROM judgements WHERE project_id = ?),
repeated AS (SELECT place FROM ours GROUP BY place HAVING count(*) > 1)
SELECT * FROM ours WHERE place NOT IN (FROM repeated)
UNION ALL
SELECT * FROM ours WHERE place IN (FROM repeated)
QUALIFY row_number() OVER (PARTITION BY {_EACH} ORDER BY entry DESC) = 1
"""
_READS = {
    "raw_examples": (
        "SELECT e.id, e.position, e.messages, e.external_id, e.tree, e.category, e.metadata, e.group_id, "
        "g.split AS side, coalesce(i.file_name, 'studio') AS source, e.created_at FROM examples AS e "
        "JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id "
        "LEFT JOIN imports AS i ON i.id = e.import_id WHERE e.project_id = ?"
    ),
    "raw_candidates": (
        "SELECT id, example_id, origin, text, model, run_id, judgement_id, parent_id, created_at FROM candidates "
        "WHERE project_id = ?"
    ),
    "raw_tasks": (
        "SELECT id, example_id, kind, candidate_ids, overlap, batch, purpose, rubric, created_at FROM tasks "
        "WHERE project_id = ?"
    ),
    "raw_judgements": f"SELECT * EXCLUDE (status, place) FROM ({_LATEST}) WHERE status = 'submitted'",
    "raw_snapshot_rows": (
        "SELECT s.name AS snapshot, r.row_id, r.row_kind, r.example_id, r.split AS side FROM snapshot_rows AS r "
        "JOIN (SELECT DISTINCT id, name FROM snapshots WHERE project_id = ?) AS s ON s.id = r.snapshot_id"
    ),
}  # fmt: skip

# What is never taken back is counted; of what changes in place (the overlap and purpose of a task, the origin of an
# answer) the sum or count moves with it.
_REVISION = """
SELECT (SELECT count(*) FROM examples WHERE project_id = $project),
       (SELECT count(*) FROM candidates WHERE project_id = $project),
       (SELECT count(*) FROM candidates WHERE project_id = $project AND origin = 'demonstration'),
       (SELECT count(*) FROM tasks WHERE project_id = $project),
       (SELECT sum(overlap) FROM tasks WHERE project_id = $project),
       (SELECT count(purpose) FROM tasks WHERE project_id = $project),
       (SELECT count(*) FROM judgements WHERE project_id = $project),
       (SELECT max(entry) FROM judgements WHERE project_id = $project),
       (SELECT count(*) FROM snapshots WHERE project_id = $project)
"""
# Counts too: an id that another process drew earlier may be written later.
_MARK_REVISION = """
SELECT (SELECT max(id) FROM decisions WHERE project_id = $project),
       (SELECT count(*) FROM decisions WHERE project_id = $project),
       (SELECT count(*) FROM tags WHERE project_id = $project),
       (SELECT max(id) FROM actions WHERE project_id = $project),
       (SELECT count(undone_at) FROM actions WHERE project_id = $project),
       (SELECT max(undone_at) FROM actions WHERE project_id = $project)
"""
Revision = tuple[Any, ...]

_MARKS = """
CREATE OR REPLACE TABLE marks AS
WITH verdicts AS (
    SELECT target_id, verdict, reason, rule, actor FROM decisions
), labels AS (
    SELECT target_id, list_sort(list(tag)) AS tags FROM tags GROUP BY target_id
)
SELECT coalesce(v.target_id, l.target_id) AS target_id, v.verdict, v.reason, v.rule, v.actor, l.tags
FROM verdicts AS v FULL JOIN labels AS l ON l.target_id = v.target_id
"""
VIEWS = {
    "examples": (
        "SELECT e.*, coalesce(m.verdict, 'undecided') AS decision, m.reason AS decision_reason, "
        "m.rule AS decision_rule, m.actor AS decided_by, coalesce(m.tags, []) AS tags "
        "FROM example_facts AS e LEFT JOIN marks AS m ON m.target_id = e.example_id"
    ),
    "candidates": (
        "SELECT c.*, coalesce(m.verdict, 'undecided') AS decision, m.reason AS decision_reason, "
        "coalesce(m.tags, []) AS tags "
        "FROM candidate_facts AS c LEFT JOIN marks AS m ON m.target_id = c.candidate_id"
    ),
}  # fmt: skip
"""Decisions and tags beside the rest; by name of the view."""


def read_revision(store: Store, project_id: str) -> Revision:
    """What tells whether the tables have changed."""
    return store.read(_REVISION, {"project": project_id})[0]


def read_mark_revision(store: Store, project_id: str) -> Revision:
    """What tells whether decisions and tags have changed."""
    return store.read(_MARK_REVISION, {"project": project_id})[0]


def fill_tables(connection: duckdb.DuckDBPyConnection, store: Store, project_id: str) -> None:
    """Reads the project and makes every table but those of decisions and tags."""
    for name, sql in _READS.items():
        _copy(connection, store, name, sql, project_id)
    for statement in connection.extract_statements(_read_derivation()):
        connection.execute(statement).fetchall()
    for name in _READS:
        connection.execute(f"DROP TABLE {name}").fetchall()


def fill_marks(connection: duckdb.DuckDBPyConnection, store: Store, project_id: str) -> None:
    """Reads decisions and tags anew; all of them change at one moment for whoever asks."""
    connection.begin()
    try:
        _copy(connection, store, "decisions", STANDING_DECISIONS, project_id)
        _copy(connection, store, "tags", STANDING_TAGS, project_id)
        connection.execute(_MARKS).fetchall()
        for name, sql in VIEWS.items():
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}").fetchall()
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _copy(connection: duckdb.DuckDBPyConnection, store: Store, name: str, sql: str, project_id: str) -> None:
    connection.register("incoming", store.read_frame(sql, [project_id]).to_arrow())
    try:
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming").fetchall()
    finally:
        connection.unregister("incoming")


def _read_derivation() -> str:
    return (files("pitchpipe.store") / "queries" / "catalogue.sql").read_text(encoding="utf-8")
