"""What one can do with judgements and consensus, like `verbs`: one function a verb, plain values in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from pitchpipe.store.consensus.consensus_preview import preview_strategies
from pitchpipe.store.consensus.model_comparisons import rank_project_models
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.identity import hash_file
from pitchpipe.store.judging.judgement_export import JSON_COLUMNS, count_held_back, read_judgements
from pitchpipe.training.exports.exporting import neutralise_cell
from pitchpipe.training.runs.run_folders import replace_whole

_FORMATS = ("jsonl", "csv", "parquet")
_MAY_BE_RISKY = r"^['=+\-@\t\r]"


def export_judgements(store: Store, project: str, to: str, format: str | None = None) -> dict[str, Any]:
    """Writes every judgement of a project as it was made, superseded ones too, to the file `to`.

    The same judgements give the same bytes. In JSON lines value, shown and detail are objects; in CSV and Parquet they
    are JSON text, and in CSV a cell that could run as a formula gets an apostrophe in front, as in `export`. Judgements
    of blind reviews that are still open are held back and counted.
    """
    path = Path(to)
    form = format or path.suffix.removeprefix(".").lower()
    if form not in _FORMATS:
        raise UsageError(
            f"Judgements cannot be written as {form!r}.", f"Name a file or a --format of: {', '.join(_FORMATS)}."
        )
    held_back = count_held_back(store, project)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = superseded = 0
    with replace_whole(path) as part, _OPENERS[form](part) as write:
        for piece in read_judgements(store, project):
            write(piece)
            rows += piece.height
            superseded += int(piece["is_superseded"].sum())
    return {"project": project, "file": to, "format": form, "rows": rows, "superseded": superseded,
            "held_back": held_back, "sha256": hash_file(path)}  # fmt: skip


def consensus(
    store: Store, project: str, question: str, strategies: list[str] | None = None, current: str | None = None
) -> dict[str, Any]:
    """What each strategy makes of a question, side by side; changes are counted against `current`."""
    found = preview_strategies(store, project, question, strategies or (), current)
    shown = [
        {
            "strategy": one.strategy, "model": one.model, "changed": one.changed, "tied": one.tied,
            "undecided": one.undecided, "disputed": one.disputed, "support": one.mean_support,
            "confidence": one.mean_confidence, "right": one.right.share, "known": one.right.total,
            "distribution": one.distribution,
        }
        for one in found.strategies
    ]  # fmt: skip
    return {
        "project": project, "question": question, "units": found.units, "current": found.current,
        "strategies": shown, "advice": found.advice,
    }  # fmt: skip


def models(store: Store, project: str, resamples: int = 300) -> dict[str, Any]:
    """How the models of a project stand by the comparisons of their answers (Bradley-Terry with ties)."""
    return {"project": project, **asdict(rank_project_models(store, project, resamples))}


Write = Callable[[pl.DataFrame], None]


@contextmanager
def _open_lines(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        yield lambda piece: _write_lines(file, piece)


def _write_lines(file: BinaryIO, piece: pl.DataFrame) -> None:
    """One object a line. The stored JSON is put into it as it is, which is far faster than to parse it."""
    plain = pl.struct(pl.exclude(JSON_COLUMNS)).struct.json_encode().str.head(-1)
    held = [pl.concat_str(pl.lit(f',"{name}":'), pl.col(name).fill_null("null")) for name in JSON_COLUMNS]
    lines = piece.select(pl.concat_str(plain, *held, pl.lit("}\n")).alias("line"))["line"]
    file.writelines(line.encode("utf-8", "surrogatepass") for line in lines)


@contextmanager
def _open_table(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        yield lambda piece: _write_cells(file, piece)


def _write_cells(file: BinaryIO, piece: pl.DataFrame) -> None:
    texts = [name for name, kind in piece.schema.items() if kind == pl.String]
    risky = [name for name in texts if piece[name].str.contains(_MAY_BE_RISKY).any()]
    cells = piece.with_columns(pl.col(risky).map_elements(neutralise_cell, return_dtype=pl.String))
    cells.write_csv(file, include_header=file.tell() == 0, line_terminator="\n")


@contextmanager
def _open_parquet(path: Path) -> Iterator[Write]:
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None

    def write(piece: pl.DataFrame) -> None:
        nonlocal writer
        table = piece.to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


_OPENERS = {"jsonl": _open_lines, "csv": _open_table, "parquet": _open_parquet}
