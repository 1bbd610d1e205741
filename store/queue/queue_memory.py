"""What the owner process remembers of the queue, so that a claim need not scan it: hints, checked where they are used.

A window is the next stretch of open tasks of one annotator, read by one scan and then handed out one by one; the slot's
primary key decides whether a task is still free, so a stale window costs a try and never a wrong lease. The leases that
an annotator holds are remembered where no other process can give them any (not with PostgreSQL).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pitchpipe.store.records import Project


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that was open when its window was read."""

    id: str
    candidate_ids: str
    overlap: int
    taken: int
    """Slots that were taken then."""
    expired: int
    """Leases on it that had run out."""
    shown: str | None
    """The order of answers of a draft that the annotator left on it."""
    draft: str | None
    own_status: str | None
    """Of the annotator's latest judgement of it; never `skipped`."""
    kind: str
    example_id: str
    rubric: str | None


@dataclass(slots=True)
class Window:
    """What one annotator can be served next, and how far they are."""

    read_at: datetime
    lives: timedelta
    tasks: deque[OpenTask]
    open_left: int
    """All open tasks for the annotator, also those beyond this window."""
    done: int
    skipped: int
    is_paused: bool = False
    """Whether no tasks are handed out to the annotator."""
    latest_skip: str | None = None
    """Entry of the latest skip that it leaves out, where several studios share the tables."""
    known_left: int = 0
    """Tasks with a known answer that the annotator has not met."""
    known_met: int = 0
    since_known: int = 0
    """Ordinary tasks handed out since the last one with a known answer."""
    since_repeat: int = 0
    asked_again: int = 0
    """Tasks of theirs that are to be judged anew; they come before all others."""

    def is_fresh(self, now: datetime) -> bool:
        """Whether it may still be used at that moment."""
        return abs(now - self.read_at) <= self.lives

    def go_on_as(self, claimed: Window) -> None:
        """Takes over what a claim has changed in a copy of this window."""
        self.tasks, self.open_left = claimed.tasks, claimed.open_left
        self.known_left, self.known_met = claimed.known_left, claimed.known_met
        self.since_known, self.since_repeat = claimed.since_known, claimed.since_repeat
        self.asked_again = claimed.asked_again


@dataclass(slots=True)
class QueueMemory:
    """Windows and leases by project id and annotator. Thread-safe."""

    is_shared: bool
    """Whether other processes may write to the same tables at this moment."""
    windows: dict[tuple[str, str], Window] = field(default_factory=dict)
    leases: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Tasks that an annotator holds leases on; a missing entry means that it is not known."""
    projects: dict[str, tuple[float, Project]] = field(default_factory=dict)
    """Projects by name, with when they were read by the monotonic clock."""
    full: set[str] = field(default_factory=set)
    """Tasks found without a free slot since a window last saw them open."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find_window(self, project_id: str, annotator: str, now: datetime) -> Window | None:
        """The annotator's window if it is fresh."""
        window = self.windows.get((project_id, annotator))
        return window if window is not None and window.is_fresh(now) else None

    def keep_window(self, project_id: str, annotator: str, window: Window) -> None:
        """Remembers a window just read; what it saw open is not full any more."""
        with self.lock:
            self.full.difference_update(task.id for task in window.tasks)
            self.windows[project_id, annotator] = window

    def drop_windows(self, project_id: str | None = None, annotator: str | None = None) -> None:
        """Forgets windows: of one annotator, of a project, or all."""
        with self.lock:
            for key in list(self.windows):
                if (project_id is None or key[0] == project_id) and (annotator is None or key[1] == annotator):
                    del self.windows[key]

    def forget_person(self, project_id: str, annotator: str) -> None:
        """Forgets all that is known of an annotator in a project."""
        with self.lock:
            self.windows.pop((project_id, annotator), None)
            self.leases.pop((project_id, annotator), None)

    def forget_leases(self, project_id: str, annotator: str) -> None:
        """Has the annotator's leases looked up anew."""
        with self.lock:
            self.leases.pop((project_id, annotator), None)

    def know_leases(self, project_id: str, annotator: str, task_ids: set[str]) -> None:
        """Remembers all the leases that an annotator holds."""
        with self.lock:
            self.leases[project_id, annotator] = task_ids

    def end_lease(self, project_id: str, annotator: str, task_id: str, skip: str | None) -> None:
        """Notes that a lease ended with a judgement, or with a skip (its entry) that left the slot to others."""
        is_skip = skip is not None
        with self.lock:
            self.leases.get((project_id, annotator), set()).discard(task_id)
            window = self.windows.get((project_id, annotator))
            if is_skip:
                self.full.discard(task_id)
            if window is not None and is_skip and window.known_met:
                del self.windows[project_id, annotator]  # it may have been a known answer, which then was not met
            elif window is not None:
                window.skipped += is_skip
                window.done += not is_skip
                if is_skip and self.is_shared:
                    window.latest_skip = skip
