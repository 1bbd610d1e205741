"""Snapshots: a frozen dataset as an immutable folder, with every row's evidence and every drop's reason.

The id is a hash of the sorted row ids and the recipe: the same knowledge frozen twice is the same snapshot. `verify`
derives every hash again, which catches an edited row, a lost file and a row that changed sides alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, SnapshotError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.folders import write_folder, write_frame
from pitchpipe.store.identity import canonical_json, content_id, hash_file, hash_value
from pitchpipe.store.measures.consensus import STRATEGIES
from pitchpipe.store.projects import get_project
from pitchpipe.store.recipes import write_recipe
from pitchpipe.store.snapshot_building import ROW_COLUMNS, DroppedUnit, Recipe, build_rows, count_rows, identify_row
from pitchpipe.store.snapshot_card import write_card
from pitchpipe.store.snapshot_reading import read_knowledge

_FLOATS = ("strength", "weight", "support")
_WHOLE = ("n_judgements", "turn")
ROW_SCHEMA: dict[str, Any] = {
    column: pl.Float64 if column in _FLOATS else pl.Int64 if column in _WHOLE else pl.String for column in ROW_COLUMNS
}
_DROP_SCHEMA = dict.fromkeys(("row_kind", "example_id", "unit", "rule", "version", "reason", "evidence"), pl.String)
_SELECT = (
    "SELECT s.id, s.name, p.name, s.folder, s.counts, s.rows_hash, s.recipe_hash, s.created_at "
    "FROM snapshots AS s JOIN projects AS p ON p.id = s.project_id"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A frozen dataset of a project."""

    id: str
    name: str
    project: str
    folder: Path
    counts: dict[str, int]
    rows_hash: str
    recipe_hash: str
    created_at: datetime


def create_snapshot(
    store: Store, project: str, name: str, recipe: Recipe | None = None, actor: str = "local"
) -> Snapshot:
    """Freezes what the project knows now under a name. The same content under the same name is a no-op.

    Raises:
        UsageError: the name stands for other content already, or the recipe is not known.
        SnapshotError: there is nothing to freeze.
    """
    target = get_project(store, project)
    recipe = recipe or Recipe()
    if recipe.strategy not in STRATEGIES:
        raise UsageError(f"The strategy '{recipe.strategy}' is not known.", f"Use one of: {', '.join(STRATEGIES)}.")
    if not name.strip() or not name.isprintable():
        raise UsageError(f"The snapshot name {name!r} cannot be used.", "Use printable characters.")
    rows, dropped = build_rows(read_knowledge(store, target.id), recipe)
    if not rows:
        raise SnapshotError(
            f"The project '{project}' has nothing to freeze: 0 rows, {len(dropped)} drops.",
            "Import examples with answers, or judge some tasks first.",
        )
    rows_hash = hash_value(sorted(row["row_id"] for row in rows))
    drops_hash = _hash_drops([asdict(drop) for drop in dropped])
    recipe_hash = hash_value(write_recipe(recipe))
    snapshot_id = content_id("snap", [rows_hash, drops_hash, recipe_hash])
    taken = {snapshot.name: snapshot for snapshot in list_snapshots(store, project)}
    if name in taken:
        if taken[name].id == snapshot_id and taken[name].folder.exists():
            return taken[name]
        raise UsageError(
            f"The name '{name}' stands for the snapshot {taken[name].id} already.",
            "Choose another name: a snapshot never changes.",
        )
    counts = {**count_rows(rows), "rows": len(rows), "dropped": len(dropped)}
    snapshot = Snapshot(
        snapshot_id,
        name,
        project,
        store.workspace / "snapshots" / snapshot_id,
        counts,
        rows_hash,
        recipe_hash,
        utc_now(),
    )
    if not _is_whole(snapshot):  # never written again: it may lie under a training run, and bears its first name
        write_folder(snapshot.folder, lambda folder: _fill_folder(folder, snapshot, recipe, rows, dropped))
    store.write(lambda t: _register(t, target.id, snapshot, rows, actor))
    store.checkpoint()
    return snapshot


