"""How an annotator stands in a project: paused or not, how far in calibration, what they saw of the guideline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.gold import count_known, read_results
from pitchpipe.store.records import Project, Standing

_READ_STANDING = """
SELECT paused_reason, gold_since, seen_guideline FROM standings WHERE project_id = ? AND annotator = ?
"""
_COUNT_HELD = """
SELECT count(*) FROM assignments AS a JOIN tasks AS t ON t.id = a.task_id
WHERE a.project_id = ? AND a.annotator = ? AND a.leased_until IS NOT NULL AND t.purpose = 'gold'
"""
_IS_KNOWN = "SELECT count(*) FROM tasks WHERE id = ? AND purpose = 'gold'"
_INSERT_STANDING = "INSERT INTO standings (project_id, annotator) VALUES (?, ?) ON CONFLICT DO NOTHING"


def read_standing(store: Store, project: str, annotator: str) -> Standing:
    """Why they are paused, calibration left, and gold answers since a lead last resumed them."""
    target = get_project(store, project)
    rows = store.read(_READ_STANDING, [target.id, annotator])
    paused_reason, since, seen = rows[0] if rows else (None, None, None)
    if not (target.rules.gold_every or target.rules.calibration_tasks):
        return Standing(paused_reason=paused_reason, seen_guideline=seen)  # known answers are not handed out
    results = read_results(store.read, target.id, annotator, target.rules, since)
    return Standing(
        paused_reason=paused_reason,
        calibration_left=_count_calibration(store, target, annotator),
        gold_right=sum(results),
        gold_judged=len(results),
        seen_guideline=seen,
    )


def _count_calibration(store: Store, project: Project, annotator: str) -> int:
    """Known answers that come before real work, one that they hold now among them."""
    if not project.rules.calibration_tasks:
        return 0
    memory = store.queue_memory
    window = memory.find_window(project.id, annotator, utc_now())
    if window is not None:
        met, left = window.known_met, window.known_left
    else:
        met, left = count_known(store.read, project.id, annotator)
    leases = memory.leases.get((project.id, annotator))
    if leases is not None:  # a lookup by key instead of a scan
        held = sum(int(store.read(_IS_KNOWN, [task_id])[0][0]) for task_id in list(leases))
    else:
        held = int(store.read(_COUNT_HELD, [project.id, annotator])[0][0])
    return min(left + held, max(0, project.rules.calibration_tasks - (met - held)))


def note_guideline(store: Store, project: str, annotator: str, text: str) -> None:
    """Remembers the text of the guideline that the annotator has seen, so that a later change can be marked."""
    target = get_project(store, project)

    def update_seen(transaction: Transaction) -> None:
        transaction.run(_INSERT_STANDING, [target.id, annotator])
        sql = "UPDATE standings SET seen_guideline = ?, seen_at = ? WHERE project_id = ? AND annotator = ?"
        transaction.run(sql, [text, utc_now(), target.id, annotator])

    store.write(update_seen)


def pause_annotator(store: Store, project: str, annotator: str, reason: str, actor: str) -> None:
    """Hands out no tasks to the annotator until a lead resumes them; what they hold they may still submit.

    Raises:
        UsageError: no reason is given; it is shown to the annotator.
    """
    if not reason.strip():
        raise UsageError("No reason is given for the pause.", "Say in words why: the annotator will read it.")
    project_id = get_project(store, project).id
    store.write(lambda t: pause_in(t, project_id, annotator, reason, actor, utc_now()))


def resume_annotator(store: Store, project: str, annotator: str, actor: str) -> None:
    """Hands out tasks again; gold answers from before no longer count against the annotator."""
    target = get_project(store, project)

    def resume(transaction: Transaction) -> None:
        transaction.run(_INSERT_STANDING, [target.id, annotator])
        sql = "UPDATE standings SET paused_reason = NULL, gold_since = ? WHERE project_id = ? AND annotator = ?"
        transaction.run(sql, [utc_now(), target.id, annotator])
        record_event(transaction, actor, "resume_annotator", annotator, {"project": target.name})
        transaction.afterwards.append(lambda: store.queue_memory.forget_person(target.id, annotator))

    store.write(resume)


def note_skip(transaction: Transaction, row: dict[str, Any]) -> None:
    """Lets the other studios know that their windows for the annotator of a skip may hold what was skipped."""
    transaction.run(_INSERT_STANDING, [row["project_id"], row["annotator"]])
    sql = "UPDATE standings SET latest_skip = ? WHERE project_id = ? AND annotator = ?"
    transaction.run(sql, [row["entry"], row["project_id"], row["annotator"]])


def pause_in(transaction: Transaction, project_id: str, annotator: str, reason: str, actor: str, now: datetime) -> None:
    """Pauses the annotator within a transaction."""
    transaction.run(_INSERT_STANDING, [project_id, annotator])
    sql = "UPDATE standings SET paused_reason = ?, paused_at = ? WHERE project_id = ? AND annotator = ?"
    transaction.run(sql, [reason, now, project_id, annotator])
    record_event(transaction, actor, "pause_annotator", annotator, {"project": project_id, "reason": reason})
    transaction.afterwards.append(lambda: transaction.queue_memory.forget_person(project_id, annotator))
