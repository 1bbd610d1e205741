"""The shape of a slice in figures: lengths, ratings, sources, kinds, agreement, and whether side or length sway people.

All of it is counted in the catalogue's engine; what comes back are some dozens of numbers, ready to be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pitchpipe.store.curation.catalogue import Catalogue, find_where
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.measures.preference import measure_share


@dataclass(frozen=True, slots=True)
class Bias:
    """How often a decisive vote went to one side, with its 95% Wilson interval; Nones without a vote."""

    name: str
    hits: int
    total: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Shape:
    """A slice in figures. Histograms are (lower edge, count) in the order of their edges."""

    request_words: list[tuple[float, int]] = field(default_factory=list)
    answer_words: list[tuple[float, int]] = field(default_factory=list)
    ratings: list[tuple[float, int]] = field(default_factory=list)
    agreement: list[tuple[float, int]] = field(default_factory=list)
    sources: list[tuple[str, int]] = field(default_factory=list)
    kinds: list[tuple[str, int]] = field(default_factory=list)
    biases: list[Bias] = field(default_factory=list)
    """The first shown; the longer answer, all votes and by how much longer it is."""


# Words by steps of a third of a power of two; ratings by halves; agreement by tenths.
_BINS = {
    "request_words": ("words", "CASE WHEN words > 0 THEN floor(log2(words) * 2) ELSE -1 END"),
    "answer_words": ("answer_words", "CASE WHEN answer_words >= 1 THEN floor(log2(answer_words) * 2) ELSE -1 END"),
    "ratings": ("rating", "round(rating * 2) / 2"),
    "agreement": ("agreement", "round(agreement * 10) / 10"),
}
_APART = ((1, 10), (11, 30), (31, 100), (101, None))
"""Words by which one answer is longer."""


def read_shape(catalogue: Catalogue, slice: Slice) -> Shape:
    """The figures of a slice."""
    where, values = find_where(catalogue, slice)
    parts = [
        f"SELECT '{name}' AS part, NULL::VARCHAR AS label, {edge}::DOUBLE AS edge, count(*) AS n FROM chosen "
        f"WHERE {column} IS NOT NULL GROUP BY edge"
        for name, (column, edge) in _BINS.items()
    ]
    parts.append("SELECT 'sources', source, NULL, count(*) FROM chosen GROUP BY source")
    parts.append("SELECT 'kinds', kind, NULL, count(*) FROM (SELECT unnest(kinds) AS kind FROM chosen) GROUP BY kind")
    found = catalogue.ask(
        "WITH chosen AS MATERIALIZED (SELECT words, answer_words, rating, agreement, source, kinds FROM examples "
        f"WHERE {where}) {' UNION ALL '.join(parts)} ORDER BY part, edge, n DESC, label",
        values,
    )
    shape: dict[str, list[Any]] = {name: [] for name in (*_BINS, "sources", "kinds")}
    for part, label, edge, n in found.iter_rows():
        is_words = part in ("request_words", "answer_words")
        key = label if edge is None else (0.0 if edge < 0 else 2 ** (edge / 2)) if is_words else edge
        shape[part].append((key, n))
    return Shape(**shape, biases=_read_biases(catalogue, where, values))


def _read_biases(catalogue: Catalogue, where: str, values: list[Any]) -> list[Bias]:
    counts = ["count(picked_first)", "count(*) FILTER (WHERE picked_first)"]
    names = ["shown first"]
    for name, condition in [("longer", "TRUE")] + [_write_range(*ends) for ends in _APART]:
        names.append(name)
        counts.append(f"count(picked_longer) FILTER (WHERE {condition})")
        counts.append(f"count(*) FILTER (WHERE picked_longer AND {condition})")
    only = "" if where == "TRUE" else f"SEMI JOIN (SELECT example_id FROM examples WHERE {where}) USING (example_id)"
    found = catalogue.ask(
        f"SELECT {', '.join(f'{count} AS c{n}' for n, count in enumerate(counts))} FROM judgements {only} "
        "WHERE purpose IS NULL AND NOT is_adjudication AND verdict IN ('a', 'b')",
        values if only else [],
    ).row(0)
    return [
        Bias(name, found[2 * place + 1], found[2 * place], *measure_share(found[2 * place + 1], found[2 * place]))
        for place, name in enumerate(names)
    ]


def _write_range(low: int, high: int | None) -> tuple[str, str]:
    if high is None:
        return f"longer by more than {low - 1} words", f"words_apart >= {low}"
    return f"longer by {low} to {high} words", f"words_apart BETWEEN {low} AND {high}"
