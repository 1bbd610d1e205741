"""Mapping files made, not read: a mapping as TOML, and a first mapping suggested by a file's columns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pitchpipe.store.importing.foreign_fields import find_answer_names, find_request_name
from pitchpipe.store.importing.looking import Column

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_RATER = re.compile(r"(annotator|rater|judge|worker|user)[-_ ]?\w{0,12}", re.IGNORECASE)
_VALUE = re.compile(
    r"(preference|preferred|winner|choice|better|label|score|rating|quality|helpfulness|verdict|tag|class|category)s?",
    re.IGNORECASE,
)


def write_mapping(document: Mapping[str, Any]) -> str:
    """A mapping as TOML: single values, then a `[[judgements]]` table for each of that list; what is empty is left out.

    >>> print(write_mapping({"kind": "rate", "prompt": "{q}", "judgements": [{"value": "{n}", "values": {"ok": 4}}]}))
    kind = "rate"
    prompt = "{q}"
    <BLANKLINE>
    [[judgements]]
    value = "{n}"
    values = { ok = 4 }
    <BLANKLINE>
    """
    lines = [_write_line(key, value) for key, value in document.items() if key != "judgements" and _is_given(value)]
    for table in document.get("judgements", ()):
        lines.extend(["", "[[judgements]]"])
        lines.extend(_write_line(key, value) for key, value in table.items() if _is_given(value))
    return "\n".join(lines) + "\n"


def _is_given(value: Any) -> bool:
    return value not in (None, "", [], {})


def _write_line(key: str, value: Any) -> str:
    return f"{_write_key(key)} = {_write_value(value)}"


def _write_key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _write_text(key)


def _write_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_write_line(key, inner) for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_write_value, value)) + "]"
    return _write_text(value) if isinstance(value, str) else json.dumps(value)


def _write_text(text: str) -> str:
    # JSON's escapes are all TOML's too; TOML wants DEL escaped besides, which JSON lets stand.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def suggest_mapping(columns: Sequence[Column]) -> dict[str, Any]:
    """A mapping to begin with, from how the columns are named and what they hold.

    >>> names = ("instruction", "response1", "response2", "annotator1")
    >>> suggest_mapping([Column(name, "text", 1, [], ["1"]) for name in names])["judgements"]
    [{'rater': 'annotator1', 'value': '{annotator1}'}]
    """
    names = [column.name for column in columns]
    request = find_request_name(names)
    answers = [name for name in find_answer_names(names) if name != request]
    raters = [column.name for column in columns if column.values and _RATER.fullmatch(column.name)]
    said = [column.name for column in columns if column.values and _VALUE.fullmatch(column.name)]
    mapping: dict[str, Any] = {
        "kind": ("tag" if said else "write", "rate" if said else "write", "compare")[min(len(answers), 2)]
    }
    is_turns = any(column.name == request and column.kind == "turns" for column in columns)
    opening = "messages" if is_turns else "text" if mapping["kind"] == "tag" else "prompt"
    mapping[opening] = _name_field(request) if request else ""
    if request == "instruction" and "input" in names:
        mapping[opening] = "{instruction}\n\n{input}"
    keys = {"compare": ("answer_a", "answer_b"), "rate": ("answer",), "write": ("answer",), "tag": ()}[mapping["kind"]]
    mapping.update({key: _name_field(name) for key, name in zip(keys, answers, strict=False)})
    mapping["judgements"] = [] if mapping["kind"] == "write" else _suggest_judgements(mapping["kind"], raters, said)
    mapping.update({key: _name_field(key) for key in ("id", "split") if key in names})
    return mapping


def _suggest_judgements(kind: str, raters: list[str], said: list[str]) -> list[dict[str, str]]:
    if raters and not said:
        return [{"rater": name, "value": _name_field(name)} for name in raters]
    rater = _name_field(raters[0]) if raters else "dataset"
    if kind == "rate":
        return [{"rater": rater, "question": name, "value": _name_field(name)} for name in said]
    return [{"rater": rater, "value": _name_field(said[0])}] if said else []


def _name_field(name: str) -> str:
    return "{" + name + "}"
