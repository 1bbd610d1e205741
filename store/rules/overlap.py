"""How much of a test item stands in a text: the share of its tokens that lie in runs of 8 tokens that both have.

The measure of Tulu 3 (Lambert et al. 2024, 3.2) with what it lacks: every item is compared with every text (no search
engine that returns the best hundred), numbers and operators are tokens, so that sums differ, and items too short for a
run of 8 are found when they are the whole request. Short items must be covered more fully than long ones (an idea of
decon, Ai2 2025), since one common phrase is half of an item of fifteen words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pitchpipe.store.freezing.splitting import normalise_text

RUN = 8
_PLACES = 20
_ROUNDING = 1e-9
_MASK = (1 << _PLACES) - 1
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, place + 1, 1 << 64) for place in range(RUN)], np.uint64)
# Scripts that write no spaces give a token a character, numbers keep their points, `-` before a digit is a sign.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"[{_UNSPACED}]|\d+(?:[.,]\d+)*|(?:(?![{_UNSPACED}])[^\W\d_])+(?:['’][^\W\d_]+)*"
    r"|[+/=<>^%×÷±√∑∫≤≥≠]|[-*](?=\s?\d)"
)
_OPERATOR = re.compile(r"[+/=<>^%×÷±√∑∫≤≥≠]|[-*](?=\s?\d)")


@dataclass(frozen=True, slots=True)
class Match:
    """That a test item stands in a text."""

    set_name: str
    item_id: str
    score: float
    """Share of the item's tokens that were found, above 0 to 1."""
    is_exact: bool
    """Whether the text is the item but for case and punctuation."""
    place: int
    """Of the item in the index."""


def read_tokens(text: str) -> list[str]:
    """Words, numbers and operators, in lower case; other punctuation is left out.

    >>> read_tokens("Don't add 3.5 + x = -7, please!")
    ['dont', 'add', '3.5', '+', 'x', '=', '-', '7', 'please']
    """
    if not text.isascii():
        return [_fold(token) for token in _TOKEN.findall(text)]
    return [token.replace("'", "") for token in _TOKEN.findall(text.lower())]


def _fold(token: str) -> str:
    return unicodedata.normalize("NFKC", token).casefold().replace("'", "").replace("’", "")


def find_exact_form(text: str) -> str:
    """What two texts have in common that are the same but for case, punctuation and white space; operators count.

    >>> find_exact_form("What is 5 + 3?") == find_exact_form("what is 5 +3"), find_exact_form("What is 5 - 3?")
    (True, 'what is 5 3 -')
    """
    # Text without a letter or digit has an empty normal form; it counts as it stands.
    return " ".join([normalise_text(text) or text, *_OPERATOR.findall(text)])


class EvaluationIndex:
    """Test items, indexed by every run of 8 tokens.

    Args:
        items: (name of the set, id, text) each.
        coverage: share of an item's tokens above which it counts as contained, 0 to 1; at 1 all must be there.
        strict_until: items of at most so many tokens must be covered wholly;
        relaxed_from: from so many on `coverage` is enough, and in between what is asked falls evenly.
    """

    def __init__(
        self,
        items: Sequence[tuple[str, str, str]],
        coverage: float = 0.5,
        strict_until: int = 8,
        relaxed_from: int = 32,
    ) -> None:
        self._items = items
        self._coverage = coverage
        self._exact: dict[str, list[int]] = {}
        hashed, entries, sizes = [], [], []
        for place, (_, _, text) in enumerate(items):
            self._exact.setdefault(find_exact_form(text), []).append(place)
            runs = _hash_runs(read_tokens(text))
            sizes.append(len(runs) + RUN - 1)
            hashed.append(runs)
            entries.append(place << _PLACES | np.minimum(np.arange(len(runs)), _MASK))
        runs, places = np.concatenate([*hashed, _NO_RUNS]), np.concatenate([*entries, _NO_ENTRIES])
        order = np.argsort(runs, kind="stable")
        self._runs, self._entries = runs[order], places[order]
        self._sizes = np.asarray(sizes, np.int64)
        slope = (self._sizes - strict_until) / max(1, relaxed_from - strict_until)
        self._needed = np.clip(1 - slope * (1 - coverage), coverage, 1.0)

    def find_matches(self, text: str, *, is_answer: bool = False) -> list[Match]:
        """Every item that the text contains, the surest first.

        Args:
            is_answer: an answer below 8 tokens is no item word by word, since many requests rightly get "Yes."
        """
        found: dict[int, tuple[bool, float]] = {place: (False, score) for place, score in self._find_covered(text)}
        if not is_answer or len(read_tokens(text)) >= RUN:
            found |= dict.fromkeys(self._exact.get(find_exact_form(text), ()), (True, 1.0))
        matches = [Match(*self._items[place][:2], score, exact, place) for place, (exact, score) in found.items()]
        return sorted(matches, key=lambda match: (not match.is_exact, -match.score, match.place))

    def find_spans(self, match: Match, text: str) -> list[list[int]]:
        """The stretches of a text that it shares with a matched item, as [start, end] in characters of the text."""
        tokens = list(_TOKEN.finditer(text))
        shared = np.isin(_hash_runs(read_tokens(text)), _hash_runs(read_tokens(self._items[match.place][2])))
        spans: list[list[int]] = []
        for run in np.flatnonzero(shared).tolist():
            start, end = tokens[run].start(), tokens[run + RUN - 1].end()
            if spans and start <= spans[-1][1]:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        return spans or [[0, len(text)]]

    def _find_covered(self, text: str) -> Iterator[tuple[int, float]]:
        """Items of which enough is covered, with the share."""
        wanted = np.unique(_hash_runs(read_tokens(text)))
        first, last = (np.searchsorted(self._runs, wanted, side) for side in ("left", "right"))
        shared = np.flatnonzero(last > first)
        if not len(shared):
            return
        entries = np.sort(np.concatenate([self._entries[first[run] : last[run]] for run in shared.tolist()]))
        items, places = entries >> _PLACES, entries & _MASK
        is_first = np.concatenate([[True], items[1:] != items[:-1]])
        # A run covers 8 tokens, or as many as lie before the item's next run.
        covers = np.full(len(entries), RUN, np.int64)
        covers[:-1] = np.where(is_first[1:], RUN, np.minimum(RUN, places[1:] - places[:-1]))
        begins = np.flatnonzero(is_first)
        scores = np.add.reduceat(covers, begins) / self._sizes[items[begins]]
        above = scores > min(self._coverage, 1 - _ROUNDING)  # nothing is above 1, and an item wholly there counts
        enough = above & (scores >= self._needed[items[begins]] - _ROUNDING)
        yield from zip(items[begins][enough].tolist(), scores[enough].tolist(), strict=True)


_NO_RUNS, _NO_ENTRIES = np.empty(0, np.uint64), np.empty(0, np.int64)


def _hash_runs(tokens: Sequence[str]) -> np.ndarray:
    """A hash of 64 bits for each run of 8 tokens; none below 8 tokens."""
    if len(tokens) < RUN:
        return _NO_RUNS
    hashed = np.fromiter(map(hash, tokens), np.int64, len(tokens)).view(np.uint64)
    runs = np.zeros(len(tokens) - RUN + 1, np.uint64)
    for place, factor in enumerate(_FACTORS):
        runs += hashed[place : place + len(runs)] * factor
    return runs
