"""Flags and comments: what an annotator wants a curator to know of a task, in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import new_id
from pitchpipe.store.judging.judgement_rows import insert_row
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import SubmitOutcome

KINDS = ("flag", "comment")
LONGEST_WORDS = 4_000

_COLUMNS = ("id", "task_id", "annotator", "kind", "words", "created_at", "closed_at", "closed_by")
_LIST_FLAGS = f"""
SELECT {", ".join(_COLUMNS)} FROM flags WHERE project_id = $project AND (closed_at IS NULL OR NOT $only_open)
ORDER BY created_at, id
"""


def flag_task(
    store: Store, *, flag_id: str, task_id: str, annotator: str, token: str, kind: str, words: str
) -> SubmitOutcome:
    """Records a flag or comment on a task that the annotator holds or has judged, exactly once.

    Args:
        flag_id: made by the sender before the first try; the same id again is a success that adds nothing.
        token: of the annotator's lease or judgement of the task.
        kind: `flag` (something is wrong with the task) or `comment`.
        words: 1 to 4000 characters.

    Raises:
        UsageError: the kind is not known, or there are no words or too many, or the id stands for another flag.
    """
    if kind not in KINDS:
        raise UsageError(f"The kind of flag '{kind}' is not known.", f"Use one of: {', '.join(KINDS)}.")
    if not 1 <= len(words.strip()) <= LONGEST_WORDS:
        raise UsageError(
            "The note is empty." if not words.strip() else "The note is too long.",
            f"Say in 1 to {LONGEST_WORDS} characters what the curator should know.",
        )
    row = {"id": flag_id, "task_id": task_id, "annotator": annotator, "kind": kind, "words": words}
    return store.write(lambda t: _record_flag(t, row, token))


def list_flags(store: Store, project: str, only_open: bool = True) -> list[dict[str, Any]]:
    """Flags and comments, oldest first: id, task_id, annotator, kind, words, created_at, closed_at, closed_by."""
    rows = store.read(_LIST_FLAGS, {"project": get_project(store, project).id, "only_open": only_open})
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def close_flag(store: Store, flag_id: str, actor: str) -> None:
    """Marks a flag as dealt with; closing it again changes nothing.

    Raises:
        NotFoundError: there is no such flag.
    """

    def close(transaction: Transaction) -> None:
        found = transaction.run("SELECT closed_at FROM flags WHERE id = ?", [flag_id])
        if not found:
            raise NotFoundError(f"There is no flag '{flag_id}'.", "Look up the ids in the list of flags.")
        if found[0][0] is None:
            transaction.run("UPDATE flags SET closed_at = ?, closed_by = ? WHERE id = ?", [utc_now(), actor, flag_id])
            record_event(transaction, actor, "close_flag", flag_id, {})

    store.write(close)


def record_flag_change(
    transaction: Transaction, flag_id: str, project_id: str, annotator: str, action: str, now: datetime
) -> None:
    """An annotator's own `undo` or `redo` of a flag, within their transaction and in the journal."""
    entry = _describe_entry(flag_id, project_id, annotator, action, now)
    insert_row(transaction, "flag_log", entry)
    closed = (now, annotator) if action == "undo" else (None, None)
    transaction.run("UPDATE flags SET closed_at = ?, closed_by = ? WHERE id = ?", [*closed, flag_id])
    transaction.journal({"flag_entry": entry, "flag": None})


def _record_flag(transaction: Transaction, flag: dict[str, Any], token: str) -> SubmitOutcome:
    known = transaction.run("SELECT task_id, annotator FROM flags WHERE id = ?", [flag["id"]])
    if known == [(flag["task_id"], flag["annotator"])]:
        return SubmitOutcome.REPEATED
    if known:
        raise UsageError(
            f"The flag id '{flag['id']}' belongs to another task or annotator.",
            "Make a new, random id for each flag before its first try.",
        )
    held = transaction.run(
        "SELECT project_id FROM assignments WHERE task_id = ? AND annotator = ? AND token = ?",
        [flag["task_id"], flag["annotator"], token],
    )
    if not held:
        return SubmitOutcome.STALE
    now, project_id = utc_now(), str(held[0][0])
    row = {**flag, "project_id": project_id, "created_at": now}
    entry = _describe_entry(flag["id"], project_id, flag["annotator"], "raise", now)
    insert_row(transaction, "flags", row)
    insert_row(transaction, "flag_log", entry)
    transaction.journal({"flag_entry": entry, "flag": row})
    return SubmitOutcome.RECORDED


def _describe_entry(flag_id: str, project_id: str, annotator: str, action: str, now: datetime) -> dict[str, Any]:
    return {
        "entry": new_id(), "project_id": project_id, "annotator": annotator, "flag_id": flag_id, "action": action,
        "created_at": now,
    }  # fmt: skip
