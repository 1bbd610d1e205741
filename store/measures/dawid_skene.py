"""What each item probably is, and how good each rater is, found together from nothing but the ratings.

Expectation maximisation on the model that every rater has a table of how they answer for each true value. Starts from
the shares of votes, counts each answer as seen once more in every cell (Laplace), which keeps raters of few labels
from looking perfect or hopeless, and ends when the log-likelihood moves by less than `tolerance` of itself.

Sources:
    Dawid & Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
    Applied Statistics 28 (1979), pages 20-28.
    Paun et al., "Comparing Bayesian models of annotation", TACL 6 (2018), for smoothing with a Dirichlet prior, and for
    how pooled models of fewer numbers fare better where raters have few labels.
The library crowd-kit 1.4.2 was tried in its place: docs/dependencies.md says why it was not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pitchpipe.store.measures.coding import Coded
from pitchpipe.store.measures.patterns import Floats

FEWEST_RATINGS = 10
"""Below so many ratings a rater's quality is not told: their table has more cells than ratings."""
_MOST_VALUES = 64


@dataclass(frozen=True, slots=True)
class Quality:
    """One rater under the model."""

    rater: str
    ratings: int
    accuracy: float | None
    """The chance that an answer of theirs is the true value, 0 to 1, all values at their usual frequency."""
    undefined_because: str | None


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """The fitted model; everything is in the order of the coded ratings it came from."""

    posterior: Floats
    """Units by values: the probability that the unit truly is the value. Rows sum to 1."""
    confusion: Floats
    """Raters by true values by given values: how often each value is given where another is true."""
    prior: Floats
    """How frequent each value is."""
    qualities: list[Quality]
    iterations: int


def fit_dawid_skene(
    coded: Coded,
    iterations: int = 100,
    tolerance: float = 1e-5,
    smoothing: float = 1.0,
    *,
    is_one_coin: bool = False,
) -> DawidSkene | str:
    """The model, or in words why there is none.

    Args:
        is_one_coin: gives each rater one chance of being right instead of a table, and a wrong answer is any of the
            other values alike. It needs far fewer ratings of a rater.

    >>> import polars as pl
    >>> from pitchpipe.store.measures.coding import code_ratings
    >>> rows = [(f"u{n}", f"r{k}", n % 2 if k < 3 else 0) for n in range(20) for k in range(4)]
    >>> model = fit_dawid_skene(code_ratings(pl.DataFrame(rows, ["unit", "rater", "value"], orient="row")))
    >>> [round(quality.accuracy, 2) for quality in model.qualities]
    [0.92, 0.92, 0.92, 0.5]
    """
    kinds = len(coded.values)
    if kinds < 2:
        return "every rating is the same value" if kinds else "nobody has judged"
    if kinds > _MOST_VALUES:
        return f"more than {_MOST_VALUES} different values were given"
    counts = coded.count()
    if int(counts.sum(axis=1).max()) < 2:
        return "nothing was judged by two"
    count_confusion = _count_coin if is_one_coin else _count_confusion
    posterior: Floats = counts / counts.sum(axis=1, keepdims=True)
    before, done = -np.inf, 0
    while done < iterations:
        done += 1
        prior = (posterior.sum(axis=0) + smoothing) / (len(posterior) + smoothing * kinds)
        confusion = count_confusion(coded, posterior, smoothing)
        posterior, likelihood = _weigh_values(coded, prior, confusion)
        if abs(likelihood - before) <= tolerance * abs(likelihood):
            break
        before = likelihood
    diagonals = np.diagonal(confusion, axis1=1, axis2=2) @ prior
    ratings = np.bincount(coded.rater, minlength=len(coded.raters))
    qualities = [
        _tell_quality(str(name), int(ratings[place]), float(diagonals[place]))
        for place, name in enumerate(coded.raters.to_list())
    ]
    return DawidSkene(posterior, confusion, prior, qualities, done)


def _tell_quality(rater: str, ratings: int, accuracy: float) -> Quality:
    if ratings < FEWEST_RATINGS:
        return Quality(rater, ratings, None, f"fewer than {FEWEST_RATINGS} ratings")
    return Quality(rater, ratings, accuracy, None)


def _count_confusion(coded: Coded, posterior: Floats, smoothing: float) -> Floats:
    """Each rater's table: expected counts of given values for each true value, as shares."""
    kinds, raters = len(coded.values), len(coded.raters)
    table = np.full((raters, kinds, kinds), smoothing)
    cell = coded.rater * kinds + coded.code
    for true in range(kinds):
        table[:, true, :] += np.bincount(cell, posterior[coded.unit, true], raters * kinds).reshape(raters, kinds)
    return np.asarray(table / table.sum(axis=2, keepdims=True), dtype=np.float64)


def _count_coin(coded: Coded, posterior: Floats, smoothing: float) -> Floats:
    """Each rater's table from their one chance of being right; each value counts as seen once more, as in a table."""
    kinds, raters = len(coded.values), len(coded.raters)
    hits = np.bincount(coded.rater, posterior[coded.unit, coded.code], raters) + smoothing
    right = hits / (np.bincount(coded.rater, minlength=raters) + smoothing * kinds)
    table = np.repeat(((1 - right) / (kinds - 1))[:, None, None], kinds, axis=1).repeat(kinds, axis=2)
    table[:, np.arange(kinds), np.arange(kinds)] = right[:, None]
    return np.asarray(table, dtype=np.float64)


def _weigh_values(coded: Coded, prior: Floats, confusion: Floats) -> tuple[Floats, float]:
    """The posterior of every unit, in logarithms until the end, and the log-likelihood of all ratings."""
    units = len(coded.units)
    logs = np.log(confusion)
    weights = np.empty((units, len(prior)))
    for true in range(len(prior)):
        weights[:, true] = np.log(prior[true]) + np.bincount(coded.unit, logs[coded.rater, true, coded.code], units)
    top = weights.max(axis=1, keepdims=True)
    weights = np.exp(weights - top)
    sums = weights.sum(axis=1, keepdims=True)
    return weights / sums, float((top + np.log(sums)).sum())
