"""How often one of two arms is preferred, with honest intervals: pure, by prompt, ties as half.

Source: Miller 2024, "Adding error bars to evals" (arXiv 2411.00640), for resampling by prompt; Wilson 1927 for shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt
from random import Random


@dataclass(frozen=True, slots=True)
class WinRate:
    """Share of prompts won, ties as half. `low` and `high` bound it at 95%; all None without a judged prompt."""

    prompts: int
    wins: int
    losses: int
    ties: int
    rate: float | None
    low: float | None
    high: float | None
    sign_test_p: float | None
    """Two-sided exact sign test on the decisive prompts."""
    detectable: float | None
    """The smallest true win rate above one half that this many prompts find with 80% power (normal approximation)."""


def measure_win_rate(scores: Sequence[float], resamples: int = 2000, seed: int = 0) -> WinRate:
    """The win rate over prompts.

    Args:
        scores: one a prompt: 1 won, 0 lost, 0.5 tied, or the mean over its raters.

    >>> measure_win_rate([1, 1, 0.5, 0]).rate
    0.625
    """
    count = len(scores)
    if count == 0:
        return WinRate(0, 0, 0, 0, None, None, None, None, None)
    wins = sum(score > 0.5 for score in scores)
    losses = sum(score < 0.5 for score in scores)
    chance = Random(seed)
    means = sorted(sum(chance.choices(scores, k=count)) / count for _ in range(resamples))
    rate = sum(scores) / count
    # The bootstrap of few or equal outcomes has no width (3 wins of 3 would be "1 to 1"), so the Wilson interval of the
    # same rate bounds it from below.
    _, wilson_low, wilson_high = measure_share(rate * count, count)
    low = min(means[int(0.025 * resamples)], wilson_low or 0.0)
    high = max(means[int(0.975 * resamples) - 1], wilson_high or 1.0)
    detectable = min(1.0, 0.5 + (1.96 + 0.84) * 0.5 / sqrt(count))
    return WinRate(count, wins, losses, count - wins - losses, rate, low, high, sign_test(wins, losses), detectable)


def sign_test(wins: int, losses: int) -> float:
    """The two-sided exact p-value that wins and losses are equally likely; 1.0 when there are none.

    Worked: 5 wins of 5: 2 * (1/2)^5 = 0.0625.

    >>> sign_test(5, 0)
    0.0625
    """
    decisive = wins + losses
    tail = sum(comb(decisive, k) for k in range(max(wins, losses), decisive + 1)) / 2**decisive
    return float(min(1.0, 2 * tail))


def measure_share(hits: float, total: int) -> tuple[float | None, float | None, float | None]:
    """A share with its 95% Wilson interval; three Nones of nothing. `hits` may count ties as halves.

    >>> [round(value, 3) for value in measure_share(5, 10)]
    [0.5, 0.237, 0.763]
    """
    if total == 0:
        return None, None, None
    z = 1.959964
    share = hits / total
    scale = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return share, max(0.0, centre - half), min(1.0, centre + half)
