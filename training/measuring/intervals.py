"""Intervals: how sure a measured number is. Rows of one group move together, so groups are resampled, not rows.

Free of torch; every interval is 95 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

# store/measures/preference.py has this interval too: training may not import measures, and the store has no need of us.
_Z = 1.959963984540054


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The Wilson interval of a share.

    >>> [round(bound, 4) for bound in wilson(20, 24)]
    [0.6415, 0.9332]
    """
    if total == 0:
        return (0.0, 1.0)
    share = hits / total
    centre = share + _Z**2 / (2 * total)
    spread = _Z * sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    scale = 1 + _Z**2 / total
    return (max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def clustered_difference(
    sums: Sequence[float], sizes: Sequence[float], groups: Sequence[str], resamples: int, seed: int
) -> dict[str, float]:
    """The ratio sum(sums) / sum(sizes) with a bootstrap interval over groups.

    For a paired difference of token-weighted means, `sums` holds tuned minus base of each row and `sizes` its tokens.

    >>> clustered_difference([1.0, 1.0], [2, 2], ["a", "b"], 100, 0)
    {'mean': 0.5, 'low': 0.5, 'high': 0.5}
    """
    names = sorted(set(groups))
    place = {name: index for index, name in enumerate(names)}
    where = np.array([place[group] for group in groups])
    totals = np.bincount(where, weights=np.asarray(sums, dtype=float), minlength=len(names))
    weights = np.bincount(where, weights=np.asarray(sizes, dtype=float), minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), size=(resamples, len(names)))
    ratios = totals[drawn].sum(1) / weights[drawn].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return {"mean": float(totals.sum() / weights.sum()), "low": float(low), "high": float(high)}
