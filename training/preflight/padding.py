"""Padding: how many tokens a layout makes the model compute for the tokens that there are, and in how many steps.

The three layouts are played through as transformers and TRL carry them out: a shuffled order, an order grouped by
length (`get_length_grouped_indices` of transformers 5: shuffled, cut into pieces of at most 50 batches, each sorted),
and best-fit-decreasing packing (TRL's `bfd`), which pads nothing. The draw is not the run's own, the share about so.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

_PACKED_AT_ONCE = 1000
"""Rows that TRL packs together, the batch of its `map`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a layout costs in one pass over the rows."""

    name: str
    tokens: int
    """Tokens of the rows."""
    computed: int
    """Tokens that the model computes, padding included."""
    batches: int
    """Forward passes."""

    @property
    def waste(self) -> float:
        """Share of the computed tokens that are padding, 0 to 1."""
        return 1 - self.tokens / self.computed if self.computed else 0.0


def measure_layout(name: str, rows: Sequence[Sequence[int]], batch_size: int, max_length: int, seed: int = 7) -> Layout:
    """Plays one layout through.

    Args:
        rows: the lengths of the sequences of each row, in tokens (one for an answer, two for a pair).

    >>> measure_layout("grouped", [[4], [8], [4], [8]], batch_size=2, max_length=8).waste
    0.0
    >>> measure_layout("packed", [[4], [8], [4], [8]], batch_size=1, max_length=8).batches
    3
    """
    tokens = sum(sum(row) for row in rows)
    if name == "packed":
        lengths = [sum(row) for row in rows]
        bins = sum(
            count_bins(lengths[at : at + _PACKED_AT_ONCE], max_length) for at in range(0, len(rows), _PACKED_AT_ONCE)
        )
        return Layout(name, tokens, tokens, math.ceil(bins / batch_size))
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    if name == "grouped":
        order = _group(order, [max(row, default=0) for row in rows], batch_size)
    batches = [[rows[place] for place in order[at : at + batch_size]] for at in range(0, len(order), batch_size)]
    computed = sum(max(map(max, batch)) * sum(map(len, batch)) for batch in batches)
    return Layout(name, tokens, computed, len(batches))


def _group(order: list[int], lengths: list[int], batch_size: int) -> list[int]:
    piece = max(1, min(len(order) // (batch_size * 4), 50)) * batch_size
    grouped: list[int] = []
    for at in range(0, len(order), piece):
        grouped += sorted(order[at : at + piece], key=lambda place: -lengths[place])
    return grouped


def count_bins(lengths: Sequence[int], room: int) -> int:
    """Bins that best-fit-decreasing needs: the longest first, each into the fullest bin that still takes it.

    >>> count_bins([5, 4, 3, 2, 1, 1], 8)
    2
    """
    spaces: list[int] = []
    bins = 0
    for length in sorted((min(length, room) for length in lengths), reverse=True):
        place = bisect.bisect_left(spaces, length)
        if place == len(spaces):
            bins += 1
            left = room - length
        else:
            left = spaces.pop(place) - length
        bisect.insort(spaces, left)
    return bins


def count_steps(batches: int, accumulation: int, epochs: float, max_steps: int) -> int:
    """Optimiser steps, as transformers counts them: a last, smaller step of a pass counts whole.

    >>> count_steps(batches=5, accumulation=2, epochs=1.5, max_steps=0)
    5
    """
    if max_steps:
        return max_steps
    return math.ceil(epochs * max(1, math.ceil(batches / accumulation)))
