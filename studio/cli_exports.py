"""Commands about exports: writing them, their dry run, and mixtures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, SnapshotName, Workspace
from pitchpipe.studio.cli_output import Output, run_command


def export(
    snapshot: SnapshotName,
    form: Annotated[str, typer.Option(help="sft, dpo, kto, reward, classify or raw.")],
    to: Annotated[Path, typer.Option(help="Folder to write into.")],
    format: Annotated[str, typer.Option("--format", "--as", help="parquet, jsonl, csv or datasets.")] = "parquet",
    soft_labels: Annotated[bool, typer.Option("--soft-labels", help="Add label_smoothing to pairs.")] = False,
    confidence_weights: Annotated[
        bool, typer.Option("--confidence-weights", help="Multiply weights by how sure people are.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Write a snapshot as training files."""
    with run_command(json) as output:
        found = output.call(
            workspace, "export", snapshot=snapshot, form=form, to=str(to), format=format, soft_labels=soft_labels,
            confidence_weights=confidence_weights,
        )  # fmt: skip
        output.show(found)


def export_check(
    snapshot: SnapshotName,
    form: Annotated[str, typer.Option(help="sft, dpo, kto or reward.")] = "sft",
    model: Annotated[str, typer.Option(help="embedded, a model id, a folder, or the id of a run.")] = "embedded",
    max_length: Annotated[int, typer.Option(help="Tokens of a row that the trainer takes.")] = 1024,
    samples: Annotated[int, typer.Option(help="Rows that are kept token by token.")] = 24,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Dry run of an export: what a trainer will see of every row. Exit code 1 when its count is not ours."""
    with run_command(json) as output:
        values: dict[str, Any] = {"form": form, "model": model, "max_length": max_length, "samples": samples}
        prepared = output.call(workspace, "prepare_export_check", snapshot=snapshot, **values)
        found = _run_check(output, prepared)
        output.show(found)
        if not found["trainer"]["agrees"]:
            raise typer.Exit(1)


def mixture(
    files: Annotated[list[Path], typer.Argument(help="Exported files of one form, Parquet or JSONL.")],
    to: Annotated[Path, typer.Option(help="The YAML file to write.")],
    share: Annotated[
        list[float] | None, typer.Option(help="Share of each file, in their order; every row when left out.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Write a configuration that TRL loads as one dataset."""
    with run_command(json) as output:
        # From where the command is typed: a studio that answers may have been started elsewhere.
        paths = [str(file.resolve()) for file in files]
        found = output.call(workspace, "mixture", files=paths, to=str(to), shares=share or None)
        output.show_table(found, "files", f"{found['path']}: {found['rows']} rows for {found['form']}")


def add_export_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    for command in (export, export_check, mixture):
        app.command()(command)


def _run_check(output: Output, prepared: dict[str, Any]) -> dict[str, Any]:
    """Runs a prepared check in a process of its own, with progress on stderr."""
    import time

    from pitchpipe.store.errors import RunError
    from pitchpipe.studio.export_verbs import describe_check
    from pitchpipe.training.exports.export_check import read_check, start_check, stop_check
    from pitchpipe.training.runs.run_folders import RunStatus

    folder = Path(prepared["folder"])
    with output.follow_stages(prepared["check"]) as follow:
        start_check(folder)
        try:
            while (state := read_check(folder)).status is RunStatus.RUNNING:
                follow(state.stage, state.step, state.total_steps)
                time.sleep(0.2)
        except KeyboardInterrupt:
            stop_check(folder)
            raise
    if state.status is not RunStatus.FINISHED:
        raise RunError(
            state.happened or f"The check {folder.name} ended as '{state.status}'.",
            state.advice or f"Look at {folder}/log.txt and run it again.",
        )
    return describe_check(state)
