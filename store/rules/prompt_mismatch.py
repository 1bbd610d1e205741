"""Answers that belong to another prompt: a transcript that runs on, or another example's request inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.freezing.splitting import normalise_text
from pitchpipe.store.rules.reading import blank_code, list_answers, quote, read_turns
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

_CONTROL = re.compile(
    r"<\|(?:im_start|im_end|user|assistant|system|endoftext|eot_id|start_header_id|end_of_turn)\|>|<(?:start|end)_of_turn>"
    r"|\[/?INST\]|<</?SYS>>|^[^\S\n]*#{2,3} ?(?:Instruction|Input|Response|Human|Assistant|User)\s*:",
    re.MULTILINE,
)
"""Only a transcript has these. A line's own space alone is skipped: with line breaks in it, a megabyte of them would be
walked through from each of its lines."""
_SPEAKER = re.compile(
    r"^[^\S\n]*(?:\*\*)?(Human|User|Assistant|AI|Bot|Question|Q|Answer|A)(?:\*\*)?:(?:\*\*)?[ \t]", re.MULTILINE
)
_ASKER = ("Human", "User")
_WRITES_TALK = re.compile(
    r"(?i)\b(?:dialog(?:ue)?s?|conversations?|transcripts?|scripts?|interviews?|chat(?:bot|s)?|screenplay|skit|play|scene|faq|q\s?&\s?a"
    r"|role-?play|human|user|assistant|questions?)\b"
)
_KEY_WORDS = 8
_WORD = re.compile(r"\w+")
_FIRST_WORDS = re.compile(r"\W*(?:\w+\W+){7}\w+")
_MOST_LOOKS = 20
"""Lines of an answer that begin like a request and are compared whole: a hostile text has a hundred thousand."""


def _find(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    requests = _index_requests(rows) if parameters["other_requests"] else {}
    for place, row in enumerate(rows):
        if row["row_kind"] not in ("answer", "pair"):
            continue
        asked = "\n".join(turn["content"] for turn in read_turns(row))
        for field, text in list_answers(row):
            finding = _find_marker(place, field, text, asked) or _find_request(
                place, field, text, asked, row["example_id"], requests
            )
            if finding is not None:
                yield finding
                break


def _find_marker(place: int, field: str, text: str, asked: str) -> Finding | None:
    prose = blank_code(text)
    found = _CONTROL.search(prose)
    if found is not None and found[0].strip() not in asked:
        return _tell(place, field, found, "the mark of a transcript")
    if ":" not in prose or _WRITES_TALK.search(asked):
        return None  # who was asked for a dialogue writes one
    for found in _SPEAKER.finditer(prose):
        if found[1] in _ASKER:
            return _tell(place, field, found, "a turn of the asker")
    return None


def _tell(place: int, field: str, found: re.Match[str], what: str) -> Finding:
    evidence = {"field": field, "spans": [[*found.span(), "transcript"]]}
    return Finding(place, f"the answer contains {what}: {quote(found[0])}", evidence)


def _index_requests(rows: Sequence[Row]) -> dict[tuple[str, ...], dict[str, str]]:
    """By the first words of a request, the examples that ask it with its normal form."""
    index: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        for turn in read_turns(row):
            if turn["role"] == "user":
                begin = _FIRST_WORDS.match(turn["content"])
                if begin is not None:
                    key = tuple(_WORD.findall(begin[0].lower()))
                    index.setdefault(key, {})[row["example_id"]] = turn["content"]
    return index


def _find_request(
    place: int, field: str, text: str, asked: str, example_id: str, requests: dict[tuple[str, ...], dict[str, str]]
) -> Finding | None:
    """Another example's whole request at the beginning of a line."""
    start = looks = 0
    for line in text.split("\n") if requests else ():
        others = None
        if len(line) > 2 * _KEY_WORDS and (begin := _FIRST_WORDS.match(line)):
            others = requests.get(tuple(_WORD.findall(begin[0].lower())))
        if others and example_id not in others:
            looks += 1
            if looks > _MOST_LOOKS:
                return None
            rest, own = normalise_text(text[start:]), normalise_text(asked)
            for other, request in others.items():
                normal = normalise_text(request)
                if rest.startswith(normal) and normal not in own:
                    evidence = {"field": field, "spans": [[start, start + len(line), "request"]], "other": other}
                    return Finding(place, f"the answer repeats the request of the example {other}", evidence)
        start += len(line) + 1
    return None


PROMPT_MISMATCH = Rule(
    id="prompt_mismatch",
    version="1",
    title="Another prompt inside",
    about="An answer that carries the marks of a transcript (a turn of the asker, control words of a chat template) or "
    "the whole request of another example: it was cut wrongly or belongs elsewhere. Of a pair either side counts.",
    find=_find,
    parameters=(Parameter("other_requests", True, "Look for requests of other examples (8 words or more)."),),
)
