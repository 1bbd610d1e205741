"""Reads from the store everything that a snapshot is built of, as plain records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pitchpipe.store.curation.rules_background import read_background
from pitchpipe.store.curation.slices import find_examples
from pitchpipe.store.curation.standing_marks import STANDING_DECISIONS
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.knowledge import Knowledge, Recipe
from pitchpipe.store.judging.judgement_reading import CURRENT_ADJUDICATIONS, CURRENT_JUDGEMENTS
from pitchpipe.store.rules.rule import Background

_EXAMPLES = """
SELECT e.id, e.messages, e.category, e.group_id, g.split, coalesce(i.file_name, 'studio') AS source,
       j.id AS judgement_id
FROM examples AS e
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
LEFT JOIN imports AS i ON i.id = e.import_id
LEFT JOIN judgements AS j ON j.id = e.import_id
WHERE e.project_id = ? ORDER BY e.position, e.id
"""

_CANDIDATES = """
SELECT c.id, c.example_id, c.origin, c.text, c.model, c.run_id, c.judgement_id, c.parent_id
FROM candidates AS c JOIN examples AS e ON e.id = c.example_id
WHERE c.project_id = ? ORDER BY e.position, c.created_at, c.id
"""

_TASKS = """
SELECT id, example_id, kind, candidate_ids, purpose, repeat_of FROM tasks WHERE project_id = ? ORDER BY position, id
"""


_NO_OPINION = ("reason", "shown", "rubric_hash", "guideline_hash")
"""Columns of judgements that no consensus looks at."""


def read_knowledge(store: Store, project_id: str) -> Knowledge:
    """Everything known about a project, seen at one moment."""
    return store.read_at_once(lambda: _read_all(store, project_id, has_texts=True))


def read_lean_knowledge(store: Store, project_id: str) -> Knowledge:
    """What consensus is made of: as `read_knowledge`, but records have neither texts nor reasons nor decisions.

    Messages are there where turns inside a conversation were rated. Half the time and memory.
    """
    return store.read_at_once(lambda: _read_all(store, project_id, has_texts=False))


def find_chosen(store: Store, project: str, recipe: Recipe) -> set[str] | None:
    """The examples of the recipe's slice; None where it has none."""
    if recipe.slice is None:
        return None
    return set(find_examples(store, project, recipe.slice))


def read_rule_background(store: Store, project: str, recipe: Recipe) -> Background:
    """What the recipe's rules may know of the project; nothing is read where it has no rules."""
    if not recipe.rules:
        return Background()
    return read_background(store, project)


def _read_all(store: Store, project_id: str, *, has_texts: bool) -> Knowledge:
    unread = () if has_texts else _NO_OPINION
    judgements: dict[str, list[dict[str, Any]]] = {}
    for judgement in store.read_frame(CURRENT_JUDGEMENTS, [project_id]).drop(unread).to_dicts():
        judgements.setdefault(judgement["task_id"], []).append(judgement)
    overruled: dict[str, list[dict[str, Any]]] = {}
    # In order of entry, so that of several curators the one who decided last decides.
    for adjudication in store.read_frame(CURRENT_ADJUDICATIONS, [project_id]).drop(unread).to_dicts():
        overruled.setdefault(adjudication["task_id"], judgements.get(adjudication["task_id"], []))
        judgements[adjudication["task_id"]] = [adjudication]
    tasks = _index(store, _TASKS, project_id)
    has_messages = has_texts or any(task["kind"] == "turns" for task in tasks.values())
    decisions = store.read_frame(STANDING_DECISIONS, [project_id]).to_dicts() if has_texts else []
    return Knowledge(
        examples=_index(store, _EXAMPLES, project_id, () if has_messages else ("messages",)),
        candidates=_index(store, _CANDIDATES, project_id, () if has_texts else ("text",)),
        tasks=tasks,
        judgements=judgements,
        decisions={row["target_id"]: row for row in decisions},
        overruled=overruled,
    )


def _index(store: Store, sql: str, project_id: str, unread: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in store.read_frame(sql, [project_id]).drop(unread).to_dicts()}


_SOURCES = """
SELECT coalesce(i.file_name, 'studio') AS source, count(*) AS examples
FROM examples AS e LEFT JOIN imports AS i ON i.id = e.import_id
WHERE e.project_id = ? GROUP BY 1 ORDER BY 1
"""


def count_sources(store: Store, project_id: str) -> dict[str, int]:
    """Examples of a project by the source that a recipe's weights name."""
    return {str(source): int(count) for source, count in store.read(_SOURCES, [project_id])}
