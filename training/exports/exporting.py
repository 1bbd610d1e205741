"""Exporting: a form of a snapshot as files that TRL and other tools load as they are. Free of torch.

`export_snapshot` writes `<form>.<format>`, `<form>.dropped.jsonl` (every row left out, with its rule) and last
`<form>.manifest.json`, so one folder holds several forms. Nothing in them depends on the time or the place of the
export, so repeating it gives the same bytes.

Messages are lists of {role, content} in Parquet and JSONL and JSON text in CSV. A CSV cell that begins with = + - @,
a tab or a carriage return could run as a formula in a spreadsheet, so it gets an apostrophe in front; so that this can
be undone exactly, a cell that begins with apostrophes before such a character gets one more. `own_tables.restore_cell`
undoes it.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from pitchpipe.store.errors import SnapshotError, UsageError
from pitchpipe.store.identity import hash_file
from pitchpipe.training.exports.export_rows import MESSAGES, encode_dropped, look_up, select_raw, select_rows
from pitchpipe.training.rows.format_rules import write_policy
from pitchpipe.training.rows.formats import VERSION, Form, FormatPolicy, FormatResult
from pitchpipe.training.rows.soft_labels import list_soft_columns
from pitchpipe.training.runs.run_folders import read_json, replace_whole, write_atomic, write_json

FORMS = ("sft", "dpo", "kto", "reward", "classify", "raw")
FORMATS = ("parquet", "jsonl", "csv")
_GROUP = 50_000
"""Rows of a Parquet row group."""
_RISKY = re.compile(r"'*[=+\-@\t\r]")
_COLUMNS: dict[str, dict[str, Any]] = {
    "sft": {"prompt": MESSAGES, "completion": MESSAGES},
    "dpo": {"prompt": MESSAGES, "chosen": MESSAGES, "rejected": MESSAGES, "margin": pl.Float64},
    "kto": {"prompt": MESSAGES, "completion": MESSAGES, "label": pl.Boolean},
    "reward": {"prompt": MESSAGES, "chosen": MESSAGES, "rejected": MESSAGES, "margin": pl.Float64},
    "classify": {"text": pl.String, "label": pl.String},
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote: `considered == kept + sum(dropped.values())`."""

    snapshot_id: str
    form: str
    format: str
    path: Path
    considered: int
    kept: int
    dropped: dict[str, int]
    """Rows left out, by rule."""
    sha256: str


def export_snapshot(
    snapshot_folder: Path,
    form: Form,
    to: Path,
    format: Literal["parquet", "jsonl", "csv"] = "parquet",
    policy: FormatPolicy | None = None,
) -> ExportReport:
    """Writes one form of a snapshot into the folder `to`; holdout rows never come along."""
    if form not in FORMS:
        raise UsageError(f"There is no form {form!r}.", f"The forms are: {', '.join(FORMS)}.")
    if format not in FORMATS:
        raise UsageError(f"There is no export format {format!r}.", f"The formats are: {', '.join(FORMATS)}.")
    policy = policy or FormatPolicy()
    refuse_snapshot_folder(to)
    with _collect_no_garbage():
        manifest, rows = read_snapshot(snapshot_folder)
        result, table = select_raw(rows) if form == "raw" else _formed(form, rows, policy)
        to.mkdir(parents=True, exist_ok=True)
        path, left_out, sealed = to / f"{form}.{format}", to / f"{form}.dropped.jsonl", to / f"{form}.manifest.json"
        sealed.unlink(missing_ok=True)
        with replace_whole(path) as part:
            _WRITERS[format](table, part)
        write_atomic(left_out, encode_dropped(result.dropped))
    report = ExportReport(
        snapshot_id=manifest["snapshot_id"],
        form=form,
        format=format,
        path=path,
        considered=result.considered,
        kept=len(result.kept),
        dropped=dict(sorted(Counter(row.rule for row in result.dropped).items())),
        sha256=hash_file(path),
    )
    files = {written.name: hash_file(written) for written in (left_out, path)}
    facts = {key: value for key, value in asdict(report).items() if key not in ("path", "sha256")}
    write_json(sealed, {**facts, "policy": write_policy(policy), "rules_version": VERSION, "files": files})
    return report


