"""Commands about recipes and snapshots: preview, freeze, compare, verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, SnapshotName, Workspace
from pitchpipe.studio.cli_output import Output, run_command

snapshot_app = typer.Typer(help="Freeze, list, compare and verify datasets.", no_args_is_help=True)
recipe_app = typer.Typer(help="Save and show how snapshots are made.", no_args_is_help=True)
snapshot_app.add_typer(recipe_app, name="recipe")

RecipeOption = Annotated[str | None, typer.Option("--recipe", "-r", help="A JSON file, or the name of a saved recipe.")]
Model = Annotated[
    str | None,
    typer.Option(help="Whose tokens too_long and too_short count, if not those of the recipe's: embedded, a folder."),
]
Strategy = Annotated[
    str, typer.Option(help="Consensus on ratings where no recipe says it: mean, median, majority, closest_three.")
]


@snapshot_app.command(name="create")
def snapshot_create(
    project: ProjectName,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the snapshot.")],
    strategy: Strategy = "mean",
    recipe: RecipeOption = None,
    model: Model = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Freeze what the project knows now."""
    with run_command(json) as output:
        given = _read_recipe(recipe)
        values: dict[str, Any] = {
            "project": project,
            "name": name,
            "strategy": strategy,
            "recipe": given,
            "model": model,
        }
        output.show(_call_followed(output, workspace, "snapshot_create", "Freezing", values))


@snapshot_app.command(name="preview")
def snapshot_preview(
    project: ProjectName,
    strategy: Strategy = "mean",
    recipe: RecipeOption = None,
    model: Model = None,
    samples: Annotated[int, typer.Option(help="Units shown of each reason for a drop.", min=0, max=1000)] = 3,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show what a freeze would make and why the rest stays out; write nothing."""
    with run_command(json) as output:
        given = _read_recipe(recipe)
        values: dict[str, Any] = {
            "project": project,
            "strategy": strategy,
            "recipe": given,
            "samples": samples,
            "model": model,
        }
        output.show(_call_followed(output, workspace, "snapshot_preview", "Previewing", values))


@snapshot_app.command(name="list")
def snapshot_list(
    project: Annotated[str | None, typer.Option("--project", "-p")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """List snapshots."""
    with run_command(json) as output:
        output.show_table(output.call(workspace, "snapshot_list", project=project), "snapshots", "Snapshots")


@snapshot_app.command(name="show")
def snapshot_show(snapshot: SnapshotName, workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Show a snapshot's counts, recipe and files."""
    with run_command(json) as output:
        output.show(output.call(workspace, "snapshot_show", snapshot=snapshot))


@snapshot_app.command(name="diff")
def snapshot_diff(
    first: SnapshotName, second: SnapshotName, workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False
) -> None:
    """Show what changed between two snapshots."""
    with run_command(json) as output:
        found = output.call(workspace, "snapshot_diff", first=first, second=second)
        output.show(found if json else _shorten(found))


@snapshot_app.command(name="verify")
def snapshot_verify(snapshot: SnapshotName, workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Derive every hash of a snapshot again; exit code 1 when something does not fit."""
    with run_command(json) as output:
        found = output.call(workspace, "snapshot_verify", snapshot=snapshot)
        output.show(found)
        if not found["is_whole"]:
            raise typer.Exit(1)


@recipe_app.command(name="save")
def recipe_save(
    file: Annotated[Path, typer.Argument(help="A recipe as JSON; see docs/snapshots.md.")],
    project: ProjectName,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the recipe.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Save a recipe in a project."""
    with run_command(json) as output:
        from pitchpipe.store.recipe_files import read_recipe_json

        output.show(output.call(workspace, "recipe_save", project=project, name=name, recipe=read_recipe_json(file)))


@recipe_app.command(name="show")
def recipe_show(
    project: ProjectName,
    name: Annotated[str | None, typer.Option("--name", "-n", help="One recipe; all when left out.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show the saved recipes of a project."""
    with run_command(json) as output:
        output.show(output.call(workspace, "recipe_show", project=project, name=name))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(snapshot_app, name="snapshot")


def _read_recipe(given: str | None) -> dict[str, Any] | str | None:
    """What a recipe file holds; the name of a saved recipe as it is."""
    if given is None or not (given.endswith(".json") or Path(given).is_file()):
        return given
    from pitchpipe.store.recipe_files import read_recipe_json

    return read_recipe_json(Path(given))


def _call_followed(output: Output, workspace: Path, verb: str, title: str, values: dict[str, Any]) -> Any:
    """The result of a verb, with a bar that says what it is at."""
    with output.follow_stages(title) as follow:
        return output.call(workspace, verb, lambda done, total, step: follow(step, done, total), **values)


def _shorten(found: dict[str, Any]) -> dict[str, Any]:
    """A comparison for people: how many rows of each fate, and what changes in the whole. `--json` lists them all."""
    counted = {name: len(found[name]) for name in ("added", "removed", "changed", "flipped", "rescored")}
    return {"first": found["first"], "second": found["second"], **counted, "change": found["figures"]["change"],
            "drops": found["drops"]}  # fmt: skip
