"""The tasks that a curator's action made: put into the queue, and taken back while nobody has touched them."""

from __future__ import annotations

from typing import Any

from pitchpipe.store.database import Transaction
from pitchpipe.store.queue.tasking import insert_tasks_of

_TOUCHED = " UNION ALL ".join(
    f"SELECT task_id FROM {table}" for table in ("assignments", "drafts", "judgements", "flags", "gold_answers")
)


def insert_queued(transaction: Transaction, project_id: str, rows: list[tuple[Any, ...]], action_id: str) -> int:
    """Adds the tasks that are not there yet, under the action; returns how many."""
    return insert_tasks_of(transaction, project_id, rows, action_id=action_id)["made"]


def take_back_queued(transaction: Transaction, action_id: str) -> int:
    """Deletes the tasks of an action that nobody has begun, judged, flagged or made a known answer of.

    Returns how many stay.
    """
    untouched = f"action_id = ? AND id NOT IN ({_TOUCHED})"
    transaction.run(f"DELETE FROM suggestions WHERE task_id IN (SELECT id FROM tasks WHERE {untouched})", [action_id])
    transaction.run(f"DELETE FROM tasks WHERE {untouched}", [action_id])
    # Annotators may hold a stretch of the queue that was read before.
    transaction.afterwards.append(transaction.queue_memory.drop_windows)
    return int(transaction.run("SELECT count(*) FROM tasks WHERE action_id = ?", [action_id])[0][0])
