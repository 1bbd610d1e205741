"""Slices: which examples of a project are meant, found as of now, and saved under a name.

A slice is words, conditions on fields, and SQL; see `catalogue_filters`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pitchpipe.store.curation import catalogue
from pitchpipe.store.curation.catalogue_filters import Condition, Slice, check_condition, parse_condition
from pitchpipe.store.curation.catalogue_sql import check_sql
from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.projects import get_project

__all__ = [
    "Condition", "SavedSlice", "Slice", "check_condition", "delete_slice", "find_examples", "list_slices",
    "parse_condition", "read_slice", "save_slice",
]  # fmt: skip

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class SavedSlice:
    """A slice with its name."""

    name: str
    slice: Slice
    actor: str
    created_at: datetime


def find_examples(store: Store, project: str, slice: Slice) -> list[str]:
    """The ids of the examples that a slice has at this moment, in the order in which they came.

    Raises:
        UsageError: a condition cannot be asked, or the SQL is refused or asks for too much.
        NotFoundError: there is no such project.
    """
    return catalogue.list_ids(catalogue.open_catalogue(store, project, is_fresh=True), slice)


def save_slice(store: Store, project: str, name: str, slice: Slice, actor: str) -> None:
    """Saves a slice under a name; what stood under it is replaced.

    Raises:
        UsageError: the name cannot be used, a condition cannot be asked, or the SQL is no SELECT.
    """
    target = get_project(store, project)
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"The name {name!r} cannot be used.", f"Use 1 to {_LONGEST_NAME} printable characters.")
    question = canonical_json(Slice.from_document(slice.to_document()).to_document())
    if slice.sql.strip():
        check_sql(catalogue.open_catalogue(store, project).connection, slice.sql)

    def upsert(transaction: Transaction) -> None:
        transaction.run("DELETE FROM slices WHERE project_id = ? AND name = ?", [target.id, name])
        transaction.run(
            "INSERT INTO slices (project_id, name, question, actor, created_at) VALUES (?, ?, ?, ?, ?)",
            [target.id, name, question, actor, utc_now()],
        )
        record_event(transaction, actor, "save_slice", project, {"name": name, "question": json.loads(question)})

    store.write(upsert)
    store.checkpoint()


def list_slices(store: Store, project: str) -> list[SavedSlice]:
    """The saved slices of a project, by name."""
    sql = "SELECT name, question, actor, created_at FROM slices WHERE project_id = ? ORDER BY name"
    return [_to_saved(row) for row in store.read(sql, [get_project(store, project).id])]


def read_slice(store: Store, project: str, name: str) -> Slice:
    """The slice of that name.

    Raises:
        NotFoundError: there is none.
    """
    saved = {found.name: found.slice for found in list_slices(store, project)}
    if name not in saved:
        raise NotFoundError(f"There is no slice '{name}'.", f"Slices here: {', '.join(saved) or 'none'}.")
    return saved[name]


def delete_slice(store: Store, project: str, name: str, actor: str) -> None:
    """Forgets a saved slice; the snapshots that were made of it keep theirs.

    Raises:
        NotFoundError: there is none of that name.
    """
    read_slice(store, project, name)
    target = get_project(store, project)

    def delete(transaction: Transaction) -> None:
        transaction.run("DELETE FROM slices WHERE project_id = ? AND name = ?", [target.id, name])
        record_event(transaction, actor, "delete_slice", project, {"name": name})

    store.write(delete)


def _to_saved(row: tuple[Any, ...]) -> SavedSlice:
    name, question, actor, created_at = row
    return SavedSlice(name, Slice.from_document(json.loads(question)), actor, created_at)
