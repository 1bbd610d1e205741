"""Ratings counted into patterns: how often each value was given to a unit, and how many units show the same counts.

Agreement depends on nothing else, so a million ratings on a five-point scale shrink to a few dozen patterns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Patterns:
    """Ratings as patterns: entry e says that units of pattern `pattern[e]` got value `value[e]` `count[e]` times."""

    frequency: Integers
    """How many units show each pattern."""
    size: Floats
    """Ratings in a unit of each pattern."""
    pattern: Integers
    value: Integers
    count: Floats
    scale: Floats
    """The number behind each value; positions for nominal values."""


def number_things(column: pl.Series) -> Integers | npt.NDArray[np.uint64]:
    """A number for each entry of a column, the same exactly where entries are; numbers stand for themselves.

    >>> number_things(pl.Series(["x", "y", "x"])).tolist()[::2]
    [0, 0]
    """
    if column.dtype.is_integer():
        return column.to_numpy()
    # Positions in order of appearance: far cheaper than to sort texts.
    places = column.unique(maintain_order=True)
    if column.dtype == pl.String:
        codes = pl.DataFrame({"name": places, "place": np.arange(len(places), dtype=np.int64)})
        joined = column.alias("name").to_frame().join(codes, on="name", how="left", maintain_order="left")
        return joined["place"].to_numpy()
    return column.rank("dense").to_numpy().astype(np.int64)


def _encode_values(values: pl.Series) -> tuple[Integers, Floats]:
    """Values as positions among the sorted different ones, and the number behind each."""
    different = values.unique().sort()
    if different.dtype.is_numeric():
        scale = different.cast(pl.Float64).to_numpy()
        return np.searchsorted(scale, values.cast(pl.Float64).to_numpy()).astype(np.int64), scale
    places = pl.DataFrame({"value": different, "place": np.arange(len(different), dtype=np.int64)})
    joined = values.alias("value").to_frame().join(places, on="value", how="left", maintain_order="left")
    return joined["place"].to_numpy().astype(np.int64), np.arange(len(different), dtype=np.float64)


def count_patterns(table: pl.DataFrame) -> Patterns:
    """The patterns of a table with the columns `unit` and `value`, one row a rating.

    Each value gets a random number of 64 bits and each unit the sum of those of its ratings, so units with equal sums
    show one pattern. That two of a million different patterns meet has a chance of 3 in 100 million.
    """
    code, scale = _encode_values(table["value"])
    unit = number_things(table["unit"])
    order = np.argsort(unit)
    code, unit = code[order], unit[order]
    starts = np.flatnonzero(np.concatenate([[True], unit[1:] != unit[:-1]])) if len(unit) else np.empty(0, np.int64)
    sizes = np.diff(np.concatenate([starts, [len(unit)]]))
    marks = np.random.default_rng(0).integers(0, 2**64, len(scale), dtype=np.uint64)
    sums = np.add.reduceat(marks[code], starts) if len(unit) else np.empty(0, np.uint64)
    _, first, frequency = np.unique(sums, return_index=True, return_counts=True)
    # One unit of each pattern stands for all.
    held = sizes[first]
    within = np.arange(held.sum()) - np.repeat(np.cumsum(held) - held, held)
    entries = np.repeat(starts[first], held) + within
    cells, count = np.unique(np.repeat(np.arange(len(first)), held) * len(scale) + code[entries], return_counts=True)
    return _sort_patterns(cells // max(1, len(scale)), cells % max(1, len(scale)), count, frequency, scale)


def _sort_patterns(
    pattern: Integers, value: Integers, count: Integers, frequency: Integers, scale: Floats
) -> Patterns:  # fmt: skip
    """The patterns in an order of their own, so that the bootstrap draws the same whatever the order of rows was."""
    listed = (
        pl.DataFrame({"pattern": pattern, "code": value, "count": count.astype(np.int64)})
        .group_by("pattern", maintain_order=True)
        .agg("code", "count")
        .with_columns(frequency=frequency[np.unique(pattern)])
        .sort("frequency", "code", "count", descending=[True, False, False])
    )
    lengths = listed["code"].list.len().to_numpy().astype(np.int64)
    places = np.repeat(np.arange(listed.height, dtype=np.int64), lengths)
    values = listed["code"].explode(empty_as_null=False).to_numpy().astype(np.int64)
    counts = listed["count"].explode(empty_as_null=False).to_numpy().astype(np.float64)
    size = np.bincount(places, counts, listed.height).astype(np.float64)
    return Patterns(listed["frequency"].to_numpy().astype(np.int64), size, places, values, counts, scale)


def keep_pairable(patterns: Patterns) -> Patterns:
    """Only the patterns of two and more ratings: a lone rating pairs with nothing."""
    keep = patterns.size >= 2
    places = np.cumsum(keep) - 1
    entries = keep[patterns.pattern]
    return Patterns(
        patterns.frequency[keep],
        patterns.size[keep],
        places[patterns.pattern[entries]],
        patterns.value[entries],
        patterns.count[entries],
        patterns.scale,
    )


def sum_squares(patterns: Patterns) -> Floats:
    """For each pattern the sum of squared value counts: ordered pairs of equal ratings, each rating with itself too."""
    return np.bincount(patterns.pattern, patterns.count**2, len(patterns.size)).astype(np.float64)
