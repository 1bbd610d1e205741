"""Who works here: annotators sign in by name, and a random session id stands for them.

The id alone lies in the browser's cookie and is checked here each time, since a page keeps the cookies it connected
with even after a sign-out elsewhere.
"""

from __future__ import annotations

import secrets

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.events import record_event

_INSERT_ANNOTATOR = "INSERT INTO annotators (name, role, created_at) VALUES (?, 'annotator', ?) ON CONFLICT DO NOTHING"
_INSERT_SESSION = "INSERT INTO sessions (id, annotator, created_at, ended_at) VALUES (?, ?, ?, NULL)"


def sign_in(store: Store, name: str) -> str:
    """A new session id for the annotator of that name, who is made known on first sight.

    Raises:
        UsageError: the name is empty, longer than 60 characters or not printable.
    """
    name = name.strip()
    if not (1 <= len(name) <= 60 and name.isprintable()):
        raise UsageError(f"The name {name!r} cannot be used.", "Use 1 to 60 printable characters.")
    session_id = secrets.token_urlsafe(24)

    def start_session(transaction: Transaction) -> None:
        now = utc_now()
        transaction.run(_INSERT_ANNOTATOR, [name, now])
        transaction.run(_INSERT_SESSION, [session_id, name, now])
        record_event(transaction, name, "sign_in", name, {})

    store.write(start_session)
    return session_id


def find_annotator(store: Store, session_id: str | None) -> str | None:
    """The name behind a live session, or None."""
    if not session_id:
        return None
    rows = store.read("SELECT annotator FROM sessions WHERE id = ? AND ended_at IS NULL", [session_id])
    return str(rows[0][0]) if rows else None


def find_role(store: Store, name: str) -> str:
    """The role of a person: annotator, curator, engineer or lead."""
    rows = store.read("SELECT role FROM annotators WHERE name = ?", [name])
    return str(rows[0][0]) if rows else "annotator"


def sign_out(store: Store, session_id: str) -> None:
    """Ends the session; every page that still holds it is signed out at its next step."""
    store.write(lambda t: t.run("UPDATE sessions SET ended_at = ? WHERE id = ?", [utc_now(), session_id]))
