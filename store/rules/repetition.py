"""Repetition: answers that go round in circles.

The shares and their limits are those of Gopher (Rae et al. 2021, https://arxiv.org/abs/2112.11446, table A1), which are
made for web pages of some hundred words. Its least length of 50 words is left out, because short answers are right
answers. Instead the limits of a shorter text are wider, up to a half: three sums that are worked out in the same words
are no circle, three times the same sentence are one. And nothing counts as repeated that stands there less than 4 times
(3 times again).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Any

from pitchpipe.store.rules.reading import Span, blank_code, is_code, list_taught
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

_TOP_LIMITS = {2: 0.20, 3: 0.18, 4: 0.16}
"""Largest share of characters in the most frequent run of so many words."""
_DUPLICATE_LIMITS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""Largest share of characters in runs of so many words that stood there before."""
_LINE_LIMIT, _LINE_CHARACTERS_LIMIT, _PARAGRAPH_LIMIT = 0.30, 0.20, 0.30
_WIDEST_LIMIT, _LONG_TEXT = 0.5, 300
"""The limit of a text without words, and the number of words from which that of Gopher holds."""
_FEWEST_REPEATS = 4
_FEWEST_WORDS = 50
"""Of a shorter text the most frequent run is not judged: five steps that begin alike would be half of it."""
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_TWO_WORDS = re.compile(r"\w[^\w\n]+\w")
_LINE = re.compile(r"[^\n]+")
_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")

Repeat = tuple[str, float, float, list[Span]]
"""What repeats, its share, the limit, where it stands."""
Measured = tuple[str, float, float, Callable[[], list[Span]]]
"""The same before anybody asked where."""


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
    if len(text) < 40:
        return None
    prose = blank_code(text)
    words = _WORD.findall(prose.lower())
    for what, share, limit, find_spans in chain(_measure_lines(prose), _measure_runs(words, prose)):
        widened = leniency * (limit + max(0.0, 1 - len(words) / _LONG_TEXT) * (_WIDEST_LIMIT - limit))
        if share > widened:
            return None if is_code(text) else (what, share, widened, find_spans())
    return None


def _measure_lines(prose: str) -> Iterator[Measured]:
    """The shares of repeated lines and paragraphs, of those with two words or more: rules of tables say nothing."""
    if "\n" not in prose:
        return
    for what, pattern, limit in (("lines", _LINE, _LINE_LIMIT), ("paragraphs", _PARAGRAPH, _PARAGRAPH_LIMIT)):
        pieces = [found for found in pattern.finditer(prose) if _TWO_WORDS.search(found[0])]
        first = {piece[0].strip(): place for place, piece in reversed(list(enumerate(pieces)))}
        again = [piece for place, piece in enumerate(pieces) if first[piece[0].strip()] != place]
        if len(again) >= _FEWEST_REPEATS - 1:
            spans: list[Span] = [[*piece.span(), "repeated"] for piece in again]
            yield f"repeated {what}", len(again) / len(pieces), limit, partial(list, spans)
            if what == "lines":
                share = sum(len(piece[0]) for piece in again) / len(prose)
                yield "the characters of repeated lines", share, _LINE_CHARACTERS_LIMIT, partial(list, spans)


def _measure_runs(words: list[str], prose: str) -> Iterator[Measured]:
    """The shares of runs of words that stood there before, then of the most frequent run."""
    letters = sum(map(len, words))
    runs = list(zip(words, words[1:], words[2:], words[3:], words[4:], strict=False))
    # Where few runs of 5 words stand there again, few longer ones do.
    if len(runs) - len(set(runs)) >= _FEWEST_REPEATS - 1:
        for length, limit in _DUPLICATE_LIMITS.items():
            covered = _cover_duplicates(words, length)
            share = sum(len(words[place]) for place in covered) / letters
            yield f"repeated runs of {length} words", share, limit, partial(_join, covered, prose)
    for length, limit in _TOP_LIMITS.items() if len(words) >= _FEWEST_WORDS else ():
        run, times = Counter(zip(*(words[offset:] for offset in range(length)), strict=False)).most_common(1)[0]
        if times < _FEWEST_REPEATS:
            return  # no longer run stands there more often
        share = min(1.0, times * sum(map(len, run)) / letters)
        yield f'the words "{" ".join(run)}"', share, limit, partial(_find_run, words, prose, run)


def _cover_duplicates(words: list[str], length: int) -> list[int]:
    """The places of words that lie in a run which stood there before."""
    seen: set[tuple[str, ...]] = set()
    covered: set[int] = set()
    for start in range(len(words) - length + 1):
        run = tuple(words[start : start + length])
        if run in seen:
            covered.update(range(start, start + length))
        seen.add(run)
    return sorted(covered)


def _find_run(words: list[str], prose: str, run: tuple[str, ...]) -> list[Span]:
    starts = [start for start in range(len(words)) if tuple(words[start : start + len(run)]) == run]
    return _join(sorted({start + offset for start in starts for offset in range(len(run))}), prose)


def _join(covered: list[int], prose: str) -> list[Span]:
    """Words by their number as stretches, neighbours as one."""
    places = [found.span() for found in _WORD.finditer(prose)]
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
    "table A1), which are wider for short texts. Code is not judged. Of a pair the winner counts.",
    find=_find,
    parameters=(Parameter("leniency", 1.0, "All limits times this; with 1.5 poems of many refrains stay.", 0.5, 5.0),),
)
