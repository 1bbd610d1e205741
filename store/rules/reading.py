"""What rules read of a row: its texts by field, which of them would be imitated, and what in them is code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from pitchpipe.store.rules.rule import Row

Span = list[Any]
"""`[start, end, kind]`: characters from start to before end of a field."""

_FENCED = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]+`")
_CODE_LINE = re.compile(
    r"[;{}]\s*$|^\s*(?:def|class|import|from|return|if|elif|else|for|while|try|except|with|public|private|static|const|let"
    r"|var|function|func|fn|using|package|SELECT|INSERT|UPDATE|DELETE|CREATE|FROM|WHERE|JOIN)\b.*[(:;{=]|^\s*(?:#include|//|/\*|@\w+)"
    r"|^\s*</?[a-z]\w*[^<>]*>|^\s*[\w.\[\]]+\s*(?:[-+*/]?=|:=)\s*\S|^\s*[\w.]+\(.*\)\s*$"
)


def read_turns(row: Row) -> list[dict[str, str]]:
    """The conversation of a row before its answer."""
    turns: list[dict[str, str]] = json.loads(row["messages"])
    return turns


def read_requests(row: Row) -> list[str]:
    """What the user says in a row's conversation, turn by turn."""
    return [turn["content"] for turn in read_turns(row) if turn["role"] == "user"]


def list_answers(row: Row) -> Iterator[tuple[str, str]]:
    """Every answer of a row with the name of its field.

    >>> list(list_answers({"row_kind": "pair", "answer_a": "yes", "answer_b": "no"}))
    [('answer_a', 'yes'), ('answer_b', 'no')]
    """
    for field in ("answer",) if row["row_kind"] != "pair" else ("answer_a", "answer_b"):
        if row.get(field) is not None:
            yield field, row[field]


def list_taught(row: Row) -> Iterator[tuple[str, str]]:
    """The answers that a model would imitate: the one of an answer row, the winner of a pair, both of a tie.

    A bad answer that lost is no fault of a pair: it is what the pair is about. Labelled and marked answers are judged,
    not imitated.

    >>> list(list_taught({"row_kind": "pair", "answer_a": "yes", "answer_b": "no", "verdict": "b"}))
    [('answer_b', 'no')]
    """
    if row["row_kind"] == "answer":
        yield from list_answers(row)
    elif row["row_kind"] == "pair":
        sides = {"a": ("answer_a",), "b": ("answer_b",), "tie": ("answer_a", "answer_b")}
        wanted = sides.get(row.get("verdict") or "", ())
        yield from ((field, text) for field, text in list_answers(row) if field in wanted)


def list_texts(row: Row) -> Iterator[tuple[str, str]]:
    """Every text of a row: `messages.0`, `messages.1`, ... and its answers."""
    for place, turn in enumerate(read_turns(row)):
        yield f"messages.{place}", turn["content"]
    yield from list_answers(row)


def read_field(row: Row, field: str) -> str | None:
    """The text of a field as `list_texts` names it; `messages` alone is the first request. None where there is none.

    >>> read_field({"messages": '[{"role": "user", "content": "Hi"}]'}, "messages.0")
    'Hi'
    """
    if not field.startswith("messages"):
        return row.get(field)
    turns = read_turns(row)
    place = field.partition(".")[2]
    if not place:
        return next((turn["content"] for turn in turns if turn["role"] == "user"), None)
    return turns[int(place)]["content"] if int(place) < len(turns) else None


def list_spans(evidence: dict[str, Any]) -> list[tuple[str, list[Span]]]:
    """The stretches that a finding points at, by field. One field stands as `field` and `spans`, several as `fields`.

    >>> list_spans({"field": "answer", "spans": [[0, 2, "email"]]})
    [('answer', [[0, 2, 'email']])]
    """
    if "fields" in evidence:
        return list(evidence["fields"].items())
    return [(evidence["field"], evidence["spans"])] if evidence.get("field") and evidence.get("spans") else []


def hash_field(text: str) -> str:
    """Twelve digits that tell whether a text is still the one that offsets were counted in."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def blank_code(text: str) -> str:
    """The text with code in fences and backticks replaced by spaces, so that offsets stay.

    >>> blank_code("so `x = 1` it is")
    'so         it is'
    """
    if "`" not in text and "~~~" not in text:
        return text
    fenced = _FENCED.sub(_blank, text)
    return _INLINE.sub(_blank, fenced)


def _blank(found: re.Match[str]) -> str:
    return "".join("\n" if character == "\n" else " " for character in found[0])


def is_code(text: str) -> bool:
    """True where at least half of the lines look like program code, markup or queries.

    >>> is_code("def add(a, b):\\n    return a + b"), is_code("Add the two numbers, then stop.")
    (True, False)
    """
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and sum(bool(_CODE_LINE.search(line)) for line in lines) * 2 >= len(lines)


def quote(text: str, length: int = 60) -> str:
    """The beginning of a text on one line, in quotes.

    >>> quote("a long story", 6)
    '"a lon…"'
    """
    line = " ".join(text.split())
    return f'"{line if len(line) <= length else line[: length - 1] + "…"}"'
