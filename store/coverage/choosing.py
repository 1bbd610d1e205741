"""Chooses a subset of a project's training requests, and tells what that did beside a random choice as large."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pitchpipe.store.coverage.covering import NO_KIND, Coverage
from pitchpipe.store.coverage.diversity import SetReport, draw_alike, measure_set
from pitchpipe.store.coverage.subsets import cut_lengths, select_balanced, select_diverse, select_spread
from pitchpipe.store.errors import UsageError

WAYS = {
    "diverse": "The best rated first, and none too near to one that is taken already (DEITA's filter).",
    "spread": "As far from one another as possible, whatever their rating (k-center greedy).",
    "balanced": "The same share from each group, the best rated first.",
}
BALANCES = ("source", "kind", "length", "cluster")
_BANDS = 4
_SEED = 0


@dataclass(frozen=True, slots=True)
class SubsetOrder:
    """What subset is wanted."""

    way: str = "diverse"
    """One of `WAYS`."""
    budget: int = 1000
    """Examples at most, 1 or more."""
    highest_cosine: float = 0.9
    """Of `diverse`, 0 to 1."""
    balance: tuple[str, ...] = ("source", "length")
    """Of `balanced`: what makes a group, of `BALANCES`."""


@dataclass(frozen=True, slots=True)
class Subset:
    """A choice of requests with its figures."""

    example_ids: list[str]
    """In the order in which they were taken."""
    before: SetReport
    """All training requests."""
    after: SetReport
    alike: SetReport
    """A random choice of the same size: what the figures of `after` must be compared with."""


def choose_subset(coverage: Coverage, order: SubsetOrder) -> Subset:
    """The chosen examples, all of the training side, with figures before and after. The reports group by source.

    Raises:
        UsageError: the way or what to balance by is not known, or a number is out of range.
    """
    if order.way not in WAYS:
        raise UsageError(f"The way '{order.way}' is not known.", f"Use one of: {', '.join(WAYS)}.")
    unknown = [name for name in order.balance if name not in BALANCES]
    if unknown or (order.way == "balanced" and not order.balance):
        raise UsageError(f"Nothing can be balanced by {unknown or 'nothing'}.", f"Use: {', '.join(BALANCES)}.")
    places = np.flatnonzero((coverage.requests["split"] == "train").to_numpy())
    requests, matrix = coverage.requests.filter(pl.col("split") == "train"), coverage.matrix[places]
    quality, lengths = requests["quality"].to_numpy(), requests["length"].to_list()
    # Equals are drawn, not taken in the order of import: else the first file would win.
    drawn = np.random.default_rng(_SEED).permutation(len(requests))
    if order.way == "diverse":
        taken = select_diverse(matrix[drawn], quality[drawn], order.budget, order.highest_cosine)
    elif order.way == "spread":
        taken = select_spread(matrix[drawn], order.budget)
    else:
        groups = _group(requests, lengths, order.balance)
        taken = select_balanced([groups[row] for row in drawn], quality[drawn], order.budget)
    rows = [int(drawn[row]) for row in taken]
    sources = requests["source"].to_list()
    examples = requests["example"].to_list()
    return Subset(
        [examples[row] for row in rows],
        *(
            measure_set(matrix, chosen, lengths, quality.tolist(), sources)
            for chosen in (range(len(requests)), rows, draw_alike(len(requests), len(rows)))
        ),
    )


def _group(requests: pl.DataFrame, lengths: list[int], balance: tuple[str, ...]) -> list[Hashable]:
    named = requests.with_columns(pl.col("kind").fill_null(NO_KIND), pl.Series("length", cut_lengths(lengths, _BANDS)))
    return [tuple(row) for row in named.select(balance).iter_rows()]
