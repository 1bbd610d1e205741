"""From what is known to the rows of a dataset: pure, no database, no files.

Each answer, rated turn, compared pair, labelled text and marked answer is a *unit*. A unit becomes a row or is dropped
with a rule, its version and a reason; units in = rows + drops, asserted. The split travels with each row; nothing here
decides it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from pitchpipe.store.identity import canonical_json, content_id_of_text
from pitchpipe.store.knowledge import (
    LATER_COLUMNS,
    MEASURING,
    ROW_COLUMNS,
    DroppedUnit,
    Knowledge,
    Recipe,
)
from pitchpipe.store.leak_gate import find_leaks, find_row_leaks
from pitchpipe.store.mixing import MIX_VERSION, check_sources, thin_sources
from pitchpipe.store.rules.rule import Background, Hit
from pitchpipe.store.snapshot_masking import mask_reasons
from pitchpipe.store.snapshot_rules import MarkedRow, Tell, apply_quality, list_found, name_unit
from pitchpipe.store.snapshot_units import RULES_VERSION, list_units

__all__ = [
    "LEAK_RULE", "ROW_COLUMNS", "Dataset", "DroppedUnit", "Knowledge", "Recipe", "build_rows", "count_rows",
    "identify_row",
]  # fmt: skip
LEAK_RULE = "near_duplicate_of_holdout"
Row = dict[str, Any]
Leaks = dict[str, tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a recipe makes of what is known. Every unit is in `rows` or in `dropped`, none in both."""

    rows: list[Row]
    """In the order of the examples."""
    dropped: list[DroppedUnit]
    marked: list[MarkedRow]
    """What rules found of rows that stay."""
    hits: list[Hit]
    """Every hit of the recipe's rules, also of rows that a later step left out."""
    given: list[Row]
    """The rows that the rules were given, none of them masked yet."""


def ignore_progress(_: str, __: float) -> None:
    """For those who do not watch."""


def build_rows(
    known: Knowledge,
    recipe: Recipe,
    background: Background | None = None,
    chosen: Container[str] | None = None,
    tell: Tell = ignore_progress,
) -> Dataset:
    """The rows of a snapshot and the units that are not in it.

    Args:
        background: what the recipe's rules may know besides the rows.
        chosen: the examples of the recipe's slice; None: all. Others are listed as dropped by `outside_slice`.

    Raises:
        UsageError: the recipe names a rule, parameter or source that is not there.
    """
    check_sources({str(example["source"]) for example in known.examples.values()}, recipe.weights)
    tell("Looking for requests that nearly equal a sealed one", 0.0)
    leaks = find_leaks(known, recipe.near_duplicate_threshold)
    tell("Adding up what people said", 0.3)
    rows, dropped = _take_units(known, recipe, leaks, chosen)
    units = len(rows) + len(dropped)
    background = background or Background()
    dropped = mask_reasons(dropped, recipe.rules, background)
    # Copies, since what raters wrote of a row is masked in place.
    given, outcome = [dict(row) for row in rows], apply_quality(rows, recipe.rules, background, known, tell)
    rows = [outcome.rows[place] for place in outcome.kept]
    found, marked = list_found(outcome, recipe.rules, background)
    dropped += found
    if any(mark.action == "mask" for mark in marked):
        rows = _leave_out(
            rows, find_row_leaks(rows, recipe.near_duplicate_threshold), LEAK_RULE, RULES_VERSION, dropped
        )
    rows = _leave_out(rows, thin_sources(rows, recipe.weights), "mix", MIX_VERSION, dropped)
    # A later step may have left out what an earlier one marked: each row is on one list alone.
    staying = {id(row) for row in rows}
    marked = [mark for mark in marked if id(mark.row) in staying]
    tell("Hashing rows", 0.8)
    for row in rows:
        row["row_id"] = identify_row(row)
    assert units == len(rows) + len(dropped), "a unit was neither kept nor listed as dropped"
    return Dataset(rows, dropped, marked, outcome.hits, given)


def _take_units(
    known: Knowledge, recipe: Recipe, leaks: Leaks, chosen: Container[str] | None
) -> tuple[list[Row], list[DroppedUnit]]:
    """Every unit, as a row or as a drop that no rule of the recipe is asked about."""
    rows: list[Row] = []
    dropped: list[DroppedUnit] = []
    for unit in list_units(known, recipe):
        drop = _find_drop(unit, known, leaks, chosen)
        if drop is not None:
            dropped.append(drop)
        elif isinstance(unit, dict):
            rows.append(unit)
    return rows, dropped


