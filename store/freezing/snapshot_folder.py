"""The files of a snapshot: written once, read back, verified by deriving every hash and the proof of the seal again.

rows.parquet     every row with its consensus, support, raters, judgements, group and side of the seal
dropped.parquet  every unit that is not a row: rule, version, reason, evidence
marked.parquet   what rules found of rows that stay; only where they found something
recipe.json      how judgements became rows
README.md        the dataset card
croissant.json   the same for machines (Croissant 1.0)
manifest.json    the hash of every file, counts, and the proof of the seal; written last
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.errors import SnapshotError
from pitchpipe.store.folders import write_frame
from pitchpipe.store.freezing.knowledge import ROW_COLUMNS, DroppedUnit, Recipe
from pitchpipe.store.freezing.leak_gate import list_breaches, prove_separation
from pitchpipe.store.freezing.recipes import write_recipe
from pitchpipe.store.freezing.snapshot_building import LEAK_RULE, count_rows, identify_row
from pitchpipe.store.freezing.snapshot_card import write_card
from pitchpipe.store.freezing.snapshot_croissant import write_croissant
from pitchpipe.store.freezing.snapshot_rules import MarkedRow, name_unit
from pitchpipe.store.identity import canonical_json, content_id, hash_file, hash_value

_FLOATS = ("strength", "weight", "support")
_WHOLE = ("n_judgements", "turn")
ROW_SCHEMA: dict[str, Any] = {
    column: pl.Float64 if column in _FLOATS else pl.Int64 if column in _WHOLE else pl.String for column in ROW_COLUMNS
}
DROP_COLUMNS = ("row_kind", "example_id", "unit", "rule", "version", "reason", "evidence")
MARK_COLUMNS = ("row_id", "row_kind", "example_id", "unit", "action", "rule", "version", "reason", "evidence")


def make_row_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a frame with the columns of `ROW_COLUMNS`."""
    return pl.DataFrame({name: [row[name] for row in rows] for name in ROW_SCHEMA}, schema=ROW_SCHEMA)


def make_drop_frame(drops: Iterable[DroppedUnit]) -> pl.DataFrame:
    """Drops as a frame with the columns of `DROP_COLUMNS`."""
    drops = list(drops)
    columns = {name: [getattr(drop, name) for drop in drops] for name in DROP_COLUMNS}
    return pl.DataFrame(columns, schema=dict.fromkeys(DROP_COLUMNS, pl.String))


def make_mark_frame(marks: Iterable[MarkedRow]) -> pl.DataFrame:
    """Marked rows as a frame with the columns of `MARK_COLUMNS`."""
    told = [
        (mark.row["row_id"], mark.row["row_kind"], mark.row["example_id"], name_unit(mark.row), mark.action, mark.rule,
         mark.version, mark.reason, mark.evidence)
        for mark in marks
    ]  # fmt: skip
    return pl.DataFrame(told, schema=dict.fromkeys(MARK_COLUMNS, pl.String), orient="row")


def identify_snapshot(rows_hash: str, drops: pl.DataFrame, marks: pl.DataFrame, recipe_hash: str) -> str:
    """The id of a snapshot from its content. Marks are part of it where there are any: the first snapshots had none."""
    parts = [rows_hash, hash_listed(drops), recipe_hash]
    return content_id("snap", parts if marks.is_empty() else [*parts, hash_listed(marks)])


def hash_listed(listed: pl.DataFrame) -> str:
    """The hash of drops or marks in any order. Evidence that is not there is no part of it, as it once was not."""
    told = [{name: value for name, value in row.items() if value is not None} for row in listed.iter_rows(named=True)]
    return hash_value(sorted(canonical_json(row) for row in told))


