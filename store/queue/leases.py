"""Leases: one slot of a task, for one annotator, for a while. The slot's primary key keeps the overlap."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from pitchpipe.store.database import Transaction
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.records import Project

EVERYBODY = 1_000_000
"""Slots of a task with a known answer, which everybody is to meet."""
REOPENED = "again_"
"""How the token of a lease begins that brings an annotator's earlier task back."""

_shuffler = random.SystemRandom()

# Not ON CONFLICT, which takes the engine five times as long as looking both keys up first. Another process that takes
# the slot at that moment (PostgreSQL) makes the insert fail, and the whole write is run again.
_INSERT_LEASE = """
INSERT INTO assignments (task_id, slot, project_id, annotator, token, shown, claimed_at, leased_until)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_IS_TAKEN = """
SELECT 1 FROM assignments WHERE task_id = ? AND slot = ?
UNION ALL SELECT 1 FROM assignments WHERE task_id = ? AND annotator = ?
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease about to be taken."""

    task_id: str
    project: Project
    annotator: str
    now: datetime
    is_again: bool = False
    """Whether the annotator has judged the task before."""

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.now + timedelta(seconds=self.project.lease_seconds)


def insert_lease(transaction: Transaction, lease: Lease, slot: int, shown: list[str]) -> str | None:
    """The token of a lease on that slot; None when it is taken, or the annotator has another slot of the task."""
    if transaction.run(_IS_TAKEN, [lease.task_id, slot, lease.task_id, lease.annotator]):
        return None
    token = (REOPENED if lease.is_again else "") + secrets.token_hex(8)
    order = canonical_json(shown)
    row = [lease.task_id, slot, lease.project.id, lease.annotator, token, order, lease.now, lease.until]
    transaction.run(_INSERT_LEASE, row)
    return token


def take_slot(transaction: Transaction, lease: Lease, slots: int, shown: list[str]) -> bool:
    """Leases a free one of so many slots, with the answers in the order `shown`; False when none is free."""
    transaction.queue_memory.forget_leases(lease.project.id, lease.annotator)
    transaction.run("DELETE FROM assignments WHERE task_id = ? AND leased_until <= ?", [lease.task_id, lease.now])
    taken = {row[0] for row in transaction.run("SELECT slot FROM assignments WHERE task_id = ?", [lease.task_id])}
    slot = next((number for number in range(1, slots + 1) if number not in taken), None)
    return slot is not None and insert_lease(transaction, lease, slot, shown) is not None


def shuffle(candidate_ids: list[str]) -> list[str]:
    """The answers in a random order, so that no side is favoured."""
    shown = list(candidate_ids)
    _shuffler.shuffle(shown)
    return shown
