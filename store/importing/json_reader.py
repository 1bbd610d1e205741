"""Raw rows of JSON files: one object a line, or one array of objects, both read in bounded memory."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_values import (
    MAX_LINE_BYTES,
    check_depth,
    check_row,
    decode_json,
    decode_json_prefix,
    find_json_end,
    needs_text_check,
    read_bounded_lines,
)
from pitchpipe.store.importing.rows import RawRow, RowProblem, describe
from pitchpipe.store.records import RejectedRow

RawResult = tuple[int, RawRow] | RejectedRow

_CHUNK_CHARACTERS = 1 << 20
_BLANK = " \t\r\n"


def read_json_lines(path: Path, meter: ReadMeter) -> Iterator[RawResult]:
    """One raw row for every line that is not blank; a line that cannot be read is reported and reading goes on."""
    with path.open("rb") as file, meter.watch(file.tell):
        for number, line in read_bounded_lines(file):
            if line is None:
                yield RejectedRow(number, "", f"the line is longer than {MAX_LINE_BYTES:,} bytes")
                continue
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            try:
                yield number, _read_line(line)
            except RowProblem as problem:
                ending = "" if line.endswith(b"\n") else "; the file ends in the middle of this line"
                is_cut = problem.reason.startswith("broken JSON")
                yield RejectedRow(number, problem.column, problem.reason + (ending if is_cut else ""))


def _read_line(line: bytes) -> RawRow:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as problem:
        place = str(problem.start + 1)
        raise RowProblem(place, f"the bytes at {place} are not UTF-8 text") from None
    return _check_object(decode_json(text), needs_text_check(text))


def _check_object(value: Any, is_suspicious: bool) -> RawRow:
    if not isinstance(value, dict):
        raise RowProblem("", f"should be an object with named columns but is {describe(value)}")
    if is_suspicious:
        check_row(value)
    return value


def read_json_file(path: Path, meter: ReadMeter) -> Iterator[RawResult]:
    """Raw rows of a .json file: an array of objects, or one object a line as many files of that name hold."""
    with path.open("rb") as file:
        first = file.read(1 << 16).removeprefix(codecs.BOM_UTF8).lstrip()
    if first.startswith(b"["):
        return read_json_array(path, meter)
    if first.startswith(b"{"):
        first_line = first.split(b"\n", 1)[0]
        try:
            json.loads(first_line)
        except (ValueError, RecursionError):
            if len(first_line) < len(first):
                raise ImportFileError(
                    f"{path.name} holds one JSON object over several lines, not a list of rows.",
                    "Give a file that holds a JSON array of objects, or one object a line (.jsonl).",
                ) from None
        return read_json_lines(path, meter)
    found = describe(first[:20].decode("utf-8", "replace"))
    raise ImportFileError(
        f"{path.name} does not begin like JSON: expected [ or {{ but found {found}.",
        "Give a file that holds a JSON array of objects, or one object a line (.jsonl).",
    )


def read_json_array(path: Path, meter: ReadMeter) -> Iterator[RawResult]:
    """Raw rows of one JSON array, read piece by piece; `line` counts the elements from 1.

    An element that is not sound is reported and reading goes on behind it, as long as its end can be found.
    """
    elements = _ArrayReader(path)
    try:
        with meter.watch(elements.tell):
            yield from elements.read()
    finally:
        elements.close()


class _ArrayReader:
    """Walks a JSON array through a buffer that never holds more than one element and one piece of the file."""

    def __init__(self, path: Path) -> None:
        # Bytes that are not UTF-8 become lone surrogates, so that only the row they stand in is refused.
        self._bytes = path.open("rb")
        self._file = io.TextIOWrapper(self._bytes, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._buffer = ""
        self._position = 0
        self._at_end = False
        self._row = 0

    def close(self) -> None:
        self._file.close()

    def tell(self) -> int:
        """Bytes read so far."""
        return self._bytes.tell()

    def read(self) -> Iterator[RawResult]:
        self._skip_blanks()
        self._position += 1  # the opening bracket, which the caller has seen
        while True:
            following = self._skip_blanks()
            if following == "]" and self._row == 0:
                self._position += 1
                break
            self._row += 1
            result, goes_on = self._read_element()
            yield result
            if not goes_on:
                return
            following = self._skip_blanks()
            if following not in (",", "]"):
                fault = f"expected a comma but found {following!r}" if following else "the array breaks off"
                yield self._stop(fault)
                return
            self._position += 1
            if following == "]":
                break
        if self._skip_blanks():
            yield self._stop("there is more text behind the end of the array")

    def _stop(self, reason: str) -> RejectedRow:
        return RejectedRow(self._row + 1, "", f"{reason} behind row {self._row}; nothing after it can be read")

    def _read_element(self) -> tuple[RawResult, bool]:
        """The next element, and whether the place behind it is known."""
        while True:
            try:
                value, end = decode_json_prefix(self._buffer, self._position)
                if end < len(self._buffer) or self._at_end:
                    return self._accept(value, end), True
            except (ValueError, RecursionError) as problem:
                behind = find_json_end(self._buffer, self._position)
                if behind is not None:
                    return self._refuse(behind, problem), True
            if self._at_end:
                return RejectedRow(self._row, "", "the file ends, or breaks, in the middle of this row"), False
            if len(self._buffer) - self._position > MAX_LINE_BYTES:
                reason = f"the row is longer than {MAX_LINE_BYTES:,} characters; nothing after it can be read"
                return RejectedRow(self._row, "", reason), False
            self._read_more()

    def _accept(self, value: Any, end: int) -> RawResult:
        text = self._buffer[self._position : end]
        self._position = end
        try:
            check_depth(text)
            return self._row, _check_object(value, needs_text_check(text) or not _is_encodable(text))
        except RowProblem as problem:
            return RejectedRow(self._row, problem.column, problem.reason)

    def _refuse(self, end: int, problem: ValueError | RecursionError) -> RejectedRow:
        start, self._position = self._position, end
        try:
            decode_json(self._buffer[start:end])
        except RowProblem as found:
            return RejectedRow(self._row, found.column, found.reason)
        return RejectedRow(self._row, "", f"not JSON: {str(problem)[:200]}")

    def _skip_blanks(self) -> str:
        """The next character that is not blank, "" at the end of the file."""
        while True:
            while self._position < len(self._buffer):
                character = self._buffer[self._position]
                if character not in _BLANK:
                    return character
                self._position += 1
            if self._at_end:
                return ""
            self._read_more()

    def _read_more(self) -> None:
        # At least doubling keeps the repeated attempts at one long element linear in its length.
        rest = self._buffer[self._position :]
        piece = self._file.read(max(_CHUNK_CHARACTERS, len(rest)))
        self._at_end = not piece
        self._buffer = rest + piece
        self._position = 0


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
