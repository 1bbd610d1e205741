"""What the rules against duplicates compare: the texts of a dataset's rows, best first, apart by split and kind.

On the *prompt* an example is one unit (its user turns), and all its rows follow it. On the *answer* the answer rows are
units; answers below 8 words are not compared, since many requests rightly get "Yes." On *both* every row is a unit, and
all its parts must be alike: its request and its answer, of a pair the winner and the loser (without a winner both
answers together, in either order). What people said must be the same too: a pair won the other way round, or other
labels, are a conflict to be seen, no duplicate. Rows of other kinds, and of the other side of the seal, are never
compared: the leak gate looks across.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from pitchpipe.store.rules.reading import read_requests
from pitchpipe.store.rules.rule import Parameter, Row
from pitchpipe.store.rules.survivors import Rank, rank_rows

ON = Parameter(
    "on",
    "both",
    "What is compared: the request (all rows of an example go or stay together), the answer, or both of a row.",
    choices=("prompt", "answer", "both"),
)
FIELDS = {"prompt": ["messages"], "answer": ["answer"], "both": ["messages", "answer"]}
_LEAST_WORDS = 8
_WON = ("a", "b")


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows that stand or fall together, and their text."""

    parts: tuple[str, ...]
    places: tuple[int, ...]
    """In the rows that were given, ascending."""
    example_id: str
    candidate_ids: tuple[str, ...]


def list_unit_groups(rows: Sequence[Row], on: str, kept_ids: Set[str]) -> Iterator[list[Unit]]:
    """The units that are compared with each other, one group after the other, in each the one that shall stay first."""
    groups: dict[tuple[str, str], list[tuple[Rank, Unit]]] = {}
    ranks = rank_rows(rows, kept_ids)
    for key, places in _gather_places(rows, on).items():
        best = min(places, key=lambda place: ranks[place])
        groups.setdefault(key[:2], []).append((ranks[best], _describe_unit(rows, places, best, on)))
    for ranked in groups.values():
        yield [unit for _, unit in sorted(ranked, key=lambda pair: pair[0])]


def _gather_places(rows: Sequence[Row], on: str) -> dict[tuple[str, str, str], list[int]]:
    """Places of the rows of each unit, by split, kind ("" where kinds are compared with each other) and unit."""
    gathered: dict[tuple[str, str, str], list[int]] = {}
    for place, row in enumerate(rows):
        if on == "prompt":
            key = (row["split"], "", row["example_id"])
        elif on == "both":
            key = (row["split"], _name_kind(row), str(place))
        elif row["row_kind"] == "answer" and len((row["answer"] or "").split()) >= _LEAST_WORDS:
            key = (row["split"], "answer", str(place))
        else:
            continue
        gathered.setdefault(key, []).append(place)
    return gathered


def _describe_unit(rows: Sequence[Row], places: Sequence[int], best: int, on: str) -> Unit:
    row = rows[best]
    # A rated turn inside a conversation shows only what was said before it, so the longest request is the example's.
    prompt = max(("\n".join(read_requests(rows[place])) for place in places), key=len) if on != "answer" else ""
    parts = {"prompt": (prompt,), "answer": (row["answer"] or "",), "both": (prompt, *_read_answers(row))}[on]
    candidates = (row.get(column) for column in ("candidate_id", "candidate_a", "candidate_b"))
    return Unit(parts, tuple(places), row["example_id"], tuple(candidate for candidate in candidates if candidate))


def _name_kind(row: Row) -> str:
    """The kind of a row with what people said of it where that must be the same: verdict, labels, marked stretches."""
    said = "a winner" if row.get("verdict") in _WON else row.get("verdict")
    told = {"pair": said, "label": row.get("labels"), "span": row.get("spans")}.get(row["row_kind"])
    return f"{row['row_kind']} {told or ''}"


def _read_answers(row: Row) -> tuple[str, ...]:
    if row["row_kind"] != "pair":
        return (row["answer"] or "",)
    a, b = row["answer_a"] or "", row["answer_b"] or ""
    if row.get("verdict") in _WON:
        return (a, b) if row["verdict"] == "a" else (b, a)
    return ("\n".join(sorted((a, b))),)
