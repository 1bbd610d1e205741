"""Reads from the store everything that a snapshot is built of, as plain records."""

from __future__ import annotations

from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.judgement_reading import CURRENT_JUDGEMENTS
from pitchpipe.store.snapshot_building import Knowledge

_EXAMPLES = """
SELECT e.id, e.messages, e.category, e.group_id, g.split, coalesce(i.file_name, 'studio') AS source
FROM examples AS e
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
LEFT JOIN imports AS i ON i.id = e.import_id
WHERE e.project_id = ? ORDER BY e.position, e.id
"""

_CANDIDATES = """
SELECT c.id, c.example_id, c.origin, c.text, c.model, c.run_id, c.judgement_id, c.parent_id
FROM candidates AS c JOIN examples AS e ON e.id = c.example_id
WHERE c.project_id = ? AND (c.judgement_id IS NULL OR c.judgement_id NOT IN (
    SELECT j.id FROM judgements AS j JOIN tasks AS t ON t.id = j.task_id WHERE t.purpose IS NOT NULL))
ORDER BY e.position, c.created_at, c.id
"""

# Known answers and repeats measure annotators; they enter no dataset.
_TASKS = """
SELECT id, example_id, kind, candidate_ids FROM tasks WHERE project_id = ? AND purpose IS NULL ORDER BY position, id
"""

_DECISIONS = """
SELECT target_id, verdict, rule, reason, actor FROM decisions WHERE project_id = ?
QUALIFY row_number() OVER (PARTITION BY target_id ORDER BY id DESC) = 1
"""


def read_knowledge(store: Store, project_id: str) -> Knowledge:
    """Everything known about a project, seen at one moment."""
    return store.read_at_once(lambda: _read_all(store, project_id))


def _read_all(store: Store, project_id: str) -> Knowledge:
    judgements: dict[str, list[dict[str, Any]]] = {}
    for judgement in store.read_frame(CURRENT_JUDGEMENTS, [project_id]).to_dicts():
        judgements.setdefault(judgement["task_id"], []).append(judgement)
    return Knowledge(
        examples=_index(store, _EXAMPLES, project_id),
        candidates=_index(store, _CANDIDATES, project_id),
        tasks=_index(store, _TASKS, project_id),
        judgements=judgements,
        decisions={row["target_id"]: row for row in store.read_frame(_DECISIONS, [project_id]).to_dicts()},
    )


def _index(store: Store, sql: str, project_id: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in store.read_frame(sql, [project_id]).to_dicts()}