def _leave_out(
    rows: list[Row], places: dict[int, str], rule: str, version: str, dropped: list[DroppedUnit]
) -> list[Row]:
    """The rows without those places, which are put on the list of drops with their reasons."""
    dropped += [_drop_row(rows[place], rule, version, places[place]) for place in sorted(places)]
    return [row for place, row in enumerate(rows) if place not in places] if places else rows


def identify_row(row: Row) -> str:
    """The id of a row from its whole content, so that a changed word, label or rater is a different row."""
    pieces = []
    for column, key, is_later in _IDENTITY:
        value = row.get(column)
        if value is None:
            if not is_later:
                pieces.append(key + "null")
        elif type(value) is str:
            pieces.append(key + encode_basestring(value))
        else:
            pieces.append(key + canonical_json(value))
    return content_id_of_text("row", "{" + ",".join(pieces) + "}")


# The columns in the order of canonical JSON, which `identify_row` writes piece by piece: a row has thirty of them, and
# going through the general encoder took twice the time.
_IDENTITY = tuple(
    (column, f"{canonical_json(column)}:", column in LATER_COLUMNS)
    for column in sorted(ROW_COLUMNS)
    if column != "row_id"
)


def _find_drop(
    unit: Row | DroppedUnit, known: Knowledge, leaks: Leaks, chosen: Container[str] | None
) -> DroppedUnit | None:
    """Why a unit is no row, before any rule of quality is asked."""
    if isinstance(unit, DroppedUnit):
        if chosen is not None and unit.example_id not in chosen:
            return DroppedUnit(unit.row_kind, unit.example_id, unit.unit, *_OUTSIDE)
        return unit
    if chosen is not None and unit["example_id"] not in chosen:
        return _drop_row(unit, *_OUTSIDE)
    found = _explain_drop(unit, known, leaks)
    return None if found is None else _drop_row(unit, found[0], RULES_VERSION, found[1])


_OUTSIDE = ("outside_slice", RULES_VERSION, "the recipe's slice does not name this example")


def _drop_row(row: Row, rule: str, version: str, reason: str) -> DroppedUnit:
    return DroppedUnit(row["row_kind"], row["example_id"], name_unit(row), rule, version, reason)


def _explain_drop(row: Row, known: Knowledge, leaks: Leaks) -> tuple[str, str] | None:
    """The rule that leaves a row out whatever the recipe's rules say, and the reason."""
    candidates = [row[column] for column in ("candidate_id", "candidate_a", "candidate_b") if row[column]]
    for target in (row["example_id"], *candidates):
        decision = known.decisions.get(target)
        if decision and decision["verdict"] == "drop":
            return "decision", f"{decision['actor']}: {decision['reason']}"
    lost = _find_lost_judgement(row, known, candidates)
    if lost in known.curator_of:
        return "overruled", f"{known.curator_of[lost]} decided otherwise than the judgement that it came from"
    if lost is not None:
        return "judgement_taken_back", "the judgement that this answer came from was taken back"
    purpose = _find_purpose(known, candidates)
    if purpose is not None:
        return purpose, f"it was written with a task of which holds: {MEASURING[purpose]}"
    if row["row_kind"] != "answer" and row["n_judgements"] == 0:
        return "not_judged", "nobody has judged this yet"
    if row["row_kind"] == "label" and row["labels"] is None:
        return "labels_tied", "the raters' labels are tied"
    if row["example_id"] in leaks:
        sealed, similarity = leaks[row["example_id"]]
        return LEAK_RULE, f"{similarity:.2f} similar to the sealed example {sealed}"
    return None


def _find_lost_judgement(row: Row, known: Knowledge, candidates: list[str]) -> str | None:
    """A judgement that the row's example or one of its answers came with, and that counts no more."""
    sources = [known.candidates[candidate]["judgement_id"] for candidate in candidates]
    sources.append(known.examples[row["example_id"]]["judgement_id"])
    return next((source for source in sources if source is not None and source not in known.current), None)


def _find_purpose(known: Knowledge, candidates: list[str]) -> str | None:
    """The purpose of the measuring task with which one of the answers was written; None where there is none."""
    sources = [known.current.get(known.candidates[candidate]["judgement_id"] or "") for candidate in candidates]
    purposes = [known.tasks[source["task_id"]]["purpose"] for source in sources if source is not None]
    return next((str(purpose) for purpose in purposes if purpose is not None), None)


def count_rows(rows: Iterable[Row]) -> dict[str, int]:
    """Rows by kind and side, such as {"answer_train": 10}."""
    counts: dict[str, int] = {}
    for row in rows:
        name = f"{row['row_kind']}_{row['split']}"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
