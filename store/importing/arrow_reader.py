"""Raw rows of Parquet files and of the Arrow streams that `datasets` saves, batch by batch, with their own types."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.json_reader import RawResult
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_values import check_row
from pitchpipe.store.importing.rows import RawRow, RowProblem
from pitchpipe.store.records import RejectedRow

_BROKEN = (OSError, ValueError, OverflowError, MemoryError)
"""What pyarrow raises besides errors of its own where a file is broken: a name that is not UTF-8, an absurd length."""
_BATCH_ROWS = 1024
_BATCH_BYTES = 16 << 20
_MOST_UNPACKED = 4 << 30
"""A row group that says it unpacks to more is refused: a batch of it may need as much memory."""


def read_parquet(path: Path, meter: ReadMeter) -> Iterator[RawResult]:
    """Rows of a Parquet file; NaN, which pandas writes for a missing number, becomes null.

    Raises:
        ImportFileError: the file is not Parquet, or a part of it cannot be read.
    """
    # Loading pyarrow takes a third of a second, which a command that reads no Parquet should not pay.
    import pyarrow
    import pyarrow.parquet

    size = path.stat().st_size
    line = rows = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file, meter.watch(lambda: size * line // max(rows, 1)):
            rows = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=_choose_batch(path, file.metadata)):
                for row in _iterate_batch(batch):
                    line += 1
                    yield _check_row(line, row)
    except (pyarrow.ArrowException, *_BROKEN) as problem:
        raise _explain(path, "Parquet", problem) from None


def _choose_batch(path: Path, metadata: Any) -> int:
    """Rows a batch, so that one takes about `_BATCH_BYTES` by what the file says of itself."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size for group in groups), default=0)
    if largest > _MOST_UNPACKED:
        raise ImportFileError(
            f"{path.name} has a row group that unpacks to {largest:,} bytes.",
            "Write it again with smaller row groups, such as 10,000 rows each.",
        )
    widest = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_BATCH_ROWS, int(_BATCH_BYTES / max(widest, 1))))


def read_arrow(path: Path, meter: ReadMeter) -> Iterator[RawResult]:
    """Rows of an Arrow IPC stream or file, as `Dataset.save_to_disk` writes them.

    Raises:
        ImportFileError: the file is not Arrow, or a part of it cannot be read.
    """
    import pyarrow
    import pyarrow.ipc

    line = 0
    try:
        with path.open("rb") as file, meter.watch(file.tell):
            is_stream = file.read(6) != b"ARROW1"
            file.seek(0)
            opened = pyarrow.ipc.open_stream(file) if is_stream else pyarrow.ipc.open_file(file)
            for batch in opened if is_stream else map(opened.get_batch, range(opened.num_record_batches)):
                # The format trusts its own offsets: a changed byte would make the reader look outside of its memory.
                batch.validate(full=True)
                for start in range(0, batch.num_rows, _BATCH_ROWS):
                    for row in _iterate_batch(batch.slice(start, _BATCH_ROWS)):
                        line += 1
                        yield _check_row(line, row)
    except (pyarrow.ArrowException, *_BROKEN) as problem:
        raise _explain(path, "Arrow", problem) from None


def _explain(path: Path, what: str, problem: Exception) -> ImportFileError:
    return ImportFileError(
        f"{path.name} cannot be read as {what}: {str(problem)[:200]}.",
        f"Check that the file is complete, or save it again as {what}, JSONL or CSV.",
    )


def _iterate_batch(batch: Any) -> Iterator[RawRow | RowProblem]:
    names = batch.schema.names
    try:
        columns = [column.to_pylist() for column in batch.columns]
    except (ValueError, OverflowError):  # a text that is not UTF-8, or a time that Python cannot hold
        columns = None
    if columns is not None:
        for cells in zip(*columns, strict=True):
            yield dict(zip(names, cells, strict=True))
        return
    for index in range(batch.num_rows):
        yield _read_cells(batch, names, index)


def _read_cells(batch: Any, names: list[str], index: int) -> RawRow | RowProblem:
    row = {}
    for name, column in zip(names, batch.columns, strict=True):
        try:
            row[name] = column[index].as_py()
        except (ValueError, OverflowError) as problem:
            return RowProblem(name, f"cannot be read: {str(problem)[:120]}")
    return row


def _check_row(line: int, row: RawRow | RowProblem) -> RawResult:
    if isinstance(row, RowProblem):
        return RejectedRow(line, row.column, row.reason)
    for name, value in row.items():
        if isinstance(value, float) and math.isnan(value):
            row[name] = None
    try:
        check_row(row)
    except RowProblem as problem:
        return RejectedRow(line, problem.column, problem.reason)
    return line, row
