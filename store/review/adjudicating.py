"""A curator's last word on a task: a judgement of its own that alone decides the consensus while it stands.

An adjudication is a row of the judgements with the source `adjudication` and the curator as its annotator; its detail
names the judgements that it decides between. Words taken over from a rater stay the rater's (`same_as`); words of the
curator's own become an answer. It takes no slot of the task and is no part of the curator's own work as an annotator. A
task has one current adjudication at most: a later one, by whomever, supersedes it, and withdrawing it puts the raters'
consensus back. Blind reviews of a run and repeats are measurements, so nobody can settle them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.freezing.knowledge import find_root, find_words
from pitchpipe.store.identity import canonical_json, new_id
from pitchpipe.store.judging.judgement_rows import append_judgement, read_slot
from pitchpipe.store.judging.judgement_values import to_stored_value
from pitchpipe.store.judging.written_answers import Written, add_written, read_subject
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import SubmitOutcome, TaskKind

SOURCE = "adjudication"

_READ_TASK = "SELECT kind, example_id, candidate_ids, batch, purpose FROM tasks WHERE id = ? AND project_id = ?"
_CURRENT = """
SELECT id, annotator, detail, value, status FROM judgements WHERE task_id = ? AND source = 'adjudication'
ORDER BY entry DESC LIMIT 1
"""
_DECIDED = """
SELECT id, kind, value, detail FROM (
    SELECT id, kind, value, detail, entry, status FROM judgements WHERE task_id = ? AND source <> 'adjudication'
    QUALIFY row_number() OVER (PARTITION BY annotator ORDER BY entry DESC) = 1
) WHERE status = 'submitted' ORDER BY entry
"""
_LATEST_OF_CURATOR = """
SELECT task_id FROM (
    SELECT task_id, annotator, status, entry FROM judgements WHERE project_id = ? AND source = 'adjudication'
    QUALIFY row_number() OVER (PARTITION BY task_id ORDER BY entry DESC) = 1
) WHERE status = 'submitted' AND annotator = ? ORDER BY entry DESC LIMIT 1
"""
_OPEN_FLAGS = "SELECT id FROM flags WHERE project_id = ? AND task_id = ? AND closed_at IS NULL"
_CLOSE_FLAGS = "UPDATE flags SET closed_at = ?, closed_by = ? WHERE id IN (SELECT unnest(?)) AND closed_at IS NULL"
_REOPEN_FLAGS = "UPDATE flags SET closed_at = NULL, closed_by = NULL WHERE id IN (SELECT unnest(?))"
_SIDES = {"a": "first", "b": "second"}


def adjudicate(
    store: Store,
    project: str,
    task_id: str,
    value: dict[str, Any],
    *,
    reason: str,
    actor: str,
    adjudication_id: str,
    rubric_hash: str | None = None,
    guideline_hash: str | None = None,
    closes_flags: bool = False,
    text_questions: Sequence[str] = (),
) -> SubmitOutcome:
    """Settles a task with a value of the curator's own, exactly once.

    Args:
        value: in stored terms (the order of the task's candidates, verdict `a` or `b`), see `records`.
        adjudication_id: made by the sender before the first try; the same id again adds nothing and is a success.
        closes_flags: closes the open flags of the task with it; they open again if it is withdrawn.
        text_questions: names of the questions that are answered in words of one's own.

    Raises:
        UsageError: the value does not fit the task, or the task is a measurement (a blind review, a repeat).
        NotFoundError: the project has no such task.
    """
    project_id = get_project(store, project).id
    extras = {"rubric_hash": rubric_hash, "guideline_hash": guideline_hash}

    def record(transaction: Transaction) -> SubmitOutcome:
        task = _read_task(transaction, project_id, task_id)
        kind, answers = TaskKind(task["kind"]), json.loads(task["candidate_ids"])
        subject = read_subject(transaction, kind, task["example_id"], answers)
        checked = to_stored_value(kind, _to_screen(value), answers, answers, subject)
        row = {"id": adjudication_id, "annotator": actor, "reason": reason, "value": checked, **extras}
        detail = {"text_questions": sorted(text_questions)} if text_questions else {}
        return _record(transaction, task, row, detail, closes_flags=closes_flags)

    return store.write(record)


def accept_judgement(
    store: Store,
    project: str,
    judgement_id: str,
    *,
    actor: str,
    adjudication_id: str,
    reason: str = "",
    closes_flags: bool = False,
) -> SubmitOutcome:
    """Settles a task with a rater's own answer; the adjudication's detail says whose (`accepts`). Exactly once.

    Raises:
        NotFoundError: the project has no such submitted judgement.
        UsageError: the judgement has been superseded or taken back since, or the task is a measurement.
    """
    project_id = get_project(store, project).id

    def record(transaction: Transaction) -> SubmitOutcome:
        found = transaction.run(
            "SELECT task_id, value, rubric_hash, guideline_hash, detail FROM judgements "
            "WHERE id = ? AND project_id = ? AND status = 'submitted' AND source <> 'adjudication'",
            [judgement_id, project_id],
        )
        if not found:
            raise NotFoundError(
                f"There is no judgement '{judgement_id}' to accept.", "Reload the page and choose anew."
            )
        task_id, value, rubric_hash, guideline_hash, given = found[0]
        task = _read_task(transaction, project_id, task_id)
        row = {
            "id": adjudication_id, "annotator": actor, "reason": reason, "value": json.loads(value),
            "rubric_hash": rubric_hash, "guideline_hash": guideline_hash,
        }  # fmt: skip
        detail = {name: told for name, told in json.loads(given or "{}").items() if name == "text_questions"}
        return _record(transaction, task, row, {**detail, "accepts": judgement_id}, closes_flags=closes_flags)

    return store.write(record)


def withdraw_adjudication(store: Store, project: str, task_id: str, actor: str) -> bool:
    """Takes back the current adjudication of a task, whoever made it, and opens the flags again that it closed.

    False when the task has none, so a second press changes nothing.

    Raises:
        NotFoundError: the project has no such task.
    """
    project_id = get_project(store, project).id

    def withdraw(transaction: Transaction) -> bool:
        task = _read_task(transaction, project_id, task_id)
        current = _find_current(transaction, task_id)
        if current is None:
            return False
        _retract(transaction, task, current, f"withdrawn by {actor}", utc_now())
        closed = json.loads(current["detail"]).get("closed_flags")
        if closed:
            transaction.run(_REOPEN_FLAGS, [closed])
        record_event(transaction, actor, "withdraw_adjudication", task_id, {"adjudication": current["id"]})
        return True

    return store.write(withdraw)


def find_last_settled(store: Store, project: str, actor: str) -> str | None:
    """The task that this curator settled last and whose adjudication stands; None when there is none."""
    rows = store.read(_LATEST_OF_CURATOR, [get_project(store, project).id, actor])
    return str(rows[0][0]) if rows else None


def close_task_flags(store: Store, project: str, task_id: str, actor: str) -> int:
    """Closes the open flags and comments of a task without settling it; returns how many there were."""
    project_id = get_project(store, project).id

    def close(transaction: Transaction) -> int:
        closed = _close_flags(transaction, project_id, task_id, actor, utc_now())
        if closed:
            record_event(transaction, actor, "close_flags", task_id, {"flags": closed})
        return len(closed)

    return store.write(close)


def _read_task(transaction: Transaction, project_id: str, task_id: str) -> dict[str, Any]:
    found = transaction.run(_READ_TASK, [task_id, project_id])
    if not found:
        raise NotFoundError(f"There is no task '{task_id}' in this project.", "Reload the page and choose anew.")
    kind, example_id, candidate_ids, batch, purpose = found[0]
    return {
        "id": task_id, "project_id": project_id, "kind": kind, "example_id": example_id,
        "candidate_ids": candidate_ids, "batch": batch, "purpose": purpose,
    }  # fmt: skip


def _to_screen(value: dict[str, Any]) -> dict[str, Any]:
    """Stored terms in the words of a screen that shows the answers in the task's own order."""
    turned = dict(value)
    if "verdict" in turned:
        turned["verdict"] = _SIDES.get(turned["verdict"], turned["verdict"])
    if isinstance(turned.get("compare"), dict):
        turned["compare"] = _to_screen(turned["compare"])
    return turned


def _record(
    transaction: Transaction, task: dict[str, Any], row: dict[str, Any], detail: dict[str, Any], *, closes_flags: bool
) -> SubmitOutcome:
    known = transaction.run("SELECT task_id, annotator, source FROM judgements WHERE id = ?", [row["id"]])
    if known == [(task["id"], row["annotator"], SOURCE)]:
        return SubmitOutcome.REPEATED
    if known:
        raise UsageError(
            f"The adjudication id '{row['id']}' belongs to another task or person.",
            "Make a new, random id for each adjudication before its first try.",
        )
    names = ("id", "kind", "value", "detail")
    decided = [dict(zip(names, found, strict=True)) for found in transaction.run(_DECIDED, [task["id"]])]
    _check_can_settle(task, detail.get("accepts"), decided)
    now = utc_now()
    root = _find_author(transaction, {**row, "kind": task["kind"]}, detail.get("accepts"), decided)
    detail = {**detail, "adjudicates": [judgement["id"] for judgement in decided]}
    if root is not None:
        detail["same_as"] = root
    if closes_flags:
        detail["closed_flags"] = _close_flags(transaction, task["project_id"], task["id"], row["annotator"], now)
    current = _find_current(transaction, task["id"])
    supersedes = current["id"] if current else None
    if current is not None and current["annotator"] != row["annotator"]:
        # "Current" is the latest of each person: without this, two curators' last words would stand side by side.
        supersedes = _retract(transaction, task, current, f"settled anew by {row['annotator']}", now)
    _append(transaction, task, {**row, "status": "submitted", "supersedes": supersedes, "detail": detail}, now)
    record_event(transaction, row["annotator"], "adjudicate", task["id"], {"adjudication": row["id"], **detail})
    return SubmitOutcome.RECORDED


def _check_can_settle(task: dict[str, Any], accepted: str | None, decided: Sequence[dict[str, Any]]) -> None:
    if task["batch"] or task["purpose"] == "repeat":
        what = "a blind review of a run" if task["batch"] else "a repeat"
        raise UsageError(
            f"The task '{task['id']}' is {what}, which measures and is never settled.",
            "Close its flags, or drop the example.",
        )
    if accepted and accepted not in {judgement["id"] for judgement in decided}:
        raise UsageError(
            "That answer was changed or taken back by its rater a moment ago.", "Read the new one and choose again."
        )


def _find_author(
    transaction: Transaction, row: dict[str, Any], accepted: str | None, decided: Sequence[dict[str, Any]]
) -> str | None:
    """The judgement of a rater that the very words of an adjudication came with, the accepted one before others."""
    words = find_words({**row, "value": canonical_json(row["value"])})
    same = [judgement for judgement in decided if words is not None and find_words(judgement) == words]
    same.sort(key=lambda judgement: judgement["id"] != accepted)
    roots = [find_root(judgement) for judgement in same]
    stored = "SELECT 1 FROM candidates WHERE judgement_id = ?"
    return next((root for root in roots if transaction.run(stored, [root])), None)


def _find_current(transaction: Transaction, task_id: str) -> dict[str, Any] | None:
    """The adjudication that stands, by whomever."""
    found = transaction.run(_CURRENT, [task_id])
    if not found or found[0][4] != "submitted":
        return None
    return dict(zip(("id", "annotator", "detail", "value"), found[0], strict=False))


def _retract(
    transaction: Transaction, task: dict[str, Any], current: dict[str, Any], reason: str, now: datetime
) -> str:
    """Takes the current adjudication back in its owner's name, and returns the id of the row that does."""
    row = {
        "id": new_id("jdg"), "annotator": current["annotator"], "reason": reason, "value": {}, "rubric_hash": None,
        "guideline_hash": None, "status": "retracted", "supersedes": current["id"], "detail": {},
    }  # fmt: skip
    _append(transaction, task, row, now)
    return str(row["id"])


def _append(transaction: Transaction, task: dict[str, Any], row: dict[str, Any], now: datetime) -> None:
    """Adds and journals a row; what the curator wrote with it becomes an answer, or an example with one."""
    full = {
        **row, "entry": new_id(), "project_id": task["project_id"], "task_id": task["id"],
        "example_id": task["example_id"], "kind": task["kind"], "value": canonical_json(row["value"]),
        "shown": task["candidate_ids"], "seconds": None, "source": SOURCE, "created_at": now,
        "detail": canonical_json(row["detail"]),
    }  # fmt: skip
    append_judgement(transaction, full)
    written: Written = {}
    if row["status"] == "submitted" and "same_as" not in row["detail"]:
        written = add_written(transaction, full, row["value"], json.loads(task["candidate_ids"]))
    # Replaying a judgement frees its annotator's slot first: the slot that the curator may hold goes along.
    transaction.journal({"judgement": full, "slot": read_slot(transaction, full), **written})


def _close_flags(transaction: Transaction, project_id: str, task_id: str, actor: str, now: datetime) -> list[str]:
    flags = [str(found[0]) for found in transaction.run(_OPEN_FLAGS, [project_id, task_id])]
    if flags:
        transaction.run(_CLOSE_FLAGS, [now, actor, flags])
    return flags
