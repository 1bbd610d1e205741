"""Who works here, with what role: annotators sign in by name, and a random session id stands for them.

The id alone lies in the browser's cookie and is checked here each time, since a page keeps the cookies it connected
with even after a sign-out elsewhere. The first who ever signs in becomes lead; where nobody is lead, because people
signed in before there were roles, the earliest of them is. A revoked person cannot sign in; what they judged stays.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json

ROLES = ("annotator", "curator", "engineer", "lead")
_LONGEST_SKILL = 30
_MOST_SKILLS = 20

_INSERT_ANNOTATOR = "INSERT INTO annotators (name, role, created_at) VALUES (?, 'annotator', ?) ON CONFLICT DO NOTHING"
_INSERT_SESSION = "INSERT INTO sessions (id, annotator, created_at, ended_at) VALUES (?, ?, ?, NULL)"

# Whoever is lead though nobody was named one: the earliest of those who may sign in.
_UNNAMED_LEAD = """
SELECT name FROM annotators
WHERE revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM annotators WHERE role = 'lead' AND revoked_at IS NULL)
ORDER BY created_at, name LIMIT 1
"""
_REVOKED_BEHIND = """
SELECT count(*) FROM sessions AS s JOIN annotators AS a ON a.name = s.annotator
WHERE s.id = ? AND a.revoked_at IS NOT NULL
"""
_FREE_LEASES = "UPDATE assignments SET leased_until = ? WHERE annotator = ? AND leased_until > ?"


@dataclass(frozen=True, slots=True)
class Person:
    """One who has signed in at least once."""

    name: str
    role: str
    """`annotator`, `curator`, `engineer` or `lead`."""
    skills: tuple[str, ...]
    """Languages and skills, sorted; tasks may ask for one."""
    created_at: datetime
    """When they first signed in, UTC."""
    is_revoked: bool
    """They cannot sign in; their judgements stay."""


def sign_in(store: Store, name: str) -> str:
    """A new session id for the annotator of that name, who is made known on first sight (the very first as lead).

    Raises:
        UsageError: the name is empty, longer than 60 characters or not printable, or the person was revoked.
    """
    name = name.strip()
    if not (1 <= len(name) <= 60 and name.isprintable()):
        raise UsageError(f"The name {name!r} cannot be used.", "Use 1 to 60 printable characters.")
    session_id = secrets.token_urlsafe(24)

    def start_session(transaction: Transaction) -> None:
        now = utc_now()
        transaction.run(_INSERT_ANNOTATOR, [name, now])
        if transaction.run("SELECT 1 FROM annotators WHERE name = ? AND revoked_at IS NOT NULL", [name]):
            raise UsageError(*explain_revocation(name))
        _name_lead(transaction)
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


def was_revoked(store: Store, session_id: str | None) -> bool:
    """Whether a session ended because its person's access was taken away, so that the page can say so."""
    return bool(session_id) and store.read(_REVOKED_BEHIND, [session_id])[0][0] > 0


def explain_revocation(name: str = "") -> tuple[str, str]:
    """What a revoked person is told: what happened, and what to do."""
    whose = f"The access of {name!r}" if name else "Your access"
    return (
        f"{whose} to this studio was taken away by a lead.",
        "Ask a lead to restore it. Everything that was judged is kept, and drafts are safe.",
    )


def sign_out(store: Store, session_id: str) -> None:
    """Ends the session; every page that still holds it is signed out at its next step."""
    store.write(lambda t: t.run("UPDATE sessions SET ended_at = ? WHERE id = ?", [utc_now(), session_id]))


def find_role(store: Store, name: str) -> str:
    """The role of a person: `annotator`, `curator`, `engineer` or `lead`. Whoever never signed in is an annotator."""
    rows = store.read("SELECT role FROM annotators WHERE name = ? AND revoked_at IS NULL", [name])
    if not rows:
        return "annotator"
    return "lead" if store.read(_UNNAMED_LEAD) == [(name,)] else str(rows[0][0])


def list_people(store: Store) -> list[Person]:
    """Everyone who ever signed in, in the order in which they came."""
    rows, unnamed = store.read_at_once(
        lambda: (
            store.read("SELECT name, role, skills, created_at, revoked_at FROM annotators ORDER BY created_at, name"),
            store.read(_UNNAMED_LEAD),
        )
    )
    return [
        Person(
            name, "lead" if (name,) in unnamed else role, tuple(json.loads(skills or "[]")), created_at,
            revoked_at is not None,
        )
        for name, role, skills, created_at, revoked_at in rows
    ]  # fmt: skip


