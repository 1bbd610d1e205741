"""Repetition: answers that go round in circles.

The shares and their limits are those of Gopher (Rae et al. 2021, https://arxiv.org/abs/2112.11446, table A1). Its least
length of 50 words is left out, because short answers are right answers; instead nothing counts as repeated before it
stands there often enough to be no accident.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from pitchpipe.store.rules.reading import Span, blank_code, is_code, list_taught
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

_TOP_LIMITS = {2: 0.20, 3: 0.18, 4: 0.16}
"""Largest share of characters in the most frequent run of so many words."""
_DUPLICATE_LIMITS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""Largest share of characters in runs of so many words that stood there before."""
_LINE_LIMIT, _LINE_CHARACTERS_LIMIT, _PARAGRAPH_LIMIT = 0.30, 0.20, 0.30
_FEWEST_REPEATS = 4
_FEWEST_WORDS = 50
"""Of a shorter text the most frequent run is not judged: five steps that begin alike would be half of it."""
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_LINE = re.compile(r"[^\n]+")
_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")

Repeat = tuple[str, float, float, list[Span]]
"""What repeats, its share, the limit, where it stands."""


def _find(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    for place, row in enumerate(rows):
        for field, text in list_taught(row):
            found = find_repeats(text, parameters["leniency"])
            if found is not None:
                what, share, limit, spans = found
                reason = f"{what} make up {share:.0%} of the answer; the limit is {limit:.0%}"
                yield Finding(place, reason, {"field": field, "spans": spans, "score": round(share, 4)})
                break


def find_repeats(text: str, leniency: float = 1.0) -> Repeat | None:
    """The first share of repeated text beyond its limit times `leniency`; None where there is none, and in code.

    >>> find_repeats("I am sure that it is so. " * 6)[0]
    'repeated runs of 5 words'
    """
    if len(text) < 40 or is_code(text):
        return None
    prose = blank_code(text)
    if "\n" in prose:
        found = _check_lines(prose, leniency)
        if found is not None:
            return found
    return _check_runs(prose, leniency)


def _check_lines(prose: str, leniency: float) -> Repeat | None:
    for name, pattern, limit in (("lines", _LINE, _LINE_LIMIT), ("paragraphs", _PARAGRAPH, _PARAGRAPH_LIMIT)):
        # Rules of tables, brackets and the like have no words and say nothing.
        pieces = [found for found in pattern.finditer(prose) if len(_WORD.findall(found[0])) >= 2]
        first = {piece[0].strip(): place for place, piece in reversed(list(enumerate(pieces)))}
        again = [piece for place, piece in enumerate(pieces) if first[piece[0].strip()] != place]
        if len(again) < _FEWEST_REPEATS - 1:
            continue
        spans: list[Span] = [[*piece.span(), "repeated"] for piece in again]
        share = len(again) / len(pieces)
        if share > limit * leniency:
            return f"repeated {name}", share, limit * leniency, spans
        share = sum(len(piece[0]) for piece in again) / max(1, len(prose))
        if name == "lines" and share > _LINE_CHARACTERS_LIMIT * leniency:
            return "the characters of repeated lines", share, _LINE_CHARACTERS_LIMIT * leniency, spans
    return None


def _check_runs(prose: str, leniency: float) -> Repeat | None:
    places = [found.span() for found in _WORD.finditer(prose)]
    words = [prose[start:end].lower() for start, end in places]
    letters = sum(map(len, words))
    runs = list(zip(words, words[1:], words[2:], words[3:], words[4:], strict=False))
    if len(runs) - len(set(runs)) < _FEWEST_REPEATS - 1:
        # No run of 5 words stands there twice, so no longer one does; a frequent short run needs a tight circle.
        return _check_top(words, places, letters, leniency)
    for length, limit in _DUPLICATE_LIMITS.items():
        seen: set[tuple[str, ...]] = set()
        covered: set[int] = set()
        for start in range(len(words) - length + 1):
            run = tuple(words[start : start + length])
            if run in seen:
                covered.update(range(start, start + length))
            seen.add(run)
        share = sum(len(words[place]) for place in covered) / max(1, letters)
        if share > limit * leniency and len(covered) >= length * 2:
            return f"repeated runs of {length} words", share, limit * leniency, _join(sorted(covered), places)
    return _check_top(words, places, letters, leniency)


def _check_top(words: list[str], places: list[tuple[int, int]], letters: int, leniency: float) -> Repeat | None:
    if len(words) < _FEWEST_WORDS:
        return None
    for length, limit in _TOP_LIMITS.items():
        runs = Counter(zip(*(words[offset:] for offset in range(length)), strict=False))
        if not runs:
            return None
        run, times = runs.most_common(1)[0]
        if times < _FEWEST_REPEATS:
            return None  # no longer run stands there more often
        share = min(1.0, times * sum(map(len, run)) / max(1, letters))
        if share > limit * leniency:
            covered = sorted(
                {
                    start + offset
                    for start in range(len(words) - length + 1)
                    if tuple(words[start : start + length]) == run
                    for offset in range(length)
                }
            )
            return f'the words "{" ".join(run)}"', share, limit * leniency, _join(covered, places)
    return None


def _join(covered: list[int], places: list[tuple[int, int]]) -> list[Span]:
    """Neighbouring words as one stretch."""
    spans: list[Span] = []
    for _, group in groupby(enumerate(covered), key=lambda pair: pair[1] - pair[0]):
        members = [place for _, place in group]
        spans.append([places[members[0]][0], places[members[-1]][1], "repeated"])
    return spans


REPETITION = Rule(
    id="repetition",
    version="1",
    title="Repetition",
    about="An answer whose lines, paragraphs or runs of words repeat beyond the limits of Gopher (Rae et al. 2021, "
    "table A1, without its least length). Code is not judged. Of a pair the winner counts.",
    find=_find,
    parameters=(Parameter("leniency", 1.0, "Times the limits of Gopher; 1.5 leaves poems with a refrain.", 0.5, 5.0),),
)
