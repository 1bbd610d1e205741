"""A slice: which examples one asks for, by words, conditions on fields and SQL. Pure: turned into SQL with parameters.

Each field has a kind, and the kind decides which conditions it takes. A slice is plain values, so it can be saved,
hashed and sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from pitchpipe.store.errors import UsageError

Condition = tuple[str, str, Any]
"""Field, operator, value (a list for `is` and `is not`)."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A question to the data. The empty one means everything; its parts all have to hold."""

    words: str = ""
    """Words that all have to be in request or answers; "a phrase" and -without are understood."""
    filters: tuple[Condition, ...] = ()
    sql: str = ""
    """A SELECT with a column example_id; empty for none."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Slice:
        """The slice of a JSON document as `to_document` makes it.

        Raises:
            UsageError: it is no slice, or a condition cannot be asked.
        """
        unknown = sorted(set(document) - {"words", "filters", "sql"})
        if unknown:
            raise UsageError(f"A slice has no '{unknown[0]}'.", "It has words, filters and sql.")
        listed = document.get("filters") or []
        if not isinstance(listed, list | tuple):
            raise UsageError(f"The filters of a slice are {listed!r}.", "Give a list of conditions.")
        filters = tuple(check_condition(*_take_three(filter)) for filter in listed)
        return cls(_take_text("words", document), filters, _take_text("sql", document))

    def to_document(self) -> dict[str, Any]:
        """The slice as plain values."""
        return {"words": self.words, "filters": [_to_plain(filter) for filter in self.filters], "sql": self.sql}


OPERATORS: dict[str, tuple[str, ...]] = {
    "choice": ("is", "is not"),
    "many": ("has", "has not"),
    "number": ("is", ">=", "<=", "is missing", "is there"),
    "text": ("contains", "is", "is missing", "is there"),
    "time": (">=", "<="),
    "truth": ("is",),
}
"""The conditions that a field of each kind takes."""
FIELDS: dict[str, str] = {
    "request": "text", "source": "choice", "category": "choice", "side": "choice", "decision": "choice",
    "tags": "many", "kinds": "many", "models": "many", "origins": "many", "snapshots": "many",
    "rating": "number", "spread": "number", "agreement": "number", "judgements": "number", "raters": "number",
    "tasks": "number", "answers": "number", "words": "number", "answer_words": "number", "turns": "number",
    "votes_a": "number", "votes_b": "number", "ties": "number", "is_adjudicated": "truth", "last_judged_at": "time",
    "created_at": "time", "decided_by": "choice", "decision_rule": "choice", "decision_reason": "text",
    "group_id": "text", "tree": "text", "external_id": "text", "example_id": "text",
}  # fmt: skip
"""Every field of an example that can be asked about, and its kind."""
_WORD = re.compile(r'(-?)"([^"]+)"|(-?)(\S+)')


def check_condition(field: str, operator: str, value: Any = None) -> Condition:
    """The condition, with its value in the form that its kind of field needs.

    Raises:
        UsageError: there is no such field, it does not take that operator, or the value does not fit.
    """
    kind = FIELDS.get(field)
    if kind is None:
        raise UsageError(f"There is no field '{field}'.", f"Use one of: {', '.join(FIELDS)}.")
    if operator not in OPERATORS[kind]:
        raise UsageError(f"The field '{field}' takes no '{operator}'.", f"Use one of: {', '.join(OPERATORS[kind])}.")
    if operator in ("is missing", "is there"):
        return field, operator, None
    check_whole(str(value))
    if kind in ("choice", "many"):
        values = list(value) if isinstance(value, list | tuple) else [value]
        if not all(entry is None or isinstance(entry, str) for entry in values):
            raise UsageError(f"'{field}' is compared with {value!r}.", "Give texts, such as a.jsonl.")
        return field, operator, tuple(entry or "" for entry in values)
    if kind == "number":
        return field, operator, _to_number(field, value)
    if kind == "time":
        return field, operator, _check_time(field, str(value))
    if kind == "truth":
        return field, operator, value is True or str(value).lower() in ("true", "yes", "1")
    return field, operator, str(value)


def check_whole(text: str) -> None:
    """Raises UsageError where a text holds half of a character (a lone surrogate), which the engine cannot take."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"{ascii(text)[:80]} holds half of a character.", "Type it anew.") from error


