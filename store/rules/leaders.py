"""Near duplicates without chaining: each text follows a *kept leader* that it is similar to, or becomes one itself.

Texts come in order of priority. In a chain A ~ B ~ C where A and C are not alike, B follows A, and C stays. The search
is an exact set-similarity join, so no pair is missed and none is taken on trust: prefix filtering (Chaudhuri et al.
2006) with the positional filter of PPJoin (Xiao et al. 2008) finds every pair that can reach the threshold, and the
exact Jaccard similarity decides. Thousands of texts that share a preamble cost little, because only their rarest
shingles are looked up.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from pitchpipe.store.freezing.splitting import shingle_text

_SMALL = 32
"""Below this many entries a plain loop is faster than numpy."""
_FEWEST_TEXTS = 20
_BITS = 20
_LONGEST = (1 << _BITS) - 1
"""Shingles of a text that are told apart by their place; the rest of a longer text counts all the same."""


@dataclass(frozen=True, slots=True)
class Following:
    """That a text is left out in favour of a leader."""

    leader: int
    """The leader's place in the texts that were given."""
    score: float
    """Jaccard similarity of the least similar part, 0 to 1."""


def follow_leaders(
    texts: Sequence[Sequence[str]], threshold: float, length: int = 5, common: float = 1.0
) -> list[Following | None]:
    """For each text the most similar leader before it, None for the leaders themselves.

    Args:
        texts: in order of priority, the best first; each has the same number of parts (a request and its answer, say),
            and two texts are near duplicates when *every* part is.
        threshold: Jaccard similarity on the shingles of `shingle_text`, above 0 to 1.
        length: words of a shingle, 1 to 8.
        common: share of the texts, above 0 to 1; shingles that more of them have (of 20 different texts at least) are
            taken for boilerplate and not compared, unless a text has no others.

    >>> follow_leaders([["the same words"], ["The same words!"], ["other words"]], 0.8)
    [None, Following(leader=0, score=1.0), None]
    """
    if not texts:
        return []
    parts = [_Part([text[place] for text in texts], threshold, length, common) for place in range(len(texts[0]))]
    followings: list[Following | None] = []
    for place in range(len(texts)):
        # Both parts must be alike, so the part that fewest leaders share says where to look.
        cheapest = min(parts, key=lambda part: part.estimate_cost(place))
        best = max(_score(parts, place, cheapest.find_candidates(place)), default=(0.0, 0))
        if best[0] >= threshold:
            followings.append(Following(-best[1], best[0]))
        else:
            followings.append(None)
            for part in parts:
                part.add_leader(place)
    return followings


def _score(parts: Sequence[_Part], place: int, candidates: set[int]) -> Iterator[tuple[float, int]]:
    """Similarity to each candidate, with its negated place, so that of equals the first leader is the greatest."""
    for candidate in candidates:
        yield min(part.compare(place, candidate) for part in parts), -candidate


