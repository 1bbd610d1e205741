"""Recording what people judge: submit, skip, draft, undo. Judgements are only ever added.

A submit names the lease it was made under; without that lease nothing is recorded and the text stays with the sender.
Its id is made by the sender before the first try, so any number of repeats records it once.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.identity import canonical_json, content_id, new_id
from pitchpipe.store.judgement_values import LONGEST_TEXT, to_screen_value, to_stored_value
from pitchpipe.store.projects import get_project
from pitchpipe.store.queueing import read_claimed_task, take_slot
from pitchpipe.store.records import ClaimedTask, JudgementStatus, Project, SubmitOutcome, TaskKind

_JUDGEMENT_COLUMNS = (
    "id", "entry", "project_id", "task_id", "example_id", "annotator", "kind", "status", "value", "reason", "shown",
    "seconds", "rubric_hash", "guideline_hash", "supersedes", "source", "created_at",
)  # fmt: skip
_INSERT_JUDGEMENT = (
    f"INSERT INTO judgements ({', '.join(_JUDGEMENT_COLUMNS)}) VALUES ({', '.join('?' * len(_JUDGEMENT_COLUMNS))})"
)

_READ_LEASE = """
SELECT t.kind, t.example_id, t.candidate_ids, t.project_id, a.slot, a.shown, a.claimed_at, p.minimum_dwell_ms
FROM assignments AS a JOIN tasks AS t ON t.id = a.task_id JOIN projects AS p ON p.id = t.project_id
WHERE a.task_id = ? AND a.annotator = ? AND a.token = ? AND a.leased_until IS NOT NULL
"""

_LATEST_OWN = """
SELECT id, task_id, kind, status, value, reason, shown, annotator FROM judgements
WHERE project_id = ? AND annotator = ? AND source = 'studio'
QUALIFY row_number() OVER (PARTITION BY task_id ORDER BY entry DESC) = 1
ORDER BY entry DESC
"""

_UPSERT_DRAFT = """
INSERT INTO drafts (task_id, annotator, body, updated_at) VALUES (?, ?, ?, ?)
ON CONFLICT (task_id, annotator) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at
"""


def save_draft(store: Store, task_id: str, annotator: str, token: str, body: dict[str, Any]) -> bool:
    """Keeps what was typed or picked so far (`{"value": {...}, "reason": "..."}` in screen terms).

    False when the lease is gone; then nothing is kept here and the page must keep it.
    """
    text = canonical_json(body)
    if len(text) > 2 * LONGEST_TEXT:
        raise UsageError("The draft is too long to keep.", f"At most {LONGEST_TEXT} characters are taken.")

    def upsert_draft(transaction: Transaction) -> bool:
        if not transaction.run(_READ_LEASE, [task_id, annotator, token]):
            return False
        transaction.run(_UPSERT_DRAFT, [task_id, annotator, text, utc_now()])
        return True

    return store.write(upsert_draft)


def submit_judgement(
    store: Store,
    *,
    judgement_id: str,
    task_id: str,
    annotator: str,
    token: str,
    value: dict[str, Any],
    reason: str = "",
    seconds: float | None = None,
    rubric_hash: str | None = None,
    guideline_hash: str | None = None,
) -> SubmitOutcome:
    """Records a judgement exactly once. `value` is in screen terms (`first`, `second`), see `judgement_values`.

    Args:
        judgement_id: made by the sender before the first try; the same id again is a success that adds nothing.
        token: of the lease, as given by the claim.
        seconds: time the annotator was active on it.

    Raises:
        UsageError: the value does not fit the task's kind.
    """
    details = {
        "id": judgement_id, "annotator": annotator, "reason": reason, "seconds": seconds,
        "rubric_hash": rubric_hash, "guideline_hash": guideline_hash, "status": JudgementStatus.SUBMITTED.value,
    }  # fmt: skip
    return store.write(lambda t: _record(t, task_id, token, details, value))


def skip_task(
    store: Store, *, judgement_id: str, task_id: str, annotator: str, token: str, reason: str
) -> SubmitOutcome:
    """Declines a task with a reason: its slot is free for others, the draft is kept, and an undo brings it back."""
    details = {
        "id": judgement_id, "annotator": annotator, "reason": reason, "seconds": None, "rubric_hash": None,
        "guideline_hash": None, "status": JudgementStatus.SKIPPED.value,
    }  # fmt: skip
    return store.write(lambda t: _record(t, task_id, token, details, None))


def undo_last(store: Store, project_name: str, annotator: str) -> ClaimedTask | None:
    """Takes back the annotator's latest submit or skip and gives the task back with what was entered as its draft.

    None when there is nothing to take back, or when others have filled all slots of a skipped task since.
    """
    project = get_project(store, project_name)
    task_id = store.write(lambda t: _retract_latest(t, project, annotator))
    return None if task_id is None else read_claimed_task(store, task_id, annotator)


def _record(
    transaction: Transaction, task_id: str, token: str, details: dict[str, Any], value: dict[str, Any] | None
) -> SubmitOutcome:
    known = transaction.run("SELECT task_id, annotator FROM judgements WHERE id = ?", [details["id"]])
    if known == [(task_id, details["annotator"])]:
        return SubmitOutcome.REPEATED
    if known:
        raise UsageError(
            f"The judgement id '{details['id']}' belongs to another task or annotator.",
            "Make a new, random id for each judgement before its first try.",
        )
    leases = transaction.run(_READ_LEASE, [task_id, details["annotator"], token])
    if not leases:
        return SubmitOutcome.STALE
    kind, example_id, candidate_ids, project_id, slot, shown, claimed_at, dwell = leases[0]
    now = utc_now()
    # A negative time means that the clock was set back; nobody is to wait for it to catch up.
    if value is not None and timedelta(0) <= now - claimed_at < timedelta(milliseconds=dwell):
        return SubmitOutcome.TOO_FAST
    stored = {}
    if value is not None:
        stored = to_stored_value(TaskKind(kind), value, json.loads(candidate_ids), json.loads(shown))
    row = {
        **details, "entry": new_id(), "project_id": project_id, "task_id": task_id, "example_id": example_id,
        "kind": kind, "value": canonical_json(stored), "shown": shown, "source": "studio", "created_at": now,
        "supersedes": _find_previous(transaction, task_id, details["annotator"]),
    }  # fmt: skip
    _append_judgement(transaction, row)
    if value is None:
        transaction.run("DELETE FROM assignments WHERE task_id = ? AND slot = ?", [task_id, slot])
        transaction.journal({"judgement": row, "slot": None, "candidate": None})
        return SubmitOutcome.RECORDED
    transaction.run("UPDATE assignments SET leased_until = NULL WHERE task_id = ? AND slot = ?", [task_id, slot])
    transaction.run("DELETE FROM drafts WHERE task_id = ? AND annotator = ?", [task_id, details["annotator"]])
    candidate = None
    if "text" in stored:
        candidate = _add_written_answer(transaction, row, stored["text"], json.loads(candidate_ids))
    transaction.journal({"judgement": row, "slot": _read_slot(transaction, row), "candidate": candidate})
    return SubmitOutcome.RECORDED


def _read_slot(transaction: Transaction, row: dict[str, Any]) -> dict[str, Any] | None:
    """The slot that the annotator of a judgement holds on its task now, for the journal."""
    columns = ("task_id", "slot", "project_id", "annotator", "token", "shown", "claimed_at", "leased_until")
    found = transaction.run(
        f"SELECT {', '.join(columns)} FROM assignments WHERE task_id = ? AND annotator = ?",
        [row["task_id"], row["annotator"]],
    )
    return dict(zip(columns, found[0], strict=True)) if found else None


def _find_previous(transaction: Transaction, task_id: str, annotator: str) -> str | None:
    rows = transaction.run(
        "SELECT id FROM judgements WHERE task_id = ? AND annotator = ? AND source <> 'adjudication' "
        "ORDER BY entry DESC LIMIT 1",
        [task_id, annotator],
    )
    return str(rows[0][0]) if rows else None


def _append_judgement(transaction: Transaction, row: dict[str, Any]) -> None:
    transaction.run(_INSERT_JUDGEMENT, [row[column] for column in _JUDGEMENT_COLUMNS])


def _add_written_answer(
    transaction: Transaction, row: dict[str, Any], text: str, candidate_ids: list[str]
) -> dict[str, Any]:
    """The corrected or written answer as a candidate of its own; it counts while its judgement does."""
    candidate = {
        "id": content_id("cand", [row["example_id"], text, row["id"]]), "project_id": row["project_id"],
        "example_id": row["example_id"], "origin": "person", "text": text, "model": None, "run_id": None,
        "judgement_id": row["id"], "parent_id": candidate_ids[0] if candidate_ids else None,
        "created_at": row["created_at"],
    }  # fmt: skip
    names = ", ".join(candidate)
    marks = ", ".join("?" * len(candidate))
    transaction.run(
        f"INSERT INTO candidates ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING", list(candidate.values())
    )
    return candidate


def _retract_latest(transaction: Transaction, project: Project, annotator: str) -> str | None:
    own = transaction.run(_LATEST_OWN, [project.id, annotator])
    live = next((row for row in own if row[3] != JudgementStatus.RETRACTED), None)
    if live is None:
        return None
    judgement_id, task_id, kind, _, _, _, shown, _ = live
    example_id, candidate_ids, overlap = transaction.run(
        "SELECT example_id, candidate_ids, overlap FROM tasks WHERE id = ?", [task_id]
    )[0]
    now = utc_now()
    row = {
        "id": new_id("jdg"), "entry": new_id(), "project_id": project.id, "task_id": task_id, "example_id": example_id,
        "annotator": annotator, "kind": kind, "status": JudgementStatus.RETRACTED.value, "value": "{}",
        "reason": "undo", "shown": shown, "seconds": None, "rubric_hash": None, "guideline_hash": None,
        "supersedes": judgement_id, "source": "studio", "created_at": now,
    }  # fmt: skip
    _append_judgement(transaction, row)
    is_back = _give_back(transaction, project, live, json.loads(candidate_ids), overlap, now)
    transaction.journal({"judgement": row, "slot": _read_slot(transaction, row), "candidate": None})
    return str(task_id) if is_back else None


def _give_back(
    transaction: Transaction,
    project: Project,
    undone: tuple[Any, ...],
    candidate_ids: list[str],
    overlap: int,
    now: datetime,
) -> bool:
    """Leases the task of a judgement that was taken back to its annotator again; False when no slot is left."""
    _, task_id, kind, status, value, reason, shown, annotator = undone
    if status == JudgementStatus.SKIPPED:
        return take_slot(transaction, project, task_id, annotator, candidate_ids, overlap, now)
    until = now + timedelta(seconds=project.lease_seconds)
    transaction.run(
        "UPDATE assignments SET leased_until = ?, claimed_at = ?, token = ? WHERE task_id = ? AND annotator = ?",
        [until, now, secrets.token_hex(8), task_id, annotator],
    )
    draft = {
        "value": to_screen_value(TaskKind(kind), json.loads(value), candidate_ids, json.loads(shown)),
        "reason": reason,
    }
    transaction.run(_UPSERT_DRAFT, [task_id, annotator, canonical_json(draft), now])
    return True