def change_person(
    store: Store, name: str, *, role: str | None = None, skills: Sequence[str] | None = None, actor: str
) -> Person:
    """The person after the change; what is None stays as it is.

    Args:
        role: one of `ROLES`.
        skills: languages and skills, 1 to 30 letters, digits or `-_.+#` each, at most 20; kept sorted in lower case.

    Raises:
        NotFoundError: nobody of that name ever signed in.
        UsageError: the role or a skill cannot be used, or nobody would be lead any more.
    """
    if role is not None and role not in ROLES:
        raise UsageError(f"The role {role!r} is unknown.", f"Use one of {', '.join(ROLES)}.")
    clean = None if skills is None else clean_skills(skills)

    def change(transaction: Transaction) -> None:
        _check_known(transaction, name)
        _name_lead(transaction)
        if role is not None:
            transaction.run("UPDATE annotators SET role = ? WHERE name = ?", [role, name])
        if clean is not None:
            transaction.run("UPDATE annotators SET skills = ? WHERE name = ?", [canonical_json(clean), name])
            transaction.afterwards.append(lambda: store.queue_memory.drop_windows(annotator=name))
        _check_lead(transaction, name)
        record_event(transaction, actor, "change_person", name, {"role": role, "skills": clean})

    store.write(change)
    return _read_person(store, name)


def revoke(store: Store, name: str, actor: str) -> Person:
    """Takes a person's access away: their sessions end, their open leases are free for others, judgements stay.

    Raises:
        NotFoundError: nobody of that name ever signed in.
        UsageError: nobody would be lead any more.
    """

    def take_away(transaction: Transaction) -> None:
        now = utc_now()
        _check_known(transaction, name)
        _name_lead(transaction)
        transaction.run("UPDATE annotators SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", [now, name])
        _check_lead(transaction, name)
        transaction.run("UPDATE sessions SET ended_at = ? WHERE annotator = ? AND ended_at IS NULL", [now, name])
        transaction.run(_FREE_LEASES, [now, name, now])
        record_event(transaction, actor, "revoke", name, {})

    store.write(take_away)
    return _read_person(store, name)


def restore(store: Store, name: str, actor: str) -> Person:
    """Lets a revoked person sign in again, with the role and skills of before.

    Raises:
        NotFoundError: nobody of that name ever signed in.
    """

    def give_back(transaction: Transaction) -> None:
        _check_known(transaction, name)
        transaction.run("UPDATE annotators SET revoked_at = NULL WHERE name = ?", [name])
        record_event(transaction, actor, "restore", name, {})

    store.write(give_back)
    return _read_person(store, name)


def clean_skills(skills: Sequence[str]) -> list[str]:
    """The skills in lower case, sorted, each once. Raises UsageError where one cannot be used.

    >>> clean_skills(["Code", " de ", "code", ""])
    ['code', 'de']
    """
    found = sorted({skill.strip().lower() for skill in skills} - {""})
    for skill in found:
        if len(skill) > _LONGEST_SKILL or not all(letter.isalnum() or letter in "-_.+#" for letter in skill):
            raise UsageError(
                f"The skill {skill!r} cannot be used.",
                f"Use short words such as de or code: letters, digits and -_.+#, at most {_LONGEST_SKILL}.",
            )
    if len(found) > _MOST_SKILLS:
        raise UsageError(f"{len(found)} skills are too many.", f"Use at most {_MOST_SKILLS}.")
    return found


def _name_lead(transaction: Transaction) -> None:
    """Writes down who is lead where nobody was named one."""
    for (name,) in transaction.run(_UNNAMED_LEAD):
        transaction.run("UPDATE annotators SET role = 'lead' WHERE name = ?", [name])


def _check_known(transaction: Transaction, name: str) -> None:
    if not transaction.run("SELECT 1 FROM annotators WHERE name = ?", [name]):
        names = transaction.run("SELECT name FROM annotators ORDER BY created_at, name LIMIT 20")
        known = ", ".join(str(row[0]) for row in names) or "nobody yet"
        raise NotFoundError(f"Nobody called {name!r} has signed in.", f"They must sign in once. Known: {known}.")


def _check_lead(transaction: Transaction, name: str) -> None:
    """Raises, and so undoes the transaction, where the change has left nobody in charge."""
    if not transaction.run("SELECT 1 FROM annotators WHERE role = 'lead' AND revoked_at IS NULL LIMIT 1"):
        raise UsageError(f"{name} is the last lead.", "Make somebody else lead first.")


def _read_person(store: Store, name: str) -> Person:
    return next(person for person in list_people(store) if person.name == name)
