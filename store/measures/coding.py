"""A table of ratings as whole numbers: what the measures of raters compute on, a million ratings in a moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pitchpipe.store.measures.patterns import Floats, Integers


@dataclass(frozen=True, slots=True)
class Coded:
    """Ratings as positions: entry e says that rater `rater[e]` gave unit `unit[e]` the value `code[e]`."""

    unit: Integers
    rater: Integers
    code: Integers
    row: Integers
    """The row of the table that each entry came from."""
    units: pl.Series
    raters: pl.Series
    values: pl.Series
    """What the positions stand for, each sorted."""
    scale: Floats | None
    """The number behind each value; None where values are no numbers."""

    def count(self) -> Integers:
        """How often each unit got each value: a matrix of units by values."""
        cells = np.bincount(self.unit * len(self.values) + self.code, minlength=len(self.units) * len(self.values))
        return cells.reshape(len(self.units), len(self.values)).astype(np.int64)


def code_ratings(ratings: pl.DataFrame) -> Coded:
    """The ratings of a frame with the columns `unit`, `rater` and `value`; of repeats the later row counts.

    >>> table = pl.DataFrame({"unit": ["u", "u"], "rater": ["ben", "ana"], "value": [3, 1]})
    >>> code_ratings(table).rater.tolist(), code_ratings(table).scale.tolist()
    ([1, 0], [1.0, 3.0])
    """
    table = ratings.select("unit", "rater", "value").with_row_index("row").drop_nulls()
    (unit, units), (rater, raters), (code, values) = (_code(table[name]) for name in ("unit", "rater", "value"))
    # The first of the reversed rows is the last.
    _, latest = np.unique((unit * len(raters) + rater)[::-1], return_index=True)
    kept = slice(None) if len(latest) == len(unit) else np.sort(len(unit) - 1 - latest)
    return Coded(
        unit[kept], rater[kept], code[kept], table["row"].to_numpy().astype(np.int64)[kept], units, raters, values,
        values.cast(pl.Float64).to_numpy().astype(np.float64) if values.dtype.is_numeric() else None,
    )  # fmt: skip


def _code(column: pl.Series) -> tuple[Integers, pl.Series]:
    """The place of each value among the different ones, sorted, and those."""
    different = column.unique().sort()
    if column.dtype.is_integer():
        return np.searchsorted(different.to_numpy(), column.to_numpy()).astype(np.int64), different
    # A search among strings is far slower than a join.
    places = pl.DataFrame({"value": different, "place": np.arange(len(different), dtype=np.int64)})
    joined = column.alias("value").to_frame().join(places, on="value", how="left", maintain_order="left")
    return joined["place"].to_numpy().astype(np.int64), different