def fill_folder(
    folder: Path,
    facts: dict[str, Any],
    recipe: Recipe,
    rows: pl.DataFrame,
    drops: pl.DataFrame,
    marks: pl.DataFrame,
) -> dict[str, Any]:
    """Writes all files but the manifest, whose fields (`facts`) are returned."""
    write_frame(rows, folder / "rows.parquet")
    write_frame(drops, folder / "dropped.parquet")
    if not marks.is_empty():
        write_frame(marks, folder / "marked.parquet")
    (folder / "recipe.json").write_text(canonical_json(write_recipe(recipe)) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(write_card(facts, recipe, rows, drops, marks), encoding="utf-8")
    described = write_croissant(facts, rows, drops, folder)
    (folder / "croissant.json").write_text(described, encoding="utf-8")
    return facts


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished snapshot folder. Raises SnapshotError when there is none or it is no JSON."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or not isinstance(manifest["files"], dict):
            raise ValueError("no manifest")
        _ = manifest["rows_hash"], manifest["snapshot_id"], manifest["counts"]
    except (FileNotFoundError, ValueError, KeyError, RecursionError) as error:
        raise SnapshotError(
            f"'{folder}' is not a finished snapshot: its manifest.json is missing or unreadable.",
            "Make the snapshot again, or copy the whole folder with its manifest.",
        ) from error
    return manifest


def read_rows(folder: Path) -> pl.DataFrame:
    """The rows of a snapshot folder with the columns of `ROW_COLUMNS`; older folders lack the later ones."""
    return pl.read_parquet(folder / "rows.parquet")


def read_drops(folder: Path) -> pl.DataFrame:
    """The drops of a snapshot folder with the columns of `DROP_COLUMNS`, also of folders that lack the later ones."""
    drops = pl.read_parquet(folder / "dropped.parquet")
    missing = [pl.lit(None, pl.String).alias(name) for name in DROP_COLUMNS if name not in drops.columns]
    return drops.with_columns(missing).select(DROP_COLUMNS)


def read_marks(folder: Path) -> pl.DataFrame:
    """What rules found of the rows of a snapshot folder, with the columns of `MARK_COLUMNS`."""
    file = folder / "marked.parquet"
    return pl.read_parquet(file) if file.exists() else make_mark_frame([])


def verify_snapshot(folder: Path, expected_id: str | None = None) -> list[str]:
    """What is wrong with a snapshot folder, every hash derived again; empty when it is whole.

    Args:
        expected_id: the id on record; another snapshot in its place is a fault.

    Raises:
        SnapshotError: there is no manifest, so the folder was never finished.
    """
    manifest = read_manifest(folder)
    faults = _check_files(folder, manifest["files"])
    if not all((folder / name).is_file() for name in _DERIVED):
        return faults
    try:
        return faults + _derive_again(folder, manifest, expected_id or manifest["snapshot_id"])
    except (pl.exceptions.PolarsError, ValueError, KeyError, TypeError, OSError):
        if not faults:
            raise
        return faults  # a file that was changed need not be readable


def _derive_again(folder: Path, manifest: Mapping[str, Any], expected_id: str) -> list[str]:
    """What of ids, counts and the seal does not follow from the files."""
    faults = []
    rows = read_rows(folder).to_dicts()
    wrong = [row["row_id"] for row in rows if identify_row(row) != row["row_id"]]
    faults += [f"row {row_id} does not have the content that its id stands for" for row_id in wrong[:10]]
    rows_hash = hash_value(sorted(row["row_id"] for row in rows))
    if rows_hash != manifest["rows_hash"]:
        faults.append("the rows are not the ones that the snapshot was made of")
    counts = {**count_rows(rows), "rows": len(rows), "dropped": read_drops(folder).height}
    if counts != manifest["counts"]:
        faults.append("the counts in the manifest are not those of the rows and drops")
    faults += _check_identity(folder, rows_hash, expected_id, manifest)
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["group_id"], set()).add(row["split"])
    faults += [f"group {group} lies on both sides of the seal" for group, both in sides.items() if len(both) > 1]
    return faults + _check_proof(folder, manifest, rows)


_DERIVED = ("rows.parquet", "dropped.parquet", "recipe.json")
"""The files from which the id follows; marks are a fourth where there are any."""


def _check_files(folder: Path, listed: Mapping[str, Any]) -> list[str]:
    """Every file must be there as it was listed, and no other; hidden ones, which file managers leave, are no part."""
    faults = []
    for name, entry in listed.items():
        if not (folder / name).is_file():
            faults.append(f"{name} is missing")
        elif not isinstance(entry, Mapping) or hash_file(folder / name) != entry.get("sha256"):
            faults.append(f"{name} was changed")
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return faults + [
        f"{name} is not listed in the manifest" for name in there if name not in (*listed, "manifest.json")
    ]


def _check_identity(folder: Path, rows_hash: str, expected_id: str, manifest: Mapping[str, Any]) -> list[str]:
    """Whether the id follows from the rows, drops and recipe that lie in the folder, and the manifest says so too."""
    recipe_hash = hash_value(json.loads((folder / "recipe.json").read_text(encoding="utf-8")))
    derived = identify_snapshot(rows_hash, read_drops(folder), read_marks(folder), recipe_hash)
    faults = [] if derived == expected_id else [f"the content is that of {derived}, not of {expected_id}"]
    if (manifest["snapshot_id"], manifest.get("recipe_hash")) != (derived, recipe_hash):
        faults.append("the manifest names another snapshot or another recipe than lie in the folder")
    return faults


def _check_proof(folder: Path, manifest: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Whether the seal holds as the manifest says it does. The first snapshots have no such proof."""
    told = manifest.get("leak_gate")
    if told is None and "croissant.json" not in manifest["files"]:
        return []
    if not isinstance(told, Mapping) or not isinstance(told.get("threshold"), float | int):
        return ["the proof of the seal is missing from the manifest"]
    derived = prove_separation(rows, told["threshold"], count_leaks(read_drops(folder)))
    faults = list_breaches({**derived, "groups_on_both_sides": 0})  # groups are told one by one
    if derived != told:
        faults.append("the proof of the seal in the manifest is not the one that follows from the rows")
    return faults


def count_leaks(drops: pl.DataFrame) -> int:
    """How many units were left out because their request nearly equals a sealed one."""
    return drops.filter(pl.col("rule") == LEAK_RULE).height
