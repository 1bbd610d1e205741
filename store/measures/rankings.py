"""What several rankings of the same answers add up to, by Tideman's ranked pairs. Pure; the order changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pitchpipe.store.errors import UsageError

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class RankConsensus:
    """A joint ranking: one rank a candidate, 0 is best, equal ranks are ties."""

    ranks: tuple[int, ...]
    support: float | None
    """The share, over pairs of candidates and raters, of rankings that order a pair as the consensus does."""
    n: int
    is_tied: bool = False
    """Some candidates share a rank."""


def aggregate_ranks(rankings: Sequence[Sequence[int]]) -> RankConsensus:
    """The joint ranking of several: majorities over pairs are locked from the widest down, unless they close a circle.

    Majorities of equal width are treated alike: those of them that lie on a circle are all left open, so neither the
    order of candidates nor of raters decides. Ranks follow from how many candidates stand above and below by locked
    majorities; where that is equal the rank is shared.

    Source: Tideman, "Independence of clones as a criterion for voting rules" (1987); Open Assistant ranks replies so.

    Raises:
        UsageError: rankings speak of different numbers of candidates.

    >>> aggregate_ranks([[0, 1, 2], [0, 2, 1], [1, 0, 2]]).ranks
    (0, 1, 2)
    """
    if not rankings:
        return RankConsensus((), None, 0)
    size = len(rankings[0])
    if any(len(ranking) != size for ranking in rankings):
        lengths = ", ".join(sorted({str(len(ranking)) for ranking in rankings}))
        raise UsageError(
            f"Rankings of different lengths ({lengths}) cannot be joined.", "Give rankings of the same candidates."
        )
    ranks = _rank_by_wins(_lock_pairs(_count_majorities(rankings, size), size))
    return RankConsensus(ranks, _measure_support(rankings, ranks), len(rankings), len(set(ranks)) < size)


def _count_majorities(rankings: Sequence[Sequence[int]], size: int) -> dict[int, list[Edge]]:
    """By width of majority, the pairs (winner, loser)."""
    by_width: dict[int, list[Edge]] = defaultdict(list)
    for one, other in combinations(range(size), 2):
        width = sum((ranks[one] < ranks[other]) - (ranks[one] > ranks[other]) for ranks in rankings)
        if width:
            by_width[abs(width)].append((one, other) if width > 0 else (other, one))
    return by_width


def _lock_pairs(by_width: dict[int, list[Edge]], size: int) -> list[set[int]]:
    """For each candidate those it beats, directly or through others, once all majorities are locked or left open."""
    beats: list[set[int]] = [set() for _ in range(size)]
    for width in sorted(by_width, reverse=True):
        fitting = [(winner, loser) for winner, loser in by_width[width] if winner not in beats[loser]]
        together = _close(beats, fitting)
        beats = _close(beats, [(winner, loser) for winner, loser in fitting if winner not in together[loser]])
    return beats


def _close(beats: list[set[int]], edges: list[Edge]) -> list[set[int]]:
    """The transitive closure of what is locked and more edges."""
    closed = [set(below) for below in beats]
    for winner, loser in edges:
        closed[winner].add(loser)
    for middle in range(len(closed)):
        for above in closed:
            if middle in above:
                above |= closed[middle]
    return closed


def _rank_by_wins(beats: list[set[int]]) -> tuple[int, ...]:
    """Ranks by the number of candidates above less those below, which any locked majority respects."""
    above = [sum(candidate in below for below in beats) for candidate in range(len(beats))]
    standing = [above[candidate] - len(below) for candidate, below in enumerate(beats)]
    places = {value: place for place, value in enumerate(sorted(set(standing)))}
    return tuple(places[value] for value in standing)


def _measure_support(rankings: Sequence[Sequence[int]], ranks: Sequence[int]) -> float | None:
    pairs = list(combinations(range(len(ranks)), 2))
    if not pairs:
        return None
    agreeing = sum(
        _sign(ranking[one] - ranking[other]) == _sign(ranks[one] - ranks[other])
        for ranking in rankings
        for one, other in pairs
    )
    return agreeing / (len(pairs) * len(rankings))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
