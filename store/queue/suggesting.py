"""Suggestions: what a model or classifier would answer, shown where a project says so, and whether it was taken.

Off by default: a shown suggestion draws people towards it (anchoring). What became of each is kept with the judgement,
so that this can be measured.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.judging.judgement_values import to_screen_value
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.gold import check_stored_value
from pitchpipe.store.records import TaskKind

_LONGEST_SOURCE = 100
_READ_TASKS = "SELECT id, kind, candidate_ids FROM tasks WHERE project_id = ? AND id IN (SELECT unnest(?))"
# The one that was there when the task was claimed, so that what is recorded is what was shown all the time.
_READ_SHOWN = """
SELECT source, score, value FROM suggestions WHERE task_id = ? AND created_at <= ?
ORDER BY created_at DESC, source LIMIT 1
"""
_SCHEMA = {
    "task_id": pl.String(), "source": pl.String(), "value": pl.String(), "score": pl.Float64(),
    "created_at": pl.Datetime("us"),
}  # fmt: skip


def add_suggestions(
    store: Store, project: str, suggestions: Sequence[dict[str, Any]], source: str, actor: str = "local"
) -> dict[str, int]:
    """Keeps suggestions for tasks, all of them or none; a source's later one takes the place of its earlier one.

    Args:
        suggestions: `{"task_id", "value", "score"}`, the value as judgements are stored, the score 0 to 1 or left out.
        source: what made them, such as `topics-v1`. It is shown to nobody who judges.

    Returns:
        `{"added", "replaced"}`.

    Raises:
        NotFoundError: the project has no such task.
        UsageError: a value does not fit its task, a score is out of range, or a task is named twice.
    """
    target = get_project(store, project)
    if not 1 <= len(source.strip()) <= _LONGEST_SOURCE:
        raise UsageError(f"The source {source!r} cannot be used.", f"Use 1 to {_LONGEST_SOURCE} characters.")
    rows = _check(store, target.id, suggestions, source)

    def insert_suggestions(transaction: Transaction) -> dict[str, int]:
        ids = [row[0] for row in rows]
        sql = "DELETE FROM suggestions WHERE source = ? AND task_id IN (SELECT unnest(?))"
        replaced = int(transaction.run(sql, [source, ids])[0][0]) if ids else 0
        # As of now, behind every claim that was made without them.
        frame = pl.DataFrame([(*row, utc_now()) for row in rows], _SCHEMA, orient="row")
        transaction.insert_frame("suggestions", frame)
        done = {"added": len(rows) - replaced, "replaced": replaced}
        record_event(transaction, actor, "add_suggestions", project, {"source": source, **done})
        return done

    return store.write(insert_suggestions)


def read_suggestion(
    store: Store, task_id: str, kind: TaskKind, candidate_ids: list[str], shown: list[str], claimed_at: datetime
) -> dict[str, Any] | None:
    """The latest suggestion for a task when it was claimed, in screen terms: `value`, `score`; None if there was none.

    Whether its project shows suggestions is for the caller to ask.
    """
    found = store.read(_READ_SHOWN, [task_id, claimed_at])
    if not found:
        return None
    _, score, value = found[0]
    return {"value": to_screen_value(kind, json.loads(value), candidate_ids, shown), "score": score}


def describe_acceptance(
    transaction: Transaction, task_id: str, claimed_at: datetime, stored: dict[str, Any]
) -> dict[str, Any]:
    """What a judgement's detail keeps of the suggestion that was shown with its task; nothing where there was none."""
    found = transaction.run(_READ_SHOWN, [task_id, claimed_at])
    if not found:
        return {}
    source, score, value = found[0]
    return {"suggestion": {"source": source, "score": score, "is_accepted": json.loads(value) == stored}}


def _check(
    store: Store, project_id: str, suggestions: Sequence[dict[str, Any]], source: str
) -> list[tuple[str, str, str, float | None]]:
    wanted = [str(suggestion.get("task_id")) for suggestion in suggestions]
    known = {row[0]: row[1:] for row in store.read(_READ_TASKS, [project_id, wanted])} if wanted else {}
    missing = [task_id for task_id in wanted if task_id not in known]
    if missing:
        raise NotFoundError(
            f"{len(missing)} suggestions name tasks that are not here, such as '{missing[0]}'.",
            "Take the ids from this project; nothing was kept.",
        )
    if len(set(wanted)) < len(wanted):
        raise UsageError("A task is named more than once.", "Give one suggestion a task; nothing was kept.")
    rows = []
    for task_id, suggestion in zip(wanted, suggestions, strict=True):
        kind, candidate_ids = known[task_id]
        score = suggestion.get("score")
        if score is not None and (type(score) not in (int, float) or not 0 <= score <= 1):
            raise UsageError(
                f"The score {score!r} of task '{task_id}' is out of range.", "Use 0 to 1, or leave it out."
            )
        value = check_stored_value(TaskKind(kind), suggestion.get("value") or {}, json.loads(candidate_ids))
        rows.append((task_id, source, canonical_json(value), None if score is None else float(score)))
    return rows
