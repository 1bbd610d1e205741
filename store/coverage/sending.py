"""Sends what was chosen to people: raises the tasks that are there, makes those that are not; tags a chosen subset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pitchpipe.store.coverage.asking_next import ask_next, find_top_priority
from pitchpipe.store.coverage.next_labels import NextLabel
from pitchpipe.store.curation.curating import act_on
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.queue.tasking import TaskOrder

NOTE = "label next"


@dataclass(frozen=True, slots=True)
class SentNext:
    """What was sent, and the ids by which it is taken back."""

    raised: int
    """Tasks at the head of the queue that were there before."""
    widened: int
    """Of these, tasks that were complete and get one more rater."""
    made_for: int
    """Examples that got new tasks."""
    asked_id: str | None
    """For `asking_next.undo_ask_next`."""
    action_ids: tuple[str, ...]
    """For `curating.undo_action`: one a kind of task."""


def send_next(store: Store, project: str, labels: Sequence[NextLabel], actor: str) -> SentNext:
    """Puts the tasks of the proposals at the head of the queue; an example without one gets the kind it should have.

    Raises:
        UsageError: there is nothing to send, or a task cannot be made.
    """
    if not labels:
        raise UsageError("There is nothing to send.", "Every example is settled, dropped or sealed.")
    bare: dict[str, list[str]] = {}
    for label in labels:
        if label.task_id is None:
            bare.setdefault(label.kind, []).append(label.example_id)
    priority = find_top_priority(store, project) + 1
    actions = tuple(
        act_on(store, project, "queue", examples, note=NOTE, actor=actor, order=TaskOrder(kind, priority=priority))
        for kind, examples in sorted(bare.items())
    )
    tasks = [label.task_id for label in labels if label.task_id is not None]
    asked = ask_next(store, project, tasks, actor) if tasks else None
    return SentNext(
        asked.raised if asked else 0, asked.widened if asked else 0, sum(map(len, bare.values())),
        asked.id if asked else None, actions,
    )  # fmt: skip
