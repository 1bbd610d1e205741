"""From what is known to the rows of a dataset: pure, no database, no files.

Each answer, rated turn, compared pair, labelled text and marked answer is a *unit*. A unit becomes a row or is dropped
with a rule, its version and a reason; units in = rows + drops, asserted. The split travels with each row; nothing here
decides it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pitchpipe.store.identity import content_id
from pitchpipe.store.knowledge import (
    FIRST_COLUMNS,
    LATER_COLUMNS,
    MEASURING,
    ROW_COLUMNS,
    DroppedUnit,
    Knowledge,
    Recipe,
)
from pitchpipe.store.snapshot_units import RULES_VERSION, list_units
from pitchpipe.store.splitting import find_near_duplicates

__all__ = ["ROW_COLUMNS", "DroppedUnit", "Knowledge", "Recipe", "build_rows", "count_rows", "identify_row"]


def build_rows(known: Knowledge, recipe: Recipe) -> tuple[list[dict[str, Any]], list[DroppedUnit]]:
    """The rows of a snapshot and the units that are not in it, in the order of the examples."""
    rows: list[dict[str, Any]] = []
    dropped: list[DroppedUnit] = []
    leaks = _find_leaks(known, recipe)
    units = 0
    for unit in list_units(known, recipe):
        units += 1
        drop = unit if isinstance(unit, DroppedUnit) else _find_drop(unit, known, leaks)
        if drop is not None:
            dropped.append(drop)
        elif isinstance(unit, dict):
            unit["row_id"] = identify_row(unit)
            rows.append(unit)
    assert units == len(rows) + len(dropped), "a unit was neither kept nor listed as dropped"
    return rows, dropped


def identify_row(row: dict[str, Any]) -> str:
    """The id of a row from its whole content, so that a changed word, label or rater is a different row."""
    content = {column: row.get(column) for column in FIRST_COLUMNS if column != "row_id"}
    later = {column: row[column] for column in LATER_COLUMNS if row.get(column) is not None}
    return content_id("row", {**content, **later})


def _find_leaks(known: Knowledge, recipe: Recipe) -> dict[str, tuple[str, float]]:
    """Training examples with a request that nearly equals a sealed one, with the sealed example and the similarity.

    Of a sealed conversation the first request counts, and later ones of 8 words or more: "Say more?" is no leak.
    """
    sealed: list[tuple[str, str]] = []
    open_side: list[tuple[str, str]] = []
    for example_id, example in known.examples.items():
        asked = [message["content"] for message in json.loads(example["messages"]) if message["role"] == "user"]
        if example["split"] == "holdout":
            sealed += [(example_id, text) for turn, text in enumerate(asked) if turn == 0 or len(text.split()) >= 8]
        else:
            open_side += [(example_id, text) for text in asked]
    return find_near_duplicates(open_side, sealed, recipe.near_duplicate_threshold)


def _find_drop(row: dict[str, Any], known: Knowledge, leaks: dict[str, tuple[str, float]]) -> DroppedUnit | None:
    candidates = [row[column] for column in ("candidate_id", "candidate_a", "candidate_b") if row[column]]
    unit = " ".join(candidates) or row["example_id"]

    def drop(rule: str, reason: str) -> DroppedUnit:
        return DroppedUnit(row["row_kind"], row["example_id"], unit, rule, RULES_VERSION, reason)

    for target in (row["example_id"], *candidates):
        decision = known.decisions.get(target)
        if decision and decision["verdict"] == "drop":
            return drop("decision", f"{decision['actor']}: {decision['reason']}")
    lost = _find_lost_judgement(row, known, candidates)
    if lost in known.curator_of:
        return drop("overruled", f"{known.curator_of[lost]} decided otherwise than the judgement that it came from")
    if lost is not None:
        return drop("judgement_taken_back", "the judgement that this answer came from was taken back")
    purpose = _find_purpose(known, candidates)
    if purpose is not None:
        return drop(purpose, f"it was written with a task of which holds: {MEASURING[purpose]}")
    if row["row_kind"] != "answer" and row["n_judgements"] == 0:
        return drop("not_judged", "nobody has judged this yet")
    if row["row_kind"] == "label" and row["labels"] is None:
        return drop("labels_tied", "the raters' labels are tied")
    if row["example_id"] in leaks:
        sealed, similarity = leaks[row["example_id"]]
        return drop("near_duplicate_of_holdout", f"{similarity:.2f} similar to the sealed example {sealed}")
    return None


def _find_lost_judgement(row: dict[str, Any], known: Knowledge, candidates: list[str]) -> str | None:
    """A judgement that the row's example or one of its answers came with, and that counts no more."""
    sources = [known.candidates[candidate]["judgement_id"] for candidate in candidates]
    sources.append(known.examples[row["example_id"]]["judgement_id"])
    return next((source for source in sources if source is not None and source not in known.current), None)


def _find_purpose(known: Knowledge, candidates: list[str]) -> str | None:
    """The purpose of the measuring task with which one of the answers was written; None where there is none."""
    sources = [known.current.get(known.candidates[candidate]["judgement_id"] or "") for candidate in candidates]
    purposes = [known.tasks[source["task_id"]]["purpose"] for source in sources if source is not None]
    return next((str(purpose) for purpose in purposes if purpose is not None), None)


def count_rows(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Rows by kind and side, such as {"answer_train": 10}."""
    counts: dict[str, int] = {}
    for row in rows:
        name = f"{row['row_kind']}_{row['split']}"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
