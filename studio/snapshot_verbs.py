"""The verbs about recipes and snapshots; see `verbs` for what a verb is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.projects import list_projects
from pitchpipe.store.recipe_files import find_recipe, list_recipes, read_recipe, save_recipe
from pitchpipe.store.recipes import Recipe, write_recipe
from pitchpipe.store.snapshot_building import ignore_progress
from pitchpipe.store.snapshot_rules import Tell
from pitchpipe.store.snapshots import (
    Snapshot,
    create_snapshot,
    describe_preview,
    diff_snapshots,
    find_snapshot,
    list_snapshots,
    preview_snapshot,
    read_manifest,
    verify_snapshot,
)
from pitchpipe.studio.rule_background import load_recipe_background, name_token_model
from pitchpipe.studio.rule_verbs import tell_texts

RecipeGiven = dict[str, Any] | str | None
"""A recipe's JSON values, the name of a saved one, or nothing for the usual one."""
OnProgress = Callable[[int, int, str], None] | None


def snapshot_create(
    store: Store,
    project: str,
    name: str,
    strategy: str = "mean",
    recipe: RecipeGiven = None,
    model: str | None = None,
    on_progress: OnProgress = None,
) -> dict[str, Any]:
    """Freezes what the project knows now, by a recipe (its values, or the name of a saved one).

    Args:
        model: whose tokens count for the rules too_long and too_short, in the place of the recipe's own token_model.
        on_progress: told how much is done, of how much, and what.
    """
    found = _find(store, project, recipe, strategy, model)
    background = load_recipe_background(store, project, found, tell_texts(on_progress))
    return describe_snapshot(
        create_snapshot(store, project, name, found, background=background, tell=_tell_steps(on_progress))
    )


def snapshot_preview(
    store: Store,
    project: str,
    recipe: RecipeGiven = None,
    strategy: str = "mean",
    samples: int = 3,
    model: str | None = None,
    on_progress: OnProgress = None,
) -> dict[str, Any]:
    """What `snapshot_create` would freeze: counts, figures, every reason for a drop with samples. Writes nothing."""
    found = _find(store, project, recipe, strategy, model)
    background = load_recipe_background(store, project, found, tell_texts(on_progress))
    return describe_preview(preview_snapshot(store, project, found, background, _tell_steps(on_progress)), samples)


def _tell_steps(on_progress: OnProgress) -> Tell:
    if on_progress is None:
        return ignore_progress
    return lambda step, share: on_progress(round(100 * share), 100, step)


def snapshot_list(store: Store, project: str | None = None) -> dict[str, Any]:
    """The snapshots of a project, or of all."""
    names = [project] if project else [known.name for known in list_projects(store)]
    return {"snapshots": [describe_snapshot(found) for name in names for found in list_snapshots(store, name)]}


def snapshot_show(store: Store, snapshot: str) -> dict[str, Any]:
    """A snapshot's manifest and recipe."""
    found = find_snapshot(store, snapshot)
    recipe = json.loads((found.folder / "recipe.json").read_text(encoding="utf-8"))
    manifest = read_manifest(found.folder)
    proof = {"leak_gate": manifest["leak_gate"]} if "leak_gate" in manifest else {}
    return {**describe_snapshot(found), "recipe": recipe, **proof, "files": manifest["files"]}


def snapshot_diff(store: Store, first: str, second: str) -> dict[str, Any]:
    """What changed between two snapshots: row by row, label by label, and what it adds up to."""
    one, two = find_snapshot(store, first), find_snapshot(store, second)
    return {"first": one.id, "second": two.id, **diff_snapshots(one.folder, two.folder)}


def snapshot_verify(store: Store, snapshot: str) -> dict[str, Any]:
    """Derives every hash of a snapshot and the proof of its seal again and lists what does not fit."""
    found = find_snapshot(store, snapshot)
    faults = verify_snapshot(found.folder, found.id)
    return {"id": found.id, "is_whole": not faults, "faults": faults}


def recipe_save(store: Store, project: str, name: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """Saves a recipe under a name in a project; an earlier one of that name is replaced."""
    save_recipe(store, project, name, read_recipe(recipe), "local")
    return {"project": project, "name": name, "recipe": write_recipe(find_recipe(store, project, name))}


def recipe_show(store: Store, project: str, name: str | None = None) -> dict[str, Any]:
    """The saved recipe of that name, or all of a project."""
    found = list_recipes(store, project) if name is None else {name: find_recipe(store, project, name)}
    return {"project": project, "recipes": [{"name": one, **write_recipe(recipe)} for one, recipe in found.items()]}


def describe_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values."""
    return {
        "id": snapshot.id, "name": snapshot.name, "project": snapshot.project, "folder": str(snapshot.folder),
        "counts": snapshot.counts, "created_at": snapshot.created_at.isoformat(timespec="seconds"),
    }  # fmt: skip


def _find(store: Store, project: str, given: RecipeGiven, strategy: str, model: str | None) -> Recipe:
    if given is None:
        return Recipe(strategy=strategy)
    if strategy != "mean":
        raise UsageError(f"Both a recipe and the strategy '{strategy}' were given.", "Say the strategy in the recipe.")
    recipe = find_recipe(store, project, given) if isinstance(given, str) else read_recipe(given)
    return name_token_model(recipe, model)
