"""Speed and its trend within a session, and when a queue will be empty: pure, with ranges.

Sources:
    Welch, "The generalization of Student's problem when several different population variances are involved" (1947),
    on logarithms of seconds, which are far closer to a bell than seconds are; the interval uses the normal quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import fmean, stdev

import numpy as np
import polars as pl

from pitchpipe.store.measures.patterns import Floats

_Z = 1.959964
SESSION_GAP_MINUTES = 30
"""A longer pause between two judgements ends a session."""
FEWEST_IN_SESSION = 9
"""Shorter sessions have no thirds to compare."""
_FEWEST_TIMES = 10
_FEWEST_DAYS = 3


@dataclass(frozen=True, slots=True)
class Trend:
    """Seconds in the last third of sessions over those in the first: 0.8 is a fifth faster. With its 95% interval."""

    ratio: float | None
    low: float | None
    high: float | None
    judgements: int
    undefined_because: str | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Days until nothing is left, at the pace of the days given."""

    remaining: int
    per_day: float
    days: float | None
    low: float | None
    high: float | None
    """The range from the 95% interval of the mean pace; `high` is None where the pace may be nothing at all."""
    undefined_because: str | None = None


def mark_sessions(work: pl.DataFrame) -> pl.DataFrame:
    """The rows sorted by rater and time, with `third` (0, 1, 2 or null) and `hour` (0 is the first hour of a session).

    Args:
        work: columns `rater` and `at` (datetime), and whatever else is carried along.

    >>> from datetime import datetime, timedelta
    >>> start = datetime(2026, 1, 5, 9)
    >>> at = [start + timedelta(minutes=10 * n) for n in range(9)] + [start + timedelta(hours=9)]
    >>> mark_sessions(pl.DataFrame({"rater": ["ana"] * 10, "at": at}))["third"].to_list()
    [0, 0, 0, 1, 1, 1, 2, 2, 2, None]
    """
    gap = pl.col("at").diff() > pl.duration(minutes=SESSION_GAP_MINUTES)
    is_new = (pl.col("rater") != pl.col("rater").shift()) | gap
    marked = work.sort("rater", "at").with_columns(is_new.fill_null(True).cum_sum().alias("session"))
    place, length = pl.int_range(pl.len()).over("session"), pl.len().over("session")
    return marked.with_columns(
        pl.when(length >= FEWEST_IN_SESSION).then(place * 3 // length).cast(pl.Int64).alias("third"),
        ((pl.col("at") - pl.col("at").first().over("session")).dt.total_minutes() // 60).alias("hour"),
    )


def compare_thirds(first: Sequence[float] | Floats, last: Sequence[float] | Floats) -> Trend:
    """How the time for a judgement changes from the first to the last third of sessions.

    Args:
        first, last: natural logarithms of seconds, those of each kind of task around that kind's own mean.

    Worked: first 0.0 and last -0.2231 on average is exp(-0.2231) = 0.8: a fifth faster.

    >>> round(compare_thirds([0.1, -0.1] * 5, [-0.1231, -0.3231] * 5).ratio, 2)
    0.8
    """
    count = len(first) + len(last)
    if min(len(first), len(last)) < _FEWEST_TIMES:
        because = f"fewer than {_FEWEST_TIMES} timed judgements in a third of sessions"
        return Trend(None, None, None, count, because)
    early, late = np.asarray(first, dtype=np.float64), np.asarray(last, dtype=np.float64)
    change = float(late.mean() - early.mean())
    half = _Z * sqrt(early.var(ddof=1) / len(early) + late.var(ddof=1) / len(late))
    return Trend(exp(change), exp(change - half), exp(change + half), count)


def forecast_end(remaining: int, daily: Sequence[int]) -> Forecast:
    """When the queue is empty if people go on as in the days given, those without work included.

    Worked: 100 left at 20, 25, 15, 20 a day: mean 20, standard error 4.08 / 2 = 2.04, so 5 days, from
    100 / (20 + 1.96 * 2.04) = 4.17 to 100 / (20 - 4.0) = 6.25.

    >>> found = forecast_end(100, [20, 25, 15, 20])
    >>> found.days, round(found.low, 2), round(found.high, 2)
    (5.0, 4.17, 6.25)
    """
    pace = fmean(daily) if daily else 0.0
    if not remaining:
        return Forecast(0, pace, 0.0, 0.0, 0.0)
    if pace == 0:
        return Forecast(remaining, 0.0, None, None, None, "nobody has judged in these days")
    if len(daily) < _FEWEST_DAYS:
        because = f"a range needs {_FEWEST_DAYS} days"
        return Forecast(remaining, pace, remaining / pace, None, None, because)
    half = _Z * stdev(daily) / sqrt(len(daily))
    high = remaining / (pace - half) if pace > half else None
    return Forecast(remaining, pace, remaining / pace, remaining / (pace + half), high)


def describe_trend(trend: Trend) -> str:
    """The trend in words.

    >>> describe_trend(Trend(0.8, 0.7, 0.9, 60))
    'Gets faster: 20% less time in the last third of a session than in the first (95%: 10% to 30%).'
    """
    if trend.ratio is None or trend.low is None or trend.high is None:
        return f"Cannot be told: {trend.undefined_because}."
    if trend.high < 1:
        words = f"Gets faster: {1 - trend.ratio:.0%} less time in the last third of a session than in the first"
        return f"{words} (95%: {1 - trend.high:.0%} to {1 - trend.low:.0%})."
    if trend.low > 1:
        words = f"Gets slower: {trend.ratio - 1:.0%} more time in the last third of a session than in the first"
        return f"{words} (95%: {trend.low - 1:.0%} to {trend.high - 1:.0%})."
    interval = f"(95%: {trend.low - 1:+.0%} to {trend.high - 1:+.0%})"
    return f"Keeps the pace: {trend.ratio - 1:+.0%} time in the last third of a session {interval}."


def describe_forecast(forecast: Forecast) -> str:
    """The forecast in words.

    >>> describe_forecast(forecast_end(100, [20, 25, 15, 20]))
    '100 judgements are left. At 20 a day the queue is empty in about 5 days (range 5 to 7).'
    """
    if not forecast.remaining:
        return "Nothing is left to judge."
    left = f"{forecast.remaining:,} judgement{'s are' if forecast.remaining > 1 else ' is'} left"
    if forecast.days is None:
        return f"{left}. No end can be told: {forecast.undefined_because}."
    words = f"{left}. At {forecast.per_day:,.3g} a day the queue is empty in {_count_days(forecast.days)}"
    if forecast.low is None:
        return f"{words}; {forecast.undefined_because}."
    if forecast.high is None:
        return f"{words} (at best {_round_up(forecast.low)}; the pace swings too much to say how late)."
    low, high = _round_up(forecast.low), _round_up(forecast.high)
    return f"{words}." if low == high else f"{words} (range {low} to {high})."


def _round_up(days: float) -> str:
    return f"{int(-(-days // 1)):,}"


def _count_days(days: float) -> str:
    return "less than a day" if days < 1 else f"about {_round_up(days)} day{'s' if days > 1 else ''}"
