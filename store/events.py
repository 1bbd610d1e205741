"""The audit trail: who did what to which thing, one appended row each."""

from __future__ import annotations

from typing import Any

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.identity import canonical_json, new_id

_INSERT_EVENT = "INSERT INTO events (id, actor, action, subject, detail, created_at) VALUES (?, ?, ?, ?, ?, ?)"


def record_event(transaction: Transaction, actor: str, action: str, subject: str, detail: dict[str, Any]) -> None:
    """Appends one event within the transaction that did the thing."""
    transaction.run(_INSERT_EVENT, [new_id("ev"), actor, action, subject, canonical_json(detail), utc_now()])


def list_events(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """The latest events, newest first."""
    rows = store.read(
        "SELECT id, actor, action, subject, detail, created_at FROM events ORDER BY id DESC LIMIT ?", [limit]
    )
    names = ("id", "actor", "action", "subject", "detail", "created_at")
    return [dict(zip(names, row, strict=True)) for row in rows]
