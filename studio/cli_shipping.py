"""The commands that take a tuned model out of the workspace: ship it, see what was shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, RunId, Workspace
from pitchpipe.studio.cli_output import Output, run_command


def ship(
    run: RunId,
    to: Annotated[
        Path | None, typer.Option(help="A new folder for the model; the workspace's own if left out.")
    ] = None,
    gguf: Annotated[bool, typer.Option("--gguf", help="Also write the weights as GGUF, for llama.cpp.")] = False,
    rows: Annotated[int, typer.Option(help="Learned rows to score before and after.", min=0, max=10_000)] = 16,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Merge a tuned model into a plain folder, proven to be the same model."""
    with run_command(json) as output:
        values: dict[str, Any] = {"run": run, "to": str(to.resolve()) if to else None, "gguf": gguf, "rows": rows}
        output.show(_run_ship(output, output.call(workspace, "prepare_ship", **values)))


def shipped(
    ship: Annotated[str | None, typer.Argument(help="Id of a shipping; all when left out.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """List the models shipped from here and what was compared."""
    with run_command(json) as output:
        output.show_table(output.call(workspace, "shipped", ship=ship), "ships", "Shipped models")


def job(
    run: RunId,
    scheduler: Annotated[str, typer.Option("--for", help="slurm or skypilot.")],
    gpus: Annotated[int, typer.Option(help="GPUs of each machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines.")] = 1,
    gpu_type: Annotated[str, typer.Option(help="What SkyPilot calls the GPU.")] = "H100",
    hours: Annotated[int, typer.Option(help="Longest time that the job may take.")] = 24,
    to: Annotated[Path | None, typer.Option(help="Folder for both files; the workspace's own if left out.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Write a waiting run as an archive and a job file for a cluster."""
    with run_command(json) as output:
        values: dict[str, Any] = {"gpus": gpus, "nodes": nodes, "gpu_type": gpu_type, "hours": hours}
        values["to"] = str(to.resolve()) if to else None
        output.show(output.call(workspace, "job", run=run, scheduler=scheduler, **values))


def add_shipping_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    for command in (ship, shipped, job):
        app.command()(command)


def _run_ship(output: Output, prepared: dict[str, Any]) -> dict[str, Any]:
    """Carries out a prepared shipping in a process of its own, with progress on stderr."""
    import time

    from pitchpipe.store.errors import RunError
    from pitchpipe.studio.ship_verbs import describe_ship
    from pitchpipe.training.runs.run_folders import RunStatus
    from pitchpipe.training.shipping.ship_request import read_ship, start_ship, stop_ship

    folder = Path(prepared["folder"])
    with output.follow_stages(prepared["ship"]) as follow:
        start_ship(folder)
        try:
            while (state := read_ship(folder)).status is RunStatus.RUNNING:
                follow(state.stage, state.step, state.total_steps)
                time.sleep(0.2)
        except KeyboardInterrupt:
            stop_ship(folder)
            raise
    if state.status is not RunStatus.FINISHED:
        raise RunError(
            state.happened or f"The shipping {folder.name} ended as '{state.status}'.",
            state.advice or f"Look at {folder}/log.txt and ship again.",
        )
    return describe_ship(state)