def refuse_snapshot_folder(to: Path) -> None:
    """Raises UsageError where something would be written into a snapshot, which never changes."""
    place = to.resolve()
    for folder in (place, *place.parents):
        if (folder / "manifest.json").exists() and (folder / "rows.parquet").exists():
            raise UsageError(f"'{to}' lies in a snapshot, which never changes.", "Name a folder of your own.")


def read_snapshot(folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """The manifest and the rows of a snapshot folder, after checking that the rows are the ones it vouches for."""
    manifest = read_json(folder / "manifest.json")
    if not manifest:
        raise SnapshotError(
            f"{folder} is no finished snapshot: it has no manifest.json.",
            "Name a folder under <workspace>/snapshots/, or make the snapshot again.",
        )
    path = folder / "rows.parquet"
    expected = manifest.get("files", {}).get("rows.parquet", {}).get("sha256")
    if not path.is_file() or hash_file(path) != expected:
        raise SnapshotError(
            f"The rows of snapshot {manifest.get('snapshot_id')} are not the ones that its manifest vouches for.",
            "Restore the folder from a copy, or make the snapshot again; `pitchpipe snapshot verify` tells more.",
        )
    return manifest, pl.read_parquet(path)


def _formed(form: str, rows: pl.DataFrame, policy: FormatPolicy) -> tuple[FormatResult, pl.LazyFrame]:
    columns = {**_COLUMNS[form], **list_soft_columns(form, policy)}
    result = select_rows(form, rows, columns, policy)
    return result, look_up(result, rows, columns)


@contextmanager
def _collect_no_garbage() -> Iterator[None]:
    """Lets Python's collector rest: it would look through a hundred thousand rows again and again and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _write_parquet(table: pl.LazyFrame, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # One piece in memory (pieces depend on the number of cores), statistics off, one compression and row groups of one
    # size keep the bytes a function of the rows alone. The types are the plain ones: `datasets` does not put rows of
    # polars' large types together with rows of others.
    rows = table.collect().rechunk()
    told = rows.clear().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    schema = pa.schema([pa.field(column.name, _simplify(column.type)) for column in told])
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3, write_statistics=False) as file:
        for group in rows.iter_slices(_GROUP):
            file.write_table(group.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema), _GROUP)


def _simplify(kind: Any) -> Any:
    """An Arrow type with 32-bit offsets in the place of 64-bit ones; a row group never needs more."""
    import pyarrow as pa

    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_list(kind):
        return pa.list_(pa.field("element", _simplify(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, _simplify(part.type)) for part in kind])
    return kind


def _write_jsonl(table: pl.LazyFrame, path: Path) -> None:
    table.sink_ndjson(path)


def _write_csv(table: pl.LazyFrame, path: Path) -> None:
    cells = [_cell(name, kind) for name, kind in table.collect_schema().items()]
    table.select(cells).sink_csv(path, line_terminator="\n")


_WRITERS: dict[str, Callable[[pl.LazyFrame, Path], None]] = {
    "parquet": _write_parquet,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}


def _cell(name: str, kind: Any) -> pl.Expr:
    """A column as it may stand in a CSV file; the vectorised `neutralise_cell`."""
    cell = pl.col(name)
    if kind == MESSAGES:
        turn = pl.struct(content=pl.element().struct.field("content"), role=pl.element().struct.field("role"))
        # Polars says structs as JSON, not lists; so {"m":[...]} loses its first five characters and its last.
        cell = pl.struct(m=cell.list.eval(turn)).struct.json_encode().str.slice(5).str.head(-1)
    elif kind == pl.Boolean:
        return cell.cast(pl.String).str.to_titlecase()
    elif kind != pl.String:
        return cell
    risky = cell.str.contains(f"^{_RISKY.pattern}")
    return pl.when(risky).then("'" + cell).otherwise(cell).alias(name)


def neutralise_cell(text: str) -> str:
    """The text as it may stand in a CSV cell.

    >>> neutralise_cell("=1+1"), neutralise_cell("'=1+1"), neutralise_cell("it's")
    ("'=1+1", "''=1+1", "it's")
    """
    return "'" + text if _RISKY.match(text) else text
