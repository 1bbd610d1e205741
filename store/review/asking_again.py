"""Asks annotators for a judgement anew, because what they judged by has changed.

The earlier judgement counts until its annotator is given the task back; then it is taken back, as an undo would do it,
with the earlier entry as the draft. So a new judgement supersedes the old one in everything, and nobody else is asked:
the slot waits until its annotator answers, does the old judgement again (redo), or skips.
The queue calls `reopen_asked` when an annotator holds no other task; a page shows `read_ask` above a task given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.events import record_event
from pitchpipe.store.judging.judgement_rows import read_slot
from pitchpipe.store.judging.taking_back import ASKED_AGAIN, Change, take_back
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import Project

_LATEST = """
SELECT id, status, source FROM judgements WHERE task_id = ? AND annotator = ? AND source <> 'adjudication'
ORDER BY entry DESC LIMIT 1
"""
_WAITING = """
SELECT judgement_id, task_id, words FROM asked_again
WHERE project_id = ? AND annotator = ? AND reopened_at IS NULL ORDER BY created_at, judgement_id
"""
_INSERT_ASK = """
INSERT INTO asked_again (judgement_id, project_id, task_id, annotator, words, actor, created_at, reopened_at)
VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING
"""
_READ_ASK = """
SELECT a.words FROM asked_again AS a JOIN judgements AS j ON j.supersedes = a.judgement_id
WHERE a.task_id = ? AND a.annotator = ? AND j.id = ?
"""


def ask_again(store: Store, project: str, judgement_ids: Sequence[str], actor: str, words: str = "") -> dict[str, int]:
    """Gives the tasks of these judgements back to the annotators who made them, with a word on why.

    Only current judgements made in the studio can be asked again; others, and those asked already, are passed over.

    Returns:
        `{"asked", "passed_over"}`.
    """
    project_id, now = get_project(store, project).id, utc_now()

    def insert(transaction: Transaction) -> dict[str, int]:
        asked = 0
        for judgement_id in judgement_ids:
            found = transaction.run(
                "SELECT task_id, annotator FROM judgements WHERE id = ? AND project_id = ?", [judgement_id, project_id]
            )
            if found and transaction.run(_LATEST, list(found[0])) == [(judgement_id, "submitted", "studio")]:
                row = [judgement_id, project_id, *found[0], words, actor, now]
                asked += int(transaction.run(_INSERT_ASK, row)[0][0])
        done = {"asked": asked, "passed_over": len(judgement_ids) - asked}
        record_event(transaction, actor, "ask_again", project, {"words": words, **done})
        transaction.afterwards.append(lambda: transaction.queue_memory.drop_windows(project_id))
        return done

    return store.write(insert)


def reopen_asked(transaction: Transaction, project: Project, annotator: str, now: datetime) -> str | None:
    """Leases the next task that the annotator is asked to judge anew to them; its id, or None when there is none.

    For the queue's claim, in its transaction, when the annotator holds no lease. One lookup in a small table when
    nothing is asked.
    """
    for judgement_id, task_id, words in transaction.run(_WAITING, [project.id, annotator]):
        transaction.run("UPDATE asked_again SET reopened_at = ? WHERE judgement_id = ?", [now, judgement_id])
        # Changed or taken back since by the annotator's own doing: then there is nothing left to ask.
        if transaction.run(_LATEST, [task_id, annotator]) != [(judgement_id, "submitted", "studio")]:
            continue
        if read_slot(transaction, {"task_id": task_id, "annotator": annotator}) is not None:
            take_back(transaction, Change(project, annotator, now), task_id, judgement_id, words, ASKED_AGAIN)
            return str(task_id)
    return None


def read_ask(store: Store, task_id: str, annotator: str) -> str | None:
    """Why the annotator was given this task back; None when they were not, or have answered it since."""
    latest = store.read(_LATEST, [task_id, annotator])
    if not latest or latest[0][1] != "retracted":
        return None
    found = store.read(_READ_ASK, [task_id, annotator, latest[0][0]])
    return str(found[0][0]) if found else None
