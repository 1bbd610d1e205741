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
    table = table.unique(["unit", "rater"], keep="last", maintain_order=True)
    codes, names = {}, {}
    for column in ("unit", "rater", "value"):
        names[column] = table[column].unique().sort()
        # Ranks of strings are far slower than a join on the few (or many) different ones.
        places = pl.DataFrame({column: names[column], "place": np.arange(len(names[column]), dtype=np.int64)})
        joined = table.select(column).join(places, on=column, how="left", maintain_order="left")
        codes[column] = joined["place"].to_numpy().astype(np.int64)
    values = names["value"]
    return Coded(
        codes["unit"], codes["rater"], codes["value"], table["row"].to_numpy().astype(np.int64),
        names["unit"], names["rater"], values,
        values.cast(pl.Float64).to_numpy().astype(np.float64) if values.dtype.is_numeric() else None,
    )  # fmt: skip
