"""How one rater judges: agreement with the rest, pairs of raters, and shares with honest intervals.

Pure mathematics on coded ratings; knows nothing of the database. What cannot be computed is None with a reason.

Sources:
    Vanbelle & Albert, "Agreement between an isolated rater and a group of raters", Statistica Neerlandica 63 (2009):
    the rater is compared with each of the others, and chance comes from the rater's own and the others' habits.
    Cohen, "Weighted kappa" (1968), with squared distances, for ordinal values.
    Wilson, "Probable inference, the law of succession, and statistical inference" (1927), for shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pitchpipe.store.measures.coding import Coded
from pitchpipe.store.measures.patterns import Floats
from pitchpipe.store.measures.preference import measure_share

_ONE_STEP = 1.0
_MOST_VALUES = 64
"""More different values than that (sets of labels, say) leave the chance correction out: the table would not fit."""
FEWEST_SHARED = 10
"""Units that two raters must share before they are compared as a pair."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95% Wilson interval. `hits` may have halves."""

    hits: float
    total: int
    share: float | None
    low: float | None
    high: float | None
    undefined_because: str | None = None
    """Why there is no share; None where there is one."""


@dataclass(frozen=True, slots=True)
class RestAgreement:
    """How one rater agrees with everybody else on the units that they share (leave-one-out)."""

    rater: str
    exact: Share
    """Of the others' ratings the share that is the same, averaged over units."""
    near: Share | None
    """The same within one step of the scale; None for values that are no numbers."""
    kappa: float | None
    """Beyond chance: 1 is perfect, 0 what the rater's own habits would bring blindly, below 0 worse."""
    undefined_because: str | None
    """Why kappa is None."""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two raters on the units that both judged."""

    first: str
    second: str
    units: int
    exact: float
    """Share of units with the same value, 0 to 1."""
    difference: float | None
    """Mean of the first's value minus the second's, in steps; None for values that are no numbers."""


def make_share(hits: float, total: int, nothing_because: str) -> Share:
    """The share of `hits` in `total`, or why there is none.

    Worked: 9 of 10, z = 1.96: centre (0.9 + 3.84/20) / (1 + 3.84/10) = 0.789, half width 0.194: 0.596 to 0.982.

    >>> share = make_share(9, 10, "nothing was judged")
    >>> round(share.low, 3), round(share.high, 3)
    (0.596, 0.982)
    """
    share, low, high = measure_share(hits, total)
    return Share(hits, total, share, low, high, None if total else nothing_because)


def compare_with_rest(coded: Coded, is_ordinal: bool) -> tuple[list[RestAgreement], Floats]:
    """Every rater against the rest, and for each entry the share of the others who gave the same value.

    A unit that nobody else judged says nothing: its entry is NaN. Chance for a rater is the disagreement of their own
    distribution of values with that of the others on the same units, so that one who always gives the same value gets
    a kappa of 0, however often that value is right.

    Worked: u1 ana 1, ben 1; u2 ana 0, ben 1. Ana agrees on 1 of 2 units. Her values are half 1, half 0, Ben's all 1:
    expected agreement 0.5 * 1 + 0.5 * 0 = 0.5, so kappa = 1 - (1 - 0.5) / (1 - 0.5) = 0.

    >>> import polars as pl
    >>> from pitchpipe.store.measures.coding import code_ratings
    >>> rows = {"unit": ["u1", "u1", "u2", "u2"], "rater": ["ana", "ben"] * 2, "value": [1, 1, 0, 1]}
    >>> found, _ = compare_with_rest(code_ratings(pl.DataFrame(rows)), is_ordinal=False)
    >>> found[0].exact.share, found[0].kappa
    (0.5, 0.0)
    """
    counts = coded.count()
    others = counts.sum(axis=1)[coded.unit] - 1.0
    shared = others > 0
    with np.errstate(invalid="ignore"):
        exact = np.where(shared, (counts[coded.unit, coded.code] - 1) / others, np.nan)
    near = _match_nearly(coded, counts, others) if is_ordinal and coded.scale is not None else None
    observed, expected = _measure_disagreement(coded, counts, others, exact, is_ordinal)
    kinds = len(coded.raters)
    units = np.bincount(coded.rater[shared], minlength=kinds)
    hits = np.bincount(coded.rater[shared], exact[shared], kinds)
    near_hits = None if near is None else np.bincount(coded.rater[shared], near[shared], kinds)
    found = []
    for place, name in enumerate(coded.raters.to_list()):
        total, because = int(units[place]), "nobody else judged the same"
        kappa, undefined_because = _correct(observed[place], expected[place], total)
        found.append(
            RestAgreement(
                str(name), make_share(float(hits[place]), total, because),
                None if near_hits is None else make_share(float(near_hits[place]), total, because),
                kappa, undefined_because,
            )
        )  # fmt: skip
    return found, exact


def _match_nearly(coded: Coded, counts: np.ndarray, others: Floats) -> Floats:
    """For each entry the share of the others within one step of its value; the entry itself is not an other."""
    assert coded.scale is not None
    matched = np.zeros(len(coded.code))
    for place, number in enumerate(coded.scale):
        is_near = np.abs(coded.scale - number) <= _ONE_STEP
        matched += counts[coded.unit, place] * is_near[coded.code]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(others > 0, (matched - 1) / others, np.nan)


def _measure_disagreement(
    coded: Coded, counts: np.ndarray, others: Floats, exact: Floats, is_ordinal: bool
) -> tuple[Floats, Floats]:
    """Observed and expected disagreement of each rater with the rest; NaN where there is too much to count."""
    kinds, shared = len(coded.raters), others > 0
    rater, code, rest = coded.rater[shared], coded.code[shared], others[shared]
    units = np.maximum(np.bincount(rater, minlength=kinds), 1)
    if is_ordinal and coded.scale is not None:
        sums = counts @ coded.scale
        squares = counts @ coded.scale**2
        own = coded.scale[code]
        rest_mean = (sums[coded.unit[shared]] - own) / rest
        rest_square = (squares[coded.unit[shared]] - own**2) / rest

        def mean(numbers: Floats) -> Floats:
            return np.asarray(np.bincount(rater, numbers, kinds) / units, dtype=np.float64)

        expected = mean(own**2) + mean(rest_square) - 2 * mean(own) * mean(rest_mean)
        return mean(own**2 - 2 * own * rest_mean + rest_square), expected
    observed = 1 - np.bincount(rater, exact[shared], kinds) / units
    if len(coded.values) > _MOST_VALUES:
        return observed, np.full(kinds, np.nan)
    agreed = np.zeros(kinds)
    for place in range(len(coded.values)):
        is_own = code == place
        given = np.bincount(rater, (counts[coded.unit[shared], place] - is_own) / rest, kinds)
        agreed += np.bincount(rater, is_own, kinds) / units * (given / units)
    return observed, 1 - agreed


def _correct(observed: float, expected: float, units: int) -> tuple[float | None, str | None]:
    if not units:
        return None, "nobody else judged the same"
    if np.isnan(expected):
        return None, f"more than {_MOST_VALUES} different values were given"
    if expected < 1e-12:
        return None, "everybody gave the same value, so agreement cannot be told from chance"
    return float(1 - observed / expected), None


def compare_pairs(coded: Coded) -> list[PairAgreement]:
    """Each two raters with at least `FEWEST_SHARED` units in common, those who agree least first.

    >>> import polars as pl
    >>> from pitchpipe.store.measures.coding import code_ratings
    >>> rows = [(f"u{n}", name, n % 2 + (name == "ben")) for n in range(10) for name in ("ana", "ben")]
    >>> compare_pairs(code_ratings(pl.DataFrame(rows, ["unit", "rater", "value"], orient="row")))[0].difference
    -1.0
    """
    order = np.lexsort((coded.rater, coded.unit))
    unit, rater, code = coded.unit[order], coded.rater[order], coded.code[order]
    kinds = len(coded.raters)
    units, same, gap = np.zeros(kinds**2), np.zeros(kinds**2), np.zeros(kinds**2)
    scale = coded.scale if coded.scale is not None else np.zeros(len(coded.values))
    for step in range(1, int(np.bincount(unit).max(initial=1))):
        both = np.flatnonzero(unit[:-step] == unit[step:])
        cell = rater[both] * kinds + rater[both + step]
        units += np.bincount(cell, minlength=kinds**2)
        same += np.bincount(cell, code[both] == code[both + step], kinds**2)
        gap += np.bincount(cell, scale[code[both]] - scale[code[both + step]], kinds**2)
    names = coded.raters.to_list()
    found = [
        PairAgreement(
            str(names[cell // kinds]), str(names[cell % kinds]), int(units[cell]), float(same[cell] / units[cell]),
            None if coded.scale is None else float(gap[cell] / units[cell]),
        )
        for cell in np.flatnonzero(units >= FEWEST_SHARED)
    ]  # fmt: skip
    return sorted(found, key=lambda pair: (pair.exact, pair.first, pair.second))


def describe_lean(left: Share) -> str:
    """Whether somebody leans to the answer on the left, in words; sides are drawn at random, so half is expected.

    >>> describe_lean(make_share(70, 100, ""))
    'Leans left: 70% of decisive picks went to the answer on the left (95%: 60% to 78%).'
    """
    if left.share is None or left.low is None or left.high is None:
        return f"Cannot be told: {left.undefined_because}."
    interval = f"(95%: {left.low:.0%} to {left.high:.0%})"
    if left.low > 0.5:
        return f"Leans left: {left.share:.0%} of decisive picks went to the answer on the left {interval}."
    if left.high < 0.5:
        return f"Leans right: only {left.share:.0%} of decisive picks went to the answer on the left {interval}."
    return f"No lean to be seen: {left.share:.0%} of {left.total:,} decisive picks went left {interval}."
