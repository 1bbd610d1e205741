"""What people write becomes part of what is known: a corrected answer, an answer of one's own, a new instruction.

A written answer counts while its judgement does: nothing here is ever taken out again.
"""

from __future__ import annotations

import json
from typing import Any

from rapidfuzz.distance import Levenshtein

from pitchpipe.store.database import Transaction
from pitchpipe.store.freezing.splitting import assign_split, find_group
from pitchpipe.store.identity import canonical_json, content_id
from pitchpipe.store.judging.judgement_rows import insert_row
from pitchpipe.store.judging.judgement_values import Subject
from pitchpipe.store.records import Message, Split, TaskKind

_READ_SEED = """
SELECT e.messages, e.category, g.split, p.salt, p.holdout_share
FROM examples AS e
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
JOIN projects AS p ON p.id = e.project_id
WHERE e.id = ?
"""

Written = dict[str, dict[str, Any]]
"""Rows that came with a judgement, by what the journal calls them: `candidate`, `example`, `group_split`."""


def read_subject(transaction: Transaction, kind: TaskKind, example_id: str, candidate_ids: list[str]) -> Subject:
    """The texts and turns that a value of that kind is checked against (nothing where nothing is)."""
    if kind not in (TaskKind.EDIT, TaskKind.SPAN, TaskKind.TURNS, TaskKind.SCREEN):
        return Subject()
    # One lookup by key each: joined, the engine would scan whole tables.
    texts = {
        candidate_id: str(transaction.run("SELECT text FROM candidates WHERE id = ?", [candidate_id])[0][0])
        for candidate_id in candidate_ids
    }
    if kind is not TaskKind.TURNS:
        return Subject(texts)
    messages = json.loads(transaction.run("SELECT messages FROM examples WHERE id = ?", [example_id])[0][0])
    return Subject(texts, list_turns(messages, bool(candidate_ids)))


def list_turns(messages: list[dict[str, str]], has_answer: bool) -> tuple[int, ...]:
    """The places of the assistant's turns in a conversation; an answer stands after its last message.

    >>> list_turns([{"role": "user"}, {"role": "assistant"}, {"role": "user"}], True)
    (1, 3)
    """
    inside = tuple(place for place, message in enumerate(messages) if message["role"] == "assistant")
    return (*inside, len(messages)) if has_answer else inside


def find_correction(stored: dict[str, Any], kind: TaskKind, candidate_ids: list[str]) -> tuple[str, str] | None:
    """Of a judgement that corrects an answer: the candidate that is corrected and the new text.

    >>> find_correction({"edit": {"answer": 1, "text": "new"}}, TaskKind.SCREEN, ["c1", "c2"])
    ('c2', 'new')
    """
    if kind is TaskKind.EDIT:
        return candidate_ids[0], stored["text"]
    if kind is TaskKind.SCREEN and "edit" in stored:
        return candidate_ids[stored["edit"]["answer"]], stored["edit"]["text"]
    return None


def measure_correction(original: str, text: str) -> dict[str, int]:
    """How far a correction goes: Levenshtein distance in characters, and in words (split at white space).

    Source: Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals" (1966).

    >>> measure_correction("The lid is blue.", "The lid is green.")
    {'edit_distance': 4, 'edited_words': 1}
    """
    return {
        "edit_distance": Levenshtein.distance(original, text),
        "edited_words": Levenshtein.distance(original.split(), text.split()),
    }


def add_written(
    transaction: Transaction, row: dict[str, Any], stored: dict[str, Any], candidate_ids: list[str]
) -> Written:
    """Adds what was written with a judgement, and returns the rows for the journal.

    Args:
        row: the judgement's own row.
        stored: its value in stored terms.
        candidate_ids: of its task.
    """
    kind = TaskKind(row["kind"])
    correction = find_correction(stored, kind, candidate_ids)
    if correction is not None:
        parent, text = correction
        return {"candidate": _add_answer(transaction, row, row["example_id"], text, parent)}
    if kind is not TaskKind.WRITE:
        return {}
    if "instruction" not in stored:
        return {"candidate": _add_answer(transaction, row, row["example_id"], stored["text"], None)}
    written = _add_example(transaction, row, stored["instruction"])
    return {**written, "candidate": _add_answer(transaction, row, written["example"]["id"], stored["text"], None)}


def _add_answer(
    transaction: Transaction, row: dict[str, Any], example_id: str, text: str, parent_id: str | None
) -> dict[str, Any]:
    candidate = {
        "id": content_id("cand", [example_id, text, row["id"]]), "project_id": row["project_id"],
        "example_id": example_id, "origin": "person", "text": text, "model": None, "run_id": None,
        "judgement_id": row["id"], "parent_id": parent_id, "created_at": row["created_at"],
    }  # fmt: skip
    insert_row(transaction, "candidates", candidate)
    return candidate


def _add_example(transaction: Transaction, row: dict[str, Any], instruction: str) -> Written:
    """The written instruction as an example of its own, on the side of its own group.

    A request that is known already stays on the side it has. A new one is sealed by the salted hash, as an imported one
    is, and also where it was written beside a sealed example: whoever wrote it had that one before their eyes.
    """
    messages, category, seed_split, salt, share = transaction.run(_READ_SEED, [row["example_id"]])[0]
    system = [message for message in json.loads(messages) if message["role"] == "system"]
    group_id = find_group([Message("user", instruction)])
    is_beside_sealed = seed_split == Split.HOLDOUT
    group_split = {
        "project_id": row["project_id"], "group_id": group_id,
        "split": Split.HOLDOUT.value if is_beside_sealed else assign_split(group_id, salt, share).value,
        "reason": "written beside a sealed example" if is_beside_sealed else "salted hash of the group",
        "created_at": row["created_at"],
    }  # fmt: skip
    last = transaction.run("SELECT coalesce(max(position), 0) FROM examples WHERE project_id = ?", [row["project_id"]])
    example = {
        "id": content_id("ex", [row["project_id"], ["judgement", row["id"]]]), "project_id": row["project_id"],
        "import_id": row["id"], "group_id": group_id, "position": last[0][0] + 1,
        "messages": canonical_json([*system, {"role": "user", "content": instruction}]), "external_id": None,
        "tree": None, "category": category, "metadata": canonical_json({"written_beside": row["example_id"]}),
        "created_at": row["created_at"],
    }  # fmt: skip
    insert_row(transaction, "group_splits", group_split)
    insert_row(transaction, "examples", example)
    return {"group_split": group_split, "example": example}