def _check_time(field: str, value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise UsageError(f"'{value}' is no time for '{field}'.", "Write it like 2026-11-05.") from error
    return value


def parse_condition(text: str) -> Condition:
    """A condition as one types it: `field=value`, `field!=value`, `field>=n`, `field<=n`, `field~part`.

    Several values of one field are divided by `|`. A field without a value is `field=`.

    >>> parse_condition("source=a.jsonl|b.jsonl"), parse_condition("rating<=2")
    (('source', 'is', ('a.jsonl', 'b.jsonl')), ('rating', '<=', 2.0))
    """
    found = re.fullmatch(r"\s*(\w+)\s*(>=|<=|!=|=|~)\s*(.*?)\s*", text, re.DOTALL)
    if found is None:
        raise UsageError(f"'{text}' is no condition.", "Write it like source=a.jsonl, rating<=2 or request~parcel.")
    field, sign, value = found.groups()
    kind = FIELDS.get(field, "text")
    if kind == "many":
        operator = {"=": "has", "!=": "has not"}.get(sign, sign)
    elif kind in ("choice", "truth"):
        operator = {"=": "is", "!=": "is not"}.get(sign, sign)
    else:
        operator = {"=": "is", "~": "contains"}.get(sign, sign)
    if kind not in ("choice", "many") and operator == "is" and value == "":
        return check_condition(field, "is missing")
    return check_condition(field, operator, value.split("|") if kind in ("choice", "many") else value)


def write_where(filters: Sequence[Condition]) -> tuple[str, list[Any]]:
    """The condition on the view `examples` for the filters of a slice, and its parameters.

    >>> write_where([("rating", "<=", 2.0)])
    ('rating <= ?', [2.0])
    """
    parts: list[str] = []
    values: list[Any] = []
    for filter in filters:
        part, given = _write_condition(*check_condition(*filter))
        parts.append(part)
        values += given
    return " AND ".join(parts) or "TRUE", values


def write_search(words: str) -> tuple[str, list[str]]:
    """The condition on the column `folded` for the words of a slice, and its parameters.

    >>> write_search("late -Refund")
    ('contains(folded, ?) AND NOT contains(folded, ?)', ['late', 'refund'])
    """
    check_whole(words)
    wanted = split_words(words)
    parts = [f"{'NOT ' if is_without else ''}contains(folded, ?)" for is_without, _ in wanted]
    return " AND ".join(parts) or "TRUE", [fold(part) for _, part in wanted]


def split_words(words: str) -> list[tuple[bool, str]]:
    """The words and phrases of a search, each with whether it must be absent.

    >>> split_words('late "my parcel" -refund')
    [(False, 'late'), (False, 'my parcel'), (True, 'refund')]
    """
    found = [
        (bool(minus or sign), phrase or word.strip('"'))
        for minus, phrase, sign, word in _WORD.findall(words)
        if phrase or word
    ]
    return [(is_without, part) for is_without, part in found if part.strip("- ")]


def fold(words: str) -> str:
    """The words as the catalogue's `fold` makes them: no case, no accents, one space where there is white space.

    >>> fold("Élan\\n VITAL")
    'elan vital'
    """
    apart = unicodedata.normalize("NFD", re.sub(r"\s+", " ", words.lower()))
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.category(c).startswith("M")))


def _write_condition(field: str, operator: str, value: Any) -> tuple[str, list[Any]]:
    if operator in ("is missing", "is there"):
        return f"{field} IS {'NOT ' if operator == 'is there' else ''}NULL", []
    kind = FIELDS[field]
    if kind == "choice":
        return f"{'NOT ' if operator == 'is not' else ''}list_contains(?, coalesce({field}, ''))", [list(value)]
    if kind == "many":
        # Nothing chosen means: none at all.
        empty = f" OR len({field}) = 0" if "" in value else ""
        return f"{'NOT ' if operator == 'has not' else ''}(list_has_any({field}, ?){empty})", [list(value)]
    if operator == "contains":
        return f"contains(fold({field}), ?)", [fold(str(value))]
    if kind == "time":
        return f"{field} {operator} CAST(? AS TIMESTAMP)", [value]
    return f"{field} {'=' if operator == 'is' else operator} ?", [value]


def _to_number(field: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"'{field}' is compared with what is no number.", "Give digits, such as 2 or 0.5.") from error
    if not isfinite(number):  # NaN compares with nothing, and JSON has no word for what is endless
        raise UsageError(f"'{value}' is no number for '{field}'.", "Give digits, such as 2 or 0.5.")
    return number


def _take_three(filter: Sequence[Any]) -> Sequence[Any]:
    is_fit = isinstance(filter, list | tuple) and 2 <= len(filter) <= 3
    if not is_fit or not all(isinstance(part, str) for part in filter[:2]):
        raise UsageError(f"{filter!r} is no condition.", "Give a field, an operator and a value.")
    return filter


def _take_text(name: str, document: Mapping[str, Any]) -> str:
    text = document.get(name) or ""
    if not isinstance(text, str):
        raise UsageError(f"The {name} of a slice are {text!r}.", "Give a text.")
    return text


def _to_plain(filter: Condition) -> list[Any]:
    field, operator, value = filter
    return [field, operator, list(value) if isinstance(value, tuple) else value]
