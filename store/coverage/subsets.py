"""Chooses subsets of requests: diverse, spread out, or balanced, within a budget. Pure functions over unit vectors.

Three ways, each deterministic, each a list of rows in the order in which they were taken:

    diverse    the best first, and none that is too near to one taken already (DEITA)
    spread     as far from those taken as possible, whatever their quality (k-center greedy)
    balanced   from each group its share of the budget: groups of sources, of lengths, of kinds, of clusters
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from pitchpipe.store.coverage.clusters import Matrix
from pitchpipe.store.errors import UsageError

Scores = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
_BLOCK = 512
_STALE_BLOCK = 2048
_EPSILON = 1e-6


def select_diverse(matrix: Matrix, quality: Scores, budget: int, highest_cosine: float = 0.9) -> list[int]:
    """The best rows of which no two are nearer than a cosine of `highest_cosine`.

    Rows are looked at by falling quality (of equals the earlier first); each is taken if its cosine to every row that
    is taken *already* is at most `highest_cosine`. So of two near rows the better stays, and a row is never left out
    for the sake of one that was itself left out. Liu et al., "What makes good data for alignment?" (DEITA,
    arXiv:2312.15685), section 2.3; there the threshold is 0.9 on LLaMA's vectors: on others look at what it does.

    Args:
        matrix: unit rows, float32, [n, d].
        quality: higher is better, [n], no NaN.
        budget: rows at most, 1 or more. Fewer come where the threshold leaves no more.
        highest_cosine: 0 to 1.

    Raises:
        UsageError: a number is out of range.

    >>> near = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> select_diverse(near, np.array([0.2, 0.9, 0.5]), 2)
    [1, 2]
    """
    _check_budget(budget)
    if not 0 <= highest_cosine <= 1:
        raise UsageError(f"The highest cosine is {highest_cosine}.", "Give a number from 0 to 1.")
    order = np.argsort(-np.asarray(quality, np.float64), kind="stable")
    kept = np.zeros((min(budget, len(matrix)), matrix.shape[1]), np.float32)
    taken: list[int] = []
    limit = highest_cosine + _EPSILON
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        block = matrix[rows]
        # One product for the whole block with all that is taken; only within the block one after the other.
        is_open: Flags = np.all(block @ kept[: len(taken)].T <= limit, axis=1)
        within = block @ block.T
        for place in np.flatnonzero(is_open):
            if not is_open[place]:
                continue
            kept[len(taken)] = block[place]
            taken.append(int(rows[place]))
            if len(taken) == budget:
                return taken
            is_open[place + 1 :] &= within[place, place + 1 :] <= limit
    return taken


def select_spread(matrix: Matrix, budget: int, start_with: Sequence[int] = ()) -> list[int]:
    """Rows each of which is as far as possible from all taken before it: the greedy solution of k-center.

    The first is the one nearest to the mean of all, unless some are there to start with (they are not in the result).
    Gonzalez 1985; Sener & Savarese, "Active learning for CNNs: a core-set approach", arXiv:1708.00489. At most twice
    the best possible greatest distance. Distances are brought up to date only for rows that may win (lazily).

    >>> select_spread(np.array([[1, 0], [0.96, 0.28], [0, 1]], np.float32), 2)
    [1, 2]
    """
    _check_budget(budget)
    wanted = min(budget, len(matrix) - len(set(start_with)))
    centres = list(start_with)
    taken: list[int] = []
    nearest = np.full(len(matrix), np.inf)  # distance (1 - cosine) to the nearest centre, as of `seen` centres
    seen = np.zeros(len(matrix), np.int64)
    nearest[centres] = -np.inf
    if not centres and wanted:
        centres = taken = [int(np.argmax(matrix @ matrix.mean(axis=0)))]
        nearest[taken] = -np.inf
    while len(taken) < wanted:
        best = int(np.argmax(nearest))
        if seen[best] == len(centres):
            if centres is not taken:
                centres.append(best)
            taken.append(best)
            nearest[best] = -np.inf
            continue
        stale = np.flatnonzero(seen < len(centres))
        if len(stale) > _STALE_BLOCK:
            stale = stale[np.argpartition(-nearest[stale], _STALE_BLOCK)[:_STALE_BLOCK]]
        _bring_up_to_date(matrix, stale, centres, nearest, seen)
    return taken


def _bring_up_to_date(matrix: Matrix, rows: Any, centres: list[int], nearest: Any, seen: Any) -> None:
    for count in np.unique(seen[rows]):
        same = rows[seen[rows] == count]
        closest = (matrix[same] @ matrix[centres[count:]].T).max(axis=1)
        nearest[same] = np.minimum(nearest[same], np.maximum(0.0, 1.0 - closest))
        seen[same] = len(centres)


def select_balanced(
    groups: Sequence[Hashable], quality: Scores, budget: int, shares: dict[Hashable, float] | None = None
) -> list[int]:
    """From each group its share of the budget, the best first; what a small group cannot give goes to the others.

    Args:
        groups: the group of each row: a source, a length, a kind, or a tuple of them.
        quality: higher is better, [n].
        budget: rows at most, 1 or more.
        shares: wanted share of each group, any positive scale; None gives all groups the same. A group that is not
            named gets nothing.

    Returns:
        Rows in rounds, so that every beginning of the list is balanced as well.

    >>> select_balanced(["web", "web", "web", "desk"], np.array([0.1, 0.9, 0.5, 0.3]), 3)
    [3, 1, 2]
    """
    _check_budget(budget)
    queues: dict[Hashable, list[int]] = {}
    for row in np.argsort(-np.asarray(quality, np.float64), kind="stable"):
        queues.setdefault(groups[int(row)], []).append(int(row))
    weights = dict.fromkeys(sorted(queues, key=str), 1.0) if shares is None else shares
    weights = {group: weight for group, weight in weights.items() if weight > 0 and group in queues}
    taken: list[int] = []
    given: Counter[Hashable] = Counter()
    while len(taken) < budget and weights:
        # The group that is furthest behind its share (the highest averages method of Sainte-Lague).
        group = max(weights, key=lambda name: weights[name] / (2 * given[name] + 1))
        taken.append(queues[group][given[group]])
        given[group] += 1
        if given[group] == len(queues[group]):
            del weights[group]
    return taken


def cut_lengths(lengths: Sequence[int], bins: int = 4) -> list[str]:
    """The band of lengths that each row is in, as `12-40`: bins with about the same number of rows.

    >>> cut_lengths([3, 5, 80, 90], 2)
    ['3-5', '3-5', '80-90', '80-90']
    """
    if not lengths:
        return []
    numbers = np.asarray(lengths)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    places = np.searchsorted(edges, numbers, side="left")
    bands = {
        int(place): f"{numbers[places == place].min()}-{numbers[places == place].max()}" for place in np.unique(places)
    }
    return [bands[int(place)] for place in places]


def _check_budget(budget: int) -> None:
    if budget < 1:
        raise UsageError(f"The budget is {budget}.", "Give a number of 1 or more.")