def list_snapshots(store: Store, project: str) -> list[Snapshot]:
    """The project's snapshots, oldest first."""
    name = get_project(store, project).name
    rows = store.read(f"{_SELECT} WHERE p.name = ? ORDER BY s.created_at, s.name", [name])
    return [_to_snapshot(store, row) for row in rows]


def find_snapshot(store: Store, name: str, project: str | None = None) -> Snapshot:
    """The snapshot of that name or id (a unique beginning of the id is enough).

    Raises:
        NotFoundError: there is none. UsageError: several fit.
    """
    rows = store.read(
        f"{_SELECT} WHERE (s.name = $name OR starts_with(s.id, $name)) AND ($project IS NULL OR p.name = $project) "
        "ORDER BY s.created_at",
        {"name": name or "(none)", "project": project},
    )
    exact = [row for row in rows if name in (row[0], row[1])] or rows
    if not exact:
        known = ", ".join(str(row[0]) for row in store.read("SELECT name FROM snapshots ORDER BY created_at")) or "none"
        raise NotFoundError(
            f"There is no snapshot '{name}'.",
            f"Snapshots here: {known}. Make one with: pitchpipe snapshot create --project P --name N.",
        )
    if len({row[0] for row in exact}) > 1:
        raise UsageError(
            f"'{name}' fits {len(exact)} snapshots.", f"Name one by its id: {', '.join(row[0] for row in exact)}."
        )
    return _to_snapshot(store, exact[0])


def verify_snapshot(folder: Path, expected_id: str | None = None) -> list[str]:
    """What is wrong with a snapshot folder, every hash derived again; empty when it is whole.

    Args:
        expected_id: the id on record; another snapshot in its place is a fault.

    Raises:
        SnapshotError: there is no manifest, so the folder was never finished.
    """
    manifest = read_manifest(folder)
    faults = [
        f"{name} is missing" if not (folder / name).exists() else f"{name} was changed"
        for name, entry in manifest["files"].items()
        if not (folder / name).exists() or hash_file(folder / name) != entry["sha256"]
    ]
    if "rows.parquet is missing" in faults:
        return faults
    rows = read_rows(folder).to_dicts()
    wrong = [row["row_id"] for row in rows if identify_row(row) != row["row_id"]]
    faults += [f"row {row_id} does not have the content that its id stands for" for row_id in wrong[:10]]
    rows_hash = hash_value(sorted(row["row_id"] for row in rows))
    if rows_hash != manifest["rows_hash"]:
        faults.append("the rows are not the ones that the snapshot was made of")
    faults += _check_identity(folder, rows_hash, expected_id or manifest["snapshot_id"])
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["group_id"], set()).add(row["split"])
    faults += [f"group {group} lies on both sides of the seal" for group, both in sides.items() if len(both) > 1]
    return faults


def _check_identity(folder: Path, rows_hash: str, expected_id: str) -> list[str]:
    """Whether the id follows from the rows, drops and recipe that lie in the folder."""
    drops, recipe = folder / "dropped.parquet", folder / "recipe.json"
    if not (drops.exists() and recipe.exists()):
        return []  # told as missing already
    recipe_hash = hash_value(json.loads(recipe.read_text(encoding="utf-8")))
    derived = content_id("snap", [rows_hash, _hash_drops(pl.read_parquet(drops).to_dicts()), recipe_hash])
    return [] if derived == expected_id else [f"the content is that of {derived}, not of {expected_id}"]


def _hash_drops(drops: list[dict[str, Any]]) -> str:
    """The hash of what was left out. Evidence that is not there is no part of it: the first snapshots had none."""
    told = [{name: value for name, value in drop.items() if value is not None} for drop in drops]
    return hash_value(sorted(canonical_json(drop) for drop in told))


def _is_whole(snapshot: Snapshot) -> bool:
    return (snapshot.folder / "manifest.json").exists() and verify_snapshot(snapshot.folder, snapshot.id) == []


