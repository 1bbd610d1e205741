"""Snapshots: a frozen dataset as an immutable folder, with every row's evidence and every drop's reason.

The id is a hash of the sorted row ids and the recipe: the same knowledge frozen twice is the same snapshot. A preview
goes the same way as a freeze, up to the point where something would be written.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, SnapshotError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.folders import write_folder
from pitchpipe.store.freezing.leak_gate import list_breaches, prove_separation
from pitchpipe.store.freezing.recipe_files import check_recipe
from pitchpipe.store.freezing.recipes import Recipe, write_recipe
from pitchpipe.store.freezing.snapshot_building import build_rows, count_rows, ignore_progress
from pitchpipe.store.freezing.snapshot_diff import diff_snapshots
from pitchpipe.store.freezing.snapshot_figures import count_drops, measure_rows
from pitchpipe.store.freezing.snapshot_folder import (
    count_leaks,
    fill_folder,
    identify_snapshot,
    make_drop_frame,
    make_mark_frame,
    make_row_frame,
    read_manifest,
    read_rows,
    verify_snapshot,
)
from pitchpipe.store.freezing.snapshot_reading import find_chosen, read_knowledge, read_rule_background
from pitchpipe.store.freezing.snapshot_rules import Tell
from pitchpipe.store.identity import canonical_json, hash_value
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.rule import Background

__all__ = [
    "Preview", "Snapshot", "create_snapshot", "diff_snapshots", "find_snapshot", "list_snapshots", "preview_snapshot",
    "read_manifest", "read_rows", "verify_snapshot",
]  # fmt: skip
_writing = threading.Lock()
"""One at a time: two freezes of the same content would write the same folder."""
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


@dataclass(frozen=True, slots=True)
class Preview:
    """What a freeze would make. Units = rows + drops; nothing is on both lists."""

    snapshot_id: str
    recipe: Recipe
    rows: pl.DataFrame
    drops: pl.DataFrame
    marks: pl.DataFrame
    counts: dict[str, int]
    """Rows by kind and side, all rows, all drops."""
    rows_hash: str
    recipe_hash: str
    proof: dict[str, Any]
    """Of the seal, as the manifest will hold it."""


def preview_snapshot(
    store: Store,
    project: str,
    recipe: Recipe | None = None,
    background: Background | None = None,
    tell: Tell = ignore_progress,
) -> Preview:
    """What `create_snapshot` would freeze now, without writing anything.

    Args:
        background: what rules may know besides the rows; read from the project where it is None.
        tell: is told what is being done and how much of it is done, 0 to 1.

    Raises:
        UsageError: the recipe is not one that can be followed.
    """
    recipe = recipe or Recipe()
    check_recipe(recipe)
    target = get_project(store, project)
    tell("Reading the project", 0.0)
    known = read_knowledge(store, target.id)
    chosen = find_chosen(store, project, recipe)
    if background is None:
        background = read_rule_background(store, project, recipe)
    made = build_rows(known, recipe, background, chosen, tell)
    tell("Proving the seal", 0.9)
    rows, drops, marks = make_row_frame(made.rows), make_drop_frame(made.dropped), make_mark_frame(made.marked)
    rows_hash = hash_value(sorted(row["row_id"] for row in made.rows))
    recipe_hash = hash_value(write_recipe(recipe))
    return Preview(
        identify_snapshot(rows_hash, drops, marks, recipe_hash),
        recipe,
        rows,
        drops,
        marks,
        {**count_rows(made.rows), "rows": rows.height, "dropped": drops.height},
        rows_hash,
        recipe_hash,
        prove_separation(made.rows, recipe.near_duplicate_threshold, count_leaks(drops)),
    )


def describe_preview(preview: Preview, samples: int = 3) -> dict[str, Any]:
    """A preview as plain values: counts, figures of the rows, drops and marks by rule with samples, the seal."""
    return {
        "id": preview.snapshot_id,
        "counts": preview.counts,
        "figures": measure_rows(preview.rows),
        "drops": count_drops(preview.drops, samples),
        "marks": count_drops(preview.marks, samples),
        "leak_gate": preview.proof,
        "refused": list_breaches(preview.proof),
        "recipe": write_recipe(preview.recipe),
    }


def create_snapshot(
    store: Store,
    project: str,
    name: str,
    recipe: Recipe | None = None,
    actor: str = "local",
    background: Background | None = None,
    tell: Tell = ignore_progress,
) -> Snapshot:
    """Freezes what the project knows now under a name. The same content under the same name is a no-op.

    Raises:
        UsageError: the name stands for other content already, or the recipe is not one that can be followed.
        SnapshotError: there is nothing to freeze, or something taught would nearly equal something sealed.
    """
    if not name.strip() or not name.isprintable():
        raise UsageError(f"The snapshot name {name!r} cannot be used.", "Use printable characters.")
    made = preview_snapshot(store, project, recipe, background, tell)
    _refuse_unfit(project, made)
    with _writing:
        return _write_snapshot(store, project, name, made, actor, tell)


def _write_snapshot(store: Store, project: str, name: str, made: Preview, actor: str, tell: Tell) -> Snapshot:
    taken = {snapshot.name: snapshot for snapshot in list_snapshots(store, project)}
    if name in taken:
        if taken[name].id == made.snapshot_id and taken[name].folder.exists():
            return taken[name]
        raise UsageError(
            f"The name '{name}' stands for the snapshot {taken[name].id} already.",
            "Choose another name: a snapshot never changes.",
        )
    folder = store.workspace / "snapshots" / made.snapshot_id
    snapshot = Snapshot(
        made.snapshot_id, name, project, folder, made.counts, made.rows_hash, made.recipe_hash, utc_now()
    )
    if not _is_whole(snapshot):  # never written again: it may lie under a training run, and bears its first name
        tell("Writing", 0.95)
        facts = _describe_facts(snapshot, made)
        write_folder(folder, lambda aside: fill_folder(aside, facts, made.recipe, made.rows, made.drops, made.marks))
    project_id = get_project(store, project).id
    store.write(lambda t: _register(t, project_id, snapshot, made.rows, actor))
    store.checkpoint()
    return snapshot


def _refuse_unfit(project: str, made: Preview) -> None:
    if made.rows.is_empty():
        raise SnapshotError(
            f"The project '{project}' has nothing to freeze: 0 rows, {made.drops.height} drops.",
            "Import examples with answers, judge some tasks, or ask less of the recipe.",
        )
    breaches = list_breaches(made.proof)
    if breaches:
        raise SnapshotError(
            f"The snapshot would break the seal: {'; '.join(breaches)}.",
            "Drop one of the two on the Data page, or lower the recipe's near_duplicate_threshold.",
        )


def _describe_facts(snapshot: Snapshot, made: Preview) -> dict[str, Any]:
    """The fields of the manifest."""
    return {
        "snapshot_id": snapshot.id,
        "name": snapshot.name,
        "project": snapshot.project,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "counts": snapshot.counts,
        "rows_hash": snapshot.rows_hash,
        "recipe_hash": snapshot.recipe_hash,
        "leak_gate": made.proof,
    }


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


def _is_whole(snapshot: Snapshot) -> bool:
    return (snapshot.folder / "manifest.json").exists() and verify_snapshot(snapshot.folder, snapshot.id) == []


def _register(transaction: Transaction, project_id: str, snapshot: Snapshot, rows: pl.DataFrame, actor: str) -> None:
    folder = f"snapshots/{snapshot.id}"
    transaction.run(
        "INSERT INTO snapshots (id, project_id, name, folder, counts, rows_hash, recipe_hash, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [snapshot.id, project_id, snapshot.name, folder, canonical_json(snapshot.counts), snapshot.rows_hash,
         snapshot.recipe_hash, snapshot.created_at],
    )  # fmt: skip
    if not transaction.run("SELECT 1 FROM snapshot_rows WHERE snapshot_id = ? LIMIT 1", [snapshot.id]):
        answers = rows.select("candidate_id", "candidate_a", "candidate_b").iter_rows()
        frame = rows.select(
            pl.lit(snapshot.id).alias("snapshot_id"), "row_id", "row_kind", "example_id", "split",
            pl.Series("candidate_ids", [canonical_json([id for id in ids if id]) for ids in answers], pl.String),
            "judgement_ids",
        )  # fmt: skip
        transaction.insert_frame("snapshot_rows", frame)
    record_event(transaction, actor, "create_snapshot", snapshot.id, {"name": snapshot.name, **snapshot.counts})


def _to_snapshot(store: Store, row: tuple[Any, ...]) -> Snapshot:
    return Snapshot(row[0], row[1], row[2], store.workspace / row[3], json.loads(row[4]), *row[5:])
