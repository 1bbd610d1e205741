"""From a file or folder to parsed rows, by a format, a mapping, or the guess which format it is.

What concerns the file as a whole is raised before the first row; what concerns one row is a `RejectedRow` in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from pitchpipe.store.errors import ImportFileError, UsageError
from pitchpipe.store.importing.folders import Part
from pitchpipe.store.importing.formats import FORMATS, PARSERS, SIGNS, guess_format
from pitchpipe.store.importing.json_reader import RawResult
from pitchpipe.store.importing.mapping import find_split
from pitchpipe.store.importing.mapping_file import load_mapping
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_reading import SUFFIXES, read_raw_rows
from pitchpipe.store.importing.rows import RawRow, RowParser, RowProblem, list_columns
from pitchpipe.store.records import ParsedRow, RejectedRow

__all__ = ["FIRST_ROWS", "SUFFIXES", "OpenedFile", "open_examples", "read_examples", "read_raw_rows"]

FIRST_ROWS = 50
"""How many rows are looked at before a format is guessed or a mapping's columns are called wrong."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file whose first rows have been seen and whose way of reading is settled."""

    format: str | None
    """The format by which it is read, None with a mapping."""
    is_guessed: bool
    rows: Iterator[ParsedRow | RejectedRow]


def read_examples(
    path: Path, format: str | None = None, mapping: Path | None = None, meter: ReadMeter | None = None
) -> Iterator[ParsedRow | RejectedRow]:
    """Every row of a file as an example or a rejection, in the file's order and in bounded memory.

    Args:
        path: A .jsonl, .ndjson, .json, .csv, .tsv, .txt, .parquet or .arrow file, or a folder of such.
        format: One of `FORMATS`; None guesses from the first rows.
        mapping: A mapping file, instead of a format.
        meter: is told how many bytes there are and were read.

    Raises:
        NotFoundError: the file or the mapping file does not exist.
        ImportFileError: the file cannot be read as data, holds no row, shows no known format, or has none of a column
            that the mapping names.
        UsageError: the suffix or format is unknown, the mapping file is wrong, or both format and mapping are given.
    """
    return open_examples(path, format, mapping, meter).rows


def open_examples(
    path: Path, format: str | None = None, mapping: Path | None = None, meter: ReadMeter | None = None
) -> OpenedFile:
    """As `read_examples`, and says by which format the file is read."""
    if format is not None and mapping is not None:
        raise UsageError(f"Both the format {format!r} and the mapping {mapping.name} are given.", "Give one of them.")
    if format is not None and format not in PARSERS:
        raise UsageError(f"The format {format!r} is unknown.", f"Use one of {', '.join(FORMATS)}, or a mapping file.")
    loaded = load_mapping(mapping) if mapping is not None else None
    rows = read_raw_rows(path, loaded.columns if loaded is not None else None, meter)
    first = list(islice(rows, FIRST_ROWS))
    if not any(not isinstance(item, Part) for item in first):
        raise ImportFileError(f"{path.name} holds no rows.", "Check that it is the right file.")
    sound = [item[1] for item in first if isinstance(item, tuple)]
    if loaded is not None:
        loaded.check_columns(sound, path.name)
        return OpenedFile(None, False, _parse_rows(chain(first, rows), loaded.parse))
    name = format or _require_format(path, first, sound)
    return OpenedFile(name, format is None, _parse_rows(chain(first, rows), PARSERS[name]))


def _require_format(path: Path, first: Sequence[RawResult | Part], sound: Sequence[RawRow]) -> str:
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


def _parse_rows(rows: Iterable[RawResult | Part], parse: RowParser) -> Iterator[ParsedRow | RejectedRow]:
    part: Part | None = None
    for item in rows:
        if isinstance(item, Part):
            part = item
        elif part is None:
            yield from _parse_row(item, parse)
        else:
            for result in _parse_row(item, parse):
                yield _place(result, part)


def _parse_row(item: RawResult, parse: RowParser) -> Iterator[ParsedRow | RejectedRow]:
    if isinstance(item, RejectedRow):
        yield item
        return
    line, row = item
    try:
        yield from parse(line, row)
    except RowProblem as problem:
        yield RejectedRow(line, problem.column, problem.reason)


def _place(result: ParsedRow | RejectedRow, part: Part) -> ParsedRow | RejectedRow:
    """A row of a folder says which file it stands in, and takes the side that the file's place declares."""
    if isinstance(result, RejectedRow):
        return replace(result, reason=f"{part.name}: {result.reason}")
    split = find_split(part.split) if part.split is not None and result.split is None else None
    return result if split is None else replace(result, split=split)
