"""Exporting: a form of a snapshot as files that TRL and other tools load as they are. Free of torch.

`export_snapshot` writes `<form>.<format>`, `<form>.dropped.jsonl` (every row left out, with its rule) and last
`<form>.manifest.json`, so one folder holds several forms. Nothing in them depends on the time or the place of the
export, so repeating it gives the same bytes.

Messages are lists of {role, content} in Parquet and JSONL and JSON text in CSV. A CSV cell that begins with = + - @,
a tab or a carriage return could run as a formula in a spreadsheet, so it gets an apostrophe in front; so that this can
be undone exactly, a cell that begins with apostrophes before such a character gets one more. `restore_cell` undoes it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from pitchpipe.store.errors import SnapshotError, UsageError
from pitchpipe.store.identity import canonical_json, hash_file
from pitchpipe.training.formats import VERSION, DroppedRow, Form, FormatPolicy, FormatResult, build_rows
from pitchpipe.training.run_folders import read_json, write_atomic, write_json

FORMS = ("sft", "dpo", "kto", "reward", "classify", "raw")
FORMATS = ("parquet", "jsonl", "csv")
_RISKY = re.compile(r"'*[=+\-@\t\r]")
_MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
_COLUMNS: dict[str, dict[str, Any]] = {
    "sft": {"prompt": _MESSAGES, "completion": _MESSAGES},
    "dpo": {"prompt": _MESSAGES, "chosen": _MESSAGES, "rejected": _MESSAGES, "margin": pl.Float64},
    "kto": {"prompt": _MESSAGES, "completion": _MESSAGES, "label": pl.Boolean},
    "reward": {"prompt": _MESSAGES, "chosen": _MESSAGES, "rejected": _MESSAGES, "margin": pl.Float64},
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
    manifest, rows = read_snapshot(snapshot_folder)
    result, frame = _raw(rows) if form == "raw" else _formed(form, rows, policy)
    to.mkdir(parents=True, exist_ok=True)
    path, left_out, sealed = to / f"{form}.{format}", to / f"{form}.dropped.jsonl", to / f"{form}.manifest.json"
    sealed.unlink(missing_ok=True)
    write_atomic(path, _encode(frame, format))
    write_atomic(left_out, "".join(canonical_json(asdict(row)) + "\n" for row in result.dropped))
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
    write_json(sealed, {**facts, "policy": asdict(policy), "rules_version": VERSION, "files": files})
    return report


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


def _formed(form: str, rows: pl.DataFrame, policy: FormatPolicy) -> tuple[FormatResult, pl.DataFrame]:
    result = build_rows(form, rows, policy)
    schema = {"row_id": pl.String, "example_id": pl.String, **_COLUMNS[form], "weight": pl.Float64}
    return result, pl.DataFrame(result.kept, schema=schema)


def _raw(rows: pl.DataFrame) -> tuple[FormatResult, pl.DataFrame]:
    """Every row of the train side as the snapshot has it, messages as lists."""
    is_train = pl.col("split") == "train"
    kept = rows.filter(is_train).sort("row_id")
    sealed = rows.filter(is_train.not_().fill_null(True)).sort("row_id")
    reason = "its group is not on the train side and is kept for measuring"
    dropped = [DroppedRow(row_id, "sealed_holdout", VERSION, reason) for row_id in sealed["row_id"]]
    frame = kept.with_columns(pl.col("messages").str.json_decode(_MESSAGES))
    return FormatResult([{"row_id": row_id} for row_id in kept["row_id"]], dropped, rows.height), frame


def _encode(frame: pl.DataFrame, format: str) -> bytes:
    if format == "parquet":
        buffer = io.BytesIO()
        # Statistics off and one fixed compression keep the bytes a function of the rows alone.
        frame.write_parquet(buffer, compression="zstd", compression_level=3, statistics=False)
        return buffer.getvalue()
    if format == "jsonl":
        return "".join(
            json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in frame.iter_rows(named=True)
        ).encode("utf-8")
    return _csv(frame)


def _csv(frame: pl.DataFrame) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.iter_rows():
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return neutralise_cell(canonical_json(value))
    return neutralise_cell(value) if isinstance(value, str) else value


def neutralise_cell(text: str) -> str:
    """The text as it may stand in a CSV cell.

    >>> neutralise_cell("=1+1"), neutralise_cell("'=1+1"), neutralise_cell("it's")
    ("'=1+1", "''=1+1", "it's")
    """
    return "'" + text if _RISKY.match(text) else text


def restore_cell(cell: str) -> str:
    """The text that `neutralise_cell` was given.

    >>> restore_cell("'=1+1"), restore_cell("''=1+1"), restore_cell("it's")
    ('=1+1', "'=1+1", "it's")
    """
    return cell[1:] if cell.startswith("'") and _RISKY.match(cell) else cell
