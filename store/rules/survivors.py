"""Which of several alike rows stays: the one that people put most into. The order does not depend on that of the rows.

By a person or kept by a curator, then the better rated or the winner of more comparisons, then more judgements, then
longer. Rows do not tell when they were made, so "newer" is no criterion.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence, Set
from typing import Any

from pitchpipe.store.rules.rule import Row

Rank = tuple[Any, ...]
"""Sorts ascending: the row that shall stay comes first."""

_BY_PEOPLE = ("person", "demonstration")
_CANDIDATES = ("candidate_id", "candidate_a", "candidate_b")
_ANSWERS = ("answer", "answer_a", "answer_b")


def rank_rows(rows: Sequence[Row], kept_ids: Set[str] = frozenset()) -> list[Rank]:
    """The rank of each row; no two rows of a dataset have the same.

    Args:
        kept_ids: examples and answers that a curator decided to keep.
    """
    wins = _count_wins(rows)
    return [_rank_row(row, kept_ids, wins) for row in rows]


def _rank_row(row: Row, kept_ids: Set[str], wins: Counter[str]) -> Rank:
    candidates = [row.get(column) for column in _CANDIDATES]
    is_kept = row["example_id"] in kept_ids or any(candidate in kept_ids for candidate in candidates)
    is_by_people = (
        row.get("origin") in _BY_PEOPLE or row.get("pair_origin") == "edit" or row.get("strategy") == "adjudicated"
    )
    rating = _average_scores(row.get("scores"))
    identity = (*(str(candidate or "") for candidate in candidates), row.get("task_ids") or "", row.get("turn") or 0)
    return (
        -(2 * is_kept + is_by_people),
        -rating if rating is not None else 0.0,
        -wins[row.get("candidate_id") or ""],
        -(row.get("support") or 0.0) if row["row_kind"] == "pair" else 0.0,
        -(row.get("n_judgements") or 0),
        -sum(len(row.get(column) or "") for column in _ANSWERS) - len(row["messages"]),
        row["example_id"],
        row["row_kind"],
        *identity,
    )


def _average_scores(scores: str | None) -> float | None:
    """The mean of the numbers among a row's consensus ratings."""
    given = json.loads(scores).values() if scores else ()
    numbers = [float(score) for score in given if isinstance(score, int | float) and not isinstance(score, bool)]
    return sum(numbers) / len(numbers) if numbers else None


def _count_wins(rows: Sequence[Row]) -> Counter[str]:
    """Comparisons won less comparisons lost, by answer."""
    wins: Counter[str] = Counter()
    for row in rows:
        if row.get("verdict") in ("a", "b"):
            winner, loser = ("a", "b") if row["verdict"] == "a" else ("b", "a")
            wins[row[f"candidate_{winner}"]] += 1
            wins[row[f"candidate_{loser}"]] -= 1
    return wins
