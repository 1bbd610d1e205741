"""The queue: who works on what, without ever exceeding a task's overlap.

A claim takes one of the slots 1..overlap of a task; the slot is the primary key, so of two racers one gets the next
task. A lease expires by the server's clock and frees its slot to the next who asks; until somebody does, the holder may
still submit. The order in which answers are shown is drawn at the claim and kept with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import StoreError
from pitchpipe.store.projects import find_project, read_rules
from pitchpipe.store.queue.leases import REOPENED, Lease, insert_lease, shuffle
from pitchpipe.store.queue.open_tasks import SERVED_KINDS as SERVED_KINDS
from pitchpipe.store.queue.open_tasks import read_state, read_window
from pitchpipe.store.queue.queue_memory import OpenTask, Window
from pitchpipe.store.queue.special_tasks import count_special, take_special
from pitchpipe.store.queue.suggesting import read_suggestion
from pitchpipe.store.records import ClaimedTask, Message, Progress, Project, QueueRules, ShownAnswer, TaskKind
from pitchpipe.store.review.asking_again import reopen_asked

_MOST_LOST_RACES = 50
_READ_TASK = "SELECT kind, example_id, rubric, candidate_ids, project_id FROM tasks WHERE id = ?"

_READ_TEXTS = """
SELECT '', messages FROM examples WHERE id = ? UNION ALL SELECT id, text FROM candidates WHERE id IN ({})
"""

_HELD_LEASES = """
SELECT task_id FROM assignments
WHERE project_id = ? AND annotator = ? AND leased_until IS NOT NULL ORDER BY claimed_at DESC, task_id
"""

_RENEW_LEASE = """
UPDATE assignments SET leased_until = greatest(leased_until, ?)
WHERE task_id = ? AND annotator = ? AND leased_until IS NOT NULL
"""

_OWN_LEASE = """
SELECT token, shown, leased_until, claimed_at FROM assignments
WHERE task_id = ? AND annotator = ? AND leased_until IS NOT NULL
"""


def claim_next_task(store: Store, project: str, annotator: str, now: datetime | None = None) -> ClaimedTask | None:
    """The task to work on, leased to the annotator; None when there is none left for them, or they are paused.

    A lease that the annotator holds already is renewed and returned again (the same in every tab and after a reload),
    the one claimed or reopened last first. Safe to call from many threads.
    """
    target = find_project(store, project)
    moment = now or utc_now()
    memory = store.queue_memory
    window = memory.find_window(target.id, annotator, moment)
    for _ in range(_MOST_LOST_RACES):
        is_new = window is None
        if window is None:
            window = read_window(store, target, annotator, moment)
            memory.keep_window(target.id, annotator, window)
        claim = Claim(target, annotator, moment, window)
        task_id = store.write(claim.run)
        if claim.fresh is not None and claim.fresh.task.id == task_id:
            return _show(store, claim.fresh, target.rules)
        if task_id is not None:
            return read_claimed_task(store, task_id, annotator, target.rules)
        # A window that saw all there was has nothing left: so there is nothing, unless others won every race for it.
        if window.is_paused or (is_new and not claim.has_lost):
            return None
        window = None
    raise StoreError("Too many others claim tasks at this moment.", "Try again in a second; nothing was lost.")


def count_progress(store: Store, project: str, annotator: str) -> Progress:
    """How far the annotator is; `available` includes a task they hold now.

    What others did in the last seconds may not be counted yet (see `Window`).
    """
    target = find_project(store, project)
    now, memory = utc_now(), store.queue_memory
    window = memory.find_window(target.id, annotator, now)
    if window is None:
        window = read_window(store, target, annotator, now)
        memory.keep_window(target.id, annotator, window)
    held = memory.leases.get((target.id, annotator))
    if held is None:
        held = {row[0] for row in store.read(_HELD_LEASES, [target.id, annotator])}
    available = window.open_left + window.asked_again + count_special(target.rules, window) + len(held)
    return Progress(window.done, available, window.skipped)


@dataclass(frozen=True, slots=True)
class _Leased:
    """A task with its lease; of `task`, only what it is and what was drafted counts here."""

    task: OpenTask
    token: str
    shown: list[str]
    until: datetime
    claimed_at: datetime


@dataclass(slots=True)
class Claim:
    """One try to give an annotator a task, within a transaction.

    It works on a copy of the window, which is kept when the transaction is committed: the write may be run again.
    """

    project: Project
    annotator: str
    now: datetime
    window: Window
    has_lost: bool = False
    """Whether a task that the window held open was taken or skipped elsewhere."""
    fresh: _Leased | None = None
    """The lease, where it was taken out of the window."""

    def run(self, transaction: Transaction) -> str | None:
        """The id of the task that the annotator now holds a lease on; None when the window has none left."""
        self.has_lost, self.fresh = False, None
        if transaction.queue_memory.is_shared:
            self.window.is_paused, skip = read_state(transaction.run, self.project.id, self.annotator)
            if skip != self.window.latest_skip:  # in another studio, since the window was read
                self.has_lost = True
                return None
        if self.window.is_paused:
            return None
        held = self._renew_held(transaction)
        if held is not None:
            return held
        window = replace(self.window, tasks=self.window.tasks.copy())
        task_id = self._take_next(transaction, window)
        transaction.afterwards.append(lambda: self.window.go_on_as(window))
        return task_id

    def _take_next(self, transaction: Transaction, window: Window) -> str | None:
        if window.asked_again:
            asked = reopen_asked(transaction, self.project, self.annotator, self.now)
            if asked is not None:
                self._know_leases(transaction, {asked})
                return asked
            window.asked_again = 0
        special = take_special(transaction, self.project, self.annotator, self.now, window)
        if special is not None:
            self._know_leases(transaction, {special})
            return special
        while window.tasks:
            task = window.tasks.popleft()
            window.open_left -= 1
            if self._take(transaction, task):
                self._know_leases(transaction, {task.id})
                window.since_known += 1
                window.since_repeat += 1
                return task.id
            self.has_lost = True
        return None

    def _renew_held(self, transaction: Transaction) -> str | None:
        """The task that they hold a lease on, renewed."""
        key, memory = (self.project.id, self.annotator), transaction.queue_memory
        known = memory.leases.get(key)
        if known is not None and len(known) <= 1:
            for task_id in list(known):
                if self._renew(transaction, task_id):
                    return task_id
            if not known:
                return None
        held = [str(row[0]) for row in transaction.run(_HELD_LEASES, key)]
        self._know_leases(transaction, set(held))
        if not held:
            return None
        self._renew(transaction, held[0])
        return held[0]

    def _renew(self, transaction: Transaction, task_id: str) -> bool:
        until = self.now + timedelta(seconds=self.project.lease_seconds)
        return bool(transaction.run(_RENEW_LEASE, [until, task_id, self.annotator])[0][0])

    def _know_leases(self, transaction: Transaction, task_ids: set[str]) -> None:
        memory = transaction.queue_memory
        memory.forget_leases(self.project.id, self.annotator)
        if not memory.is_shared:
            transaction.afterwards.append(lambda: memory.know_leases(self.project.id, self.annotator, task_ids))

    def _take(self, transaction: Transaction, task: OpenTask) -> bool:
        memory = transaction.queue_memory
        if task.id in memory.full or task.id in transaction.full:
            return False
        if task.expired:
            transaction.run("DELETE FROM assignments WHERE task_id = ? AND leased_until <= ?", [task.id, self.now])
        lease = Lease(task.id, self.project, self.annotator, self.now, is_again=task.own_status is not None)
        shown = json.loads(task.shown) if task.shown else shuffle(json.loads(task.candidate_ids))
        # The slot most likely free comes first.
        slots = [(task.taken + number) % task.overlap + 1 for number in range(task.overlap)]
        token = next(filter(None, (insert_lease(transaction, lease, slot, shown) for slot in slots)), None)
        if token is None or task.overlap == 1:
            transaction.full.add(task.id)
        if token is not None:
            self.fresh = _Leased(task, token, shown, lease.until, self.now)
        return token is not None


def read_claimed_task(
    store: Store, task_id: str, annotator: str, rules: QueueRules | None = None
) -> ClaimedTask | None:
    """A leased task with everything the page shows and nothing that would break blindness.

    `rules` are its project's; None has them looked up.
    """
    leases = store.read(_OWN_LEASE, [task_id, annotator])
    if not leases:
        return None
    # One lookup by key each: joined, the engine would scan whole tables (measured 10 ms against 2 ms at 50k tasks).
    kind, example_id, rubric, candidate_ids, project_id = store.read(_READ_TASK, [task_id])[0]
    if rules is None:
        rules = read_rules(store.read("SELECT queue_rules FROM projects WHERE id = ?", [project_id])[0][0])
    draft = store.read("SELECT body FROM drafts WHERE task_id = ? AND annotator = ?", [task_id, annotator])
    token, shown, until, claimed_at = leases[0]
    body = draft[0][0] if draft else None
    task = OpenTask(task_id, candidate_ids, 0, 0, 0, shown, body, None, kind, example_id, rubric)
    return _show(store, _Leased(task, token, json.loads(shown), until, claimed_at), rules)


def _show(store: Store, leased: _Leased, rules: QueueRules) -> ClaimedTask:
    task, shown = leased.task, leased.shown
    marks = ", ".join("?" * len(shown)) or "NULL"
    texts = dict(store.read(_READ_TEXTS.format(marks), [task.example_id, *shown]))
    messages = texts[""]
    suggestion = None
    if rules.suggestions:
        candidate_ids = json.loads(task.candidate_ids)
        suggestion = read_suggestion(store, task.id, TaskKind(task.kind), candidate_ids, shown, leased.claimed_at)
    return ClaimedTask(
        task_id=task.id,
        kind=TaskKind(task.kind),
        token=leased.token,
        messages=tuple(Message(**message) for message in json.loads(messages)),
        answers=tuple(ShownAnswer(candidate_id, texts[candidate_id]) for candidate_id in shown),
        draft=json.loads(task.draft) if task.draft else None,
        leased_until=leased.until,
        is_reopened=leased.token.startswith(REOPENED),
        rubric=task.rubric,
        suggestion=suggestion,
    )
