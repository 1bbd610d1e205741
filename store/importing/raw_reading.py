"""Raw rows of a file or folder: finds the reader, and says what is wrong with the whole before the first row."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path

from pitchpipe.store.errors import ImportFileError, NotFoundError, UsageError
from pitchpipe.store.importing.arrow_reader import read_arrow, read_parquet
from pitchpipe.store.importing.folders import FolderPart, Part, list_parts
from pitchpipe.store.importing.json_reader import RawResult, read_json_file, read_json_lines
from pitchpipe.store.importing.potato_folder import is_potato_folder, read_potato_folder
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.table_reader import read_table

TEXT_TABLES = (".csv", ".tsv", ".txt")
SUFFIXES = (".jsonl", ".ndjson", ".json", *TEXT_TABLES, ".parquet", ".arrow")
_PACKED = {
    b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf": "7-zip",
}  # fmt: skip


def read_raw_rows(
    path: Path, columns: Sequence[str] | None = None, meter: ReadMeter | None = None
) -> Iterator[RawResult | Part]:
    """Raw rows of a file by its suffix, or of all the files of a folder, each begun by its `Part`.

    Args:
        columns: names of the cells of a text table without a header.
        meter: is told how many bytes there are and were read.

    Raises:
        NotFoundError, ImportFileError, UsageError: as `read_examples`, before the first row.
    """
    meter = meter or ReadMeter()
    _check_there(path)
    if not path.is_dir():
        meter.total = path.stat().st_size
        return _report_disk_errors(path, open_rows(path, meter, columns))
    if is_potato_folder(path):
        return _report_disk_errors(path, read_potato_folder(path, meter))
    parts = list_parts(path)
    meter.total = sum(part.path.stat().st_size for part in parts)
    for part in parts:
        _check_file(part.path)
    return _report_disk_errors(path, _read_parts(parts, meter, columns))


def _read_parts(
    parts: Sequence[FolderPart], meter: ReadMeter, columns: Sequence[str] | None
) -> Iterator[RawResult | Part]:
    for part in parts:
        yield Part(part.path.name, part.split)
        yield from open_rows(part.path, meter, columns)


def open_rows(path: Path, meter: ReadMeter, columns: Sequence[str] | None = None) -> Iterator[RawResult]:
    """Raw rows of one file by its suffix."""
    suffix = path.suffix.lower()
    _check_file(path)
    if columns is not None and suffix not in TEXT_TABLES:
        raise UsageError(
            f"The mapping names columns for {path.name}, whose columns have names of their own.",
            f"Leave columns out; it is for {', '.join(TEXT_TABLES)} files without a header.",
        )
    if suffix in TEXT_TABLES:
        return read_table(path, meter, columns)
    if suffix in (".parquet", ".arrow"):
        return read_parquet(path, meter) if suffix == ".parquet" else read_arrow(path, meter)
    return read_json_file(path, meter) if suffix == ".json" else read_json_lines(path, meter)


def _report_disk_errors(path: Path, rows: Iterator[RawResult | Part]) -> Iterator[RawResult | Part]:
    try:
        yield from rows
    except OSError as problem:
        raise ImportFileError(
            f"{path.name} cannot be read: {problem.strerror or problem}.", "Check the disk and your right to read it."
        ) from None


def _check_there(path: Path) -> None:
    try:
        is_there = path.exists()
    except (OSError, ValueError) as problem:
        raise NotFoundError(f"There is no file {str(path)!r}: {problem}.", "Check the name.") from None
    if not is_there:
        hub = f" For a dataset of the Hub write hf://{path}." if len(path.parts) == 2 and not path.suffix else ""
        raise NotFoundError(f"There is no file {path}.", f"Check the name and the folder you are in.{hub}")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ImportFileError(f"{path} is no file and no folder.", "Name a file, or a folder of data files.")
    suffix = path.suffix.lower()
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
    packed = next((name for sign, name in _PACKED.items() if begin.startswith(sign)), None)
    if packed is not None:
        raise ImportFileError(f"{path.name} is a {packed} archive.", "Unpack it and import what is in it.")
    if suffix in (".parquet", ".arrow"):
        return
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ImportFileError(f"{path.name} is UTF-16 text.", "Save it as UTF-8.")
    first_line = begin.lstrip(b" \t\r\n\xef\xbb\xbf").split(b"\n", 1)[0].strip()
    if suffix in (".jsonl", ".ndjson") and (first_line == b"[" or first_line.startswith(b"[{")):
        raise ImportFileError(
            f"{path.name} is one JSON array, not one object a line.", "Give it the suffix .json and import it again."
        )
