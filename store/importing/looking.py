"""A look at a file before anything is decided: its columns with samples, and the format that its first rows show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.formats import SIGNS, guess_format
from pitchpipe.store.importing.mapping_file import load_mapping
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_reading import TEXT_TABLES
from pitchpipe.store.importing.reading import FIRST_ROWS, read_raw_rows
from pitchpipe.store.importing.rows import RawRow, describe, format_value
from pitchpipe.store.records import RejectedRow

_MOST_SEEN = 1000
_MOST_BYTES = 16 << 20
"""Words that stand in few rows are looked for this far, unless the rows are huge."""
_MOST_COLUMNS = 200
_SAMPLES = 3
_MOST_VALUES = 20
_LONGEST_VALUE = 40
_SAMPLE_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the first rows."""

    name: str
    kind: str
    """What its values are: text, number, yes/no, turns, list, object, or several of these."""
    filled: int
    """In how many of the first rows it is not empty."""
    samples: list[str]
    values: list[str]
    """All values where they are few and short: words that a mapping may have to translate; else none."""


@dataclass(frozen=True, slots=True)
class FileLook:
    """What the first rows of a file show."""

    format: str | None
    reason: str
    columns: list[Column]
    rows: list[RawRow] = field(default_factory=list)
    """The first sound rows as they stand."""
    rejects: list[RejectedRow] = field(default_factory=list)


def look_at_file(path: Path, mapping: Path | None = None, names: Sequence[str] | None = None) -> FileLook:
    """What the first rows show, also where no format is known.

    Args:
        names: of the cells of a text table without a header; else those of the mapping, if it has some.

    Raises:
        NotFoundError, ImportFileError, UsageError: the file cannot be read as data at all.
    """
    if names is None and mapping is not None:
        names = load_mapping(mapping).columns
    if path.suffix.lower() not in TEXT_TABLES:
        names = None
    meter = ReadMeter()
    seen = []
    for item in islice(read_raw_rows(path, names, meter), _MOST_SEEN):
        seen.append(item)
        if len(seen) >= FIRST_ROWS and meter.done > _MOST_BYTES:
            break
    rows = [item[1] for item in seen if isinstance(item, tuple)]
    rejects = [item for item in seen if isinstance(item, RejectedRow)]
    if not rows:
        told = f"line {rejects[0].line}: {rejects[0].reason}" if rejects else "it holds no rows"
        raise ImportFileError(
            f"No row of {path.name} can be read; {told}.", "Check that the file is what its name says."
        )
    guess = guess_format(rows[:FIRST_ROWS])
    reason = f"its rows have {SIGNS[guess]}" if guess else "its rows show no known format"
    return FileLook(guess, reason, _describe_columns(rows), rows[:FIRST_ROWS], rejects)


def look_at_columns(path: Path, mapping: Path | None = None) -> list[Column]:
    """The columns of a file's first rows, none where no row can be read."""
    try:
        return look_at_file(path, mapping).columns
    except ImportFileError:
        return []


def _describe_columns(rows: list[RawRow]) -> list[Column]:
    names = list(dict.fromkeys(name for row in rows for name in row))[:_MOST_COLUMNS]
    return [_describe_column(name, [row[name] for row in rows if name in row]) for name in names]


def _describe_column(name: str, values: list[Any]) -> Column:
    full = [value for value in values if value not in (None, "", [], {})]
    kinds = list(dict.fromkeys(_name_kind(value) for value in full))
    texts = list(dict.fromkeys(format_value(value) for value in full))
    is_short = len(texts) <= _MOST_VALUES and all(len(text) <= _LONGEST_VALUE for text in texts)
    samples = [text if len(text) <= _SAMPLE_LENGTH else text[:_SAMPLE_LENGTH] + "…" for text in texts[:_SAMPLES]]
    return Column(name, ", ".join(kinds) or "empty", len(full), samples, sorted(texts) if is_short else [])


def _name_kind(value: Any) -> str:
    """
    >>> [_name_kind(value) for value in ("a", 1.5, True, [{"role": "user"}], [1])]
    ['text', 'number', 'yes/no', 'turns', 'list']
    """
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "yes/no"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        is_turns = bool(value) and isinstance(value[0], dict) and bool({"role", "from"} & set(value[0]))
        return "turns" if is_turns else "list"
    return "object" if isinstance(value, dict) else describe(value)
