"""Evaluation sets: test items of other people that no training row may contain, kept to be compared with every row.

A set is a file's items as texts: of an instruction and its input, a prompt, a question, or the user's turns. A set
never changes; another version of it gets another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import ImportFileError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import hash_value
from pitchpipe.store.importing.folders import Part
from pitchpipe.store.importing.reading import read_raw_rows
from pitchpipe.store.importing.rows import RawRow, list_columns
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import RejectedRow

Items = list[tuple[str, str]]

_SELECT = "SELECT set_name, item_id, text, created_at FROM evaluation_items WHERE project_id = ?"
_TEXTS = (
    "prompt",
    "question",
    "problem",
    "messages",
    "conversations",
    "conversation",
    "query",
    "turns",
    "text",
    "goal",
)
_IDS = ("id", "item_id", "task_id", "question_id", "uid", "key", "idx")


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """A set of test items of a project."""

    name: str
    items: int
    hash: str
    """Of all items, so that two projects can tell that they hold the same."""
    created_at: datetime
    rejected: tuple[RejectedRow, ...] = ()
    """Rows of the file that gave no item; told once, when the set is added."""


def add_evaluation_set(
    store: Store, project: str, file: Path, name: str, actor: str = "local", fields: Sequence[str] = ()
) -> EvaluationSet:
    """Keeps the items of a .jsonl, .json, .csv, .tsv or .parquet file under a name. The same again is a no-op.

    Args:
        fields: columns whose texts make an item, in order; empty guesses: instruction (with its input, also nested as
            self-instruct's `instances`), prompt, question, problem, messages, conversations, query, turns or text.

    Raises:
        NotFoundError, ImportFileError: there is no such project or file, or it holds no item.
        UsageError: the name stands for other items already or cannot be used, or a field is in no row.
    """
    target = get_project(store, project)
    if not (1 <= len(name.strip()) <= 100) or not name.isprintable() or "," in name:
        raise UsageError(
            f"The name {name!r} cannot be used for an evaluation set.", "Use 1 to 100 characters, no comma."
        )
    items, rejected = _read_items(file, fields)
    rows = [(target.id, name, item_id, text, utc_now()) for item_id, text in items]
    columns = ["project_id", "set_name", "item_id", "text", "created_at"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")

    def insert_items(transaction: Transaction) -> None:
        known = transaction.run(f"{_SELECT} AND set_name = ?", [target.id, name])
        if known and _hash_items([(row[1], row[2]) for row in known]) != _hash_items(items):
            raise UsageError(
                f"The name '{name}' stands for {len(known)} other items already.",
                "Choose another name: what was compared with a set must stay known.",
            )
        if not known:
            transaction.insert_frame("evaluation_items", frame)
            record_event(transaction, actor, "add_evaluation_set", name, {"items": len(items), "file": file.name})

    store.write(insert_items)
    store.checkpoint()
    kept = next(kept for kept in list_evaluation_sets(store, project) if kept.name == name)
    return EvaluationSet(kept.name, kept.items, kept.hash, kept.created_at, tuple(rejected))


def list_evaluation_sets(store: Store, project: str) -> list[EvaluationSet]:
    """The sets of a project by name."""
    frame = store.read_frame(_SELECT, [get_project(store, project).id])
    sets = []
    for (name,), rows in sorted(frame.group_by("set_name")):
        items = list(zip(rows["item_id"], rows["text"], strict=True))
        sets.append(EvaluationSet(str(name), len(items), _hash_items(items), rows["created_at"].min()))  # type: ignore[arg-type]
    return sets


def read_evaluation_sets(store: Store, project: str) -> dict[str, Items]:
    """The items of each set as (id, text), by name of the set, in order of their ids."""
    rows = store.read(f"{_SELECT} ORDER BY set_name, item_id", [get_project(store, project).id])
    sets: dict[str, Items] = {}
    for name, item_id, text, _ in rows:
        sets.setdefault(name, []).append((item_id, text))
    return sets


def _hash_items(items: Items) -> str:
    return hash_value(sorted(items))


def _read_items(file: Path, fields: Sequence[str]) -> tuple[Items, list[RejectedRow]]:
    items: dict[str, str] = {}
    rejected: list[RejectedRow] = []
    for result in read_raw_rows(file):
        if isinstance(result, RejectedRow):
            rejected.append(result)
        if isinstance(result, RejectedRow | Part):
            continue
        line, row = result
        texts = [text for text in _list_texts(row, fields) if text.strip()]
        if not texts:
            looked_for = " and ".join(fields) or f"instruction, {', '.join(_TEXTS)}"
            rejected.append(RejectedRow(line, "", f"has no text in {looked_for}; it has {list_columns(row)}"))
        for number, text in enumerate(texts):
            items[_name_item(row, line, number, items)] = text
    if not items:
        told = f"line {rejected[0].line} {rejected[0].reason}" if rejected else "it has no rows"
        raise ImportFileError(f"{file.name} holds no test item: {told}.", "Name the columns that hold the text.")
    return list(items.items()), rejected


def _name_item(row: RawRow, line: int, number: int, taken: dict[str, str]) -> str:
    given = next((row[column] for column in _IDS if isinstance(row.get(column), str | int)), f"line {line}")
    name = f"{given}.{number + 1}" if number else str(given)
    return name if name not in taken else f"{name} (line {line})"


def _list_texts(row: RawRow, fields: Sequence[str]) -> Iterator[str]:
    """The texts of a row's items: several where an instruction has several instances."""
    if fields:
        if all(field in row for field in fields):
            yield "\n".join(filter(None, (_read_text(row[field]) for field in fields)))
        return
    instruction = _read_text(row.get("instruction"))
    if not instruction:
        yield next(filter(None, (_read_text(row.get(column)) for column in _TEXTS)), "")
        return
    instances = row.get("instances")
    given = instances if isinstance(instances, list) and instances else [row]
    inputs = [_read_text(instance.get("input")) for instance in given if isinstance(instance, dict)]
    yield from dict.fromkeys(f"{instruction}\n{text}" if text else instruction for text in inputs)


def _read_text(value: Any) -> str:
    """A text, the user's turns of a conversation, or a list of turns as one text; empty for anything else."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    parts = []
    for turn in value:
        if isinstance(turn, dict) and turn.get("role", turn.get("from")) in ("user", "human", "prompter"):
            turn = turn.get("content", turn.get("value"))
        if isinstance(turn, str):
            parts.append(turn)
    return "\n".join(parts)
