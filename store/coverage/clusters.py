"""Groups requests that ask for alike things, and lays them out on a flat map: pure functions over unit vectors.

Everything is seeded and runs on one thread, so that the same vectors give the same clusters and the same map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, np.dtype[Any]]
"""Vectors of unit length, one row a request, float32."""
Places = np.ndarray[Any, np.dtype[np.int64]]
"""Row numbers, or cluster numbers by row."""

MOST_CLUSTERS = 40
"""More than a person can read on one map."""
MOST_POINTS = 1500
"""Points that are laid out: t-SNE takes about two seconds for them, and a map shows no more."""
_FITTED = 8000
_SEED = 0
_FEWEST_LAID_OUT = 10


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters by number, the largest first."""

    labels: Places
    """The cluster of each request, [n]."""
    centres: Matrix
    """Unit vectors, [clusters, d]."""

    @property
    def sizes(self) -> list[int]:
        """Requests in each cluster."""
        return [int(size) for size in np.bincount(self.labels, minlength=len(self.centres))]


def choose_count(requests: int) -> int:
    """How many clusters a map of so many requests gets: the root of half their number, 1 to 40.

    A rule of thumb (Mardia, Kent & Bibby, "Multivariate Analysis", 1979, p. 365). On text vectors the usual indices
    say little: on our test mixture the silhouette stays between 0.11 and 0.13 from 4 to 48 clusters.

    >>> choose_count(3), choose_count(800), choose_count(50_000)
    (1, 20, 40)
    """
    return max(1, min(MOST_CLUSTERS, round(math.sqrt(requests / 2))))


def find_clusters(matrix: Matrix, count: int | None = None) -> Clusters:
    """Clusters of requests by k-means on their unit vectors (spherical: the centres are unit vectors too).

    Over 8,000 rows the centres are fitted on a seeded sample of 8,000, and every row goes to its nearest centre.

    Args:
        matrix: unit rows, float32, [n, d].
        count: clusters wanted, 1 or more; None takes `choose_count`. Where several centres fall together, or get no
            rows, there are fewer.
    """
    if not len(matrix):
        return Clusters(np.zeros(0, np.int64), np.zeros((0, matrix.shape[1]), np.float32))
    wanted = min(count or choose_count(len(matrix)), len(np.unique(matrix, axis=0)) if len(matrix) < 100 else 10**9)
    centres = _fit_centres(_take_sample(matrix, _FITTED), wanted)
    labels = np.argmax(matrix @ centres.T, axis=1)
    sizes = np.bincount(labels, minlength=len(centres))
    order = [cluster for cluster in np.argsort(-sizes, kind="stable") if sizes[cluster]]
    numbers = np.full(len(centres), -1)
    numbers[order] = np.arange(len(order))
    return Clusters(numbers[labels].astype(np.int64), centres[order])


def find_typical(matrix: Matrix, clusters: Clusters, most: int = 3) -> list[list[int]]:
    """For each cluster the rows nearest to its centre, no two of them the same (cosine above 0.98)."""
    typical = []
    for cluster, centre in enumerate(clusters.centres):
        rows = np.flatnonzero(clusters.labels == cluster)
        nearest = rows[np.argsort(-(matrix[rows] @ centre), kind="stable")][:200]
        chosen: list[int] = []
        for row in nearest:
            if len(chosen) < most and all(float(matrix[row] @ matrix[other]) <= 0.98 for other in chosen):
                chosen.append(int(row))
        typical.append(chosen)
    return typical


def lay_out(matrix: Matrix, most: int = MOST_POINTS) -> tuple[Places, Matrix]:
    """A flat map of the requests, or of a seeded sample where there are more than `most`.

    t-SNE from a start by principal components (van der Maaten & Hinton 2008; Kobak & Berens 2019). Near points are
    alike; the distance between far groups says little, and the axes say nothing.

    Returns:
        The rows that are shown, ascending, and their coordinates, [shown, 2], each from -1 to 1.
    """
    shown = _draw_rows(len(matrix), most)
    points = matrix[shown].astype(np.float64)
    is_poor = len(np.unique(points, axis=0)) < _FEWEST_LAID_OUT
    flat = _project(points, 2) if is_poor else _embed(_project(points, 30))
    if not len(flat):
        return shown, flat.astype(np.float32)
    low, high = flat.min(axis=0), flat.max(axis=0)
    reach = np.where(high > low, (high - low) / 2, 1.0)
    return shown, ((flat - (low + high) / 2) / reach).astype(np.float32)


def _fit_centres(sample: Matrix, wanted: int) -> Matrix:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # Two threads of a busy machine wait for each other longer than one works.
    with threadpool_limits(1):
        centres = KMeans(min(wanted, len(sample)), n_init=3, random_state=_SEED).fit(sample).cluster_centers_
    lengths = np.linalg.norm(centres, axis=1, keepdims=True)
    unit: Matrix = (centres / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def _project(points: Matrix, dimensions: int) -> Matrix:
    """The first principal components, padded with zeros where there are fewer."""
    from sklearn.decomposition import PCA

    possible = min(dimensions, *points.shape)
    if len(points) < 2 or not np.ptp(points, axis=0).any():
        return np.zeros((len(points), 2))  # nothing sets them apart
    flat: Matrix = PCA(possible, random_state=_SEED).fit_transform(points)
    return np.pad(flat, ((0, 0), (0, max(0, 2 - flat.shape[1]))))


def _embed(points: Matrix) -> Matrix:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(points) - 1) / 3)
    with threadpool_limits(1):
        layout = TSNE(2, perplexity=perplexity, init="pca", max_iter=400, angle=0.8, random_state=_SEED, n_jobs=1)
        flat: Matrix = layout.fit_transform(points)
    return flat


def _take_sample(matrix: Matrix, most: int) -> Matrix:
    return matrix[_draw_rows(len(matrix), most)]


def _draw_rows(count: int, most: int) -> Places:
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(_SEED).choice(count, most, replace=False))
