"""A curator's last word on a task: a judgement of its own that alone decides the consensus while it stands.

An adjudication is a row of the judgements with the source `adjudication` and the curator as its annotator; its detail
names the judgements that it decides between. It takes no slot of the task and is no part of the curator's own work as
an annotator. A task has one current adjudication at most: a later one, by whomever, supersedes it, and withdrawing it
puts the raters' consensus back. Blind reviews of a run and repeats are measurements, so nobody can settle them.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json, content_id, new_id
from pitchpipe.store.judgement_values import to_stored_value
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import SubmitOutcome, TaskKind

SOURCE = "adjudication"

_READ_TASK = "SELECT kind, example_id, candidate_ids, batch, purpose FROM tasks WHERE id = ? AND project_id = ?"
_CURRENT = """
SELECT id, annotator, detail, value, status FROM judgements WHERE task_id = ? AND source = 'adjudication'
ORDER BY entry DESC LIMIT 1
"""
_DECIDED = """
SELECT id FROM (
    SELECT id, entry, status FROM judgements WHERE task_id = ? AND source <> 'adjudication'
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
_SLOT_COLUMNS = ("task_id", "slot", "project_id", "annotator", "token", "shown", "claimed_at", "leased_until")
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
) -> SubmitOutcome:
    """Settles a task with a value of the curator's own, exactly once.

    Args:
        value: in stored terms (the order of the task's candidates, verdict `a` or `b`), see `records`.
        adjudication_id: made by the sender before the first try; the same id again adds nothing and is a success.
        closes_flags: closes the open flags of the task with it; they open again if it is withdrawn.

    Raises:
        UsageError: the value does not fit the task, or the task is a measurement (a blind review, a repeat).
        NotFoundError: the project has no such task.
    """
    project_id = get_project(store, project).id
    extras = {"rubric_hash": rubric_hash, "guideline_hash": guideline_hash}

    def record(transaction: Transaction) -> SubmitOutcome:
        task = _read_task(transaction, project_id, task_id)
        answers = json.loads(task["candidate_ids"])
        checked = to_stored_value(TaskKind(task["kind"]), _to_screen(value), answers, answers)
        row = {"id": adjudication_id, "annotator": actor, "reason": reason, "value": checked, **extras}
        return _record(transaction, task, row, {}, closes_flags=closes_flags)

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
            "SELECT task_id, value, rubric_hash, guideline_hash FROM judgements "
            "WHERE id = ? AND project_id = ? AND status = 'submitted' AND source <> 'adjudication'",
            [judgement_id, project_id],
        )
        if not found:
            raise NotFoundError(
                f"There is no judgement '{judgement_id}' to accept.", "Reload the page and choose anew."
            )
        task_id, value, rubric_hash, guideline_hash = found[0]
        task = _read_task(transaction, project_id, task_id)
        row = {
            "id": adjudication_id, "annotator": actor, "reason": reason, "value": json.loads(value),
            "rubric_hash": rubric_hash, "guideline_hash": guideline_hash,
        }  # fmt: skip
        return _record(transaction, task, row, {"accepts": judgement_id}, closes_flags=closes_flags)

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
    _check_can_settle(transaction, task, detail.get("accepts"))
    now = utc_now()
    decided = [found[0] for found in transaction.run(_DECIDED, [task["id"]])]
    detail = {**detail, "adjudicates": decided}
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


def _check_can_settle(transaction: Transaction, task: dict[str, Any], accepted: str | None) -> None:
    if task["batch"] or task["purpose"] == "repeat":
        what = "a blind review of a run" if task["batch"] else "a repeat"
        raise UsageError(
            f"The task '{task['id']}' is {what}, which measures and is never settled.",
            "Close its flags, or drop the example.",
        )
    if accepted and accepted not in {found[0] for found in transaction.run(_DECIDED, [task["id"]])}:
        raise UsageError(
            "That answer was changed or taken back by its rater a moment ago.", "Read the new one and choose again."
        )


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
    """Adds and journals a row; an answer that was written with it becomes a candidate."""
    full = {
        **row, "entry": new_id(), "project_id": task["project_id"], "task_id": task["id"],
        "example_id": task["example_id"], "kind": task["kind"], "value": canonical_json(row["value"]),
        "shown": task["candidate_ids"], "seconds": None, "source": SOURCE, "created_at": now,
        "detail": canonical_json(row["detail"]),
    }  # fmt: skip
    _insert(transaction, "judgements", full)
    candidate = _describe_written_answer(full, row["value"], json.loads(task["candidate_ids"]))
    if candidate is not None:
        _insert(transaction, "candidates", candidate)
    # Replaying a judgement frees its annotator's slot first: the slot that the curator may hold goes along.
    slots = transaction.run(
        f"SELECT {', '.join(_SLOT_COLUMNS)} FROM assignments WHERE task_id = ? AND annotator = ?",
        [task["id"], row["annotator"]],
    )
    slot = dict(zip(_SLOT_COLUMNS, slots[0], strict=True)) if slots else None
    transaction.journal({"judgement": full, "slot": slot, "candidate": candidate})


def _describe_written_answer(
    row: dict[str, Any], value: dict[str, Any], candidate_ids: list[str]
) -> dict[str, Any] | None:
    """The answer that was corrected or written, of a task or of a screen's part; None where there is none."""
    written = value.get("edit") if row["kind"] == "screen" else value if row["kind"] in ("edit", "write") else None
    if not written:
        return None
    text, place = written["text"], written.get("answer", 0)
    return {
        "id": content_id("cand", [row["example_id"], text, row["id"]]), "project_id": row["project_id"],
        "example_id": row["example_id"], "origin": "person", "text": text, "model": None, "run_id": None,
        "judgement_id": row["id"], "parent_id": candidate_ids[place] if candidate_ids else None,
        "created_at": row["created_at"],
    }  # fmt: skip


def _insert(transaction: Transaction, table: str, row: dict[str, Any]) -> None:
    marks = ", ".join("?" * len(row))
    transaction.run(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks}) ON CONFLICT DO NOTHING", list(row.values())
    )


def _close_flags(transaction: Transaction, project_id: str, task_id: str, actor: str, now: datetime) -> list[str]:
    flags = [str(found[0]) for found in transaction.run(_OPEN_FLAGS, [project_id, task_id])]
    if flags:
        transaction.run(_CLOSE_FLAGS, [now, actor, flags])
    return flags
