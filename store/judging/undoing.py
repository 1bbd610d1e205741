"""Undo, redo and reopen: everything an annotator did can be taken back and done again, and nothing is ever deleted.

An undo adds a row that supersedes; a redo adds the same judgement once more. What they reach is derived from the log
(`action_log`). A task that comes back is leased to its annotator before whatever they hold besides.
"""

from __future__ import annotations

import json

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.identity import canonical_json, new_id
from pitchpipe.store.judging.action_log import Step, read_stacks
from pitchpipe.store.judging.flagging import record_flag_change
from pitchpipe.store.judging.judgement_rows import append_judgement, find_previous, read_slot
from pitchpipe.store.judging.taking_back import OWN_SOURCES, Change, lease_again, read_task, take_back
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.queue_rules import apply_rules
from pitchpipe.store.queue.queueing import read_claimed_task
from pitchpipe.store.records import ClaimedTask, JudgementStatus, TakenBack

_COPIED = ("kind", "status", "value", "reason", "shown", "seconds", "rubric_hash", "guideline_hash", "detail")
_READ_JUDGEMENT = f"SELECT {', '.join(_COPIED)} FROM judgements WHERE id = ?"
_READ_LATEST = """
SELECT id, status, source, shown FROM judgements WHERE project_id = ? AND task_id = ? AND annotator = ?
AND source <> 'adjudication' ORDER BY entry DESC LIMIT 1
"""


def undo_last(store: Store, project: str, annotator: str) -> TakenBack | None:
    """Takes back the latest submit, skip, flag or comment that stands; again and again, back to the first.

    The task of a submit or skip is leased to the annotator again with what was entered as its draft, unless others have
    filled a skipped task since. None when there is nothing to take back.
    """
    target = get_project(store, project)
    step = store.write(lambda t: _undo_in(t, Change(target, annotator, utc_now())))
    return TakenBack(step.action, read_claimed_task(store, step.task_id, annotator)) if step else None


def redo_last(store: Store, project: str, annotator: str) -> TakenBack | None:
    """Does again what the last undo took back; None when nothing was, or something new was done since.

    Raises:
        UsageError: others have filled the task meanwhile; nothing was recorded.
    """
    target = get_project(store, project)
    step = store.write(lambda t: _redo_in(t, Change(target, annotator, utc_now())))
    return TakenBack(step.action, None) if step else None


def reopen_task(store: Store, project: str, annotator: str, task_id: str) -> ClaimedTask:
    """A task of the annotator's own history, leased to them with what they had entered; a new submit supersedes it.

    What they entered is taken back until then. A redo reaches it.

    Raises:
        NotFoundError: the annotator has not judged that task in the studio.
        UsageError: others have filled the task meanwhile; nothing was changed.
    """
    target = get_project(store, project)
    store.write(lambda t: _reopen_in(t, Change(target, annotator, utc_now()), task_id))
    task = read_claimed_task(store, task_id, annotator)
    if task is None:
        raise UsageError("The task went to somebody else at that moment.", "Choose another one.")
    return task


def _undo_in(transaction: Transaction, change: Change) -> Step | None:
    done = read_stacks(transaction, change.project.id, change.annotator).done
    if not done:
        return None
    step = done[next(reversed(done))]
    if step.action in ("flag", "comment"):
        record_flag_change(transaction, step.id, change.project.id, change.annotator, "undo", change.now)
    else:
        take_back(transaction, change, step.task_id, step.id, "undo")
    return step


def _reopen_in(transaction: Transaction, change: Change, task_id: str) -> None:
    latest = transaction.run(_READ_LATEST, [change.project.id, task_id, change.annotator])
    if not latest or latest[0][2] not in OWN_SOURCES:
        raise NotFoundError(
            f"{change.annotator} has not judged the task '{task_id}' here.", "Choose one of your own history."
        )
    judgement_id, status, _, shown = latest[0]
    if status != JudgementStatus.RETRACTED:
        is_back = take_back(transaction, change, task_id, judgement_id, "reopen")
    else:
        is_back = lease_again(transaction, change, task_id, shown)
    if not is_back:
        raise UsageError("Others have filled this task meanwhile.", "Choose another one; nothing was changed.")


def _redo_in(transaction: Transaction, change: Change) -> Step | None:
    undone = read_stacks(transaction, change.project.id, change.annotator).undone
    if not undone:
        return None
    step = undone[next(reversed(undone))]
    if step.action in ("flag", "comment"):
        record_flag_change(transaction, step.id, change.project.id, change.annotator, "redo", change.now)
        return step
    old = dict(zip(_COPIED, transaction.run(_READ_JUDGEMENT, [step.id])[0], strict=True))
    example_id, _, _ = read_task(transaction, step.task_id)
    detail = json.loads(old["detail"] or "{}")
    row = {
        **old, "id": new_id("jdg"), "entry": new_id(), "project_id": change.project.id, "task_id": step.task_id,
        "example_id": example_id, "annotator": change.annotator, "source": "studio", "created_at": change.now,
        "supersedes": find_previous(transaction, step.task_id, change.annotator),
        # What was written with the first of them stays that one's; `same_as` leads there.
        "detail": canonical_json({**detail, "redo_of": step.id, "same_as": detail.get("same_as", step.id)}),
    }  # fmt: skip
    append_judgement(transaction, row)
    _settle_slot(transaction, change, step, str(old["shown"]))
    apply_rules(transaction, row, change.project.rules)
    transaction.journal({"judgement": row, "slot": read_slot(transaction, row)})
    return step


def _settle_slot(transaction: Transaction, change: Change, step: Step, shown: str) -> None:
    """Fills the slot for good after a redone submit, frees it after a redone skip."""
    own = [step.task_id, change.annotator]
    if step.action == "skip":
        transaction.run("DELETE FROM assignments WHERE task_id = ? AND annotator = ?", own)
        memory = transaction.queue_memory
        transaction.afterwards.append(lambda: memory.forget_person(change.project.id, change.annotator))
        return
    if not lease_again(transaction, change, step.task_id, shown):
        raise UsageError(
            "Others have filled this task since you took your answer back.", "It stays taken back; nothing was lost."
        )
    transaction.run(
        "UPDATE assignments SET leased_until = NULL, shown = ? WHERE task_id = ? AND annotator = ?",
        [shown, *own],
    )
    transaction.run("DELETE FROM drafts WHERE task_id = ? AND annotator = ?", own)
