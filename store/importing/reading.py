"""From a file to parsed rows: finds the reader by the file's suffix and the parser by format, mapping or guess.

What concerns the file as a whole is raised before the first row; what concerns one row is a `RejectedRow` in its place.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from pitchpipe.store.errors import ImportFileError, NotFoundError, UsageError
from pitchpipe.store.importing.formats import FORMATS, PARSERS, SIGNS, guess_format
from pitchpipe.store.importing.json_reader import RawResult, read_json_file, read_json_lines
from pitchpipe.store.importing.mapping_file import load_mapping
from pitchpipe.store.importing.rows import RawRow, RowParser, RowProblem, list_columns
from pitchpipe.store.importing.table_reader import read_parquet, read_table
from pitchpipe.store.records import ParsedRow, RejectedRow

_TEXT_TABLES = (".csv", ".tsv", ".txt")
SUFFIXES = (".jsonl", ".ndjson", ".json", *_TEXT_TABLES, ".parquet")
_FIRST_ROWS = 50
"""How many rows are looked at before a format is guessed or a mapping's columns are called wrong."""


def read_examples(
    path: Path, format: str | None = None, mapping: Path | None = None
) -> Iterator[ParsedRow | RejectedRow]:
    """Every row of a file as an example or a rejection, in the file's order and in bounded memory.

    Args:
        path: A .jsonl, .ndjson, .json, .csv, .tsv, .txt or .parquet file.
        format: One of `FORMATS`; None guesses from the first rows.
        mapping: A mapping file, instead of a format.

    Raises:
        NotFoundError: the file or the mapping file does not exist.
        ImportFileError: the file cannot be read as data, holds no row, shows no known format, or has none of a column
            that the mapping names.
        UsageError: the suffix or format is unknown, the mapping file is wrong, or both format and mapping are given.
    """
    if format is not None and mapping is not None:
        raise UsageError(f"Both the format {format!r} and the mapping {mapping.name} are given.", "Give one of them.")
    if format is not None and format not in PARSERS:
        raise UsageError(f"The format {format!r} is unknown.", f"Use one of {', '.join(FORMATS)}, or a mapping file.")
    loaded = load_mapping(mapping) if mapping is not None else None
    rows = read_raw_rows(path, loaded.columns if loaded is not None else None)
    first = list(islice(rows, _FIRST_ROWS))
    if not first:
        raise ImportFileError(f"{path.name} holds no rows.", "Check that it is the right file.")
    sound = [item[1] for item in first if not isinstance(item, RejectedRow)]
    if loaded is not None:
        loaded.check_columns(sound, path.name)
        return _parse_rows(chain(first, rows), loaded.parse)
    return _parse_rows(chain(first, rows), PARSERS[format or _require_format(path, first, sound)])


def _require_format(path: Path, first: Sequence[RawResult], sound: Sequence[RawRow]) -> str:
    if not sound:
        broken = next(item for item in first if isinstance(item, RejectedRow))
        raise ImportFileError(
            f"None of the first {len(first)} rows of {path.name} can be read; line {broken.line}: {broken.reason}.",
            "Check that the file is what its name says.",
        )
    guess = guess_format(sound)
    if guess is None:
        looked_for = "; ".join(f"{name} ({signs})" for name, signs in SIGNS.items())
        raise ImportFileError(
            f"{path.name} shows no known format: its first row has {list_columns(sound[0])}.",
            f"Looked for {looked_for}. Name the format, or write a mapping file.",
        )
    return guess


def _parse_rows(rows: Iterable[RawResult], parse: RowParser) -> Iterator[ParsedRow | RejectedRow]:
    for item in rows:
        if isinstance(item, RejectedRow):
            yield item
            continue
        line, row = item
        try:
            yield from parse(line, row)
        except RowProblem as problem:
            yield RejectedRow(line, problem.column, problem.reason)


def read_raw_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[RawResult]:
    """Raw rows of a file by its suffix; `columns` names the cells of a text table without a header.

    Raises:
        NotFoundError, ImportFileError, UsageError: as `read_examples`, before the first row.
    """
    suffix = path.suffix.lower()
    _check_file(path, suffix)
    if columns is not None and suffix not in _TEXT_TABLES:
        raise UsageError(
            f"The mapping names columns for {path.name}, whose columns have names of their own.",
            f"Leave columns out; it is for {', '.join(_TEXT_TABLES)} files without a header.",
        )
    if suffix in _TEXT_TABLES:
        rows = read_table(path, columns)
    elif suffix == ".parquet":
        rows = read_parquet(path)
    else:
        rows = read_json_file(path) if suffix == ".json" else read_json_lines(path)
    return _report_disk_errors(path, rows)


def _report_disk_errors(path: Path, rows: Iterator[RawResult]) -> Iterator[RawResult]:
    try:
        yield from rows
    except OSError as problem:
        raise ImportFileError(
            f"{path.name} cannot be read: {problem.strerror or problem}.", "Check the disk and your right to read it."
        ) from None


def _check_file(path: Path, suffix: str) -> None:
    try:
        is_there, is_file = path.exists(), path.is_file()
    except (OSError, ValueError) as problem:
        raise NotFoundError(f"There is no file {str(path)!r}: {problem}.", "Check the name.") from None
    if not is_there:
        raise NotFoundError(f"There is no file {path}.", "Check the name and the folder you are in.")
    if not is_file:
        raise ImportFileError(f"{path} is not a file.", "Name one file; a folder is imported file by file.")
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{path.name} has the suffix {suffix!r}, which is unknown.", f"Use one of {', '.join(SUFFIXES)}."
        )
    try:
        with path.open("rb") as file:
            begin = file.read(1 << 12)
    except OSError as problem:
        raise ImportFileError(
            f"{path.name} cannot be read: {problem.strerror}.", "Check your right to read it."
        ) from None
    _check_begin(path, suffix, begin)


def _check_begin(path: Path, suffix: str, begin: bytes) -> None:
    if not begin.strip(b" \t\r\n\xef\xbb\xbf"):
        raise ImportFileError(f"{path.name} is empty.", "Check that it was written to the end.")
    if suffix == ".parquet":
        return
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ImportFileError(f"{path.name} is UTF-16 text.", "Save it as UTF-8.")
    first_line = begin.lstrip(b" \t\r\n\xef\xbb\xbf").split(b"\n", 1)[0].strip()
    if suffix in (".jsonl", ".ndjson") and (first_line == b"[" or first_line.startswith(b"[{")):
        raise ImportFileError(
            f"{path.name} is one JSON array, not one object a line.", "Give it the suffix .json and import it again."
        )
