"""How far raters agree beyond chance: Krippendorff's alpha, Gwet's AC1, quadratic kappa and the raw share.

Pure mathematics on a table of ratings; knows nothing of the database. Ratings are first counted into patterns (how
often each value was given to a unit), so that a million ratings cost little more than reading them, and the bootstrap
draws patterns rather than units. Where a measure is undefined it is None and the reason is said, never 0 and never 1.

Sources:
    Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011); Content Analysis, 4th ed. (2018), ch. 12.
    Gwet, Handbook of Inter-Rater Reliability, 4th ed. (2014), ch. 5: AC1 for several raters with missing ratings.
    Cohen, "Weighted kappa" (1968), with squared distances.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from pitchpipe.store.errors import UsageError
from pitchpipe.store.measures.patterns import (
    Floats,
    Patterns,
    count_patterns,
    keep_pairable,
    number_things,
    sum_squares,
)

Level = Literal["nominal", "ordinal", "interval"]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")

_DRAW_BUDGET = 30_000_000
"""Pattern entries that the bootstrap may touch in all, about two seconds; a fine scale gets fewer resamples."""
_FEWEST_RESAMPLES = 100
_MIX, _MIX_RATER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
"""Odd numbers that spread pairs of numbers over 64 bits."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of raters on one question."""

    level: Level
    alpha: float | None
    """Krippendorff's alpha: 1 is perfect, 0 what chance gives, below 0 worse. 0.80 is firm, 0.667 tentative."""
    alpha_low: float | None
    alpha_high: float | None
    """The 95% percentile interval of a bootstrap over units."""
    undefined_because: str | None
    """Why alpha is None, in words; None where it is defined."""
    ac1: float | None
    """Gwet's AC1, which stays sensible where nearly all ratings are the same (values compared as categories)."""
    quadratic_kappa: float | None
    """Only for exactly two raters and numbers."""
    raw_agreement: float | None
    """The share of agreeing pairs of ratings, averaged over pairable units."""
    units: int
    """Units with at least one rating."""
    pairable_units: int
    """Units with at least two ratings; only these say anything about agreement."""
    unanimous: int
    """Pairable units whose ratings are all the same."""
    ratings: int
    raters: int
    resamples: int
    """Bootstrap resamples drawn; 0 where alpha is undefined."""