def diff_snapshots(first: Path, second: Path) -> dict[str, Any]:
    """Rows only in the first, only in the second, and the same unit with other content (a changed label, say)."""
    units_first, units_second = _index_units(read_rows(first)), _index_units(read_rows(second))
    changed = [
        {"unit": list(unit), "from": units_first[unit]["row_id"], "to": units_second[unit]["row_id"],
         "verdict": [units_first[unit]["verdict"], units_second[unit]["verdict"]],
         "scores": [units_first[unit]["scores"], units_second[unit]["scores"]]}
        for unit in units_first.keys() & units_second.keys()
        if units_first[unit]["row_id"] != units_second[unit]["row_id"]
    ]  # fmt: skip
    return {
        "added": sorted(units_second[unit]["row_id"] for unit in units_second.keys() - units_first.keys()),
        "removed": sorted(units_first[unit]["row_id"] for unit in units_first.keys() - units_second.keys()),
        "changed": sorted(changed, key=lambda change: str(change["from"])),
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished snapshot folder. Raises SnapshotError when there is none or it is no JSON."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise SnapshotError(
            f"'{folder}' is not a finished snapshot: its manifest.json is missing or unreadable.",
            "Make the snapshot again, or copy the whole folder with its manifest.",
        ) from error
    return manifest


def read_rows(folder: Path) -> pl.DataFrame:
    """The rows of a snapshot folder with the columns of `ROW_COLUMNS`."""
    return pl.read_parquet(folder / "rows.parquet")


def _fill_folder(
    folder: Path,
    snapshot: Snapshot,
    recipe: Recipe,
    rows: list[dict[str, Any]],
    dropped: list[DroppedUnit],
) -> dict[str, Any]:
    write_frame(pl.DataFrame(rows, schema=ROW_SCHEMA), folder / "rows.parquet")
    drops = [asdict(drop) for drop in dropped]
    write_frame(pl.DataFrame(drops, schema=_DROP_SCHEMA), folder / "dropped.parquet")
    (folder / "recipe.json").write_text(canonical_json(write_recipe(recipe)) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(
        write_card(snapshot.id, snapshot.project, snapshot.counts, rows, drops), encoding="utf-8"
    )
    return {
        "snapshot_id": snapshot.id,
        "name": snapshot.name,
        "project": snapshot.project,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": snapshot.counts,
        "rows_hash": snapshot.rows_hash,
        "recipe_hash": snapshot.recipe_hash,
    }


def _register(
    transaction: Transaction, project_id: str, snapshot: Snapshot, rows: Iterable[dict[str, Any]], actor: str
) -> None:
    folder = f"snapshots/{snapshot.id}"
    transaction.run(
        "INSERT INTO snapshots (id, project_id, name, folder, counts, rows_hash, recipe_hash, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [snapshot.id, project_id, snapshot.name, folder, canonical_json(snapshot.counts), snapshot.rows_hash,
         snapshot.recipe_hash, snapshot.created_at],
    )  # fmt: skip
    if not transaction.run("SELECT 1 FROM snapshot_rows WHERE snapshot_id = ? LIMIT 1", [snapshot.id]):
        frame = pl.DataFrame(
            [
                (snapshot.id, row["row_id"], row["row_kind"], row["example_id"], row["split"],
                 canonical_json([row[c] for c in ("candidate_id", "candidate_a", "candidate_b") if row[c]]),
                 row["judgement_ids"])
                for row in rows
            ],
            schema=["snapshot_id", "row_id", "row_kind", "example_id", "split", "candidate_ids", "judgement_ids"],
            orient="row",
        )  # fmt: skip
        transaction.insert_frame("snapshot_rows", frame)
    record_event(transaction, actor, "create_snapshot", snapshot.id, {"name": snapshot.name, **snapshot.counts})


def _to_snapshot(store: Store, row: tuple[Any, ...]) -> Snapshot:
    return Snapshot(row[0], row[1], row[2], store.workspace / row[3], json.loads(row[4]), *row[5:])


def _index_units(rows: pl.DataFrame) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows by what they speak of. A row of one task alone is told from that of another task by the task."""
    columns = ("row_kind", "example_id", "candidate_id", "candidate_a", "candidate_b", "turn")
    return {
        (*(str(row.get(c)) for c in columns), "" if row["row_kind"] == "answer" else row["task_ids"]): row
        for row in rows.iter_rows(named=True)
    }
