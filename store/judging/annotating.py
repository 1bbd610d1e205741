"""Recording what people judge: submit, skip, draft. Judgements are only ever added; `undoing` takes them back.

A submit names the lease it was made under; without that lease nothing is recorded and the text stays with the sender.
Its id is made by the sender before the first try, so any number of repeats records it once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.identity import canonical_json, new_id
from pitchpipe.store.judging.judgement_rows import UPSERT_DRAFT, append_judgement, find_previous
from pitchpipe.store.judging.judgement_values import LONGEST_TEXT, Subject, to_stored_value
from pitchpipe.store.judging.written_answers import add_written, find_correction, measure_correction, read_subject
from pitchpipe.store.projects import read_rules
from pitchpipe.store.queue.leases import REOPENED
from pitchpipe.store.queue.queue_rules import apply_rules
from pitchpipe.store.queue.suggesting import describe_acceptance
from pitchpipe.store.records import JudgementStatus, SubmitOutcome, TaskKind

# One lookup by key each; joined, the engine would scan whole tables.
_READ_LEASE = """
SELECT project_id, slot, shown, claimed_at FROM assignments
WHERE task_id = ? AND annotator = ? AND token = ? AND leased_until IS NOT NULL
"""
_READ_TASK = "SELECT kind, example_id, candidate_ids FROM tasks WHERE id = ?"
_READ_RULES = "SELECT minimum_dwell_ms, queue_rules FROM projects WHERE id = ?"


def save_draft(store: Store, task_id: str, annotator: str, token: str, body: dict[str, Any]) -> bool:
    """Keeps what was typed or picked so far (`{"value": {...}, "reason": "..."}` in screen terms).

    False when the lease is gone; then nothing is kept here and the page must keep it.
    """
    text = canonical_json(body)
    if len(text) > 2 * LONGEST_TEXT:
        raise UsageError("The draft is too long to keep.", f"At most {LONGEST_TEXT} characters are taken.")

    def upsert_draft(transaction: Transaction) -> bool:
        leases = transaction.run(_READ_LEASE, [task_id, annotator, token])
        if not leases:
            return False
        transaction.run(UPSERT_DRAFT, [task_id, annotator, text, leases[0][2], utc_now()])
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
    text_questions: Sequence[str] = (),
) -> SubmitOutcome:
    """Records a judgement exactly once. `value` is in screen terms (`first`, `second`), see `judgement_values`.

    Args:
        judgement_id: made by the sender before the first try; the same id again is a success that adds nothing.
        token: of the lease, as given by the claim.
        seconds: time the annotator was active on it.
        text_questions: names of the rubric's questions that are answered in words of one's own. The store cannot tell
            them from options; words are kept by rater and never voted on.

    Raises:
        UsageError: the value does not fit the task's kind.
    """
    details = {
        "id": judgement_id, "annotator": annotator, "reason": reason, "seconds": seconds,
        "rubric_hash": rubric_hash, "guideline_hash": guideline_hash, "status": JudgementStatus.SUBMITTED.value,
    }  # fmt: skip
    return store.write(lambda t: _record(t, task_id, token, details, value, text_questions))


def skip_task(
    store: Store, *, judgement_id: str, task_id: str, annotator: str, token: str, reason: str
) -> SubmitOutcome:
    """Declines a task with a reason: its slot is free for others, the draft is kept, and an undo brings it back."""
    details = {
        "id": judgement_id, "annotator": annotator, "reason": reason, "seconds": None, "rubric_hash": None,
        "guideline_hash": None, "status": JudgementStatus.SKIPPED.value,
    }  # fmt: skip
    return store.write(lambda t: _record(t, task_id, token, details, None))


def _record(
    transaction: Transaction,
    task_id: str,
    token: str,
    details: dict[str, Any],
    value: dict[str, Any] | None,
    text_questions: Sequence[str] = (),
) -> SubmitOutcome:
    if _is_recorded(transaction, task_id, details):
        return SubmitOutcome.REPEATED
    leases = transaction.run(_READ_LEASE, [task_id, details["annotator"], token])
    if not leases:
        return SubmitOutcome.STALE
    project_id, slot, shown, claimed_at = leases[0]
    kind, example_id, candidate_ids = transaction.run(_READ_TASK, [task_id])[0]
    dwell, rules_text = transaction.run(_READ_RULES, [project_id])[0]
    rules = read_rules(rules_text)
    candidates, now = json.loads(candidate_ids), utc_now()
    # A negative time means that the clock was set back; nobody is to wait for it to catch up.
    if value is not None and timedelta(0) <= now - claimed_at < timedelta(milliseconds=dwell):
        return SubmitOutcome.TOO_FAST
    stored, detail = {}, {}
    if value is not None:
        subject = read_subject(transaction, TaskKind(kind), example_id, candidates)
        stored = to_stored_value(TaskKind(kind), value, candidates, json.loads(shown), subject)
        detail = _describe_value(stored, TaskKind(kind), candidates, subject, text_questions)
        if rules.suggestions:
            detail |= describe_acceptance(transaction, task_id, claimed_at, stored)
    row = {
        **details, "entry": new_id(), "project_id": project_id, "task_id": task_id, "example_id": example_id,
        "kind": kind, "value": canonical_json(stored), "shown": shown, "source": "studio", "created_at": now,
        "supersedes": find_previous(transaction, task_id, details["annotator"]) if token.startswith(REOPENED) else None,
        "detail": canonical_json(detail) if detail else None,
    }  # fmt: skip
    append_judgement(transaction, row)
    _note_end(transaction, row)
    apply_rules(transaction, row, rules)
    slot_row = {
        "task_id": task_id, "slot": slot, "project_id": project_id, "annotator": row["annotator"], "token": token,
        "shown": shown, "claimed_at": claimed_at, "leased_until": None,
    }  # fmt: skip
    _settle(transaction, row, slot_row, candidates)
    return SubmitOutcome.RECORDED


def _is_recorded(transaction: Transaction, task_id: str, details: dict[str, Any]) -> bool:
    """Whether the judgement is there already. Raises UsageError where its id stands for another one."""
    known = transaction.run("SELECT task_id, annotator FROM judgements WHERE id = ?", [details["id"]])
    if known and known != [(task_id, details["annotator"])]:
        raise UsageError(
            f"The judgement id '{details['id']}' belongs to another task or annotator.",
            "Make a new, random id for each judgement before its first try.",
        )
    return bool(known)


def _settle(transaction: Transaction, row: dict[str, Any], slot: dict[str, Any], candidates: list[str]) -> None:
    """Fills the slot for good, or frees it after a skip, and journals the judgement with what was written with it."""
    place = [slot["task_id"], slot["slot"]]
    if row["status"] == JudgementStatus.SKIPPED:
        transaction.run("DELETE FROM assignments WHERE task_id = ? AND slot = ?", place)
        transaction.journal({"judgement": row, "slot": None})
        return
    transaction.run("UPDATE assignments SET leased_until = NULL WHERE task_id = ? AND slot = ?", place)
    transaction.run("DELETE FROM drafts WHERE task_id = ? AND annotator = ?", [row["task_id"], row["annotator"]])
    written = add_written(transaction, row, json.loads(row["value"]), candidates)
    transaction.journal({"judgement": row, "slot": slot, **written})


def _note_end(transaction: Transaction, row: dict[str, Any]) -> None:
    skip = row["entry"] if row["status"] == JudgementStatus.SKIPPED else None
    ended = row["project_id"], row["annotator"], row["task_id"], skip
    transaction.afterwards.append(lambda: transaction.queue_memory.end_lease(*ended))


def _describe_value(
    stored: dict[str, Any], kind: TaskKind, candidate_ids: list[str], subject: Subject, text_questions: Sequence[str]
) -> dict[str, Any]:
    """What else is known of a value: how far a correction goes, and which answers are words of one's own."""
    detail: dict[str, Any] = {}
    correction = find_correction(stored, kind, candidate_ids)
    if correction is not None:
        parent, text = correction
        detail |= measure_correction(subject.texts[parent], text)
    if text_questions:
        detail["text_questions"] = sorted(text_questions)
    return detail