def measure_agreement(
    ratings: pl.DataFrame | Iterable[tuple[str, str, Any]],
    level: Level = "nominal",
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """The agreement of a table of ratings; the order of rows and the names of raters and units change nothing.

    Args:
        ratings: Columns `unit`, `rater`, `value`, or such tuples; null and NaN values are missing. Where a rater rated
            a unit twice the later row counts.
        level: How values compare: as categories, as ranks, or as numbers on an even scale.
        resamples: Bootstrap resamples; 0 leaves the interval out.
        seed: Of the bootstrap; the same seed gives the same interval.

    Raises:
        UsageError: the level is unknown, or values are not numbers where the level needs them.

    >>> measure_agreement([("u1", "ana", 1), ("u1", "ben", 1), ("u2", "ana", 0), ("u2", "ben", 0)]).alpha
    1.0
    """
    if level not in LEVELS:
        raise UsageError(f"The level {level!r} is unknown.", f"Use one of {', '.join(LEVELS)}.")
    table = _read_ratings(ratings, level)
    patterns = count_patterns(table)
    pairable = keep_pairable(patterns)
    alpha, undefined_because = _measure_alpha(pairable, level)
    drawn = _choose_resamples(resamples, len(pairable.value)) if alpha is not None else 0
    low, high = _bootstrap_alpha(pairable, level, drawn, seed) if drawn else (None, None)
    raw = _measure_raw(pairable)
    return Agreement(
        level=level,
        alpha=alpha,
        alpha_low=low,
        alpha_high=high,
        undefined_because=undefined_because,
        ac1=_measure_ac1(patterns, raw),
        quadratic_kappa=_measure_quadratic_kappa(table) if level != "nominal" else None,
        raw_agreement=raw,
        units=int(patterns.frequency.sum()),
        pairable_units=int(pairable.frequency.sum()),
        unanimous=int(pairable.frequency[sum_squares(pairable) == pairable.size**2].sum()),
        ratings=table.height,
        raters=table["rater"].n_unique(),
        resamples=drawn,
    )


def _read_ratings(ratings: pl.DataFrame | Iterable[tuple[str, str, Any]], level: Level) -> pl.DataFrame:
    """The table without missing values and repeats, values as Float64 where the level needs numbers."""
    if isinstance(ratings, pl.DataFrame):
        table = ratings.select("unit", "rater", "value")
    else:
        columns = list(zip(*ratings, strict=True)) or [(), (), ()]
        names = ("unit", "rater", "value")
        # Not strict, for labels may mix text and numbers in one column.
        table = pl.DataFrame(
            {name: pl.Series(name, list(cells), strict=False) for name, cells in zip(names, columns, strict=True)}
        )
    table = table.drop_nulls()
    dtype = table["value"].dtype
    if level != "nominal" and not dtype.is_numeric() and table.height:
        raise UsageError(
            f"Values such as {table['value'][0]!r} are not numbers, which agreement on the {level} level needs.",
            "Measure them on the nominal level.",
        )
    if level != "nominal":
        table = table.with_columns(pl.col("value").cast(pl.Float64))
    if table["value"].dtype.is_float():
        table = table.filter(pl.col("value").is_finite())
    return _drop_repeats(table)


def _drop_repeats(table: pl.DataFrame) -> pl.DataFrame:
    """Keeps the later row of a rater on a unit. Nearly always there is none to drop, which a hash tells fast."""
    unit, rater = (number_things(table[name]).astype(np.uint64) for name in ("unit", "rater"))
    mixed = np.sort(unit * _MIX + rater * _MIX_RATER)
    if not (mixed[1:] == mixed[:-1]).any():
        return table
    return table.unique(["unit", "rater"], keep="last")


def _choose_resamples(wanted: int, entries: int) -> int:
    return max(0, min(wanted, max(_FEWEST_RESAMPLES, _DRAW_BUDGET // max(1, entries))))


def _measure_raw(patterns: Patterns) -> float | None:
    """The share of agreeing pairs of ratings, averaged over units; None where no unit has two ratings."""
    if not len(patterns.frequency):
        return None
    shares = (sum_squares(patterns) - patterns.size) / (patterns.size * (patterns.size - 1))
    return float(shares @ patterns.frequency / patterns.frequency.sum())


def _measure_alpha(patterns: Patterns, level: Level) -> tuple[float | None, str | None]:
    if not len(patterns.frequency):
        return None, "no unit has two ratings"
    alpha = _compute_alpha(patterns, patterns.frequency.astype(np.float64), level)
    if alpha is None:
        return None, "every rating is the same value, so agreement cannot be told from chance"
    return alpha, None


def _compute_alpha(patterns: Patterns, weights: Floats, level: Level) -> float | None:
    """Alpha = 1 - observed / expected disagreement, of units that show each pattern `weights` times.

    A pair of ratings disagrees by 1 (nominal) or by the squared difference of two numbers. For the interval level these
    are the values; for the ordinal level Krippendorff's distance, the ratings between two values with half of those at
    either end, is the difference of their mid-ranks, so the same formula serves with mid-ranks as the numbers. Both
    sums come without pairs from sum (x - y)^2 = 2 (n sum x^2 - (sum x)^2).

    Returns:
        None where all ratings are one value: nothing could have disagreed.
    """
    totals = np.bincount(
        patterns.value, weights=patterns.count * weights[patterns.pattern], minlength=len(patterns.scale)
    )
    n = totals.sum()
    if np.count_nonzero(totals) < 2:
        return None
    if level == "nominal":
        observed = weights @ ((patterns.size**2 - sum_squares(patterns)) / (patterns.size - 1))
        expected = n**2 - totals @ totals
    else:
        numbers = patterns.scale if level == "interval" else np.cumsum(totals) - totals / 2
        numbers = numbers - (totals @ numbers) / n  # around their mean, which keeps large numbers exact
        given = patterns.count * numbers[patterns.value]
        sums = np.bincount(patterns.pattern, weights=given, minlength=len(patterns.size))
        squares = np.bincount(patterns.pattern, weights=given * numbers[patterns.value], minlength=len(patterns.size))
        observed = weights @ (2 * (patterns.size * squares - sums**2) / (patterns.size - 1))
        expected = 2 * (n * (totals @ numbers**2) - (totals @ numbers) ** 2)
    return float(1 - (n - 1) * observed / expected)


def _bootstrap_alpha(patterns: Patterns, level: Level, resamples: int, seed: int) -> tuple[float | None, float | None]:
    """The 2.5th and 97.5th percentile of alpha over resampled units; expected disagreement is recomputed each time.

    Drawing units with replacement is drawing how often each pattern comes up, a multinomial. A resample in which all
    ratings are one value has no alpha and is left out; where that is half of them there is no interval.
    """
    units = int(patterns.frequency.sum())
    generator = np.random.default_rng(seed)
    chances = patterns.frequency / units
    found = []
    for _ in range(resamples):
        weights = generator.multinomial(units, chances).astype(np.float64)
        alpha = _compute_alpha(patterns, weights, level)
        if alpha is not None:
            found.append(alpha)
    if len(found) * 2 <= resamples:
        return None, None
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _measure_ac1(patterns: Patterns, raw: float | None) -> float | None:
    """(raw - chance) / (1 - chance), chance = sum p(1 - p) / (q - 1) over the q values that occur.

    p is the mean over all rated units, lone ratings included, of the share of a unit's ratings that are the value.
    None where one value occurs or no unit has two ratings.
    """
    used = len(patterns.scale)
    if raw is None or used < 2:
        return None
    shares = patterns.count / patterns.size[patterns.pattern] * patterns.frequency[patterns.pattern]
    p = np.bincount(patterns.value, weights=shares, minlength=used) / patterns.frequency.sum()
    chance = float(p @ (1 - p)) / (used - 1)
    return (raw - chance) / (1 - chance)


def _measure_quadratic_kappa(table: pl.DataFrame) -> float | None:
    """1 - mean squared difference on shared units / the same over all pairs of ratings, for exactly two raters."""
    raters = table["rater"].unique().sort().to_list()
    if len(raters) != 2:
        return None
    first, second = (table.filter(pl.col("rater") == rater).select("unit", "value") for rater in raters)
    both = first.join(second, on="unit", suffix="_second")
    if not both.height:
        return None
    one, other = both["value"].to_numpy(), both["value_second"].to_numpy()
    observed = float(np.mean((one - other) ** 2))
    expected = float(np.var(one) + np.var(other) + (one.mean() - other.mean()) ** 2)
    return None if expected == 0 else 1 - observed / expected
