"""Rules on a single answer: empty or a placeholder, a refusal, phrases of a machine that speaks of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.rules.phrases import BOILERPLATE as PHRASES
from pitchpipe.store.rules.phrases import BOILERPLATE_HINTS, PLACEHOLDER, straighten
from pitchpipe.store.rules.phrases import REFUSAL as REFUSING
from pitchpipe.store.rules.reading import Span, blank_code, list_answers, list_taught, quote
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

_LONGEST_PLACEHOLDER, _BEGINNING = 60, 600
_MEANING = {
    "as_an_ai": "it speaks of itself as a machine",
    "model_identity": "it says which model it is or who made it",
    "cutoff_date": "it speaks of the end of its training data",
    "promised_link_or_image": "it promises a link or an image that is not there",
}


def _find_empty(rows: Sequence[Row], _: Mapping[str, Any], __: Background) -> Iterator[Finding]:
    for place, row in enumerate(rows):
        for field, text in list_answers(row):
            if _is_blank(text):
                yield Finding(place, "the answer is blank", {"field": field})
                break
            if len(text) <= _LONGEST_PLACEHOLDER and PLACEHOLDER.fullmatch(text):
                evidence = {"field": field, "spans": [[0, len(text), "placeholder"]]}
                yield Finding(place, f"the answer is the placeholder {quote(text)}", evidence)
                break


def _is_blank(text: str) -> bool:
    """True also for zero-width and control characters alone, which `strip` leaves."""
    return not any(character.isprintable() and not character.isspace() for character in text)


def _find_refusal(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    for place, row in enumerate(rows):
        for field, text in list_taught(row):
            found = REFUSING.match(straighten(text[:_BEGINNING]))
            if found and len(text.split()) <= parameters["most_words"]:
                evidence = {"field": field, "spans": [[*found.span(), "refusal"]]}
                yield Finding(place, f"the answer refuses: {quote(found[0])}", evidence)
                break


def _find_boilerplate(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    wanted = [kind for kind in PHRASES if parameters[kind]]
    for place, row in enumerate(rows):
        for field, text in list_taught(row):
            spans = _find_talk(text, wanted)
            if spans:
                start, end, kind = min(spans)
                evidence = {"field": field, "spans": sorted(spans)}
                yield Finding(place, f"{_MEANING[kind]}: {quote(text[start:end])}", evidence)
                break


def _find_talk(text: str, kinds: Sequence[str]) -> list[Span]:
    prose = straighten(blank_code(text))
    small = prose.lower()
    return [
        [*found.span(), kind]
        for kind in kinds
        if any(hint in small for hint in BOILERPLATE_HINTS[kind])
        for found in PHRASES[kind].finditer(prose)
    ]


EMPTY_ANSWER = Rule(
    id="empty_answer",
    version="1",
    title="Empty answers",
    about='An answer without text, or with a placeholder alone ("N/A", "Output:", "<noinput>"), as the clean-ups '
    "of the Alpaca data found them. Of a pair either side counts.",
    find=_find_empty,
)
REFUSAL = Rule(
    id="refusal",
    version="1",
    title="Refusals",
    about="An answer that begins by refusing. It reads English and the beginning alone, and cannot tell a refusal that "
    "is right from one that is not called for. Of a pair the winner counts.",
    find=_find_refusal,
    parameters=(Parameter("most_words", 150, "A longer answer helps after all and is not hit.", 1, 10_000),),
    actions=("mark", "drop"),
)
BOILERPLATE = Rule(
    id="boilerplate",
    version="1",
    title="Machine talk",
    about='"As an AI language model", the name or maker of a model, the end of its training data, links and images '
    "that are not there: they teach another model's identity. English, not in code. Of a pair the winner counts.",
    find=_find_boilerplate,
    parameters=tuple(Parameter(kind, True, f"Look whether {meaning}.") for kind, meaning in _MEANING.items()),
)
