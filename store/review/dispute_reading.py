"""Reads one task with everything that a curator weighs: the answers, every rater's judgement and reason, the flags.

Who wrote the answers stays out of it until the task is settled, so that the last word is as blind as the first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.judging.judgement_rows import select_latest
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import Message, TaskKind

_TASK = "SELECT kind, rubric, example_id, candidate_ids, batch, purpose FROM tasks WHERE id = ? AND project_id = ?"
_JUDGEMENTS = f"""
SELECT id, annotator, value, reason, seconds, shown, guideline_hash, created_at, source, detail FROM (
    {select_latest("*", "task_id = ?", "annotator, source = 'adjudication'")}
) WHERE status = 'submitted' ORDER BY annotator, entry
"""
_FLAGS = """
SELECT id, kind, annotator, words, created_at FROM flags WHERE task_id = ? AND closed_at IS NULL ORDER BY created_at, id
"""
_SETTLED = f"""
SELECT j.task_id, j.annotator, j.kind, j.value, j.reason, j.created_at, e.messages FROM (
    {select_latest("*", "project_id = ? AND source = 'adjudication'", "task_id")}
) AS j JOIN examples AS e ON e.id = j.example_id
WHERE j.status = 'submitted' ORDER BY j.entry DESC LIMIT ?
"""
_LONGEST_REQUEST = 300


@dataclass(frozen=True, slots=True)
class RaterAnswer:
    """What one rater says of the task now."""

    judgement_id: str
    annotator: str
    value: dict[str, Any]
    """In stored terms."""
    reason: str
    seconds: float | None
    is_swapped: bool
    """The rater saw the answers in another order than the task's own."""
    guideline_hash: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OpenFlag:
    """A flag or comment that nobody has dealt with."""

    id: str
    kind: str
    annotator: str
    words: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """The adjudication that stands."""

    adjudication_id: str
    actor: str
    value: dict[str, Any]
    reason: str
    created_at: datetime
    accepts: str | None
    """The judgement that was taken over, if one was."""


@dataclass(frozen=True, slots=True)
class Case:
    """A task as it lies before a curator. Answers are in the task's own order."""

    task_id: str
    example_id: str
    kind: TaskKind
    rubric: str | None
    messages: tuple[Message, ...]
    answers: tuple[str, ...]
    judgements: tuple[RaterAnswer, ...]
    flags: tuple[OpenFlag, ...]
    settlement: Settlement | None
    can_settle: bool
    """False for blind reviews of a run and repeats: they measure."""
    models: tuple[str | None, ...] = ()
    """Who wrote the answers; empty until the task is settled."""


def read_case(store: Store, project: str, task_id: str) -> Case:
    """One task with all that was said of it, seen at one moment.

    Raises:
        NotFoundError: the project has no such task.
    """
    project_id = get_project(store, project).id
    return store.read_at_once(lambda: _read_case(store, project_id, task_id))


def list_settled(store: Store, project: str, limit: int = 50) -> list[dict[str, Any]]:
    """The adjudications that stand, the latest first: task_id, actor, kind, value, reason, created_at, request."""
    rows = store.read(_SETTLED, [get_project(store, project).id, limit])
    names = ("task_id", "actor", "kind", "value", "reason", "created_at", "request")
    return [
        dict(zip(names, (*row[:3], json.loads(row[3]), *row[4:6], read_request(row[6])), strict=True)) for row in rows
    ]


def read_request(messages: str) -> str:
    """The last turn of the user in a conversation (JSON as stored), at most 300 characters.

    >>> read_request('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]')
    'Hi'
    """
    asked = [message["content"] for message in json.loads(messages) if message["role"] == "user"]
    return str(asked[-1])[:_LONGEST_REQUEST] if asked else ""


def _read_case(store: Store, project_id: str, task_id: str) -> Case:
    found = store.read(_TASK, [task_id, project_id])
    if not found:
        raise NotFoundError(f"There is no task '{task_id}' in this project.", "Choose one from the queue.")
    kind, rubric, example_id, candidate_ids, batch, purpose = found[0]
    messages = json.loads(store.read("SELECT messages FROM examples WHERE id = ?", [example_id])[0][0])
    ids = json.loads(candidate_ids)
    written = [store.read("SELECT text, model FROM candidates WHERE id = ?", [answer])[0] for answer in ids]
    rows = store.read(_JUDGEMENTS, [task_id])
    settlement = _read_settlement([row for row in rows if row[8] == "adjudication"])
    return Case(
        task_id=task_id,
        example_id=example_id,
        kind=TaskKind(kind),
        rubric=rubric,
        messages=tuple(Message(**message) for message in messages),
        answers=tuple(text for text, _ in written),
        judgements=tuple(
            RaterAnswer(row[0], row[1], json.loads(row[2]), row[3], row[4], json.loads(row[5]) != ids, row[6], row[7])
            for row in rows
            if row[8] != "adjudication"
        ),
        flags=tuple(OpenFlag(*row) for row in store.read(_FLAGS, [task_id])),
        settlement=settlement,
        can_settle=not batch and purpose != "repeat",
        models=tuple(model for _, model in written) if settlement is not None and not batch else (),
    )


def _read_settlement(rows: list[tuple[Any, ...]]) -> Settlement | None:
    if not rows:
        return None
    adjudication_id, actor, value, reason, _, _, _, created_at, _, detail = rows[0]
    accepts = json.loads(detail or "{}").get("accepts")
    return Settlement(adjudication_id, actor, json.loads(value), reason, created_at, accepts)
