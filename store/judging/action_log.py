"""What an annotator did in a project, in order, and what undo and redo would reach: two stacks, derived from the log.

Submits, skips, flags and comments go on top of what is done and empty what is undone. An undo moves the top of the one
to the other, a redo moves it back without emptying anything; a task reopened from the history moves from wherever it
is.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pitchpipe.store.database import Transaction
from pitchpipe.store.judging.taking_back import OWN_SOURCES

# The log of one annotator: judgements of the studio with what was taken back by whomever, and the flags among them.
# A flag that a curator has dealt with is out of the annotator's hands.
_READ_LOG = """
SELECT entry, id, task_id, status, source, supersedes, detail, FALSE AS is_settled FROM judgements
WHERE project_id = $project AND annotator = $annotator AND source <> 'adjudication'
UNION ALL
SELECT l.entry, l.flag_id, f.task_id, CASE WHEN l.action = 'raise' THEN f.kind ELSE l.action END, 'studio', NULL, NULL,
       f.closed_at IS NOT NULL AND f.closed_by <> f.annotator
FROM flag_log AS l JOIN flags AS f ON f.id = l.flag_id
WHERE l.project_id = $project AND l.annotator = $annotator
ORDER BY 1 DESC LIMIT $most
"""
_FIRST_READ = 200
_TIMES_MORE = 10

_ACTIONS = {"submitted": "submit", "skipped": "skip", "flag": "flag", "comment": "comment"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done. `id` is of the judgement, or of the flag or comment."""

    action: str
    id: str
    task_id: str


@dataclass(slots=True)
class Stacks:
    """What is done and what is undone, the latest last, by id."""

    done: dict[str, Step] = field(default_factory=dict)
    undone: dict[str, Step] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)
    """The judgement that stands on each task."""
    unknown: set[str] = field(default_factory=set)
    """Ids of what is undone and was done before the log begins."""

    def do(self, step: Step) -> None:
        """Puts a step on top of what is done; a task has one judgement that stands."""
        if step.action in ("submit", "skip"):
            self.done.pop(self.latest.get(step.task_id, ""), None)
            self.latest[step.task_id] = step.id
        self.done[step.id] = step

    def undo(self, id: str, *, can_redo: bool = True) -> None:
        """Moves a step to what is undone."""
        step = self.done.pop(id, None)
        if step is not None and can_redo:
            self.undone[step.id] = step
        elif can_redo:
            self.unknown.add(id)


def read_stacks(transaction: Transaction, project_id: str, annotator: str) -> Stacks:
    """The stacks of an annotator in a project as they are now, at least down to the top of each.

    Only the latest part of the log is read where it tells both tops: it begins with a step that emptied what was
    undone, some of it is still done, and all that was undone since is in it. Whatever lies before is below.
    """
    most = _FIRST_READ
    while True:
        log = transaction.run(_READ_LOG, {"project": project_id, "annotator": annotator, "most": most})[::-1]
        if len(log) < most:
            return replay(log)
        stacks = replay(itertools.dropwhile(lambda row: not _is_new_step(row), log))
        if stacks.done and not stacks.unknown:
            return stacks
        most *= _TIMES_MORE


def _is_new_step(row: tuple[Any, ...]) -> bool:
    """Whether a row of the log is something done anew, after which nothing can be redone."""
    _, _, _, status, source, _, detail, _ = row
    return status in _ACTIONS and source == "studio" and not (detail and json.loads(detail).get("redo_of"))


def replay(log: Iterable[tuple[Any, ...]]) -> Stacks:
    """The stacks that a log leaves. Rows: entry, id, task, status or flag action, source, supersedes, detail, settled.

    >>> log = [("1", "j1", "t", "submitted", "studio", None, None, False),
    ...        ("2", "r1", "t", "retracted", "studio", "j1", None, False)]
    >>> list(replay(log).done), list(replay(log).undone)
    ([], ['j1'])
    """
    stacks = Stacks()
    settled = set()
    for _, id, task_id, status, source, supersedes, detail, is_settled in log:
        if is_settled:
            settled.add(id)
        redone = json.loads(detail).get("redo_of") if detail else None
        if status == "retracted":
            # What somebody else took back is nobody's to do again; what is asked anew may well be said again.
            stacks.undo(supersedes, can_redo=source in OWN_SOURCES)
        elif status == "undo":
            stacks.undo(id)
        elif status == "redo":
            step = stacks.undone.pop(id, None)
            if step is not None:
                stacks.do(step)
        elif source == "studio":
            if redone is None:
                stacks.undone.clear()
                stacks.unknown.clear()
            else:
                stacks.undone.pop(redone, None)
            stacks.do(Step(_ACTIONS[status], id, task_id))
    for id in settled:
        stacks.done.pop(id, None)
        stacks.undone.pop(id, None)
    return stacks
