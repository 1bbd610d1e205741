"""The commands that go on with a run, or begin a round from one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, RunId, Workspace
from pitchpipe.studio.cli_output import run_command


def resume(
    run: RunId,
    accept: Annotated[
        bool, typer.Option("--accept-libraries", help="Go on with the libraries installed now, if others began it.")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Go on with a run that was stopped, killed or failed, from its last whole checkpoint."""
    with run_command(json) as output:
        output.show(output.run_round(workspace, "prepare_resume", run=run, accept=accept))


def continue_from(
    run: RunId,
    snapshot: Annotated[str, typer.Option(help="Name or id of the snapshot that the new round learns from.")],
    method: Annotated[str | None, typer.Option(help="How; that of the run when left out.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A TOML plan; the CPU recipe when left out.")] = None,
    dial: Annotated[list[str] | None, typer.Option("--set", help="A dial of the plan, such as --set epochs=1.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Begin a new round from the weights of a finished run."""
    with run_command(json) as output:
        values = {"run": run, "snapshot": snapshot, "method": method, "plan": str(plan) if plan else None}
        output.show(output.run_round(workspace, "prepare_continuation", **values, dials=output.parse_dials(dial)))


def add_resume_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    app.command()(resume)
    app.command("continue-from")(continue_from)
