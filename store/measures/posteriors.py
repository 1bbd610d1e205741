"""What each unit of a question probably is, given how every rater answered everywhere: Dawid-Skene as a strategy.

One fit serves a whole question. Where raters have few labels (a median below 10) each gets one chance of being right
instead of a table of errors; where there is no model at all the majority stands, and the reason is said. What raters
say who share no unit with anybody stands as well. Ratings are sorted first, so neither their order nor that of raters
changes a digit.

Of numbers the expected value is the consensus (the mean of the values by their probabilities, which has the least
squared error), of anything else the most probable value; where two are equally probable there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pitchpipe.store.measures.coding import code_ratings
from pitchpipe.store.measures.consensus import (
    DAWID_SKENE,
    CompareConsensus,
    Consensus,
    average_strength,
    measure_support,
)
from pitchpipe.store.measures.dawid_skene import FEWEST_RATINGS, fit_dawid_skene
from pitchpipe.store.measures.patterns import Floats
from pitchpipe.store.records import Verdict

ONE_COIN = "one_coin"
_DIGITS = 6
_SAME = 10.0**-_DIGITS
Value = int | float | str
Chances = Mapping[Value, float]
"""By value its probability; together 1."""


@dataclass(frozen=True, slots=True)
class Posteriors:
    """The probabilities of every unit of a question."""

    strategy: str
    """What was fitted: dawid_skene, one_coin, or majority where there is no model."""
    undefined_because: str | None
    """Why there is no model, in words."""
    values: list[Value]
    chances: Floats
    """Units by values."""
    places: dict[str, int]

    @property
    def is_scale(self) -> bool:
        """Whether the values are numbers; true of no values."""
        return not any(isinstance(value, str) for value in self.values)

    def find(self, unit: str) -> dict[Value, float] | None:
        """The probabilities of a unit, rounded to six digits; None where it was not fitted."""
        place = self.places.get(unit)
        if place is None:
            return None
        return {
            value: round(float(chance), _DIGITS) for value, chance in zip(self.values, self.chances[place], strict=True)
        }


def fit_posteriors(ratings: pl.DataFrame) -> Posteriors:
    """The probabilities of every unit.

    Args:
        ratings: columns `unit`, `rater`, `value`; of a rater's repeats on a unit the later row counts.

    >>> rows = [(f"u{n}", f"r{k}", n % 2 if k < 3 else 0) for n in range(20) for k in range(4)]
    >>> found = fit_posteriors(pl.DataFrame(rows, ["unit", "rater", "value"], orient="row"))
    >>> found.strategy, found.find("u1")[1] > 0.95
    ('dawid_skene', True)
    """
    nothing: Floats = np.empty((0, 0))
    if ratings.is_empty():
        return Posteriors("majority", "nobody has judged", [], nothing, {})
    latest = _keep_linked(ratings.unique(["unit", "rater"], keep="last", maintain_order=True))
    if latest.is_empty():
        return Posteriors("majority", "no two raters judged the same", [], nothing, {})
    coded = code_ratings(latest.sort("unit", "rater"))
    is_one_coin = bool(np.median(np.bincount(coded.rater)) < FEWEST_RATINGS)
    model = fit_dawid_skene(coded, is_one_coin=is_one_coin)
    if isinstance(model, str):
        return Posteriors("majority", model, [], nothing, {})
    places = {str(unit): place for place, unit in enumerate(coded.units.to_list())}
    return Posteriors(
        ONE_COIN if is_one_coin else DAWID_SKENE, None, coded.values.to_list(), model.posterior, places
    )  # fmt: skip


def _keep_linked(latest: pl.DataFrame) -> pl.DataFrame:
    """The ratings of raters who share a unit with somebody.

    Of one whom nobody can be compared with, no errors can be known: a rater who rightly always says the same looks to
    the model like one who says it whatever is true, and it would turn their words into their opposite.
    """
    shared = latest.filter(pl.len().over("unit") > 1)
    return latest.join(shared.select("rater").unique(), on="rater", how="semi")


def expect_number(values: Sequence[float], chances: Chances, strategy: str = DAWID_SKENE) -> Consensus:
    """The expected value; its support is the share of ratings within half a step, as of any strategy.

    Worked: 0.25 * 3 + 0.75 * 4 = 3.75, and two of the three ratings lie within half a step of it.

    >>> expect_number([4, 4, 3], {3: 0.25, 4: 0.75}).value
    3.75
    """
    value = round(sum(float(number) * chance for number, chance in chances.items()), _DIGITS)
    return Consensus(
        value, measure_support(values, value), len(values), strategy, spread=max(values) - min(values)
    )  # fmt: skip


def choose_value(values: Sequence[Any], chances: Chances, strategy: str = DAWID_SKENE) -> Consensus:
    """The most probable value; None, and tied, where several are. Support is the share of raters who gave it.

    >>> choose_value(["x", "y", "y"], {"x": 0.9, "y": 0.1})
    ... # doctest: +ELLIPSIS
    Consensus(value='x', support=0.333..., n=3, strategy='dawid_skene', is_tied=False, is_disputed=False, spread=None)
    """
    top = max(chances.values())
    first = sorted((value for value, chance in chances.items() if top - chance <= _SAME), key=str)
    support = max(sum(given == value for given in values) for value in first) / len(values)
    is_tied = len(first) > 1
    return Consensus(None if is_tied else first[0], support, len(values), strategy, is_tied=is_tied)


def choose_verdict(
    verdicts: Sequence[str], strengths: Sequence[int | None] | None, chances: Chances
) -> CompareConsensus:
    """The most probable verdict with the mean strength; equally probable ones are a tie, flagged, never a choice.

    >>> choose_verdict(["a", "b"], None, {"a": 0.5, "b": 0.5}).verdict
    'tie'
    """
    found = choose_value(verdicts, chances)
    verdict = Verdict.TIE.value if found.is_tied else str(found.value)
    support = sum(given == verdict for given in verdicts) / len(verdicts)
    return CompareConsensus(verdict, average_strength(verdicts, strengths), support, len(verdicts), found.is_tied)
