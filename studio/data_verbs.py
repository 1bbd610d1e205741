"""What one can do with the rows of a project, like `verbs`: one function a verb, plain values in and out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pitchpipe.prompts.library import load_screen
from pitchpipe.store.curation import catalogue, curating
from pitchpipe.store.curation import slices as saving
from pitchpipe.store.curation.catalogue_filters import Slice, parse_condition
from pitchpipe.store.curation.curating import Action
from pitchpipe.store.curation.row_card import explain_standing, read_row_card
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.queue.tasking import TaskOrder

_ACTOR = "local"
_RUBRICS = {"tag": "topics", "span": "errors", "turns": "turns", "screen": "compare_rate_correct"}


def rows(
    store: Store,
    project: str,
    words: str = "",
    where: list[str] | None = None,
    sql: str = "",
    slice: str | None = None,
    sort: str = "position",
    descending: bool = False,
    limit: int = 20,
    offset: int = 0,
    columns: list[str] | None = None,
) -> dict[str, Any]:
    """The examples of a slice, a page of them; `where` are conditions such as `rating<=2` or `source=a.jsonl`."""
    made = catalogue.open_catalogue(store, project, is_fresh=True)
    asked = _read_slice(store, project, words, where, sql, slice)
    more = {} if columns is None else {"columns": columns}
    found = catalogue.list_rows(made, asked, sort, descending, limit, offset, **more)
    return {
        "project": project,
        "slice": asked.to_document(),
        "found": catalogue.count_rows(made, asked),
        "rows": [{name: _to_plain(value) for name, value in row.items()} for row in found.to_dicts()],
    }


def row(store: Store, project: str, example: str) -> dict[str, Any]:
    """Everything known about an example, and in plain words why it is in or out of datasets."""
    card = read_row_card(store, project, example)
    return {"standing": explain_standing(card), **_make_plain(asdict(card))}


def slices(
    store: Store,
    project: str,
    save: str | None = None,
    words: str = "",
    where: list[str] | None = None,
    sql: str = "",
    delete: str | None = None,
) -> dict[str, Any]:
    """The saved slices; `save` first saves words, conditions and SQL under that name, `delete` forgets one."""
    if save is not None:
        saving.save_slice(store, project, save, _read_slice(store, project, words, where, sql, None), _ACTOR)
    if delete is not None:
        saving.delete_slice(store, project, delete, _ACTOR)
    return {
        "project": project,
        "slices": [
            {"name": saved.name, **saved.slice.to_document(), "actor": saved.actor,
             "created_at": saved.created_at.isoformat(timespec="seconds")}
            for saved in saving.list_slices(store, project)
        ],
    }  # fmt: skip


def curate(
    store: Store,
    project: str,
    kind: str,
    examples: list[str] | None = None,
    words: str = "",
    where: list[str] | None = None,
    sql: str = "",
    slice: str | None = None,
    note: str = "",
    tag: str | None = None,
    task: str | None = None,
    overlap: int | None = None,
    rubric: str | None = None,
) -> dict[str, Any]:
    """Keeps, drops, tags, untags or queues the examples that are named, or all of a slice; undone by `undo_action`."""
    is_slice = bool(words or where or sql or slice)
    if bool(examples) == is_slice:
        raise UsageError("Name examples or a slice, one of both.", "Give ids, or --words, --where, --sql or --slice.")
    ids = examples or saving.find_examples(store, project, _read_slice(store, project, words, where, sql, slice))
    order = None
    if kind == "queue":
        name = task or "rate"
        chosen = rubric or _RUBRICS.get(name)
        parts = (
            tuple(part.kind for part in load_screen(chosen or "", store.workspace / "prompts").parts)
            if name == "screen" else ()
        )  # fmt: skip
        order = TaskOrder(name, overlap, chosen, parts)
    action = curating.act_on(store, project, kind, ids, note=note, actor=_ACTOR, tag=tag, order=order)
    done = next(found for found in curating.list_actions(store, project) if found.id == action)
    return {"project": project, **_describe(done)}


def actions(store: Store, project: str, limit: int = 20) -> dict[str, Any]:
    """What curators did at once to many examples, newest first."""
    return {"project": project, "actions": [_describe(found) for found in curating.list_actions(store, project, limit)]}


def undo_action(store: Store, action: str) -> dict[str, Any]:
    """Undoes an action as a whole, or, where it is undone, does it again."""
    changed = curating.undo_action(store, action, _ACTOR)
    return {"project": changed.action.project, **_describe(changed.action), "kept_tasks": changed.kept_tasks}


def _read_slice(store: Store, project: str, words: str, where: list[str] | None, sql: str, slice: str | None) -> Slice:
    """The slice that is meant: a saved one, narrowed by what is said besides."""
    base = saving.read_slice(store, project, slice) if slice else Slice()
    if base.sql and sql:
        raise UsageError(f"The slice '{slice}' has SQL of its own.", "Leave --sql out, or write both in one SELECT.")
    conditions = tuple(parse_condition(text) for text in where or ())
    return Slice(f"{base.words} {words}".strip(), (*base.filters, *conditions), base.sql or sql)


def _describe(action: Action) -> dict[str, Any]:
    return {
        "id": action.id, "kind": action.kind, "things": action.things, "tag": action.tag, "note": action.note,
        "actor": action.actor, "created_at": _to_plain(action.created_at), "is_undone": action.undone_at is not None,
    }  # fmt: skip


def _to_plain(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _make_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _make_plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_make_plain(entry) for entry in value]
    return _to_plain(value)
