"""What curators decide: keep or drop, with a reason, of one thing or of many at once, tags, and work for the queue.

Everything is append-only. An action on many things bears one id and can be undone and done again as a whole:
while it is undone, none of its decisions and tags counts, and tasks that nobody has touched are taken back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from pitchpipe.store.curation.curating_queue import insert_queued, take_back_queued
from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json, new_id
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.tasking import TaskOrder, plan_tasks
from pitchpipe.store.records import Project

ACTIONS = ("keep", "drop", "tag", "untag", "queue")
_LONGEST_TAG = 60
_INSERT_DECISION = (
    "INSERT INTO decisions (id, project_id, target_id, verdict, rule, version, reason, actor, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_ACTION = (
    "INSERT INTO actions (id, project_id, kind, note, things, detail, actor, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT_ACTION = """
SELECT a.id, p.name, a.kind, a.note, a.things, a.detail, a.actor, a.created_at, a.undone_at, a.undone_by
FROM actions AS a JOIN projects AS p ON p.id = a.project_id
"""


@dataclass(frozen=True, slots=True)
class Action:
    """Something a curator did at once to many examples or answers."""

    id: str
    project: str
    kind: str
    note: str
    things: int
    """How many examples or answers; of a queue how many tasks it made."""
    tag: str | None
    actor: str
    created_at: datetime
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class ChangedAction:
    """What an undo, or the undo of an undo, came to."""

    action: Action
    kept_tasks: int = 0
    """Of a queue: tasks that stay, because somebody has begun or judged them."""


def decide(store: Store, target_id: str, verdict: str, reason: str, actor: str, rule: str = "curator") -> str:
    """Records a decision on an example or a candidate and returns its id.

    Raises:
        UsageError: the verdict is neither keep nor drop, or a drop has no reason.
        NotFoundError: there is no such example or candidate.
    """
    if verdict not in ("keep", "drop"):
        raise UsageError(f"The verdict '{verdict}' is not known.", "Use keep or drop.")
    if verdict == "drop" and not reason.strip():
        raise UsageError("A drop needs a reason.", "Say in a few words why; it is listed with the snapshot.")
    found = store.read(
        "SELECT project_id FROM examples WHERE id = $id UNION ALL SELECT project_id FROM candidates WHERE id = $id",
        {"id": target_id},
    )
    if not found:
        raise NotFoundError(f"There is no example or candidate '{target_id}'.", "Copy its id from `pitchpipe lineage`.")
    decision_id = new_id("dec")

    def insert_decision(transaction: Transaction) -> None:
        row = [decision_id, found[0][0], target_id, verdict, rule, "1", reason, actor, utc_now()]
        transaction.run(_INSERT_DECISION, row)
        record_event(transaction, actor, verdict, target_id, {"rule": rule, "reason": reason})

    store.write(insert_decision)
    store.checkpoint()  # the journal brings back judgements only, not what they are about
    return decision_id


def act_on(
    store: Store,
    project: str,
    kind: str,
    target_ids: Sequence[str],
    *,
    note: str,
    actor: str,
    tag: str | None = None,
    order: TaskOrder | None = None,
    rule: str = "curator",
) -> str:
    """Does one thing to many examples or candidates, and returns the id of the action.

    Args:
        kind: `keep`, `drop`, `tag`, `untag`, or `queue`, which makes tasks for those examples.
        target_ids: ids of examples or candidates; of `queue` and its tasks, of examples.
        note: why; a drop needs it.
        tag: of `tag` and `untag`.
        order: of `queue`: what tasks; tasks that are there already stay as they are.
        rule: the rule that found them, where a check did.

    Raises:
        UsageError: the action is not known, something it needs is missing, or it would change nothing.
        NotFoundError: the project has not all of the targets; nothing was done.
    """
    target = get_project(store, project)
    ids = list(dict.fromkeys(target_ids))
    label = _check_action(kind, ids, note, tag, order)
    _check_targets(store, target.id, ids, is_example=kind == "queue")
    action_id = new_id("act")
    if kind == "queue" and order is not None:
        return _queue(store, target, action_id, ids, order, note, actor)
    rows = _make_rows(kind, target.id, action_id, ids, note=note, actor=actor, tag=label, rule=rule)
    detail = {"tag": label} if label else {}

    def insert(transaction: Transaction) -> None:
        _insert_action(
            transaction, [action_id, target.id, kind, note, len(ids), canonical_json(detail), actor, utc_now()]
        )
        transaction.insert_frame("tags" if label else "decisions", rows)
        record_event(transaction, actor, kind, action_id, {"things": len(ids), "note": note, **detail})

    store.write(insert)
    store.checkpoint()
    return action_id


def undo_action(store: Store, action_id: str, actor: str, is_undo: bool | None = None) -> ChangedAction:
    """Undoes an action as a whole; of one that is undone, undoes the undo. Nothing is deleted but untouched tasks.

    Args:
        is_undo: which of the two is meant, so that a press on an old page does not turn back what another curator has
            just done; None: whichever is due.

    Raises:
        NotFoundError: there is no such action.
        UsageError: somebody else was faster.
    """
    action, detail = _read_action(store, action_id)
    if is_undo is None:
        is_undo = action.undone_at is None
    target = get_project(store, action.project)
    rows: list[tuple[Any, ...]] = []
    if action.kind == "queue" and not is_undo:
        order = TaskOrder(**{**detail["order"], "parts": tuple(detail["order"]["parts"])})
        rows, _ = plan_tasks(store, target, order, examples=detail["examples"])

    def change(transaction: Transaction) -> int:
        undone_by = transaction.run("SELECT undone_by FROM actions WHERE id = ?", [action_id])[0][0]
        if is_undo != (undone_by is None):
            raise UsageError(
                f"It was undone by {undone_by} already." if is_undo else "It was done again already.",
                "Look at the list of what was done; nothing was changed.",
            )
        kept = 0
        if action.kind == "queue":
            if is_undo:
                kept = take_back_queued(transaction, action_id)
            else:
                insert_queued(transaction, target.id, rows, action_id)
        mark = [utc_now(), actor] if is_undo else [None, None]
        transaction.run("UPDATE actions SET undone_at = ?, undone_by = ? WHERE id = ?", [*mark, action_id])
        name = "undo_action" if is_undo else "redo_action"
        record_event(transaction, actor, name, action_id, {"kind": action.kind, "kept_tasks": kept})
        return kept

    kept_tasks = store.write(change)
    store.checkpoint()
    return ChangedAction(_read_action(store, action_id)[0], kept_tasks)


def list_actions(store: Store, project: str, limit: int = 50) -> list[Action]:
    """The latest actions on a project, newest first, undone ones among them."""
    sql = f"{_SELECT_ACTION} WHERE a.project_id = ? ORDER BY a.id DESC LIMIT ?"
    return [_to_action(row)[0] for row in store.read(sql, [get_project(store, project).id, limit])]


def _check_action(kind: str, ids: list[str], note: str, tag: str | None, order: TaskOrder | None) -> str | None:
    """Refuses what cannot be done; returns the tag in its clean form."""
    if kind not in ACTIONS:
        raise UsageError(f"The action '{kind}' is not known.", f"Use one of: {', '.join(ACTIONS)}.")
    if not ids:
        raise UsageError("No example was named.", "Choose some, or a slice that has some.")
    if kind == "drop" and not note.strip():
        raise UsageError("A drop needs a reason.", "Say in a few words why; it is listed with the snapshot.")
    if (kind == "queue") != (order is not None):
        raise UsageError(
            f"'{kind}' and an order of tasks do not fit.", "An order goes with queue, and queue needs one."
        )
    if kind not in ("tag", "untag"):
        return None
    label = " ".join((tag or "").split())
    if not label or len(label) > _LONGEST_TAG or not label.isprintable():
        raise UsageError(f"The tag {tag!r} cannot be used.", f"Use 1 to {_LONGEST_TAG} printable characters.")
    return label


def _check_targets(store: Store, project_id: str, ids: list[str], *, is_example: bool) -> None:
    tables = ["examples"] if is_example else ["examples", "candidates"]
    known: set[str] = set()
    for table in tables:
        sql = f"SELECT id FROM {table} WHERE project_id = ? AND id IN (SELECT unnest(?))"
        known |= {row[0] for row in store.read(sql, [project_id, ids])}
        if len(known) == len(ids):
            return
    missing = [id for id in ids if id not in known]
    raise NotFoundError(
        f"{len(missing)} of {len(ids)} are not in this project, such as '{missing[0]}'.",
        f"Name {' or '.join(tables)} by their ids; nothing was done.",
    )


def _make_rows(
    kind: str, project_id: str, action_id: str, ids: list[str], *, note: str, actor: str, tag: str | None, rule: str
) -> pl.DataFrame:
    common = {"project_id": project_id, "target_id": ids, "action_id": action_id}
    if tag is not None:
        return pl.DataFrame({"id": [new_id("tag") for _ in ids], **common, "tag": tag})
    return pl.DataFrame(
        {"id": [new_id("dec") for _ in ids], **common, "verdict": kind, "rule": rule, "version": "1", "reason": note,
         "actor": actor, "created_at": utc_now()},
    ).with_columns(pl.col("created_at").cast(pl.Datetime("us")))  # fmt: skip


def _queue(
    store: Store, project: Project, action_id: str, ids: list[str], order: TaskOrder, note: str, actor: str
) -> str:
    rows, counts = plan_tasks(store, project, order, examples=ids)
    what = {"kind": order.kind, "overlap": order.overlap, "rubric": order.rubric, "parts": list(order.parts),
            "priority": order.priority, "skill": order.skill}  # fmt: skip
    detail = canonical_json({"order": what, "examples": ids})

    def insert(transaction: Transaction) -> None:
        made = insert_queued(transaction, project.id, rows, action_id)
        if not made:
            raise UsageError(
                f"No task of the kind '{order.kind}' could be made for these {len(ids)} examples.",
                "They have such tasks already, lack what the kind needs, or are sealed or dropped.",
            )
        _insert_action(transaction, [action_id, project.id, "queue", note, made, detail, actor, utc_now()])
        record_event(transaction, actor, "queue", action_id, {"order": what, "made": made, **counts})

    store.write(insert)
    store.checkpoint()
    return action_id


def _insert_action(transaction: Transaction, row: list[Any]) -> None:
    transaction.run(_INSERT_ACTION, row)


def _read_action(store: Store, action_id: str) -> tuple[Action, dict[str, Any]]:
    found = store.read(f"{_SELECT_ACTION} WHERE a.id = ?", [action_id])
    if not found:
        raise NotFoundError(f"There is no action '{action_id}'.", "`pitchpipe actions` lists them with their ids.")
    return _to_action(found[0])


def _to_action(row: tuple[Any, ...]) -> tuple[Action, dict[str, Any]]:
    detail: dict[str, Any] = json.loads(row[5])
    id, project, kind, note, things, _, actor, created_at, undone_at, undone_by = row
    tag = detail.get("tag")
    return Action(id, project, kind, note, things, tag, actor, created_at, undone_at, undone_by), detail
