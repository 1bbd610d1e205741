"""Checks on raw bytes and values that every reader shares: what JSON, UTF-8 and both homes of the store can hold.

A row passes only if every text in it is proper Unicode without NUL (PostgreSQL holds none), every number is finite, no
key comes twice and nothing is nested deeper than `MAX_DEPTH`. What fails is reported with its place, never repaired.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from pitchpipe.store.importing.rows import RawRow, RowProblem, describe

MAX_LINE_BYTES = 10_000_000
"""A longer line, row or cell is reported, not read."""
MAX_DEPTH = 400
"""Lists and objects inside one another; far beyond it the stack runs out, at a depth that depends on the caller."""

_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)
"""A whole string, a bracket, or the quote of a string that does not end."""


class _NotStorable(ValueError):
    """A JSON text that Python would accept but that is not JSON, or that means two things."""


def _refuse_constant(name: str) -> Any:
    raise _NotStorable(f"{name} is not a JSON number")


def _read_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _NotStorable(f"the number {text[:40]} is too large")
    return value


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _NotStorable(f"the key {describe(name)} comes twice in one object")
            seen.add(name)
    return value


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_float, object_pairs_hook=_read_object)


def decode_json(text: str) -> Any:
    """The value of one JSON text.

    Raises:
        RowProblem: it is not JSON; the column is the character where reading stopped.
    """
    check_depth(text)
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as problem:
        place = str(problem.pos + 1)
        raise RowProblem(place, f"broken JSON at character {place}: {problem.msg}") from None
    except RecursionError:
        raise RowProblem("", "nested too deep to read") from None
    except ValueError as problem:
        raise RowProblem("", f"not JSON: {str(problem)[:200]}") from None


def decode_json_prefix(text: str, start: int) -> tuple[Any, int]:
    """The JSON value at `start` and where it ends; raises ValueError or RecursionError as the decoder does."""
    return _decoder.raw_decode(text, start)


def check_depth(text: str) -> None:
    """Passes a JSON text that is not nested deeper than `MAX_DEPTH`; only a text with many brackets is walked."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _STRUCTURE.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise RowProblem(str(token.start() + 1), f"nested deeper than {MAX_DEPTH} levels")
        elif first in "]}":
            depth -= 1


def find_json_end(text: str, start: int) -> int | None:
    """Where the object or list that begins at `start` ends, by its brackets alone; None where its end is not there.

    >>> find_json_end('[{"a": NaN}, 1]', 1)
    11
    """
    depth = 0
    for token in _STRUCTURE.finditer(text, start):
        first = text[token.start()]
        if (depth == 0 and token.start() != start) or (first == '"' and token.end() == token.start() + 1):
            return None
        if first in "[{":
            depth += 1
        elif first in "]}":
            depth -= 1
        if depth == 0:
            return token.end()
    return None


def needs_text_check(json_text: str) -> bool:
    """Whether a JSON text may hold a surrogate or NUL; escapes are the only way, once its bytes were proper UTF-8."""
    return "\\u0000" in json_text or "\\ud" in json_text or "\\uD" in json_text


def check_row(row: RawRow) -> None:
    """Passes a row whose every text and number the store can hold.

    Raises:
        RowProblem: the first column that holds NUL, half a surrogate pair, bytes that are not UTF-8, or infinity.
    """
    for column, value in row.items():
        reason = _find_fault(column) or _find_fault(value)
        if reason is not None:
            # The name itself may be what is wrong, and a message must be printable.
            raise RowProblem(column.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00"), reason)


def _find_fault(value: Any) -> str | None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            reason = find_text_fault(item)
            if reason is not None:
                return reason
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, float) and not math.isfinite(item):
            return f"{item} is not a finite number"
        elif isinstance(item, bytes):
            return "holds bytes, not text"
    return None


def find_text_fault(text: str) -> str | None:
    """Why a text cannot be stored, None where it can.

    >>> find_text_fault("a\\x00")
    'holds a NUL character'
    """
    if "\x00" in text:
        return "holds a NUL character"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        code = ord(text[problem.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"holds a byte that is not UTF-8 (or half a surrogate pair) at character {problem.start + 1}"
        return f"holds half a surrogate pair (U+{code:04X}) at character {problem.start + 1}"
    return None


def read_bounded_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines of a binary file with their 1-based number; None stands for one longer than `MAX_LINE_BYTES`.

    Lines end at a line feed alone: U+2028 and its kin are text.
    """
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) <= MAX_LINE_BYTES or line.endswith(b"\n"):
            yield number, line
            continue
        while (piece := file.readline(1 << 20)) and not piece.endswith(b"\n"):
            pass
        yield number, None