class _Part:
    """One part of every text as numbered shingles, the rarest first, and an index of the leaders among them."""

    def __init__(self, texts: Sequence[str], threshold: float, length: int, common: float) -> None:
        self._threshold = threshold
        self._shingles, self._starts = _number_shingles(texts, length, common)
        self._index: dict[int, array[int]] = {}
        """By shingle: leader, number of its shingles, and place of this one in it, packed in one number each."""
        self._compared: tuple[int, set[int]] = (-1, set())

    def estimate_cost(self, place: int) -> int:
        """How many entries of the index `find_candidates` would look at."""
        return sum(len(self._index.get(shingle, ())) for shingle in self._read_prefix(place))

    def find_candidates(self, place: int) -> set[int]:
        """Every leader that may be as similar as the threshold."""
        size = self._count(place)
        found: set[int] = set()
        for position, shingle in enumerate(self._read_prefix(place)):
            entries = self._index.get(shingle)
            if entries is None:
                continue
            if len(entries) < _SMALL:
                found.update(entry >> 2 * _BITS for entry in entries if self._can_reach(size, position, entry))
            else:
                packed = np.frombuffer(entries, dtype=np.int64)
                found.update((packed[self._can_reach_all(size, position, packed)] >> 2 * _BITS).tolist())
        return found

    def add_leader(self, place: int) -> None:
        size = self._count(place)
        for position, shingle in enumerate(self._read_prefix(place)):
            entry = place << 2 * _BITS | min(size, _LONGEST) << _BITS | min(position, _LONGEST)
            self._index.setdefault(shingle, array("q")).append(entry)

    def compare(self, first: int, second: int) -> float:
        """The exact Jaccard similarity."""
        if self._compared[0] != first:
            self._compared = (first, set(self._read(first)))
        mine = self._compared[1]
        shared = len(mine.intersection(self._read(second)))
        return shared / (len(mine) + self._count(second) - shared)

    def _count(self, place: int) -> int:
        return int(self._starts[place + 1] - self._starts[place])

    def _read(self, place: int) -> list[int]:
        numbers: list[int] = self._shingles[self._starts[place] : self._starts[place + 1]].tolist()
        return numbers

    def _read_prefix(self, place: int) -> list[int]:
        """The rarest shingles, of which two texts as similar as the threshold share at least one."""
        start, size = self._starts[place], self._count(place)
        prefix: list[int] = self._shingles[start : start + size - ceil(self._threshold * size - 1e-9) + 1].tolist()
        return prefix

    def _can_reach(self, size: int, position: int, entry: int) -> bool:
        """Whether enough shingles are left behind the first shared one in both. J >= t needs t/(1+t) (n+m) shared."""
        other = entry >> _BITS & _LONGEST
        needed = self._threshold / (1 + self._threshold) * (size + other) - 1e-9
        left: bool = min(size - position, other - (entry & _LONGEST)) >= needed
        return left or other == _LONGEST or size >= _LONGEST

    def _can_reach_all(self, size: int, position: int, entries: np.ndarray) -> np.ndarray:
        other = entries >> _BITS & _LONGEST
        needed = self._threshold / (1 + self._threshold) * (size + other) - 1e-9
        left = np.minimum(size - position, other - (entries & _LONGEST)) >= needed
        return np.asarray(left | (other == _LONGEST) | (size >= _LONGEST))


def _number_shingles(texts: Sequence[str], length: int, common: float) -> tuple[np.ndarray, np.ndarray]:
    """Shingles of all texts as numbers that grow with how common they are, sorted in each text; where each begins.

    Shingles are told apart by a hash of 64 bits: among five million of them two fall together once in a million times.
    """
    hashed, is_first, seen = [], [], set()
    for text in texts:
        shingles = shingle_text(text, length)
        hashed.append(np.fromiter(map(hash, shingles), np.int64, len(shingles)))
        is_first.append(hash(shingles) not in seen)
        seen.add(hash(shingles))
    sizes = np.fromiter(map(len, hashed), np.int64, len(hashed))
    owners = np.repeat(np.arange(len(texts)), sizes)
    _, numbers = np.unique(np.concatenate(hashed), return_inverse=True)
    # The same text a thousand times makes its shingles no boilerplate, so each different text counts once.
    counts = np.bincount(numbers[np.asarray(is_first)[owners]], minlength=int(numbers.max()) + 1)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    is_compared = _leave_boilerplate(counts[numbers], owners, max(_FEWEST_TEXTS, common * len(seen)))
    ordered = np.sort(owners[is_compared] * len(counts) + rank[numbers[is_compared]])
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners[is_compared], minlength=len(texts)))])
    return ordered % len(counts), starts


def _leave_boilerplate(held_by: np.ndarray, owners: np.ndarray, most: float) -> np.ndarray:
    """Which shingles are compared: those that at most so many texts have, or all of a text that has no others."""
    is_rare = held_by <= most
    has_rare = np.bincount(owners, weights=is_rare) > 0
    return np.asarray(is_rare | ~has_rare[owners])
