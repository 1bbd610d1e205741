"""Measures how diverse a set of requests is, to compare a subset with where it came from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pitchpipe.store.coverage.clusters import Matrix

_BLOCK = 1024
_MEASURED = 10_000
_SEED = 0


@dataclass(frozen=True, slots=True)
class SetReport:
    """Figures of one set of requests."""

    count: int
    mean_length: float | None
    """Characters of a request."""
    low_length: float | None
    """A tenth of the requests is shorter."""
    high_length: float | None
    """A tenth of the requests is longer."""
    nearest: float | None
    """Mean distance (1 - cosine) of a request to its nearest neighbour, 0 to 1 or a little more."""
    vendi: float | None
    """Effective number of different requests, 1 to `count`."""
    quality: float | None
    groups: dict[str, int]
    """Requests by group."""


def measure_set(
    matrix: Matrix,
    rows: Sequence[int],
    lengths: Sequence[int],
    quality: Sequence[float],
    groups: Sequence[Hashable],
) -> SetReport:
    """The figures of the rows of a set; of an empty one they are None."""
    chosen = np.asarray(rows, np.int64)
    if not len(chosen):
        return SetReport(0, None, None, None, None, None, None, {})
    long = np.asarray(lengths, np.float64)[chosen]
    counts: dict[str, int] = {}
    for row in chosen:
        counts[str(groups[int(row)])] = counts.get(str(groups[int(row)]), 0) + 1
    low, high = np.quantile(long, [0.1, 0.9])
    return SetReport(
        count=len(chosen),
        mean_length=float(long.mean()),
        low_length=float(low),
        high_length=float(high),
        nearest=measure_nearest(matrix[chosen]),
        vendi=measure_vendi(matrix[chosen]),
        quality=float(np.asarray(quality, np.float64)[chosen].mean()),
        groups=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def measure_nearest(matrix: Matrix) -> float | None:
    """The mean distance (1 - cosine) of a row to its nearest other row; None for fewer than two rows.

    Over 10,000 rows a seeded sample of 10,000 rows is asked, each against all rows.

    >>> measure_nearest(np.array([[1, 0], [1, 0], [0, 1]], np.float32))
    0.3333333333333333
    """
    if len(matrix) < 2:
        return None
    asked = np.arange(len(matrix))
    if len(asked) > _MEASURED:
        asked = np.sort(np.random.default_rng(_SEED).choice(asked, _MEASURED, replace=False))
    total = 0.0
    for start in range(0, len(asked), _BLOCK):
        rows = asked[start : start + _BLOCK]
        cosines = matrix[rows] @ matrix.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        total += float(np.maximum(0.0, 1.0 - cosines.max(axis=1)).sum())
    return total / len(asked)


def measure_vendi(matrix: Matrix) -> float | None:
    """The Vendi score: the exponential of the entropy of the eigenvalues of K / n, where K is all cosines.

    1 where all rows are the same, n where all are at right angles. Friedman & Dieng, "The Vendi Score",
    arXiv:2210.02410. Exact for any n: cosines of unit rows are X X', whose eigenvalues other than 0 are those of X' X,
    a matrix of d x d. It grows with n, so compare sets of the same size.

    >>> measure_vendi(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32))
    2.0
    """
    if not len(matrix):
        return None
    points = matrix.astype(np.float64)
    gram: Any = points.T @ points if len(points) > points.shape[1] else points @ points.T
    shares = np.linalg.eigvalsh(gram / len(points))
    shares = shares[shares > 1e-12]
    return round(float(np.exp(-(shares * np.log(shares)).sum())), 9)


def draw_alike(count: int, size: int) -> list[int]:
    """A seeded random subset of the same size: what any choice must be compared with."""
    return sorted(int(row) for row in np.random.default_rng(_SEED).choice(count, min(size, count), replace=False))
