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


def _encode_values(table: pl.DataFrame) -> tuple[pl.DataFrame, Floats]:
    """Units and values as positions, and the scale of the sorted values."""
    values = table["value"].unique().sort()
    codes = pl.DataFrame({"value": values, "code": np.arange(len(values), dtype=np.int64)})
    coded = table.join(codes, on="value").select(pl.col("unit"), "code")
    numeric = values.dtype.is_numeric()
    scale: Floats = np.arange(len(values), dtype=np.float64)
    if numeric:
        scale = values.cast(pl.Float64).to_numpy()
    return coded, scale


def count_patterns(table: pl.DataFrame) -> Patterns:
    """The patterns of a table with the columns `unit` and `value`, one row a rating."""
    coded, scale = _encode_values(table)
    by_unit = (
        coded.group_by("unit", "code")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .sort("code")
        .group_by("unit", maintain_order=True)
        .agg("code", "count")
    )
    distinct = by_unit.group_by("code", "count").agg(pl.len().cast(pl.Int64).alias("frequency"))
    # Sorted, so that the bootstrap draws the same whatever the order of the rows was.
    distinct = distinct.sort("frequency", "code", "count", descending=[True, False, False])
    lengths = distinct["code"].list.len().to_numpy().astype(np.int64)
    pattern = np.repeat(np.arange(distinct.height, dtype=np.int64), lengths)
    value = distinct["code"].explode(empty_as_null=False).to_numpy().astype(np.int64)
    count = distinct["count"].explode(empty_as_null=False).to_numpy().astype(np.float64)
    size = np.bincount(pattern, count, distinct.height).astype(np.float64)
    return Patterns(distinct["frequency"].to_numpy().astype(np.int64), size, pattern, value, count, scale)


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
