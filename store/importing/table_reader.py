"""Raw rows of text tables: CSV and tab-separated. Cells are text; of our own exports they are what was exported."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.json_reader import RawResult
from pitchpipe.store.importing.own_tables import is_own_table, restore_row
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_values import MAX_LINE_BYTES, find_text_fault, read_bounded_lines
from pitchpipe.store.importing.rows import describe, list_columns
from pitchpipe.store.records import RejectedRow

_DELIMITERS = (",", "\t", ";")
_TOO_LONG = "\x00too long"
"""Stands for a line that was not read; NUL, which no sound line holds, keeps it apart from text."""


def read_table(path: Path, meter: ReadMeter, columns: Sequence[str] | None = None) -> Iterator[RawResult]:
    """Rows of a CSV or tab-separated file; `columns` names the cells of a file without a header.

    The delimiter is the one among comma, tab and semicolon that the first line holds most often. `line` is the line on
    which a row begins; a row may span several.

    Raises:
        ImportFileError: the header is broken, or names a column twice.
    """
    delimiter = _guess_delimiter(path)
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open("rb") as file, meter.watch(file.tell):
        reader = csv.reader(_decode_lines(file), delimiter=delimiter, strict=True)
        names = list(columns) if columns is not None else _read_header(reader, path)
        is_ours = columns is None and is_own_table(names)
        begins = reader.line_num
        while True:
            line = begins + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                begins = reader.line_num
                yield RejectedRow(line, "", f"broken table row: {problem}")
                continue
            begins = reader.line_num
            if cells:
                result = _build_row(line, names, cells)
                yield restore_row(result) if is_ours else result


def _decode_lines(file: Any) -> Iterator[str]:
    """Lines as text; bytes that are not UTF-8 become surrogates, long lines `_TOO_LONG`; both are refused later."""
    for number, line in read_bounded_lines(file):
        if line is None:
            yield _TOO_LONG + "\n"
            continue
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        yield line.decode("utf-8", "surrogateescape")


def _guess_delimiter(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline(1 << 16).decode("utf-8", "replace")
    return max(_DELIMITERS, key=first.count)


def _read_header(reader: Any, path: Path) -> list[str]:
    try:
        names: list[str] = next((cells for cells in reader if cells), [])
    except csv.Error as problem:
        raise ImportFileError(
            f"{path.name} has a header that cannot be read: {problem}.", "Save the table again as UTF-8 CSV."
        ) from None
    names = [name.strip() for name in names]
    fault = next((reason for name in names if (reason := find_text_fault(name))), None)
    if fault is not None:
        raise ImportFileError(f"{path.name} has a header that {fault}.", "Save the table again as UTF-8 CSV.")
    if "" in names or len(set(names)) < len(names):
        raise ImportFileError(
            f"{path.name} has a header with empty or repeated names: {', '.join(map(describe, names[:20]))}.",
            'Name every column once, or, for a file without a header, give columns = ["…"] in a mapping file.',
        )
    return names


def _build_row(line: int, names: list[str], cells: list[str]) -> RawResult:
    if cells == [_TOO_LONG]:
        return RejectedRow(line, "", f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    if len(cells) != len(names):
        reason = f"has {len(cells)} cells where {len(names)} are named ({list_columns(dict.fromkeys(names))})"
        return RejectedRow(line, "", reason)
    for name, cell in zip(names, cells, strict=True):
        if not cell.isascii() or "\x00" in cell:
            fault = find_text_fault(cell)
            if fault is not None:
                return RejectedRow(line, name, fault)
    return line, dict(zip(names, cells, strict=True))
