"""The language of texts, by py3langid (Lui and Baldwin 2012, https://aclanthology.org/P12-3005), offline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.reading import blank_code, is_code, list_taught, read_turns
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

_LOOK_AT = 300
"""Characters: more of a text does not change the answer, but costs time."""
_SAME_AS = {"pcm": "en", "sco": "en", "nb": "no", "nn": "no", "bs": "hr", "sh": "hr"}
"""Tongues that the model cannot tell apart for sure, and what they count as."""
_WORD = re.compile(r"[^\W\d_]+")
_COMMON_ENGLISH = frozenset(
    re.findall(
        r"\w+",
        "the of and to in is that it for was on are as with be by this have from or had not but what which when "
        "there been their would can if has more will your you they he she his her them then than an at we our",
    )
)


def _find(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    wanted = _read_wanted(parameters["languages"])
    for place, row in enumerate(rows):
        for field, text in _list_judged(row, parameters["texts"]):
            prose = find_prose(text)
            if len(prose) < parameters["shortest"]:
                continue
            language, confidence = identify_language(prose, "en" in wanted)
            is_sure = language not in wanted and confidence >= parameters["confidence"]
            if is_sure and not is_code(text):
                reason = f"it is in '{language}' ({confidence:.0%} sure), not in {' or '.join(sorted(wanted))}"
                evidence = {"field": field, "score": round(confidence, 4), "language": language}
                yield Finding(place, reason, evidence)
                break


def _read_wanted(languages: str) -> set[str]:
    wanted = {_SAME_AS.get(code, code) for code in re.split(r"[\s,;]+", languages.lower().strip()) if code}
    known = {_SAME_AS.get(code, code) for code in _load_identifier().labels}
    unknown = sorted(wanted - known)
    if unknown or not wanted:
        raise UsageError(
            f"The rule 'language' does not know the languages {languages!r}.",
            f"Give codes of two letters with commas, such as 'en,de'. It knows: {', '.join(sorted(known))}.",
        )
    return wanted


def _list_judged(row: Row, texts: str) -> Iterator[tuple[str, str]]:
    if texts in ("requests", "both"):
        turns = list(enumerate(read_turns(row)))
        yield from ((f"messages.{place}", turn["content"]) for place, turn in turns if turn["role"] == "user")
    if texts in ("answers", "both"):
        yield from list_taught(row)


def find_prose(text: str) -> str:
    """The words of the beginning of a text without marked code, digits and punctuation.

    >>> find_prose("Call `f(x)` 3 times, then stop.")
    'Call times then stop'
    """
    return " ".join(_WORD.findall(blank_code(text)[: _LOOK_AT * 2]))[:_LOOK_AT]


def identify_language(prose: str, may_be_english: bool = False) -> tuple[str, float]:
    """The likeliest language as a code of two letters and how sure the model is, 0 to 1.

    With `may_be_english` a text is not asked for that a quarter of its words, the commonest of English, give away.

    >>> identify_language("Guten Tag, wie kann ich Ihnen heute helfen?")[0]
    'de'
    """
    if may_be_english:
        words = prose.lower().split()
        if len(words) >= 8 and sum(word in _COMMON_ENGLISH for word in words) * 4 >= len(words):
            return "en", 1.0
    language, confidence = _load_identifier().classify(prose)
    return _SAME_AS.get(language, language), float(confidence)


@cache
def _load_identifier() -> Any:
    # The model takes half a second to load; only who asks for the language waits for it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


LANGUAGE = Rule(
    id="language",
    version="1",
    title="Language",
    about="A text that is surely in another language than those wanted (py3langid). Short text and code are not "
    "judged, and a text in two languages counts as its first.",
    find=_find,
    parameters=(
        Parameter("languages", "en", "The wanted ones, by codes of two letters with commas: en,de."),
        Parameter("confidence", 0.9, "How sure the model must be to name another one.", 0.5, 1.0),
        Parameter("shortest", 60, "Texts with fewer characters of words are not judged.", 20, 1000),
        Parameter("texts", "answers", "Which texts to look at.", choices=("answers", "requests", "both")),
    ),
    actions=("drop", "mark"),
)
