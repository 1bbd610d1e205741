"""What another tool's fields are to us: which one is the request, which are the answers, and which of two a word means.

Tools that collect labels name their fields freely, so the names are read as people write them: `prompt`, `instruction`
or `question` asks; `response`, `answer_2` or `left` answers. A row whose fields cannot be told apart is refused with
their names; a mapping file says what the names do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.importing.rows import (
    RowProblem,
    check_conversation,
    format_value,
    list_columns,
    read_turns,
    start_conversation,
)
from pitchpipe.store.records import Message, Verdict

_CONVERSATIONS = ("messages", "conversation", "conversations", "chat", "dialogue")
_REQUESTS = (
    "prompt", "instruction", "question", "query", "request", "input", "user", "context", "text", "displayed_text",
    "source", "document", "passage", "content", "sentence", "title",
)  # fmt: skip
_ANSWER = re.compile(
    r"(?:(?:answer|response|completion|output|reply|generation|candidate|option|summary|text|model|chatbot)s?"
    r"[-_ ]?(?:\d{1,2}|[a-d])?|left|right|chosen|rejected|items|[ab])",
    re.IGNORECASE,
)
_PARTS = ("body", "text", "content", "html", "response", "answer", "title")
_TIES = {"tie", "equal", "same", "both", "both good", "no preference", "about the same", "0", "none", "draw"}
_BOTH_BAD = {"both bad", "neither", "both_bad", "bothbad"}
_FIRST, _SECOND = {"left", "a", "1", "first", "chosen"}, {"right", "b", "2", "second", "rejected"}
_PLACE = re.compile(r"(?:^|[-_ ])?(\d{1,2}|[ab])$")


@dataclass(frozen=True, slots=True)
class Answers:
    """A row's conversation and the answers to it, by the names that the file gives them."""

    messages: tuple[Message, ...]
    names: tuple[str, ...]
    texts: tuple[str, ...]
    rest: dict[str, Any]
    """The fields that are neither."""

    def find(self, name: str | None) -> int | None:
        """The place of the answer that a name speaks of, None where it speaks of none or of all.

        >>> answers = Answers((), ("response_1", "response_2"), ("x", "y"), {})
        >>> answers.find("rating-response_2"), answers.find("tone")
        (1, None)
        """
        if name in self.names:
            return self.names.index(name)
        held = [place for place, own in enumerate(self.names) if name and own in name]
        if len(held) == 1:
            return held[0]
        return 0 if len(self.names) == 1 else None


def read_fields(fields: Mapping[str, Any]) -> Answers:
    """The request and the answers among a row's fields.

    Raises:
        RowProblem: no field reads like a request, or the conversation cannot be read.

    >>> read_fields({"prompt": "hi", "response-1": "Hello.", "response-2": "What?"}).names
    ('response-1', 'response-2')
    """
    texts = {name: value for name, value in fields.items() if value is not None}
    request = _find_name(texts, (*_CONVERSATIONS, *_REQUESTS))
    if request is None:
        reason = f"no field reads like a request; there are {list_columns(fields)}; a mapping file can name it"
        raise RowProblem("fields", reason)
    used = {request}
    messages = _read_request(texts, request, used)
    names: list[str] = []
    answers: list[str] = []
    for name in sorted((name for name in texts if name not in used and _ANSWER.fullmatch(name)), key=_order):
        for own, text in _read_answers(name, texts[name]):
            names.append(own)
            answers.append(text)
            used.add(name)
    rest = {name: value for name, value in texts.items() if name not in used}
    return Answers(messages, tuple(names), tuple(answers), rest)


def find_request_name(names: Iterable[str]) -> str | None:
    """The column that reads like a request, None where none does."""
    return _find_name(dict.fromkeys(names), (*_CONVERSATIONS, *_REQUESTS))


def find_answer_names(names: Iterable[str]) -> list[str]:
    """The columns that read like answers, in their order.

    >>> find_answer_names(["response_2", "prompt", "response_1", "model_a"])
    ['response_1', 'response_2']
    """
    found = [name for name in names if _ANSWER.fullmatch(name) and not name.lower().startswith("model")]
    return sorted(found, key=_order)


def _find_name(fields: Mapping[str, Any], known: tuple[str, ...]) -> str | None:
    by_lower = {name.lower(): name for name in reversed(list(fields))}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _read_request(fields: Mapping[str, Any], name: str, used: set[str]) -> tuple[Message, ...]:
    value = fields[name]
    if isinstance(value, list):
        return check_conversation(read_turns(value, name), name)
    text = format_value(value)
    more = _find_name(fields, ("input", "context"))
    if name.lower() in ("instruction", "question") and more is not None and isinstance(fields[more], str):
        used.add(more)
        text = f"{text}\n\n{fields[more]}"
    system = _find_name(fields, ("system", "system_prompt"))
    if system is not None:
        used.add(system)
    return start_conversation(text, format_value(fields[system]) if system is not None else "", name)


def _order(name: str) -> tuple[str, str]:
    place = {"left": "0", "chosen": "0", "right": "1", "rejected": "1"}.get(name.lower(), name.lower())
    return place.rjust(20, "0") if place.isdigit() else _PLACE.sub(lambda found: found[0].rjust(6, "0"), place), name


def _read_answers(name: str, value: Any) -> list[tuple[str, str]]:
    """Names and texts of one field: itself, or the items of its list by their own id or place."""
    if not isinstance(value, list):
        return [(name, format_value(value))]
    found = []
    for place, item in enumerate(value, start=1):
        text = item
        own = f"{name}-{place}"
        if isinstance(item, dict):
            own = format_value(item["id"]) if "id" in item else own
            text = next((item[part] for part in _PARTS if isinstance(item.get(part), str)), None)
        if not isinstance(text, str):
            raise RowProblem(name, f"item {place} of the list holds no text")
        found.append((own, text))
    return found


def read_verdict(word: str, names: tuple[str, ...]) -> Verdict | None:
    """Which of two answers a word prefers, None where it is no word of preference.

    >>> read_verdict("response-2", ("response-1", "response-2")), read_verdict("funny", ("x", "y"))
    (<Verdict.B: 'b'>, None)
    """
    plain = word.strip().lower()
    if word in names:
        return (Verdict.A, Verdict.B)[names.index(word)]
    if plain in _TIES:
        return Verdict.TIE
    if plain in _BOTH_BAD:
        return Verdict.BOTH_BAD
    if plain in _FIRST | _SECOND:
        return Verdict.A if plain in _FIRST else Verdict.B
    place = _PLACE.search(plain)
    if place is not None and _ANSWER.fullmatch(plain):
        return Verdict.A if place[1] in _FIRST else Verdict.B if place[1] in _SECOND else None
    return None
