"""What changed between two snapshots, row by row and label by label, and what that does to the whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.freezing.snapshot_figures import count_drops, measure_rows
from pitchpipe.store.freezing.snapshot_folder import read_drops, read_rows

Row = dict[str, Any]
_UNIT = ("row_kind", "example_id", "candidate_id", "candidate_a", "candidate_b", "turn")


def diff_snapshots(first: Path, second: Path) -> dict[str, Any]:
    """Rows only in the first, only in the second, and the same unit with other content (a changed label, say).

    Returns:
        `added`, `removed`: row ids, sorted. `changed`: by unit, ids, the columns that differ, verdicts and scores from
        and to. `flipped`: those of `changed` whose verdict is another; `rescored`: those with other scores, and by how
        much. `figures`: of both snapshots (see `measure_rows`) and the difference of each number. `drops`: units left
        out by rule, in the first and in the second.
    """
    rows = [read_rows(first), read_rows(second)]
    before, after = (_index_units(frame) for frame in rows)
    changed = [_describe_change(unit, before[unit], after[unit]) for unit in before.keys() & after.keys()]
    changed = sorted((change for change in changed if change["columns"]), key=lambda change: str(change["from"]))
    figures = [measure_rows(frame) for frame in rows]
    drops = [{row["rule"]: row["count"] for row in count_drops(read_drops(folder))} for folder in (first, second)]
    return {
        "added": sorted(after[unit]["row_id"] for unit in after.keys() - before.keys()),
        "removed": sorted(before[unit]["row_id"] for unit in before.keys() - after.keys()),
        "changed": changed,
        "flipped": [change for change in changed if change["verdict"][0] != change["verdict"][1]],
        "rescored": [change for change in changed if change["gaps"]],
        "figures": {"first": figures[0], "second": figures[1], "change": subtract(figures[0], figures[1])},
        "drops": {rule: [drops[0].get(rule, 0), drops[1].get(rule, 0)] for rule in sorted({*drops[0], *drops[1]})},
    }


def show_rows(folder: Path, row_ids: list[str]) -> list[Row]:
    """Those rows of a snapshot, with what a person needs to see of them, in the order that was asked for."""
    columns = ("row_id", "row_kind", "split", "source", "messages", "answer", "answer_a", "answer_b", "verdict",
               "scores", "labels", "support")  # fmt: skip
    found = read_rows(folder).filter(pl.col("row_id").is_in(row_ids)).select(columns).to_dicts()
    by_id = {row["row_id"]: row for row in found}
    return [by_id[row_id] for row_id in row_ids if row_id in by_id]


def subtract(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Second minus first for every number that differs, in the same shape; what is a number in one alone counts from 0.

    >>> subtract({"rows": 3, "words": {"answers": 10}}, {"rows": 5, "words": {"answers": 10}})
    {'rows': 2}
    """
    found: dict[str, Any] = {}
    for name in [*first, *(name for name in second if name not in first)]:
        one, two = first.get(name), second.get(name)
        if isinstance(one, dict) or isinstance(two, dict):
            inner = subtract(one or {}, two or {})
            if inner:
                found[name] = inner
        elif one != two:
            found[name] = round((two or 0) - (one or 0), 4)
    return found


def _index_units(rows: pl.DataFrame) -> dict[tuple[str, ...], Row]:
    """Rows by what they speak of. A row of one task alone is told from that of another task by the task."""
    return {
        (*(str(row.get(c)) for c in _UNIT), "" if row["row_kind"] == "answer" else row["task_ids"]): row
        for row in rows.iter_rows(named=True)
    }


def _describe_change(unit: tuple[str, ...], before: Row, after: Row) -> dict[str, Any]:
    if before["row_id"] == after["row_id"]:
        return {"from": before["row_id"], "columns": []}
    columns = [name for name in {**before, **after} if name != "row_id" and before.get(name) != after.get(name)]
    return {
        "unit": unit,
        "from": before["row_id"],
        "to": after["row_id"],
        "columns": columns,
        "verdict": [before["verdict"], after["verdict"]],
        "scores": [before["scores"], after["scores"]],
        "gaps": _compare_scores(before["scores"], after["scores"]),
    }


def _compare_scores(before: str | None, after: str | None) -> dict[str, float]:
    """By how much the consensus on each question rose, where it is a number in both and not the same."""
    first, second = json.loads(before or "{}"), json.loads(after or "{}")
    return {
        question: round(second[question] - first[question], 4)
        for question in first
        if isinstance(first[question], int | float)
        and isinstance(second.get(question), int | float)
        and first[question] != second[question]
    }
